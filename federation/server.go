package federation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/border"
	"dusthub/sync/lane"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Limits of a child's beginning.
const (
	helloWithin     = 10 * time.Second
	maxOrigins      = 1024
	supersedeWithin = 2 * time.Second
)

// server is the parent's end.
type server struct {
	rpc.UnimplementedFederationServer
	f *Federation
}

// child is what this replica knows of a child: for as long as the program runs, connected or not.
type child struct {
	hello    *rpc.Hello
	notAfter time.Time
	seen     time.Time
	status   *rpc.Status
	link     *link         // nil: not connected
	stop     func(error)   // ends the stream
	done     chan struct{} // closed when the stream has ended
}

type fromChild = grpc.BidiStreamingServer[rpc.FromChild, rpc.FromParent]

// Exchange is the stream with one child.
func (s *server) Exchange(stream fromChild) error {
	peer, err := sitePeer(stream.Context())
	if err != nil {
		return err
	}
	return toStatus(s.f.serve(stream, peer))
}

var errClosing = status.Error(codes.Unavailable, "site is shutting down")

func sitePeer(ctx context.Context) (tlcp.Peer, error) {
	p, ok := tlcp.PeerFrom(ctx)
	if !ok {
		return p, status.Error(codes.Unauthenticated, "no TLCP certificate")
	}
	if p.Unit != pki.UnitSite {
		return p, status.Errorf(codes.PermissionDenied, "certificate of %q is a %s's, not a site's", p.Name, p.Unit)
	}
	return p, nil
}

func (f *Federation) serve(stream fromChild, peer tlcp.Peer) error {
	g := newGroup(stream.Context())
	defer g.cancel(nil)
	defer context.AfterFunc(f.closed, func() { g.cancel(errClosing) })()
	messages := make(chan *rpc.FromChild)
	go func() { g.cancel(read(g.ctx, stream.Recv, messages)) }() // ends when this function has returned, not before
	hello, err := f.hello(g.ctx, messages, peer)
	if err != nil {
		return err
	}
	if f.store.Epoch() == 0 {
		return status.Error(codes.Unavailable, "this site has not begun yet")
	}
	c, leave, err := f.enter(g, hello, peer)
	if err != nil {
		return err
	}
	defer leave()
	positions, err := f.store.Positions(peer.Name)
	if err != nil {
		return fmt.Errorf("read positions: %w", err)
	}
	sources := append([]string{f.self}, f.above()...)
	if err = stream.Send(&rpc.FromParent{What: &rpc.FromParent_Welcome{Welcome: &rpc.Welcome{
		Site: f.self, Epoch: f.store.Epoch(), SchemaVersion: schema.Version, Positions: positions, Origins: sources,
	}}}); err != nil {
		return err
	}
	from := border.Neighbour{Site: peer.Name, Origins: map[string]bool{}}
	for _, o := range hello.GetOrigins() {
		from.Origins[o] = true
	}
	l := f.newLink(from, []string{lane.Events, lane.Live, lane.Backfill, lane.Attachments}, func(o out) error { return stream.Send(toChild(o)) })
	l.mend = newMender(l, func(m *rpc.FromParent) error {
		l.sending.Lock()
		defer l.sending.Unlock()
		return stream.Send(m)
	})
	f.mu.Lock()
	c.link = l
	f.mu.Unlock()
	l.log.Info("child connected", "version", hello.GetSoftwareVersion(), "origins", hello.GetOrigins())
	l.serveChild(g, c, messages, sources)
	err = g.wait()
	l.log.Info("child disconnected", "err", err)
	return err
}

// serveChild starts the goroutines of the parent's end.
func (l *link) serveChild(g *group, c *child, messages <-chan *rpc.FromChild, sources []string) {
	for name := range l.inbox {
		g.run(func(ctx context.Context) error { return l.take(ctx, name) })
	}
	for _, o := range sources {
		see := lane.Down(l.peer.Site)
		if o != l.self {
			see = lane.Verbatim
		}
		g.run(func(ctx context.Context) error {
			return l.sendLedger(ctx, o, held(c.hello.GetPositions(), o, lane.Events), see)
		})
	}
	g.run(l.mend.partitions)
	g.run(l.mend.attachments)
	g.run(func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case m := <-messages:
				if err := l.fromChild(ctx, c, m, len(sources)); err != nil {
					return err
				}
			}
		}
	})
}

// fromChild takes one message of a child; it waits for nothing but the record of something missing.
func (l *link) fromChild(ctx context.Context, c *child, m *rpc.FromChild, sources int) error {
	l.Federation.mu.Lock()
	c.seen = time.Now()
	if s := m.GetStatus(); s != nil {
		c.status = s
	}
	l.Federation.mu.Unlock()
	switch w := m.GetWhat().(type) {
	case *rpc.FromChild_Batch:
		return l.received(w.Batch)
	case *rpc.FromChild_Taken:
		return l.acknowledged(w.Taken)
	case *rpc.FromChild_Missing:
		return l.mend.missing(ctx, w.Missing)
	case *rpc.FromChild_Status:
		if len(l.above())+1 != sources {
			return errOrigins
		}
		return nil
	}
	return fmt.Errorf("%w: %s sends a message of an unknown kind in mid-stream", errProtocol, l.peer.Site)
}

