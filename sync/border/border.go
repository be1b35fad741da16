// Package border judges what a neighbour sent before any of it is proposed. It checks what holds for whole batches: whose
// data it is, that it follows on what is held, that the chain reaches the signed checkpoint, that sizes are kept. What a
// single record says is judged later by the machine, which quarantines it without holding up the lane.
package border

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/pki"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"
	"dusthub/sync/lane"
)

// Errors a caller decides on. After any of them the stream is closed and nothing of the batch has been taken.
var (
	// ErrOrigin says that the neighbour may not speak for that origin.
	ErrOrigin = errors.New("border: origin not allowed")
	// ErrEpoch says that a batch belongs to an older life of its origin than the one held.
	ErrEpoch = errors.New("border: epoch is over")
	// ErrGap says that a batch does not follow on what is held.
	ErrGap = errors.New("border: batch leaves a gap")
	// ErrCheckpoint says that a signed checkpoint does not fit the ledger, or is not signed by its origin.
	ErrCheckpoint = errors.New("border: checkpoint does not verify")
	// ErrSize says that a batch is larger than the protocol allows.
	ErrSize = errors.New("border: batch too large")
	// ErrMalformed says that a batch is not what its lane carries.
	ErrMalformed = errors.New("border: malformed batch")
)

// Limits of what is taken in (docs/protocol.md, section 4.1).
const (
	maxItems  = lane.MaxItems
	maxBytes  = lane.MaxBytes
	maxFrames = 8192
	// maxLive: a reader of the log stops behind the frame that fills its batch.
	maxLive  = lane.MaxBytes + frame.MaxBytes
	maxChunk = schema.MaxEntryBytes + 320<<10 // a chunk alone in its batch
	maxPiece = lane.PieceBytes
	// slack is how far ahead of this site's clock a checkpoint may be signed (domain 2.4).
	slack = schema.FutureMs * time.Millisecond
)

// Border guards one site.
type Border struct {
	Store *store.Store
	Pool  *pki.Pool
	Now   func() time.Time // the seam for tests; nil is time.Now
}

func (b *Border) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// Neighbour is who sent a batch, and whose data it may send.
type Neighbour struct {
	Site    string
	Origins map[string]bool
}

// Check judges a batch. What is held already is cut off its front, so that it may end up empty (Empty). Errors: those above,
// the store's, the context's.
func (b *Border) Check(ctx context.Context, from Neighbour, in *schema.Inbound) error {
	if !from.Origins[in.GetOrigin()] {
		return fmt.Errorf("%w: %s sends data of %q", ErrOrigin, from.Site, in.GetOrigin())
	}
	if in.GetEpoch() == 0 {
		return fmt.Errorf("%w: no epoch", ErrMalformed)
	}
	in.Refusals = nil // this site's own to say
	if err := only(in); err != nil {
		return err
	}
	switch in.GetLane() {
	case lane.Events:
		if err := b.events(ctx, in); err != nil {
			return err
		}
		b.models(in)
		return nil
	case lane.Live:
		return b.live(from, in)
	case lane.Backfill:
		return sealed(in)
	case lane.Attachments:
		return piece(in)
	}
	return fmt.Errorf("%w: unknown lane %q", ErrMalformed, in.GetLane())
}

// only checks that a batch holds nothing but what its lane carries.
func only(in *schema.Inbound) error {
	l := in.GetLane()
	events := len(in.GetItems()) > 0 || in.GetCheckpoint() != nil
	if events && l != lane.Events || len(in.GetFrames()) > 0 && l != lane.Live || len(in.GetSealed()) > 0 && l != lane.Backfill || in.GetBlob() != nil && l != lane.Attachments {
		return fmt.Errorf("%w: lane %q carries what is another's", ErrMalformed, l)
	}
	return nil
}

// Empty says whether a batch that was checked has nothing left that is new here.
func Empty(in *schema.Inbound) bool {
	return len(in.GetItems()) == 0 && in.GetCheckpoint() == nil && len(in.GetFrames()) == 0 && len(in.GetSealed()) == 0 && in.GetBlob() == nil
}

func (b *Border) events(ctx context.Context, in *schema.Inbound) error {
	if err := sizeOfItems(in); err != nil {
		return err
	}
	held := store.LedgerHead{Origin: in.GetOrigin(), Epoch: in.GetEpoch(), Digest: chain.Genesis(in.GetOrigin(), in.GetEpoch())}
	if h, ok := b.Store.Head(in.GetOrigin()); ok {
		if in.GetEpoch() < h.Epoch {
			return fmt.Errorf("%w: %s sends epoch %d of %s, held is %d", ErrEpoch, in.GetFrom(), in.GetEpoch(), in.GetOrigin(), h.Epoch)
		}
		if in.GetEpoch() == h.Epoch {
			held = h
		}
	}
	if in.GetFirst() == 0 || in.GetFirst() > held.Seq+1 {
		return fmt.Errorf("%w: ledger of %s from %d on, held up to %d", ErrGap, in.GetOrigin(), in.GetFirst(), held.Seq)
	}
	known := min(held.Seq+1-in.GetFirst(), uint64(len(in.GetItems())))
	in.Items, in.First = in.GetItems()[known:], held.Seq+1
	return b.signed(ctx, in, held)
}

