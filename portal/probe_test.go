package portal

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/crypto/sm"
	"dusthub/portal/sheet"
	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What the generated security tests (access_test.go, owasp_*_test.go) ask with. All of it is plant A's, so that whoever may not
// see plant A must not get anything.

// idProbes says what a parameter of a path is filled in with, by the path up to it.
var idProbes = map[string]string{
	"/api/v1/session/keys/{id}":        probeKey,
	"/api/v1/sessions/{id}":            probeSession,
	"/api/v1/enterprises/{code}":       plantA,
	"/api/v1/series/{metric}":          probeMetric,
	"/api/v1/metrics/{code}":           probeMetric,
	"/api/v1/alarms/{id}":              "AL-" + plantA,
	"/api/v1/warnings/{id}":            "W-" + plantA,
	"/api/v1/shelves/{id}":             plantA + "-H",
	"/api/v1/rules/{id}":               plantA + "-C",
	"/api/v1/channels/{id}":            probeChannel,
	"/api/v1/spot-checks/{id}":         "S-" + plantA,
	"/api/v1/attachments/{id}":         probeAttachment,
	"/api/v1/records/{type}":           "Enterprise",
	"/api/v1/records/Enterprise/{key}": plantA,
	"/api/v1/gateways/{code}":          plantA + "G01",
	"/api/v1/reports/{id}":             probeReport,
	"/api/v1/orgs/{code}":              probeOrg,
	"/api/v1/users/{login}":            "worker-a",
	"/api/v1/tables/{name}":            "role",
	"/api/v1/model/explain/{code}":     plantA,
	"/api/v1/models/{version}":         "DUST-RISK-1.0",
	"/api/v1/replay/{enterprise}":      plantA,
	"/api/v1/search/saved/{id}":        probeSearch,
}

// markOfB is the name of everything of plant B.
const markOfB = "乙厂的东西"

// Things that only these tests need.
const (
	probeMetric  = plantA + "C001T0101"
	probeChannel = "N-worker-a"
	probeSearch  = "Q-ministry"
	probeOrg     = "probe-org"
	probeKey     = "00000000000000aa"
	probeReport  = "daily-320500-2026-09-20" // of plant A's city
)

var (
	probeSession    = sessionID("another session of worker-a")
	probeAttachment = strings.Repeat("ab", 26) + plantA
)

// queryProbes are queries of reads that need one; a list without an entry is asked for whole.
var queryProbes = map[string]string{
	"cleaning": "?enterprise=" + plantA,
	"replay":   "?enterprise=" + plantA + "&from=1789999990000&to=1789999999000",
	"events":   "?enterprise=" + plantA,
	"sessions": "?login=worker-a",
	"keys":     "?login=worker-a",
	// a PDF needs the font, which is not in every build
	"report-export":     "?format=xlsx",
	"analysis-findings": "?rule=workshop_area",
}

