package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// busy is what is on its way: at most one delivery of a channel, so that a slow receiver holds up itself alone.
type busy struct {
	mu  sync.Mutex
	ids map[string]bool
	wg  sync.WaitGroup
}

func (b *busy) enter(channel string, most int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ids) >= most || b.ids[channel] {
		return false
	}
	b.ids[channel] = true
	return true
}

func (b *busy) leave(channel string) { b.mu.Lock(); defer b.mu.Unlock(); delete(b.ids, channel) }
func (b *busy) count() int           { b.mu.Lock(); defer b.mu.Unlock(); return len(b.ids) }

// poke has what is due looked for at once.
func (n *Notifier) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// dispatch sends what falls due, until ctx ends; then it waits for what is on its way.
func (n *Notifier) dispatch(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	defer n.busy.wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-tick.C:
		}
		if err := n.round(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("deliveries were not looked for", "err", err)
		}
	}
}

// lookAt bounds how many due deliveries one round looks at.
const lookAt = 1000

// round starts the deliveries that are due, most urgent first, as far as there are workers.
func (n *Notifier) round(ctx context.Context) error {
	if !n.opt.Site.IsLeader() || n.busy.count() >= n.cfg.Workers {
		return nil
	}
	due, err := n.due(ctx)
	if err != nil {
		return err
	}
	for _, d := range due {
		if !n.busy.enter(d.GetChannel(), n.cfg.Workers) {
			continue
		}
		n.busy.wg.Go(func() {
			defer n.poke()
			defer n.busy.leave(d.GetChannel())
			n.deliver(ctx, d.GetId())
		})
	}
	return nil
}

// due lists what is to be sent now.
func (n *Notifier) due(ctx context.Context) ([]*schema.Delivery, error) {
	var out []*schema.Delivery
	now := n.opt.Now().UnixMilli()
	for _, stage := range unfinished {
		seen := 0
		q := store.Query{Type: "Delivery", Index: "stage,next", Prefix: []string{stage}, To: now + 1}
		err := n.opt.Site.Store().Each(ctx, q, func(r store.Row) (bool, error) {
			out = append(out, r.Record.(*schema.Delivery))
			seen++
			return seen < lookAt, nil
		})
		if err != nil {
			return nil, fmt.Errorf("read deliveries: %w", err)
		}
	}
	slices.SortStableFunc(out, func(a, b *schema.Delivery) int {
		return slices.Index(schema.PriorityOrder, b.GetPriority()) - slices.Index(schema.PriorityOrder, a.GetPriority())
	})
	return out, nil
}

// deliver makes one attempt at a delivery, as it stands now, and keeps what became of it. When that cannot be kept the
// next attempt says the same again, under the same id.
func (n *Notifier) deliver(ctx context.Context, id string) {
	row, ok, err := n.opt.Site.Store().Get("Delivery", id)
	if err != nil || !ok || !n.opt.Site.IsLeader() {
		return
	}
	d := proto.CloneOf(row.Record.(*schema.Delivery))
	if !slices.Contains(unfinished, d.GetStage()) || d.GetNext() > n.opt.Now().UnixMilli() {
		return
	}
	begun := time.Now()
	records := n.attempt(ctx, d)
	if ctx.Err() != nil && d.GetStage() != sent {
		return // the attempt was cut off: the next leader makes it
	}
	if !n.keep(ctx, d, records) {
		if row, ok, err := n.opt.Site.Store().Get("Delivery", id); err == nil && ok && !slices.Contains(unfinished, row.Record.(*schema.Delivery).GetStage()) {
			n.waiting.Add(-1) // another leader finished it
		}
		return
	}
	n.metrics.done(d, time.Since(begun))
	if !slices.Contains(unfinished, d.GetStage()) {
		n.waiting.Add(-1)
	}
}

// keep writes what became of an attempt, and tries until it is written or this replica no longer leads: sending again because
// the site is slow to write would call people twice. What was sent is kept even while this replica is being stopped. A refusal
// is final: the delivery went further meanwhile, by another leader's word.
func (n *Notifier) keep(ctx context.Context, d *schema.Delivery, records []schema.Record) bool {
	for {
		err := n.put(context.WithoutCancel(ctx), records...)
		if err == nil {
			return true
		}
		n.log.Warn("what became of a delivery was not kept", "delivery", d.GetId(), "stage", d.GetStage(), "err", err)
		if errors.Is(err, errRefused) && len(records) > 1 {
			records = records[:1] // the delivery counts even when its channel may not be changed
			continue
		}
		if errors.Is(err, errRefused) || !n.opt.Site.IsLeader() {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pollEvery):
		}
	}
}

