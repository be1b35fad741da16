package portal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/model"
	"dusthub/node/replay"
	"dusthub/schema"
	"dusthub/schema/rpc"

	"google.golang.org/protobuf/encoding/protojson"
)

// TestModelServiceIsScoped: a plant asks about itself alone, a quota is a 429 with Retry-After, usage is one's own but for who
// regulates the whole site (T4).
func TestModelServiceIsScoped(t *testing.T) {
	s := newSite(t, func(o *Options) {
		var err error
		o.Service, err = model.New(model.Options{
			Store: o.Backend.Store(), Proposer: o.Backend, Running: risk.Shipped, Now: o.Now, Quota: model.Quota{Rate: 1, Burst: 4, Concurrent: 2, Batch: 10},
			Inspect: func(plant string) (engine.Inspection, bool) {
				return engine.Inspection{Snapshot: &risk.Snapshot{Workers: 35}, Level: schema.Blue}, plant == plantA || plant == plantB
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	whatIf := func(plant string) object { return object{"enterprise": plant, "changes": object{"workers": 3}} }
	for _, c := range []struct {
		login, method, path string
		body                any
		status              int
	}{
		{"manager-a", http.MethodPost, "/api/v1/model/what-if", whatIf(plantA), 200},
		{"manager-a", http.MethodPost, "/api/v1/model/what-if", whatIf(plantB), 404},
		{"worker-a", http.MethodPost, "/api/v1/model/what-if", whatIf(plantA), 403},
		{"suzhou", http.MethodPost, "/api/v1/model/what-if", whatIf(plantB), 404},
		{"province", http.MethodPost, "/api/v1/model/what-if", whatIf(plantB), 200},
		{"province", http.MethodPost, "/api/v1/model/what-if", whatIf(plantC), 409}, // kept by a site below
		{"worker-a", http.MethodGet, "/api/v1/model/explain/" + plantA, nil, 200},
		{"worker-a", http.MethodGet, "/api/v1/model/explain/" + plantB, nil, 404},
		{"suzhou", http.MethodPost, "/api/v1/model/evaluate", object{"version": "NONE", "inputs": object{"workers": 3}}, 404},
		{"suzhou", http.MethodPost, "/api/v1/model/evaluate", object{"inputs": object{"workers": 3, "variables": object{"nonsense": 1}}}, 422},
		{"suzhou", http.MethodPost, "/api/v1/model/evaluate", object{"document": "version: x"}, 422},
		{"suzhou", http.MethodPost, "/api/v1/model/evaluate/batch", object{"items": []object{{"key": "1", "inputs": object{"workers": 3}}}}, 200},
		{"suzhou", http.MethodPost, "/api/v1/model/evaluate", object{"inputs": object{"workers": 3}}, 429},
	} {
		if got := s.as(c.login, c.method, c.path, c.body); got.status != c.status || (got.status == 429) != (got.header.Get("Retry-After") != "") {
			t.Errorf("%s %s %v: %d %.200s", c.login, c.path, c.body, got.status, got.body)
		}
	}
	if err := s.server.opt.Service.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for login, want := range map[string]bool{"suzhou": false, "province": true, "ministry": true} {
		var page Page[*schema.ModelUse]
		s.as(login, http.MethodGet, "/api/v1/model/usage?limit=100", nil).into(t, &page)
		others, refused := false, uint64(0)
		for _, u := range page.Items {
			others, refused = others || u.GetCaller() != "suzhou", refused+u.GetRefused()
		}
		if others != want || refused == 0 {
			t.Errorf("%s sees %v", login, page.Items)
		}
	}
}

// TestReplayIsScoped: a plant sees its own past alone; a back-test tells line by line, and is refused before it begins when it cannot run.
func TestReplayIsScoped(t *testing.T) {
	s := provisioned(t)
	from := s.now().UnixMilli()
	for _, v := range []float64{40, 65, 75, 40} {
		s.sample(v)
	}
	to := s.now().UnixMilli() + 1
	query := fmt.Sprintf("?enterprise=%s&from=%d&to=%d", plantA, from, to)
	var was, again replay.Past
	s.must(Enterprise, "m0001", http.MethodGet, "/api/v1/replay"+query, nil).into(t, &was)
	if len(was.Samples) != 1 || len(was.Samples[0].Points) != 4 || len(was.Alarms) == 0 || len(was.Risk) == 0 || was.Model != "DUST-RISK-1.0" {
		t.Errorf("as it was: %+v", was)
	}
	s.must(Enterprise, "m0001", http.MethodPost, "/api/v1/replay", object{"enterprise": plantA, "from": from, "to": to}).into(t, &again)
	if len(again.Differences) != 0 || !again.Whole || len(again.Risk) != len(was.Risk) {
		t.Errorf("judged again: %+v", again.Differences)
	}
	draft := strings.NewReplacer("version: DUST-RISK-1.0", "version: DRAFT", "red: 75", "red: 20", "orange: 55", "orange: 10", "yellow: 35", "yellow: 5").Replace(string(risk.Shipped().Document()))
	s.must(Regulator, "js01", http.MethodPost, "/api/v1/replay", object{"enterprise": plantA, "from": from, "to": to, "document": draft}).into(t, &again)
	if len(again.Differences) == 0 || again.Model != "DRAFT" {
		t.Errorf("by a draft: %s %+v", again.Model, again.Differences)
	}
	for _, c := range []struct {
		portal              Portal
		login, method, path string
		body                any
		status              int
	}{
		{Enterprise, "m0001", http.MethodGet, strings.Replace("/api/v1/replay"+query, plantA, plantB, 1), nil, 404},
		{Enterprise, "m0001", http.MethodPost, "/api/v1/replay", object{"enterprise": plantB, "from": from, "to": to}, 404},
		{Enterprise, "m0001", http.MethodPost, "/api/v1/replay", object{"enterprise": plantA, "from": to, "to": from}, 422},
		{Regulator, "js01", http.MethodPost, "/api/v1/replay", object{"enterprise": plantA, "from": from, "to": to, "version": "NONE"}, 404},
		{Regulator, "js01", http.MethodPost, "/api/v1/model/back-test", object{"from": from, "to": to}, 422},
		{Regulator, "js01", http.MethodPost, "/api/v1/model/back-test", object{"from": to, "to": from, "document": draft}, 422},
		{Regulator, "js01", http.MethodPost, "/api/v1/model/back-test", object{"from": from, "to": to, "document": "version: x"}, 422},
	} {
		if got := s.on(c.portal, c.login, c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s %v: %d %.300s", c.login, c.path, c.body, got.status, got.body)
		}
	}
	got := s.must(Regulator, "js01", http.MethodPost, "/api/v1/model/back-test", object{"from": from, "to": to, "document": draft})
	lines := strings.Split(strings.TrimSpace(string(got.body)), "\n")
	var last BackTestLine
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) < 2 || !strings.Contains(lines[0], `"progress"`) {
		t.Fatalf("%v: %s", err, got.body)
	}
	if last.Result == nil || last.Result.Plants != 1 || last.Result.Differ != 1 || last.Result.Models.Draft != "DRAFT" {
		t.Errorf("%s", got.body)
	}
}

// TestExamples runs what docs/model-service.md shows.
func TestExamples(t *testing.T) {
	s := provisioned(t)
	s.sample(40)
	b := s.server.opt.Backend.(*judged)
	var err error
	if s.server.opt.Service, err = model.New(model.Options{Store: b.store, Proposer: b, Running: s.server.opt.Model, Inspect: b.machine.Inspect}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/model-service.md")
	if err != nil {
		t.Fatal(err)
	}
	curl := regexp.MustCompile(`https://regulator\.example(/api/v1/\S+) \\\s+-d '([^']+)'`).FindAllStringSubmatch(string(page), -1)
	if len(curl) != 4 {
		t.Errorf("%d examples with curl", len(curl))
	}
	for _, m := range curl {
		var body any
		if err := json.Unmarshal([]byte(m[2]), &body); err != nil {
			t.Fatal(m[1], err)
		}
		if got := s.on(Regulator, "js01", http.MethodPost, m[1], body); got.status != http.StatusOK || strings.Contains(string(got.body), `"error"`) {
			t.Errorf("%s: %d %.300s", m[1], got.status, got.body)
		}
	}
	for _, m := range regexp.MustCompile(`grpcurl -d '([^']+)'`).FindAllStringSubmatch(string(page), -1) {
		if err := protojson.Unmarshal([]byte(m[1]), &rpc.EvaluateRequest{}); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}