func sizeOfItems(in *schema.Inbound) error {
	if len(in.GetItems()) > maxItems {
		return fmt.Errorf("%w: %d items", ErrSize, len(in.GetItems()))
	}
	total := 0
	for i, item := range in.GetItems() {
		n := len(item.GetEntry())
		if n > schema.MaxEntryBytes+4096 {
			return fmt.Errorf("%w: entry %d of %s has %d bytes", ErrSize, in.GetFirst()+uint64(i), in.GetOrigin(), n)
		}
		total += n
	}
	if total > maxBytes && len(in.GetItems()) > 1 {
		return fmt.Errorf("%w: %d bytes in %d entries", ErrSize, total, len(in.GetItems()))
	}
	return nil
}

// signed walks the chain through the new items; when the batch has a checkpoint, the chain must be what was signed.
func (b *Border) signed(ctx context.Context, in *schema.Inbound, held store.LedgerHead) error {
	c := in.GetCheckpoint()
	if c != nil {
		if c.GetOrigin() != in.GetOrigin() || c.GetEpoch() != in.GetEpoch() || c.GetSeq() == 0 || len(c.GetDigest()) != chain.Size {
			return fmt.Errorf("%w: of %s epoch %d seq %d beside the ledger of %s epoch %d", ErrCheckpoint, c.GetOrigin(), c.GetEpoch(), c.GetSeq(), in.GetOrigin(), in.GetEpoch())
		}
		if newest, ok, err := b.Store.Signed(in.GetOrigin(), in.GetEpoch(), 0); err != nil {
			return fmt.Errorf("check batch of %s: %w", in.GetOrigin(), err)
		} else if ok && newest.GetSeq() >= c.GetSeq() {
			c, in.Checkpoint = nil, nil // held already
		}
	}
	var at chain.Digest
	found := false
	if c != nil && c.GetSeq() <= held.Seq {
		var err error
		if at, err = DigestAt(ctx, b.Store, in.GetOrigin(), in.GetEpoch(), c.GetSeq()); err != nil {
			return err
		}
		found = true
	}
	d := held.Digest
	for i, item := range in.GetItems() {
		e, err := store.ItemDigest(item)
		if err != nil {
			return fmt.Errorf("%w: item %d of %s: %w", ErrMalformed, in.GetFirst()+uint64(i), in.GetOrigin(), err)
		}
		d = chain.Next(d, e)
		if c != nil && c.GetSeq() == in.GetFirst()+uint64(i) {
			at, found = d, true
		}
	}
	if c == nil {
		return nil
	}
	if !found {
		return fmt.Errorf("%w: %s signed %d entries, sent are %d", ErrCheckpoint, in.GetOrigin(), c.GetSeq(), held.Seq+uint64(len(in.GetItems())))
	}
	return b.Verify(c, at)
}

// DigestAt is the chain digest of a ledger held here at a sequence number, computed from the newest signed checkpoint
// before it. Errors: ErrGap when the ledger does not reach so far.
func DigestAt(ctx context.Context, s *store.Store, origin string, epoch, seq uint64) (chain.Digest, error) {
	d, next := chain.Genesis(origin, epoch), uint64(1)
	if seq == 0 {
		return d, nil // Signed would take 0 for the newest
	}
	base, ok, err := s.Signed(origin, epoch, seq)
	if err != nil {
		return d, fmt.Errorf("chain of %s: %w", origin, err)
	}
	if ok {
		d, next = chain.Digest(base.GetDigest()), base.GetSeq()+1
	}
	if next > seq {
		return d, nil
	}
	if err := s.Ledger(ctx, origin, epoch, next, int(seq-next+1), func(_ uint64, item *schema.Item) error {
		e, err := store.ItemDigest(item)
		d = chain.Next(d, e)
		next++
		return err
	}); err != nil {
		return d, fmt.Errorf("chain of %s: %w", origin, err)
	}
	if next != seq+1 {
		return d, fmt.Errorf("%w: chain of %s ends at %d, wanted %d", ErrGap, origin, next-1, seq)
	}
	return d, nil
}

