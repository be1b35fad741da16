// Package frame is the columnar form in which samples travel: encoded once when they enter, the same bytes are
// the raft entry and what the live lane sends up.
//
// A frame is the byte 'F', the version 1, the number of runs, and the runs, one for each series, in order of series:
//
//	series   uvarint  difference to the run before (the first: the number itself)
//	count    uvarint  samples in the run, at least 1
//	form     byte     bits 0..2: scale 0..6, or 7 for raw values; bit 3: qualities follow
//	times    varint   first time, as a difference to the first time of the run before; then, for each further sample,
//	                  the difference between this step and the step before
//	values   scaled: varint of round(v * 10^scale), then differences; raw: 8 bytes each, big endian
//	quality  one byte a sample, when form says so; otherwise all are good
//
// Values are kept to the last bit: a scale is used only when every value of the run comes back equal from its integer.
package frame

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Limits. A frame of MaxSamples samples never passes MaxBytes, whatever they are.
const (
	MaxBytes   = 256 << 10
	MaxSamples = 8192
)

// Quality of a sample (domain 2.6).
const (
	Good       uint8 = 0
	Stale      uint8 = 1
	OverRange  uint8 = 2
	Fault      uint8 = 3
	SourceLost uint8 = 4
	Backfill   uint8 = 5
)

// Sample is one reading of one series. Value is kept to the last bit; NaN and infinities are refused at the door.
type Sample struct {
	Series  uint32
	Time    int64 // ms
	Value   float64
	Quality uint8
}

// ErrMalformed says that bytes are not a frame.
var ErrMalformed = errors.New("frame: malformed")

const (
	magic      = 'F'
	version    = 1
	rawForm    = 7
	formMask   = 7
	hasQuality = 8
	maxScale   = 6
	maxInteger = 1 << 53
)

var powers = [maxScale + 1]float64{1, 10, 100, 1000, 10000, 100000, 1000000}

// Scale is the smallest k of 0..6 with which every value is exactly an integer divided by 10^k, and false when there is none.
func Scale(n int, value func(int) float64) (int, bool) {
	k := 0
	for i := range n {
		v := value(i)
		for !fits(v, k) {
			if k++; k > maxScale {
				return 0, false
			}
		}
	}
	for i := range n { // what fitted a smaller scale may have grown too large for this one
		if !fits(value(i), k) {
			return 0, false
		}
	}
	return k, true
}

func fits(v float64, k int) bool {
	m := math.Round(v * powers[k])
	return math.Abs(m) < maxInteger && math.Float64bits(float64(int64(m))/powers[k]) == math.Float64bits(v)
}

// Scaled is the integer that stands for v under scale k, and Unscaled the value that an integer stands for.
func Scaled(v float64, k int) int64 { return int64(math.Round(v * powers[k])) }

// Unscaled is the value that an integer stands for under scale k.
func Unscaled(m int64, k int) float64 { return float64(m) / powers[k] }

// Append sorts samples by series and time and appends one frame with them to dst. At most MaxSamples samples.
func Append(dst []byte, samples []Sample) []byte {
	slices.SortStableFunc(samples, func(a, b Sample) int {
		if c := cmp.Compare(a.Series, b.Series); c != 0 {
			return c
		}
		return cmp.Compare(a.Time, b.Time)
	})
	runs := 0
	for i := range samples {
		if i == 0 || samples[i].Series != samples[i-1].Series { //nolint:gosec // i is above 0 there
			runs++
		}
	}
	dst = append(dst, magic, version)
	dst = binary.AppendUvarint(dst, uint64(runs))
	series, first := uint32(0), int64(0)
	for i := 0; i < len(samples); {
		end := i + 1
		for end < len(samples) && samples[end].Series == samples[i].Series {
			end++
		}
		run := samples[i:end]
		dst = binary.AppendUvarint(dst, uint64(run[0].Series-series))
		dst = appendRun(dst, run, first)
		series, first = run[0].Series, run[0].Time
		i = end
	}
	return dst
}

