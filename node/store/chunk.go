package store

import (
	"encoding/binary"
	"errors"
	"math"

	"dusthub/schema/frame"
)

// A chunk is the sealed form of one series in one partition:
//
//	version  byte     1
//	form     byte     bits 0..2: scale 0..6, or 7 for raw; bit 3: qualities follow; bit 4: residuals instead of differences
//	count    uvarint
//	first    varint   time of the first sample, ms
//	steps    runs     (varint change of step, uvarint how many more samples it holds for), until count samples
//	values   see below
//	quality  count bytes when form says so
//
// Scaled values are varints: the first integer, then either differences to the one before, or residuals to a slow mean
// (mean += (value - mean) / 8, in sixteenths); whichever is shorter. Raw values are XORed with the one before: the
// number of leading zero bytes, then the others. The same samples always give the same bytes.
const (
	chunkVersion  = 1
	chunkRaw      = 7
	chunkForm     = 7
	chunkQuality  = 8
	chunkResidual = 16

	meanShift    = 3
	meanFraction = 4
)

var errChunk = errors.New("store: malformed chunk")

// appendChunk encodes samples, which are in order of time, without equal times.
func appendChunk(dst []byte, p *part) []byte {
	n := len(p.offsets)
	scale, ok := frame.Scale(n, func(i int) float64 { return p.values[i] })
	form := byte(scale)
	if !ok {
		form = chunkRaw
	}
	if p.quality != nil {
		form |= chunkQuality
	}
	var values []byte
	if ok {
		delta := appendDeltas(nil, p.values, scale)
		residual := appendResiduals(nil, p.values, scale)
		values = delta
		if len(residual) < len(delta) {
			values, form = residual, form|chunkResidual
		}
	} else {
		values = appendRaw(nil, p.values)
	}
	dst = append(dst, chunkVersion, form)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendVarint(dst, p.time(0))
	dst = appendSteps(dst, p)
	dst = append(dst, values...)
	if p.quality != nil {
		dst = append(dst, p.quality...)
	}
	return dst
}

func appendSteps(dst []byte, p *part) []byte {
	step := int64(0)
	for i := 1; i < len(p.offsets); {
		d := p.time(i) - p.time(i-1)
		same := i + 1
		for same < len(p.offsets) && p.time(same)-p.time(same-1) == d {
			same++
		}
		dst = binary.AppendVarint(dst, d-step)
		dst = binary.AppendUvarint(dst, uint64(same-i-1))
		step, i = d, same
	}
	return dst
}

func appendDeltas(dst []byte, values []float64, scale int) []byte {
	before := int64(0)
	for _, v := range values {
		m := frame.Scaled(v, scale)
		dst = binary.AppendVarint(dst, m-before)
		before = m
	}
	return dst
}

func appendResiduals(dst []byte, values []float64, scale int) []byte {
	mean := int64(0)
	for i, v := range values {
		m := frame.Scaled(v, scale)
		dst = binary.AppendVarint(dst, m-mean>>meanFraction)
		mean = nextMean(mean, m, i)
	}
	return dst
}

// nextMean moves the slow mean, kept in sixteenths, towards m; the first value sets it. Overflow wraps the same way everywhere.
func nextMean(mean, m int64, i int) int64 {
	if i == 0 {
		return m << meanFraction
	}
	return mean + (m<<meanFraction-mean)>>meanShift
}

func appendRaw(dst []byte, values []float64) []byte {
	before := uint64(0)
	var b [8]byte
	for _, v := range values {
		bits := math.Float64bits(v)
		binary.BigEndian.PutUint64(b[:], bits^before)
		zero := 0
		for zero < 8 && b[zero] == 0 {
			zero++
		}
		dst = append(dst, byte(zero))
		dst = append(dst, b[zero:]...)
		before = bits
	}
	return dst
}

// cursor takes a chunk apart and remembers that something was wrong.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

// decodeChunk reads a chunk of the partition [start, start+length). It checks everything and never panics.
func decodeChunk(b []byte, start, length int64) (*part, error) {
	c := cursor{b: b}
	head := c.take(2)
	n := c.uvarint()
	first := c.varint()
	if c.bad || head[0] != chunkVersion || head[1] > chunkForm|chunkQuality|chunkResidual || n == 0 || n > uint64(len(b)) { // each value takes a byte at least
		return nil, errChunk
	}
	p := &part{start: start}
	if !p.readSteps(&c, int(n), first, length) || !p.readValues(&c, int(n), head[1]) {
		return nil, errChunk
	}
	if head[1]&chunkQuality != 0 {
		p.quality = append([]uint8(nil), c.take(int(n))...)
	}
	if c.bad || len(c.b) > 0 {
		return nil, errChunk
	}
	return p, nil
}

func (p *part) readSteps(c *cursor, n int, first, length int64) bool {
	at, step := first, int64(0)
	add := func() bool {
		if c.bad || at < p.start || at >= p.start+length || len(p.offsets) > 0 && step <= 0 {
			return false
		}
		p.offsets = append(p.offsets, uint32(at-p.start))
		return true
	}
	if !add() {
		return false
	}
	for len(p.offsets) < n {
		step += c.varint()
		more := c.uvarint()
		if c.bad || step <= 0 || step > length || more > uint64(n-len(p.offsets)-1) {
			return false
		}
		for range more + 1 {
			at += step
			if !add() {
				return false
			}
		}
	}
	return true
}

func (p *part) readValues(c *cursor, n int, form byte) bool {
	scale := int(form & chunkForm)
	if n > len(c.b) { // each value takes a byte at least
		return false
	}
	p.values = make([]float64, 0, n)
	m, mean, bits := int64(0), int64(0), uint64(0)
	for i := range n {
		switch {
		case scale == chunkRaw:
			zero := c.take(1)
			if c.bad || zero[0] > 8 {
				return false
			}
			var b [8]byte
			copy(b[zero[0]:], c.take(8-int(zero[0])))
			bits ^= binary.BigEndian.Uint64(b[:])
			p.values = append(p.values, math.Float64frombits(bits))
			continue
		case form&chunkResidual != 0:
			m = c.varint() + mean>>meanFraction
			mean = nextMean(mean, m, i)
		default:
			m += c.varint()
		}
		p.values = append(p.values, frame.Unscaled(m, scale))
	}
	return !c.bad
}
