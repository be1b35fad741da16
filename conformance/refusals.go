package conformance

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"fmt"
	"time"

	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc/codes"
)

// refusable is a batch that is good but for one thing. It begins as a batch of two entries that follow on what the site
// holds, signed by the auditor.
type refusable struct {
	id, section, sent string
	code              codes.Code
	entries           int // how many instead of two
	spoil             func(a *audit, draft *book, in *schema.Inbound) error
}

func refusalChecks() []Check {
	var out []Check
	for _, r := range refusables() {
		out = append(out, Check{
			ID: r.id, Section: r.section, Sent: r.sent, Expected: name(r.code) + ", and nothing of the batch is taken", run: r.run,
		})
	}
	return out
}

func refusables() []refusable {
	return []refusable{
		{id: "events.gap", section: "5.1", sent: "a batch that begins two entries behind what is held", code: codes.OutOfRange, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			in.First += 2
			return nil
		}},
		{id: "events.signature", section: "3.3, 5.1", sent: "a checkpoint with another signature", code: codes.DataLoss, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			var err error
			in.Checkpoint.Signature, err = a.id.Sign([]byte("something else"))
			return err
		}},
		{id: "events.wrong-digest", section: "5.1", sent: "a checkpoint that signs another digest than the entries give", code: codes.DataLoss, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			in.Checkpoint.Digest[0] ^= 1
			return resign(a.id, in)
		}},
		{id: "events.changed-entry", section: "5.1", sent: "an entry that was changed after it was signed", code: codes.DataLoss, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			changed := make([]byte, digestSize)
			if _, err := rand.Read(changed); err != nil {
				return fmt.Errorf("change an entry: %w", err)
			}
			in.Items = append([]*schema.Item{{What: &schema.Item_Digest{Digest: changed}}}, in.GetItems()[1:]...)
			return nil
		}},
		{id: "events.checkpoint-ahead", section: "5.1", sent: "a checkpoint that signs more entries than were sent", code: codes.DataLoss, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			in.Items = in.GetItems()[:1]
			return nil
		}},
		{id: "events.other-ca", section: "3.3", sent: "a checkpoint signed with a certificate of the auditor's name by another CA", code: codes.DataLoss, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			in.Checkpoint.Certificate = a.stranger.SignCert()
			return resign(a.stranger, in)
		}},
		{id: "events.other-site", section: "3.3", sent: "a checkpoint signed by another site of the same CA", code: codes.DataLoss, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			if a.other == nil {
				return skip("needs the identity of a second site")
			}
			in.Checkpoint.Certificate = a.other.id.SignCert()
			return resign(a.other.id, in)
		}},
		{id: "events.two-algorithms", section: "3.3", sent: "a checkpoint whose certificate names another algorithm beside its signature", code: codes.DataLoss, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			var err error
			in.Checkpoint.Certificate, err = twoAlgorithms(in.GetCheckpoint().GetCertificate())
			return err
		}},
		{id: "events.future", section: "3.3", sent: "a checkpoint signed ten minutes from now", code: codes.DataLoss, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			in.Checkpoint.Time = time.Now().Add(2 * clockSlack).UnixMilli()
			return resign(a.id, in)
		}},
		{id: "events.before-certificate", section: "3.3", sent: "a checkpoint signed in 2001, before its certificate was good", code: codes.DataLoss, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			in.Checkpoint.Time = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
			return resign(a.id, in)
		}},
		{id: "events.origin", section: "5.1", sent: "a batch of an origin that Hello did not announce", code: codes.PermissionDenied, spoil: func(a *audit, _ *book, in *schema.Inbound) error {
			of := newBook(a.id.Name()+"-x", a.child.epoch)
			err := of.hide(1)
			anew(in, of)
			return err
		}},
		{id: "events.old-epoch", section: "5.1", sent: "a batch of an epoch before the one held", code: codes.FailedPrecondition, spoil: func(a *audit, draft *book, in *schema.Inbound) error {
			of := newBook(draft.origin, draft.epoch-1)
			if err := of.hide(1); err != nil {
				return err
			}
			anew(in, of)
			var err error
			in.Checkpoint, err = of.sign(a.id, time.Now())
			return err
		}},
		{id: "events.items-limit", section: "4.1, 6", sent: "a batch of 4097 items", code: codes.ResourceExhausted, entries: maxItems + 1},
		{id: "events.entry-limit", section: "4.1, 6", sent: "one entry of 1 MiB and 64 KiB", code: codes.ResourceExhausted, spoil: func(a *audit, draft *book, in *schema.Inbound) error {
			const above = 64 << 10
			return padded(a, draft, in, 1, maxEntry+above)
		}},
		{id: "events.bytes-limit", section: "4.1, 6", sent: "a batch of three entries of 200 KiB each, where 256 KiB are the most", code: codes.ResourceExhausted, spoil: func(a *audit, draft *book, in *schema.Inbound) error {
			return padded(a, draft, in, 3, 200<<10)
		}},
		{id: "events.other-lanes-data", section: "6", sent: "frames of the live lane on the events lane", code: codes.InvalidArgument, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			in.Frames = []*schema.LiveFrame{{Index: 1, Frame: []byte("F")}}
			return nil
		}},
		{id: "events.malformed-item", section: "6", sent: "an item with a digest of 31 bytes", code: codes.InvalidArgument, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			in.Items[0] = &schema.Item{What: &schema.Item_Digest{Digest: make([]byte, digestSize-1)}}
			in.Checkpoint = nil
			return nil
		}},
		{id: "events.unknown-lane", section: "6", sent: "a batch of a lane that does not exist", code: codes.InvalidArgument, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			in.Lane = "sideways"
			return nil
		}},
		{id: "backfill.unasked", section: "5.3", sent: "sealed series that were not asked for", code: codes.InvalidArgument, spoil: func(_ *audit, _ *book, in *schema.Inbound) error {
			sum := make([]byte, digestSize)
			in.Lane, in.First, in.Items, in.Checkpoint, in.Last = backfillLane, 0, nil, nil, 1
			in.Sealed = []*schema.SealedSeries{{Series: 1, Digest: sum}}
			return nil
		}},
	}
}

