package portal

import (
	"context"
	"encoding/hex"
	"fmt"

	"dusthub/crypto/chain"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// LedgerEntry is one position of a ledger. Entry is absent where this site holds the digest only; Record is left out
// where the reader may not see it: the digest still lets anybody verify the chain.
type LedgerEntry struct {
	Seq    uint64        `json:"seq"`
	Digest string        `json:"digest" doc:"SM3 of the entry"`
	Entry  *LedgerChange `json:"entry,omitempty"`
}

// LedgerChange is what an entry says.
type LedgerChange struct {
	Time    int64         `json:"time"`
	Type    string        `json:"type"`
	Key     string        `json:"key,omitempty"`
	Deleted bool          `json:"deleted,omitempty"`
	Scope   string        `json:"scope"`
	To      string        `json:"to,omitempty"`
	Actor   string        `json:"actor,omitempty"`
	Cause   string        `json:"cause,omitempty"`
	Record  schema.Record `json:"record,omitempty" kinds:"object"`
}

// LedgerPage is a page of a ledger.
type LedgerPage struct {
	Origin string         `json:"origin"`
	Epoch  uint64         `json:"epoch"`
	Head   uint64         `json:"head"`
	Items  []*LedgerEntry `json:"items" nullable:"false"`
	Next   uint64         `json:"next,omitempty" doc:"from of the next page"`
}

type ledgerInput struct {
	Origin string `query:"origin" doc:"this site by default"`
	From   uint64 `query:"from" doc:"first seq; 0 is the last page"`
	Limit  int    `query:"limit" minimum:"0" doc:"at most 1000"`
}

func (s *Server) ledgerHead(origin string) (store.LedgerHead, error) {
	if origin == "" {
		origin = s.opt.Site.ID
	}
	h, ok := s.opt.Backend.Store().Head(origin)
	if !ok {
		return h, notFound("ledger", origin)
	}
	return h, nil
}

func (s *Server) ledger(ctx context.Context, v *viewer, in *ledgerInput) (*LedgerPage, error) {
	head, err := s.ledgerHead(in.Origin)
	if err != nil {
		return nil, err
	}
	limit := pageSize(in.Limit)
	from := in.From
	if from == 0 {
		from = 1
		if head.Seq > uint64(limit) {
			from = head.Seq - uint64(limit) + 1
		}
	}
	page := &LedgerPage{Origin: head.Origin, Epoch: head.Epoch, Head: head.Seq, Items: []*LedgerEntry{}}
	err = s.opt.Backend.Store().Ledger(ctx, head.Origin, head.Epoch, from, limit, func(seq uint64, item *schema.Item) error {
		e, bad := s.ledgerEntry(v, seq, item)
		page.Items = append(page.Items, e)
		return bad
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	if n := len(page.Items); n > 0 && page.Items[n-1].Seq < head.Seq {
		page.Next = page.Items[n-1].Seq + 1
	}
	return page, nil
}

func (s *Server) ledgerEntry(v *viewer, seq uint64, item *schema.Item) (*LedgerEntry, error) {
	digest, err := store.ItemDigest(item)
	if err != nil {
		return nil, fmt.Errorf("ledger item %d: %w", seq, err)
	}
	out := &LedgerEntry{Seq: seq, Digest: hex.EncodeToString(digest[:])}
	raw := item.GetEntry()
	if raw == nil {
		return out, nil
	}
	e := &schema.Entry{}
	if err = proto.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("ledger entry %d: %w", seq, err)
	}
	out.Entry = &LedgerChange{Time: e.GetTime(), Type: e.GetType(), Deleted: e.GetDeleted(), Scope: e.GetScope().String(), To: e.GetTo(), Cause: e.GetCause()}
	// Of what never leaves the site (people, sessions, secrets) only the fact of a change is shown.
	if e.GetScope() == schema.Scope_SCOPE_LOCAL || local(e.GetType()) {
		return out, nil
	}
	rec, err := schema.Decode(e.GetType(), e.GetRecord())
	if err != nil || e.GetDeleted() {
		rec = nil // an entry of a newer version of the schema shows its header
	}
	if rec != nil && !s.inArea(v, rec) {
		return out, nil
	}
	out.Entry.Key, out.Entry.Actor, out.Entry.Record = e.GetKey(), e.GetActor(), rec
	return out, nil
}

// LedgerHeadView is where a ledger stands.
type LedgerHeadView struct {
	Origin        string `json:"origin"`
	Epoch         uint64 `json:"epoch"`
	Seq           uint64 `json:"seq"`
	Digest        string `json:"digest"`
	CheckpointSeq uint64 `json:"checkpoint_seq"`
}

// List of items that needs no paging.
type List[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

func (s *Server) ledgerHeads(_ context.Context, _ *viewer, _ *none) (*List[LedgerHeadView], error) {
	st := s.opt.Backend.Store()
	out := &List[LedgerHeadView]{Items: []LedgerHeadView{}}
	for _, h := range st.Heads() {
		signed, ok, err := st.Signed(h.Origin, h.Epoch, 0)
		if err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
		view := LedgerHeadView{Origin: h.Origin, Epoch: h.Epoch, Seq: h.Seq, Digest: hex.EncodeToString(h.Digest[:])}
		if ok {
			view.CheckpointSeq = signed.GetSeq()
		}
		out.Items = append(out.Items, view)
	}
	return out, nil
}

type verifyInput struct {
	Origin string `query:"origin" doc:"this site by default"`
}

// VerifyView is what came out of recomputing a ledger.
type VerifyView struct {
	Origin        string `json:"origin"`
	Seq           uint64 `json:"seq"`
	OK            bool   `json:"ok" doc:"the chain is whole, and so is the newest signature if there is one"`
	CheckpointSeq uint64 `json:"checkpoint_seq"`
	CheckpointOK  bool   `json:"checkpoint_ok"`
	Error         string `json:"error,omitempty"`
}

// ledgerVerify recomputes a chain from its beginning, one verification at a time: it reads the whole ledger.
func (s *Server) ledgerVerify(ctx context.Context, _ *viewer, in *verifyInput) (*VerifyView, error) {
	head, err := s.ledgerHead(in.Origin)
	if err != nil {
		return nil, err
	}
	select {
	case s.verify <- struct{}{}:
		defer func() { <-s.verify }()
	case <-ctx.Done():
		return nil, unavailable("another verification is under way")
	}
	out := &VerifyView{Origin: head.Origin, Seq: head.Seq}
	signed, ok, err := s.opt.Backend.Store().Signed(head.Origin, head.Epoch, head.Seq)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if ok {
		out.CheckpointSeq = signed.GetSeq()
	}
	at, err := s.recompute(ctx, head, out.CheckpointSeq)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		out.Error = err.Error()
		return out, nil
	}
	out.OK = true
	if !ok {
		return out, nil
	}
	switch {
	case at != digestOf(signed):
		out.Error = fmt.Sprintf("the signed digest at %d is not the chain's", out.CheckpointSeq)
	case s.opt.Verify == nil:
		out.Error = "no signature can be checked here"
	default:
		if err := s.opt.Verify(signed); err != nil {
			out.Error = err.Error()
		}
	}
	out.CheckpointOK = out.Error == ""
	out.OK = out.CheckpointOK
	return out, nil
}

// digestOf is a checkpoint's digest; zero when it is none.
func digestOf(c *schema.Checkpoint) (d chain.Digest) {
	if len(c.GetDigest()) == chain.Size {
		d = chain.Digest(c.GetDigest())
	}
	return d
}

// recompute follows a chain up to its head and returns its digest at a place on the way.
func (s *Server) recompute(ctx context.Context, head store.LedgerHead, place uint64) (at chain.Digest, err error) {
	d := chain.Genesis(head.Origin, head.Epoch)
	next := uint64(1)
	err = s.opt.Backend.Store().Ledger(ctx, head.Origin, head.Epoch, 1, int(head.Seq), func(seq uint64, item *schema.Item) error {
		e, bad := store.ItemDigest(item)
		if bad != nil {
			return fmt.Errorf("item %d: %w", seq, bad)
		}
		d = chain.Next(d, e)
		if seq == place {
			at = d
		}
		next = seq + 1
		return nil
	})
	switch {
	case err != nil:
		return at, fmt.Errorf("read ledger of %s: %w", head.Origin, err)
	case next != head.Seq+1:
		return at, fmt.Errorf("the ledger of %s ends at %d, its head is %d", head.Origin, next-1, head.Seq)
	case d != head.Digest:
		return at, fmt.Errorf("the chain of %s gives %x at %d, its head says %x", head.Origin, d, head.Seq, head.Digest)
	}
	return at, nil
}

func (d *door) ledgerRoutes() {
	s := d.s
	handle(d, "ledger", s.ledger)
	handle(d, "ledger-heads", s.ledgerHeads)
	handle(d, "ledger-verify", s.ledgerVerify)
}
