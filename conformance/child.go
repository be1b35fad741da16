package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const (
	eventsLane   = "events"
	backfillLane = "backfill"
	// eventsWindow is how many batches of events may be under way.
	eventsWindow  = 8
	maxMessage    = 4 << 20
	pingEvery     = 20 * time.Second
	pingWait      = 10 * time.Second
	statusEvery   = 2 * time.Second
	uplinkBuffer  = 64
	softwareLabel = "conformance"
)

// child is the auditor as a child of the site.
type child struct {
	id       *pki.Identity
	site     string
	conn     *grpc.ClientConn
	client   rpc.FederationClient
	patience time.Duration
	epoch    uint64
	book     *book
	copies   map[string]*ledgerCopy // what it holds of the ledgers the site sends down
}

// dial makes the connection, which comes about with its first call.
func dial(addr, site string, id *pki.Identity) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(tlcp.ClientCredentials(id, site)), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingWait, PermitWithoutStream: true}))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return conn, nil
}

func newChild(t Target, id *pki.Identity, patience time.Duration) (*child, error) {
	conn, err := dial(t.Addr, t.Site, id)
	if err != nil {
		return nil, err
	}
	c := &child{id: id, site: t.Site, conn: conn, client: rpc.NewFederationClient(conn), patience: patience, copies: map[string]*ledgerCopy{}}
	c.live()
	return c, nil
}

// live begins a new life: the remedy when ledgers have parted (section 4.2).
func (c *child) live() {
	c.epoch = max(uint64(time.Now().UnixMilli()), c.epoch+1)
	c.book = newBook(c.name(), c.epoch)
}

func (c *child) name() string { return c.id.Name() }

func (c *child) close() { c.conn.Close() }

// record is what the auditor says it is.
func (c *child) record() *schema.Site {
	return &schema.Site{Id: c.name(), Name: "conformance audit", Level: "city", Parent: c.site, Version: softwareLabel, SchemaVersion: schema.Version}
}

func (c *child) hello() *rpc.Hello {
	h := &rpc.Hello{Site: c.name(), Epoch: c.epoch, SchemaVersion: schema.Version, SoftwareVersion: softwareLabel, Record: c.record(), Origins: []string{c.name()}}
	for _, l := range c.copies {
		if l.seq > 0 {
			h.Positions = append(h.Positions, l.position(c.site))
		}
	}
	return h
}

// session is one Exchange stream.
type session struct {
	c       *child
	stream  grpc.BidiStreamingClient[rpc.FromChild, rpc.FromParent]
	welcome *rpc.Welcome
	raw     bool // batches are messages like others; they are not taken in
	mute    bool // batches are dropped: a newer stream takes them in
	cancel  context.CancelFunc
	sending sync.Mutex
	in      chan *rpc.FromParent
	err     error // why in was closed
	done    sync.WaitGroup
}

// errSilent says that the site did nothing for as long as the auditor is patient.
var errSilent = errors.New("nothing came")

// start opens a stream and sends nothing.
func (c *child) start(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.client.Exchange(ctx)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	s := &session{c: c, stream: stream, cancel: cancel, in: make(chan *rpc.FromParent, uplinkBuffer)}
	s.done.Go(func() {
		defer close(s.in)
		for {
			m, err := stream.Recv()
			if err != nil {
				s.err = err
				return
			}
			select {
			case s.in <- m:
			case <-ctx.Done():
				s.err = ctx.Err()
				return
			}
		}
	})
	return s, nil
}

// open opens a stream, says Hello, and waits for Welcome.
func (c *child) open(ctx context.Context, hello *rpc.Hello) (*session, error) {
	s, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	s.send(&rpc.FromChild{What: &rpc.FromChild_Hello{Hello: hello}})
	m, err := s.next(ctx, c.patience)
	if err == nil && m.GetWelcome() == nil {
		err = fmt.Errorf("wanted Welcome, got %s", describe(m))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("after Hello: %w", err)
	}
	s.welcome = m.GetWelcome()
	c.prepare(s.welcome)
	s.done.Go(s.report)
	return s, nil
}

// prepare makes room for the ledgers the site says it can send.
func (c *child) prepare(w *rpc.Welcome) {
	for _, o := range w.GetOrigins() {
		if c.copies[o] == nil {
			c.copies[o] = &ledgerCopy{origin: o, reader: c.name(), own: o == c.site}
			c.copies[o].begin(0)
		}
	}
}

