package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"dusthub/schema"
	"dusthub/schema/rpc"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Pauses between attempts while there is no leader.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// Propose has a command applied, by way of the leader, and returns what became of it; refused commands have violations in
// the result. The command is given an id when it has none, and a time. When leadership moves it is sent again. When
// Propose returns, the effects are visible in this replica's store, but for frames, which nobody waits for.
// Errors: ErrNoLeader and the context's when it ends first, ErrClosed.
func (r *Replica) Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	begun := time.Now()
	if cmd.GetId() == "" {
		cmd.Id = uuid.NewString()
	}
	res, err := r.propose(ctx, cmd)
	r.metrics.proposed(begun, err)
	if err != nil {
		return nil, fmt.Errorf("propose command %s: %w", cmd.GetId(), err)
	}
	return res, nil
}

func (r *Replica) propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		res, err := r.attempt(ctx, cmd)
		if err == nil {
			return res, nil
		}
		if !errors.Is(err, ErrNoLeader) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-r.closed:
			return nil, ErrClosed
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // spreads the attempts of many callers
		}
	}
}

// attempt proposes once, here or at the leader. ErrNoLeader: try again.
func (r *Replica) attempt(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	if r.IsLeader() {
		return r.lead(ctx, cmd)
	}
	leader, _ := r.Leader()
	conn, ok := r.peers[leader]
	if !ok {
		return nil, ErrNoLeader
	}
	res, err := rpc.NewReplicaClient(conn).Propose(ctx, cmd)
	if err != nil {
		return nil, fromStatus(ctx, leader, err)
	}
	if _, frame := cmd.GetBody().(*schema.Command_Frame); frame {
		return res, nil
	}
	if _, err := r.opt.Hub.Wait(ctx, res.GetIndex()-1); err != nil {
		return nil, fmt.Errorf("command %d is committed, not yet applied here: %w", res.GetIndex(), err)
	}
	return res, nil
}

// fromStatus makes of a forwarded command's error what a caller decides on.
func fromStatus(ctx context.Context, leader string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("forward to %s: %w", leader, ctx.Err())
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.Canceled:
		return fmt.Errorf("%w: forward to %s: %w", ErrNoLeader, leader, err)
	}
	return fmt.Errorf("forward to %s: %w", leader, err)
}

// lead has a command committed by this replica.
func (r *Replica) lead(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	select {
	case r.inFlight <- struct{}{}:
		defer func() { <-r.inFlight }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.closed:
		return nil, ErrClosed
	}
	cmd.Time = r.stamp()
	data, err := schema.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	future := r.raft.Apply(data, enqueueTimeout)
	if err := r.settled(future); err != nil {
		return nil, r.fromRaft(err)
	}
	switch out := future.Response().(type) {
	case *schema.Result:
		return out, nil
	case error:
		return nil, out
	default:
		return nil, fmt.Errorf("command at %d was not applied", future.Index())
	}
}

// settled waits until raft has dealt with what it was given, or this replica closes. Raft alone must not be waited for: what
// lies in its buffered queue (BatchApplyCh) when it shuts down is never answered.
func (r *Replica) settled(f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-r.closed:
		return raft.ErrRaftShutdown
	}
}

// fromRaft tells errors after which the command may be sent again from the others.
func (r *Replica) fromRaft(err error) error {
	switch {
	case r.Err() != nil:
		return r.Err()
	case errors.Is(err, raft.ErrRaftShutdown):
		return ErrClosed
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrLeadershipTransferInProgress),
		errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrAbortedByRestore):
		return fmt.Errorf("%w: %w", ErrNoLeader, err)
	}
	return err
}

// stamp is the time of a command, in ms: now, but never before that of a command stamped or applied earlier.
func (r *Replica) stamp() int64 {
	now := max(time.Now().UnixMilli(), r.opt.Machine.Now())
	for {
		last := r.lastTime.Load()
		now = max(now, last)
		if r.lastTime.CompareAndSwap(last, now) {
			return now
		}
	}
}
