package portal

import (
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dusthub/schema"
	"dusthub/tools/nation"
)

// TestNation measures every list, map, ranking and search of a country of 43,000 plants and 300,000 series beside one of 1,000,
// turn by turn in the same run (issue: at most twice as long). `make bench-nation` runs it; it takes minutes.

const nationRounds = 100

func TestNation(t *testing.T) {
	plants, err := strconv.Atoi(os.Getenv("NATION"))
	if err != nil {
		t.Skip("make bench-nation")
	}
	small, large := nationOf(t, 1000), nationOf(t, plants)
	q := url.QueryEscape
	t.Logf("%-62s %9s %9s %9s %9s %6s %6s", "ms", "1000 p50", "p99", strconv.Itoa(plants)+" p50", "p99", "p50 x", "p99 x")
	for _, c := range []struct{ login, path string }{
		{"ministry", "/overview"}, {"ministry", "/overview?region=320000"}, {"province", "/overview"}, {"suzhou", "/overview"},
		{"ministry", "/enterprises?limit=50"}, {"suzhou", "/enterprises?limit=50"}, {"ministry", "/enterprises?limit=50&level=red,orange"},
		{"ministry", "/enterprises?limit=50&q=" + q("恒盛")}, {"ministry", "/enterprises?limit=50&q=" + q("恒盛金属制品")}, {"ministry", "/enterprises?limit=50&q=" + q("有限公司")},
		{"ministry", "/enterprises?limit=50&region=320000&industry=C33&min_workers=10&max_workers=90&level=red,orange,yellow&dust=2&online=true&alarm=true&warning=false&q=" + q("金属")},
		{"ministry", "/enterprises?limit=50&alarm=true&warning=true&online=false"},
		{"ministry", "/alarms?limit=50"}, {"ministry", "/alarms?limit=50&stage=open"}, {"province", "/alarms?limit=50&stage=open"}, {"suzhou", "/alarms?limit=50&stage=open"}, {"suzhou", "/alarms?limit=50"},
		{"ministry", "/warnings?limit=50&stage=open"}, {"suzhou", "/warnings?limit=50&stage=open"}, {"ministry", "/hazards?limit=50"}, {"ministry", "/spot-checks?limit=50"},
		{"ministry", "/records/Metric?limit=50"}, {"ministry", "/analysis"}, {"suzhou", "/analysis"}, {"ministry", "/analysis/findings?rule=collector_measure"}, {"ministry", "/analysis/trend?days=90"}, {"ministry", "/enterprises/" + plantA}, {"ministry", "/counts"},
	} {
		a, b := small.timed(c.login, c.path, large)
		t.Logf("%-62.62s %9.2f %9.2f %9.2f %9.2f %6.1f %6.1f", c.login+" "+c.path, a[0], a[1], b[0], b[1], b[0]/a[0], b[1]/a[1])
	}
}

// nationOf is a site with a country of so many plants.
func nationOf(t *testing.T, plants int) *site {
	s := newSite(t)
	start := time.Now()
	counties := nation.Counties()
	var list []schema.Record
	for i := range plants {
		if list = append(list, nation.Plant(i, counties)...); len(list) > 2000 {
			s.put(list...)
			list = nil
		}
	}
	s.put(list...)
	stored := time.Since(start)
	s.as("ministry", http.MethodGet, "/api/v1/overview", nil) // takes everything in
	t.Logf("%d plants: stored in %v, in the read model after %v; %d MB", plants, stored.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), memory()>>20)
	return s
}

// timed asks both sites in turns; median and 99th percentile, ms, of each.
func (s *site) timed(login, path string, other *site) (mine, others [2]float64) {
	var took [2][]float64
	for range nationRounds {
		for i, at := range []*site{s, other} {
			if strings.HasPrefix(path, "/overview") { // elsewhere time stands, so that nobody's session ends
				at.pass(2 * overviewFor)
			}
			start := time.Now()
			if got := at.as(login, http.MethodGet, "/api/v1"+path, nil); got.status != http.StatusOK {
				s.t.Fatalf("%s %s: %d %s", login, path, got.status, got.body)
			}
			took[i] = append(took[i], float64(time.Since(start).Microseconds())/1000)
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	return [2]float64{quantile(took[0], 0.5), quantile(took[0], 0.99)}, [2]float64{quantile(took[1], 0.5), quantile(took[1], 0.99)}
}
