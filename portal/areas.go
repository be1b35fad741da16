package portal

import (
	"cmp"
	"slices"

	"dusthub/schema"
)

// Counters of every region (the country, provinces, cities, counties) and of every industry in it, kept by what each plant
// adds to them: whatever changes a plant takes its part away before and puts it back after. An overview reads them and
// walks no plants.

// areaKey names a counter: a region by the beginning of its plants' codes (0, 2, 4 or 6 digits), and an industry (table
// mem_industry); "" is all of them.
type areaKey struct{ region, industry string }

// area counts the plants of a region, or of an industry in it.
type area struct {
	enterprises, connected, online int
	levels                         Levels
	levelsKnown                    Levels // by the history of levels, which the trend is made of
	alarms                         AlarmCounts
	warnings                       WarningCounts
	dust                           map[string]int    // by category
	moves                          map[int64]*Levels // by hour: how many came to a level, less those that left it
	alarmsOn, warningsOn           map[int64]int     // by day, China time
	ranked                         []standing        // gravest first; of regions
	industries                     map[string]int    // plants by industry; of regions
	parts                          map[string]int    // plants by part: the next two digits; of regions
}

const (
	regionDigits = 6
	partDigits   = 2
	movesKept    = 64 // hours; older ones are dropped when there are more
	daysKept     = 8
)

func newArea() *area {
	return &area{
		dust: map[string]int{}, moves: map[int64]*Levels{}, alarmsOn: map[int64]int{}, warningsOn: map[int64]int{}, industries: map[string]int{}, parts: map[string]int{},
	}
}

func (w *world) area(k areaKey) *area {
	a := w.areas[k]
	if a == nil {
		a = newArea()
		w.areas[k] = a
	}
	return a
}

// look is a counter, an empty one where nothing was counted.
func (w *world) look(k areaKey) *area {
	if a := w.areas[k]; a != nil {
		return a
	}
	return newArea()
}

// regionsOf are the regions a plant counts in.
func regionsOf(p *plantState) []string {
	code := p.enterprise.GetRegion()
	if len(code) != regionDigits {
		return []string{""}
	}
	return []string{"", code[:2], code[:4], code}
}

// change changes a plant and the counters with it. The caller holds mu.
func (w *world) change(code string, fn func(*plantState)) {
	p := w.plant(code)
	if w.bulk { // counted at the end
		fn(p)
		return
	}
	was, wasIn := standingOf(p)
	w.count(p, -1)
	fn(p)
	w.count(p, 1)
	w.index.keep(p)
	is, isIn := standingOf(p)
	if was.compare(is) == 0 && slices.Equal(wasIn, isIn) {
		return
	}
	for _, r := range wasIn {
		a := w.area(areaKey{r, ""})
		if i, found := slices.BinarySearchFunc(a.ranked, was, standing.compare); found {
			a.ranked = slices.Delete(a.ranked, i, i+1)
		}
	}
	for _, r := range isIn {
		a := w.area(areaKey{r, ""})
		i, _ := slices.BinarySearchFunc(a.ranked, is, standing.compare)
		a.ranked = slices.Insert(a.ranked, i, is)
	}
}

// standing is where a plant stands among others. It is kept beside the plant, which changes while lists are ordered by it.
type standing struct {
	rank    int
	index   int64
	workers int32
	code    string
	plant   *plantState
}

// standingOf is where a plant stands, and in which regions; in none as long as only parts of it are known.
func standingOf(p *plantState) (standing, []string) {
	if p.enterprise == nil {
		return standing{}, nil
	}
	return standing{levelRank(p), p.risk.GetIndexMilli(), p.enterprise.GetDustWorkers(), p.enterprise.GetCode(), p}, regionsOf(p)
}

func (s standing) compare(o standing) int {
	return cmp.Or(cmp.Compare(o.rank, s.rank), cmp.Compare(o.index, s.index), cmp.Compare(o.workers, s.workers), cmp.Compare(s.code, o.code))
}