// Verify checks a checkpoint's signature, and that it signs the ledger whose chain digest at its sequence number is at. The
// certificate must have been good when it was signed. Errors: ErrCheckpoint.
func (b *Border) Verify(c *schema.Checkpoint, at chain.Digest) error {
	if chain.Digest(c.GetDigest()) != at {
		return fmt.Errorf("%w: %s signed digest %.8x for entry %d, its entries give %.8x", ErrCheckpoint, c.GetOrigin(), c.GetDigest(), c.GetSeq(), at)
	}
	when := time.UnixMilli(c.GetTime())
	if when.After(b.now().Add(slack)) {
		return fmt.Errorf("%w: %s signed at %s, which is ahead of this site's clock", ErrCheckpoint, c.GetOrigin(), when.UTC().Format(time.RFC3339))
	}
	msg := chain.CheckpointMessage(c.GetOrigin(), c.GetEpoch(), c.GetSeq(), at, c.GetTime())
	if err := b.Pool.VerifyBySite(c.GetCertificate(), c.GetOrigin(), msg, c.GetSignature(), when); err != nil {
		return fmt.Errorf("%w: %s at entry %d: %w", ErrCheckpoint, c.GetOrigin(), c.GetSeq(), err)
	}
	return nil
}

// live cuts off frames that are held, and checks order and size of the others. What is in a frame is the machine's to judge.
func (b *Border) live(from Neighbour, in *schema.Inbound) error {
	if in.GetOrigin() != from.Site {
		return fmt.Errorf("%w: live samples of %q from %s", ErrOrigin, in.GetOrigin(), from.Site)
	}
	p, ok, err := b.Store.Position(from.Site, in.GetOrigin(), lane.Live)
	if err != nil {
		return fmt.Errorf("check batch of %s: %w", from.Site, err)
	}
	held := uint64(0)
	if ok {
		if in.GetEpoch() < p.GetEpoch() {
			return fmt.Errorf("%w: %s sends samples of epoch %d, held is %d", ErrEpoch, from.Site, in.GetEpoch(), p.GetEpoch())
		}
		if in.GetEpoch() == p.GetEpoch() {
			held = p.GetSeq()
		}
	}
	if len(in.GetFrames()) > maxFrames {
		return fmt.Errorf("%w: %d frames", ErrSize, len(in.GetFrames()))
	}
	total, before := 0, uint64(0)
	keep := in.GetFrames()[:0:0]
	for _, f := range in.GetFrames() {
		if total += len(f.GetFrame()); total > maxLive {
			return fmt.Errorf("%w: %d bytes of frames", ErrSize, total)
		}
		if f.GetIndex() <= before || f.GetIndex() > in.GetLast() {
			return fmt.Errorf("%w: frame at %d behind one at %d in a batch up to %d", ErrMalformed, f.GetIndex(), before, in.GetLast())
		}
		before = f.GetIndex()
		if len(f.GetFrame()) > frame.MaxBytes {
			return fmt.Errorf("%w: frame at %d has %d bytes", ErrSize, f.GetIndex(), len(f.GetFrame()))
		}
		if f.GetIndex() > held {
			keep = append(keep, f)
		}
	}
	in.Frames = keep
	if len(keep) > 0 {
		in.First = keep[0].GetIndex()
	}
	return nil
}

func sealed(in *schema.Inbound) error {
	if len(in.GetSealed()) > maxItems {
		return fmt.Errorf("%w: %d series", ErrSize, len(in.GetSealed()))
	}
	total, before := 0, int64(-1)
	for _, x := range in.GetSealed() {
		if (len(x.GetChunk()) == 0) == (len(x.GetDigest()) == 0) || len(x.GetDigest()) != 0 && len(x.GetDigest()) != chain.Size {
			return fmt.Errorf("%w: series %d with neither or both of chunk and digest", ErrMalformed, x.GetSeries())
		}
		if int64(x.GetSeries()) <= before {
			return fmt.Errorf("%w: series %d behind %d", ErrMalformed, x.GetSeries(), before)
		}
		before = int64(x.GetSeries())
		if len(x.GetChunk()) > maxChunk {
			return fmt.Errorf("%w: chunk of series %d has %d bytes", ErrSize, x.GetSeries(), len(x.GetChunk()))
		}
		if total += len(x.GetChunk()); total > maxBytes && len(in.GetSealed()) > 1 {
			return fmt.Errorf("%w: %d bytes in %d chunks", ErrSize, total, len(in.GetSealed()))
		}
	}
	return nil
}

// idLength is the length of an attachment's id: an SM3 digest in hex.
const idLength = 2 * chain.Size

func piece(in *schema.Inbound) error {
	switch b := in.GetBlob(); {
	case b == nil || len(b.GetId()) != idLength:
		return fmt.Errorf("%w: piece of no attachment", ErrMalformed)
	case len(b.GetData()) == 0:
		return fmt.Errorf("%w: empty piece of attachment %s", ErrMalformed, b.GetId())
	case len(b.GetData()) > maxPiece:
		return fmt.Errorf("%w: piece of %d bytes", ErrSize, len(b.GetData()))
	}
	return nil
}
