package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
)

const (
	streamsPerUser = 16
	streamsMost    = 32_768 // an open stream costs a connection, a goroutine and some KB (docs/benchmarks.md)
	heartbeat      = 15 * time.Second
	latestEvery    = time.Second
	flushWithin    = 10 * time.Second // a browser that takes nothing for so long is gone
	socketBuffer   = 64 << 10         // bytes the system keeps for a browser that reads slowly
)

// ChangeEvent says that a record changed; whoever shows it reads it anew.
type ChangeEvent struct {
	Type       string `json:"type"`
	Key        string `json:"key"`
	Origin     string `json:"origin"`
	Enterprise string `json:"enterprise,omitempty"`
	Seq        uint64 `json:"seq"`
	Time       int64  `json:"time"`
	Deleted    bool   `json:"deleted,omitempty"`
}

// LatestEvent holds the readings of a plant that are new.
type LatestEvent struct {
	Enterprise string        `json:"enterprise"`
	Values     []LatestValue `json:"values" nullable:"false"`
}

// LatestValue is a metric's newest reading.
type LatestValue struct {
	Metric  string  `json:"metric"`
	Time    int64   `json:"time"`
	Value   float64 `json:"value"`
	Quality uint8   `json:"quality"`
}

// streams keeps count of open event streams, so that they can be bounded and ended.
type streams struct {
	metrics *metrics
	closing chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	all     int
	by      map[string]int
}

func newStreams(m *metrics) *streams {
	return &streams{metrics: m, closing: make(chan struct{}), by: map[string]int{}}
}

// close tells every stream to end; none begins after it.
func (st *streams) close() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.closed {
		st.closed = true
		close(st.closing)
	}
}

// wait returns when all streams have ended, or after a time.
func (st *streams) wait(atMost time.Duration) {
	ended := make(chan struct{})
	go func() {
		st.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(atMost):
	}
}

func (st *streams) enter(login string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed || st.all >= streamsMost || st.by[login] >= streamsPerUser {
		return false
	}
	st.running.Add(1)
	st.all++
	st.by[login]++
	st.metrics.streams.Set(float64(st.all))
	return true
}

func (st *streams) leave(login string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.all--
	if st.by[login]--; st.by[login] == 0 {
		delete(st.by, login)
	}
	st.metrics.streams.Set(float64(st.all))
	st.running.Done()
}

type eventsInput struct {
	Enterprise string `query:"enterprise" doc:"also send this plant's newest readings, at most once a second"`
}

// events opens a stream. It takes the connection over from the HTTP server once the answer's head is known: a stream then costs
// no buffers of the server's and does not count among its requests at work.
func (s *Server) events(_ context.Context, v *viewer, in *eventsInput) (*huma.StreamResponse, error) {
	enterprise := only(v, in.Enterprise)
	if enterprise != "" {
		if _, err := s.enterpriseRow(v, enterprise); err != nil {
			return nil, err
		}
	}
	login := v.user.GetLogin()
	if !s.streams.enter(login) {
		p := problem(http.StatusTooManyRequests, codeThrottled, "too many event streams are open")
		p.RetryAfter = int(heartbeat.Seconds())
		return nil, p
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		c := humafiber.Unwrap(ctx)
		c.Set("Content-Type", "text/event-stream; charset=utf-8")
		c.Set("X-Accel-Buffering", "no")
		c.Status(http.StatusOK)
		raw := c.Context()
		raw.Response.Header.SetContentLength(-2) // until the connection closes
		raw.HijackSetNoResponse(true)
		raw.Hijack(func(hijacked net.Conn) {
			head := append([]byte(nil), raw.Response.Header.Header()...)
			conn := hijacked
			if h, ok := hijacked.(interface{ UnsafeConn() net.Conn }); ok {
				conn = h.UnsafeConn()
			}
			go s.stream(v, enterprise, conn, head)
		})
	}}, nil
}

// stream writes one stream until it ends, and closes its connection.
func (s *Server) stream(v *viewer, enterprise string, conn net.Conn, head []byte) {
	login := v.user.GetLogin()
	defer s.streams.leave(login)
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetWriteBuffer(socketBuffer); err != nil {
			s.log.Debug("event stream's buffer", "err", err)
		}
	}
	// Nobody else writes before the head of the answer has gone.
	st := &stream{s: s, v: v, topic: topicOf(v), enterprise: enterprise, conn: conn, writing: true, wake: make(chan struct{}, 1)}
	if c, ok := conn.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			st.raw = raw
		}
	}
	s.fanout.join(st)
	defer s.fanout.part(st)
	err := st.write(head)
	st.written(nil)
	if err == nil {
		err = st.run()
	}
	if err != nil {
		s.log.Debug("event stream ended", "login", login, "err", err)
	}
}

// stream is one open event stream.
type stream struct {
	s          *Server
	v          *viewer
	topic      topic
	enterprise string
	conn       net.Conn
	raw        syscall.RawConn // nil: not a plain socket (TLCP), only the stream itself writes
	wake       chan struct{}   // there is something to write
	metrics    []metricRef
	metricsAt  uint64           // of fanout.metrics, when metrics was read
	sent       map[string]int64 // time of the reading last sent, by metric

	mu      sync.Mutex // over what follows
	queue   [][]byte   // events, encoded, shared with all streams of the topic; oldest first
	lost    bool       // some did not fit
	writing bool       // somebody writes to the connection
}

type metricRef struct {
	code string
	ref  store.SeriesRef
}

