package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"dusthub/crypto/chain"
	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2"
	"github.com/emmansun/gmsm/sm3"
)

// root is what is known of a sealed partition of an origin: computed here, and as its owner says.
type root struct {
	computed chain.Digest
	said     chain.Digest // zero: the owner has not said
	series   uint32
	samples  uint64
	revision uint32
	at       int64 // ms of the command that sealed it last
}

const rootBytes = 2*chain.Size + 4 + 8 + 4 + 8

func (r root) encode() []byte {
	v := append(append([]byte(nil), r.computed[:]...), r.said[:]...)
	v = binary.BigEndian.AppendUint32(v, r.series)
	v = appendUint(v, r.samples)
	v = binary.BigEndian.AppendUint32(v, r.revision)
	return appendUint(v, uint64(r.at))
}

func decodeRoot(v []byte) (root, error) {
	if len(v) != rootBytes {
		return root{}, errors.New("store: malformed partition root")
	}
	r := root{computed: chain.Digest(v[:32]), said: chain.Digest(v[32:64])}
	v = v[64:]
	r.series, r.samples, r.revision, r.at = binary.BigEndian.Uint32(v), binary.BigEndian.Uint64(v[4:]), binary.BigEndian.Uint32(v[12:]), int64(binary.BigEndian.Uint64(v[16:]))
	return r, nil
}

// storedChunk is a chunk with its digest in front.
func storedChunk(chunk []byte) []byte {
	d := sm3.Sum(chunk)
	return append(d[:], chunk...)
}

func decodeStored(v []byte, start, length int64) (*part, error) {
	if len(v) < chain.Size {
		return nil, errChunk
	}
	return decodeChunk(v[chain.Size:], start, length)
}

// SealBefore seals the partitions of this site that end before a time: one chunk a series, the digest over all. It
// returns their records, oldest first. A partition that was sealed before and has late samples gets a new revision.
// The caller makes it part of a Checkpoint.
func (b *Batch) SealBefore(ms int64) ([]*schema.Partition, error) {
	n, err := b.originNumber(b.s.opt.Site)
	if err != nil {
		return nil, err
	}
	var out []*schema.Partition
	for _, start := range b.s.headStarts(n, ms) {
		r, err := b.seal(n, start)
		if err != nil {
			return nil, err
		}
		out = append(out, &schema.Partition{
			Id: fmt.Sprintf("%013d", start), Start: start, End: start + b.s.series.partition, Series: r.series, Samples: r.samples, Root: r.computed[:], Revision: r.revision,
		})
	}
	return out, nil
}

// HasSealable says whether SealBefore would find anything.
func (s *Store) HasSealable(ms int64) bool {
	id, ok := s.id(SeriesRef{Origin: s.opt.Site})
	return ok && len(s.headStarts(id.origin(), ms)) > 0
}

// headStarts lists the partitions of an origin that have heads and end at or before a time.
func (s *Store) headStarts(origin uint16, ms int64) []int64 {
	t := &s.series
	t.mu.RLock()
	defer t.mu.RUnlock()
	found := map[int64]bool{}
	for id, x := range t.byID {
		if id.origin() != origin {
			continue
		}
		for _, p := range x.heads {
			if p.start+t.partition <= ms {
				found[p.start] = true
			}
		}
	}
	out := make([]int64, 0, len(found))
	for start := range found {
		out = append(out, start)
	}
	slices.Sort(out)
	return out
}

// SealForeign seals a partition of another site here, as its owner has, and compares the roots: true when they are equal.
func (b *Batch) SealForeign(origin string, p *schema.Partition) (bool, error) {
	n, err := b.originNumber(origin)
	if err != nil {
		return false, err
	}
	if len(p.GetRoot()) != chain.Size || p.GetStart() != b.s.series.startOf(p.GetStart()) {
		return false, fmt.Errorf("partition %s of %s: of another length than here, or no root", p.GetId(), origin)
	}
	if err := b.setRoot(n, p.GetStart(), func(r *root) { r.said = chain.Digest(p.GetRoot()) }); err != nil {
		return false, err
	}
	r, err := b.seal(n, p.GetStart())
	return err == nil && r.computed == r.said, err
}

