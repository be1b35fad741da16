package portal

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// secretOf is a personal text of the tests, with who may read it in clear without asking.
type secretOf struct {
	text, at string
	may      func(actor) bool
}

// filler fills every personal field of records with a text of its own: which fields those are, the schema says.
type filler struct{ all []secretOf }

func (f *filler) text(at string, may func(actor) bool) string {
	text := fmt.Sprintf("隐%03d姓名", len(f.all))
	if strings.Contains(at, "phone") {
		text = fmt.Sprintf("139%08d", 12340000+len(f.all))
	}
	f.all = append(f.all, secretOf{text, at, may})
	return text
}

func (f *filler) fill(m protoreflect.Message, at string, may func(actor) bool) {
	for i := range m.Descriptor().Fields().Len() {
		fd := m.Descriptor().Fields().Get(i)
		here := at + "." + string(fd.Name())
		switch {
		case fd.Kind() == protoreflect.MessageKind && fd.IsList() && schema.HoldsPersonal(fd.Message()):
			item := m.Mutable(fd).List().AppendMutable().Message()
			if step, ok := item.Interface().(*schema.Step); ok {
				step.Action, step.Actor = "note", "site" // no record has a step without
			}
			f.fill(item, here, may)
		case !proto.GetExtension(fd.Options(), schema.E_F).(*schema.FieldOptions).GetPersonal():
		case fd.Kind() == protoreflect.BytesKind:
			m.Set(fd, protoreflect.ValueOfBytes([]byte(f.text(here, nil))))
		case fd.IsList():
			m.Mutable(fd).List().Append(protoreflect.ValueOfString(f.text(here, may)))
		default:
			m.Set(fd, protoreflect.ValueOfString(f.text(here, may)))
		}
	}
}

// secretive is a site in which every record that can hold personal data does.
func secretive(t *testing.T, change ...func(*Options)) (*site, *filler) {
	s, f := newProbed(t, change...), &filler{}
	s.put(
		&schema.CleaningRecord{Id: "CR-" + plantA, Enterprise: plantA, Plan: plantA + "-floor", Item: "地面", Person: "x", Time: probeTime, Photos: []string{probeAttachment}},
		&schema.SpotCheckAnswer{Id: "SA-" + plantA, SpotCheck: "S-" + plantA, Enterprise: plantA, Text: "已查", Actor: "manager-a", Time: probeTime},
	)
	if _, err := s.server.opt.Personal.Seal(t.Context(), siteID, plantA, "x"); err != nil { // makes the site's key
		t.Fatal(err)
	}
	for _, typ := range schema.Types() {
		r, _ := schema.New(typ)
		if !schema.HoldsPersonal(r.ProtoReflect().Descriptor()) {
			continue
		}
		found := 0
		err := s.backend.store.Each(t.Context(), store.Query{Type: typ}, func(row store.Row) (bool, error) {
			if plant := enterpriseOf(row.Record); plant != "" && plant != plantA && typ != "User" {
				return true, nil
			}
			found++
			rec := proto.Clone(row.Record)
			may := func(x actor) bool { return x.login == "manager-a" }
			if typ == "User" {
				may = func(x actor) bool { return x.role() == securityAdmin || x.login == row.Key }
			}
			f.fill(rec.ProtoReflect(), typ+"/"+row.Key, may)
			s.put(s.atRest(rec))
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if found == 0 {
			t.Errorf("the schema marks personal fields of %s, of which the tests have no record", typ)
		}
	}
	return s, f
}

// atRest is a record as the site keeps it; of one type, as earlier versions did.
func (s *site) atRest(rec schema.Record) schema.Record {
	s.t.Helper()
	if u, ok := rec.(*schema.User); ok {
		sealed, err := s.server.sealedUser(u)
		if err != nil {
			s.t.Fatal(err)
		}
		return sealed
	}
	if typ := schema.TypeOf(rec); travels(typ) && typ != "Warning" {
		if err := s.server.sealRecord(s.t.Context(), rec); err != nil {
			s.t.Fatal(err)
		}
	}
	return rec
}

// unzipped is what a workbook holds, or the text itself.
func unzipped(t *testing.T, body []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return string(body)
	}
	var out strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&out, r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return out.String()
}

// keptLog is a log that a test reads.
type keptLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *keptLog) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(p)
}