// attempt sends a delivery when it still is called for, and gives the records that changed by it.
func (n *Notifier) attempt(ctx context.Context, d *schema.Delivery) []schema.Record {
	now := n.opt.Now()
	c, err := n.stillCalled(d)
	if err != nil && !errors.Is(err, errNotCalled) {
		d.Stage, d.Error, d.Next = failed, short(err), now.Add(n.cfg.Backoff).UnixMilli()
		return []schema.Record{d}
	}
	if err != nil {
		d.Stage, d.Next, d.Error = givenUp, 0, short(err)
		return []schema.Record{d}
	}
	if until, quiet := quietUntil(c, now); quiet && d.GetPriority() != schema.Critical {
		d.Stage, d.Next = held, until.UnixMilli()
		return []schema.Record{d}
	}
	err = n.transmit(ctx, c, messageOf(d, n.cfg))
	d.Tries++
	switch {
	case err == nil:
		d.Stage, d.Next, d.Error, d.Sent = sent, 0, "", n.opt.Now().UnixMilli()
	case errors.Is(err, ErrPermanent), int(d.GetTries()) >= n.cfg.Attempts:
		d.Stage, d.Next, d.Error = givenUp, 0, short(err)
	default:
		d.Stage, d.Error, d.Next = failed, short(err), n.opt.Now().Add(backoff(n.cfg.Backoff, n.cfg.BackoffMost, int(d.GetTries()))).UnixMilli()
	}
	if errors.Is(err, errGone) {
		c = proto.CloneOf(c)
		c.Disabled = true
		return []schema.Record{d, c}
	}
	return []schema.Record{d}
}

// errGone says that a browser's subscription is no more: its channel is disabled.
var errGone = errors.New("the subscription is gone")

// errNotCalled says that a delivery is in vain by now.
var errNotCalled = errors.New("withdrawn")

// stillCalled is the channel of a delivery; an error says why nobody needs the message any more.
func (n *Notifier) stillCalled(d *schema.Delivery) (*schema.Channel, error) {
	typ, key, _ := strings.Cut(d.GetSubject(), "/")
	row, ok, err := n.opt.Site.Store().Get(typ, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", typ, err)
	}
	if _, called := callOf(row.Record); !ok || !called {
		return nil, fmt.Errorf("%w: the subject is dealt with or shelved", errNotCalled)
	}
	row, ok, err = n.opt.Site.Store().Get("Channel", d.GetChannel())
	if err != nil {
		return nil, fmt.Errorf("read channel: %w", err)
	}
	c, _ := row.Record.(*schema.Channel)
	if !ok || c.GetDisabled() {
		return nil, fmt.Errorf("%w: the channel is deleted or disabled", errNotCalled)
	}
	row, ok, err = n.opt.Site.Store().Get("User", d.GetLogin())
	if err != nil {
		return nil, fmt.Errorf("read user: %w", err)
	}
	if u, _ := row.Record.(*schema.User); !ok || u.GetDisabled() {
		return nil, fmt.Errorf("%w: the user is deleted or disabled", errNotCalled)
	}
	return c, nil
}

// backoff is the pause after so many attempts: first, then twice as long each time, at most most.
func backoff(first, most time.Duration, tries int) time.Duration {
	d := first
	for range tries - 1 {
		if d >= most/2 {
			return most
		}
		d *= 2
	}
	return min(d, most)
}

// beijing is the time people live by, all over the country.
var beijing = time.FixedZone("CST", 8*3600)

// quietUntil says whether a channel is in its quiet hours, and when they end. Hours may pass midnight; equal ends mean none.
func quietUntil(c *schema.Channel, now time.Time) (time.Time, bool) {
	from, until := int(c.GetQuietFrom()), int(c.GetQuietUntil())
	local := now.In(beijing)
	minute := local.Hour()*60 + local.Minute()
	inside := from <= minute && minute < until
	if from > until {
		inside = minute >= from || minute < until
	}
	if from == until || !inside {
		return time.Time{}, false
	}
	day := local.Day()
	if minute >= until {
		day++
	}
	return time.Date(local.Year(), local.Month(), day, until/60, until%60, 0, 0, beijing), true
}

// short is an error as a record keeps it.
func short(err error) string {
	const most = 500
	r := []rune(strings.ToValidUTF8(err.Error(), "?"))
	return string(r[:min(len(r), most)])
}