// bodyProbes are the parts of a body that its description does not tell. What is not here is made from the description:
// what is required, by fieldProbes.
var bodyProbes = map[string]func(login string) any{
	"login": func(string) any { return object{"login": "ministry", "password": rightPassword} },
	"alarm-action": func(login string) any {
		if portalOfProbe(login) == Enterprise {
			return object{"action": "acknowledge"}
		}
		return object{"action": "close", "text": "核销"}
	},
	"warning-action": func(login string) any {
		if portalOfProbe(login) == Enterprise {
			return object{"action": "dispose", "text": "停机"}
		}
		return object{"action": "accept"}
	},
	"shelf-create": func(string) any {
		return object{"enterprise": plantA, "metric": probeMetric, "kind": "maintenance", "reason": "换滤袋", "until": probeTime + 7_200_000}
	},
	"shelf-action": func(login string) any {
		if portalOfProbe(login) == Enterprise {
			return object{"action": "end"}
		}
		return object{"action": "approve"}
	},
	"rule-write": func(string) any {
		return object{"enterprise": plantA, "name": "高温", "expression": "C001T0101 > 55", "level": 2}
	},
	"rule-check":    func(string) any { return object{"enterprise": plantA, "expression": "C001T0101 > 55"} },
	"channel-write": func(string) any { return object{"id": probeChannel, "name": "新名"} },
	"records-preview": func(string) any {
		return object{"changes": []object{{"type": "Workshop", "key": plantA + "W01", "delete": true}}}
	},
	"limits-tighten":     func(string) any { return object{"metrics": []string{probeMetric}, "reason": "收紧", "preview": true} },
	"saved-search-write": func(string) any { return object{"name": "查", "query": "region=320500"} },
	"spot-check-issue":   func(string) any { return object{"enterprise": plantA, "title": "抽查"} },
	"spot-check-draw":    func(string) any { return object{"count": 1, "title": "抽查", "seed": "1", "preview": true} },
	"spot-check-action":  func(string) any { return object{"action": "find", "text": "未泄爆"} },
	"cleaning-record": func(login string) any {
		return object{"id": "probe-" + login, "plan": plantA + "-floor", "item": "地面", "person": "工", "time": probeTime, "photos": []string{probeAttachment}}
	},
	"records-write": func(string) any {
		w := &schema.Workshop{Code: plantA + "W01", Enterprise: plantA, Name: "车间二", Building: "single_frame"}
		return object{"changes": []object{{"type": "Workshop", "record": w}}}
	},
	"record-import": func(string) any { return probeWorkbook() },
	"org-write":     func(string) any { return object{"code": probeOrg, "name": "厅", "region": "320000"} },
	"user-create": func(string) any {
		return object{"login": "probe-new", "name": "新", "role": plantWorker, "enterprise": plantA, "password": rightPassword}
	},
	"user-change": func(string) any { return object{"name": "工二"} },
	"report-make": func(string) any {
		return object{"kind": "daily", "region": "320500", "day": probeTime - 48*time.Hour.Milliseconds()}
	},
	"model-what-if": func(string) any { return object{"enterprise": plantA, "changes": object{}} },
	"replay-again": func(string) any {
		return object{"enterprise": plantA, "from": probeTime - 10_000, "to": probeTime - 1_000}
	},
	"model-back-test": func(string) any {
		return object{"document": "risk: 1", "from": probeTime - 10_000, "to": probeTime - 1_000}
	},
	"limits-write":      func(string) any { return object{"limits": object{"h": 59}, "reason": "收紧"} },
	"credential":        func(string) any { return object{"kind": "token"} },
	"attachment-upload": func(login string) any { return pictureOf(login) },
	"change-password":   func(string) any { return object{"old": "not it", "new": rightPassword} },
	"key-create": func(string) any {
		return object{"name": "接口", "routes": []string{"alarms"}, "days": 1, "password": "not it"}
	},
	"second-factor-offer": func(string) any { return object{"password": "not it"} },
}

// fieldProbes are values of fields by their name.
var fieldProbes = map[string]any{"enterprise": plantA, "metric": probeMetric, "collector": plantA + "C001", "text": "文", "reason": "因公核实", "title": "题", "name": "名", "code": "1"}

const probeTime = int64(1_790_000_000_000) // the clock of newSite

var probePicture []byte

// probeHash is of the right password. Making one takes long, so that one is made.
var probeHash = sync.OnceValue(func() string {
	hash, err := sm.HashPassword(rightPassword)
	if err != nil {
		panic(err) // of no randomness
	}
	return hash
})

func probeWorkbook() []byte {
	var b bytes.Buffer
	if err := sheet.Write(&b, "Enterprise", plantRecords(plantA, probeTime)[:1]); err != nil {
		panic(err) // of a writer in memory
	}
	return b.Bytes()
}

// pictureOf is a picture of somebody's own: the same file is one file, whoever hands it in.
func pictureOf(login string) []byte {
	var b bytes.Buffer
	i := slices.IndexFunc(actors, func(x actor) bool { return x.login == login })
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 4+i, 3))); err != nil {
		panic(err) // of a writer in memory
	}
	return b.Bytes()
}

// fill puts probe values into a path; what has none fails the test.
func fill(t testing.TB, path string) string {
	t.Helper()
	for {
		from, to := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
		if from < 0 {
			return path
		}
		value, ok := idProbes[path[:to+1]]
		if !ok {
			t.Fatalf("%s: add a value of plant A for %s to idProbes (portal/probe_test.go)", path, path[from:to+1])
		}
		path = path[:from] + value + path[to+1:]
	}
}

// operationOf is the description of a route.
func (s *site) operationOf(p Portal, a Access) *huma.Operation {
	item := s.server.doors[p].api.OpenAPI().Paths[a.Path]
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete, http.MethodPatch: item.Patch, http.MethodPut: item.Put}[a.Method]
}

// bodyOfProbe is a body that a route takes, in the name of a person; nil when it takes none.
func (s *site) bodyOfProbe(p Portal, a Access, login string) any {
	if f := bodyProbes[a.ID]; f != nil {
		return f(login)
	}
	schema := s.bodySchema(p, a)
	if schema == nil {
		return nil
	}
	return s.made(p, schema, "", false)
}

