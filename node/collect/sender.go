package collect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/tlcp"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

const (
	batchesInFlight = 4
	readingsAtOnce  = 4000             // batches that wait are sent together up to so many readings
	backfillAfter   = 10 * time.Minute // older readings are back-fill (domain 2.4)
	heartbeatEvery  = 10 * time.Second
	ackWithin       = 20 * time.Second // a site that takes longer is given up for the next address
	connectWithin   = 5 * time.Second
	backoffFirst    = 200 * time.Millisecond
	backoffMost     = 5 * time.Second
)

// sender brings what a buffer holds to a site.
type sender struct {
	gateway string
	target  Target
	id      *pki.Identity
	buffer  *buffer
	lost    func() bool // whether the gateway's sources are lost
	m       *metrics
	log     *slog.Logger
	up      atomic.Bool // the site answers
}

// run sends until ctx ends. It stays with an address that answers, and goes to the next when one fails.
func (s *sender) run(ctx context.Context) {
	wait := backoffFirst
	for i := 0; ctx.Err() == nil; i++ {
		addr := s.target.Addrs[i%len(s.target.Addrs)]
		acked, err := s.session(ctx, addr)
		s.connected(false)
		if ctx.Err() != nil {
			break
		}
		s.log.Warn("connection to site ended", "addr", addr, "err", err)
		if acked {
			wait = backoffFirst
			i-- // it worked a moment ago: try it first
		}
		_ = pause(ctx, wait/2+rand.N(wait)) //nolint:gosec // spreads reconnections, guards nothing; the loop looks at ctx
		if (i+1)%len(s.target.Addrs) == 0 || acked {
			wait = min(2*wait, backoffMost)
		}
	}
}

func (s *sender) connected(up bool) {
	s.up.Store(up)
	s.m.connected.Set(0)
	if up {
		s.m.connected.Set(1)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// session sends over one connection until it fails, and says whether the site acknowledged anything.
func (s *sender) session(ctx context.Context, addr string) (bool, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(tlcp.ClientCredentials(s.id, s.target.Site)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectWithin}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: ackWithin, Timeout: connectWithin}))
	if err != nil {
		return false, fmt.Errorf("connect to %s: %w", addr, err)
	}
	defer func() { _ = conn.Close() }() // the session is over either way
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := rpc.NewAccessClient(conn).Send(ctx)
	if err != nil {
		return false, fmt.Errorf("connect to %s: %w", addr, err)
	}
	acks := make(chan *rpc.SamplesAck)
	ended := make(chan error, 1)
	go func() { ended <- receive(ctx, stream, acks) }()
	x := &exchange{sender: s, stream: stream}
	err = x.run(ctx, acks, ended)
	cancel()
	return x.acked, err
}

