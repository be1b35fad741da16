package portal

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/pki"
	"dusthub/crypto/publish"
	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/store"
	"dusthub/schema"
)

// root is a site at the root of the tree, with the real engine and keys.
func root(t *testing.T) *site {
	t.Helper()
	ca, err := pki.NewCA(filepath.Join(t.TempDir(), "ca"), "national")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), siteID)
	if err := ca.Issue(dir, siteID, pki.UnitSite, nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	id, err := pki.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newJudged(t, func(o *Options, e *engine.Engine) {
		o.Model = e.Model
		o.Publish = func(version string, document []byte) ([]byte, []byte, error) {
			signed, err := publish.Sign(id, version, document)
			return signed.Certificate, signed.Signature, err
		}
		o.Signed = func(m *schema.RiskModel) error {
			return publish.Verify(id.Pool(), m.GetPublisher(), m.GetVersion(), m.GetDocument(), publish.Signed{Certificate: m.GetCertificate(), Signature: m.GetSignature()}, time.Now())
		}
	})
	s.enter(Regulator, "admin", rightPassword)
	s.enter(Regulator, "security", rightPassword)
	s.must(Regulator, "security", http.MethodPost, "/api/v1/users", object{"login": "js01", "name": "钱", "role": provinceRegulator, "region": "320000", "password": rightPassword})
	s.must(Regulator, "security", http.MethodPost, "/api/v1/users", object{"login": "sz01", "name": "孙", "role": provinceRegulator, "region": "320500", "password": rightPassword})
	s.enter(Regulator, "js01", rightPassword)
	s.enter(Regulator, "sz01", rightPassword)
	return s
}

func versioned(version, from, to string) string {
	doc := strings.Replace(string(risk.Shipped().Document()), "version: DUST-RISK-1.0", "version: "+version, 1)
	return strings.Replace(doc, from, to, 1)
}

// TestModelsArePublished: checked, signed, put in force, put back; a version never changes (F1.2, T4).
func TestModelsArePublished(t *testing.T) {
	s := root(t)
	list := func() (out []ModelEntry) {
		s.must(Regulator, "js01", http.MethodGet, "/api/v1/models", nil).into(t, &out)
		return out
	}
	if got := list(); len(got) != 1 || !got[0].Active || !got[0].Configured || got[0].Signature != "none" {
		t.Fatalf("at first: %+v", got)
	}
	second := versioned("DUST-RISK-1.1", "red: 75", "red: 80")
	var entry ModelEntry
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/models", object{"document": second, "note": "红色界值"}).into(t, &entry)
	if entry.Active || entry.Signature != "ok" || entry.Publisher != siteID || entry.Note != "红色界值" {
		t.Fatalf("published: %+v", entry)
	}
	if v := s.server.opt.Model().Version; v != "DUST-RISK-1.0" {
		t.Errorf("in force: %s", v)
	}
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/models/DUST-RISK-1.1/activate", object{})
	if m := s.server.opt.Model(); m.Version != "DUST-RISK-1.1" || m.Bands.Red != 80 {
		t.Errorf("in force: %s", m.Version)
	}
	var view ModelView
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/model", nil).into(t, &view)
	if view.Version != "DUST-RISK-1.1" || view.Bands.Red != 80 || len(view.Numbers) < 100 || len(view.Variables) < 50 {
		t.Errorf("model: %s %+v, %d numbers", view.Version, view.Bands, len(view.Numbers))
	}
	for _, n := range view.Numbers {
		if n.Confidence == "" || n.Line == 0 {
			t.Errorf("number without a source: %+v", n)
		}
	}
	if got := s.on(Regulator, "js01", http.MethodPost, "/api/v1/models", object{"document": versioned("DUST-RISK-1.1", "red: 75", "red: 81")}); got.status != http.StatusConflict {
		t.Errorf("another document under the version: %d %s", got.status, got.body)
	}
	if got := s.on(Regulator, "js01", http.MethodPost, "/api/v1/models", object{"document": versioned("DUST-RISK-1.0", "red: 75", "red: 81")}); got.status != http.StatusConflict {
		t.Errorf("another document under the configured version: %d %s", got.status, got.body)
	}
	if got := s.on(Regulator, "js01", http.MethodPost, "/api/v1/models", object{"document": second}); got.status != http.StatusOK {
		t.Errorf("the same again: %d %s", got.status, got.body)
	}
	if got := s.on(Regulator, "sz01", http.MethodPost, "/api/v1/models/DUST-RISK-1.0/activate", object{}); got.status != http.StatusForbidden {
		t.Errorf("by a city: %d %s", got.status, got.body)
	}
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/models/DUST-RISK-1.0/activate", object{})
	active := 0
	for _, e := range list() {
		if e.Active {
			active++
		}
	}
	if v := s.server.opt.Model().Version; v != "DUST-RISK-1.0" || active != 1 {
		t.Errorf("put back: %s, %d active: %+v", v, active, list())
	}
	var detail ModelDetail
	s.must(Regulator, "js01", http.MethodGet, "/api/v1/models/DUST-RISK-1.1", nil).into(t, &detail)
	if detail.Document != second || detail.View == nil || len(detail.Problems) != 0 || detail.Active {
		t.Errorf("detail: %+v", detail.ModelEntry)
	}
	var said []string
	err := s.server.opt.Backend.Store().Each(t.Context(), store.Query{Type: "AuditEntry"}, func(r store.Row) (bool, error) {
		if a := r.Record.(*schema.AuditEntry); strings.HasPrefix(a.GetAction(), "model.") {
			said = append(said, a.GetAction()+" "+a.GetSubject()+" by "+a.GetActor())
		}
		return true, nil
	})
	if err != nil || len(said) != 3 {
		t.Errorf("audit: %v %v", said, err)
	}
}

