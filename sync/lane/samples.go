package lane

import (
	"bytes"
	"context"
	"fmt"

	"dusthub/crypto/chain"
	"dusthub/node/store"
	"dusthub/schema"
)

// Log is a site's raft log, as far as it holds frames.
type Log interface {
	// Frames calls fn for the committed frame commands from an index on until maxBytes are passed, and returns the index to go on from.
	Frames(from uint64, maxBytes int, fn func(index uint64, frame []byte) error) (next uint64, err error)
}

// Frames reads the next frames of this site's own series from its raft log; nil when there are none up to next.
func Frames(log Log, origin string, epoch, from uint64) (in *schema.Inbound, next uint64, err error) {
	in = &schema.Inbound{Origin: origin, Epoch: epoch, Lane: Live}
	next, err = log.Frames(from, MaxBytes, func(index uint64, frame []byte) error {
		in.Frames = append(in.Frames, &schema.LiveFrame{Index: index, Frame: bytes.Clone(frame)})
		return nil
	})
	if err != nil {
		return nil, next, fmt.Errorf("read frames from %d: %w", from, err)
	}
	if len(in.GetFrames()) == 0 {
		return nil, next, nil
	}
	in.First, in.Last = in.GetFrames()[0].GetIndex(), next-1
	return in, next, nil
}

// Sealed answers a Want: the digests of all series of a partition when none are named, else the chunks of those named,
// in pieces; the last piece is marked. False when the partition is not here.
func Sealed(ctx context.Context, s *store.Store, epoch uint64, want Want, send func(*schema.Inbound) error) (bool, error) {
	p := pieces{ctx: ctx, send: send, next: func() *schema.Inbound {
		return &schema.Inbound{Origin: want.Origin, Epoch: epoch, Lane: Backfill, Partition: want.Partition}
	}}
	named := map[uint32]bool{}
	for _, n := range want.Series {
		named[n] = true
	}
	found := false
	err := s.Chunks(want.Origin, want.Partition, func(series uint32, digest chain.Digest, chunk []byte) error {
		found = true
		switch {
		case len(named) == 0:
			return p.add(&schema.SealedSeries{Series: series, Digest: digest[:]}, chain.Size+8)
		case named[series]:
			return p.add(&schema.SealedSeries{Series: series, Chunk: bytes.Clone(chunk)}, len(chunk)+8)
		}
		return ctx.Err()
	})
	if err != nil {
		return found, fmt.Errorf("read partition %d of %s: %w", want.Partition, want.Origin, err)
	}
	if !found {
		return false, nil
	}
	return true, p.end()
}

// Want is what a parent asks of a partition.
type Want struct {
	Origin    string
	Partition int64
	Series    []uint32 // none: the digests of all
}

// pieces gathers sealed series into batches.
type pieces struct {
	ctx  context.Context
	send func(*schema.Inbound) error
	next func() *schema.Inbound
	in   *schema.Inbound
	size int
}

func (p *pieces) add(x *schema.SealedSeries, size int) error {
	if p.in != nil && (p.size+size > MaxBytes || len(p.in.GetSealed()) >= MaxItems) {
		if err := p.flush(0); err != nil {
			return err
		}
	}
	if p.in == nil {
		p.in, p.size = p.next(), 0
	}
	p.in.Sealed = append(p.in.Sealed, x)
	p.size += size
	return p.ctx.Err()
}

func (p *pieces) flush(last uint64) error {
	in := p.in
	p.in = nil
	in.Last = last
	return p.send(in)
}

// end sends the last piece; it may be empty, when none of the series named is here.
func (p *pieces) end() error {
	if p.in == nil {
		p.in = p.next()
	}
	return p.flush(1)
}

// Differing compares digests of an owner's chunks of a partition with those here and lists the series to be asked for.
func Differing(s *store.Store, origin string, partition int64, theirs []*schema.SealedSeries) ([]uint32, error) {
	ours := map[uint32]chain.Digest{}
	if err := s.Chunks(origin, partition, func(series uint32, digest chain.Digest, _ []byte) error {
		ours[series] = digest
		return nil
	}); err != nil {
		return nil, fmt.Errorf("compare partition %d of %s: %w", partition, origin, err)
	}
	var out []uint32
	for _, x := range theirs {
		if d, ok := ours[x.GetSeries()]; !ok || !bytes.Equal(d[:], x.GetDigest()) {
			out = append(out, x.GetSeries())
		}
	}
	return out, nil
}

// Content answers a WantAttachment: the pieces of an attachment's content, in order. False when it is not (wholly) here.
func Content(ctx context.Context, s *store.Store, origin string, epoch uint64, id string, send func(*schema.Inbound) error) (bool, error) {
	ok, err := s.Blob(id, func(piece uint32, data []byte, last bool) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return send(&schema.Inbound{Origin: origin, Epoch: epoch, Lane: Attachments, Blob: &schema.Blob{Id: id, Piece: piece, Data: data, Last: last}})
	})
	if err != nil {
		return ok, fmt.Errorf("read attachment %s: %w", id, err)
	}
	return ok, nil
}
