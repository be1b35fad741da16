package federation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"dusthub/schema"
	"dusthub/sync/border"
	"dusthub/sync/lane"

	"google.golang.org/protobuf/proto"
)

// windows say how many batches of a lane may be under way, sent and not acknowledged.
var windows = map[string]int{lane.Events: 8, lane.Live: 8, lane.Backfill: 4, lane.Attachments: 4}

// Errors of a stream; those of the border are in sync/border.
var (
	errProtocol   = errors.New("federation: protocol violated")
	errSuperseded = errors.New("federation: replaced by a newer stream of the same site")
	errOrigins    = errors.New("federation: origins have changed")
	errRefused    = errors.New("federation: batch refused by the site")
	errFork       = errors.New("federation: ledgers have parted")
)

// link is one Exchange stream, as either end sees it.
type link struct {
	*Federation
	peer  border.Neighbour
	log   *slog.Logger
	inbox map[string]chan *schema.Inbound // by lane that this end takes in

	sending sync.Mutex // a stream takes one message at a time
	put     func(out) error
	window  map[string]*window // by lane that this end sends

	mu    sync.Mutex
	taken map[key]*schema.Position // newest acknowledgement of what we sent
	live  uint64                   // index of the newest frame there is to send
	mend  *mender                  // parent's end
}

// key names a lane of an origin.
type key struct{ lane, origin string }

// out is what either end sends in the course of a stream.
type out struct {
	batch *schema.Inbound
	taken *schema.Position
}

func (f *Federation) newLink(peer border.Neighbour, takes []string, put func(out) error) *link {
	l := &link{
		Federation: f, peer: peer, log: f.log.With("neighbour", peer.Site), put: put,
		inbox: map[string]chan *schema.Inbound{}, window: map[string]*window{}, taken: map[key]*schema.Position{},
	}
	for _, name := range takes {
		l.inbox[name] = make(chan *schema.Inbound, windows[name])
	}
	for name, n := range windows {
		l.window[name] = &window{slots: make(chan struct{}, n)}
	}
	return l
}

// window bounds the batches of a lane that are under way.
type window struct{ slots chan struct{} }

func (w *window) acquire(ctx context.Context) error {
	select {
	case w.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release makes room; false when nothing was under way.
func (w *window) release() bool {
	select {
	case <-w.slots:
		return true
	default:
		return false
	}
}

// ship sends a batch as soon as the window of its lane has room.
func (l *link) ship(ctx context.Context, in *schema.Inbound) error {
	if err := l.window[in.GetLane()].acquire(ctx); err != nil {
		return err
	}
	l.metrics.sent(l.peer.Site, in.GetLane(), proto.Size(in))
	return l.send(out{batch: in})
}

func (l *link) send(o out) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	return l.put(o)
}

// acknowledged takes the peer's word that a batch is committed.
func (l *link) acknowledged(p *schema.Position) error {
	w := l.window[p.GetLane()]
	if w == nil || !w.release() {
		return fmt.Errorf("%w: %s acknowledges a batch of lane %q that was not sent", errProtocol, l.peer.Site, p.GetLane())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[key{p.GetLane(), p.GetOrigin()}] = p
	return nil
}

// received puts a batch into the inbox of its lane; it never waits.
func (l *link) received(in *schema.Inbound) error {
	ch, ok := l.inbox[in.GetLane()]
	if !ok {
		return fmt.Errorf("%w: %s sends lane %q", errProtocol, l.peer.Site, in.GetLane())
	}
	select {
	case ch <- in:
		return nil
	default:
		return fmt.Errorf("%w: %s has more than %d batches of lane %s under way", errProtocol, l.peer.Site, cap(ch), in.GetLane())
	}
}

// take takes in the batches of one lane, in order, until the context ends.
func (l *link) take(ctx context.Context, name string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case in := <-l.inbox[name]:
			p, err := l.takeIn(ctx, in)
			if err != nil {
				l.metrics.refused(l.peer.Site, name)
				return err
			}
			if err := l.send(out{taken: p}); err != nil {
				return err
			}
		}
	}
}

// takeIn judges a batch, has it committed, and returns where its lane stands then.
func (l *link) takeIn(ctx context.Context, in *schema.Inbound) (*schema.Position, error) {
	in.From = l.peer.Site
	size := proto.Size(in)
	if err := l.border.Check(ctx, l.peer, in); err != nil {
		return nil, err
	}
	goOn := !border.Empty(in)
	if l.mend != nil && goOn {
		var err error
		if goOn, err = l.mend.before(in); err != nil {
			return nil, err
		}
	}
	if goOn {
		err := l.commit(ctx, in)
		if errors.Is(err, errRefused) && in.GetLane() == lane.Backfill {
			l.mend.spoiled(in, err) // chunks that are no chunks must not end a stream that other lanes need
		} else if err != nil {
			return nil, err
		}
		l.metrics.taken(l.peer.Site, in.GetLane(), size)
	}
	if l.mend != nil {
		l.mend.after(in)
	}
	p, ok, err := l.store.Position(l.peer.Site, in.GetOrigin(), in.GetLane())
	if err != nil {
		return nil, fmt.Errorf("acknowledge: %w", err)
	}
	if !ok { // backfill and attachments have none
		p = &schema.Position{From: l.peer.Site, Origin: in.GetOrigin(), Epoch: in.GetEpoch(), Lane: in.GetLane(), Time: time.Now().UnixMilli()}
	}
	return p, nil
}

func (l *link) commit(ctx context.Context, in *schema.Inbound) error {
	res, err := l.opt.Site.Propose(ctx, &schema.Command{Actor: l.peer.Site, Body: &schema.Command_Inbound{Inbound: in}})
	if err != nil {
		return fmt.Errorf("take in a batch of %s: %w", l.peer.Site, err)
	}
	if schema.Refuses(res.GetViolations()) {
		v := res.GetViolations()[0]
		return fmt.Errorf("%w: lane %s of %s: %s: got %s, wanted %s", errRefused, in.GetLane(), in.GetOrigin(), v.GetRule(), v.GetGot(), v.GetWanted())
	}
	return nil
}

// group runs the goroutines of a stream until one fails or the context ends.
type group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

func newGroup(ctx context.Context) *group {
	g := &group{}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g
}

// run starts a goroutine; an error of it ends all.
func (g *group) run(what func(context.Context) error) {
	g.wg.Go(func() {
		if err := what(g.ctx); err != nil {
			g.cancel(err)
		}
	})
}

// wait returns when the group has ended: why.
func (g *group) wait() error {
	<-g.ctx.Done()
	g.wg.Wait()
	return context.Cause(g.ctx)
}
