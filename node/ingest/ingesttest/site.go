// Package ingesttest is a site without raft, for tests of the doors and of what knocks at them: a real store and a real intake, and a proposer that
// applies each command at once.
package ingesttest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dusthub/crypto/keys"
	"dusthub/crypto/sm"
	"dusthub/node/ingest"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// ID is the id of every test site.
const ID = "jiangsu"

// Two plants with a gateway each.
const (
	Enterprise  = "320505030001"
	Gateway     = Enterprise + "G01"
	Temperature = Enterprise + "C001T0101" // -20 to 200
	Pressure    = Enterprise + "C001P0101" // 0 to 5000
	Fan         = Enterprise + "C001R0101" // 0 to 1
	Disabled    = Enterprise + "C001T0201"
	Unknown     = Enterprise + "C001T0999"

	OtherGateway = "320505030002G01"
	OtherMetric  = "320505030002C001T0101"

	Secret    = "correct horse battery staple"
	AppID     = "app-320505030001"
	AppSecret = "the appsecret"
)

// Key and IV of the SM4 door.
var (
	Key = []byte("0123456789abcdef")
	IV  = []byte("fedcba9876543210")
)

// Site is a site without raft.
type Site struct {
	Store  *store.Store
	Hub    *live.Hub
	Intake *ingest.Intake

	mu       sync.Mutex // the one writer
	index    uint64
	frames   int
	heard    []*schema.Heard
	down     atomic.Bool
	forget   atomic.Int32 // so many results get lost on their way back
	slow     atomic.Int64 // ns a proposal takes
	stopping context.CancelFunc
	done     chan error
}