func toChild(o out) *rpc.FromParent {
	if o.batch != nil {
		return &rpc.FromParent{What: &rpc.FromParent_Batch{Batch: o.batch}}
	}
	return &rpc.FromParent{What: &rpc.FromParent_Taken{Taken: o.taken}}
}

// read passes on what comes in until the stream or the context ends.
func read[M any](ctx context.Context, recv func() (M, error), to chan<- M) error {
	for {
		m, err := recv()
		if err != nil {
			return err
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return nil
		}
	}
}

// hello waits for the child's first message and judges it.
func (f *Federation) hello(ctx context.Context, messages <-chan *rpc.FromChild, peer tlcp.Peer) (*rpc.Hello, error) {
	var h *rpc.Hello
	select {
	case m := <-messages:
		h = m.GetHello()
	case <-time.After(helloWithin):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	switch {
	case h == nil:
		return nil, status.Error(codes.InvalidArgument, "the first message must be Hello, within 10 s")
	case h.GetSite() != peer.Name:
		return nil, status.Errorf(codes.PermissionDenied, "Hello of site %q over the certificate of %q", h.GetSite(), peer.Name)
	case peer.Name == f.self || peer.Name == f.opt.Parent.Site:
		return nil, status.Errorf(codes.PermissionDenied, "%q cannot be a child of %q", peer.Name, f.self)
	case major(h.GetSchemaVersion()) != major(schema.Version):
		return nil, status.Errorf(codes.FailedPrecondition, "schema version %q here, %q at %s: another major version", schema.Version, h.GetSchemaVersion(), peer.Name)
	case h.GetEpoch() == 0:
		return nil, status.Error(codes.InvalidArgument, "Hello without an epoch")
	case len(h.GetOrigins()) > maxOrigins:
		return nil, status.Errorf(codes.ResourceExhausted, "%d origins, at most %d", len(h.GetOrigins()), maxOrigins)
	}
	if held, ok := f.store.Head(peer.Name); ok && held.Epoch > h.GetEpoch() {
		return nil, status.Errorf(codes.FailedPrecondition, "epoch %d of %s is over: epoch %d was begun", h.GetEpoch(), peer.Name, held.Epoch)
	}
	return h, f.mayBring(peer.Name, h.GetOrigins())
}

// mayBring checks whose ledgers a child wants to bring: its own, and those that come by no other way.
func (f *Federation) mayBring(site string, origins []string) error {
	for _, o := range origins {
		if o == site {
			continue
		}
		if o == "" || o == f.self || o == f.opt.Parent.Site {
			return status.Errorf(codes.PermissionDenied, "%s cannot bring the ledger of %q here", site, o)
		}
		for _, h := range f.store.Heads() { // every neighbour sends its own ledger
			if h.Origin == site {
				continue
			}
			if _, ok, err := f.store.Position(h.Origin, o, lane.Events); err != nil {
				return fmt.Errorf("read position: %w", err)
			} else if ok {
				return status.Errorf(codes.PermissionDenied, "%s cannot bring the ledger of %q, which comes by way of %s", site, o, h.Origin)
			}
		}
	}
	return nil
}

// enter makes this stream the child's only one; an older one is ended first.
func (f *Federation) enter(g *group, h *rpc.Hello, peer tlcp.Peer) (*child, func(), error) {
	done := make(chan struct{})
	f.mu.Lock()
	before := f.children[peer.Name]
	c := &child{hello: h, notAfter: peer.NotAfter, seen: time.Now(), stop: g.cancel, done: done}
	f.children[peer.Name] = c
	f.mu.Unlock()
	f.metrics.link(peer.Name, true)
	leave := func() {
		g.cancel(nil)
		g.wg.Wait()
		f.mu.Lock()
		c.link = nil
		f.metrics.link(peer.Name, f.children[peer.Name] != c)
		f.mu.Unlock()
		close(done)
	}
	if before != nil {
		before.stop(errSuperseded)
		select {
		case <-before.done:
		case <-time.After(supersedeWithin): // its connection hangs; what it still takes in is skipped as known
		case <-g.ctx.Done():
			leave()
			return nil, nil, context.Cause(g.ctx)
		}
	}
	return c, leave, nil
}

// toStatus gives an error the code that docs/protocol.md says.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codes.Unavailable // come again
	for target, c := range map[error]codes.Code{
		border.ErrCheckpoint: codes.DataLoss, errFork: codes.DataLoss,
		border.ErrOrigin: codes.PermissionDenied, border.ErrEpoch: codes.FailedPrecondition, errRefused: codes.FailedPrecondition,
		border.ErrSize: codes.ResourceExhausted, border.ErrMalformed: codes.InvalidArgument, errProtocol: codes.InvalidArgument,
		border.ErrGap: codes.OutOfRange, errSuperseded: codes.Aborted, errOrigins: codes.Aborted,
	} {
		if errors.Is(err, target) {
			code = c
		}
	}
	return status.Error(code, err.Error())
}
