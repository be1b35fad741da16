package ingest

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"dusthub/schema"
	"dusthub/schema/frame"
)

// Reading is one value as a door understood it.
type Reading struct {
	Metric  string
	Time    int64 // ms
	Value   float64
	Quality uint8 // of schema/frame
	At      int   // where it stood in the request: an index or a line, as Batch.Where words it
}

// Batch is what one request of a gateway brings.
type Batch struct {
	Gateway    string
	Door       string // for metrics and quarantine
	Readings   []Reading
	Backfill   bool                // readings without a quality of their own are back-fill
	SourceLost bool                // the gateway lives, its link to the PLC does not
	Bad        []*schema.Violation // what the door could not read
	BadCount   int                 // how many readings that were
	Where      string              // form of a position, "samples[%d]" or "line %d"
	Content    []byte              // the request without secrets; an excerpt is kept in quarantine
	Patient    bool                // the sender can be kept waiting: rather wait than be refused for its rate
}

// Outcome says what became of a batch.
type Outcome struct {
	Stored     int // committed
	Duplicates int // were there already, identical; not known, and counted as stored, when other senders shared the frame
	Conflicts  int // were there with another value, which stays; the same holds
	Refused    []*schema.Violation
	BadCount   int // readings refused; each may have several reasons
}

// Rules a reading may break, as Violation.rule says it.
const (
	ruleUnknown  = "unknown_metric"
	ruleOwner    = "owner"
	ruleDisabled = "disabled"
	ruleFinite   = "finite"
	ruleTime     = "time"
	ruleOld      = "too_old"
	ruleQuality  = "quality"
	ruleForm     = "form"
	ruleType     = "type"
	ruleLimit    = "limit"
)

// earliest is the first time a reading may have: before it clocks are not set.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// judge judges readings at a moment; past are the ages in ms from which they are back-fill and too old.
type judge struct {
	now, live, late int64
}

// times says what is wrong with a reading's time, if anything.
func (j judge) times(t int64) (rule, wanted string) {
	switch {
	case t > j.now+schema.FutureMs:
		return ruleTime, "at most " + strconv.FormatInt(j.now+schema.FutureMs, 10) + " (5 min ahead)"
	case t < earliest:
		return ruleTime, "at least " + strconv.FormatInt(earliest, 10) + " (2000-01-01)"
	case t < j.now-j.late:
		return ruleOld, "at least " + strconv.FormatInt(j.now-j.late, 10)
	}
	return "", ""
}

// reading lists what is wrong with a reading apart from its metric.
func (j judge) reading(where string, r Reading, out []*schema.Violation) []*schema.Violation {
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		out = append(out, violation(where, r.At, "value", ruleFinite, fmt.Sprint(r.Value), "a finite number"))
	}
	if rule, wanted := j.times(r.Time); rule != "" {
		out = append(out, violation(where, r.At, "time", rule, strconv.FormatInt(r.Time, 10), wanted))
	}
	if r.Quality > frame.Backfill {
		out = append(out, violation(where, r.At, "quality", ruleQuality, strconv.Itoa(int(r.Quality)), "0 to 5"))
	}
	return out
}

// quality is the quality a good reading is stored with. One that the gateway gave stays.
func (j judge) quality(r Reading, m *Metric, backfill bool) uint8 {
	switch {
	case r.Quality != frame.Good:
		return r.Quality
	case m.Hi > m.Lo && (r.Value < m.Lo || r.Value > m.Hi):
		return frame.OverRange
	case backfill || r.Time < j.now-j.live:
		return frame.Backfill
	}
	return frame.Good
}

const gotBytes = 120 // how much of a bad value a violation quotes

func violation(where string, at int, field, rule, got, wanted string) *schema.Violation {
	if where == "" {
		where = "reading %d"
	}
	return &schema.Violation{Record: fmt.Sprintf(where, at), Field: field, Rule: rule, Got: clip(got), Wanted: wanted}
}

// clip shortens what is quoted, and makes it valid UTF-8 as protobuf strings must be.
func clip(s string) string {
	if len(s) > gotBytes {
		s = s[:gotBytes]
	}
	return toValid(s)
}
