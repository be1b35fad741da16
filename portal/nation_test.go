package portal

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dusthub/node/quality"
	"dusthub/schema"
	"dusthub/tools/nation"

	"github.com/danielgtaylor/huma/v2"
)

// A country of 43,000 plants and 300,000 series beside one of 1,000: what every list, map and search costs in both (issue: at most twice as
// much at the 99th percentile). TestNation takes the time, turn by turn in the same run; `make bench-nation` runs it, and it takes minutes.
// TestNationReads counts the rows that are read instead, which no other user of the machine changes, and runs always.

const (
	nationRounds   = 100
	nationTries    = 8
	nationSmall    = 1000
	nationTimes    = 2       // what the larger country may cost, in times what the smaller one does
	nationSlackMs  = 0.25    // and this beside it: below it a clock says nothing
	nationDays     = 30      // of which the country knows how its regions stood
	readsSmall     = 600     // plants in one province
	readsTimes     = 4       // as many in the larger one
	readsSlack     = 40      // rows that are read for other reasons
	readsWhenGone  = 2 * 256 // rows that are read for somebody who has gone: the store looks every 256
	pagesPlants    = 1300
	nationProvince = "32"
)

// inquiry is a question of the bench.
type inquiry struct{ login, path string }

var escaped = url.QueryEscape

// farBack is a page of alarms behind the newest that memory holds: those of five days and earlier, of ten that the country has.
var farBack = "/alarms?limit=50&after=" + place{nation.Beginning - 5*dayMs, "Z"}.cursor()

