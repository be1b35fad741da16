// Package verify compares what two sites hold of one site's ledger and samples, and names the differences. It needs no
// trust in either: the chain is recomputed from the entries' digests, and its end must be what the origin signed.
package verify

import (
	"context"
	"encoding/hex"
	"fmt"

	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc"
)

// Source is a site's copy of the ledgers it holds.
type Source interface {
	Name() string
	// Digests answers rpc.Federation's call of that name.
	Digests(ctx context.Context, req *rpc.DigestRequest) (*rpc.DigestReply, error)
}

type remote struct {
	name   string
	client rpc.FederationClient
}

// Remote asks a site over its connection (federation.DialOptions).
func Remote(site string, conn grpc.ClientConnInterface) Source {
	return remote{site, rpc.NewFederationClient(conn)}
}

func (r remote) Name() string { return r.name }

func (r remote) Digests(ctx context.Context, req *rpc.DigestRequest) (*rpc.DigestReply, error) {
	reply, err := r.client.Digests(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for digests: %w", r.name, err)
	}
	return reply, nil
}

type local struct {
	name  string
	store *store.Store
}

// Local reads a store.
func Local(site string, s *store.Store) Source { return local{site, s} }

func (l local) Name() string { return l.name }

// Limits of one reply, so that it stays below a message's limit and a call is bounded work.
const (
	maxRanges  = 16 << 10
	maxEntries = 1 << 20
)

// Digests computes digests over ranges of step entries, from first to last. A reply that would be too long ends early; the
// caller goes on behind its last range. An origin that is not here has last 0. Without a step there are no ranges.
func (l local) Digests(ctx context.Context, req *rpc.DigestRequest) (*rpc.DigestReply, error) {
	reply := &rpc.DigestReply{}
	head, ok := l.store.Head(req.GetOrigin())
	if !ok || req.GetEpoch() != 0 && req.GetEpoch() != head.Epoch {
		return reply, nil
	}
	reply.Epoch, reply.Last = head.Epoch, head.Seq
	signed, ok, err := l.store.Signed(req.GetOrigin(), head.Epoch, 0)
	if err != nil {
		return nil, fmt.Errorf("digests of %s: %w", req.GetOrigin(), err)
	}
	if ok {
		reply.Checkpoint = signed
	}
	from, to := max(1, req.GetFrom()), head.Seq
	if req.GetTo() != 0 {
		to = min(to, req.GetTo())
	}
	if req.GetEntries() {
		return reply, l.entries(ctx, reply, req.GetOrigin(), from, to)
	}
	if req.GetStep() == 0 {
		return reply, l.partitions(reply, req.GetOrigin())
	}
	step := uint64(req.GetStep())
	for given := uint64(0); from <= to && len(reply.GetRanges()) < maxRanges && given < maxEntries; from += step {
		end := min(to, from+step-1)
		d, err := l.store.DigestRange(ctx, req.GetOrigin(), head.Epoch, from, end)
		if err != nil {
			return nil, fmt.Errorf("digests of %s: %w", req.GetOrigin(), err)
		}
		reply.Ranges = append(reply.Ranges, &rpc.RangeDigest{From: from, To: end, Digest: d[:]})
		given += end - from + 1
	}
	return reply, nil
}

func (l local) entries(ctx context.Context, reply *rpc.DigestReply, origin string, from, to uint64) error {
	if to < from {
		return nil
	}
	err := l.store.Ledger(ctx, origin, reply.GetEpoch(), from, int(min(to-from+1, maxRanges)), func(seq uint64, item *schema.Item) error {
		d, err := store.ItemDigest(item)
		reply.Ranges = append(reply.Ranges, &rpc.RangeDigest{From: seq, To: seq, Digest: d[:]})
		return err
	})
	if err != nil {
		return fmt.Errorf("digests of %s: %w", origin, err)
	}
	return nil
}

// maxPartitions are told, the newest: ten years of two-hour partitions would not fit a message.
const maxPartitions = 32 << 10

func (l local) partitions(reply *rpc.DigestReply, origin string) error {
	all, err := l.store.Partitions(origin, 0)
	if err != nil {
		return fmt.Errorf("partitions of %s: %w", origin, err)
	}
	for _, p := range all[max(0, len(all)-maxPartitions):] {
		reply.Partitions = append(reply.Partitions, &schema.Partition{
			Start: p.Start, End: p.Start + l.store.PartitionMs(), Series: p.Series, Samples: p.Samples, Root: p.Computed[:], Revision: p.Revision,
		})
	}
	return nil
}

func short(d []byte) string { return hex.EncodeToString(d[:min(len(d), 8)]) }
