package portal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
)

const (
	streamBuffer   = 256 // events a slow browser may be behind; beyond, it is told to read anew
	streamsPerUser = 16
	streamsMost    = 4096
	heartbeat      = 15 * time.Second
	latestEvery    = time.Second
	flushWithin    = 10 * time.Second // a browser that takes nothing for so long is gone
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
	Values     []LatestValue `json:"values"`
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
	once    sync.Once
	mu      sync.Mutex
	all     int
	by      map[string]int
}

func newStreams(m *metrics) *streams {
	return &streams{metrics: m, closing: make(chan struct{}), by: map[string]int{}}
}

func (st *streams) close() { st.once.Do(func() { close(st.closing) }) }

func (st *streams) enter(login string) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.all >= streamsMost || st.by[login] >= streamsPerUser {
		return false
	}
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
}

type eventsInput struct {
	Enterprise string `query:"enterprise" doc:"also send this plant's newest readings, at most once a second"`
}

// events opens a stream. Its writer runs after the handler has returned, on its own goroutine.
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
		ch, stop := s.opt.Backend.Hub().Subscribe(streamBuffer)
		conn := c.Context().Conn()
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			defer s.streams.leave(login)
			defer stop()
			st := &stream{s: s, v: v, enterprise: enterprise, w: w, conn: conn, sent: map[string]int64{}}
			if err := st.run(ch); err != nil {
				s.log.Debug("event stream ended", "login", login, "err", err)
			}
		})
	}}, nil
}

// stream is one open event stream.
type stream struct {
	s          *Server
	v          *viewer
	enterprise string
	w          *bufio.Writer
	conn       net.Conn
	metrics    []metricRef
	sent       map[string]int64 // time of the reading last sent, by metric
}

type metricRef struct {
	code string
	ref  store.SeriesRef
}

func (st *stream) run(ch <-chan live.Event) error {
	beat, tick := time.NewTicker(heartbeat), time.NewTicker(latestEvery)
	defer beat.Stop()
	defer tick.Stop()
	if st.enterprise == "" {
		tick.Stop()
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
		case e := <-ch:
			err = st.changes(e)
		case <-tick.C:
			err = st.latest()
		case <-beat.C:
			err = st.beat()
		}
		if err != nil {
			return err
		}
	}
}

// beat keeps the connection open through whatever stands between. Whoever logged out or was shut out meanwhile hears no more.
func (st *stream) beat() error {
	if err := st.s.identify(&viewer{portal: st.v.portal}, st.v.token); err != nil {
		return err
	}
	if _, err := st.w.WriteString(": beat\n\n"); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	return st.flush()
}

func (st *stream) flush() error {
	if err := st.conn.SetWriteDeadline(time.Now().Add(flushWithin)); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	if err := st.w.Flush(); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	return nil
}

func (st *stream) send(event string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if _, err := fmt.Fprintf(st.w, "event: %s\ndata: %s\n\n", event, b); err != nil {
		return fmt.Errorf("event stream: %w", err)
	}
	return st.flush()
}

// changes tells the viewer of those of a command's changes that are in the viewer's sight.
func (st *stream) changes(e live.Event) error {
	if e.Lost {
		st.s.metrics.resyncs.Inc()
		if err := st.send("resync", map[string]any{"time": e.Time}); err != nil {
			return err
		}
	}
	for _, r := range e.Rows {
		if st.metrics != nil && r.Type == "Metric" {
			st.metrics = nil
		}
		if !st.shows(r) {
			continue
		}
		c := ChangeEvent{Type: r.Type, Key: r.Key, Origin: r.Origin, Enterprise: enterpriseOf(r.Record), Seq: r.Seq, Time: r.Time, Deleted: r.Record == nil}
		if err := st.send("change", c); err != nil {
			return err
		}
	}
	return nil
}

// shows says whether a viewer may hear of a row. A deleted row no longer says whose it was.
func (st *stream) shows(r store.Row) bool {
	if local(r.Type) {
		return false
	}
	if r.Record == nil {
		return st.v.portal == Regulator && st.v.area() == ""
	}
	if st.v.portal == Enterprise {
		return ofPlants(r.Type) && st.s.sees(st.v, enterpriseOf(r.Record))
	}
	return st.s.inArea(st.v, r.Record)
}

// latest sends the plant's readings that came since the last time.
func (st *stream) latest() error {
	if st.enterprise == "" {
		return nil
	}
	if st.metrics == nil {
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
		st.sent[m.code] = p.Time
		values = append(values, LatestValue{m.code, p.Time, finite(p.Value), p.Quality})
	}
	if len(values) == 0 {
		return nil
	}
	return st.send("latest", LatestEvent{st.enterprise, values})
}

func (d *door) eventRoutes() { handleRaw(d, "events", d.s.events) }