// recount counts every plant anew.
func (w *world) recount() {
	w.areas = map[areaKey]*area{}
	for _, p := range w.plants {
		if p.enterprise == nil {
			continue
		}
		w.count(p, 1)
		w.index.keep(p)
		is, in := standingOf(p)
		for _, r := range in {
			a := w.area(areaKey{r, ""})
			a.ranked = append(a.ranked, is)
		}
	}
	for _, a := range w.areas {
		slices.SortFunc(a.ranked, standing.compare)
	}
}

// count adds a plant's part to the counters, or takes it away.
func (w *world) count(p *plantState, sign int) {
	if p.enterprise == nil {
		return
	}
	industry := p.enterprise.GetMemIndustry()
	for _, r := range regionsOf(p) {
		whole := w.area(areaKey{r, ""})
		whole.add(p, sign)
		whole.industries[industry] += sign
		if code := p.enterprise.GetRegion(); len(code) == regionDigits {
			whole.parts[code[:min(len(r)+partDigits, regionDigits)]] += sign
		}
		if industry != "" {
			w.area(areaKey{r, industry}).add(p, sign)
		}
	}
}

func (a *area) add(p *plantState, sign int) {
	one := func(is bool, to *int) {
		if is {
			*to += sign
		}
	}
	a.enterprises += sign
	one(p.enterprise.GetAccessState() == "connected", &a.connected)
	one(p.online(), &a.online)
	a.levels.plus(p.level(), sign)
	a.alarms.Open += sign * p.alarmsOpen
	a.alarms.Level1 += sign * p.alarmsLevel[1]
	a.alarms.Level2 += sign * p.alarmsLevel[2]
	a.alarms.Overdue += sign * p.alarmsOverdue
	a.warnings.Open += sign * p.warningsOpen
	a.warnings.Overdue += sign * p.warningsOverdue
	for _, c := range p.dusts {
		a.dust[c] += sign
	}
	for _, d := range p.alarmDays {
		a.alarmsOn[d.day] += sign * d.n
	}
	for _, d := range p.warningDays {
		a.warningsOn[d.day] += sign * d.n
	}
	last := ""
	for _, l := range p.levels {
		a.moved(l.time, last, l.level, sign)
		last = l.level
	}
	a.levelsKnown.plus(last, sign)
}

// moved notes that a plant's level changed. A change within an hour counts from its end on.
func (a *area) moved(at int64, from, to string, sign int) {
	hour := (at + hourMs - 1) / hourMs
	m := a.moves[hour]
	if m == nil {
		m = &Levels{}
		a.moves[hour] = m
	}
	m.plus(to, sign)
	m.plus(from, -sign)
}

// forget drops what is too old to be shown, so that a counter stays small.
func (a *area) forget(now int64) {
	if len(a.moves) > movesKept {
		for h := range a.moves {
			if h < now/hourMs-trendHours-1 {
				delete(a.moves, h)
			}
		}
	}
	for _, days := range []map[int64]int{a.alarmsOn, a.warningsOn} {
		if len(days) > daysKept {
			for d := range days {
				if d < dayOf(now)-1 {
					delete(days, d)
				}
			}
		}
	}
}

// dayOf numbers the days of China.
func dayOf(ms int64) int64 { return (ms + chinaOffset) / dayMs }

// dayCount is how many began on a day.
type dayCount struct {
	day int64
	n   int
}

// onDay counts one more; only the newest days are of interest.
func onDay(list []dayCount, at int64) []dayCount {
	day := dayOf(at)
	out := slices.Clone(list) // the old one may still be counted by
	if i := slices.IndexFunc(out, func(d dayCount) bool { return d.day == day }); i >= 0 {
		out[i].n++
		return out
	}
	out = append(out, dayCount{day, 1})
	slices.SortFunc(out, func(a, b dayCount) int { return cmp.Compare(a.day, b.day) })
	return out[max(0, len(out)-3):]
}

// plus adds plants at a level; at none, when they were never judged.
func (l *Levels) plus(level string, n int) {
	switch level {
	case schema.Red:
		l.Red += n
	case schema.Orange:
		l.Orange += n
	case schema.Yellow:
		l.Yellow += n
	case schema.Blue:
		l.Blue += n
	}
}

