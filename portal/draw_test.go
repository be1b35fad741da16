package portal

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestDraw: the same seed draws the same, another seed another; nobody draws what is out of sight; a preview sends nothing (F2.4).
func TestDraw(t *testing.T) {
	s := newSite(t)
	ask := func(login string, more object) (DrawView, reply) {
		body := object{"count": 2, "title": "双随机", "preview": true}
		for k, v := range more {
			body[k] = v
		}
		got := s.as(login, http.MethodPost, "/api/v1/spot-checks/draw", body)
		var d DrawView
		if got.status == http.StatusOK {
			got.into(t, &d)
		}
		return d, got
	}
	names := func(d DrawView) string {
		var out []string
		for _, p := range d.Drawn {
			out = append(out, p.Enterprise+"="+strings.Join(p.Inspectors, "+"))
		}
		return strings.Join(out, " ")
	}
	people := []string{"甲", "乙", "丙", "丁"}
	first, _ := ask("ministry", object{"seed": "1", "inspectors": people})
	again, _ := ask("ministry", object{"seed": "1", "inspectors": []string{"丁", "丙", "乙", "甲"}})
	if first.Pool != 3 || len(first.Drawn) != 2 || names(first) != names(again) || first.PoolDigest != again.PoolDigest || len(first.PoolDigest) != 64 {
		t.Errorf("drawn %+v, again %+v", first, again)
	}
	seen := map[string]bool{}
	for _, seed := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		d, _ := ask("ministry", object{"seed": seed, "inspectors": people})
		seen[names(d)] = true
	}
	if len(seen) < 4 {
		t.Errorf("eight seeds drew only %v", seen)
	}
	made, _ := ask("ministry", nil)
	other, _ := ask("ministry", nil)
	if made.Seed == "" || made.Seed == other.Seed {
		t.Errorf("seeds made here: %q, %q", made.Seed, other.Seed)
	}
	if d, _ := ask("suzhou", object{"count": 200}); len(d.Drawn) != 1 || d.Drawn[0].Enterprise != plantA {
		t.Errorf("out of sight: %+v", d)
	}
	if d, _ := ask("ministry", object{"criteria": object{"region": "320500"}}); d.Pool != 1 || !strings.Contains(d.Criteria, "region=320500") {
		t.Errorf("of a region: %+v", d)
	}
	for name, body := range map[string]object{
		"nobody meets it": {"criteria": object{"min_workers": 1_000_000}}, "named twice": {"inspectors": []string{"甲", "甲"}}, "an empty name": {"inspectors": []string{" "}},
		"in the past": {"due": 1}, "none": {"count": 0}, "too many": {"count": 201},
	} {
		if _, got := ask("ministry", body); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	var before, after Page[*SpotCheckView]
	s.as("ministry", http.MethodGet, "/api/v1/spot-checks?limit=1000", nil).into(t, &before)
	if slices.ContainsFunc(before.Items, func(v *SpotCheckView) bool { return v.SpotCheck.GetDraw() != nil }) {
		t.Error("a preview sent spot checks")
	}
	d, _ := ask("ministry", object{"preview": false, "seed": "1"})
	s.as("ministry", http.MethodGet, "/api/v1/spot-checks?limit=1000", nil).into(t, &after)
	if len(after.Items) != len(before.Items)+2 || d.ID == "" || d.Drawn[0].SpotCheck == "" {
		t.Errorf("%d before, %d after, %+v", len(before.Items), len(after.Items), d)
	}
}