// report sends Status for as long as the stream lives (section 4).
func (s *session) report() {
	for wait(s.stream.Context(), statusEvery) {
		s.send(&rpc.FromChild{What: &rpc.FromChild_Status{Status: &rpc.Status{Time: time.Now().UnixMilli()}}})
	}
}

// send sends a message. That the stream has ended is seen by reading, which says why.
func (s *session) send(m *rpc.FromChild) {
	s.sending.Lock()
	defer s.sending.Unlock()
	_ = s.stream.Send(m) // as above
}

// close ends the stream and waits until that is so.
func (s *session) close() {
	s.cancel()
	for range s.in { // until the reader has gone
	}
	s.done.Wait()
}

// next is the next message that is not the downlink's business, which is settled here: batches are taken in and
// acknowledged, questions for what the auditor does not have are answered with Missing.
func (s *session) next(ctx context.Context, within time.Duration) (*rpc.FromParent, error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		select {
		case m, ok := <-s.in:
			if !ok {
				return nil, fmt.Errorf("the stream ended: %w", s.err)
			}
			if s.raw || !s.settle(m) {
				return m, nil
			}
		case <-deadline.C:
			return nil, fmt.Errorf("%w within %s", errSilent, within)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// settle does what a child does by itself; false when the message is for the check.
func (s *session) settle(m *rpc.FromParent) bool {
	missing := func(x *rpc.Missing) bool {
		x.Reason = "an auditor has no samples and no attachments"
		s.send(&rpc.FromChild{What: &rpc.FromChild_Missing{Missing: x}})
		return true
	}
	switch w := m.GetWhat().(type) {
	case *rpc.FromParent_Batch:
		if s.mute {
			return true
		}
		l := s.c.copies[w.Batch.GetOrigin()]
		if l == nil || w.Batch.GetLane() != eventsLane {
			return false
		}
		l.take(w.Batch, s.c.id.Pool())
		s.send(&rpc.FromChild{What: &rpc.FromChild_Taken{Taken: l.position(s.c.site)}})
		return true
	case *rpc.FromParent_Want:
		return missing(&rpc.Missing{Origin: w.Want.GetOrigin(), Partition: w.Want.GetPartition()})
	case *rpc.FromParent_Attachment:
		return missing(&rpc.Missing{Attachment: w.Attachment.GetId()})
	}
	return false
}

// follow takes the downlink in until enough says so.
func (s *session) follow(ctx context.Context, within time.Duration, enough func() bool) error {
	deadline := time.Now().Add(within)
	for !enough() {
		const look = 100 * time.Millisecond // next settles batches by itself, so look at what it did now and then
		m, err := s.next(ctx, min(look, time.Until(deadline)))
		switch {
		case err == nil:
			return fmt.Errorf("in mid-stream came %s", describe(m))
		case !errors.Is(err, errSilent):
			return err
		case time.Now().After(deadline):
			if enough() {
				return nil
			}
			return fmt.Errorf("%w within %s", errSilent, within)
		}
	}
	return nil
}

// give sends a batch and waits for its acknowledgement.
func (s *session) give(ctx context.Context, in *schema.Inbound) (*schema.Position, error) {
	s.send(&rpc.FromChild{What: &rpc.FromChild_Batch{Batch: in}})
	return s.taken(ctx)
}

func (s *session) taken(ctx context.Context) (*schema.Position, error) {
	m, err := s.next(ctx, s.c.patience)
	if err != nil {
		return nil, fmt.Errorf("after a batch: %w", err)
	}
	if m.GetTaken() == nil {
		return nil, fmt.Errorf("after a batch: wanted taken, got %s", describe(m))
	}
	return m.GetTaken(), nil
}

// refused waits for the end of the stream with that code.
func (s *session) refused(ctx context.Context, want codes.Code) (string, error) {
	m, err := s.next(ctx, s.c.patience)
	switch {
	case err == nil:
		return "", fmt.Errorf("it was not refused, came %s", describe(m))
	case errors.Is(err, errSilent):
		return "", fmt.Errorf("it was not refused: %w", err)
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return refusal(err, want)
}

// refusal judges how a call ended.
func refusal(err error, want codes.Code) (string, error) {
	if errors.Is(err, io.EOF) {
		return "", errors.New("the stream ended without a status")
	}
	if got := status.Code(err); got != want {
		return "", fmt.Errorf("the code is %s: %w", name(got), err)
	}
	return name(want) + ": " + sentence(err), nil
}

// sentence is what a status says beside its code.
func sentence(err error) string {
	s, _ := status.FromError(errors.Unwrap(err))
	if s.Message() == "" {
		s = status.Convert(err)
	}
	return s.Message()
}

// name is a code as the specification writes it: DATA_LOSS.
func name(c codes.Code) string {
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// held is the position of the auditor's own ledger that Welcome tells.
func (s *session) held() *schema.Position {
	for _, p := range s.welcome.GetPositions() {
		if p.GetOrigin() == s.c.name() && p.GetLane() == eventsLane && p.GetEpoch() == s.c.epoch {
			return p
		}
	}
	start := s.c.book.chain[0]
	return &schema.Position{Origin: s.c.name(), Epoch: s.c.epoch, Lane: eventsLane, Digest: start[:]}
}

// connect opens a stream on which the site holds what the book says. After a batch was taken that should have been refused the
// two have parted, and the auditor begins a new life.
func (c *child) connect(ctx context.Context) (*session, error) {
	for range 2 {
		s, err := c.open(ctx, c.hello())
		if err != nil {
			return nil, err
		}
		if c.book.holds(s.held()) {
			return s, nil
		}
		s.close()
		c.live()
	}
	return nil, errors.New("the site tells a position that the auditor never sent, even of a new epoch")
}

// settled opens a stream on which the site holds at least a few entries of the auditor's ledger, signed.
func (c *child) settled(ctx context.Context) (*session, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	if p := s.held(); p.GetSeq() >= 3 && p.GetSeq() == c.book.last() && p.GetCheckpoint() == p.GetSeq() {
		return s, nil
	}
	if _, err := s.grow(ctx); err != nil {
		s.close()
		return nil, err
	}
	s.welcome.Positions = []*schema.Position{{
		From: c.name(), Origin: c.name(), Epoch: c.epoch, Lane: eventsLane, Seq: c.book.last(), Digest: slices.Clone(c.book.chain[c.book.last()][:]), Checkpoint: c.book.last(),
	}}
	return s, nil
}

// grow writes three entries, one in clear, sends them signed, and checks what is acknowledged.
func (s *session) grow(ctx context.Context) (*schema.Inbound, error) {
	b := s.c.book
	e, err := b.entry(s.c.record())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(b.write(e, 0), b.hide(2)); err != nil {
		return nil, err
	}
	in := b.batch(s.held().GetSeq())
	if in.Checkpoint, err = b.sign(s.c.id, time.Now()); err != nil {
		return nil, err
	}
	p, err := s.give(ctx, in)
	if err != nil {
		return nil, err
	}
	return in, s.c.judge(p, b.last(), b.last())
}

// judge compares an acknowledgement or a position with what it must be.
func (c *child) judge(p *schema.Position, seq, checkpoint uint64) error {
	want := c.book.chain[seq]
	if p.GetOrigin() != c.name() || p.GetLane() != eventsLane || p.GetEpoch() != c.epoch {
		return fmt.Errorf("a position of %s, epoch %d, lane %q", p.GetOrigin(), p.GetEpoch(), p.GetLane())
	}
	if p.GetSeq() != seq || p.GetCheckpoint() != checkpoint {
		return fmt.Errorf("seq %d and checkpoint %d instead of %d and %d", p.GetSeq(), p.GetCheckpoint(), seq, checkpoint)
	}
	if string(p.GetDigest()) != string(want[:]) {
		return fmt.Errorf("digest %.8x at seq %d, the chain gives %.8x", p.GetDigest(), seq, want)
	}
	return nil
}

// describe says in words what a message is.
func describe(m *rpc.FromParent) string {
	switch w := m.GetWhat().(type) {
	case *rpc.FromParent_Welcome:
		return "Welcome"
	case *rpc.FromParent_Batch:
		return fmt.Sprintf("a batch of lane %q of %s with %d items", w.Batch.GetLane(), w.Batch.GetOrigin(), len(w.Batch.GetItems()))
	case *rpc.FromParent_Taken:
		return fmt.Sprintf("taken %s/%s seq %d", w.Taken.GetOrigin(), w.Taken.GetLane(), w.Taken.GetSeq())
	}
	return fmt.Sprintf("a message of kind %T", m.GetWhat())
}