func appendRun(dst []byte, run []Sample, first int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(run)))
	scale, ok := Scale(len(run), func(i int) float64 { return run[i].Value })
	form := byte(scale)
	if !ok {
		form = rawForm
	}
	quality := slices.ContainsFunc(run, func(s Sample) bool { return s.Quality != Good })
	if quality {
		form |= hasQuality
	}
	dst = append(dst, form)
	dst = binary.AppendVarint(dst, run[0].Time-first)
	step := int64(0)
	for i := 1; i < len(run); i++ {
		d := run[i].Time - run[i-1].Time
		dst = binary.AppendVarint(dst, d-step)
		step = d
	}
	before := int64(0)
	for _, s := range run {
		if !ok {
			dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(s.Value))
			continue
		}
		m := Scaled(s.Value, scale)
		dst = binary.AppendVarint(dst, m-before)
		before = m
	}
	if quality {
		for _, s := range run {
			dst = append(dst, s.Quality)
		}
	}
	return dst
}

// Each checks the whole frame, then calls fn for each sample in order of series and time. It does not allocate
// per sample, and never panics whatever the bytes are.
func Each(frame []byte, fn func(Sample)) error {
	if _, err := walk(frame, nil); err != nil {
		return err
	}
	_, err := walk(frame, fn)
	return err
}

// Count checks the frame and says how many samples it holds.
func Count(frame []byte) (int, error) { return walk(frame, nil) }

// reader takes a frame apart; it remembers that something was wrong.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func walk(frame []byte, fn func(Sample)) (int, error) {
	if len(frame) > MaxBytes || len(frame) < 3 || frame[0] != magic || frame[1] != version {
		return 0, fmt.Errorf("%w: %d bytes that do not begin like a frame", ErrMalformed, len(frame))
	}
	r := reader{b: frame[2:]}
	runs := r.uvarint()
	if runs > MaxSamples {
		return 0, fmt.Errorf("%w: %d runs", ErrMalformed, runs)
	}
	total, series, first := 0, uint64(0), int64(0)
	for i := range runs {
		d := r.uvarint()
		count := r.uvarint()
		series += d
		if r.bad || d > math.MaxUint32 || series > math.MaxUint32 || i > 0 && d == 0 || count == 0 || count > uint64(MaxSamples-total) {
			return 0, fmt.Errorf("%w: run %d", ErrMalformed, i)
		}
		total += int(count)
		first = r.run(uint32(series), int(count), first, fn)
		if r.bad {
			return 0, fmt.Errorf("%w: run %d", ErrMalformed, i)
		}
	}
	if len(r.b) > 0 {
		return 0, fmt.Errorf("%w: %d bytes behind it", ErrMalformed, len(r.b))
	}
	return total, nil
}

// run reads one run. Columns lie behind each other, so it finds where each begins before it reads them side by side.
func (r *reader) run(series uint32, count int, first int64, fn func(Sample)) int64 {
	head := r.take(1)
	if r.bad {
		return 0
	}
	form := head[0]
	scale := int(form & formMask)
	times := reader{b: r.b}
	start := r.varint() + first
	for range count - 1 {
		r.varint()
	}
	values := reader{b: r.b}
	if scale == rawForm {
		r.take(8 * count)
	} else {
		for range count {
			r.varint()
		}
	}
	var quality []byte
	if form&hasQuality != 0 {
		quality = r.take(count)
	}
	if r.bad || form > formMask|hasQuality || fn == nil {
		r.bad = r.bad || form > formMask|hasQuality
		return start
	}
	s := Sample{Series: series, Time: first}
	step, m := int64(0), int64(0)
	for i := range count {
		if i == 0 {
			s.Time += times.varint()
		} else {
			step += times.varint()
			s.Time += step
		}
		if scale == rawForm {
			s.Value = math.Float64frombits(binary.BigEndian.Uint64(values.take(8)))
		} else {
			m += values.varint()
			s.Value = Unscaled(m, scale)
		}
		if quality != nil {
			s.Quality = quality[i]
		}
		fn(s)
	}
	return start
}
