// Package document makes PDF documents (A4) that a ministry may hand on: Chinese text that can be searched and copied, headings, tables that go
// on over pages, key figures and simple charts drawn as vectors, and on each page who made it, of what time, and which page it is.
//
// The same calls make the same bytes. Text is set in Noto Sans SC (SIL Open Font License 1.1), which `make web` copies into font/; only
// the characters that are used are put into a document. A program that was built without it makes no documents (ErrFont).
package document

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
)

//go:embed all:font
var files embed.FS

const fontFile = "font/NotoSansSC_400Regular.ttf"

// ErrFont says that the program was built without its font.
var ErrFont = errors.New("document: built without the font; run make web before go build")

// Ready says whether documents can be made. Errors: ErrFont.
func Ready() error {
	if _, err := files.Open(fontFile); err != nil {
		return ErrFont
	}
	return nil
}

// Meta stands on every page.
type Meta struct {
	Title  string
	Site   string    // who made it
	Period string    // of what time
	Made   time.Time // its zone is printed as it is
}

// Measures of a page, mm.
const (
	pageWidth    = 210.0
	pageHeight   = 297.0
	margin       = 18.0
	top          = 24.0
	bottom       = 20.0
	inner        = pageWidth - 2*margin
	bodySize     = 10.0 // points
	smallSize    = 8.5
	headingSize  = 13.0
	titleSize    = 22.0
	lineHeight   = 5.6
	cellPadding  = 1.6
	boldShare    = 0.009 // the font has one weight: bold is drawn with an outline of so much of its size, mm for a point
	pointsToMm   = 25.4 / 72
	unknownGlyph = '〓'
)

// Colour is red, green, blue.
type Colour [3]int

// Colours of documents; those of the levels have the official meaning.
var (
	Ink    = Colour{20, 32, 43}
	Grey   = Colour{100, 114, 130}
	Line   = Colour{206, 214, 222}
	Soft   = Colour{233, 242, 244}
	Accent = Colour{11, 100, 114}
	Red    = Colour{211, 34, 42}
	Orange = Colour{217, 95, 2}
	Yellow = Colour{233, 174, 12}
	Blue   = Colour{42, 116, 214}
	Green  = Colour{26, 138, 86}
)

// Document is one being made.
type Document struct {
	pdf  *fpdf.Fpdf
	meta Meta
}

const family = "noto"

// New begins a document. Errors: ErrFont.
func New(m Meta) (*Document, error) {
	font, err := files.ReadFile(fontFile)
	if err != nil {
		return nil, ErrFont
	}
	d := &Document{pdf: fpdf.New("P", "mm", "A4", ""), meta: m}
	p := d.pdf
	p.SetCreationDate(m.Made)
	p.SetModificationDate(m.Made)
	p.SetCatalogSort(true)
	p.SetTitle(clean(m.Title), true)
	p.SetAuthor(clean(m.Site), true)
	p.SetLang("zh-CN")
	p.AddUTF8FontFromBytes(family, "", font)
	p.SetMargins(margin, top, margin)
	p.SetAutoPageBreak(false, 0) // rows and charts are kept whole: room is asked for
	p.SetHeaderFunc(d.header)
	p.SetFooterFunc(d.footer)
	p.AliasNbPages("{nb}")
	p.AddPage()
	return d, nil
}

func (d *Document) header() {
	p := d.pdf
	d.font(smallSize, Grey)
	p.Text(margin, top-10, clean(d.meta.Site))
	title := clean(d.meta.Title)
	p.Text(pageWidth-margin-p.GetStringWidth(title), top-10, title)
	d.rule(top - 7.5)
	p.SetXY(margin, top)
}

func (d *Document) footer() {
	p := d.pdf
	d.rule(pageHeight - bottom + 5)
	d.font(smallSize, Grey)
	p.Text(margin, pageHeight-bottom+10, clean(d.meta.Period)+"    生成时间 "+d.meta.Made.Format("2006-01-02 15:04"))
	page := fmt.Sprintf("第 %d 页，共 {nb} 页", p.PageNo())
	p.Text(pageWidth-margin-p.GetStringWidth(fmt.Sprintf("第 %d 页，共 %d 页", p.PageNo(), p.PageNo())), pageHeight-bottom+10, page)
}

func (d *Document) rule(y float64) {
	d.pdf.SetDrawColor(Line[0], Line[1], Line[2])
	d.pdf.SetLineWidth(0.2)
	d.pdf.Line(margin, y, pageWidth-margin, y)
}

// font sets the size, in points, and the colour of what is written next.
func (d *Document) font(size float64, c Colour) {
	d.pdf.SetFont(family, "", size)
	d.pdf.SetTextColor(c[0], c[1], c[2])
}

// bold writes text at a place in bold.
func (d *Document) bold(x, y float64, text string, c Colour) {
	p := d.pdf
	p.SetTextRenderingMode(2)
	p.SetDrawColor(c[0], c[1], c[2])
	size, _ := p.GetFontSize()
	p.SetLineWidth(boldShare * size)
	p.Text(x, y, text)
	p.SetTextRenderingMode(0)
}

// room begins a new page when less than so much, mm, is left of this one.
func (d *Document) room(height float64) {
	if d.pdf.GetY()+height > pageHeight-bottom {
		d.pdf.AddPage()
	}
}