// ResealForeign seals the partitions of other sites that got samples after they were sealed; true when there were any.
func (b *Batch) ResealForeign() (bool, error) {
	own, err := b.originNumber(b.s.opt.Site)
	if err != nil {
		return false, err
	}
	any := false
	for i := range b.s.Origins() {
		n := uint16(i)
		if n == own {
			continue
		}
		b.s.series.mu.RLock()
		to := b.s.series.sealedTo[n]
		b.s.series.mu.RUnlock()
		for _, start := range b.s.headStarts(n, to) {
			if _, err := b.seal(n, start); err != nil {
				return any, err
			}
			any = true
		}
	}
	return any, nil
}

// setRoot changes what is known of a partition.
func (b *Batch) setRoot(origin uint16, start int64, change func(*root)) error {
	v, ok, err := getFrom(b.b, partitionKey(origin, start))
	if err != nil {
		return err
	}
	var r root
	if ok {
		if r, err = decodeRoot(v); err != nil {
			return err
		}
	}
	change(&r)
	return b.set(partitionKey(origin, start), r.encode())
}

// seal writes the chunks of a partition's heads, drops the heads, and computes the root over all chunks of the partition.
func (b *Batch) seal(origin uint16, start int64) (root, error) {
	t := &b.s.series
	t.mu.Lock()
	for id, x := range t.byID {
		if id.origin() != origin {
			continue
		}
		p, at := x.head(start)
		if p == nil {
			continue
		}
		if err := b.putChunk(id, p); err != nil {
			t.mu.Unlock()
			return root{}, err
		}
		x.heads = slices.Delete(x.heads, at, at+1)
		x.dirty = true
	}
	t.sealedTo[origin] = max(t.sealedTo[origin], start+t.partition)
	t.mu.Unlock()
	var r root
	leaves, samples, err := b.leaves(origin, start)
	if err != nil {
		return r, err
	}
	err = b.setRoot(origin, start, func(known *root) {
		known.computed, known.series, known.samples, known.at = merkle(leaves), uint32(len(leaves)), samples, b.now
		known.revision++
		r = *known
	})
	return r, err
}

func (b *Batch) putChunk(id seriesID, p *part) error {
	if err := b.set(chunkKey(keyChunk, p.start, id), storedChunk(appendChunk(nil, p))); err != nil {
		return err
	}
	return b.set(chunkKey(keyRollup, p.start, id), appendRollup(nil, p))
}

// leaves are the leaf digests of a partition of an origin, in order of series, and how many samples they cover.
func (b *Batch) leaves(origin uint16, start int64) ([]chain.Digest, uint64, error) {
	from := chunkKey(keyChunk, start, idOf(origin, 0))
	it, err := b.b.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: after(from[:len(from)-4])})
	if err != nil {
		return nil, 0, fmt.Errorf("read chunks: %w", err)
	}
	var out []chain.Digest
	samples := uint64(0)
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil && len(v) < chain.Size+2 {
			err = errChunk
		}
		if err == nil {
			k := it.Key()
			out = append(out, leaf(binary.BigEndian.Uint32(k[len(k)-4:]), chain.Digest(v[:chain.Size])))
			n, _ := binary.Uvarint(v[chain.Size+2:])
			samples += n
		}
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, 0, fmt.Errorf("read chunks: %w", err)
	}
	return out, samples, nil
}

func leaf(series uint32, digest chain.Digest) chain.Digest {
	b := binary.BigEndian.AppendUint32([]byte{0}, series)
	return sm3.Sum(append(b, digest[:]...))
}

// merkle is the root over leaves; the digest of nothing when there are none.
func merkle(level []chain.Digest) chain.Digest {
	if len(level) == 0 {
		return sm3.Sum(nil)
	}
	for len(level) > 1 {
		next := level[:0:0]
		for i := 0; i < len(level); i += 2 {
			if i+1 == len(level) {
				next = append(next, level[i])
				continue
			}
			b := append([]byte{1}, level[i][:]...)
			next = append(next, sm3.Sum(append(b, level[i+1][:]...)))
		}
		level = next
	}
	return level[0]
}

// Sealed takes sealed chunks of another site's partition in place of what is here: the owner is right about its own samples.
// The caller makes it part of a Checkpoint.
func (b *Batch) Sealed(origin string, start int64, list []*schema.SealedSeries) error {
	n, err := b.originNumber(origin)
	if err != nil {
		return err
	}
	t := &b.s.series
	for _, c := range list {
		p, err := decodeChunk(c.GetChunk(), start, t.partition)
		if err != nil {
			return fmt.Errorf("sealed series %d of %s: %w", c.GetSeries(), origin, err)
		}
		if err := b.replace(idOf(n, c.GetSeries()), p, c.GetChunk()); err != nil {
			return err
		}
	}
	_, err = b.seal(n, start)
	return err
}

