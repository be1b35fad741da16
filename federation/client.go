package federation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"dusthub/crypto/tlcp"
	"dusthub/schema"
	"dusthub/schema/rpc"
	"dusthub/sync/border"
	"dusthub/sync/lane"

	"google.golang.org/grpc"
)

// Pauses of the child's end.
const (
	firstPause  = 200 * time.Millisecond // before dialling again; doubles, and is spread
	lastPause   = 5 * time.Second
	statusEvery = 2 * time.Second
	questions   = 4 // of a parent that wait to be answered; it asks one of each kind at a time
)

// Run dials the parent while this replica leads, and again whenever the link ends. It returns when the context ends, at
// once when there is no parent.
func (f *Federation) Run(ctx context.Context) error {
	if f.opt.Parent.Site == "" {
		return nil
	}
	leadership, end := f.opt.Site.Leadership()
	defer end()
	for {
		select {
		case <-ctx.Done():
			return nil
		case leads := <-leadership:
			if !leads {
				continue
			}
		}
		if err := f.runLeading(ctx, leadership); err != nil {
			return err
		}
	}
}

// runLeading keeps the link up until this replica no longer leads.
func (f *Federation) runLeading(ctx context.Context, leadership <-chan bool) error {
	leading, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.keepUp(leading)
	}()
	defer func() {
		cancel()
		<-done
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.closed.Done():
			<-ctx.Done()
			return nil
		case leads := <-leadership:
			if !leads {
				return nil
			}
		}
	}
}

// keepUp dials the parent's replicas in turn.
func (f *Federation) keepUp(ctx context.Context) {
	pause := firstPause
	for i := 0; ctx.Err() == nil && f.closed.Err() == nil; i++ {
		addr := f.opt.Parent.Addrs[i%len(f.opt.Parent.Addrs)]
		begun := time.Now()
		welcomed, err := f.connect(ctx, addr)
		if ctx.Err() != nil || f.closed.Err() != nil {
			return
		}
		f.mu.Lock()
		f.ended = err
		f.mu.Unlock()
		if welcomed && time.Since(begun) > lastPause || errors.Is(err, errOrigins) {
			pause = firstPause
		}
		f.log.Warn("link to parent ended", "parent", f.opt.Parent.Site, "addr", addr, "again", pause, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-f.closed.Done():
			return
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // spreads the children of a parent that came back
		}
		pause = min(2*pause, lastPause)
	}
}

type toParent = grpc.BidiStreamingClient[rpc.FromChild, rpc.FromParent]

// connect makes one link to the parent and works it until it ends; it says whether the parent let this site in.
func (f *Federation) connect(ctx context.Context, addr string) (bool, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, DialOptions(f.opt.Site.Identity(), f.opt.Parent.Site)...)
	if err != nil {
		return false, fmt.Errorf("dial parent: %w", err)
	}
	defer func() {
		if failed := conn.Close(); failed != nil {
			f.log.Debug("close connection to parent", "err", failed)
		}
	}()
	g := newGroup(ctx)
	defer g.cancel(nil)
	stop := context.AfterFunc(f.closed, func() { g.cancel(context.Canceled) })
	defer stop()
	for applied := uint64(0); f.store.Epoch() == 0; { // the site's first command gives it
		if applied, err = f.opt.Site.Hub().Wait(g.ctx, applied); err != nil {
			return false, err
		}
	}
	stream, err := rpc.NewFederationClient(conn).Exchange(g.ctx)
	if err != nil {
		return false, fmt.Errorf("call parent: %w", err)
	}
	messages := make(chan *rpc.FromParent)
	g.run(func(ctx context.Context) error { return ended(read(ctx, stream.Recv, messages)) })
	below := f.below()
	welcome, err := f.greet(g.ctx, stream, messages, below)
	if err != nil {
		g.cancel(err)
		return false, g.wait()
	}
	l := f.newLink(border.Neighbour{Site: f.opt.Parent.Site, Origins: f.fromAbove(welcome.GetOrigins(), below)}, []string{lane.Events}, func(o out) error {
		return sent(stream.Send(fromHere(o)))
	})
	for _, p := range welcome.GetPositions() {
		l.taken[key{p.GetLane(), p.GetOrigin()}] = p
	}
	f.setUp(l)
	defer f.setUp(nil)
	f.metrics.link(l.peer.Site, true)
	defer f.metrics.link(l.peer.Site, false)
	l.log.Info("connected to parent", "addr", addr)
	if peer, ok := tlcp.PeerFrom(stream.Context()); ok && f.opt.Joined != nil {
		g.run(func(ctx context.Context) error { return f.opt.Joined(ctx, peer) })
	}
	l.workParent(g, stream, messages, welcome, below)
	return true, g.wait()
}

// ended makes an error of a stream that the other end closed without one.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("parent closed the stream")
	}
	return err
}