func receive(ctx context.Context, stream rpc.Access_SendClient, acks chan<- *rpc.SamplesAck) error {
	for {
		a, err := stream.Recv()
		if err != nil {
			return err
		}
		select {
		case acks <- a:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// exchange is one stream: what was sent on it and not acknowledged yet, oldest first.
type exchange struct {
	*sender
	stream   rpc.Access_SendClient
	inflight []sent
	after    uint64 // number of the last batch sent
	toldLost bool   // what the site was last told of the sources
	acked    bool
}

type sent struct {
	number   uint64 // 0: a heartbeat
	readings int
}

func (x *exchange) run(ctx context.Context, acks <-chan *rpc.SamplesAck, ended <-chan error) error {
	_, _, _, x.after = x.buffer.levels()
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	state := time.NewTicker(time.Second)
	defer state.Stop()
	patience := time.NewTimer(connectWithin + ackWithin)
	defer patience.Stop()
	if err := x.heartbeat(); err != nil {
		return err
	}
	for {
		if err := x.fill(); err != nil {
			return err
		}
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err = <-ended:
			return fmt.Errorf("stream: %w", err)
		case a := <-acks:
			patience.Reset(ackWithin)
			beat.Reset(heartbeatEvery) // readings say that the gateway lives
			err = x.ack(a)
		case <-x.buffer.grown:
		case <-beat.C:
			if len(x.inflight) == 0 {
				err = x.heartbeat()
			}
		case <-state.C:
			if lost := x.lost(); lost != x.toldLost && len(x.inflight) < batchesInFlight {
				err = x.heartbeat()
			}
		case <-patience.C:
			if len(x.inflight) > 0 {
				return errors.New("no acknowledgement in time")
			}
			patience.Reset(ackWithin)
		}
		if err != nil {
			return err
		}
	}
}

// heartbeat tells the site that the gateway lives, and whether its sources do.
func (x *exchange) heartbeat() error {
	x.toldLost = x.lost()
	return x.send(&rpc.Samples{Gateway: x.gateway, SourceLost: x.toldLost}, sent{})
}

func (x *exchange) send(m *rpc.Samples, s sent) error {
	if err := x.stream.Send(m); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	x.inflight = append(x.inflight, s)
	return nil
}

// fill sends what waits, as far as the site may have unacknowledged.
func (x *exchange) fill() error {
	for len(x.inflight) < batchesInFlight {
		m, s, err := x.gather()
		if err != nil {
			return err
		}
		if s.readings == 0 {
			return nil
		}
		if err := x.send(m, s); err != nil {
			return err
		}
		x.after = s.number
	}
	return nil
}

// gather takes batches that wait together into one message; its number is the last one's.
func (x *exchange) gather() (*rpc.Samples, sent, error) {
	out := &rpc.Samples{Gateway: x.gateway, Backfill: true}
	columns := map[string]*rpc.MetricSamples{}
	live := time.Now().Add(-backfillAfter).UnixMilli()
	s := sent{number: x.after}
	for s.readings < readingsAtOnce {
		r, ok, err := x.buffer.Next(s.number)
		if err != nil {
			return nil, s, err
		}
		if !ok {
			break
		}
		for _, m := range r.samples.GetMetrics() {
			c := columns[m.GetMetric()]
			if c == nil {
				c = &rpc.MetricSamples{Metric: m.GetMetric()}
				columns[m.GetMetric()] = c
				out.Metrics = append(out.Metrics, c)
			}
			c.Times = append(c.Times, m.GetTimes()...)
			c.Values = append(c.Values, m.GetValues()...)
			for _, t := range m.GetTimes() {
				out.Backfill = out.GetBackfill() && t < live
			}
		}
		s.number = r.number
		s.readings += r.readings
	}
	out.Batch = s.number
	return out, s, nil
}

// ack takes the site's answer to the oldest message under way.
func (x *exchange) ack(a *rpc.SamplesAck) error {
	if len(x.inflight) == 0 || x.inflight[0].number != a.GetBatch() {
		return fmt.Errorf("site acknowledges batch %d, which is not its turn", a.GetBatch())
	}
	s := x.inflight[0]
	x.inflight = x.inflight[1:]
	x.acked = true
	x.connected(true)
	if s.number == 0 {
		return nil
	}
	if err := x.buffer.Ack(s.number); err != nil {
		return err
	}
	taken := min(int(a.GetStored())+int(a.GetDuplicates()), s.readings)
	x.m.acked.Add(float64(taken))
	x.m.duplicates.Add(float64(a.GetDuplicates()))
	x.m.refused.Add(float64(s.readings - taken))
	if vs := a.GetViolations(); len(vs) > 0 || taken < s.readings {
		x.log.Warn("site refused readings", "refused", s.readings-taken, "conflicts", a.GetConflicts(), "reasons", firstReasons(vs))
	}
	return nil
}

const reasonsLogged = 3

func firstReasons(vs []*schema.Violation) []string {
	out := make([]string, 0, reasonsLogged)
	for _, v := range vs[:min(len(vs), reasonsLogged)] {
		out = append(out, fmt.Sprintf("%s %s: got %s, wanted %s", v.GetField(), v.GetRule(), v.GetGot(), v.GetWanted()))
	}
	return out
}