func (b *Batch) replace(id seriesID, p *part, chunk []byte) error {
	t := &b.s.series
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.get(id)
	before := 0
	if head, at := x.head(p.start); head != nil {
		before = len(head.offsets)
		x.heads = slices.Delete(x.heads, at, at+1)
	} else if old, err := b.s.thaw(id, p.start); err != nil {
		return err
	} else if old != nil {
		before = len(old.offsets)
	}
	x.count += uint64(len(p.offsets)) - uint64(before)
	t.counts[id.origin()] += uint64(len(p.offsets)) - uint64(before)
	if last := p.point(len(p.offsets) - 1); last.Time > x.latest.Time {
		x.latest = last
	}
	x.dirty = true
	if err := b.set(chunkKey(keyChunk, p.start, id), storedChunk(chunk)); err != nil {
		return err
	}
	return b.set(chunkKey(keyRollup, p.start, id), appendRollup(nil, p))
}

// Checkpoint keeps heads as of this command, so that the log before it is not needed to rebuild them.
func (b *Batch) Checkpoint() error {
	if err := b.keepSeries(); err != nil {
		return err
	}
	b.marksH = true
	return b.setMeta(metaHeads, b.index)
}

// PartitionState is a sealed partition as this site sees it.
type PartitionState struct {
	Origin   string
	Start    int64
	Series   uint32
	Samples  uint64
	Revision uint32
	Computed chain.Digest
	Said     chain.Digest // zero for this site's own, and while the owner has not said
	SealedAt int64        // ms
}

// Mismatch says whether the owner's root is known and another.
func (p PartitionState) Mismatch() bool { return p.Said != (chain.Digest{}) && p.Said != p.Computed }

// Partitions lists the sealed partitions of an origin, oldest first, from a time on.
func (s *Store) Partitions(origin string, from int64) ([]PartitionState, error) {
	id, ok := s.id(SeriesRef{Origin: origin})
	if !ok {
		return nil, nil
	}
	var out []PartitionState
	prefix := binary.BigEndian.AppendUint16([]byte{keyPartition}, id.origin())
	err := s.scan(partitionKey(id.origin(), from), after(prefix), func(k, v []byte) error {
		start, _, err := cutInt(k[3:])
		if err != nil {
			return err
		}
		r, err := decodeRoot(v)
		if err != nil {
			return err
		}
		out = append(out, PartitionState{Origin: origin, Start: start, Series: r.series, Samples: r.samples, Revision: r.revision, Computed: r.computed, Said: r.said, SealedAt: r.at})
		return nil
	})
	return out, err
}

// Chunks calls fn for the sealed chunks of a partition of an origin, in order of series; fn must copy what it keeps.
func (s *Store) Chunks(origin string, start int64, fn func(series uint32, digest chain.Digest, chunk []byte) error) error {
	id, ok := s.id(SeriesRef{Origin: origin})
	if !ok {
		return nil
	}
	from := chunkKey(keyChunk, start, idOf(id.origin(), 0))
	return s.scan(from, after(from[:len(from)-4]), func(k, v []byte) error {
		if len(v) < chain.Size {
			return errChunk
		}
		return fn(binary.BigEndian.Uint32(k[len(k)-4:]), chain.Digest(v[:chain.Size]), v[chain.Size:])
	})
}

// DropBefore gives up the chunks and rollups of partitions that end before a time (retention).
func (b *Batch) DropBefore(ms int64) error {
	to := b.s.series.startOf(ms)
	for _, kind := range []byte{keyChunk, keyRollup} {
		if err := b.b.DeleteRange([]byte{kind}, appendInt([]byte{kind}, to), nil); err != nil {
			return fmt.Errorf("drop old partitions: %w", err)
		}
	}
	return nil
}

// CheckChunk says whether Sealed would take a chunk for the partition that begins at start.
func (s *Store) CheckChunk(chunk []byte, start int64) error {
	if start != s.series.startOf(start) {
		return fmt.Errorf("partition %d: of another length than here", start)
	}
	_, err := decodeChunk(chunk, start, s.series.partition)
	return err
}