// bodySchema is the description of a route's JSON body; nil when it has none.
func (s *site) bodySchema(p Portal, a Access) *huma.Schema {
	op := s.operationOf(p, a)
	if op == nil || op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return nil
	}
	return s.resolve(p, op.RequestBody.Content["application/json"].Schema)
}

func (s *site) resolve(p Portal, x *huma.Schema) *huma.Schema {
	for x != nil && x.Ref != "" {
		x = s.server.doors[p].api.OpenAPI().Components.Schemas.SchemaFromRef(x.Ref)
	}
	return x
}

// made is a value as a description wants it: what is required, or every field when all is true.
func (s *site) made(p Portal, x *huma.Schema, name string, all bool) any {
	x = s.resolve(p, x)
	if x == nil {
		return nil
	}
	switch {
	case len(x.Enum) > 0:
		return x.Enum[0]
	case x.Type == "object" || len(x.Properties) > 0:
		out := object{}
		for _, field := range slices.Sorted(maps.Keys(x.Properties)) {
			if all || slices.Contains(x.Required, field) {
				out[field] = s.made(p, x.Properties[field], field, false)
			}
		}
		return out
	case x.Type == "array":
		if x.MinItems != nil && *x.MinItems > 0 {
			return []any{s.made(p, x.Items, name, false)}
		}
		return []any{}
	case fieldProbes[name] != nil && x.Type == "string":
		return fieldProbes[name]
	case x.Type == "integer", x.Type == "number":
		if x.Minimum != nil {
			return *x.Minimum
		}
		return 1
	case x.Type == "boolean":
		return false
	}
	return "x"
}

// ask makes a route's probe request, in the name of a person.
func (s *site) ask(p Portal, a Access, login string, set ...func(*http.Request)) reply {
	s.t.Helper()
	s.server.throttle = newThrottle(s.now) // what somebody else got wrong before is not this one's
	if a.ID == "record-import" {
		set = append(set, func(r *http.Request) { r.Header.Set("Content-Type", workbookType) })
	}
	return s.on(p, login, a.Method, fill(s.t, a.Path)+queryProbes[a.ID], s.bodyOfProbe(p, a, login), set...)
}

// actor is somebody of the table of accesses: a role, and where it stands to plant A.
type actor struct {
	name   string
	login  string
	portal Portal
	sees   string // letters of the plants in sight
	user   *schema.User
}

// actors of the table, in the order of its columns. Plant A is of Suzhou, plant B of Wuxi, plant C came from a site below.
var actors = []actor{
	{name: "ministry", login: "ministry", portal: Regulator, sees: "ABC"},
	{name: "province", login: "province", portal: Regulator, sees: "ABC"},
	{name: "city", login: "suzhou", portal: Regulator, sees: "A"},
	{name: "other city", login: "wuxi", portal: Regulator, sees: "B", user: &schema.User{Login: "wuxi", Name: "无锡", Role: provinceRegulator, Region: "320200"}},
	{name: "other province", login: "zhejiang", portal: Regulator, user: &schema.User{Login: "zhejiang", Name: "浙江", Role: provinceRegulator, Region: "330000"}},
	{name: "system admin", login: "admin", portal: Regulator, sees: "ABC"},
	{name: "security admin", login: "security", portal: Regulator},
	{name: "audit admin", login: "audit", portal: Regulator},
	{name: "nobody", portal: Regulator},
	{name: "manager", login: "manager-a", portal: Enterprise, sees: "A"},
	{name: "worker", login: "worker-a", portal: Enterprise, sees: "A"},
	{name: "other manager", login: "manager-b", portal: Enterprise, sees: "B"},
	{name: "other worker", login: "worker-b", portal: Enterprise, sees: "B", user: &schema.User{Login: "worker-b", Name: "丁", Role: plantWorker, Enterprise: plantB}},
	{name: "nobody", portal: Enterprise},
}

func (x actor) role() string {
	for _, u := range people {
		if u.GetLogin() == x.login {
			return u.GetRole()
		}
	}
	return x.user.GetRole()
}

func portalOfProbe(login string) Portal {
	i := slices.IndexFunc(actors, func(x actor) bool { return x.login == login })
	return actors[max(i, 0)].portal
}

// newProbed is a site with all actors, and with everything the probes name.
func newProbed(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	if probePicture == nil {
		probePicture = picture(t)
	}
	s := newSite(t, append([]func(*Options){func(o *Options) { o.Notifier = &caller{} }}, change...)...)
	s.restore()
	return s
}

