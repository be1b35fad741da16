package portal

import (
	"context"
	"strings"
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
	Short        string `json:"short" doc:"its name without those of the regions around it"`
	Enterprises  int    `json:"enterprises"`
	Levels       Levels `json:"levels"`
	AlarmsOpen   int    `json:"alarms_open"`
	WarningsOpen int    `json:"warnings_open"`
	Worst        string `json:"worst,omitempty" table:"level"`

	Online          int `json:"online"`
	AlarmsOverdue   int `json:"alarms_overdue"`
	WarningsOverdue int `json:"warnings_overdue"`
}

// IndustryRow is one industry in the region looked at.
type IndustryRow struct {
	Industry        string `json:"industry" doc:"table mem_industry"`
	Name            string `json:"name"`
	Enterprises     int    `json:"enterprises"`
	Online          int    `json:"online"`
	Levels          Levels `json:"levels"`
	AlarmsOpen      int    `json:"alarms_open"`
	AlarmsOverdue   int    `json:"alarms_overdue"`
	WarningsOpen    int    `json:"warnings_open"`
	WarningsOverdue int    `json:"warnings_overdue"`
	Worst           string `json:"worst,omitempty" table:"level"`
}

// RankRow is one of the gravest plants.
type RankRow struct {
	Enterprise   string `json:"enterprise"`
	Name         string `json:"name"`
	Region       string `json:"region"`
	RegionName   string `json:"region_name"`
	Level        string `json:"level,omitempty" table:"level"`
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

// RegionStep is a region on the way from all a viewer may see down to one.
type RegionStep struct {
	Region string `json:"region" doc:"GB/T 2260"`
	Name   string `json:"name" doc:"without those of the regions around it"`
}

// pathOf are the regions below a viewer's area down to a region, both given by the beginnings of their codes.
func (w *world) pathOf(area, region string) []RegionStep {
	out := []RegionStep{}
	for n := len(area) + partDigits; n <= len(region); n += partDigits {
		code := (region[:n] + "000000")[:regionDigits]
		out = append(out, RegionStep{code, w.tables.Name("region", code)})
	}
	return out
}

// Overview is the situation of a region.
type Overview struct {
	Time         int64         `json:"time"`
	Region       string        `json:"region,omitempty"`
	Path         []RegionStep  `json:"path" doc:"from all the viewer may see down to the region; empty at its top"`
	Enterprises  int           `json:"enterprises"`
	Connected    int           `json:"connected" doc:"connected to the system at all"`
	Online       int           `json:"online"`
	Levels       Levels        `json:"levels"`
	Alarms       AlarmCounts   `json:"alarms"`
	Warnings     WarningCounts `json:"warnings"`
	Regions      []RegionRow   `json:"regions,omitempty"`
	Industries   []IndustryRow `json:"by_industry,omitempty" doc:"most plants first"`
	Ranking      []RankRow     `json:"ranking,omitempty" doc:"the gravest 20"`
	Dust         []DustRow     `json:"dust,omitempty"`
	Trend        []TrendPoint  `json:"trend,omitempty" doc:"the last day, hourly, and now"`
	LatestAlarms []*AlarmView  `json:"latest_alarms,omitempty" doc:"20"`
}

const (
	overviewFor   = time.Second
	overviewsKept = 4096
	rankingRows   = 20
	latestAlarms  = 20
	trendHours    = 24
	hourMs        = int64(time.Hour / time.Millisecond)
)

type overviewInput struct {
	Region string `query:"region" maxLength:"6" doc:"GB/T 2260; empty is all the viewer may see"`
}

// overview is shared between all who look at the same region of the same area.
func (s *Server) overview(ctx context.Context, v *viewer, in *overviewInput) (*Overview, error) {
	return s.overviews.get(ctx, [2]string{v.area(), regionPrefix(in.Region)}, func(ctx context.Context) (*Overview, error) { return s.computeOverview(ctx, v, in.Region) })
}

func (s *Server) computeOverview(ctx context.Context, v *viewer, region string) (*Overview, error) {
	now := s.nowMs()
	out := &Overview{Time: now, Region: region, Regions: []RegionRow{}, Industries: []IndustryRow{}, Ranking: []RankRow{}, Dust: []DustRow{}, LatestAlarms: []*AlarmView{}}
	mine, sees := v.within(region)
	s.world.view(func() {
		out.Path = s.world.pathOf(v.area(), mine)
		a := newArea()
		if sees {
			a = s.world.look(areaKey{mine, ""})
			out.Regions, out.Industries = s.world.regionRows(mine), s.world.industryRows(mine)
		}
		out.Enterprises, out.Connected, out.Online, out.Levels, out.Alarms, out.Warnings = a.enterprises, a.connected, a.online, a.levels, a.alarms, a.warnings
		out.Alarms.Today, out.Warnings.Today = a.alarmsOn[dayOf(now)], a.warningsOn[dayOf(now)]
		out.Ranking, out.Dust, out.Trend = a.rankRows(), a.dustRows(), a.trend(now)
	})
	if !sees {
		return out, nil
	}
	rows, _, err := s.list(ctx, newest{
		queries: []store.Query{{Type: "Alarm", Index: "onset"}}, time: alarmOnset, limit: latestAlarms, recent: &recentKey{typeAlarm, mine, false},
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
