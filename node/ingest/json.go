package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"dusthub/schema"
)

// errForm says that a request as a whole cannot be read.
var errForm = errors.New("ingest: malformed request")

// jsonReading is one reading of the JSON doors. The time is in ms, or RFC 3339 text.
type jsonReading struct {
	Metric  string      `json:"metric"`
	Time    jsonTime    `json:"time"`
	Value   jsonNumber  `json:"value"`
	Quality jsonQuality `json:"quality"`
}

type jsonNumber struct {
	v   float64
	set bool
}

func (n *jsonNumber) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return errType
	}
	n.v, n.set = v, true
	return nil
}

type jsonTime struct {
	ms  int64
	set bool
}

func (t *jsonTime) UnmarshalJSON(b []byte) error {
	if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		t.ms, t.set = ms, true
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errType
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errType
	}
	t.ms, t.set = at.UnixMilli(), true
	return nil
}

type jsonQuality uint8

func (q *jsonQuality) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(string(b), 10, 8)
	if err != nil {
		return errType
	}
	*q = jsonQuality(v)
	return nil
}

var errType = errors.New("wrong type")

// jsonSamples is the body in its object form: a list of readings, empty for a heartbeat, or "source_lost" alone.
type jsonSamples struct {
	Samples    []jsonReading `json:"samples"`
	SourceLost bool          `json:"source_lost"`
	Backfill   bool          `json:"backfill"`
}

// parseJSON fills a batch from a JSON body. Readings that cannot be read become violations; only what is no JSON of the
// right form at all is an error, errForm.
func parseJSON(b *Batch, body []byte) error {
	b.Where, b.Content = "samples[%d]", body
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 {
		return fmt.Errorf("%w: empty", errForm)
	}
	var whole jsonSamples
	var err error
	switch body[0] {
	case '[':
		err = json.Unmarshal(body, &whole.Samples)
	default:
		err = json.Unmarshal(body, &whole)
	}
	b.SourceLost, b.Backfill = whole.SourceLost, whole.Backfill
	if err != nil || whole.Samples == nil {
		return parseJSONSlowly(b, body)
	}
	b.Readings = make([]Reading, 0, len(whole.Samples))
	for i := range whole.Samples {
		b.json(i, &whole.Samples[i])
	}
	return nil
}

// json takes one reading over, or says what it lacks.
func (b *Batch) json(i int, r *jsonReading) {
	before := len(b.Bad)
	if r.Metric == "" {
		b.Bad = append(b.Bad, violation(b.Where, i, "metric", ruleType, "", "the code of a metric"))
	}
	if !r.Time.set {
		b.Bad = append(b.Bad, violation(b.Where, i, "time", ruleType, "", "milliseconds since 1970, or RFC 3339"))
	}
	if !r.Value.set {
		b.Bad = append(b.Bad, violation(b.Where, i, "value", ruleType, "", "a number"))
	}
	if len(b.Bad) > before {
		b.BadCount++
		return
	}
	b.Readings = append(b.Readings, Reading{Metric: r.Metric, Time: r.Time.ms, Value: r.Value.v, Quality: uint8(r.Quality), At: i})
}

// parseJSONSlowly reads reading by reading, so that one bad field costs one reading.
func parseJSONSlowly(b *Batch, body []byte) error {
	var list []json.RawMessage
	if body[0] == '[' {
		if err := json.Unmarshal(body, &list); err != nil {
			return fmt.Errorf("%w: %w", errForm, err)
		}
	} else {
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(body, &whole); err != nil {
			return fmt.Errorf("%w: %w", errForm, err)
		}
		if err := b.flags(whole); err != nil {
			return err
		}
		samples, many := whole["samples"]
		_, heartbeat := whole["source_lost"]
		if many {
			if err := json.Unmarshal(samples, &list); err != nil {
				return fmt.Errorf("%w: samples: %w", errForm, err)
			}
		} else if !heartbeat || len(whole) > 1 {
			list = []json.RawMessage{body}
		}
	}
	for i, raw := range list {
		b.jsonFields(i, raw)
	}
	return nil
}

func (b *Batch) flags(whole map[string]json.RawMessage) error {
	for name, to := range map[string]*bool{"source_lost": &b.SourceLost, "backfill": &b.Backfill} {
		if raw, ok := whole[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return fmt.Errorf("%w: %s: %w", errForm, name, err)
			}
		}
	}
	return nil
}

// jsonFields reads one reading field by field and names each that has the wrong type.
func (b *Batch) jsonFields(i int, raw json.RawMessage) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		b.Bad = append(b.Bad, violation(b.Where, i, "", ruleType, string(raw), "an object with metric, time, value"))
		b.BadCount++
		return
	}
	var r jsonReading
	var bad []*schema.Violation
	for _, f := range []struct {
		name, wanted string
		to           any
		required     bool
	}{
		{"metric", "the code of a metric", &r.Metric, true},
		{"time", "milliseconds since 1970, or RFC 3339", &r.Time, true},
		{"value", "a number", &r.Value, true},
		{"quality", "0 to 5", &r.Quality, false},
	} {
		value, ok := fields[f.name]
		if !ok && !f.required {
			continue
		}
		if !ok || json.Unmarshal(value, f.to) != nil || bytes.Equal(value, []byte("null")) {
			bad = append(bad, violation(b.Where, i, f.name, ruleType, string(value), f.wanted))
		}
	}
	if len(bad) > 0 {
		b.Bad = append(b.Bad, bad...)
		b.BadCount++
		return
	}
	b.json(i, &r)
}
