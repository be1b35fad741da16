package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"dusthub/crypto/keys"
	"dusthub/node/live"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// backend is a site of one replica: a real store and hub, with the smallest judge that lets the portal's own rules be
// tested. The engine's rules have tests of their own.
type backend struct {
	mu    sync.Mutex
	store *store.Store
	hub   *live.Hub
	index uint64
	down  bool                  // no leader
	gate  func(*schema.Command) // what is waited for before a command is applied
	now   func() time.Time
}

func (b *backend) Store() *store.Store { return b.store }
func (b *backend) Hub() *live.Hub      { return b.hub }
func (b *backend) Leader() (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return "", false
	}
	return "r1", true
}

var transitions = map[string]struct{ from, to string }{
	"acknowledge": {"raised", "acknowledged"}, "dispose": {"acknowledged", "disposed"}, "feed_back": {"disposed", "fed_back"}, "close": {"fed_back", "closed"},
}

func (b *backend) Propose(_ context.Context, cmd *schema.Command) (*schema.Result, error) {
	if b.gate != nil {
		b.gate(cmd)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, fmt.Errorf("no leader")
	}
	b.index++
	now := b.now().UnixMilli()
	batch := b.store.Begin(b.index, now)
	if b.store.Epoch() == 0 {
		if err := batch.SetEpoch(1); err != nil {
			return nil, err
		}
	}
	res := &schema.Result{Index: b.index}
	var err error
	switch body := cmd.GetBody().(type) {
	case *schema.Command_Put:
		err = b.put(batch, cmd, body.Put, res)
	case *schema.Command_Act:
		err = b.act(batch, cmd, body.Act, res, now)
	case *schema.Command_Blob:
		err = batch.PutBlob(body.Blob)
	case *schema.Command_Frame:
		_, err = batch.Frame(b.store.Site(), body.Frame)
	}
	if err != nil {
		return nil, err
	}
	rows := batch.Rows()
	if len(res.GetViolations()) > 0 {
		rows = nil
		batch.Discard()
	} else if err := batch.Commit(); err != nil {
		return nil, err
	}
	b.hub.Publish(live.Event{Index: b.index, Time: now, Rows: rows})
	return res, nil
}

func (b *backend) put(batch *store.Batch, cmd *schema.Command, put *schema.Put, res *schema.Result) error {
	for _, c := range put.GetChanges() {
		change := store.Change{Type: c.GetType(), Key: c.GetKey(), Deleted: c.GetDeleted(), To: c.GetTo(), Actor: cmd.GetActor()}
		if !c.GetDeleted() {
			rec, err := schema.Decode(c.GetType(), c.GetRecord())
			if err != nil {
				return err
			}
			change.Record, change.Key = rec, schema.KeyOf(rec)
			if vs := schema.Validate(rec); schema.Refuses(vs) {
				res.Violations = append(res.Violations, vs...)
				continue
			}
			// A shelf is about things of its own plant: the engine knows them by name, here their codes begin with the plant's.
			if h, ok := rec.(*schema.Shelf); ok && (!strings.HasPrefix(h.GetCollector()+h.GetEnterprise(), h.GetEnterprise()) || !strings.HasPrefix(h.GetMetric()+h.GetEnterprise(), h.GetEnterprise())) {
				res.Violations = append(res.Violations, &schema.Violation{Record: "Shelf/" + h.GetId(), Field: "metric", Rule: "ref"})
				continue
			}
		}
		if row, ok, err := batch.Get(change.Type, change.Key); err != nil {
			return err
		} else if c.GetOver() != 0 && row.Seq != c.GetOver() {
			res.Violations = append(res.Violations, &schema.Violation{Record: change.Type + "/" + change.Key, Rule: "changed_meanwhile"})
			continue
		} else if ok && c.GetCreate() {
			res.Violations = append(res.Violations, &schema.Violation{Record: change.Type + "/" + change.Key, Rule: "exists"})
			continue
		}
		if _, err := batch.Own(change); err != nil {
			return err
		}
		res.Keys = append(res.Keys, change.Key)
	}
	return nil
}

func (b *backend) act(batch *store.Batch, cmd *schema.Command, act *schema.Act, res *schema.Result, now int64) error {
	row, _, err := batch.Get(act.GetType(), act.GetKey())
	if err != nil {
		return err
	}
	a, ok := row.Record.(*schema.Alarm)
	t := transitions[act.GetAction()]
	if !ok || a.GetStage() != t.from {
		res.Violations = []*schema.Violation{{Record: act.GetType() + "/" + act.GetKey(), Field: "stage", Rule: "life_cycle", Got: a.GetStage(), Wanted: t.from}}
		return nil
	}
	a.Stage = t.to
	a.Steps = append(a.Steps, &schema.Step{Action: act.GetAction(), Actor: cmd.GetActor(), Time: now, Text: act.GetText(), Attachments: act.GetAttachments()})
	_, err = batch.Own(store.Change{Type: "Alarm", Key: act.GetKey(), Record: a, Actor: cmd.GetActor()})
	return err
}

