package replica

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// maxMessage bounds one message of rpc.Replica: the largest command is a batch of a neighbour's ledger.
const maxMessage = 32 << 20

// Pauses and keepalives between replicas: short, they are near each other, and a dead one must be noticed soon.
const (
	redialFirst = 50 * time.Millisecond
	redialLast  = 2 * time.Second
	aliveEvery  = 10 * time.Second
	aliveWithin = 3 * time.Second
)

// allow lets in replicas of the own site alone.
func (o *Options) allow(p tlcp.Peer) error {
	if p.Name != o.Site || p.Unit != pki.UnitSite {
		return fmt.Errorf("%s %q is no replica of site %q", p.Unit, p.Name, o.Site)
	}
	return nil
}

// stream is raft's way to the other replicas.
type stream struct {
	net.Listener
	r *Replica
}

// address is a listener's address as the others know it.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func (r *Replica) listen(ctx context.Context) (raft.StreamLayer, error) {
	l, err := tlcp.Listen(ctx, r.opt.Self.Raft, r.opt.Identity, r.opt.allow, r.log)
	if err != nil {
		return nil, err
	}
	return &stream{l, r}, nil
}

// Addr is the configured address.
func (s *stream) Addr() net.Addr { return address(s.r.opt.Self.Raft) }

// Dial connects to another replica.
func (s *stream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return tlcp.Dial(ctx, string(to), s.r.opt.Identity, s.r.opt.Site)
}

// dial prepares the way to another replica's service; it connects by itself, and again.
func (o *Options) dial(p Peer) (*grpc.ClientConn, error) {
	c, err := grpc.NewClient("passthrough:///"+p.RPC,
		grpc.WithTransportCredentials(tlcp.ClientCredentials(o.Identity, o.Site)),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: redialFirst, Multiplier: 1.6, Jitter: 0.2, MaxDelay: redialLast}, MinConnectTimeout: tlcp.HandshakeTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: aliveEvery, Timeout: aliveWithin, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("way to replica %s: %w", p.ID, err)
	}
	return c, nil
}

func (r *Replica) connect() error {
	for _, p := range r.opt.Peers {
		if p.ID == r.opt.Self.ID {
			continue
		}
		c, err := r.opt.dial(p)
		if err != nil {
			return err
		}
		c.Connect()
		r.peers[p.ID] = c
	}
	return nil
}

// serve answers the other replicas.
func (r *Replica) serve(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", r.opt.Self.RPC)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", r.opt.Self.RPC, err)
	}
	r.server = grpc.NewServer(
		grpc.Creds(tlcp.ServerCredentials(r.opt.Identity, r.opt.allow, r.log)), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: aliveEvery / 2, PermitWithoutStream: true}),
	)
	rpc.RegisterReplicaServer(r.server, &service{r: r})
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		if err := r.server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			r.fail(fmt.Errorf("serve replicas: %w", err))
		}
	}()
	return nil
}

// service is rpc.Replica.
type service struct {
	rpc.UnimplementedReplicaServer
	r *Replica
}

// Links says how the links stand that this replica holds as the leader.
func (s *service) Links(context.Context, *rpc.LinksRequest) (*rpc.LinksReply, error) {
	tell := s.r.tell.Load()
	if !s.r.IsLeader() || tell == nil {
		return nil, status.Error(codes.Unavailable, "not the leader")
	}
	links, err := (*tell)()
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &rpc.LinksReply{Links: links}, nil
}

// Propose takes a command that another replica forwards; it is not forwarded again.
func (s *service) Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	if !s.r.IsLeader() {
		return nil, status.Error(codes.Unavailable, "not the leader")
	}
	res, err := s.r.lead(ctx, cmd)
	switch {
	case err == nil:
		return res, nil
	case errors.Is(err, ErrNoLeader), errors.Is(err, ErrClosed):
		return nil, status.Error(codes.Unavailable, err.Error())
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return nil, status.Error(codes.Internal, err.Error())
}
