package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"dusthub/schema/frame"
)

// part is a series' samples of one partition in memory, in order of time. 12 bytes a sample, 13 when a quality is not good.
type part struct {
	start   int64
	offsets []uint32 // ms since start
	values  []float64
	quality []uint8 // nil: all good
}

func (p *part) time(i int) int64 { return p.start + int64(p.offsets[i]) }

func (p *part) point(i int) Point {
	pt := Point{Time: p.time(i), Value: p.values[i]}
	if p.quality != nil {
		pt.Quality = p.quality[i]
	}
	return pt
}

// find is where a time is or would be.
func (p *part) find(offset uint32) (int, bool) {
	if n := len(p.offsets); n == 0 || p.offsets[n-1] < offset {
		return n, false
	}
	return slices.BinarySearch(p.offsets, offset)
}

func (p *part) insert(i int, offset uint32, v float64, q uint8) {
	if q != frame.Good && p.quality == nil {
		p.quality = make([]uint8, len(p.offsets), cap(p.offsets))
	}
	p.offsets = slices.Insert(p.offsets, i, offset)
	p.values = slices.Insert(p.values, i, v)
	if p.quality != nil {
		p.quality = slices.Insert(p.quality, i, q)
	}
}

// series is one series: its heads and its newest sample.
type series struct {
	id     seriesID
	count  uint64 // samples stored, in heads and chunks
	latest Point
	heads  []*part // by start; few
	dirty  bool    // changed since it was last kept
}