// nationQuestions are what is measured, by the id of the route. Every reading of the portal is here or in notMeasured.
var nationQuestions = map[string][]inquiry{
	"overview":          {{"ministry", "/overview"}, {"ministry", "/overview?region=320000"}, {"ministry", "/overview?region=320500"}, {"ministry", "/overview?region=320505"}, {"province", "/overview"}, {"suzhou", "/overview"}},
	"enterprise-facets": {{"ministry", "/search/facets"}, {"suzhou", "/search/facets"}, {"ministry", "/search/facets?region=320000&level=red,orange&q=" + escaped("金属")}},
	"base-statistics":   {{"ministry", "/base/statistics"}, {"ministry", "/base/statistics?region=320500"}, {"suzhou", "/base/statistics"}},
	"saved-searches":    {{"ministry", "/search/saved"}},
	"enterprises": {
		{"ministry", "/enterprises?limit=50"}, {"suzhou", "/enterprises?limit=50"}, {"ministry", "/enterprises?limit=50&level=red,orange"},
		{"ministry", "/enterprises?limit=50&q=" + escaped("恒盛")}, {"ministry", "/enterprises?limit=50&q=" + escaped("恒盛金属制品")}, {"ministry", "/enterprises?limit=50&q=" + escaped("有限公司")},
		{"ministry", "/enterprises?limit=50&region=320000&industry=C33&min_workers=10&max_workers=90&level=red,orange,yellow&dust=2&online=true&alarm=true&warning=false&q=" + escaped("金属")},
		{"ministry", "/enterprises?limit=50&alarm=true&warning=true&online=false"},
	},
	"plant":                   {{"ministry", "/enterprises/" + plantA}},
	"plant-file":              {{"ministry", "/enterprises/" + plantA + "/file"}},
	"risk":                    {{"ministry", "/enterprises/" + plantA + "/risk"}},
	"risk-history":            {{"ministry", "/enterprises/" + plantA + "/risk/history?limit=50"}},
	"alarms":                  {{"ministry", "/alarms?limit=50"}, {"ministry", "/alarms?limit=50&stage=open"}, {"province", "/alarms?limit=50&stage=open"}, {"suzhou", "/alarms?limit=50&stage=open"}, {"suzhou", "/alarms?limit=50"}, {"manager-a", "/alarms?limit=50"}, {"ministry", farBack}, {"suzhou", farBack}},
	"alarm":                   {{"ministry", "/alarms/AL-" + plantA}},
	"alarm-statistics":        {{"ministry", "/alarms/statistics"}, {"province", "/alarms/statistics"}, {"suzhou", "/alarms/statistics"}, {"manager-a", "/alarms/statistics"}},
	"alarm-statistics-series": {{"ministry", "/alarms/statistics/series?step=hour"}, {"suzhou", "/alarms/statistics/series?step=hour"}},
	"warnings":                {{"ministry", "/warnings?limit=50&stage=open"}, {"suzhou", "/warnings?limit=50&stage=open"}, {"suzhou", "/warnings?limit=50"}, {"manager-a", "/warnings?limit=50"}},
	"warning":                 {{"ministry", "/warnings/W-" + plantA}},
	"analysis":                {{"ministry", "/analysis"}, {"suzhou", "/analysis"}},
	"analysis-trend":          {{"ministry", "/analysis/trend?days=30"}, {"suzhou", "/analysis/trend?days=30"}},
	"analysis-findings":       {{"ministry", "/analysis/findings?rule=collector_measure&limit=50"}, {"suzhou", "/analysis/findings?rule=collector_measure&limit=50"}},
	"analysis-issues":         {{"ministry", "/analysis/issues?limit=50"}, {"suzhou", "/analysis/issues?limit=50"}},
	"reports":                 {{"ministry", "/reports?limit=50"}, {"suzhou", "/reports?limit=50"}},
	"report":                  {{"ministry", "/reports/" + nationReport}},
	"shelves":                 {{"ministry", "/shelves?limit=50"}, {"suzhou", "/shelves?limit=50&stage=open"}},
	"shelf":                   {{"ministry", "/shelves/" + plantA + "-H"}},
	"rules":                   {{"ministry", "/rules?limit=50"}, {"suzhou", "/rules?limit=50"}},
	"limits":                  {{"ministry", "/metrics/" + probeMetric + "/limits"}},
	"limit-deviations":        {{"ministry", "/limits/deviations?limit=50"}, {"suzhou", "/limits/deviations?limit=50"}},
	"channels":                {{"ministry", "/channels"}},
	"deliveries":              {{"ministry", "/deliveries?limit=50"}, {"ministry", "/deliveries?limit=50&mine=true"}, {"suzhou", "/deliveries?limit=50"}},
	"spot-checks":             {{"ministry", "/spot-checks?limit=50"}, {"suzhou", "/spot-checks?limit=50"}, {"suzhou", "/spot-checks?limit=50&stage=open"}},
	"spot-check":              {{"ministry", "/spot-checks/S-" + plantA}},
	"cleaning":                {{"ministry", "/cleaning?enterprise=" + plantA}, {"manager-a", "/cleaning"}},
	"federation":              {{"ministry", "/federation"}},
	"quarantine":              {{"ministry", "/quarantine?limit=50"}, {"suzhou", "/quarantine?limit=50"}},
	"counts":                  {{"ministry", "/counts"}},
	"latency":                 {{"ministry", "/latency"}},
	"ledger":                  {{"ministry", "/ledger?limit=50"}},
	"ledger-heads":            {{"ministry", "/ledger/heads"}},
	"records":                 {{"ministry", "/records/Metric?limit=50"}, {"suzhou", "/records/Metric?limit=50"}, {"ministry", "/records/Enterprise?limit=50"}, {"manager-a", "/records/Metric?limit=50"}},
	"record-versions":         {{"ministry", "/records/Enterprise/" + plantA + "/versions"}},
	"orgs":                    {{"ministry", "/orgs"}},
	"users":                   {{"security", "/users?limit=50"}},
	"sessions":                {{"ministry", "/sessions"}, {"security", "/sessions?login=ministry"}},
	"keys":                    {{"ministry", "/session/keys"}},
	"audit":                   {{"audit", "/audit?limit=50"}, {"audit", "/audit?limit=50&actor=ministry"}},
	"model-usage":             {{"ministry", "/model/usage"}},
	"hazards":                 {{"ministry", "/hazards?limit=50"}, {"suzhou", "/hazards?limit=50"}, {"suzhou", "/hazards?limit=50&open=true"}},
}

