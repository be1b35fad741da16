package federation

import (
	"context"

	"dusthub/schema/rpc"
	"dusthub/sync/verify"
)

// Digests answers `dusthub verify` of any site of the same CA.
func (s *server) Digests(ctx context.Context, req *rpc.DigestRequest) (*rpc.DigestReply, error) {
	if _, err := sitePeer(ctx); err != nil {
		return nil, err
	}
	reply, err := verify.Local(s.f.self, s.f.store).Digests(ctx, req)
	return reply, toStatus(err)
}