// trend is how many plants were at each level in the last day, hourly, and now.
func (a *area) trend(now int64) []TrendPoint {
	out := make([]TrendPoint, trendHours+1)
	out[trendHours] = TrendPoint{now, a.levelsKnown}
	at := a.levelsKnown
	hour := now / hourMs
	for h, m := range a.moves {
		if h > hour {
			at = at.less(m)
		}
	}
	for i := trendHours - 1; i >= 0; i-- {
		out[i] = TrendPoint{hour * hourMs, at}
		if m := a.moves[hour]; m != nil {
			at = at.less(m)
		}
		hour--
	}
	return out
}

func (l Levels) less(m *Levels) Levels {
	return Levels{l.Red - m.Red, l.Orange - m.Orange, l.Yellow - m.Yellow, l.Blue - m.Blue}
}

// regionRows are the parts of a region: provinces of the country, cities of a province, counties of a city.
func (w *world) regionRows(region string) []RegionRow {
	out := []RegionRow{}
	for part, n := range w.look(areaKey{region, ""}).parts {
		if n == 0 {
			continue
		}
		a, code := w.look(areaKey{part, ""}), (part + "000000")[:regionDigits]
		out = append(out, RegionRow{
			Region: code, Name: w.tables.RegionName(code), Short: w.tables.Name("region", code), Enterprises: a.enterprises, Online: a.online, Levels: a.levels, AlarmsOpen: a.alarms.Open,
			AlarmsOverdue: a.alarms.Overdue, WarningsOpen: a.warnings.Open, WarningsOverdue: a.warnings.Overdue, Worst: a.levels.worst(),
		})
	}
	slices.SortFunc(out, func(a, b RegionRow) int { return cmp.Compare(a.Region, b.Region) })
	return out
}

// industryRows are the industries of a region.
func (w *world) industryRows(region string) []IndustryRow {
	out := []IndustryRow{}
	for industry, n := range w.look(areaKey{region, ""}).industries {
		if n == 0 || industry == "" {
			continue
		}
		a := w.look(areaKey{region, industry})
		out = append(out, IndustryRow{
			Industry: industry, Name: w.tables.Name("mem_industry", industry), Enterprises: a.enterprises, Online: a.online, Levels: a.levels,
			AlarmsOpen: a.alarms.Open, AlarmsOverdue: a.alarms.Overdue, WarningsOpen: a.warnings.Open, WarningsOverdue: a.warnings.Overdue, Worst: a.levels.worst(),
		})
	}
	slices.SortFunc(out, func(a, b IndustryRow) int {
		return cmp.Or(cmp.Compare(b.Enterprises, a.Enterprises), cmp.Compare(a.Industry, b.Industry))
	})
	return out
}

func (a *area) dustRows() []DustRow {
	out := []DustRow{}
	for c, n := range a.dust {
		if n > 0 {
			out = append(out, DustRow{Category: c, Name: schema.CodeName("dust_category", c), Count: n})
		}
	}
	slices.SortFunc(out, func(a, b DustRow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Category, b.Category))
	})
	return out
}

// rankRows are the gravest plants.
func (a *area) rankRows() []RankRow {
	top := a.ranked[:min(rankingRows, len(a.ranked))]
	out := make([]RankRow, 0, len(top))
	for _, at := range top {
		p, e := at.plant, at.plant.enterprise
		out = append(out, RankRow{
			Enterprise: e.GetCode(), Name: e.GetName(), Region: e.GetRegion(), RegionName: schema.RegionName(e.GetRegion()), Level: p.level(),
			IndexMilli: p.risk.GetIndexMilli(), AlarmsOpen: p.alarmsOpen, WarningsOpen: p.warningsOpen, Online: p.online(),
		})
	}
	return out
}

// categoriesOf are the categories of a plant's dusts, each once.
func categoriesOf(e *schema.Enterprise) []string {
	var out []string
	for _, d := range e.GetDusts() {
		if c, ok := schema.DustOf(d.GetDust()); ok && !slices.Contains(out, c.Category) {
			out = append(out, c.Category)
		}
	}
	return out
}