// notMeasured are readings that are no list, map or search of the country, and why.
var notMeasured = map[string]string{
	"login-ways": nothingOfPlants, "captcha-sound": nothingOfPlants, "sso-begin": nothingOfPlants, "sso-return": nothingOfPlants, "sso-state": nothingOfPlants, "session": nothingOfPlants,
	"key-routes": nothingOfPlants, "push-key": nothingOfPlants, "roles": nothingOfPlants, "tables": nothingOfPlants, "table": nothingOfPlants, "code-tables": nothingOfPlants, "dictionary": nothingOfPlants,
	"model": nothingOfPlants, "models": nothingOfPlants, "model-detail": nothingOfPlants, "limit-defaults": nothingOfPlants, "record-forms": nothingOfPlants, "record-template": nothingOfPlants,
	"enterprises-export": wholeFile, "record-export": wholeFile, "audit-export": wholeFile, "report-export": "prints one report, whose length does not depend on the country", "attachment": "one file",
	"ledger-verify": "recomputes a ledger from its beginning, on purpose; one at a time, and ends when its asker goes",
	"series":        "readings of one metric: make bench", "replay": "an interval of one plant: make bench",
	"model-explain": "one plant, judged at its own site: make bench of the model",
	"events":        "make bench-sessions",
}

const (
	nothingOfPlants = "of the program or its asker: the same in any country"
	wholeFile       = "a file of all that a question finds, bounded, and written as long as it is"
	nationReport    = "daily-320000-2026-09-20"
)

// Every reading is measured, or is said not to be and why: who adds a list adds it to the bench.
func TestNationAsksEverything(t *testing.T) {
	for _, a := range accesses {
		_, measured := nationQuestions[a.ID]
		why, excused := notMeasured[a.ID]
		switch {
		case a.Method != http.MethodGet:
			if measured || excused {
				t.Errorf("%s is no reading", a.ID)
			}
		case measured == excused:
			t.Errorf("%s %s: add it to nationQuestions, or to notMeasured with the reason (portal/nation_test.go)", a.ID, a.Path)
		case excused && why == "":
			t.Errorf("%s: why is it not measured?", a.ID)
		}
		for _, q := range nationQuestions[a.ID] {
			path, _, _ := strings.Cut("/api/v1"+q.path, "?")
			if !ofRoute(a.Path, path) {
				t.Errorf("%s asks %s", a.ID, q.path)
			}
		}
	}
	for id := range nationQuestions {
		accessOf(id)
	}
	for id := range notMeasured {
		accessOf(id)
	}
}

// ofRoute says whether a path is one of a route's.
func ofRoute(route, path string) bool {
	a, b := strings.Split(route, "/"), strings.Split(path, "/")
	return slices.EqualFunc(a, b, func(a, b string) bool { return a == b || strings.HasPrefix(a, "{") && b != "" })
}

// eachQuestion calls fn for all questions in the order of the table of accesses.
func eachQuestion(fn func(id string, q inquiry)) {
	for _, a := range accesses {
		for _, q := range nationQuestions[a.ID] {
			fn(a.ID, q)
		}
	}
}

