package portal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"regexp"
)

// What lies behind the end of a picture is no part of it: telephones put small films and second pictures there, and who wants a file to be
// two things at once an archive, a page or a program. It is cut off.
var pictureEnds = map[string]func([]byte) int{"image/png": pngEnd, "image/jpeg": jpegEnd, "image/webp": webpEnd}

// pngEnd is where a PNG's last chunk ends; 0 when there is none.
func pngEnd(b []byte) int {
	const signature, around = 8, 12 // bytes: before the first chunk; of a chunk beside its content
	for at := signature; at+around <= len(b); {
		size := int64(binary.BigEndian.Uint32(b[at:]))
		end := int64(at) + around + size
		if end > int64(len(b)) {
			return 0
		}
		if string(b[at+4:at+8]) == "IEND" {
			return int(end)
		}
		at = int(end)
	}
	return 0
}

// Markers of JPEG (ITU-T T.81, table B.1).
const (
	jpegMark  = 0xff
	jpegStart = 0xd8 // and, down to 0xd0, marks without content
	jpegStop  = 0xd9
	jpegScan  = 0xda
)

// jpegEnd is where a JPEG's end mark ends; 0 when there is none.
func jpegEnd(b []byte) int {
	const head = 2
	for at := 0; at+head <= len(b); {
		if b[at] != jpegMark {
			return 0
		}
		switch m := b[at+1]; {
		case m == jpegMark: // filling
			at++
		case m == jpegStop:
			return at + head
		case m >= 0xd0 && m <= jpegStart || m == 0x01:
			at += head
		default:
			if at+head+2 > len(b) {
				return 0
			}
			at += head + int(binary.BigEndian.Uint16(b[at+head:]))
			if m == jpegScan {
				at = afterScan(b, at)
			}
		}
	}
	return 0
}

// afterScan is where the coded data of a scan end: at a mark that is neither a stuffed byte nor a restart.
func afterScan(b []byte, at int) int {
	for ; at+1 < len(b); at++ {
		if next := b[at+1]; b[at] == jpegMark && next != 0 && (next < 0xd0 || next >= jpegStart) && next != jpegMark {
			return at
		}
	}
	return len(b)
}

// webpEnd is where a WebP's container ends; 0 when its first chunk is none of a picture.
func webpEnd(b []byte) int {
	const riff, first = 8, 20 // bytes: before what the size counts; before the first chunk's content
	if len(b) < first+10 {
		return 0
	}
	end := riff + int64(binary.LittleEndian.Uint32(b[4:]))
	size := int64(binary.LittleEndian.Uint32(b[16:]))
	content := b[first:]
	var good bool
	switch string(b[12:16]) {
	case "VP8 ":
		good = bytes.Equal(content[3:6], []byte{0x9d, 0x01, 0x2a}) // the start code of a key frame
	case "VP8L":
		good = content[0] == 0x2f
	case "VP8X":
		good = size == 10
	}
	if !good || end > int64(len(b)) || first+size > end {
		return 0
	}
	return int(end)
}

var (
	pdfStream = regexp.MustCompile(`(?s)stream\r?\n.*?endstream`)
	pdfEscape = regexp.MustCompile(`#[0-9A-Fa-f]{2}`)
	// Names of a document that runs scripts, starts programs, sends forms or carries other files.
	pdfActive = regexp.MustCompile(`/(JavaScript|JS|Launch|EmbeddedFiles?|RichMedia|XFA|SubmitForm|ImportData|GoToE|Rendition)\b`)
)

const pdfTail = 1024 // bytes within which a document ends

// deadDocument says whether a PDF ends as one and, as far as it is not packed, names nothing that acts by itself. What packed objects hold is not
// looked at: a file is saved, never shown by the site.
func deadDocument(b []byte) bool {
	if !bytes.Contains(b[max(0, len(b)-pdfTail):], []byte("%%EOF")) {
		return false
	}
	open := pdfEscape.ReplaceAllFunc(pdfStream.ReplaceAll(b, nil), func(x []byte) []byte {
		c, err := hex.DecodeString(string(x[1:]))
		if err != nil {
			return x
		}
		return c
	})
	return !pdfActive.Match(open)
}
