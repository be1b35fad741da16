// Package notify calls people when an alarm or a warning needs them (F1.2, F2.2, F2.3, F3.3, F3.4; domain 5.2, 5.3).
//
// The engine decides when somebody is to be called: an alarm's or a warning's `calls` grows. The leader makes of each call
// one Delivery record for every channel of everybody whom the escalation names (plan.go), and sends what is due (send.go).
// The records are the queue: they are written through the site's log, so that a new leader goes on where the old one
// ended. A delivery's id says which call it is of, so that a call is planned once. What was sent but not yet recorded
// when a leader fell is sent again with the same id: as Idempotency-Key, Message-ID or Topic it lets the receiver tell.
//
// Nothing here holds the engine up: calls are heard of through the hub, which drops what is too slow; then the open
// alarms and warnings are read anew.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"dusthub/crypto/keys"
	"dusthub/node/config"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/prometheus/client_golang/prometheus"
)

// Site is what a notifier needs of its node.
type Site interface {
	Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error)
	Store() *store.Store
	Hub() *live.Hub
	IsLeader() bool
	Leadership() (<-chan bool, func())
}

// Options of a notifier. Site, ID, Keys, VAPID and Config are needed.
type Options struct {
	Site       Site
	ID         string // of the site
	Config     config.Notify
	Keys       keys.Provider // opens addresses
	KeysDir    string        // where vapid.key lies
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // nil: the system's clock
}

// ErrPermanent marks failures that another attempt would not mend.
var ErrPermanent = errors.New("another attempt would not help")

// Kinds of channels (code table channel_kind).
const (
	KindPortal  = "portal"
	KindPush    = "web_push"
	KindEmail   = "email"
	KindWebhook = "webhook"
	KindSMS     = "sms"
)

// sender sends one message to one address.
type sender interface {
	// check says why an address is none.
	check(address []byte) error
	// send delivers. Errors never carry the address or a secret; ErrPermanent when it is in vain.
	send(ctx context.Context, address []byte, m message) error
}

// Notifier plans and sends. Make one with New.
type Notifier struct {
	opt     Options
	cfg     config.Notify
	log     *slog.Logger
	push    *push
	senders map[string]sender
	metrics *metrics
	waiting atomic.Int64 // deliveries that are not done yet
	busy    busy
	wake    chan struct{}
}

// New reads the secrets the configuration names, and makes the key for web push when there is none.
func New(opt Options) (*Notifier, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Registerer == nil {
		opt.Registerer = prometheus.NewRegistry()
	}
	n := &Notifier{opt: opt, cfg: opt.Config, log: opt.Logger, senders: map[string]sender{}, busy: busy{ids: map[string]bool{}}, wake: make(chan struct{}, 1)}
	if err := n.open(); err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	n.metrics = newMetrics(opt.Registerer, n)
	return n, nil
}

func (n *Notifier) open() error {
	key, err := openVAPID(n.opt.KeysDir)
	if err != nil {
		return err
	}
	r, err := newReach(n.cfg)
	if err != nil {
		return err
	}
	outside := guarded(r, n.cfg.Timeout)
	n.push = &push{key: key, contact: n.cfg.Contact, client: outside, reach: r}
	n.senders[KindPush] = n.push
	if n.cfg.SMTP.Addr != "" {
		m, err := newMail(n.cfg.SMTP, n.opt.ID, n.cfg.Timeout)
		if err != nil {
			return err
		}
		n.senders[KindEmail] = m
	}
	if path := n.cfg.Webhook.SecretFile; path != "" {
		secret, err := config.Secret(path)
		if err != nil {
			return err
		}
		n.senders[KindWebhook] = &webhook{secret: []byte(secret), client: outside, reach: r, now: n.opt.Now}
	}
	if n.cfg.SMS.URL != "" {
		s, err := newSMS(n.cfg.SMS, n.cfg.Timeout)
		if err != nil {
			return err
		}
		n.senders[KindSMS] = s
	}
	return nil
}

// PushKey is the public key browsers subscribe with (RFC 8292), in base64url.
func (n *Notifier) PushKey() string { return n.push.key.public }