// run sends the batch, expects the refusal, and looks on a new stream whether anything was taken.
func (r refusable) run(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.settled(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	before := a.child.book.last()
	in, draft, err := r.make(a)
	if err != nil {
		return "", err
	}
	s.send(&rpc.FromChild{What: &rpc.FromChild_Batch{Batch: in}})
	got, err := s.refused(ctx, r.code)
	if err != nil {
		return "", err
	}
	s.close()
	if s, err = a.child.open(ctx, a.child.hello()); err != nil {
		return "", err
	}
	defer s.close()
	p := s.held()
	if draft.last() > before && p.GetSeq() > before {
		return "", fmt.Errorf("%s; but %d entries of the refused batch were taken", got, p.GetSeq()-before)
	}
	return got, a.child.judge(p, before, before)
}

// make makes the batch in a draft of the book: what is refused was never written.
func (r refusable) make(a *audit) (*schema.Inbound, *book, error) {
	draft := a.child.book.draft()
	held, n := draft.last(), 2
	if r.entries > 0 {
		n = r.entries
	}
	if err := draft.hide(n); err != nil {
		return nil, nil, err
	}
	in := draft.batch(held)
	var err error
	if in.Checkpoint, err = draft.sign(a.id, time.Now()); err != nil || r.spoil == nil {
		return in, draft, err
	}
	return in, draft, r.spoil(a, draft, in)
}

// resign signs the batch's checkpoint as it stands, so that nothing but the one fault is wrong with it.
func resign(by signer, in *schema.Inbound) error {
	_, err := signed(in.GetCheckpoint(), by)
	return err
}

// anew makes the batch one of another book, from its beginning.
func anew(in *schema.Inbound, of *book) {
	in.Origin, in.Epoch, in.First, in.Items, in.Checkpoint = of.origin, of.epoch, 1, of.items, nil
}

// padded makes the batch one of n good entries of at least that size.
func padded(a *audit, draft *book, in *schema.Inbound, n, size int) error {
	of := a.child.book.draft()
	held := of.last()
	for range n {
		e, err := of.entry(a.child.record())
		if err != nil {
			return err
		}
		if err := of.write(e, size); err != nil {
			return err
		}
	}
	var err error
	in.Items = of.batch(held).GetItems()
	in.Checkpoint, err = of.sign(a.id, time.Now())
	*draft = *of
	return err
}

// twoAlgorithms changes what stands beside a certificate's signature (RFC 5280, 4.1.1.2): not what was signed any more.
func twoAlgorithms(der []byte) ([]byte, error) {
	var c struct {
		Body, Algorithm asn1.RawValue
		Signature       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return nil, fmt.Errorf("take a certificate apart: %w", err)
	}
	ecdsaWithSHA256 := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	raw, err := asn1.Marshal(struct{ Algorithm asn1.ObjectIdentifier }{ecdsaWithSHA256})
	if err != nil {
		return nil, fmt.Errorf("put a certificate together: %w", err)
	}
	c.Algorithm = asn1.RawValue{FullBytes: raw}
	out, err := asn1.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("put a certificate together: %w", err)
	}
	return out, nil
}
