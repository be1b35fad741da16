package demo

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
)

const (
	photoWidth  = 640
	photoHeight = 400
)

// drawPhoto paints a stand-in for a photo of a plant's collector: a grey box with a hopper under a sky whose colour
// differs from plant to plant.
func drawPhoto(enterprise string) (photo, error) {
	h := fnv.New32a()
	h.Write([]byte(enterprise)) // never fails
	sum := h.Sum32()            // colours from all of it: no two plants have the same picture
	img := image.NewPaletted(image.Rect(0, 0, photoWidth, photoHeight), color.Palette{
		color.RGBA{140 + uint8(sum)%64, 150 + uint8(sum>>8)%64, 190 + uint8(sum>>16)%64, 255}, color.RGBA{104 + uint8(sum>>24)%32, 124, 128, 255},
		color.RGBA{84, 76 + uint8(sum>>6)%32, 92, 255}, color.RGBA{170, 160, 124 + uint8(sum>>14)%32, 255},
	})
	for y := range photoHeight {
		for x := range photoWidth {
			img.SetColorIndex(x, y, shade(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("draw photo: %w", err)
	}
	return b.Bytes(), nil
}

func shade(x, y int) uint8 {
	const left, right, top, waist, foot, ground = 220, 420, 60, 230, 330, 350
	middle := (left + right) / 2
	switch {
	case y > ground:
		return 3
	case x > left && x < right && y > top && y < waist:
		return 1
	case y >= waist && y < foot && x > left+(y-waist)*(middle-left-20)/(foot-waist) && x < right-(y-waist)*(right-middle-20)/(foot-waist):
		return 2
	}
	return 0
}