// Title writes the document's title, in the middle, with a line below it.
func (d *Document) Title(title, below string) {
	p := d.pdf
	p.SetY(top + 10)
	d.font(titleSize, Ink)
	for _, line := range d.wrap(title, inner) {
		d.bold(margin+(inner-p.GetStringWidth(line))/2, p.GetY(), line, Ink)
		p.SetY(p.GetY() + titleSize*pointsToMm*1.4)
	}
	d.font(bodySize, Grey)
	below = clean(below)
	p.Text(margin+(inner-p.GetStringWidth(below))/2, p.GetY()-1, below)
	p.SetY(p.GetY() + 4)
	p.SetFillColor(Accent[0], Accent[1], Accent[2])
	p.Rect(margin, p.GetY(), inner, 0.7, "F")
	p.SetY(p.GetY() + 4)
}

// Heading begins a part of the document, and its entry in the outline.
func (d *Document) Heading(text string) {
	const height = 11
	d.room(height + 3*lineHeight) // never alone at the end of a page
	p := d.pdf
	y := p.GetY() + 7.5
	p.SetFillColor(Accent[0], Accent[1], Accent[2])
	p.Rect(margin, y-4.2, 1.4, 5, "F")
	d.font(headingSize, Ink)
	d.bold(margin+3.6, y, clean(text), Ink)
	p.Bookmark(clean(text), 0, -1)
	p.SetY(p.GetY() + height)
}

// Caption writes a small title above a table or a chart.
func (d *Document) Caption(text string) {
	d.room(4 * lineHeight)
	d.font(bodySize, Ink)
	d.bold(margin, d.pdf.GetY()+4, clean(text), Ink)
	d.pdf.SetY(d.pdf.GetY() + 6.5)
}

// Paragraph writes text.
func (d *Document) Paragraph(text string) { d.text(text, bodySize, Ink) }

// Note writes small grey text.
func (d *Document) Note(text string) { d.text(text, smallSize, Grey) }

func (d *Document) text(text string, size float64, c Colour) {
	d.font(size, c)
	height := lineHeight * size / bodySize
	for _, line := range d.wrap(text, inner) {
		d.room(height)
		d.font(size, c) // a new page has written its head
		d.pdf.Text(margin, d.pdf.GetY()+height*0.72, line)
		d.pdf.SetY(d.pdf.GetY() + height)
	}
	d.pdf.SetY(d.pdf.GetY() + 1.5)
}

// Figure is one number that matters.
type Figure struct {
	Label string
	Value string
	Note  string
	Tone  *Colour // of the value; nil: ink
}

// Figures writes key figures beside each other, four in a row.
func (d *Document) Figures(list []Figure) {
	const inRow, height, gap = 4, 19.0, 3.0
	width := (inner - gap*(inRow-1)) / inRow
	for i, f := range list {
		if i%inRow == 0 {
			d.room(height + gap)
		}
		p := d.pdf
		x, y := margin+float64(i%inRow)*(width+gap), p.GetY()
		p.SetFillColor(Soft[0], Soft[1], Soft[2])
		p.Rect(x, y, width, height, "F")
		d.font(smallSize, Grey)
		p.Text(x+3, y+5, d.fit(f.Label, width-6))
		tone := Ink
		if f.Tone != nil {
			tone = *f.Tone
		}
		d.font(15, tone)
		d.bold(x+3, y+11.8, d.fit(f.Value, width-6), tone)
		d.font(7.5, Grey)
		p.Text(x+3, y+16.6, d.fit(f.Note, width-6))
		if i%inRow == inRow-1 || i == len(list)-1 {
			p.SetY(y + height + gap)
		}
	}
}

// Bytes ends the document.
func (d *Document) Bytes() ([]byte, error) {
	var b bytes.Buffer
	if err := d.pdf.Output(&b); err != nil {
		return nil, fmt.Errorf("make document: %w", err)
	}
	return b.Bytes(), nil
}

// clean replaces what the font's format cannot hold (characters beyond the basic plane), and line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r > 0xFFFF || r == utf8.RuneError:
			return unknownGlyph
		case r < ' ':
			return ' '
		}
		return r
	}, s)
}

// wrap breaks text into lines of a width, mm: between any two Chinese characters, otherwise at spaces, and anywhere when nothing else helps.
func (d *Document) wrap(text string, width float64) []string {
	var out []string
	for _, part := range strings.Split(text, "\n") {
		out = append(out, d.lines(clean(part), width)...)
	}
	return out
}

func (d *Document) lines(text string, width float64) []string {
	var out []string
	start, breakAt, used := 0, 0, 0.0
	last := rune(0)
	for i, r := range text {
		w := d.pdf.GetStringWidth(string(r))
		if i > start && (r == ' ' || wide(r) && !closing(r) || wide(last)) && !closing(r) {
			breakAt = i
		}
		if used+w > width && i > start {
			at := breakAt
			if at <= start {
				at = i
			}
			out = append(out, strings.TrimSpace(text[start:at]))
			start, breakAt = at, at
			used = d.pdf.GetStringWidth(strings.TrimLeft(text[start:i], " "))
		}
		used += w
		last = r
	}
	return append(out, strings.TrimSpace(text[start:]))
}

// wide says whether a line may be broken beside a character.
func wide(r rune) bool { return r >= 0x2E80 }

// closing characters do not begin a line.
func closing(r rune) bool { return strings.ContainsRune("，。、；：！？）】》”’%％", r) }

// fit shortens text to a width.
func (d *Document) fit(text string, width float64) string {
	text = clean(text)
	if d.pdf.GetStringWidth(text) <= width {
		return text
	}
	for text != "" && d.pdf.GetStringWidth(text+"…") > width {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return text + "…"
}