// New starts a site; it stops with the test. change may alter the intake's options.
func New(t testing.TB, change func(*ingest.Options)) *Site {
	t.Helper()
	st, err := store.Open(store.Options{Dir: t.TempDir(), Site: ID})
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{Store: st, Hub: live.New(0), done: make(chan error, 1)}
	kp, err := keys.OpenSoftware(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	opt := ingest.Options{Store: st, Hub: s.Hub, Proposer: s, Keys: kp, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&opt)
	}
	if s.Intake, err = ingest.New(opt); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stopping = cancel
	go func() { s.done <- s.Intake.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.done; err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	s.base(t, kp)
	return s
}

func (s *Site) base(t testing.TB, kp keys.Provider) {
	t.Helper()
	sealed, err := kp.Seal("gateway/"+Gateway, append(append([]byte(nil), Key...), IV...))
	if err != nil {
		t.Fatal(err)
	}
	secret, appsecret := sm.SM3([]byte(Secret)), sm.SM3([]byte(AppSecret))
	metric := func(code, gateway string, series uint32, lo, hi float64) *schema.Metric {
		return &schema.Metric{Code: code, Enterprise: code[:12], Gateway: gateway, Series: series, RangeLo: lo, RangeHi: hi, Disabled: code == Disabled}
	}
	s.Put(t,
		&schema.Gateway{Code: Gateway, Enterprise: Enterprise, Door: "http"},
		&schema.Gateway{Code: OtherGateway, Enterprise: OtherGateway[:12], Door: "http"},
		&schema.Credential{Gateway: Gateway, SecretSm3: secret[:], Appid: AppID, AppsecretSm3: appsecret[:], Sm4Sealed: []byte(sealed)},
		&schema.Credential{Gateway: OtherGateway, SecretSm3: secret[:]},
		metric(Temperature, Gateway, 1, -20, 200), metric(Pressure, Gateway, 2, 0, 5000), metric(Fan, Gateway, 3, 0, 1), metric(Disabled, Gateway, 4, -20, 200),
		metric(OtherMetric, OtherGateway, 5, -20, 200),
	)
}

// ErrNoLeader is what Propose answers while the site is down.
var ErrNoLeader = errors.New("no leader")

// Propose applies a command at once.
func (s *Site) Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	if s.down.Load() {
		return nil, ErrNoLeader
	}
	if d := s.slow.Load(); d > 0 {
		select {
		case <-time.After(time.Duration(d)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r, err := s.apply(cmd)
	if err == nil && s.forget.Load() > 0 && s.forget.Add(-1) >= 0 {
		return nil, ErrNoLeader
	}
	return r, err
}

func (s *Site) apply(cmd *schema.Command) (*schema.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	now := time.Now().UnixMilli()
	b := s.Store.Begin(s.index, now)
	if s.index == 1 {
		if err := b.SetEpoch(1); err != nil {
			return nil, err
		}
	}
	r := &schema.Result{Index: s.index}
	var err error
	switch body := cmd.GetBody().(type) {
	case *schema.Command_Frame:
		var a store.Appended
		a, err = b.Frame(ID, body.Frame)
		r.Stored, r.Duplicates, r.Conflicts = uint32(a.Stored), uint32(a.Duplicates), uint32(a.Conflicted)
		s.frames++
	case *schema.Command_Heard:
		s.heard = append(s.heard, body.Heard)
		state := "online"
		if body.Heard.GetSourceLost() {
			state = "source_lost"
		}
		err = own(b, &schema.GatewayState{Gateway: body.Heard.GetGateway(), State: state, Since: now})
	case *schema.Command_Refused:
		err = own(b, body.Refused.GetQuarantine())
	case *schema.Command_Put:
		for _, c := range body.Put.GetChanges() {
			var rec schema.Record
			if rec, err = schema.Decode(c.GetType(), c.GetRecord()); err == nil {
				err = own(b, rec)
			}
		}
	}
	if err != nil {
		b.Discard()
		return nil, err
	}
	rows := b.Rows()
	if err := b.Commit(); err != nil {
		return nil, err
	}
	s.Hub.Publish(live.Event{Index: s.index, Time: now, Rows: rows})
	return r, nil
}

func own(b *store.Batch, rec schema.Record) error {
	_, err := b.Own(store.Change{Type: schema.TypeOf(rec), Key: schema.KeyOf(rec), Record: rec, Actor: "test"})
	return err
}

// Put writes records as they are.
func (s *Site) Put(t testing.TB, records ...proto.Message) {
	t.Helper()
	put := &schema.Put{}
	for _, r := range records {
		raw, err := schema.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw})
	}
	if _, err := s.apply(&schema.Command{Body: &schema.Command_Put{Put: put}}); err != nil {
		t.Fatal(err)
	}
}

// Down makes the site answer nothing but ErrNoLeader, or answer again.
func (s *Site) Down(down bool) { s.down.Store(down) }

// Slow makes every proposal take a while.
func (s *Site) Slow(d time.Duration) { s.slow.Store(int64(d)) }

// Forget commits the next n commands and says of them that it does not know.
func (s *Site) Forget(n int) { s.forget.Store(int32(n)) }

// Frames is how many frames were committed.
func (s *Site) Frames() int { s.mu.Lock(); defer s.mu.Unlock(); return s.frames }

// Heard lists what was said of gateways that sent no readings.
func (s *Site) Heard() []*schema.Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*schema.Heard(nil), s.heard...)
}

// Points reads all samples of a metric.
func (s *Site) Points(t testing.TB, metric string) []store.Point {
	t.Helper()
	row, ok, err := s.Store.Get("Metric", metric)
	if err != nil || !ok {
		t.Fatalf("metric %s: %v, %v", metric, ok, err)
	}
	var out []store.Point
	ref := store.SeriesRef{Origin: ID, Series: row.Record.(*schema.Metric).GetSeries()}
	if err := s.Store.Points(context.Background(), ref, 0, 1<<60, func(p store.Point) error { out = append(out, p); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// Quarantine reads what is in quarantine, oldest first.
func (s *Site) Quarantine(t testing.TB) []*schema.Quarantine {
	t.Helper()
	page, err := s.Store.List(context.Background(), store.Query{Type: "Quarantine", Index: "time", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*schema.Quarantine, len(page.Rows))
	for i, r := range page.Rows {
		out[i] = r.Record.(*schema.Quarantine)
	}
	return out
}
