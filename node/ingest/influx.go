package ingest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"dusthub/schema"
)

// linesAnswered bounds how many bad lines an answer lists.
const linesAnswered = 50

// precisions are units of time a request may count in, as a factor to ms or a divisor of it.
var precisions = map[string]struct{ times, by int64 }{
	"": {1, 1e6}, "ns": {1, 1e6}, "n": {1, 1e6}, "us": {1, 1e3}, "u": {1, 1e3}, "ms": {1, 1}, "s": {1e3, 1},
}

// parseLines fills a batch from a body of line protocol. A line with the tag "metric" has its value in the field "value"; in any other line
// every field is named by a metric's code. Times finer than a millisecond are cut.
func (in *Intake) parseLines(b *Batch, r *http.Request, body []byte) error {
	precision, ok := precisions[r.URL.Query().Get("precision")]
	if !ok {
		return fmt.Errorf("%w: precision %q, wanted ns, us, ms or s", errForm, r.URL.Query().Get("precision"))
	}
	b.Where, b.Content = "line %d", body
	now := in.opt.Now().UnixMilli()
	var p point
	text := toValid(string(body))
	for number := 1; text != ""; {
		var line string
		before := len(text)
		at := number
		line, rest := nextLine(text)
		number += strings.Count(text[:before-len(rest)], "\n")
		text = rest
		if trimmed := strings.TrimLeft(line, " \t"); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if err := parseLine(line, &p); err != nil {
			b.bad(violation(b.Where, at, "", ruleForm, line, "line protocol: "+err.Error()))
			continue
		}
		stamp := now
		if p.timed {
			stamp = toMs(p.time, precision.times, precision.by)
		}
		b.point(&p, at, stamp)
	}
	return nil
}

// toMs converts a time to ms, downwards; what does not fit stays so far off that it is refused.
func toMs(t, times, by int64) int64 {
	if by > 1 {
		ms := t / by
		if t%by < 0 {
			ms--
		}
		return ms
	}
	if ms := t * times; ms/times == t {
		return ms
	}
	return -1
}

func (b *Batch) bad(v *schema.Violation) {
	b.Bad = append(b.Bad, v)
	b.BadCount++
}

// point takes the readings of one line over.
func (b *Batch) point(p *point, at int, stamp int64) {
	metric, tagged := p.tag("metric")
	for _, f := range p.fields {
		code := f.key
		if tagged {
			if code = metric; f.key != "value" {
				b.bad(violation(b.Where, at, f.key, ruleForm, f.key, `the field "value" alone, beside the tag "metric"`))
				continue
			}
		}
		if f.kind == kindString {
			b.bad(violation(b.Where, at, f.key, ruleType, strconv.Quote(f.text), "a number or boolean"))
			continue
		}
		b.Readings = append(b.Readings, Reading{Metric: code, Time: stamp, Value: f.number, At: at})
	}
}

// answerLine answers as InfluxDB does: 204, or 400 that lists the lines refused; the others are stored.
func answerLine(w http.ResponseWriter, _ *Batch, out Outcome) {
	if len(out.Refused) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	message := "partial write: " + strconv.Itoa(out.BadCount) + " refused, " + strconv.Itoa(out.Stored+out.Duplicates+out.Conflicts) + " stored: " + reasons(out.Refused)
	writeJSON(w, "application/json", http.StatusBadRequest, influxError{"invalid", message})
}

// reasons lists violations in one line of text.
func reasons(list []*schema.Violation) string {
	var b strings.Builder
	for i, v := range list {
		if i == linesAnswered {
			fmt.Fprintf(&b, "; and %d more", len(list)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", v.GetRecord(), v.GetRule())
		if v.GetField() != "" {
			fmt.Fprintf(&b, " of %s", v.GetField())
		}
		fmt.Fprintf(&b, ": got %q, wanted %s", v.GetGot(), v.GetWanted())
	}
	return b.String()
}

type influxError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// influxCodes are InfluxDB's words for faults.
var influxCodes = map[int]string{
	http.StatusBadRequest: "invalid", http.StatusUnauthorized: "unauthorized", http.StatusRequestEntityTooLarge: "request too large",
	http.StatusTooManyRequests: "too many requests", http.StatusServiceUnavailable: "unavailable", http.StatusUnsupportedMediaType: "unsupported media type",
}

func faultLine(w http.ResponseWriter, f *fault) {
	code, ok := influxCodes[f.status]
	if !ok {
		code = "internal error"
	}
	f.header(w)
	writeJSON(w, "application/json", f.status, influxError{code, f.detail})
}