// The plants of the tests. plantA and plantB are jiangsu's own, in two cities; plantC came from a site below.
const (
	siteID = "jiangsu"
	plantA = "320505030001"
	plantB = "320281030002"
	plantC = "321283030003"
)

// site is a portal with people, plants and an alarm, a warning and more of each plant.
type site struct {
	t       testing.TB
	backend *backend
	server  *Server
	tokens  map[string]string
	dir     string // of the store
	mu      sync.Mutex
	clock   time.Time
}

func (s *site) now() time.Time { s.mu.Lock(); defer s.mu.Unlock(); return s.clock }
func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

var people = []*schema.User{
	{Login: "ministry", Name: "部", Role: ministryRegulator}, {Login: "province", Name: "省", Role: provinceRegulator, Region: "320000"},
	{Login: "suzhou", Name: "苏州", Role: provinceRegulator, Region: "320500"}, {Login: "admin", Name: "管", Role: siteAdmin},
	{Login: "security", Name: "安全", Role: securityAdmin}, {Login: "audit", Name: "审计", Role: auditAdmin},
	{Login: "manager-a", Name: "安", Role: plantManager, Enterprise: plantA}, {Login: "worker-a", Name: "工", Role: plantWorker, Enterprise: plantA},
	{Login: "manager-b", Name: "乙", Role: plantManager, Enterprise: plantB},
}

