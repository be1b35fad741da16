package portal

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"pgregory.net/rapid"
)

// Counters are compared with what a walk over all plants counts.

func emptyWorld(now int64) *world {
	return &world{
		now: func() time.Time { return time.UnixMilli(now) }, plants: map[string]*plantState{}, collectors: map[string]string{},
		alarms: map[string]alarmState{}, warnings: map[string]alarmState{}, hazards: map[string]alarmState{}, counted: map[uint64]bool{}, origins: map[string]*originCount{}, areas: map[areaKey]*area{},
		index: newSearchIndex(), recents: map[recentKey]*recent{}, floors: map[string]place{}, orphans: map[string]bool{}, kept: recentKept, notedMost: notedMost, newestOf: func(string, string) ([]place, error) { return nil, nil },
	}
}

const beginning = 1_790_000_000_000

var someRegions = []string{"320505", "320506", "320281", "110105", "371302", ""}

// someRow is a random change of a few plants. Times do not go back, as in a ledger.
func someRow(t *rapid.T, now int64) store.Row {
	pick := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "pick") }
	plant := fmt.Sprint("p", rapid.IntRange(0, 9).Draw(t, "plant"))
	n := rapid.IntRange(0, 4).Draw(t, "n")
	var r schema.Record
	switch pick("enterprise", "gateway", "risk", "risk", "alarm", "alarm", "warning", "gone") {
	case "gone":
		return store.Row{Type: "Enterprise", Key: plant, Origin: "x"}
	case "enterprise":
		r = &schema.Enterprise{
			Code: plant, Name: plant, Region: pick(someRegions...), MemIndustry: pick("machinery", "textile", ""), AccessState: pick("connected", "exempt"), DustWorkers: int32(n * 10),
			Dusts: []*schema.Dust{{Dust: pick("2", "17", "26")}, {Dust: pick("2", "17")}},
		}
	case "gateway":
		r = &schema.GatewayState{Gateway: plant + fmt.Sprint("G", n), Enterprise: plant, State: pick("online", "offline", "source_lost")}
	case "risk":
		r = &schema.RiskResult{Id: plant, Enterprise: plant, Time: now, Level: pick("red", "orange", "yellow", "blue"), PreviousLevel: pick("", "blue", "red"), IndexMilli: int64(n)}
	case "alarm":
		r = &schema.Alarm{
			Id: plant + fmt.Sprint("a", n), Enterprise: plant, Level: int32(1 + n%2), Onset: beginning - int64(n)*7*hourMs, Stage: pick("raised", "disposed", "closed", "false_alarm"), Overdue: n > 2,
		}
	default:
		r = &schema.Warning{Id: plant + fmt.Sprint("w", n), Enterprise: plant, Raised: beginning - int64(n)*7*hourMs, Stage: pick("raised", "closed"), Overdue: n > 2}
	}
	return store.Row{Type: schema.TypeOf(r), Key: schema.KeyOf(r), Origin: "x", Record: r}
}

func TestCountersEqualARecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := int64(beginning)
		w := emptyWorld(beginning)
		w.now = func() time.Time { return time.UnixMilli(now) }
		if rapid.Bool().Draw(t, "loaded") { // counted at the end of a load
			w.bulk = true
			for range 20 {
				w.apply(someRow(t, now))
			}
			w.bulk = false
			w.recount()
		}
		for range rapid.IntRange(1, 60).Draw(t, "rows") {
			now += rapid.Int64Range(0, 3*hourMs).Draw(t, "passes")
			w.apply(someRow(t, now))
		}
		w.prune()
		for _, region := range []string{"", "32", "3205", "320505", "11", "37"} {
			for _, industry := range []string{"", "machinery", "textile"} {
				equalToAWalk(t, w, areaKey{region, industry}, now)
			}
		}
	})
}

func equalToAWalk(t *rapid.T, w *world, k areaKey, now int64) {
	var list []*plantState
	mine := map[string]bool{}
	want := newArea()
	for _, p := range w.plants {
		if p.enterprise == nil || !strings.HasPrefix(p.enterprise.GetRegion(), k.region) || k.industry != "" && p.enterprise.GetMemIndustry() != k.industry {
			continue
		}
		list = append(list, p)
		mine[p.enterprise.GetCode()] = true
		want.enterprises++
		want.levels.plus(p.level(), 1)
		if p.enterprise.GetAccessState() == "connected" {
			want.connected++
		}
		if p.online() {
			want.online++
		}
	}
	got := w.look(k)
	alarms, warnings := w.walkAlarms(mine, now-(now+chinaOffset)%dayMs)
	gotAlarms, gotWarnings := got.alarms, got.warnings
	gotAlarms.Today, gotWarnings.Today = got.alarmsOn[dayOf(now)], got.warningsOn[dayOf(now)]
	if got.enterprises != want.enterprises || got.connected != want.connected || got.online != want.online || got.levels != want.levels || gotAlarms != alarms || gotWarnings != warnings {
		t.Fatalf("%v: %+v %+v %+v, a walk counts %+v %+v %+v", k, got, gotAlarms, gotWarnings, want, alarms, warnings)
	}
	if walked := walkTrend(list, now); !slices.Equal(walked, got.trend(now)) {
		t.Fatalf("%v: trend %v, a walk gives %v", k, got.trend(now), walked)
	}
	if walked := walkDusts(list); !reflect.DeepEqual(walked, got.dustRows()) {
		t.Fatalf("%v: dusts %v, a walk gives %v", k, got.dustRows(), walked)
	}
	if k.industry != "" {
		return
	}
	if walked := walkRanking(list); !reflect.DeepEqual(walked, got.rankRows()) {
		t.Fatalf("%v: ranking %v, a walk gives %v", k, got.rankRows(), walked)
	}
	if walked := walkRegions(list, k.region); !reflect.DeepEqual(walked, w.regionRows(k.region)) {
		t.Fatalf("%v: regions %+v, a walk gives %+v", k, w.regionRows(k.region), walked)
	}
}

