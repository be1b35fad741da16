package portal

import (
	"fmt"
	"net/http"
	"testing"

	"dusthub/node/statistics"
	"dusthub/schema"
)

// Statistics count what the viewer may see, and no plant, region or industry beyond it.
func TestStatisticsKeepToTheScope(t *testing.T) {
	s := newSite(t)
	now := s.now().UnixMilli()
	for i, plant := range []string{plantA, plantB} {
		for k := range 3 + i {
			s.put(&schema.Alarm{Id: fmt.Sprint("X-", plant, k), Enterprise: plant, Metric: plant + "C001T0101", Kind: "T01", Rule: "H", Level: 1, Onset: now - 1000, Condition: "active", Stage: "raised", Priority: "low"})
		}
	}
	count := func(login, query string) int {
		t.Helper()
		var r statistics.Result
		s.must(portalOf(login), login, http.MethodGet, "/api/v1/alarms/statistics?"+query, nil).into(t, &r)
		var series statistics.Series
		s.must(portalOf(login), login, http.MethodGet, "/api/v1/alarms/statistics/series?step=day&"+query, nil).into(t, &series)
		sum := 0
		for _, p := range series.Points {
			sum += p.Count
		}
		if sum != r.Alarms || len(r.Verdicts) != len(schema.Statistics().Limits) || r.Positions < 1 {
			t.Errorf("%s %s: series %d, alarms %d, positions %d", login, query, sum, r.Alarms, r.Positions)
		}
		return r.Alarms
	}
	to := fmt.Sprint("to=", now+1)
	all := count("ministry", to)
	if all != 10 {
		t.Errorf("all: %d", all)
	}
	for _, c := range []struct {
		login, query string
		want         int
	}{
		{"manager-a", "", 4}, {"manager-a", "enterprise=" + plantB, 0}, {"ministry", "enterprise=" + plantB, 5}, {"ministry", "region=" + plantA[:4] + "00", 4},
		{"ministry", "industry=machinery", 10}, {"ministry", "industry=textile", 0}, {"ministry", "from=1000000000000", -1}, {"suzhou", "", 4}, {"suzhou", "enterprise=" + plantB, 0},
	} {
		if c.want < 0 {
			if got := s.as(c.login, http.MethodGet, "/api/v1/alarms/statistics?"+c.query, nil); got.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", c.query, got.status)
			}
			continue
		}
		if got := count(c.login, to+"&"+c.query); got != c.want {
			t.Errorf("%s %s: %d alarms, wanted %d", c.login, c.query, got, c.want)
		}
	}
}
