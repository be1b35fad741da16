package notify

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/keys"
	"dusthub/crypto/sm"
	"dusthub/node/config"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

const plant = "320505030001"

// shared is a site's state as its replicas see it: a real store and hub, and a log that can be cut.
type shared struct {
	t     *testing.T
	mu    sync.Mutex
	store *store.Store
	hub   *live.Hub
	index uint64
	cut   func(*schema.Command) error // refuses commands
	clock time.Time
}

// replica is one replica's view.
type replica struct {
	*shared
	lead  bool
	leads chan bool
}

func (r *replica) Store() *store.Store               { return r.store }
func (r *replica) Hub() *live.Hub                    { return r.hub }
func (r *replica) IsLeader() bool                    { r.mu.Lock(); defer r.mu.Unlock(); return r.lead }
func (r *replica) Leadership() (<-chan bool, func()) { return r.leads, func() {} }

func (r *replica) take(lead bool) {
	r.mu.Lock()
	r.lead = lead
	r.mu.Unlock()
	r.leads <- lead
}

func (s *shared) now() time.Time       { s.mu.Lock(); defer s.mu.Unlock(); return s.clock }
func (s *shared) pass(d time.Duration) { s.mu.Lock(); defer s.mu.Unlock(); s.clock = s.clock.Add(d) }
func (s *shared) at(h, m int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = time.Date(2026, 11, 25, h, m, 0, 0, beijing)
}
func (s *shared) cutBy(f func(*schema.Command) error) { s.mu.Lock(); defer s.mu.Unlock(); s.cut = f }

func (s *shared) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		if err := s.cut(cmd); errors.Is(err, errRefused) {
			return &schema.Result{Violations: []*schema.Violation{{Record: "Command", Rule: "life_cycle"}}}, nil
		} else if err != nil {
			return nil, err
		}
	}
	s.index++
	b := s.store.Begin(s.index, s.clock.UnixMilli())
	if s.store.Epoch() == 0 {
		if err := b.SetEpoch(1); err != nil {
			return nil, err
		}
	}
	for _, c := range cmd.GetPut().GetChanges() {
		if c.GetDeleted() {
			if _, err := b.Own(store.Change{Type: c.GetType(), Key: c.GetKey(), Deleted: true, Actor: cmd.GetActor()}); err != nil {
				return nil, err
			}
			continue
		}
		rec, err := schema.Decode(c.GetType(), c.GetRecord())
		if err != nil {
			return nil, err
		}
		if vs := schema.ValidateAt(rec, s.clock.UnixMilli()); schema.Refuses(vs) {
			b.Discard()
			return &schema.Result{Violations: vs}, nil
		}
		if _, err := b.Own(store.Change{Type: c.GetType(), Key: schema.KeyOf(rec), Record: rec, Actor: cmd.GetActor()}); err != nil {
			return nil, err
		}
	}
	rows := b.Rows()
	if err := b.Commit(); err != nil {
		return nil, err
	}
	s.hub.Publish(live.Event{Index: s.index, Time: s.clock.UnixMilli(), Rows: rows})
	return &schema.Result{Index: s.index}, nil
}

func (s *shared) write(records ...schema.Record) {
	s.t.Helper()
	put := &schema.Put{}
	for _, r := range records {
		raw, err := schema.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(r), Record: raw})
	}
	s.mu.Lock()
	cut := s.cut
	s.cut = nil
	s.mu.Unlock()
	res, err := s.Propose(s.t.Context(), &schema.Command{Actor: "test", Body: &schema.Command_Put{Put: put}})
	if err != nil || schema.Refuses(res.GetViolations()) {
		s.t.Fatal(err, res.GetViolations())
	}
	s.cutBy(cut)
}

func (s *shared) delivery(kind string) *schema.Delivery {
	s.t.Helper()
	for _, d := range s.deliveries() {
		if d.GetKind() == kind {
			return d
		}
	}
	s.t.Fatalf("no delivery by %s", kind)
	return nil
}