func newSite(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	s := &site{t: t, tokens: map[string]string{}, clock: time.UnixMilli(1_790_000_000_000)}
	s.dir = filepath.Join(t.TempDir(), "store")
	st, err := store.Open(store.Options{Dir: s.dir, Site: siteID})
	if err != nil {
		t.Fatal(err)
	}
	kp, err := keys.OpenSoftware(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	s.backend = &backend{store: st, hub: live.New(0), now: s.now}
	opt := Options{
		Site: Site{ID: siteID, Name: "江苏", Level: "province", Region: "320000"}, Backend: s.backend, Keys: kp, Now: s.now, Logger: slog.New(slog.DiscardHandler),
		Assets: fstest.MapFS{
			"regulator.html": {Data: []byte("<p>regulator")}, "enterprise.html": {Data: []byte("<p>enterprise")}, "assets/app-1.js": {Data: []byte("let x")},
			"assets/large-2.js":    {Data: bytes.Repeat([]byte("let x;"), 1000)},
			"manifest.webmanifest": {Data: []byte("{}")},
		},
	}
	for _, f := range change {
		f(&opt)
	}
	if s.server, err = New(opt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.server.streams.close()
		s.server.close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	s.people()
	for _, code := range []string{plantA, plantB} {
		s.put(plantRecords(code, s.clock.UnixMilli())...)
	}
	s.foreign("nanjing", plantRecords(plantC, s.clock.UnixMilli())...)
	return s
}

func (s *site) people() {
	for _, u := range people {
		u = proto.Clone(u).(*schema.User)
		u.Password = "pbkdf2-hmac-sm3$1$x$x"
		portal := Regulator
		if u.GetEnterprise() != "" {
			portal = Enterprise
		}
		token := "token of " + u.GetLogin()
		s.tokens[u.GetLogin()] = token
		now := s.clock.UnixMilli()
		s.put(u, &schema.Session{Id: sessionID(token), Login: u.GetLogin(), Portal: string(portal), Created: now, Expires: now + sessionFor.Milliseconds()})
	}
}

func plantRecords(code string, now int64) []schema.Record {
	c := code + "C001"
	f := 60.0
	return []schema.Record{
		&schema.Enterprise{
			Code: code, Name: "企业" + code[8:], Region: code[:6], Industry: "C33", MemIndustry: "machinery", Scale: "small", DustWorkers: 30, Employees: 60, Uscc: "91320505MA1000371T",
			ProductionState: "normal", AccessState: "connected", ShouldAccess: true, Dusts: []*schema.Dust{{Dust: "2"}}, UsccOverride: "test",
		},
		&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "车间", Building: "single_frame"},
		&schema.DustSystem{Code: code + "S01", Enterprise: code, Workshop: code + "W01", Name: "系统", Mode: "negative", Dusts: []string{"2"}},
		&schema.Collector{Code: c, Enterprise: code, System: code + "S01", Name: "除尘器", Type: "dry_bag"},
		&schema.Gateway{Code: code + "G01", Enterprise: code, Name: "网关", Door: "http"},
		&schema.Metric{
			Code: c + "T0101", Enterprise: code, Collector: c, Gateway: code + "G01", Kind: "T01", Name: "灰斗温度", Unit: "°C", RangeLo: -20, RangeHi: 200,
			Limits: &schema.Limits{H: &f}, PeriodS: 1, Series: 1,
		},
		&schema.GatewayState{Gateway: code + "G01", Enterprise: code, State: "online", Since: now},
		&schema.Alarm{Id: "AL-" + code, Enterprise: code, Collector: c, Metric: c + "T0101", Kind: "T01", Rule: "H", Level: 1, Onset: now - 400, Raised: now, Condition: "active", Stage: "raised"},
		&schema.Warning{Id: "W-" + code, Enterprise: code, FromLevel: "blue", ToLevel: "orange", Raised: now, Stage: "raised"},
		&schema.RiskResult{Id: code, Enterprise: code, Time: now, Model: "m", Level: "orange", PreviousLevel: "blue", IndexMilli: 61000},
		&schema.Hazard{Id: "H-" + code, Enterprise: code, Code: "MH03", Evidence: []string{"Collector/" + c}, Found: now - 100, Due: now + 1000},
		&schema.CleaningPlan{Id: code + "-floor", Enterprise: code, Item: "地面", Cycle: "shift", Method: "vacuum"},
		&schema.SpotCheck{Id: "S-" + code, Enterprise: code, Title: "抽查", Issued: now, Stage: "issued"},
		&schema.Shelf{Id: code + "-H", Enterprise: code, Metric: c + "T0101", Kind: "maintenance", Reason: "换滤袋", From: now, Until: now + 3600_000, Stage: "requested", Actor: "m"},
		&schema.CombinedRule{Id: code + "-C", Enterprise: code, Name: "高温", Expression: "C001T0101 > 55", Level: 2},
		&schema.Attachment{Id: strings.Repeat("ab", 26) + code, Enterprise: code, Name: "a.png", MediaType: "image/png", Size: 1},
	}
}

// put writes records as the site itself would.
func (s *site) put(list ...schema.Record) {
	s.t.Helper()
	p := &schema.Put{}
	for _, r := range list {
		b, err := schema.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		p.Changes = append(p.Changes, &schema.Change{Type: schema.TypeOf(r), Record: b})
	}
	res, err := s.backend.Propose(context.Background(), &schema.Command{Actor: "test", Body: &schema.Command_Put{Put: p}})
	if err != nil || len(res.GetViolations()) > 0 {
		s.t.Fatalf("put: %v %v", err, res.GetViolations())
	}
}

// foreign writes records as if they had come from another site.
func (s *site) foreign(origin string, list ...schema.Record) {
	s.t.Helper()
	b := s.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index++
	now := b.now().UnixMilli()
	batch := b.store.Begin(b.index, now)
	for i, r := range list {
		raw, err := schema.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		e := &schema.Entry{Origin: origin, Seq: uint64(i + 1), Time: now, Type: schema.TypeOf(r), Key: schema.KeyOf(r), Scope: schema.Scope_SCOPE_UP, Record: raw}
		entry, err := schema.Marshal(e)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := batch.Foreign(origin, 7, e.GetSeq(), &schema.Item{What: &schema.Item_Entry{Entry: entry}}, e, r); err != nil {
			s.t.Fatal(err)
		}
	}
	rows := batch.Rows()
	if err := batch.Commit(); err != nil {
		s.t.Fatal(err)
	}
	b.hub.Publish(live.Event{Index: b.index, Time: now, Rows: rows})
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) into(t testing.TB, v any) {
	t.Helper()
	if r.status/100 != 2 {
		t.Fatalf("answer %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

func (r reply) problem(t testing.TB) Problem {
	t.Helper()
	var p Problem
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d, content type %q: %s", r.status, got, r.body)
	}
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// portalOf is the portal a person of the tests uses.
func portalOf(login string) Portal {
	for _, u := range people {
		if u.GetLogin() == login && u.GetEnterprise() != "" {
			return Enterprise
		}
	}
	return Regulator
}

// as makes a call as a logged-in person; login "" is nobody. set changes the request before it goes.
func (s *site) as(login, method, path string, body any, set ...func(*http.Request)) reply {
	return s.on(portalOf(login), login, method, path, body, set...)
}

func (s *site) on(p Portal, login, method, path string, body any, set ...func(*http.Request)) reply {
	s.t.Helper()
	var content io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		content, contentType = bytes.NewReader(b), "image/png"
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	req := httptest.NewRequest(method, path, content)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if token := s.tokens[login]; token != "" {
		req.AddCookie(&http.Cookie{Name: s.server.doors[p].cookieName(), Value: token})
		req.Header.Set(csrfHeader, csrfOf(token))
	}
	for _, f := range set {
		f(req)
	}
	res, err := s.server.App(p).Test(req, -1)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	got := reply{res.StatusCode, res.Header, b}
	s.described(p, method, path, got)
	return got
}

type object = map[string]any
