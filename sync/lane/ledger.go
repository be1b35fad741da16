package lane

import (
	"context"
	"errors"
	"fmt"

	"dusthub/crypto/chain"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// View says whether a reader may see an entry. What it may not see it gets as a digest.
type View func(*schema.Entry) bool

// Up is what a parent sees of its child's own ledger.
func Up(e *schema.Entry) bool { return e.GetScope() == schema.Scope_SCOPE_UP }

// everyone is the address of entries for all children.
const everyone = "*"

// Down is what a child sees of its parent's own ledger: what is addressed to it, or to everyone.
func Down(child string) View {
	return func(e *schema.Entry) bool {
		return e.GetScope() == schema.Scope_SCOPE_DOWN && (e.GetTo() == child || e.GetTo() == everyone)
	}
}

// Verbatim passes on the copy of another site's ledger as it is held: its owner withheld what had to be withheld.
// LOCAL entries are withheld all the same: they have no business in a copy.
func Verbatim(e *schema.Entry) bool { return e.GetScope() != schema.Scope_SCOPE_LOCAL }

// errFull ends a reading whose batch is full.
var errFull = errors.New("batch is full")

// Cursor is how far a reader has a ledger.
type Cursor struct {
	Epoch  uint64
	Seq    uint64 // last item it has
	Signed uint64 // newest signed checkpoint it has
}

// Ledger reads the next batch of a ledger: a contiguous run of items, and the newest signed checkpoint up to its end
// if the reader lacks it. Nil when there is neither. The cursor moves behind what was read.
func Ledger(ctx context.Context, s *store.Store, origin string, at *Cursor, see View) (*schema.Inbound, error) {
	in := &schema.Inbound{Origin: origin, Epoch: at.Epoch, Lane: Events, First: at.Seq + 1}
	if h, ok := s.Head(origin); ok && h.Epoch == at.Epoch && h.Seq > at.Seq {
		if err := items(ctx, s, in, see); err != nil {
			return nil, fmt.Errorf("read ledger of %s from %d: %w", origin, in.GetFirst(), err)
		}
	}
	last := at.Seq + uint64(len(in.GetItems()))
	if last > at.Signed { // otherwise all there is has been signed
		c, ok, err := s.Signed(origin, at.Epoch, last)
		if err != nil {
			return nil, fmt.Errorf("read ledger of %s: %w", origin, err)
		}
		if ok && c.GetSeq() > at.Signed {
			in.Checkpoint, at.Signed = c, c.GetSeq()
		}
	}
	at.Seq = last
	if len(in.GetItems()) == 0 && in.GetCheckpoint() == nil {
		return nil, nil //nolint:nilnil // nothing new is no error
	}
	return in, nil
}

func items(ctx context.Context, s *store.Store, in *schema.Inbound, see View) error {
	size := 0
	err := s.Ledger(ctx, in.GetOrigin(), in.GetEpoch(), in.GetFirst(), MaxItems, func(_ uint64, item *schema.Item) error {
		shown, err := redact(item, see)
		if err != nil {
			return err
		}
		if n := proto.Size(shown); size > 0 && size+n > MaxBytes {
			return errFull
		} else {
			size += n
		}
		in.Items = append(in.Items, shown)
		return nil
	})
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}

// redact replaces an entry that may not be seen by its digest.
func redact(item *schema.Item, see View) (*schema.Item, error) {
	raw := item.GetEntry()
	if raw == nil {
		return item, nil
	}
	e := &schema.Entry{}
	// An entry that does not decode cannot be judged, so it is not shown; the chain verifies all the same.
	if err := proto.Unmarshal(raw, e); err == nil && see(e) {
		return item, nil
	}
	d := chain.Entry(raw)
	return &schema.Item{What: &schema.Item_Digest{Digest: d[:]}}, nil
}