func TestNation(t *testing.T) {
	plants, err := strconv.Atoi(os.Getenv("NATION"))
	if err != nil {
		t.Skip("make bench-nation")
	}
	counties := nation.Counties()
	small, large := nationOf(t, nationSmall, counties), nationOf(t, plants, counties)
	runtime.GC()
	t.Logf("%-62s %9s %9s %9s %9s %6s %6s", "ms", "1000 p50", "p99", strconv.Itoa(plants)+" p50", "p99", "p50 x", "p99 x")
	all := map[string][]*measured{}
	for try := range nationTries { // what another user of the machine did at one time, he does not do at the next
		eachQuestion(func(id string, q inquiry) {
			i := slices.Index(nationQuestions[id], q)
			if try == 0 {
				all[id] = append(all[id], &measured{inquiry: q})
			} else if all[id][i].grows(all[id]) == nil {
				return
			}
			all[id][i].take(small, large)
		})
	}
	eachQuestion(func(id string, q inquiry) {
		m := all[id][slices.Index(nationQuestions[id], q)]
		like := m.like(all[id])
		mark := ""
		if like != m {
			mark = "  held against " + like.login + " " + like.path
		}
		if err := m.grows(all[id]); err != nil {
			t.Error(err)
		}
		a, b := like.small, m.large
		t.Logf("%-62.62s %9.2f %9.2f %9.2f %9.2f %6.1f %6.1f%s", q.login+" "+q.path, a[0], a[1], b[0], b[1], b[0]/a[0], b[1]/a[1], mark)
	})
	for _, id := range []string{"alarm-statistics", "alarm-statistics-series", "latency"} {
		t.Logf("%s: the first who asks waits %v in the smaller country, %v in the larger; nobody after", id, small.first(id), large.first(id))
	}
}

// first is how long those wait who ask for a count that nobody has asked for before.
func (s *site) first(id string) time.Duration {
	clear(s.server.counted.by)
	clear(s.server.countedOver.by)
	clear(s.server.latencies.by)
	_, took := s.asks(nationQuestions[id][0])
	return took.Round(100 * time.Microsecond)
}

// measured is a question with its times in the two countries: median and 99th percentile, ms, the least of some tries; and how long the answers are.
type measured struct {
	inquiry
	small, large [2]float64
	bytes        [2]int
}

func (m *measured) take(small, large *site) {
	a, b := small.timed(m, large)
	if m.small[1] == 0 || a[1] < m.small[1] {
		m.small = a
	}
	if m.large[1] == 0 || b[1] < m.large[1] {
		m.large = b
	}
}

// like is the question of the same route that the larger country's answer is held against in the smaller one: the same, or, when that gives
// half a page where this one gives a whole, the quickest whose answer is about as long. A page of fifty takes longer than one of three in any country.
func (m *measured) like(route []*measured) *measured {
	best := m
	for _, o := range route {
		if m.bytes[1]*5 > m.bytes[0]*6 && o.bytes[0]*5 >= m.bytes[1]*4 && o.small[0] > m.small[0] && (best == m || o.small[0] < best.small[0]) {
			best = o
		}
	}
	return best
}

// grows says that a question takes more than twice as long in the larger country.
func (m *measured) grows(route []*measured) error {
	if a, b := m.like(route).small[1], m.large[1]; b > nationTimes*a+nationSlackMs {
		return fmt.Errorf("%s %s: p99 %.2f ms in the larger country, %.2f ms in the smaller", m.login, m.path, b, a)
	}
	return nil
}

// nationOf is a site with a country of so many plants.
func nationOf(t *testing.T, plants int, counties []string) *site {
	s := newSite(t)
	start := time.Now()
	var list []schema.Record
	for i := range plants {
		if list = append(list, nation.Plant(i, counties)...); len(list) > 2000 {
			s.put(list...)
			list = nil
		}
	}
	s.put(list...)
	s.put(s.regionDays(plants, counties)...)
	s.put(&schema.Report{Id: nationReport, Kind: "daily", Region: "320000", From: probeTime - 2, Until: probeTime - 1, Made: probeTime, Actor: "site", Figures: []byte(`{"version":1}`)})
	stored := time.Since(start)
	s.asks(inquiry{"ministry", "/overview"}) // takes everything in
	s.asks(inquiry{"ministry", "/analysis"})
	if err := s.backend.store.Flush(); err != nil { // both countries lie on the disk
		t.Fatal(err)
	}
	t.Logf("%d plants: stored in %v, in the read model after %v; %d MB", plants, stored.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), memory()>>20)
	return s
}