// walkAlarms counts alarms and warnings of some plants.
func (w *world) walkAlarms(mine map[string]bool, midnight int64) (a AlarmCounts, n WarningCounts) {
	one := func(is bool, to *int) {
		if is {
			*to++
		}
	}
	for _, x := range w.alarms {
		if !mine[x.enterprise] {
			continue
		}
		one(x.time >= midnight, &a.Today)
		one(x.open, &a.Open)
		one(x.open && x.level == 1, &a.Level1)
		one(x.open && x.level == 2, &a.Level2)
		one(x.open && x.overdue, &a.Overdue)
	}
	for _, x := range w.warnings {
		if !mine[x.enterprise] {
			continue
		}
		one(x.time >= midnight, &n.Today)
		one(x.open, &n.Open)
		one(x.open && x.overdue, &n.Overdue)
	}
	return a, n
}

// walkRegions groups plants by the parts of the region: provinces of the country, cities of a province, counties of a city.
func walkRegions(list []*plantState, prefix string) []RegionRow {
	const step = 2
	digits := min(len(prefix)+step, 6)
	by := map[string]*RegionRow{}
	for _, p := range list {
		code := p.enterprise.GetRegion()
		if len(code) != 6 {
			continue
		}
		code = (code[:digits] + "000000")[:6]
		r := by[code]
		if r == nil {
			r = &RegionRow{Region: code, Name: schema.RegionName(code), Short: schema.CodeName("region", code)}
			by[code] = r
		}
		r.Enterprises++
		r.Levels.plus(p.level(), 1)
		r.AlarmsOpen += p.alarmsOpen
		r.AlarmsOverdue += p.alarmsOverdue
		r.WarningsOverdue += p.warningsOverdue
		if p.online() {
			r.Online++
		}
		r.WarningsOpen += p.warningsOpen
	}
	out := make([]RegionRow, 0, len(by))
	for _, r := range by {
		r.Worst = r.Levels.worst()
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b RegionRow) int { return cmp.Compare(a.Region, b.Region) })
	return out
}

// gravest are the first few plants in order; most plants of a country are compared with the last of them only.
func gravest(list []*plantState, n int) []*plantState {
	var top []*plantState
	for _, p := range list {
		if len(top) == n && graver(p, top[n-1]) >= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, p, graver)
		top = slices.Insert(top, at, p)
		top = top[:min(len(top), n)]
	}
	return top
}

func walkRanking(list []*plantState) []RankRow {
	top := gravest(list, rankingRows)
	out := make([]RankRow, 0, len(top))
	for _, p := range top {
		e := p.enterprise
		out = append(out, RankRow{
			Enterprise: e.GetCode(), Name: e.GetName(), Region: e.GetRegion(), RegionName: schema.RegionName(e.GetRegion()), Level: p.level(),
			IndexMilli: p.risk.GetIndexMilli(), AlarmsOpen: p.alarmsOpen, WarningsOpen: p.warningsOpen, Online: p.online(),
		})
	}
	return out
}

func walkDusts(list []*plantState) []DustRow {
	by := map[string]int{}
	for _, p := range list {
		dusts := p.enterprise.GetDusts()
		for i, d := range dusts {
			c, ok := schema.DustOf(d.GetDust())
			again := slices.ContainsFunc(dusts[:i], func(before *schema.Dust) bool {
				b, _ := schema.DustOf(before.GetDust())
				return b.Category == c.Category
			})
			if ok && !again {
				by[c.Category]++
			}
		}
	}
	out := make([]DustRow, 0, len(by))
	for c, n := range by {
		out = append(out, DustRow{Category: c, Name: schema.CodeName("dust_category", c), Count: n})
	}
	slices.SortFunc(out, func(a, b DustRow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Category, b.Category))
	})
	return out
}

func walkTrend(list []*plantState, now int64) []TrendPoint {
	out := make([]TrendPoint, 0, trendHours+1)
	hour := now - now%hourMs
	for i := trendHours - 1; i >= 0; i-- {
		out = append(out, TrendPoint{Time: hour - int64(i)*hourMs})
	}
	out = append(out, TrendPoint{Time: now})
	for _, p := range list {
		for i := range out {
			out[i].plus(p.levelWas(out[i].Time), 1)
		}
	}
	return out
}
