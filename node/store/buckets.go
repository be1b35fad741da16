package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Rollups of a chunk: buckets of one minute and of one hour, kept beside it, so that a long chart reads little. Minutes are
// left out when there would be about as many as samples.
const (
	minuteMs = 60_000
	hourMs   = 3_600_000

	rollupVersion = 1
	bucketBytes   = 8 + 4 + 4*8
	maxBuckets    = 20_000
)

// ErrRange says that a range query asks for more than is given at once.
var ErrRange = errors.New("store: range too large")

func (b *Bucket) add(p Point) {
	if b.Count == 0 {
		b.Min, b.Max = p.Value, p.Value
	}
	b.Count++
	b.Min, b.Max = math.Min(b.Min, p.Value), math.Max(b.Max, p.Value)
	b.Sum += p.Value
	b.Last = p.Value
}

func (b *Bucket) merge(c Bucket) {
	if b.Count == 0 {
		b.Min, b.Max = c.Min, c.Max
	}
	b.Count += c.Count
	b.Min, b.Max = math.Min(b.Min, c.Min), math.Max(b.Max, c.Max)
	b.Sum += c.Sum
	b.Last = c.Last
}

func floor(t, step int64) int64 {
	d := t % step
	if d < 0 {
		d += step
	}
	return t - d
}

func (p *part) rollup(step int64) []Bucket {
	var out []Bucket
	for i := range p.offsets {
		at := floor(p.time(i), step)
		if n := len(out); n == 0 || out[n-1].Start != at {
			out = append(out, Bucket{Start: at})
		}
		out[len(out)-1].add(p.point(i))
	}
	return out
}

func appendRollup(dst []byte, p *part) []byte {
	hours, minutes := p.rollup(hourMs), p.rollup(minuteMs)
	if 2*len(minutes) > len(p.offsets) {
		minutes = nil
	}
	dst = append(dst, rollupVersion)
	for _, list := range [][]Bucket{hours, minutes} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, b := range list {
			dst = appendInt(dst, b.Start)
			dst = binary.BigEndian.AppendUint32(dst, uint32(b.Count))
			for _, v := range []float64{b.Min, b.Max, b.Sum, b.Last} {
				dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
			}
		}
	}
	return dst
}

// decodeRollup reads the hours or the minutes; false when they were left out.
func decodeRollup(v []byte, minutes bool) ([]Bucket, bool, error) {
	c := cursor{b: v}
	if head := c.take(1); c.bad || head[0] != rollupVersion {
		return nil, false, errChunk
	}
	n := int(c.uvarint())
	raw := c.take(n * bucketBytes)
	if minutes {
		n = int(c.uvarint())
		raw = c.take(n * bucketBytes)
	}
	if c.bad {
		return nil, false, errChunk
	}
	out := make([]Bucket, n)
	for i := range out {
		b := raw[i*bucketBytes:]
		start, b, err := cutInt(b)
		if err != nil {
			return nil, false, err
		}
		f := func(i int) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b[4+8*i:])) }
		out[i] = Bucket{Start: start, Count: uint64(binary.BigEndian.Uint32(b)), Min: f(0), Max: f(1), Sum: f(2), Last: f(3)}
	}
	return out, n > 0, nil
}

// Buckets sums a series up in steps: [from, to) rounded outward to whole steps. Empty steps are left out. Errors: ErrRange.
func (s *Store) Buckets(ctx context.Context, ref SeriesRef, from, to, stepMs int64) ([]Bucket, error) {
	if stepMs <= 0 || to < from || (to-from)/stepMs > maxBuckets {
		return nil, fmt.Errorf("%w: more than %d steps", ErrRange, maxBuckets)
	}
	from, to = floor(from, stepMs), floor(to+stepMs-1, stepMs)
	id, ok := s.id(ref)
	if !ok {
		return nil, nil
	}
	var out []Bucket
	add := func(b Bucket) {
		b.Start = floor(b.Start, stepMs)
		if n := len(out); n > 0 && out[n-1].Start == b.Start {
			out[n-1].merge(b)
		} else {
			out = append(out, b)
		}
	}
	t := &s.series
	for _, span := range s.spans(id, from, to) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		whole := span >= from && span+t.partition <= to
		if whole {
			done, err := s.addRollup(id, span, stepMs, add)
			if err != nil {
				return nil, err
			}
			if done {
				continue
			}
		}
		if err := s.Points(ctx, ref, max(from, span), min(to, span+t.partition), func(p Point) error {
			b := Bucket{Start: p.Time}
			b.add(p)
			add(b)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// spans lists the partitions within a range in which the series may have samples, in order.
func (s *Store) spans(id seriesID, from, to int64) []int64 {
	t := &s.series
	found := map[int64]bool{}
	t.mu.RLock()
	if x := t.byID[id]; x != nil {
		for _, p := range x.heads {
			found[p.start] = true
		}
	}
	t.mu.RUnlock()
	sealed, err := s.sealedStarts(id.origin(), t.startOf(from), to)
	if err != nil {
		return nil
	}
	for _, start := range sealed {
		found[start] = true
	}
	var out []int64
	for start := range found {
		if start < to && start+t.partition > from {
			out = append(out, start)
		}
	}
	slices.Sort(out)
	return out
}

// addRollup adds a partition from its rollups when it is sealed, has no head, and the step is made of whole minutes or hours.
func (s *Store) addRollup(id seriesID, start, step int64, add func(Bucket)) (bool, error) {
	if step%minuteMs != 0 {
		return false, nil
	}
	t := &s.series
	t.mu.RLock()
	thawed := false
	if x := t.byID[id]; x != nil {
		p, _ := x.head(start)
		thawed = p != nil
	}
	t.mu.RUnlock()
	if thawed {
		return false, nil
	}
	v, ok, err := s.get(chunkKey(keyRollup, start, id))
	if err != nil || !ok {
		return false, err
	}
	list, ok, err := decodeRollup(v, step%hourMs != 0)
	if err != nil || !ok {
		return false, err
	}
	for _, b := range list {
		add(b)
	}
	return true, nil
}
