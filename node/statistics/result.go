package statistics

// Result are the figures of the alarms of a time (EEMUA 191, ISA-18.2). Shares are 0 to 1, times ms. What is counted are alarms that were
// announced; those under a shelf are listed in Suppressed alone.
type Result struct {
	From            int64             `json:"from"`
	To              int64             `json:"to" doc:"not included"`
	Alarms          int               `json:"alarms" doc:"announced: those under a shelf are in suppressed"`
	Positions       int               `json:"positions" doc:"operators' positions: connected plants, at least 1"`
	PerOperatorHour float64           `json:"per_operator_hour"`
	Peak            Peak              `json:"peak_10min" doc:"of one plant"`
	FloodShare      float64           `json:"flood_share" doc:"of the 10-minute windows of all plants, those with more than 10 alarms"`
	Floods          []Flood           `json:"floods,omitempty" doc:"gravest 50"`
	FloodCount      int               `json:"flood_count"`
	ByPriority      []PriorityCount   `json:"by_priority,omitempty"`
	ByKind          []KindCount       `json:"by_kind,omitempty"`
	ByMetric        []MetricCount     `json:"by_metric,omitempty" doc:"top 20 (Pareto)"`
	ByEnterprise    []EnterpriseCount `json:"by_enterprise,omitempty" doc:"top 20 (Pareto)"`
	ByHour          [24]int           `json:"by_hour" doc:"hours of the day, China time"`
	Chattering      []Nuisance        `json:"chattering,omitempty" doc:"raised three times within a minute, or told as frequent; worst 20"`
	ChatteringCount int               `json:"chattering_count"`
	Fleeting        []Nuisance        `json:"fleeting,omitempty" doc:"over before anybody can act; worst 20"`
	FleetingCount   int               `json:"fleeting_count"`
	Standing        []Standing        `json:"standing,omitempty" doc:"active for more than a day; longest 50"`
	StandingCount   int               `json:"standing_count"`
	Suppressed      Suppressed        `json:"suppressed"`
	Responses       Responses         `json:"responses"`
	Verdicts        []Verdict         `json:"verdicts,omitempty"`
	Actors          []Actor           `json:"actors,omitempty" doc:"steps taken in these alarms, by role"`
	Uncounted       int               `json:"uncounted,omitempty" doc:"alarms whose point was beyond those that are told apart: they are in every figure but by_metric, chattering and fleeting"`
}

// Peak is the window of ten minutes with most alarms.
type Peak struct {
	At         int64  `json:"at" doc:"beginning of the window"`
	Count      int    `json:"count"`
	Enterprise string `json:"enterprise,omitempty"`
	Name       string `json:"enterprise_name,omitempty"`
}

// Flood is a time of more alarms than an operator can work: from a window of more than ten until one of fewer than five.
type Flood struct {
	From       int64  `json:"from"`
	To         int64  `json:"to"`
	Count      int    `json:"count"`
	Peak       int    `json:"peak" doc:"most alarms in 10 min"`
	Enterprise string `json:"enterprise"`
	Name       string `json:"enterprise_name"`
}

// PriorityCount is how many alarms had a priority, and the share it should have.
type PriorityCount struct {
	Priority string  `json:"priority" table:"alarm_priority"`
	Count    int     `json:"count"`
	Share    float64 `json:"share"`
	Target   float64 `json:"target_share"`
}

// KindCount is how many alarms a kind of metric had; kind "" are those of gateways and plants.
type KindCount struct {
	Kind  string `json:"kind"`
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// MetricCount is a metric's part of the load.
type MetricCount struct {
	Metric         string  `json:"metric"`
	Name           string  `json:"name"`
	Enterprise     string  `json:"enterprise"`
	EnterpriseName string  `json:"enterprise_name"`
	Count          int     `json:"count"`
	Share          float64 `json:"share"`
	Cumulative     float64 `json:"cumulative"`
}

// EnterpriseCount is a plant's part of the load.
type EnterpriseCount struct {
	Enterprise string  `json:"enterprise"`
	Name       string  `json:"name"`
	Count      int     `json:"count"`
	Share      float64 `json:"share"`
	Cumulative float64 `json:"cumulative"`
}

// Nuisance is a point whose alarms come too often or are over too soon.
type Nuisance struct {
	Metric     string `json:"metric"`
	Name       string `json:"name"`
	Enterprise string `json:"enterprise"`
	Rule       string `json:"rule"`
	Count      int    `json:"count"`
	ShortestMs int64  `json:"shortest_ms" doc:"shortest time between two, or shortest alarm"`
}

// Standing is an alarm that has been active for more than a day.
type Standing struct {
	Alarm      string  `json:"alarm"`
	Metric     string  `json:"metric"`
	Name       string  `json:"name"`
	Enterprise string  `json:"enterprise"`
	Since      int64   `json:"since"`
	Hours      float64 `json:"hours"`
}

// Suppressed are alarms under shelves, by the shelf's kind.
type Suppressed struct {
	Shelved      int `json:"shelved" doc:"for maintenance"`
	OutOfService int `json:"out_of_service"`
	Design       int `json:"design"`
}

// Durations is a distribution of times, within 2.5 %.
type Durations struct {
	P50 int64 `json:"p50"`
	P90 int64 `json:"p90"`
	P99 int64 `json:"p99"`
	N   int   `json:"n"`
}

// Responses is how soon people answered, from raising.
type Responses struct {
	Acknowledge Durations `json:"ack_ms"`
	Dispose     Durations `json:"dispose_ms"`
	Close       Durations `json:"close_ms"`
	Overdue     int       `json:"overdue" doc:"overdue now"`
	Escalated   int       `json:"escalated"`
}

// Verdict holds a figure against its limit.
type Verdict struct {
	Code       string  `json:"code"`
	Name       string  `json:"name"`
	Value      float64 `json:"value"`
	Unit       string  `json:"unit"`
	Limit      float64 `json:"limit"`
	AtLeast    bool    `json:"at_least" doc:"the limit is the least, not the most"`
	OK         bool    `json:"ok"`
	Judged     bool    `json:"judged" doc:"false: too few alarms to say"`
	Source     string  `json:"source"`
	Confidence string  `json:"confidence"`
}

// Actor is how many steps people of a role took.
type Actor struct {
	Role  string `json:"role" doc:"table role; site: the site itself"`
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Series are alarms over time.
type Series struct {
	Step   string  `json:"step" enum:"hour,day"`
	Points []Point `json:"points,omitempty" doc:"steps without alarms are there, too"`
}

// Point is one step: alarms announced, those of high and critical priority, and 10-minute windows of a plant with more than ten.
type Point struct {
	At    int64 `json:"at"`
	Count int   `json:"count"`
	High  int   `json:"high"`
	Flood int   `json:"flood"`
}