func (st *stream) run() error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var tick <-chan time.Time
	if st.enterprise != "" {
		t := time.NewTicker(latestEvery)
		defer t.Stop()
		tick = t.C
	}
	if err := st.send("hello", map[string]any{"time": st.s.nowMs(), "site": st.s.opt.Site.ID}); err != nil {
		return err
	}
	if err := st.latest(); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-st.s.streams.closing:
			return nil
		case <-st.wake:
			err = st.drain()
		case <-tick:
			err = st.latest()
		case <-beat.C:
			err = st.beat()
		}
		if err != nil {
			return err
		}
	}
}

// offer hands a buffer on without waiting: it is written at once when nothing stands before it and the connection takes it, so that twenty
// thousand streams need not be woken for an event; what is left of it waits in the queue, which the stream itself works off.
func (st *stream) offer(buf []byte, lost bool) {
	st.mu.Lock()
	st.lost = st.lost || lost
	now := st.raw != nil && !st.writing && !st.lost && len(st.queue) == 0 && len(buf) > 0
	switch {
	case now:
		st.writing = true
	case len(st.queue) >= streamQueue:
		st.lost = true
	case len(buf) > 0:
		st.queue = append(st.queue, buf)
	}
	st.mu.Unlock()
	if now {
		st.written(st.writeNow(buf))
		return
	}
	st.rouse()
}

// writeNow writes what the connection takes without waiting, and returns what is left. An error is for the stream to meet.
func (st *stream) writeNow(buf []byte) (rest []byte) {
	n := 0
	err := st.raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), buf)
		return true
	})
	if err != nil || n < 0 {
		return buf
	}
	return buf[n:]
}

// written says that nobody writes any more, but for what is left.
func (st *stream) written(rest []byte) {
	st.mu.Lock()
	st.writing = false
	if len(rest) > 0 {
		st.queue = slices.Insert(st.queue, 0, rest)
	}
	more := st.lost || len(st.queue) > 0
	st.mu.Unlock()
	if more {
		st.rouse()
	}
}

func (st *stream) rouse() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// drain writes what is queued, and tells a browser that has missed some to read anew. While another writes it does nothing: it will be roused.
func (st *stream) drain() error {
	for {
		st.mu.Lock()
		out, lost := st.queue, st.lost
		if st.writing || len(out) == 0 && !lost {
			st.mu.Unlock()
			return nil
		}
		st.queue, st.lost, st.writing = nil, false, true
		st.mu.Unlock()
		if lost {
			b, err := encodeEvent("resync", map[string]any{"time": st.s.nowMs()})
			if err != nil {
				return err
			}
			st.s.metrics.resyncs.Inc()
			out = append(out, b)
		}
		if err := st.write(out...); err != nil {
			return err
		}
		st.written(nil)
	}
}

// push writes something of the stream's own, behind what is queued.
func (st *stream) push(b []byte) error {
	st.mu.Lock()
	st.queue = append(st.queue, b)
	st.mu.Unlock()
	return st.drain()
}

// errMoved ends a stream whose user may now see something else: the browser opens it anew.
var errMoved = errors.New("event stream: what the user may see has changed")

// beat keeps the connection open through whatever stands between. Whoever logged out or was shut out meanwhile hears no more.
func (st *stream) beat() error {
	now := &viewer{portal: st.v.portal}
	if err := st.s.identify(now, st.v.token); err != nil {
		return err
	}
	if topicOf(now) != st.topic {
		return errMoved
	}
	return st.push([]byte(": beat\n\n"))
}

// write writes pieces whole or fails. A browser that takes nothing in time is dropped.
func (st *stream) write(pieces ...[]byte) error {
	if err := st.conn.SetWriteDeadline(time.Now().Add(flushWithin)); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	var err error
	if len(pieces) == 1 {
		_, err = st.conn.Write(pieces[0])
	} else {
		out := net.Buffers(pieces)
		_, err = out.WriteTo(st.conn)
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			st.s.metrics.dropped.Inc()
		}
		return fmt.Errorf("event stream: %w", err)
	}
	if err := st.conn.SetWriteDeadline(time.Time{}); err != nil { // writeNow knows of none
		return fmt.Errorf("event stream: %w", err)
	}
	return nil
}

func (st *stream) send(event string, data any) error {
	b, err := encodeEvent(event, data)
	if err != nil {
		return err
	}
	return st.push(b)
}

// encodeEvent is an event as it goes over the wire.
func encodeEvent(event string, data any) ([]byte, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", event, b), nil
}

// latest sends the plant's readings that came since the last time.
func (st *stream) latest() error {
	if st.enterprise == "" {
		return nil
	}
	if at := st.s.fanout.metrics.Load(); st.metrics == nil || st.metricsAt != at {
		st.metricsAt = at
		_, rows, err := parts[*schema.Metric](context.Background(), st.s, "Metric", st.enterprise)
		if err != nil {
			return err
		}
		st.metrics = []metricRef{}
		for _, r := range rows {
			st.metrics = append(st.metrics, metricRef{r.Key, store.SeriesRef{Origin: r.Origin, Series: r.Record.(*schema.Metric).GetSeries()}})
		}
	}
	var values []LatestValue
	for _, m := range st.metrics {
		p, ok := st.s.opt.Backend.Store().Latest(m.ref)
		if !ok || st.sent[m.code] == p.Time {
			continue
		}
		if st.sent == nil {
			st.sent = map[string]int64{}
		}
		st.sent[m.code] = p.Time
		values = append(values, LatestValue{m.code, p.Time, finite(p.Value), p.Quality})
	}
	if len(values) == 0 {
		return nil
	}
	return st.send("latest", LatestEvent{st.enterprise, values})
}

func (d *door) eventRoutes() {
	handleRaw(d, "events", d.s.events)
	d.streamed("events", "text/event-stream", reflect.TypeFor[ChangeEvent](), reflect.TypeFor[LatestEvent]())
}