// regionDays are how the regions stood day by day, and what was found in the readings of the last day: an issue for one plant in three.
func (s *site) regionDays(plants int, counties []string) []schema.Record {
	var out []schema.Record
	today := quality.DayStart(s.now().UnixMilli())
	regions := map[string]bool{}
	for _, c := range counties {
		regions[c] = true
		regions[c[:4]], regions[c[:2]] = true, true
	}
	for back := range int64(nationDays) {
		days := map[string]*schema.RegionDay{}
		at := today - back*dayMs
		add := func(area, region string) {
			id := area + "/" + time.UnixMilli(at+chinaOffset).UTC().Format(time.DateOnly)
			if days[id] == nil {
				days[id] = &schema.RegionDay{Id: id, Day: at, Samples: 1, Sampled: at}
			}
			days[id].Rows = append(days[id].Rows, &schema.RegionFigures{
				Region: region, Last: &schema.Standing{Plants: int32(plants)}, Sensing: &schema.Sensing{From: at, End: at + dayMs, Series: 7, Expected: 100, Received: 90},
			})
		}
		add("00", "")
		for _, r := range slices.Sorted(maps.Keys(regions)) {
			if add(r[:2], r); len(r) == 2 {
				add("00", r)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(days)) {
			out = append(out, days[id])
		}
	}
	found := map[string]*schema.SensingDay{}
	for i := 0; i < plants; i += 3 {
		code := nation.Code(i, counties)
		id := time.UnixMilli(today+chinaOffset).UTC().Format(time.DateOnly) + "/" + code[:6]
		if found[id] == nil {
			found[id] = &schema.SensingDay{Id: id, From: today, End: today + dayMs}
		}
		found[id].Issues = append(found[id].Issues, &schema.SensingIssue{Enterprise: code, Collector: code + "C001", Metric: code + "C001T0101", Rule: "gaps", Count: 9, Expected: 90})
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[id])
	}
	return out
}

// asks puts a question through the whole HTTP stack; how long it took.
func (s *site) asks(q inquiry) (reply, time.Duration) {
	s.t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/api/v1"+q.path, nil)
	portal := portalOf(q.login)
	req.AddCookie(&http.Cookie{Name: s.server.doors[portal].cookieName(), Value: s.tokens[q.login]})
	start := time.Now()
	res, err := s.server.App(portal).Test(req, -1)
	took := time.Since(start)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, b}, took
}

// age makes every answer that is shared too old to be given again without computing it.
func (s *Server) age() {
	s.overviews.age()
	s.counted.age()
	s.countedOver.age()
	s.latencies.age()
}

func (c *shared[K, V]) age() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.by {
		e.mu.Lock()
		e.at = c.now().Add(-c.keep)
		e.mu.Unlock()
	}
}