// restore puts back what a change may have changed.
func (s *site) restore() {
	s.t.Helper()
	s.people()
	s.server.tests = newAllowance(1, testEvery)
	now := probeTime
	for _, x := range actors {
		if x.user != nil {
			s.let(x.user, now)
		}
	}
	s.put(plantRecords(plantA, now)...)
	others := plantRecords(plantB, now)
	for _, r := range others {
		if m := r.ProtoReflect(); m.Descriptor().Fields().ByName("name") != nil {
			m.Set(m.Descriptor().Fields().ByName("name"), protoreflect.ValueOfString(markOfB))
		}
	}
	s.put(others...)
	ministry := &schema.User{Login: "ministry", Name: "部", Role: ministryRegulator, Password: probeHash()}
	s.put(ministry,
		&schema.Session{Id: probeSession, Login: "worker-a", Portal: string(Enterprise), Created: now, Expires: now + sessionFor.Milliseconds()},
		&schema.ApiKey{Id: probeKey, Login: "worker-a", Name: "接口", SecretSm3: keyDigest("probe"), Routes: []string{"alarms"}, Portal: string(Enterprise), Created: now, Expires: now + dayMs},
		&schema.Channel{Id: probeChannel, Login: "worker-a", Kind: "portal", Name: "通知", AddressSealed: []byte("sealed:worker-a"), Created: now},
		&schema.SavedSearch{Id: probeSearch, Login: "ministry", Name: "重大", Query: "level=red", Created: now},
		&schema.Delivery{Id: "D-probe", Subject: "Alarm/AL-" + plantA, Title: "报警", Channel: probeChannel, Login: "worker-a", Kind: "portal", Priority: "high", Enterprise: plantA, At: now, Stage: "sent", Sent: now, Template: "alarm_raised"},
		&schema.Quarantine{Id: "Q-probe", Time: now, Source: plantA + "G01", Violations: []*schema.Violation{{Record: "Reading", Rule: "late"}}, Count: 1},
		&schema.AuditEntry{Id: "L-probe", Time: now, Actor: "manager-a", Action: "limits-write", Subject: "/metrics/" + probeMetric, Result: "ok"},
		&schema.Report{Id: probeReport, Kind: "daily", Region: "320500", From: probeTime - 2, Until: probeTime - 1, Made: now, Actor: "site", Figures: []byte(`{"version":1,"alarms":{"by_plant":[{"key":"` + plantA + `"}]}}`)},
		&schema.Org{Code: probeOrg, Name: "厅", Region: "320000"})
	blob := &schema.Command{Actor: "test", Body: &schema.Command_Blob{Blob: &schema.Blob{Id: probeAttachment, Data: probePicture, Last: true}}}
	if _, err := s.server.opt.Backend.Propose(s.t.Context(), blob); err != nil {
		s.t.Fatal(err)
	}
}

// let lets a person in, with a session.
func (s *site) let(u *schema.User, now int64) {
	portal := Regulator
	if u.GetEnterprise() != "" {
		portal = Enterprise
	}
	u = proto.CloneOf(u)
	u.Password = "pbkdf2-hmac-sm3$1$x$x"
	token := "token of " + u.GetLogin()
	s.tokens[u.GetLogin()] = token
	s.put(u, &schema.Session{Id: sessionID(token), Login: u.GetLogin(), Portal: string(portal), Created: now, Expires: now + sessionFor.Milliseconds()})
}

// plantsIn are the letters of the plants whose codes an answer holds; a workbook is looked into.
func plantsIn(body []byte) string {
	if z, err := zip.NewReader(bytes.NewReader(body), int64(len(body))); err == nil {
		body = nil
		for _, f := range z.File {
			if r, err := f.Open(); err == nil {
				part, _ := io.ReadAll(r) // what does not unpack tells nothing
				body = append(body, part...)
			}
		}
	}
	var out string
	for _, x := range []struct{ letter, code string }{{"A", plantA}, {"B", plantB}, {"C", plantC}} {
		if bytes.Contains(body, []byte(x.code)) {
			out += x.letter
		}
	}
	return out
}

// eachRoute runs a test for every route of a portal that has it.
func eachRoute(t *testing.T, f func(t *testing.T, p Portal, a Access)) {
	t.Helper()
	for _, a := range accesses {
		for _, p := range a.Portals {
			t.Run(fmt.Sprintf("%s/%s", p, a.ID), func(t *testing.T) { f(t, p, a) })
		}
	}
}

// withBody gives a request a body as it is.
func withBody(contentType, body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", contentType)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}
