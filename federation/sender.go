package federation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dusthub/crypto/chain"
	"dusthub/node/replica"
	"dusthub/schema"
	"dusthub/sync/border"
	"dusthub/sync/lane"
)

// gather is how long the live lane waits for more frames once there are some: fewer, larger batches at the parent.
const gather = 20 * time.Millisecond

// held finds the position of a lane among those that a peer told.
func held(positions []*schema.Position, origin, name string) *schema.Position {
	for _, p := range positions {
		if p.GetOrigin() == origin && p.GetLane() == name {
			return p
		}
	}
	return &schema.Position{Origin: origin, Lane: name}
}

// sendLedger sends an origin's ledger as it grows, from behind what the peer holds.
func (l *link) sendLedger(ctx context.Context, origin string, from *schema.Position, see lane.View) error {
	at, err := l.resume(ctx, origin, from)
	if err != nil {
		return err
	}
	applied := uint64(0)
	for {
		if h, ok := l.store.Head(origin); ok && h.Epoch > at.Epoch { // the origin has begun anew
			at = lane.Cursor{Epoch: h.Epoch}
		}
		in, err := lane.Ledger(ctx, l.store, origin, &at, see)
		if err != nil {
			return err
		}
		if in != nil {
			if err = l.ship(ctx, in); err != nil {
				return err
			}
			continue
		}
		if applied, err = l.opt.Site.Hub().Wait(ctx, applied); err != nil {
			return context.Cause(ctx)
		}
	}
}

// resume is where the peer stands in an origin's ledger. What it holds must be what is here: if this site lost the end of
// its ledger and went on, the two have parted, and no one but an operator can mend that.
func (l *link) resume(ctx context.Context, origin string, from *schema.Position) (lane.Cursor, error) {
	for applied := uint64(0); ; {
		h, ok := l.store.Head(origin)
		switch {
		case ok && h.Epoch != from.GetEpoch():
			return lane.Cursor{Epoch: h.Epoch}, nil
		case ok && h.Seq >= from.GetSeq():
			d, err := border.DigestAt(ctx, l.store, origin, h.Epoch, from.GetSeq())
			if err != nil {
				return lane.Cursor{}, err
			}
			if from.GetSeq() > 0 && d != chain.Digest(from.GetDigest()) {
				return lane.Cursor{}, fmt.Errorf("%w: entry %d of %s is another at %s", errFork, from.GetSeq(), origin, l.peer.Site)
			}
			return lane.Cursor{Epoch: h.Epoch, Seq: from.GetSeq(), Signed: from.GetCheckpoint()}, nil
		case from.GetSeq() > 0 && applied > 0:
			l.log.Debug("peer holds more of a ledger than this replica", "origin", origin, "there", from.GetSeq(), "here", h.Seq)
		}
		var err error
		if applied, err = l.opt.Site.Hub().Wait(ctx, applied); err != nil {
			return lane.Cursor{}, context.Cause(ctx)
		}
	}
}

// sendFrames sends the frames of this site's own series as they enter, from behind what the peer holds.
func (l *link) sendFrames(ctx context.Context, from *schema.Position) error {
	epoch, next := l.store.Epoch(), from.GetSeq()+1
	if from.GetEpoch() != epoch {
		next = 1
	}
	applied := uint64(0)
	for {
		in, n, err := lane.Frames(l.opt.Site, l.self, epoch, next)
		if errors.Is(err, replica.ErrTruncated) {
			next = l.oldest(next)
			continue
		}
		if err != nil {
			return err
		}
		next = n
		if in != nil {
			l.mu.Lock()
			l.live = in.GetLast()
			l.mu.Unlock()
			if err = l.ship(ctx, in); err != nil {
				return err
			}
			continue
		}
		if applied, err = l.opt.Site.Hub().Wait(ctx, max(applied, next-1)); err != nil {
			return context.Cause(ctx)
		}
		select {
		case <-time.After(gather):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// oldest is the oldest index the log still has, above one that it has no longer. What lies between goes up as sealed partitions.
func (l *link) oldest(gone uint64) uint64 {
	lo, hi := gone, l.store.Applied()+1 // lo is gone, hi is there or not yet
	for lo+1 < hi {
		mid := lo + (hi-lo)/2
		_, err := l.opt.Site.Frames(mid, 1, func(uint64, []byte) error { return nil })
		if errors.Is(err, replica.ErrTruncated) {
			lo = mid
		} else {
			hi = mid
		}
	}
	l.log.Info("live lane falls behind the log, the gap goes up with sealed partitions", "from", gone, "to", hi)
	l.metrics.skipped(l.peer.Site, hi-gone)
	return hi
}