// timed asks both sites in turns; median and 99th percentile, ms, of each. What is shared for a while
// is too old each time.
func (s *site) timed(m *measured, other *site) (mine, others [2]float64) {
	var took [2][]float64
	for range nationRounds {
		for i, at := range []*site{s, other} {
			at.server.age()
			got, d := at.asks(m.inquiry)
			if got.status != http.StatusOK {
				s.t.Fatalf("%s %s: %d %s", m.login, m.path, got.status, got.body)
			}
			took[i] = append(took[i], float64(d.Microseconds())/1000)
			m.bytes[i] = len(got.body)
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	return [2]float64{quantile(took[0], 0.5), quantile(took[0], 0.99)}, [2]float64{quantile(took[1], 0.5), quantile(took[1], 0.99)}
}

// The same questions cost as many reads in a larger country as in a smaller one. Two countries of one province each, small enough to be made
// in a second: what would walk the country walks four times as much in the larger one.
func TestNationReads(t *testing.T) {
	counties := slices.DeleteFunc(nation.Counties(), func(c string) bool { return !strings.HasPrefix(c, nationProvince) })
	small, large := nationOf(t, readsSmall, counties), nationOf(t, readsTimes*readsSmall, counties)
	eachQuestion(func(_ string, q inquiry) {
		q.path = strings.Replace(q.path, "limit=50", "limit=5", 1)
		a, b := small.readsOf(t, q), large.readsOf(t, q)
		if b > nationTimes*a+readsSlack {
			t.Errorf("%s %s reads %d rows of %d plants, and %d of %d", q.login, q.path, a, readsSmall, b, readsTimes*readsSmall)
		}
	})
}

// readsOf is how many rows a question reads.
func (s *site) readsOf(t *testing.T, q inquiry) uint64 {
	t.Helper()
	s.asks(q) // what is shared, and what is counted at the first look, is there
	before := s.backend.store.Reads()
	got, _ := s.asks(q)
	if got.status != http.StatusOK {
		t.Errorf("%s %s: %d %s", q.login, q.path, got.status, got.body)
	}
	return s.backend.store.Reads() - before
}

// Nobody gets more than a page, however much is asked for, and a question ends when its asker goes.
func TestNationPages(t *testing.T) {
	counties := slices.DeleteFunc(nation.Counties(), func(c string) bool { return !strings.HasPrefix(c, nationProvince) })
	s := nationOf(t, pagesPlants, counties)
	for _, p := range both {
		for _, a := range accesses {
			if a.Method != http.MethodGet || !slices.Contains(a.Portals, p) {
				continue
			}
			list := s.itemsOf(p, a)
			op := s.operationOf(p, a)
			paged := slices.ContainsFunc(op.Parameters, func(x *huma.Param) bool { return x.Name == "limit" })
			if list && !paged && notPaged[a.ID] == "" {
				t.Errorf("%s portal: %s answers a list without limit: page it, or say in notPaged why not", p, a.ID)
			}
		}
	}
	eachQuestion(func(id string, q inquiry) {
		if !strings.Contains(q.path, "limit=50") {
			return
		}
		q.path = strings.Replace(q.path, "limit=50", "limit=1000000", 1)
		got, _ := s.asks(q)
		var answer struct{ Items []json.RawMessage }
		switch {
		case got.status == http.StatusUnprocessableEntity: // more than its description allows
		case got.status != http.StatusOK:
			t.Errorf("%s %s: %d", q.login, q.path, got.status)
		default:
			if err := json.Unmarshal(got.body, &answer); err == nil && len(answer.Items) > maxPage {
				t.Errorf("%s: a page of %d items", q.path, len(answer.Items))
			}
		}
	})
	s.server.patience = time.Nanosecond
	eachQuestion(func(id string, q inquiry) {
		before := s.backend.store.Reads()
		s.asks(q)
		if n := s.backend.store.Reads() - before; n > readsWhenGone {
			t.Errorf("%s %s reads %d rows for somebody who has gone", q.login, q.path, n)
		}
	})
}

// notPaged are lists that are never longer than a page, and why.
var notPaged = map[string]string{
	"key-routes": ofTheProgram, "limit-defaults": ofTheProgram, "record-forms": ofTheProgram, "roles": ofTheProgram, "tables": ofTheProgram, "code-tables": ofTheProgram, "dictionary": ofTheProgram,
	"saved-searches": "one's own, at most 50", "keys": "one's own, at most 10 that are in force", "sessions": "one's own, at most 20", "channels": "one's own, at most 1,000",
	"ledger-heads": "one for each site", "models": "one for each version that was published",
	"orgs": "a tree, which is shown whole: at most 5,000, more than the country has counties",
}

const ofTheProgram = "as long as the program makes it"

// itemsOf says whether a route's answer is a page of items.
func (s *site) itemsOf(p Portal, a Access) bool {
	res := s.operationOf(p, a).Responses["200"]
	if res == nil || res.Content["application/json"] == nil {
		return false
	}
	x := s.resolve(p, res.Content["application/json"].Schema)
	if x == nil {
		return false
	}
	if x.Type == "array" {
		return true
	}
	_, has := x.Properties["items"]
	return has
}
