package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/protobuf/proto"
)

// Sections 4.1, 4.2 and 5.1: what is taken, and what is said about it.
func eventsChecks() []Check {
	return []Check{
		{
			ID: "events.good", Section: "4.1, 4.2", Sent: "three entries, one in clear and two as digests, with a signed checkpoint",
			Expected: "exactly one taken, with seq, digest(seq) and checkpoint", run: goodBatch,
		},
		{
			ID: "events.again", Section: "5.1", Sent: "the same batch once more", Expected: "taken with the same position", run: sameAgain,
		},
		{
			ID: "events.reconnect", Section: "4.2", Sent: "a new stream", Expected: "Welcome tells the position that was acknowledged",
			run: func(ctx context.Context, a *audit) (string, error) {
				s, err := a.child.settled(ctx)
				if err != nil {
					return "", err
				}
				s.close()
				if s, err = a.child.open(ctx, a.child.hello()); err != nil {
					return "", err
				}
				defer s.close()
				p := s.held()
				return told(p), a.child.judge(p, a.child.book.last(), a.child.book.last())
			},
		},
		{
			ID: "events.unsigned", Section: "5.1", Sent: "entries without a checkpoint, then a batch that is the checkpoint alone",
			Expected: "taken with the older checkpoint, then taken with the newer", run: unsigned,
		},
		{
			ID: "events.window", Section: "4.1", Sent: "eight batches without waiting", Expected: "eight taken, in order", run: fullWindow,
		},
		{
			ID: "events.nonconforming", Section: "5.1", Sent: "a record with two faults, an entry of another origin, then good entries",
			Expected: "all taken; for each a Quarantine on the downlink, addressed to the sender, the first with both reasons; and the lane goes on", run: nonconforming,
		},
	}
}

func told(p *schema.Position) string {
	return fmt.Sprintf("seq %d, digest %.4x, checkpoint %d", p.GetSeq(), p.GetDigest(), p.GetCheckpoint())
}

func goodBatch(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.connect(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	if _, err := s.grow(ctx); err != nil {
		return "", err
	}
	const quiet = 300 * time.Millisecond // a second answer would follow at once
	m, err := s.next(ctx, quiet)
	if err == nil {
		return "", fmt.Errorf("after taken came %s", describe(m))
	}
	if !errors.Is(err, errSilent) {
		return "", err
	}
	return fmt.Sprintf("taken seq %d", a.child.book.last()), nil
}

func sameAgain(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.connect(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	in, err := s.grow(ctx)
	if err != nil {
		return "", err
	}
	p, err := s.give(ctx, proto.CloneOf(in))
	if err != nil {
		return "", err
	}
	return told(p), a.child.judge(p, a.child.book.last(), a.child.book.last())
}

func unsigned(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.settled(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	b := a.child.book
	before := b.last()
	if err := b.hide(2); err != nil {
		return "", err
	}
	p, err := s.give(ctx, b.batch(before))
	if err == nil {
		err = a.child.judge(p, b.last(), before)
	}
	if err != nil {
		return "", fmt.Errorf("entries without a checkpoint: %w", err)
	}
	alone := b.batch(b.last())
	if alone.Checkpoint, err = b.sign(a.child.id, time.Now()); err != nil {
		return "", err
	}
	if p, err = s.give(ctx, alone); err == nil {
		err = a.child.judge(p, b.last(), b.last())
	}
	if err != nil {
		return "", fmt.Errorf("the checkpoint alone: %w", err)
	}
	return told(p), nil
}

func fullWindow(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.settled(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	b := a.child.book
	signed := b.last()
	for range eventsWindow {
		held := b.last()
		if err := b.hide(1); err != nil {
			return "", err
		}
		s.send(&rpc.FromChild{What: &rpc.FromChild_Batch{Batch: b.batch(held)}})
	}
	for i := range uint64(eventsWindow) {
		p, err := s.taken(ctx)
		if err == nil {
			err = a.child.judge(p, signed+i+1, signed)
		}
		if err != nil {
			return "", fmt.Errorf("batch %d: %w", i+1, err)
		}
	}
	return fmt.Sprintf("%d taken", eventsWindow), nil
}

// nonconforming: an entry that is no good stays in the ledger copy, is answered with a Quarantine, and holds up nothing.
func nonconforming(ctx context.Context, a *audit) (string, error) {
	s, err := a.child.settled(ctx)
	if err != nil {
		return "", err
	}
	defer s.close()
	before := a.child.quarantined()
	if err := a.child.spoil(ctx, s, true); err != nil {
		return "", err
	}
	if _, err := s.grow(ctx); err != nil {
		return "", fmt.Errorf("the lane does not go on: %w", err)
	}
	const wanted = 2
	if err := s.follow(ctx, a.patience, func() bool { return len(a.child.quarantined()) >= len(before)+wanted }); err != nil {
		return "", fmt.Errorf("%d of %d Quarantine records addressed to the sender came down: %w", len(a.child.quarantined())-len(before), wanted, err)
	}
	var reasons []int
	for seq, q := range a.child.quarantined() {
		if _, old := before[seq]; !old {
			if q.GetSource() != a.child.name() {
				return "", fmt.Errorf("a Quarantine names %q as its source", q.GetSource())
			}
			reasons = append(reasons, len(q.GetViolations()))
		}
	}
	const both = 2
	if max(reasons[0], reasons[1]) < both {
		return "", fmt.Errorf("two Quarantine records, with %d reasons; of the first record only one of the two was named", reasons)
	}
	return fmt.Sprintf("two Quarantine records, with %d reasons", reasons), nil
}

// spoil sends an entry that does not conform, or two, with a signature under them.
func (c *child) spoil(ctx context.Context, s *session, misplaced bool) error {
	b := c.book
	held := s.held().GetSeq()
	if held != b.last() {
		return fmt.Errorf("the site holds %d entries instead of %d", held, b.last())
	}
	e, err := b.entry(bad(c.name()))
	if err != nil {
		return err
	}
	if err := b.write(e, 0); err != nil {
		return err
	}
	if misplaced {
		if e, err = b.entry(c.record()); err != nil {
			return err
		}
		e.Origin += "-x"
		if err := b.write(e, 0); err != nil {
			return err
		}
	}
	in := b.batch(held)
	if in.Checkpoint, err = b.sign(c.id, time.Now()); err != nil {
		return err
	}
	p, err := s.give(ctx, in)
	if err != nil {
		return fmt.Errorf("the batch with what does not conform: %w", err)
	}
	s.welcome.Positions = []*schema.Position{p}
	return c.judge(p, b.last(), b.last())
}

// quarantined lists the Quarantine records that came down to this child alone, by their place in the site's ledger.
func (c *child) quarantined() map[uint64]*schema.Quarantine {
	out := map[uint64]*schema.Quarantine{}
	l := c.copies[c.site]
	if l == nil {
		return out
	}
	for seq, e := range l.clear {
		if e.GetType() != "Quarantine" || e.GetTo() != c.name() {
			continue
		}
		q := &schema.Quarantine{}
		if err := proto.Unmarshal(e.GetRecord(), q); err == nil {
			out[seq] = q
		}
	}
	return out
}