// sent is the error of sending: a stream that has ended tells why where it is read.
func sent(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (f *Federation) setUp(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up = l
}

// greet says Hello and waits for Welcome.
func (f *Federation) greet(ctx context.Context, stream toParent, messages <-chan *rpc.FromParent, below []string) (*rpc.Welcome, error) {
	positions, err := f.store.Positions(f.opt.Parent.Site)
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	if err := sent(stream.Send(&rpc.FromChild{What: &rpc.FromChild_Hello{Hello: &rpc.Hello{
		Site: f.self, Epoch: f.store.Epoch(), SchemaVersion: schema.Version, SoftwareVersion: f.opt.Version, Record: f.opt.Record,
		Origins: append([]string{f.self}, below...), Positions: positions,
	}}})); err != nil {
		return nil, fmt.Errorf("greet parent: %w", err)
	}
	select {
	case m := <-messages:
		w := m.GetWelcome()
		switch {
		case w.GetSite() != f.opt.Parent.Site:
			return nil, fmt.Errorf("%w: welcome of %q, wanted %q", errProtocol, w.GetSite(), f.opt.Parent.Site)
		case major(w.GetSchemaVersion()) != major(schema.Version):
			return nil, fmt.Errorf("%w: parent speaks schema version %q, this site %q", errProtocol, w.GetSchemaVersion(), schema.Version)
		}
		return w, nil
	case <-time.After(helloWithin):
		return nil, fmt.Errorf("%w: parent says nothing", errProtocol)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fromAbove are the origins a parent may send: what it announced, but for this site and those below it.
func (f *Federation) fromAbove(announced, below []string) map[string]bool {
	out := map[string]bool{}
	for _, o := range announced {
		if o != f.self && !slices.Contains(below, o) {
			out[o] = true
		}
	}
	return out
}

func fromHere(o out) *rpc.FromChild {
	if o.batch != nil {
		return &rpc.FromChild{What: &rpc.FromChild_Batch{Batch: o.batch}}
	}
	return &rpc.FromChild{What: &rpc.FromChild_Taken{Taken: o.taken}}
}

// workParent starts the goroutines of the child's end.
func (l *link) workParent(g *group, stream toParent, messages <-chan *rpc.FromParent, w *rpc.Welcome, below []string) {
	say := func(m *rpc.FromChild) error {
		l.sending.Lock()
		defer l.sending.Unlock()
		return sent(stream.Send(m))
	}
	missing := func(x *rpc.Missing) error { return say(&rpc.FromChild{What: &rpc.FromChild_Missing{Missing: x}}) }
	g.run(func(ctx context.Context) error { return l.take(ctx, lane.Events) })
	g.run(func(ctx context.Context) error {
		return l.sendLedger(ctx, l.self, held(w.GetPositions(), l.self, lane.Events), lane.Up)
	})
	for _, o := range below {
		g.run(func(ctx context.Context) error {
			return l.sendLedger(ctx, o, held(w.GetPositions(), o, lane.Events), lane.Verbatim)
		})
	}
	g.run(func(ctx context.Context) error { return l.sendFrames(ctx, held(w.GetPositions(), l.self, lane.Live)) })
	wants, contents := make(chan *rpc.Want, questions), make(chan string, questions)
	g.run(func(ctx context.Context) error {
		return each(ctx, wants, func(x *rpc.Want) error { return l.answer(ctx, x, missing) })
	})
	g.run(func(ctx context.Context) error {
		return each(ctx, contents, func(id string) error { return l.answerContent(ctx, id, missing) })
	})
	g.run(func(ctx context.Context) error { return l.tell(ctx, say, below) })
	g.run(func(ctx context.Context) error {
		return each(ctx, messages, func(m *rpc.FromParent) error { return l.fromParent(m, wants, contents) })
	})
}

// each calls fn for what comes until the context ends.
func each[M any](ctx context.Context, from <-chan M, fn func(M) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-from:
			if err := fn(m); err != nil {
				return err
			}
		}
	}
}

// fromParent takes one message of the parent; it never waits.
func (l *link) fromParent(m *rpc.FromParent, wants chan<- *rpc.Want, contents chan<- string) error {
	switch w := m.GetWhat().(type) {
	case *rpc.FromParent_Batch:
		return l.received(w.Batch)
	case *rpc.FromParent_Taken:
		return l.acknowledged(w.Taken)
	case *rpc.FromParent_Want:
		return offer(wants, w.Want)
	case *rpc.FromParent_Attachment:
		return offer(contents, w.Attachment.GetId())
	}
	return fmt.Errorf("%w: %s sends a message of an unknown kind in mid-stream", errProtocol, l.peer.Site)
}

func offer[M any](to chan<- M, m M) error {
	select {
	case to <- m:
		return nil
	default:
		return fmt.Errorf("%w: parent has more than %d questions open", errProtocol, questions)
	}
}

// tell says how far this site is, every two seconds, and notices when there are ledgers below that the parent has not been told of.
func (l *link) tell(ctx context.Context, say func(*rpc.FromChild) error, below []string) error {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		head, _ := l.store.Head(l.self)
		if err := say(&rpc.FromChild{What: &rpc.FromChild_Status{Status: &rpc.Status{
			Time: time.Now().UnixMilli(), EventsHead: head.Seq, LiveHead: l.liveHead(),
		}}}); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !slices.Equal(below, l.below()) {
			return errOrigins
		}
	}
}

// liveHead is the index of the newest frame: the newest sent, or somewhere beyond when the parent does not keep up.
func (l *link) liveHead() uint64 {
	if w := l.window[lane.Live]; len(w.slots) == cap(w.slots) {
		return l.store.Applied()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.live
	if p := l.taken[key{lane.Live, l.self}]; p != nil && p.GetEpoch() == l.store.Epoch() {
		at = max(at, p.GetSeq())
	}
	return at
}
