package portal

import (
	"context"
	"net/http"
	"testing"
	"time"

	"dusthub/node/quality"
	"dusthub/schema"
)

// surveyed is a test site as a survey wants it.
type surveyed struct{ *backend }

func (surveyed) IsLeader() bool { return true }

// TestAnalysis: what each viewer sees of connection, base data and readings is of his region alone (F2.5).
func TestAnalysis(t *testing.T) {
	s := newSite(t)
	survey := quality.New(quality.Options{Site: surveyed{s.backend}, Now: s.now})
	s.pass(20 * time.Minute)
	for range 2 { // the second time of the hour nothing is written
		if err := survey.Keeper().Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := survey.Turn(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		login, region string
		plants, parts int
	}{
		{"ministry", "", 3, 1}, {"ministry", "320000", 3, 3}, {"province", "", 3, 3}, {"province", "330000", 0, 0}, {"suzhou", "", 1, 1}, {"suzhou", "320000", 1, 1}, {"suzhou", "320281", 0, 0}, {"admin", "320505", 1, 0},
	} {
		t.Run(c.login+" "+c.region, func(t *testing.T) {
			query := "?region=" + c.region
			var a Analysis
			s.as(c.login, http.MethodGet, "/api/v1/analysis"+query, nil).into(t, &a)
			if a.Enterprises != c.plants || a.Plants != (ConnectView{c.plants, c.plants, c.plants}) || len(a.Parts) != c.parts || !a.Complete || len(a.Rules) != len(quality.Rules()) {
				t.Errorf("%+v", a)
			}
			if c.plants > 0 && (a.Sensing == nil || a.Sensing.Series != int64(c.plants) || a.Sensing.Rules[0].Metrics != int64(c.plants)) {
				t.Errorf("readings %+v", a.Sensing)
			}
			var trend AnalysisTrend
			s.as(c.login, http.MethodGet, "/api/v1/analysis/trend"+query+"&days=30", nil).into(t, &trend)
			if c.plants > 0 && (len(trend.Days) != 1 || trend.Days[0].Samples != 1 || trend.Days[0].PlantsOnline != float64(c.plants) || trend.Days[0].Levels.Orange != c.plants) {
				t.Errorf("trend %+v", trend)
			}
			var found Page[FindingRow]
			s.as(c.login, http.MethodGet, "/api/v1/analysis/findings"+query+"&rule=workshop_area", nil).into(t, &found)
			if len(found.Items) != c.plants || c.plants > 0 && (found.Items[0].Total != 1 || found.Items[0].Records[0].Type != "Workshop") {
				t.Errorf("findings %+v", found)
			}
			var issues Page[IssueRow]
			s.as(c.login, http.MethodGet, "/api/v1/analysis/issues"+query+"&rule=gaps", nil).into(t, &issues)
			if len(issues.Items) != c.plants || c.plants > 0 && (issues.Items[0].MetricName != "灰斗温度" || issues.Items[0].EnterpriseName == "") {
				t.Errorf("issues %+v", issues)
			}
		})
	}
}

// TestFindingsArePaged: a page ends where it is told to, the next begins behind it, and what was mended is gone from it.
func TestFindingsArePaged(t *testing.T) {
	s := newSite(t)
	page := func(after string) Page[FindingRow] {
		var p Page[FindingRow]
		s.as("ministry", http.MethodGet, "/api/v1/analysis/findings?rule=workshop_area&limit=2&after="+after, nil).into(t, &p)
		return p
	}
	first := page("")
	second := page(first.Next)
	if len(first.Items) != 2 || first.Next == "" || len(second.Items) != 1 || second.Next != "" || second.Items[0].Enterprise == first.Items[1].Enterprise {
		t.Errorf("%+v %+v", first, second)
	}
	s.put(&schema.Workshop{Code: plantA + "W01", Enterprise: plantA, Name: "车间", Building: "single_frame", AreaM2: 300})
	if p := page(""); len(p.Items) != 2 || p.Next != "" {
		t.Errorf("after mending %+v", p)
	}
	for path, status := range map[string]int{
		"/api/v1/analysis/findings?rule=nothing": http.StatusUnprocessableEntity, "/api/v1/analysis/findings": http.StatusUnprocessableEntity, "/api/v1/analysis/issues?rule=x": http.StatusUnprocessableEntity,
		"/api/v1/analysis/issues?day=1&after=x": http.StatusBadRequest, "/api/v1/analysis/trend?days=1000": http.StatusUnprocessableEntity,
	} {
		if got := s.as("ministry", http.MethodGet, path, nil); got.status != status {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
