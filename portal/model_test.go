package portal

import (
	"net/http"
	"testing"

	"dusthub/node/engine"
	"dusthub/node/engine/risk"
	"dusthub/node/model"
	"dusthub/schema"
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
