package portal

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

// Levels counts plants by risk level.
type Levels struct {
	Red    int `json:"red"`
	Orange int `json:"orange"`
	Yellow int `json:"yellow"`
	Blue   int `json:"blue"`
}

func (l *Levels) add(level string) {
	switch level {
	case schema.Red:
		l.Red++
	case schema.Orange:
		l.Orange++
	case schema.Yellow:
		l.Yellow++
	case schema.Blue:
		l.Blue++
	}
}

// worst is the gravest level there is; empty when there is none.
func (l *Levels) worst() string {
	switch {
	case l.Red > 0:
		return schema.Red
	case l.Orange > 0:
		return schema.Orange
	case l.Yellow > 0:
		return schema.Yellow
	case l.Blue > 0:
		return schema.Blue
	}
	return ""
}

// AlarmCounts counts alarms.
type AlarmCounts struct {
	Open    int `json:"open"`
	Level1  int `json:"level1"`
	Level2  int `json:"level2"`
	Overdue int `json:"overdue"`
	Today   int `json:"today" doc:"with onset since midnight, China time"`
}

// WarningCounts counts risk warnings.
type WarningCounts struct {
	Open    int `json:"open"`
	Overdue int `json:"overdue"`
	Today   int `json:"today"`
}

// RegionRow is one part of the region looked at.
type RegionRow struct {
	Region       string `json:"region"`
	Name         string `json:"name"`
	Enterprises  int    `json:"enterprises"`
	Levels       Levels `json:"levels"`
	AlarmsOpen   int    `json:"alarms_open"`
	WarningsOpen int    `json:"warnings_open"`
	Worst        string `json:"worst,omitempty"`
}

// RankRow is one of the gravest plants.
type RankRow struct {
	Enterprise   string `json:"enterprise"`
	Name         string `json:"name"`
	Region       string `json:"region"`
	RegionName   string `json:"region_name"`
	Level        string `json:"level,omitempty"`
	IndexMilli   int64  `json:"index_milli"`
	AlarmsOpen   int    `json:"alarms_open"`
	WarningsOpen int    `json:"warnings_open"`
	Online       bool   `json:"online"`
}

// DustRow counts plants by dust category.
type DustRow struct {
	Category string `json:"category"`
	Name     string `json:"name"`
	Count    int    `json:"count"`
}

// TrendPoint is how many plants were at each level at a time.
type TrendPoint struct {
	Time int64 `json:"time"`
	Levels
}

// Overview is the situation of a region.
type Overview struct {
	Time         int64         `json:"time"`
	Region       string        `json:"region,omitempty"`
	Enterprises  int           `json:"enterprises"`
	Connected    int           `json:"connected" doc:"connected to the system at all"`
	Online       int           `json:"online"`
	Levels       Levels        `json:"levels"`
	Alarms       AlarmCounts   `json:"alarms"`
	Warnings     WarningCounts `json:"warnings"`
	Regions      []RegionRow   `json:"regions"`
	Ranking      []RankRow     `json:"ranking" doc:"the gravest 20"`
	Dust         []DustRow     `json:"dust"`
	Trend        []TrendPoint  `json:"trend" doc:"the last day, hourly, and now"`
	LatestAlarms []*AlarmView  `json:"latest_alarms" doc:"20"`
}

const (
	overviewFor   = time.Second
	overviewsKept = 4096
	rankingRows   = 20
	latestAlarms  = 20
	trendHours    = 24
	hourMs        = int64(time.Hour / time.Millisecond)
)

// overviewCache shares an overview between all who look at the same region of the same area within a second.
type overviewCache struct {
	mu sync.Mutex
	by map[[2]string]*cachedOverview
}

type cachedOverview struct {
	mu   sync.Mutex // held while it is computed: the others wait and share
	at   time.Time
	view *Overview
}

func newOverviewCache() *overviewCache {
	return &overviewCache{by: map[[2]string]*cachedOverview{}}
}

func (c *overviewCache) entry(key [2]string) *cachedOverview {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[key]
	if e == nil {
		if len(c.by) >= overviewsKept {
			clear(c.by)
		}
		e = &cachedOverview{}
		c.by[key] = e
	}
	return e
}

type overviewInput struct {
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
}

func (s *Server) overview(ctx context.Context, v *viewer, in *overviewInput) (*Overview, error) {
	e := s.overviews.entry([2]string{v.area(), regionPrefix(in.Region)})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.view != nil && s.opt.Now().Sub(e.at) < overviewFor {
		return e.view, nil
	}
	view, err := s.computeOverview(ctx, v, in.Region)
	if err != nil {
		return nil, err
	}
	e.at, e.view = s.opt.Now(), view
	return view, nil
}

func (s *Server) computeOverview(ctx context.Context, v *viewer, region string) (*Overview, error) {
	now := s.nowMs()
	out := &Overview{Time: now, Region: region, Regions: []RegionRow{}, Ranking: []RankRow{}, Dust: []DustRow{}, LatestAlarms: []*AlarmView{}}
	midnight := now - (now+chinaOffset)%dayMs
	s.world.view(func() {
		list := s.within(v, region)
		out.Enterprises = len(list)
		mine := map[string]bool{}
		for _, p := range list {
			mine[p.enterprise.GetCode()] = true
			out.Levels.add(p.level())
			if p.enterprise.GetAccessState() == "connected" {
				out.Connected++
			}
			if p.online() {
				out.Online++
			}
		}
		out.Regions = regionRows(list, longer(v.area(), regionPrefix(region)))
		out.Ranking = ranking(list)
		out.Dust = dustRows(list)
		out.Trend = trend(list, now)
		out.Alarms, out.Warnings = s.world.count(mine, midnight)
	})
	rows, _, err := s.list(ctx, newest{
		queries: []store.Query{{Type: "Alarm", Index: "onset"}}, time: alarmOnset, limit: latestAlarms,
		keep: func(r store.Row) bool {
			enterprise := r.Record.(*schema.Alarm).GetEnterprise()
			at, _ := s.world.regionOf(enterprise)
			return s.sees(v, enterprise) && strings.HasPrefix(at, regionPrefix(region))
		},
	})
	for _, r := range rows {
		out.LatestAlarms = append(out.LatestAlarms, s.alarmView(r))
	}
	return out, err
}

func longer(a, b string) string {
	if len(a) > len(b) {
		return a
	}
	return b
}

// count counts alarms and warnings of some plants. The caller holds mu.
func (w *world) count(mine map[string]bool, midnight int64) (a AlarmCounts, n WarningCounts) {
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

// regionRows groups plants by the parts of the region: provinces of the country, cities of a province, counties of a city.
func regionRows(list []*plantState, prefix string) []RegionRow {
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
			r = &RegionRow{Region: code, Name: schema.RegionName(code)}
			by[code] = r
		}
		r.Enterprises++
		r.Levels.add(p.level())
		r.AlarmsOpen += p.alarmsOpen
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

func ranking(list []*plantState) []RankRow {
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

func dustRows(list []*plantState) []DustRow {
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

func trend(list []*plantState, now int64) []TrendPoint {
	out := make([]TrendPoint, 0, trendHours+1)
	hour := now - now%hourMs
	for i := trendHours - 1; i >= 0; i-- {
		out = append(out, TrendPoint{Time: hour - int64(i)*hourMs})
	}
	out = append(out, TrendPoint{Time: now})
	for _, p := range list {
		for i := range out {
			out[i].add(p.levelWas(out[i].Time))
		}
	}
	return out
}
