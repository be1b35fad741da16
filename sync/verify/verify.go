package verify

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"dusthub/crypto/chain"
	"dusthub/crypto/pki"
	"dusthub/schema"
	"dusthub/schema/rpc"
)

// Report is what a comparison found.
type Report struct {
	Origin      string   `json:"origin"`
	Epoch       uint64   `json:"epoch"`
	A           Copy     `json:"a"`
	B           Copy     `json:"b"`
	Compared    uint64   `json:"compared"`   // entries that both have
	Partitions  int      `json:"partitions"` // that both have sealed
	Differences []string `json:"differences,omitempty"`
}

// Copy is one site's copy of a ledger.
type Copy struct {
	Site   string `json:"site"`
	Last   uint64 `json:"last"`   // entries
	Signed uint64 `json:"signed"` // of which the origin's newest checkpoint covers so many
	Chain  bool   `json:"chain"`  // recomputed from the entries' digests, it is what was signed
}

// Equal says whether nothing differs and both chains verify. A copy that is merely behind is no difference.
func (r *Report) Equal() bool {
	return len(r.Differences) == 0 && r.A.Chain && r.B.Chain
}

func (r *Report) differ(format string, args ...any) {
	const most = 100
	if len(r.Differences) < most {
		r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
	}
}

// Compare compares two sites' copies of an origin's ledger and samples. Differences are data, not errors.
func Compare(ctx context.Context, pool *pki.Pool, origin string, a, b Source) (*Report, error) {
	r := &Report{Origin: origin, A: Copy{Site: a.Name()}, B: Copy{Site: b.Name()}}
	ra, err := a.Digests(ctx, &rpc.DigestRequest{Origin: origin})
	if err != nil {
		return nil, err
	}
	rb, err := b.Digests(ctx, &rpc.DigestRequest{Origin: origin})
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		copy  *Copy
		reply *rpc.DigestReply
		src   Source
	}{{&r.A, ra, a}, {&r.B, rb, b}} {
		x.copy.Last = x.reply.GetLast()
		if x.reply.GetLast() == 0 {
			r.differ("%s has nothing of %s's ledger", x.copy.Site, origin)
			continue
		}
		if err := r.chain(ctx, pool, x.copy, x.reply, x.src); err != nil {
			return nil, err
		}
	}
	if ra.GetLast() == 0 || rb.GetLast() == 0 {
		return r, nil
	}
	r.Epoch = ra.GetEpoch()
	if ra.GetEpoch() != rb.GetEpoch() {
		r.differ("%s holds epoch %d of %s, %s epoch %d: two lives of the site", a.Name(), ra.GetEpoch(), origin, b.Name(), rb.GetEpoch())
		return r, nil
	}
	r.Compared = min(ra.GetLast(), rb.GetLast())
	if err := r.ranges(ctx, a, b, 1, r.Compared); err != nil {
		return nil, err
	}
	r.partitions(ra.GetPartitions(), rb.GetPartitions())
	return r, nil
}

// chain recomputes a copy's chain up to the newest checkpoint and checks the signature.
func (r *Report) chain(ctx context.Context, pool *pki.Pool, c *Copy, reply *rpc.DigestReply, src Source) error {
	signed := reply.GetCheckpoint()
	if signed == nil {
		r.differ("%s has no signed checkpoint of %s", c.Site, r.Origin)
		return nil
	}
	c.Signed = signed.GetSeq()
	d := chain.Genesis(r.Origin, reply.GetEpoch())
	for next := uint64(1); next <= signed.GetSeq(); {
		page, err := src.Digests(ctx, &rpc.DigestRequest{Origin: r.Origin, Epoch: reply.GetEpoch(), From: next, To: signed.GetSeq(), Entries: true})
		if err != nil {
			return err
		}
		if len(page.GetRanges()) == 0 {
			r.differ("%s has a checkpoint of %s at entry %d, its copy ends at %d", c.Site, r.Origin, signed.GetSeq(), next-1)
			return nil
		}
		for _, e := range page.GetRanges() {
			if e.GetFrom() != next || len(e.GetDigest()) != chain.Size {
				return fmt.Errorf("%s answers entry %d of %s where %d was asked for", c.Site, e.GetFrom(), r.Origin, next)
			}
			d = chain.Next(d, chain.Digest(e.GetDigest()))
			next++
		}
	}
	if !bytes.Equal(d[:], signed.GetDigest()) {
		r.differ("the chain of %s at %s gives %s at entry %d, signed is %s", r.Origin, c.Site, short(d[:]), signed.GetSeq(), short(signed.GetDigest()))
		return nil
	}
	msg := chain.CheckpointMessage(r.Origin, reply.GetEpoch(), signed.GetSeq(), d, signed.GetTime())
	if err := pool.VerifyBySite(signed.GetCertificate(), r.Origin, msg, signed.GetSignature(), time.UnixMilli(signed.GetTime())); err != nil {
		r.differ("the checkpoint of %s at %s, entry %d: %v", r.Origin, c.Site, signed.GetSeq(), err)
		return nil
	}
	c.Chain = true
	return nil
}