func (s *shared) deliveries() []*schema.Delivery {
	var out []*schema.Delivery
	err := s.store.Each(context.Background(), store.Query{Type: "Delivery"}, func(r store.Row) (bool, error) {
		out = append(out, r.Record.(*schema.Delivery))
		return true, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// world is a site with people, and its leader.
type world struct {
	*shared
	keys    keys.Provider
	cfg     config.Notify
	dir     string
	leader  *Notifier
	replica *replica
}

func newWorld(t *testing.T, change ...func(*config.Notify)) *world {
	t.Helper()
	st, err := store.Open(store.Options{Dir: filepath.Join(t.TempDir(), "store"), Site: "jiangsu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{shared: &shared{t: t, store: st, hub: live.New(0)}, dir: t.TempDir()}
	w.at(10, 0)
	kp, err := keys.OpenSoftware(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	w.keys, w.cfg = kp, config.Defaults().Notify
	w.cfg.Private, w.cfg.Timeout = true, 5*time.Second
	secret := filepath.Join(w.dir, "webhook")
	if err := os.WriteFile(secret, []byte("hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.cfg.Webhook.SecretFile = secret
	for _, f := range change {
		f(&w.cfg)
	}
	w.leader, w.replica = w.notifier()
	w.replica.lead = true
	w.write(&schema.Enterprise{
		Code: plant, Name: "苏州一厂", Region: "320505", Uscc: "91320505MA1000371T", UsccOverride: "test", Industry: "C33", MemIndustry: "machinery", Scale: "small",
		ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}}, DustWorkers: 30, Employees: 60,
	})
	for _, u := range []*schema.User{
		{Login: "worker", Role: "plant_worker", Enterprise: plant}, {Login: "manager", Role: "plant_manager", Enterprise: plant},
		{Login: "other", Role: "plant_manager", Enterprise: "320505030002"}, {Login: "gone", Role: "plant_manager", Enterprise: plant, Disabled: true},
		{Login: "suzhou", Role: "province_regulator", Region: "320500"}, {Login: "jiangsu", Role: "province_regulator", Region: "320000"},
		{Login: "wuxi", Role: "province_regulator", Region: "320200"}, {Login: "ministry", Role: "ministry_regulator"},
	} {
		u.Name, u.Password = u.GetLogin(), "x"
		w.write(u)
	}
	return w
}

func (w *world) notifier() (*Notifier, *replica) {
	w.t.Helper()
	r := &replica{shared: w.shared, leads: make(chan bool, 4)}
	n, err := New(Options{Site: r, ID: "jiangsu", Config: w.cfg, Keys: w.keys, KeysDir: w.dir, Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	return n, r
}

func (w *world) channel(kind, login, address string, change ...func(*schema.Channel)) *schema.Channel {
	w.t.Helper()
	sealed, err := w.leader.Seal(kind, []byte(address))
	if err != nil {
		w.t.Fatal(err)
	}
	c := &schema.Channel{Id: kind + "-" + login, Login: login, Kind: kind, AddressSealed: sealed}
	for _, f := range change {
		f(c)
	}
	w.write(c)
	return c
}

func (w *world) alarm(change ...func(*schema.Alarm)) *schema.Alarm {
	w.t.Helper()
	now := w.now().UnixMilli()
	a := &schema.Alarm{
		Id: "A-1", Enterprise: plant, Rule: "HH", Level: 2, Unit: "℃", Value: 81.5, Onset: now, Raised: now, Condition: "active", Stage: "raised",
		Priority: "high", StageDue: now + 600_000, Calls: 1,
	}
	for _, f := range change {
		f(a)
	}
	w.write(a)
	return a
}

// work plans what is open and sends what is due, once.
func (w *world) work(n *Notifier) {
	w.t.Helper()
	if err := errors.Join(n.planOpen(w.t.Context()), n.round(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
	n.busy.wg.Wait()
}

func logins(ds []*schema.Delivery) []string {
	out := []string{}
	for _, d := range ds {
		out = append(out, d.GetLogin())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestWhoIsCalled(t *testing.T) {
	for name, c := range map[string]struct {
		rec  schema.Record
		want string
	}{
		"raised":                               {&schema.Alarm{}, "manager worker"},
		"safety head":                          {&schema.Alarm{Escalation: 1}, "manager worker"},
		"nobody at the county: the city":       {&schema.Alarm{Escalation: 2}, "manager suzhou worker"},
		"province":                             {&schema.Alarm{Escalation: 4}, "jiangsu manager suzhou worker"},
		"shelved":                              {&schema.Alarm{Suppressed: true}, ""},
		"a warning of the plant":               {&schema.Warning{Receivers: []string{"enterprise"}}, "manager worker"},
		"a warning for all up to the province": {&schema.Warning{Receivers: []string{"enterprise", "county", "city", "province"}}, "jiangsu manager suzhou worker"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			now := w.now().UnixMilli()
			switch r := c.rec.(type) {
			case *schema.Alarm:
				w.alarm(func(a *schema.Alarm) { proto.Merge(a, r) })
			case *schema.Warning:
				r.Id, r.Enterprise, r.FromLevel, r.ToLevel, r.Raised, r.Due, r.Stage, r.Calls = "W-1", plant, "yellow", "red", now, now+7200_000, "raised", 1
				w.write(r)
			}
			w.work(w.leader)
			w.work(w.leader)
			got := w.deliveries()
			if names := strings.Join(logins(got), " "); names != c.want || len(got) != len(strings.Fields(c.want)) {
				t.Errorf("called %s in %d deliveries, want %s once each", names, len(got), c.want)
			}
			for _, d := range got {
				if d.GetStage() != sent || !strings.Contains(d.GetTitle(), "苏州一厂") {
					t.Errorf("portal delivery %v", d)
				}
			}
		})
	}
}

func TestEachCallIsDeliveredOnceMore(t *testing.T) {
	w := newWorld(t)
	a := w.alarm()
	w.work(w.leader)
	a.Calls = 2
	w.write(a)
	w.work(w.leader)
	a.Calls, a.Escalation = 3, 1
	w.write(a)
	w.work(w.leader)
	count := map[string]int{}
	for _, d := range w.deliveries() {
		count[d.GetTemplate()]++
	}
	if count["alarm_raised"] != 2 || count["alarm_reminder"] != 2 || count["alarm_escalation"] != 2 {
		t.Errorf("deliveries by template: %v", count)
	}
}

func TestQuietHours(t *testing.T) {
	for _, c := range []struct {
		from, until int32
		hour, min   int
		quiet       bool
		end         string
	}{
		{0, 0, 3, 0, false, ""}, {600, 600, 10, 0, false, ""},
		{22 * 60, 7 * 60, 21, 59, false, ""}, {22 * 60, 7 * 60, 22, 0, true, "26 07:00"}, {22 * 60, 7 * 60, 6, 59, true, "25 07:00"}, {22 * 60, 7 * 60, 7, 0, false, ""},
		{12 * 60, 13*60 + 30, 12, 15, true, "25 13:30"}, {12 * 60, 13*60 + 30, 13, 30, false, ""}, {1380, 0, 23, 30, true, "26 00:00"},
	} {
		until, quiet := quietUntil(&schema.Channel{QuietFrom: c.from, QuietUntil: c.until}, time.Date(2026, 11, 25, c.hour, c.min, 0, 0, beijing).UTC())
		if quiet != c.quiet || quiet && until.Format("02 15:04") != c.end {
			t.Errorf("%d-%d at %02d:%02d: quiet %t until %s, want %t %s", c.from, c.until, c.hour, c.min, quiet, until.Format("02 15:04"), c.quiet, c.end)
		}
	}
}

func TestBackoff(t *testing.T) {
	var got []time.Duration
	for i := 1; i <= 7; i++ {
		got = append(got, backoff(10*time.Second, 2*time.Minute, i)/time.Second)
	}
	if want := []time.Duration{10, 20, 40, 80, 120, 120, 120}; !slices.Equal(got, want) {
		t.Errorf("pauses %d, want %d", got, want)
	}
	if d := backoff(time.Second, time.Hour, 1_000_000); d != time.Hour {
		t.Errorf("after very many attempts %s", d)
	}
}

// hook is a webhook's server that answers as told, and keeps what it was given.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []*http.Request
	bodies [][]byte
}

func newHook(t *testing.T) *hook {
	h := &hook{status: http.StatusNoContent}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got, h.bodies = append(h.got, r), append(h.bodies, body)
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) answer(status int) { h.mu.Lock(); defer h.mu.Unlock(); h.status = status }
func (h *hook) ids() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, r := range h.got {
		out = append(out, r.Header.Get(headerKey))
	}
	return out
}

func TestWebhookIsSignedAndTriedAgain(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.channel(KindWebhook, "manager", h.URL+"/secret-path")
	h.answer(http.StatusServiceUnavailable)
	w.alarm()
	w.work(w.leader)
	d := w.delivery(KindWebhook)
	if d.GetStage() != failed || d.GetTries() != 1 || d.GetNext() != w.now().Add(10*time.Second).UnixMilli() || d.GetError() != "answered 503" {
		t.Fatalf("after a failure: %v", d)
	}
	w.pass(9 * time.Second)
	w.work(w.leader)
	if n := len(h.ids()); n != 1 {
		t.Fatalf("%d attempts before it was due", n)
	}
	w.pass(time.Second)
	h.answer(http.StatusOK)
	w.work(w.leader)
	if d = w.delivery(KindWebhook); d.GetStage() != sent || d.GetTries() != 2 || d.GetSent() != w.now().UnixMilli() {
		t.Fatalf("after success: %v", d)
	}
	at := h.got[1].Header.Get(headerTime)
	mac := sm.HMACSM3([]byte("hush-hush"), append([]byte(at+"."), h.bodies[1]...))
	if got := h.got[1].Header.Get(headerSignature); got != "hmac-sm3="+hex.EncodeToString(mac[:]) || at != fmt.Sprint(w.now().UnixMilli()) {
		t.Errorf("signature %s at %s", got, at)
	}
	var m message
	if err := json.Unmarshal(h.bodies[1], &m); err != nil || m.ID != d.GetId() || m.Title == "" || m.Subject != "Alarm/A-1" {
		t.Errorf("body %s: %v", h.bodies[1], err)
	}
	if ids := h.ids(); ids[0] != ids[1] || ids[0] != d.GetId() {
		t.Errorf("keys of the attempts: %v", ids)
	}
}

func TestGivingUp(t *testing.T) {
	for name, c := range map[string]struct {
		status, rounds int
		tries          int32
	}{"after the last attempt": {500, 8, 8}, "at once when it is in vain": {400, 3, 1}, "a redirect is not followed": {302, 3, 1}} {
		t.Run(name, func(t *testing.T) {
			w, h := newWorld(t), newHook(t)
			h.answer(c.status)
			w.channel(KindWebhook, "manager", h.URL+"/token-in-url")
			w.alarm()
			for range c.rounds {
				w.work(w.leader)
				w.pass(time.Hour)
			}
			w.work(w.leader)
			d := w.delivery(KindWebhook)
			if d.GetStage() != givenUp || d.GetTries() != c.tries || len(h.ids()) != int(c.tries) || strings.Contains(d.GetError(), "token") || w.leader.waiting.Load() != 0 {
				t.Errorf("%v after %d requests, %d wait", d, len(h.ids()), w.leader.waiting.Load())
			}
		})
	}
}

func TestUnreachableTellsNoURL(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.channel(KindWebhook, "manager", h.URL+"/token-in-url")
	h.Close()
	w.alarm()
	w.work(w.leader)
	if d := w.delivery(KindWebhook); d.GetStage() != failed || d.GetError() == "" || strings.Contains(d.GetError(), "token") {
		t.Errorf("%v", d)
	}
}

// What was sent when the leader fell before it could be kept is sent again under the same key, and then never more.
func TestCrashBetweenSendingAndKeeping(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.channel(KindWebhook, "manager", h.URL)
	w.alarm()
	if err := w.leader.planOpen(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.cutBy(func(*schema.Command) error {
		w.replica.lead = false // under the lock that IsLeader takes
		return errors.New("the leader fell")
	})
	id := w.delivery(KindWebhook).GetId()
	w.leader.deliver(t.Context(), id)
	w.cutBy(nil)
	if d := w.delivery(KindWebhook); d.GetStage() != queued || len(h.ids()) != 1 {
		t.Fatalf("after the fall: %v, %d requests", d, len(h.ids()))
	}
	next, r := w.notifier()
	r.lead = true
	w.work(next)
	w.work(next)
	w.work(w.leader)
	if ids := h.ids(); len(ids) != 2 || ids[0] != ids[1] || w.delivery(KindWebhook).GetStage() != sent {
		t.Errorf("requests %v, %v", ids, w.delivery(KindWebhook))
	}
}

// Leadership moves between two running replicas: every call is delivered once, whoever leads.
func TestLeaderChange(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.channel(KindWebhook, "manager", h.URL)
	second, other := w.notifier()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.leader.Run(ctx) })
	wg.Go(func() { _ = second.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	w.replica.take(true)
	const calls = 6
	for i := range calls {
		if i == calls/2 {
			w.replica.take(false)
		}
		w.alarm(func(a *schema.Alarm) { a.Id = fmt.Sprint("A-", i) })
		if i == calls/2+1 {
			other.take(true)
		}
	}
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		done := 0
		for _, d := range w.deliveries() {
			if d.GetKind() == KindWebhook && d.GetStage() == sent {
				done++
			}
		}
		if done == calls {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d calls delivered", done, calls)
		}
	}
	ids := h.ids()
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != calls || len(ids) != calls {
		t.Errorf("requests %v", ids)
	}
}

func TestHeldInQuietHoursButNotTheHighestPriority(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	quiet := func(c *schema.Channel) { c.QuietFrom, c.QuietUntil = 22*60, 7*60 }
	w.channel(KindWebhook, "manager", h.URL, quiet)
	w.at(23, 0)
	w.alarm()
	w.alarm(func(a *schema.Alarm) { a.Id, a.Priority = "A-2", "critical" })
	w.work(w.leader)
	w.work(w.leader)
	if ids := h.ids(); len(ids) != 1 || !strings.Contains(ids[0], "A-2") {
		t.Fatalf("sent at night: %v", ids)
	}
	w.pass(8 * time.Hour)
	w.work(w.leader)
	if ids := h.ids(); len(ids) != 2 {
		t.Errorf("sent in the morning: %v", ids)
	}
}

func TestWithdrawn(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	h.answer(500)
	w.channel(KindWebhook, "manager", h.URL)
	a := w.alarm()
	w.work(w.leader)
	a.Stage, a.StageDue, a.Suppressed = "closed", 0, false
	w.write(a)
	w.pass(time.Hour)
	w.work(w.leader)
	if d := w.delivery(KindWebhook); d.GetStage() != givenUp || !strings.HasPrefix(d.GetError(), "withdrawn") || len(h.ids()) != 1 {
		t.Errorf("%v", d)
	}
}

func TestChannelsOfAPriority(t *testing.T) {
	w, h := newWorld(t), newHook(t)
	w.channel(KindWebhook, "manager", h.URL, func(c *schema.Channel) { c.Priority = "critical" })
	w.alarm()
	w.work(w.leader)
	if len(h.ids()) != 0 {
		t.Error("a channel for the highest priority was called for less")
	}
}

func TestFullQueue(t *testing.T) {
	w, h := newWorld(t, func(c *config.Notify) { c.Queue = 10 }), newHook(t)
	w.channel(KindWebhook, "manager", h.URL)
	for i := range 15 {
		w.alarm(func(a *schema.Alarm) { a.Id = fmt.Sprintf("A-%02d", i) })
	}
	w.alarm(func(a *schema.Alarm) { a.Id, a.Priority = "B", "critical" })
	if err := w.leader.planOpen(t.Context()); err != nil {
		t.Fatal(err)
	}
	full, wait := 0, 0
	for _, d := range w.deliveries() {
		if d.GetError() == "queue full" && d.GetStage() == givenUp {
			full++
		}
		if d.GetStage() == queued {
			wait++
		}
	}
	if full != 5 || wait != 11 {
		t.Errorf("%d given up, %d wait; want 5 and 10 with the one of highest priority", full, wait)
	}
}

func TestPublicAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false,
		"224.0.0.1": false, "fe80::1": false, "fd00::1": false, "::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "255.255.255.255": false,
		"1.1.1.1": true, "114.114.114.114": true, "2400:3200::1": true,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s public %t", addr, got)
		}
	}
}

func TestInsideIsNotReached(t *testing.T) {
	h := newHook(t)
	// The name is judged by what it resolves to.
	for _, url := range []string{h.URL, strings.Replace(h.URL, "127.0.0.1", "localhost", 1)} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if res, err := guarded(reach{}, time.Second).Do(req); !errors.Is(err, errInside) {
			if err == nil {
				res.Body.Close()
			}
			t.Errorf("%s: %v", url, err)
		}
	}
	if len(h.ids()) != 0 {
		t.Error("it was reached")
	}
	w := newWorld(t, func(c *config.Notify) { c.Private = false })
	for _, bad := range []string{"http://example.com/", "https://127.0.0.1/", "https://u:p@example.com/", "https://[::1]/", "ftp://x", "", "https://10.0.0.1:8443/x"} {
		if _, err := w.leader.Seal(KindWebhook, []byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := w.leader.Seal(KindWebhook, []byte("https://example.com/hook")); err != nil {
		t.Error(err)
	}
	if _, err := w.leader.Seal(KindSMS, []byte("13800000000")); err == nil {
		t.Error("a kind that is not set up was taken")
	}
}