// Seal checks an address of a kind and seals it for its Channel record. Errors say what is wrong with it.
func (n *Notifier) Seal(kind string, address []byte) ([]byte, error) {
	if kind != KindPortal {
		s, ok := n.senders[kind]
		if !ok {
			return nil, fmt.Errorf("%s is not set up at this site", kind)
		}
		if err := s.check(address); err != nil {
			return nil, err
		}
	}
	sealed, err := n.opt.Keys.Seal(purpose, address)
	if err != nil {
		return nil, fmt.Errorf("seal address: %w", err)
	}
	return []byte(sealed), nil
}

const purpose = "channel"

// Test sends a message through a channel at once, and says what became of it.
func (n *Notifier) Test(ctx context.Context, c *schema.Channel) error {
	now := n.opt.Now()
	return n.transmit(ctx, c, testMessage(fmt.Sprintf("test/%s/%d", c.GetId(), now.UnixMilli()), n.cfg, now))
}

// transmit hands a message to the channel's sender. What is told in the portal is told by its record.
func (n *Notifier) transmit(ctx context.Context, c *schema.Channel, m message) error {
	if c.GetKind() == KindPortal {
		return nil
	}
	s, ok := n.senders[c.GetKind()]
	if !ok {
		return fmt.Errorf("%w: %s is not set up at this site", ErrPermanent, c.GetKind())
	}
	address, err := n.opt.Keys.Open(purpose, string(c.GetAddressSealed()))
	if err != nil {
		return fmt.Errorf("%w: the address does not open", ErrPermanent)
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	defer cancel()
	return s.send(ctx, address, m)
}

const (
	hubBuffer = 1024
	pollEvery = time.Second // when deliveries fall due
)

// Run works whenever this replica leads, until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	leadership, end := n.opt.Site.Leadership()
	defer end()
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case leads := <-leadership:
			stop()
			if stop = func() {}; leads {
				stop = n.start(ctx)
			}
		}
	}
}

// start begins to work as the leader; the function it returns ends that and waits for what is on its way.
func (n *Notifier) start(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { n.watch(ctx) })
	wg.Go(func() { n.dispatch(ctx) })
	wg.Go(func() { n.forgetting(ctx) })
	return func() { cancel(); wg.Wait() }
}

// watch plans the calls it hears of; those it may have missed it finds among what is open.
func (n *Notifier) watch(ctx context.Context) {
	events, end := n.opt.Site.Hub().Subscribe(hubBuffer)
	defer end()
	behind := true
	retry := time.NewTicker(pollEvery)
	defer retry.Stop()
	for {
		if behind && n.opt.Site.IsLeader() {
			err := n.planOpen(ctx)
			if behind = err != nil; behind && ctx.Err() == nil {
				n.log.Warn("open alarms and warnings were not gone through", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-retry.C:
		case e := <-events:
			behind = behind || e.Lost || n.planRows(ctx, e.Rows) != nil
		}
	}
}

// put writes records of the site's own in one command, while this replica leads.
func (n *Notifier) put(ctx context.Context, records ...schema.Record) error {
	changes, err := schema.Changes(records...)
	if err != nil {
		return err
	}
	return n.change(ctx, changes)
}

// change proposes changes as the site, while this replica leads. Errors: errNotLeading, errRefused.
func (n *Notifier) change(ctx context.Context, changes []*schema.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if !n.opt.Site.IsLeader() {
		return errNotLeading
	}
	ctx, cancel := context.WithTimeout(ctx, putWithin)
	defer cancel()
	res, err := n.opt.Site.Propose(ctx, &schema.Command{Actor: actor, Body: &schema.Command_Put{Put: &schema.Put{Changes: changes}}})
	if err != nil {
		return err
	}
	if schema.Refuses(res.GetViolations()) {
		return fmt.Errorf("%w: %v", errRefused, res.GetViolations())
	}
	return nil
}

const (
	actor     = "site"
	putWithin = 10 * time.Second
)

var (
	errNotLeading = errors.New("this replica does not lead")
	errRefused    = errors.New("refused")
)
