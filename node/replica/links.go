package replica

import (
	"context"
	"fmt"

	"dusthub/schema/rpc"
)

// TellLinks sets what this replica, as the leader, says of its site's links to parent and children: JSON.
func (r *Replica) TellLinks(tell func() ([]byte, error)) { r.tell.Store(&tell) }

// Links is what the leader says of the site's links, asked over the network when that is another replica. Errors: ErrNoLeader.
func (r *Replica) Links(ctx context.Context) ([]byte, error) {
	if tell := r.tell.Load(); tell != nil && r.IsLeader() {
		return (*tell)()
	}
	leader, _ := r.Leader()
	conn, ok := r.peers[leader]
	if !ok {
		return nil, ErrNoLeader
	}
	reply, err := rpc.NewReplicaClient(conn).Links(ctx, &rpc.LinksRequest{})
	if err != nil {
		return nil, fmt.Errorf("links of the site: %w", fromStatus(ctx, leader, err))
	}
	return reply.GetLinks(), nil
}
