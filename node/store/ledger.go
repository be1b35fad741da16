package store

import (
	"context"
	"errors"
	"fmt"

	"dusthub/crypto/chain"
	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2"
	"github.com/emmansun/gmsm/sm3"
	"google.golang.org/protobuf/proto"
)

// errStop ends a scan without an error.
var errStop = errors.New("stop")

// Ledger calls fn for up to limit items of a ledger from a sequence number on, in order.
func (s *Store) Ledger(ctx context.Context, origin string, epoch, from uint64, limit int, fn func(seq uint64, item *schema.Item) error) error {
	seq, left := from, limit
	prefix := appendUint(appendString([]byte{keyItem}, origin), epoch)
	err := s.scan(itemKey(origin, epoch, from), after(prefix), func(_, v []byte) error {
		if left == 0 {
			return errStop
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		item := &schema.Item{}
		if err := proto.Unmarshal(v, item); err != nil {
			return fmt.Errorf("stored ledger item %s %d: %w", origin, seq, err)
		}
		if err := fn(seq, item); err != nil {
			return err
		}
		seq++
		left--
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// DigestRange is SM3 over the concatenated entry digests of a range of a ledger, both ends included.
func (s *Store) DigestRange(ctx context.Context, origin string, epoch, from, to uint64) (chain.Digest, error) {
	h := sm3.New()
	if to < from {
		return chain.Digest(h.Sum(nil)), nil
	}
	err := s.Ledger(ctx, origin, epoch, from, int(to-from+1), func(_ uint64, item *schema.Item) error {
		d, err := ItemDigest(item)
		h.Write(d[:])
		return err
	})
	return chain.Digest(h.Sum(nil)), err
}

// ChainAt recomputes a ledger's chain from its beginning up to seq.
func (s *Store) ChainAt(ctx context.Context, origin string, epoch, seq uint64) (chain.Digest, error) {
	d := chain.Genesis(origin, epoch)
	next := uint64(1)
	err := s.Ledger(ctx, origin, epoch, 1, int(seq), func(_ uint64, item *schema.Item) error {
		e, err := ItemDigest(item)
		d = chain.Next(d, e)
		next++
		return err
	})
	if err == nil && next != seq+1 {
		err = fmt.Errorf("%w: ledger of %s ends at %d, wanted %d", ErrGap, origin, next-1, seq)
	}
	return d, err
}

// Signed is the newest signed checkpoint of a ledger up to a sequence number (0: of all).
func (s *Store) Signed(origin string, epoch, upTo uint64) (*schema.Checkpoint, bool, error) {
	prefix := appendUint(appendString([]byte{keySigned}, origin), epoch)
	to := after(prefix)
	if upTo != 0 {
		to = signedKey(origin, epoch, upTo+1)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: to})
	if err != nil {
		return nil, false, fmt.Errorf("read checkpoints: %w", err)
	}
	var c *schema.Checkpoint
	if it.Last() {
		c, err = signedAt(it)
	}
	if err := errors.Join(err, it.Close()); err != nil {
		return nil, false, fmt.Errorf("read checkpoint: %w", err)
	}
	return c, c != nil, nil
}

func signedAt(it *pebble.Iterator) (*schema.Checkpoint, error) {
	v, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	c := &schema.Checkpoint{}
	return c, proto.Unmarshal(v, c)
}

// Position is how far a lane has been taken in.
func (s *Store) Position(from, origin, lane string) (*schema.Position, bool, error) {
	return positionFrom(s.db, positionKey(from, origin, lane))
}

// Positions are all positions of one neighbour.
func (s *Store) Positions(from string) ([]*schema.Position, error) {
	var out []*schema.Position
	err := s.scanPrefix(appendString([]byte{keyPosition}, from), func(_, v []byte) error {
		p := &schema.Position{}
		if err := proto.Unmarshal(v, p); err != nil {
			return fmt.Errorf("stored position: %w", err)
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

// HasBlob says whether the whole content of an attachment is here.
func (s *Store) HasBlob(id string) (bool, error) {
	_, ok, err := s.get(appendString([]byte{keyBlobDone}, id))
	return ok, err
}

// Blob calls fn for each piece of an attachment's content, in order; false when it is not (wholly) here.
func (s *Store) Blob(id string, fn func(piece uint32, data []byte, last bool) error) (bool, error) {
	done, ok, err := s.get(appendString([]byte{keyBlobDone}, id))
	if err != nil || !ok || len(done) != 8 {
		return false, err
	}
	pieces := uint32(done[7]) | uint32(done[6])<<8 | uint32(done[5])<<16
	for p := range pieces {
		v, ok, err := s.get(blobKey(id, p))
		if err != nil || !ok {
			return false, err
		}
		if err := fn(p, v, p+1 == pieces); err != nil {
			return false, err
		}
	}
	return true, nil
}
