package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dusthub/crypto/sm"
	"dusthub/schema/rpc"
)

// Section 8: what Digests answers.
func digestsChecks() []Check {
	return []Check{
		{
			ID: "digests.chain", Section: "3, 8", Sent: "Digests of the site's own ledger, with entries", apart: true,
			Expected: "the chain recomputed from the entries' digests reaches the newest checkpoint, whose signature verifies", run: ownChain,
		},
		{
			ID: "digests.copy", Section: "3.1, 8", Sent: "Digests of the auditor's ledger, with entries", Expected: "the digests of the entries that were sent, and their newest checkpoint, unchanged",
			run: copiedEntries,
		},
		{
			ID: "digests.ranges", Section: "8", Sent: "Digests of the auditor's ledger, with a step of 2", Expected: "SM3 over the concatenated entry digests of each range",
			run: copiedRanges,
		},
	}
}

// digests calls Digests.
func (c *child) digests(ctx context.Context, req *rpc.DigestRequest) (*rpc.DigestReply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	reply, err := c.client.Digests(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask for digests of %s: %w", req.GetOrigin(), err)
	}
	return reply, nil
}

// signedEvery is how long a site that grows may take to sign (section 3.3), twice.
const signedEvery = 20 * time.Second

// newest waits until a ledger has a checkpoint: a site that has just begun signs a little later.
func (c *child) newest(ctx context.Context, origin string) (*rpc.DigestReply, error) {
	for deadline := time.Now().Add(signedEvery); ; {
		reply, err := c.digests(ctx, &rpc.DigestRequest{Origin: origin})
		switch {
		case err != nil:
			return nil, err
		case reply.GetCheckpoint() != nil:
			return reply, nil
		case time.Now().After(deadline) && reply.GetLast() == 0:
			return nil, skip("the ledger of " + origin + " is empty yet")
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%d entries of %s, and no checkpoint within %s", reply.GetLast(), origin, signedEvery)
		}
		if !wait(ctx, c.patience/20) {
			return nil, ctx.Err()
		}
	}
}

func ownChain(ctx context.Context, a *audit) (string, error) {
	c, origin := a.child, a.target.Site
	newest, err := c.newest(ctx, origin)
	if err != nil {
		return "", err
	}
	signed := newest.GetCheckpoint()
	if signed.GetOrigin() != origin || signed.GetEpoch() != newest.GetEpoch() || signed.GetSeq() == 0 || signed.GetSeq() > newest.GetLast() {
		return "", fmt.Errorf("the checkpoint is of %s epoch %d seq %d, the ledger of epoch %d with %d entries", signed.GetOrigin(), signed.GetEpoch(), signed.GetSeq(), newest.GetEpoch(), newest.GetLast())
	}
	d := genesis(origin, newest.GetEpoch())
	for next := uint64(1); next <= signed.GetSeq(); {
		sums, err := c.sums(ctx, origin, newest.GetEpoch(), next, signed.GetSeq())
		if err != nil {
			return "", err
		}
		for _, sum := range sums {
			d = following(d, sum)
		}
		next += uint64(len(sums))
	}
	if string(d[:]) != string(signed.GetDigest()) {
		return "", fmt.Errorf("the entries give digest %.8x at seq %d, signed is %.8x", d, signed.GetSeq(), signed.GetDigest())
	}
	if err := verify(c.id.Pool(), signed); err != nil {
		return "", fmt.Errorf("the checkpoint at %d: %w", signed.GetSeq(), err)
	}
	return fmt.Sprintf("%d entries, signed up to %d", newest.GetLast(), signed.GetSeq()), nil
}

// sums asks for entry digests; the reply may end early.
func (c *child) sums(ctx context.Context, origin string, epoch, from, to uint64) ([]digest, error) {
	reply, err := c.digests(ctx, &rpc.DigestRequest{Origin: origin, Epoch: epoch, From: from, To: to, Entries: true})
	if err != nil {
		return nil, err
	}
	if len(reply.GetRanges()) == 0 || uint64(len(reply.GetRanges())) > to-from+1 {
		return nil, fmt.Errorf("entries %d to %d were asked for, %d came", from, to, len(reply.GetRanges()))
	}
	var out []digest
	for i, r := range reply.GetRanges() {
		if r.GetFrom() != from+uint64(i) || r.GetTo() != r.GetFrom() || len(r.GetDigest()) != digestSize {
			return nil, fmt.Errorf("for entry %d came a digest of %d bytes for %d to %d", from+uint64(i), len(r.GetDigest()), r.GetFrom(), r.GetTo())
		}
		out = append(out, digest(r.GetDigest()))
	}
	return out, nil
}

// settledCopy makes sure that the site holds something of the auditor's ledger.
func (a *audit) settledCopy(ctx context.Context) (*book, error) {
	s, err := a.child.settled(ctx)
	if err != nil {
		return nil, err
	}
	s.close()
	return a.child.book, nil
}

func copiedEntries(ctx context.Context, a *audit) (string, error) {
	b, err := a.settledCopy(ctx)
	if err != nil {
		return "", err
	}
	reply, err := a.child.digests(ctx, &rpc.DigestRequest{Origin: b.origin})
	if err != nil {
		return "", err
	}
	if reply.GetEpoch() != b.epoch || reply.GetLast() != b.last() || reply.GetCheckpoint().GetSeq() != b.last() {
		return "", fmt.Errorf("epoch %d, last %d, checkpoint %d; sent were epoch %d, last and checkpoint %d", reply.GetEpoch(), reply.GetLast(), reply.GetCheckpoint().GetSeq(), b.epoch, b.last())
	}
	if err := verify(a.id.Pool(), reply.GetCheckpoint()); err != nil {
		return "", fmt.Errorf("the auditor's own checkpoint came back changed: %w", err)
	}
	sums, err := a.child.sums(ctx, b.origin, b.epoch, 1, b.last())
	if err != nil {
		return "", err
	}
	for i, sum := range sums {
		if sum != b.sums[i] {
			return "", fmt.Errorf("entry %d has digest %.8x, sent was %.8x", i+1, sum, b.sums[i])
		}
	}
	if uint64(len(sums)) != b.last() {
		return "", fmt.Errorf("%d of %d entries", len(sums), b.last())
	}
	return fmt.Sprintf("%d entries", len(sums)), nil
}

func copiedRanges(ctx context.Context, a *audit) (string, error) {
	b, err := a.settledCopy(ctx)
	if err != nil {
		return "", err
	}
	const step = 2
	reply, err := a.child.digests(ctx, &rpc.DigestRequest{Origin: b.origin, Epoch: b.epoch, From: 1, To: b.last(), Step: step})
	if err != nil {
		return "", err
	}
	next := uint64(1)
	for _, r := range reply.GetRanges() {
		end := min(next+step-1, b.last())
		if r.GetFrom() != next || r.GetTo() != end {
			return "", fmt.Errorf("a range from %d to %d where %d to %d was due", r.GetFrom(), r.GetTo(), next, end)
		}
		var all []byte
		for _, sum := range b.sums[next-1 : end] {
			all = append(all, sum[:]...)
		}
		if want := sm.SM3(all); string(r.GetDigest()) != string(want[:]) {
			return "", fmt.Errorf("entries %d to %d: digest %.8x, wanted %.8x", next, end, r.GetDigest(), want)
		}
		next = end + 1
	}
	if next != b.last()+1 {
		return "", errors.New("the ranges end before the last entry")
	}
	return fmt.Sprintf("%d ranges", len(reply.GetRanges())), nil
}