// No route shows anybody a personal text in clear that is not his to read: every route of the table of accesses, every
// role, every type and field the schema marks.
func TestPersonalDataIsMasked(t *testing.T) {
	log := &keptLog{}
	s, f := secretive(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	shown := map[string]bool{}
	for _, a := range accesses {
		if slices.Contains([]string{"events", "reveal", "login", "logout", "user-change"}, a.ID) {
			continue // a test each, or the end of a session
		}
		for _, x := range actors {
			if x.login == "" || !slices.Contains(a.Portals, x.portal) {
				continue
			}
			for _, got := range s.asked(a, x) {
				body := unzipped(t, got)
				for _, y := range f.all {
					if !strings.Contains(body, y.text) {
						continue
					}
					shown[y.text] = true
					if y.may == nil || !y.may(x) {
						t.Errorf("%s shows %s (%s) to the %s", a.ID, y.at, y.text, x.name)
					}
				}
			}
		}
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, x := range f.all {
		if strings.Contains(log.b.String(), x.text) {
			t.Errorf("the log holds %s", x.at)
		}
		if strings.Contains(x.at, plantA) && x.may != nil && !shown[x.text] {
			t.Logf("%s is on no page of who may read it", x.at)
		}
	}
	if len(shown) < 8 {
		t.Errorf("only %d texts were shown to anybody: the test looks at nothing", len(shown))
	}
}

// asked are the answers of a route to somebody: the probe's, and where the path names a type, those of every type.
func (s *site) asked(a Access, x actor) [][]byte {
	out := [][]byte{s.ask(x.portal, a, x.login).body}
	if a.Method != http.MethodGet || !strings.Contains(a.Path, "{type}") {
		return out
	}
	for _, typ := range schema.Types() {
		path := strings.NewReplacer("{type}", typ, "{key}", url.PathEscape(s.keyOfPlant(typ))).Replace(a.Path)
		out = append(out, s.on(x.portal, x.login, a.Method, fill(s.t, path), nil).body)
	}
	return out
}

// keyOfPlant is the key of a record of plantA.
func (s *site) keyOfPlant(typ string) string {
	s.t.Helper()
	key := "none"
	if err := s.backend.store.Each(s.t.Context(), store.Query{Type: typ}, func(r store.Row) (bool, error) {
		if enterpriseOf(r.Record) == plantA {
			key = r.Key
		}
		return key == "none", nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return key
}

// Streams tell that something changed, and nothing of what it says.
func TestStreamsTellNoPersonalData(t *testing.T) {
	s, f := secretive(t)
	topics := map[topic][]byte{{Regulator, ""}: nil, {Enterprise, plantA}: nil}
	for _, typ := range schema.Types() {
		if err := s.backend.store.Each(t.Context(), store.Query{Type: typ}, func(r store.Row) (bool, error) {
			s.server.fanout.add(topics, r)
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for at, b := range topics {
		if len(b) == 0 {
			t.Errorf("%v: no events", at)
		}
		for _, x := range f.all {
			if bytes.Contains(b, []byte(x.text)) {
				t.Errorf("%v: %s", at, x.at)
			}
		}
	}
}

// A mask that comes back leaves what it hides as it is; any other text with a star is refused.
func TestMasksAreNotWritten(t *testing.T) {
	s, _ := secretive(t)
	was := s.enterprise()
	name := was.GetSafetyHead()
	for _, c := range []struct {
		title, login, head string
		status             int
		want               string
	}{
		{"a regulator sends back what he read", "province", schema.Mask(name), 200, name},
		{"a manager sends back what he read", "manager-a", name, 200, name},
		{"a mask of somebody else", "province", "王*五", 422, name},
		{"a new name", "province", "王小五", 200, "王小五"},
		{"nobody any more", "manager-a", "", 200, ""},
		{"a mask where there was nothing", "province", "王*五", 422, ""},
	} {
		t.Run(c.title, func(t *testing.T) {
			e := proto.Clone(was).(*schema.Enterprise)
			e.SafetyHead, e.Address, e.SafetyPhone = c.head, c.title, schema.Mask(was.GetSafetyPhone())
			got := s.as(c.login, http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "Enterprise", "record": e}}})
			if now := s.enterprise(); got.status != c.status || now.GetSafetyHead() != c.want || now.GetSafetyPhone() != was.GetSafetyPhone() {
				t.Errorf("%d %s: %q %q", got.status, got.body, now.GetSafetyHead(), now.GetSafetyPhone())
			}
		})
	}
}

// enterprise is plantA's record in clear.
func (s *site) enterprise() *schema.Enterprise {
	s.t.Helper()
	row, _, err := s.backend.store.Get("Enterprise", plantA)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.server.inClear(row.Record).(*schema.Enterprise)
}

func TestReveal(t *testing.T) {
	s, _ := secretive(t)
	path := "/api/v1/records/Enterprise/" + plantA + "/reveal"
	reason := object{"reason": "核实报警处置联系人"}
	for _, c := range []struct {
		title, login, path string
		body               object
		status             int
	}{
		{"without a reason", "suzhou", path, object{"reason": "     "}, 422},
		{"who has no office in it", "admin", path, reason, 403},
		{"another's plant", "suzhou", strings.Replace(path, plantA, plantB, 1), reason, 404},
		{"what never leaves the site", "ministry", "/api/v1/records/User/admin/reveal", reason, 404},
		{"what holds nothing personal", "ministry", "/api/v1/records/Metric/" + plantA + "C001T0101/reveal", reason, 404},
	} {
		if got := s.as(c.login, http.MethodPost, c.path, c.body); got.status != c.status {
			t.Errorf("%s: %d %s", c.title, got.status, got.body)
		}
	}
	var v RevealView
	s.as("suzhou", http.MethodPost, path, reason).into(t, &v)
	if e := s.enterprise(); len(v.Values) != 2 || v.Values[0].Label != "安全负责人" || v.Values[0].Value != e.GetSafetyHead() || v.Values[1].Value != e.GetSafetyPhone() {
		t.Errorf("%+v", v)
	}
	var page Page[*schema.AuditEntry]
	s.as("audit", http.MethodGet, "/api/v1/audit?actor=suzhou&action=reveal&result=ok", nil).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].GetReason() != reason["reason"] || page.Items[0].GetSubject() != "Enterprise/"+plantA {
		t.Errorf("audit: %v", page.Items)
	}
	for range revealsMost {
		s.as("suzhou", http.MethodPost, path, reason)
	}
	if got := s.as("suzhou", http.MethodPost, path, reason); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("more than %d: %d", revealsMost, got.status)
	}
	if got := s.as("province", http.MethodPost, path, reason); got.status != 200 {
		t.Errorf("another person: %d", got.status)
	}
}

// An export is masked as the pages are; in clear, a regulator says why.
func TestExportsAreMasked(t *testing.T) {
	s, _ := secretive(t)
	e := s.enterprise()
	path := "/api/v1/records/Enterprise/export"
	for _, c := range []struct {
		title, login, query string
		status              int
		clear               bool
	}{
		{"a regulator", "province", "", 200, false},
		{"a manager, of his own", "manager-a", "", 200, true},
		{"a regulator who says why", "province", "?clear=true&reason=%E5%B9%B4%E5%BA%A6%E6%A0%B8%E5%AF%B9", 200, true},
		{"a regulator who does not", "province", "?clear=true&reason=+", 422, false},
		{"the system administrator", "admin", "?clear=true&reason=%E5%B9%B4%E5%BA%A6%E6%A0%B8%E5%AF%B9", 403, false},
	} {
		got := s.as(c.login, http.MethodGet, path+c.query, nil)
		if got.status != c.status || strings.Contains(unzipped(t, got.body), e.GetSafetyPhone()) != c.clear {
			t.Errorf("%s: %d, clear: wanted %v", c.title, got.status, c.clear)
		}
	}
	var page Page[*schema.AuditEntry]
	s.as("audit", http.MethodGet, "/api/v1/audit?action=record-export+clear", nil).into(t, &page)
	if len(page.Items) != 1 || page.Items[0].GetReason() != "年度核对" {
		t.Errorf("audit: %v", page.Items)
	}
}
