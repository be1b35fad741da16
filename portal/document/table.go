package document

// Column of a table.
type Column struct {
	Title string
	Share float64 // of the width; all shares together are the whole
	Right bool
}

// Table writes rows, each as high as its longest cell; the head stands again on every page. empty is written when there are no rows.
func (d *Document) Table(cols []Column, rows [][]string, empty string) {
	widths := make([]float64, len(cols))
	sum := 0.0
	for _, c := range cols {
		sum += c.Share
	}
	titles := make([]string, len(cols))
	for i, c := range cols {
		widths[i], titles[i] = inner*c.Share/sum, c.Title
	}
	d.tableRow(cols, widths, titles, true, false)
	if len(rows) == 0 {
		d.font(smallSize, Grey)
		d.pdf.Text(margin+cellPadding, d.pdf.GetY()+4.4, clean(empty))
		d.pdf.SetY(d.pdf.GetY() + lineHeight + 1)
		d.rule(d.pdf.GetY())
	}
	for i, r := range rows {
		before := d.pdf.PageNo()
		height := d.heightOf(widths, r)
		d.room(height)
		if d.pdf.PageNo() != before {
			d.tableRow(cols, widths, titles, true, false)
		}
		d.tableRow(cols, widths, r, false, i%2 == 1)
	}
	d.pdf.SetY(d.pdf.GetY() + 4)
}

const tableLine = 4.6

func (d *Document) heightOf(widths []float64, cells []string) float64 {
	d.font(smallSize, Ink)
	most := 1
	for i, c := range cells {
		most = max(most, len(d.wrap(c, widths[i]-2*cellPadding)))
	}
	return float64(most)*tableLine + 2*cellPadding*0.7
}

func (d *Document) tableRow(cols []Column, widths []float64, cells []string, head, shaded bool) {
	p := d.pdf
	height := d.heightOf(widths, cells)
	if head {
		d.room(height + 2*tableLine)
	}
	y := p.GetY()
	if head || shaded {
		fill := Colour{247, 249, 251}
		if head {
			fill = Soft
		}
		p.SetFillColor(fill[0], fill[1], fill[2])
		p.Rect(margin, y+0.1, inner, height-0.1, "F") // the line above stays
	}
	x := margin
	for i, text := range cells {
		d.font(smallSize, Ink)
		if head {
			d.font(smallSize, Accent)
		}
		for n, line := range d.wrap(text, widths[i]-2*cellPadding) {
			at := x + cellPadding
			if cols[i].Right {
				at = x + widths[i] - cellPadding - p.GetStringWidth(line)
			}
			p.Text(at, y+cellPadding*0.7+float64(n)*tableLine+3.4, line)
		}
		x += widths[i]
	}
	p.SetY(y + height)
	d.rule(p.GetY())
}