func (s *series) head(start int64) (*part, int) {
	i, ok := slices.BinarySearchFunc(s.heads, start, func(p *part, at int64) int { return compare(p.start, at) })
	if ok {
		return s.heads[i], i
	}
	return nil, i
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// seriesSet is all series of a store. The writer holds mu to change, readers to read.
type seriesSet struct {
	partition int64 // ms
	mu        sync.RWMutex
	byID      map[seriesID]*series
	counts    map[uint16]uint64 // samples by origin
	sealedTo  map[uint16]int64  // partitions that begin before are sealed, by origin
	last      *series           // of the sample before: runs of one series are common
}

func (t *seriesSet) init(partition int64) {
	t.partition = partition
	t.byID, t.counts, t.sealedTo = map[seriesID]*series{}, map[uint16]uint64{}, map[uint16]int64{}
}

// startOf is the start of the partition a time lies in.
func (t *seriesSet) startOf(ms int64) int64 {
	d := ms % t.partition
	if d < 0 {
		d += t.partition
	}
	return ms - d
}

func (t *seriesSet) get(id seriesID) *series {
	if t.last != nil && t.last.id == id {
		return t.last
	}
	s := t.byID[id]
	if s == nil {
		s = &series{id: id, latest: Point{Time: math.MinInt64}}
		t.byID[id] = s
	}
	t.last = s
	return s
}

// maxConflictsListed bounds the conflicts an Appended names.
const maxConflictsListed = 16

// Frame adds the samples of a frame to the heads of an origin's series.
func (b *Batch) Frame(origin string, raw []byte) (Appended, error) {
	n, err := b.originNumber(origin)
	if err != nil {
		return Appended{}, err
	}
	return b.s.frame(origin, n, raw)
}

// ReplayFrame adds the samples of a frame whose other effects are in the store already.
func (s *Store) ReplayFrame(origin string, raw []byte) error {
	s.mu.RLock()
	n, ok := s.origins[origin]
	s.mu.RUnlock()
	if !ok {
		return fmt.Errorf("replay frame: origin %q has no number", origin)
	}
	_, err := s.frame(origin, n, raw)
	return err
}

func (s *Store) frame(origin string, n uint16, raw []byte) (Appended, error) {
	t := &s.series
	var out Appended
	var failed error
	t.mu.Lock()
	defer t.mu.Unlock()
	err := frame.Each(raw, func(x frame.Sample) {
		if failed != nil {
			return
		}
		kept, stored, err := s.add(t.get(idOf(n, x.Series)), x)
		switch {
		case err != nil:
			failed = err
		case stored:
			out.Stored++
		case math.Float64bits(kept) == math.Float64bits(x.Value):
			out.Duplicates++
		default:
			out.Conflicted++
			if len(out.Conflicts) < maxConflictsListed {
				out.Conflicts = append(out.Conflicts, Conflict{Series: SeriesRef{origin, x.Series}, Time: x.Time, Kept: kept, Got: x.Value})
			}
		}
	})
	if err != nil {
		return out, fmt.Errorf("frame of %s: %w", origin, err)
	}
	if failed != nil {
		return out, fmt.Errorf("frame of %s: %w", origin, failed)
	}
	t.counts[n] += uint64(out.Stored)
	return out, nil
}

// add puts one sample into its head; when there is one at its time already, that one's value comes back.
func (s *Store) add(x *series, v frame.Sample) (kept float64, stored bool, err error) {
	t := &s.series
	start := t.startOf(v.Time)
	p, at := x.head(start)
	if p == nil {
		if start < t.sealedTo[x.id.origin()] {
			if p, err = s.thaw(x.id, start); err != nil {
				return 0, false, err
			}
		}
		if p == nil {
			p = &part{start: start}
		}
		x.heads = slices.Insert(x.heads, at, p)
	}
	offset := uint32(v.Time - start)
	i, there := p.find(offset)
	if there {
		return p.values[i], false, nil
	}
	p.insert(i, offset, v.Value, v.Quality)
	x.count++
	x.dirty = true
	if v.Time > x.latest.Time {
		x.latest = Point{v.Time, v.Value, v.Quality}
	}
	return 0, true, nil
}

// thaw brings a sealed chunk back into memory; nil when there is none.
func (s *Store) thaw(id seriesID, start int64) (*part, error) {
	v, ok, err := s.get(chunkKey(keyChunk, start, id))
	if err != nil || !ok {
		return nil, err
	}
	return decodeStored(v, start, s.series.partition)
}

// Latest is the newest sample of a series; false when it has none.
func (s *Store) Latest(ref SeriesRef) (Point, bool) {
	id, ok := s.id(ref)
	if !ok {
		return Point{}, false
	}
	s.series.mu.RLock()
	defer s.series.mu.RUnlock()
	x := s.series.byID[id]
	if x == nil || x.count == 0 {
		return Point{}, false
	}
	return x.latest, true
}

// SampleCount is how many samples of an origin are stored.
func (s *Store) SampleCount(origin string) uint64 {
	id, ok := s.id(SeriesRef{Origin: origin})
	if !ok {
		return 0
	}
	s.series.mu.RLock()
	defer s.series.mu.RUnlock()
	return s.series.counts[id.origin()]
}

// SeriesCount is how many samples of a series are stored.
func (s *Store) SeriesCount(ref SeriesRef) uint64 {
	id, ok := s.id(ref)
	if !ok {
		return 0
	}
	s.series.mu.RLock()
	defer s.series.mu.RUnlock()
	if x := s.series.byID[id]; x != nil {
		return x.count
	}
	return 0
}

func (s *Store) id(ref SeriesRef) (seriesID, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.origins[ref.Origin]
	return idOf(n, ref.Series), ok
}

// Points calls fn for each sample of a series with from <= time < to, in order.
func (s *Store) Points(ctx context.Context, ref SeriesRef, from, to int64, fn func(Point) error) error {
	id, ok := s.id(ref)
	if !ok || from >= to {
		return nil
	}
	parts, err := s.partsOf(ctx, id, from, to)
	if err != nil {
		return err
	}
	for _, p := range parts {
		for i := range p.offsets {
			if at := p.time(i); at >= from && at < to {
				if err := fn(p.point(i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// partsOf gathers copies of a series' samples by partition: heads from memory, the others from chunks. Heads are taken
// first: a partition that seals meanwhile is seen in its head.
func (s *Store) partsOf(ctx context.Context, id seriesID, from, to int64) ([]*part, error) {
	t := &s.series
	byStart := map[int64]*part{}
	t.mu.RLock()
	if x := t.byID[id]; x != nil {
		for _, p := range x.heads {
			if p.start < to && p.start+t.partition > from {
				byStart[p.start] = &part{start: p.start, offsets: slices.Clone(p.offsets), values: slices.Clone(p.values), quality: slices.Clone(p.quality)}
			}
		}
	}
	sealed := t.sealedTo[id.origin()]
	t.mu.RUnlock()
	starts, err := s.sealedStarts(id.origin(), t.startOf(from), min(to, sealed))
	if err != nil {
		return nil, err
	}
	for _, start := range starts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if byStart[start] != nil {
			continue
		}
		p, err := s.thaw(id, start)
		if err != nil {
			return nil, err
		}
		if p != nil {
			byStart[start] = p
		}
	}
	out := make([]*part, 0, len(byStart))
	for _, p := range byStart {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *part) int { return compare(a.start, b.start) })
	return out, nil
}

// sealedStarts lists the sealed partitions of an origin within [from, to).
func (s *Store) sealedStarts(origin uint16, from, to int64) ([]int64, error) {
	var out []int64
	if from >= to {
		return nil, nil
	}
	err := s.scan(partitionKey(origin, from), partitionKey(origin, to), func(k, _ []byte) error {
		start, _, err := cutInt(k[3:])
		out = append(out, start)
		return err
	})
	return out, err
}

// keepSeries writes every series that changed since it was last kept.
func (b *Batch) keepSeries() error {
	t := &b.s.series
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := make([]seriesID, 0, len(t.byID))
	for id, x := range t.byID {
		if x.dirty {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var v []byte
	for _, id := range ids {
		x := t.byID[id]
		v = binary.AppendUvarint(v[:0], x.count)
		v = binary.AppendVarint(v, x.latest.Time)
		v = binary.BigEndian.AppendUint64(v, math.Float64bits(x.latest.Value))
		v = append(v, x.latest.Quality)
		v = binary.AppendUvarint(v, uint64(len(x.heads)))
		for _, p := range x.heads {
			chunk := appendChunk(nil, p)
			v = binary.AppendVarint(v, p.start)
			v = binary.AppendUvarint(v, uint64(len(chunk)))
			v = append(v, chunk...)
		}
		if err := b.set(seriesKey(id), v); err != nil {
			return err
		}
		x.dirty = false
	}
	return nil
}

// loadSeries reads what keepSeries wrote, and how far each origin is sealed.
func (s *Store) loadSeries() error {
	t := &s.series
	if err := s.scanPrefix([]byte{keySeries}, func(k, v []byte) error {
		id := seriesID(binary.BigEndian.Uint64(k[1:]))
		x, err := decodeSeries(id, v, t.partition)
		if err != nil {
			return err
		}
		t.byID[id] = x
		t.counts[id.origin()] += x.count
		return nil
	}); err != nil {
		return err
	}
	return s.scanPrefix([]byte{keyPartition}, func(k, _ []byte) error {
		origin := binary.BigEndian.Uint16(k[1:])
		start, _, err := cutInt(k[3:])
		t.sealedTo[origin] = max(t.sealedTo[origin], start+t.partition)
		return err
	})
}

func decodeSeries(id seriesID, v []byte, partition int64) (*series, error) {
	c := cursor{b: v}
	x := &series{id: id, count: c.uvarint()}
	x.latest.Time = c.varint()
	if b := c.take(9); !c.bad {
		x.latest.Value, x.latest.Quality = math.Float64frombits(binary.BigEndian.Uint64(b)), b[8]
	}
	for range c.uvarint() {
		start := c.varint()
		raw := c.take(int(c.uvarint()))
		if c.bad {
			break
		}
		p, err := decodeChunk(raw, start, partition)
		if err != nil {
			return nil, fmt.Errorf("stored head of series %d: %w", id, err)
		}
		x.heads = append(x.heads, p)
	}
	if c.bad {
		return nil, fmt.Errorf("stored head of series %d: %w", id, errChunk)
	}
	return x, nil
}
