package portal

import (
	"fmt"
	"net/http"
	"testing"

	"dusthub/schema"
)

// BenchmarkOverview computes the overview of a country: 43,000 plants, 5,000 open alarms. It reads counters and walks no plants.
func BenchmarkOverview(b *testing.B) {
	s := newSite(b)
	var list []schema.Record
	for i := range 43_000 {
		code := fmt.Sprintf("%s03%04d", []string{"320505", "371302", "440106", "110105", "510104"}[i%5], i/5)
		list = append(list, &schema.Enterprise{
			Code: code, Name: "企业", Region: code[:6], Industry: "C33", MemIndustry: "machinery", Scale: "small", Uscc: "91320505MA1000371T", UsccOverride: "x", DustWorkers: int32(i % 90), Employees: 90,
			ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}},
		}, &schema.RiskResult{Id: code, Enterprise: code, Time: 1, Model: "m", Level: []string{"red", "orange", "yellow", "blue"}[i%4], IndexMilli: int64(i)})
		if i%9 == 0 {
			list = append(list, &schema.Alarm{Id: "AL" + code, Enterprise: code, Rule: "H", Level: 1, Onset: int64(i + 1), Condition: "active", Stage: "raised"})
		}
		if len(list) > 900 {
			s.put(list...)
			list = nil
		}
	}
	s.put(list...)
	s.as("ministry", http.MethodGet, "/api/v1/overview", nil) // builds the read model
	for b.Loop() {
		s.pass(2 * overviewFor)
		if got := s.as("ministry", http.MethodGet, "/api/v1/overview", nil); got.status != http.StatusOK {
			b.Fatal(got.status)
		}
	}
}

// BenchmarkBaseStatistics counts the base data of a country (F2.1), and of one with 1,000 plants, by the search's sets.
func BenchmarkBaseStatistics(b *testing.B) {
	for _, n := range []int{1000, 43_000} {
		b.Run(fmt.Sprint(n, " plants"), func(b *testing.B) {
			w := emptyWorld(beginning)
			w.bulk = true
			for i := range n {
				region := []string{"320505", "371302", "440106", "110105", "510104"}[i%5]
				e := &schema.Enterprise{
					Code: fmt.Sprintf("%s03%05d", region, i), Region: region, MemIndustry: []string{"machinery", "textile", "light"}[i%3], Scale: []string{"small", "micro"}[i%2],
					DustWorkers: int32(i % 130), ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: fmt.Sprint(1 + i%45)}},
				}
				w.apply(rowOf(e))
			}
			w.bulk = false
			w.recount()
			for b.Loop() {
				out := &BaseStatistics{}
				if w.baseStatistics(&enterprisesInput{MaxWorkers: -1}, "", out); out.Enterprises != n {
					b.Fatal(out.Enterprises)
				}
			}
		})
	}
}
