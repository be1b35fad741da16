package report

import (
	"encoding/json"
	"fmt"

	"dusthub/node/statistics"
	"dusthub/schema"
)

// Figures is what a report says. Times are ms, shares 0 to 1. It is kept as JSON: fields may be added, none may change its meaning.
type Figures struct {
	Version    int    `json:"version"`
	SiteName   string `json:"site_name"`
	RegionName string `json:"region_name" doc:"empty: the whole country"`

	Now    *Standing `json:"now,omitempty" doc:"at the last sample of the period; absent: the site took none"`
	Before *Standing `json:"before,omitempty" doc:"at the last sample of the period before"`
	Days   []Day     `json:"days"`
	Parts  []Part    `json:"parts"`

	Alarms   Alarms   `json:"alarms"`
	Warnings Warnings `json:"warnings"`
	Hazards  Hazards  `json:"hazards"`
	Checks   Checks   `json:"spot_checks"`
	Cleaning Cleaning `json:"cleaning"`
	Rules    []Rule   `json:"rules" doc:"of base data, most records first; as of when the report was made"`
}

const figuresVersion = 1

// Standing is how a region stood at a moment.
type Standing struct {
	Plants           int   `json:"plants"`
	Due              int   `json:"due"`
	Connected        int   `json:"connected"`
	Online           int   `json:"online"`
	SystemsDue       int   `json:"systems_due"`
	SystemsConnected int   `json:"systems_connected"`
	SystemsOnline    int   `json:"systems_online"`
	Red              int   `json:"red"`
	Orange           int   `json:"orange"`
	Yellow           int   `json:"yellow"`
	Blue             int   `json:"blue"`
	Asked            int64 `json:"asked" doc:"fields, required and recommended"`
	Filled           int64 `json:"filled"`
	Records          int64 `json:"records"`
	Wrong            int64 `json:"wrong"`
}

func standingOf(s *schema.Standing) *Standing {
	if s == nil {
		return nil
	}
	return &Standing{
		Plants: int(s.GetPlants()), Due: int(s.GetPlantsDue()), Connected: int(s.GetPlantsConnected()), Online: int(s.GetPlantsOnline()),
		SystemsDue: int(s.GetSystemsDue()), SystemsConnected: int(s.GetSystemsConnected()), SystemsOnline: int(s.GetSystemsOnline()),
		Red: int(s.GetRed()), Orange: int(s.GetOrange()), Yellow: int(s.GetYellow()), Blue: int(s.GetBlue()),
		Asked: s.GetRequiredAsked() + s.GetRecommendedAsked(), Filled: s.GetRequiredFilled() + s.GetRecommendedFilled(), Records: s.GetRecords(), Wrong: s.GetRecordsWrong(),
	}
}

// Day is one day of the period. Rates are absent (nil) when nothing is known.
type Day struct {
	Day       int64     `json:"day"`
	Standing  *Standing `json:"standing,omitempty" doc:"at its last sample"`
	Online    *float64  `json:"online,omitempty" doc:"plants heard of those connected, mean of the day"`
	Systems   *float64  `json:"systems,omitempty" doc:"dust systems likewise"`
	Received  *float64  `json:"received,omitempty" doc:"samples of those due"`
	Gaps      int64     `json:"gaps"`
	OverRange int64     `json:"over_range"`
	Stuck     int64     `json:"stuck"`
	Frequent  int64     `json:"frequent"`
	Series    int64     `json:"series"`
	Alarms    int       `json:"alarms"`
	Grave     int       `json:"grave" doc:"of the alarms, those of level 2"`
	Warnings  int       `json:"warnings"`
}

// Part is one part of the region.
type Part struct {
	Region   string    `json:"region"`
	Name     string    `json:"name"`
	Standing *Standing `json:"standing,omitempty"`
	Alarms   int       `json:"alarms"`
	Overdue  int       `json:"overdue"`
	Warnings int       `json:"warnings"`
}

// Alarms of the period, by onset; those under a shelf are counted apart.
type Alarms struct {
	Count      int                    `json:"count"`
	Before     int                    `json:"before" doc:"in the period before"`
	Grave      int                    `json:"grave"`
	Closed     int                    `json:"closed"`
	Overdue    int                    `json:"overdue"`
	Escalated  int                    `json:"escalated"`
	Suppressed int                    `json:"suppressed"`
	Respond    statistics.Durations   `json:"ack_ms"`
	Dispose    statistics.Durations   `json:"dispose_ms"`
	Close      statistics.Durations   `json:"close_ms"`
	ByKind     []statistics.KindCount `json:"by_kind"`
	ByMetric   []NamedCount           `json:"by_metric" doc:"ten"`
	ByPlant    []NamedCount           `json:"by_plant" doc:"ten"`
}

// NamedCount is what has a name, and its part of the whole.
type NamedCount struct {
	Key        string  `json:"key"`
	Name       string  `json:"name"`
	Of         string  `json:"of,omitempty"`
	Count      int     `json:"count"`
	Share      float64 `json:"share"`
	Cumulative float64 `json:"cumulative"`
}

// Warnings raised in the period.
type Warnings struct {
	Count   int   `json:"count"`
	Before  int   `json:"before"`
	Red     int   `json:"red"`
	Orange  int   `json:"orange"`
	Yellow  int   `json:"yellow"`
	Closed  int   `json:"closed"`
	Overdue int   `json:"overdue"`
	Median  int64 `json:"median_close_ms" doc:"from raised to closed"`
}

// Hazards are major hidden dangers.
type Hazards struct {
	Found   int `json:"found" doc:"in the period"`
	Closed  int `json:"closed" doc:"in the period"`
	Open    int `json:"open" doc:"when the report was made"`
	Overdue int `json:"overdue"`
}

// Checks are spot checks issued in the period, as they stood when the report was made.
type Checks struct {
	Issued   int `json:"issued"`
	Answered int `json:"answered" doc:"at least once"`
	Ordered  int `json:"ordered" doc:"told to rectify"`
	Closed   int `json:"closed"`
	Findings int `json:"findings"`
	Grave    int `json:"grave"`
}

// Cleaning is how plans were kept: a slot is one shift, day, week or month of a plan that lies wholly in the period.
type Cleaning struct {
	Plants  int          `json:"plants" doc:"with a plan"`
	Slots   int          `json:"slots"`
	Done    int          `json:"done"`
	Records int          `json:"records" doc:"check-ins"`
	Missed  []NamedCount `json:"missed" doc:"plants that missed most; ten"`
}

// Rule is one rule of base data and what does not conform to it.
type Rule struct {
	ID      string `json:"id"`
	Text    string `json:"text"`
	Plants  int    `json:"plants"`
	Records int    `json:"records"`
}

// Read reads the figures of a report.
func Read(r *schema.Report) (*Figures, error) {
	f := &Figures{}
	if err := json.Unmarshal(r.GetFigures(), f); err != nil {
		return nil, fmt.Errorf("figures of report %s: %w", r.GetId(), err)
	}
	return f, nil
}