// TestBadModelsAreNotPublished: the reasons come with their lines, all at once.
func TestBadModelsAreNotPublished(t *testing.T) {
	s := root(t)
	bad := strings.Replace(versioned("DUST-RISK-9", "red: 75", "red: 45"), "T01: 0.90", "T99: 0.90", 1)
	var check ModelCheck
	s.must(Regulator, "sz01", http.MethodPost, "/api/v1/models/check", object{"document": bad}).into(t, &check)
	if check.OK || len(check.Problems) != 2 || check.Problems[0].Line == 0 || !strings.Contains(check.Problems[0].Reason, "bands") || !strings.Contains(check.Problems[1].Reason, "T99") {
		t.Errorf("check: %+v", check)
	}
	got := s.on(Regulator, "js01", http.MethodPost, "/api/v1/models", object{"document": bad, "activate": true})
	if p := got.problem(t); got.status != http.StatusUnprocessableEntity || len(p.Errors) != 2 {
		t.Errorf("published: %d %s", got.status, got.body)
	}
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/models/check", object{"document": versioned("DUST-RISK-9", "red: 75", "red: 80")}).into(t, &check)
	if !check.OK || check.Version != "DUST-RISK-9" {
		t.Errorf("a good one: %+v", check)
	}
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/models/check", object{"document": versioned("DUST-RISK-1.0", "red: 75", "red: 80")}).into(t, &check)
	if check.OK || check.Problems[0].Line != 4 {
		t.Errorf("a version that is taken: %+v", check)
	}
}

// TestOnlyTheRootPublishes: where there is a parent, models arrive from it.
func TestOnlyTheRootPublishes(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/api/v1/models", "/api/v1/models/DUST-RISK-1.0/activate"} {
		if got := s.as("province", http.MethodPost, path, object{"document": "x"}); path == "/api/v1/models" && got.status != http.StatusConflict {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := s.as("admin", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "RiskModel", "record": object{"version": "x", "document": "eA=="}}}}); got.status != http.StatusForbidden {
		t.Errorf("through the records: %d %s", got.status, got.body)
	}
}

func TestHazards(t *testing.T) {
	s := newSite(t)
	now := s.now().UnixMilli()
	s.put(
		&schema.Hazard{Id: "H-2", Enterprise: plantA, Code: "MH06", Found: now - 50, Due: now - 1, Overdue: true},
		&schema.Hazard{Id: "H-3", Enterprise: plantB, Code: "MH06", Found: now - 40, Due: now + 1, Closed: now - 10},
	)
	for _, c := range []struct{ login, query, want string }{
		{"ministry", "", "H-3 H-2 H-" + plantA + " H-" + plantB + " H-" + plantC}, {"ministry", "open=true&code=MH06", "H-2"}, {"ministry", "open=false", "H-3"},
		{"ministry", "overdue=true", "H-2"}, {"ministry", "region=320200", "H-3 H-" + plantB}, {"suzhou", "", "H-2 H-" + plantA}, {"manager-a", "", "H-2 H-" + plantA},
		{"manager-a", "enterprise=" + plantB, ""}, {"manager-b", "code=MH06,MH03&open=true", "H-" + plantB}, {"province", "enterprise=" + plantA + "&code=MH03", "H-" + plantA},
	} {
		var page Page[*HazardView]
		s.as(c.login, http.MethodGet, "/api/v1/hazards?"+c.query, nil).into(t, &page)
		var got []string
		for _, h := range page.Items {
			got = append(got, h.Hazard.GetId())
			if h.Name == h.Hazard.GetCode() || h.EnterpriseName == "" {
				t.Errorf("%s has no name: %+v", h.Hazard.GetId(), h)
			}
		}
		if c.login == "suzhou" && strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, not newest first", c.login, got)
		}
		want := strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s %s: %v, wanted %v", c.login, c.query, got, want)
		}
	}
	var first, second Page[*HazardView]
	s.as("ministry", http.MethodGet, "/api/v1/hazards?limit=2", nil).into(t, &first)
	s.as("ministry", http.MethodGet, "/api/v1/hazards?limit=9&after="+first.Next, nil).into(t, &second)
	if len(first.Items) != 2 || len(second.Items) != 3 || second.Next != "" {
		t.Errorf("pages of %d and %d", len(first.Items), len(second.Items))
	}
}
