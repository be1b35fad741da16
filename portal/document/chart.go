package document

import (
	"fmt"
	"math"
	"strconv"
)

// Series is one line of a chart; NaN: nothing is known.
type Series struct {
	Name   string
	Colour Colour
	Values []float64
}

// Chart is values over labels.
type Chart struct {
	Labels []string
	Series []Series
	Unit   string
	Low    float64 // where the axis begins
	High   float64 // where it ends; 0: above the largest value
}

const (
	chartHeight = 46.0
	axisWidth   = 12.0
	gridLines   = 4
)

// frame is where a chart's values lie.
type frame struct {
	x, y, width, height, low, high float64
}

func (f frame) at(v float64) float64 {
	return f.y + f.height - (min(max(v, f.low), f.high)-f.low)/(f.high-f.low)*f.height
}

// axes draws a chart's frame, grid, labels and legend.
func (d *Document) axes(c *Chart) frame {
	d.room(chartHeight + 16)
	p := d.pdf
	d.legend(c.Series)
	f := frame{margin + axisWidth, p.GetY() + 2, inner - axisWidth, chartHeight, c.Low, c.High}
	if f.high <= f.low {
		f.high = niceAbove(c)
	}
	for i := range gridLines + 1 {
		v := f.low + (f.high-f.low)*float64(i)/gridLines
		y := f.at(v)
		p.SetDrawColor(Line[0], Line[1], Line[2])
		p.SetLineWidth(0.15)
		p.Line(f.x, y, f.x+f.width, y)
		d.font(7, Grey)
		text := strconv.FormatFloat(v, 'f', -1, 64) + c.Unit
		p.Text(f.x-1.5-p.GetStringWidth(text), y+1, text)
	}
	d.font(7, Grey)
	every := 1
	for n := len(c.Labels); n/every > 15; {
		every++
	}
	for i, l := range c.Labels {
		if i%every == 0 {
			l = clean(l)
			p.Text(f.column(i, len(c.Labels))-p.GetStringWidth(l)/2, f.y+f.height+4, l)
		}
	}
	p.SetY(f.y + f.height + 8)
	return f
}

// column is the middle of the i-th of n columns.
func (f frame) column(i, n int) float64 { return f.x + f.width*(float64(i)+0.5)/float64(max(1, n)) }

// legend names the series, when there are several.
func (d *Document) legend(list []Series) {
	if len(list) < 2 {
		return
	}
	p := d.pdf
	x, y := margin+axisWidth, p.GetY()+2.5
	for _, s := range list {
		p.SetFillColor(s.Colour[0], s.Colour[1], s.Colour[2])
		p.Rect(x, y-1.6, 4, 1.6, "F")
		d.font(7.5, Ink)
		p.Text(x+5.5, y, clean(s.Name))
		x += 5.5 + p.GetStringWidth(clean(s.Name)) + 6
	}
	p.SetY(y + 1.5)
}

// niceAbove is a round number above every value.
func niceAbove(c *Chart) float64 {
	most := 1.0
	for _, s := range c.Series {
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				most = max(most, v)
			}
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, k := range []float64{1, 2, 4, 5, 8, 10, 20} {
		if k*step >= most && (k*step == math.Trunc(k*step)) && math.Mod(k*step, gridLines) == 0 {
			return k * step
		}
	}
	return math.Ceil(most/gridLines) * gridLines
}

// Lines draws a line chart.
func (d *Document) Lines(c Chart) {
	f, p := d.axes(&c), d.pdf
	for _, s := range c.Series {
		p.SetDrawColor(s.Colour[0], s.Colour[1], s.Colour[2])
		p.SetFillColor(s.Colour[0], s.Colour[1], s.Colour[2])
		p.SetLineWidth(0.45)
		known, px, py := false, 0.0, 0.0
		for i, v := range s.Values {
			if math.IsNaN(v) {
				known = false
				continue
			}
			x, y := f.column(i, len(c.Labels)), f.at(v)
			if known {
				p.Line(px, py, x, y)
			}
			p.Circle(x, y, 0.6, "F")
			known, px, py = true, x, y
		}
	}
}

// Bars draws bars beside each other; several series are stacked.
func (d *Document) Bars(c Chart) {
	if len(c.Series) > 1 && c.High == 0 {
		total := Chart{Series: []Series{{Values: make([]float64, len(c.Labels))}}}
		for _, s := range c.Series {
			for i, v := range s.Values {
				total.Series[0].Values[i] += v
			}
		}
		c.High = niceAbove(&total)
	}
	f, p := d.axes(&c), d.pdf
	width := min(9, f.width/float64(max(1, len(c.Labels)))*0.6)
	below := make([]float64, len(c.Labels))
	for _, s := range c.Series {
		p.SetFillColor(s.Colour[0], s.Colour[1], s.Colour[2])
		for i, v := range s.Values {
			if math.IsNaN(v) || v <= 0 {
				continue
			}
			low, high := f.at(below[i]), f.at(below[i]+v)
			p.Rect(f.column(i, len(c.Labels))-width/2, high, width, low-high, "F")
			below[i] += v
		}
	}
	if len(c.Series) == 1 && len(c.Labels) <= 16 {
		d.font(7, Ink)
		for i, v := range c.Series[0].Values {
			text := strconv.FormatFloat(v, 'f', -1, 64)
			if v > 0 {
				p.Text(f.column(i, len(c.Labels))-p.GetStringWidth(text)/2, f.at(v)-1, text)
			}
		}
	}
}

// Part is one part of a whole.
type Part struct {
	Name   string
	Value  float64
	Colour Colour
}

// Shares draws one bar of the parts of a whole, with their names, numbers and shares below.
func (d *Document) Shares(parts []Part) {
	const height = 7.0
	d.room(height + 12)
	p := d.pdf
	sum := 0.0
	for _, x := range parts {
		sum += x.Value
	}
	x, y := margin, p.GetY()
	p.SetFillColor(Line[0], Line[1], Line[2])
	p.Rect(x, y, inner, height, "F")
	for _, part := range parts {
		w := inner * part.Value / max(sum, 1)
		p.SetFillColor(part.Colour[0], part.Colour[1], part.Colour[2])
		p.Rect(x, y, w, height, "F")
		x += w
	}
	x = margin
	y += height + 5
	for _, part := range parts {
		p.SetFillColor(part.Colour[0], part.Colour[1], part.Colour[2])
		p.Rect(x, y-2.4, 2.6, 2.6, "F")
		d.font(smallSize, Ink)
		text := clean(fmt.Sprintf("%s %s（%.1f%%）", part.Name, strconv.FormatFloat(part.Value, 'f', -1, 64), 100*part.Value/max(sum, 1)))
		p.Text(x+4, y, text)
		x += 4 + p.GetStringWidth(text) + 7
	}
	p.SetY(y + 4)
}