// fanout is into how many parts a range that differs is split.
const fanout = 64

// ranges compares digests of ranges within [from, to] and looks closer where they differ.
func (r *Report) ranges(ctx context.Context, a, b Source, from, to uint64) error {
	const most = 1 << 16 // entries of a range
	step := min(max(1, (to-from+fanout)/fanout), most)
	for from <= to {
		req := &rpc.DigestRequest{Origin: r.Origin, Epoch: r.Epoch, From: from, To: to, Step: uint32(step)}
		pa, err := a.Digests(ctx, req)
		if err != nil {
			return err
		}
		pb, err := b.Digests(ctx, req)
		if err != nil {
			return err
		}
		n := min(len(pa.GetRanges()), len(pb.GetRanges()))
		if n == 0 {
			return fmt.Errorf("no digests of %s from entry %d", r.Origin, from)
		}
		for i := range n {
			if err := r.oneRange(ctx, a, b, pa.GetRanges()[i], pb.GetRanges()[i]); err != nil {
				return err
			}
		}
		from = pa.GetRanges()[n-1].GetTo() + 1
	}
	return nil
}

func (r *Report) oneRange(ctx context.Context, a, b Source, x, y *rpc.RangeDigest) error {
	switch {
	case x.GetFrom() != y.GetFrom() || x.GetTo() != y.GetTo():
		return fmt.Errorf("%s and %s answer other ranges of %s", a.Name(), b.Name(), r.Origin)
	case bytes.Equal(x.GetDigest(), y.GetDigest()):
		return nil
	case x.GetFrom() == x.GetTo():
		r.differ("entry %d of %s: %s and %s hold different ones", x.GetFrom(), r.Origin, a.Name(), b.Name())
		return nil
	}
	return r.ranges(ctx, a, b, x.GetFrom(), x.GetTo())
}

// partitions compares the roots of partitions that both have sealed. The newest may be sealed at one site and not yet at the other.
func (r *Report) partitions(as, bs []*schema.Partition) {
	other := map[int64]*schema.Partition{}
	newest := int64(0)
	for _, p := range bs {
		other[p.GetStart()] = p
		newest = max(newest, p.GetStart())
	}
	for _, p := range as {
		q := other[p.GetStart()]
		delete(other, p.GetStart())
		name := time.UnixMilli(p.GetStart()).UTC().Format(time.RFC3339)
		switch {
		case q == nil && p.GetStart() < newest:
			r.differ("partition %s of %s: %s has %d samples, %s has none", name, r.Origin, r.A.Site, p.GetSamples(), r.B.Site)
		case q == nil:
		case !bytes.Equal(p.GetRoot(), q.GetRoot()):
			r.differ("partition %s of %s: %d samples of %d series at %s, %d of %d at %s", name, r.Origin, p.GetSamples(), p.GetSeries(), r.A.Site, q.GetSamples(), q.GetSeries(), r.B.Site)
		default:
			r.Partitions++
		}
	}
	if len(as) == 0 {
		return
	}
	last := as[len(as)-1].GetStart()
	for start, q := range other {
		if start < last {
			r.differ("partition %s of %s: %s has none, %s has %d samples", time.UnixMilli(start).UTC().Format(time.RFC3339), r.Origin, r.A.Site, r.B.Site, q.GetSamples())
		}
	}
}
