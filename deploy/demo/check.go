package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	checkWithin  = 150 * time.Second // watching the loop
	settleWithin = 25 * time.Second  // until what was sent has arrived everywhere
	spotCheckAt  = 0                 // index of the plant that is spot-checked
)

// Report is what a check saw. Counts come from the sites' public API.
type Report struct {
	ReadingsSent            uint64   `json:"readings_sent"`
	ReadingsProvince        uint64   `json:"readings_province"`
	ReadingsMinistry        uint64   `json:"readings_ministry"`
	Lost                    uint64   `json:"lost"`
	Doubled                 uint64   `json:"doubled"`
	Alarms                  int      `json:"alarms"`
	AlarmsClosed            int      `json:"alarms_closed"`
	Warnings                int      `json:"warnings"`
	WarningsClosed          int      `json:"warnings_closed"`
	SpotChecksAnswered      int      `json:"spot_checks_answered"`
	AlarmSecondsP99Province float64  `json:"alarm_seconds_p99_province"`
	AlarmSecondsP99Ministry float64  `json:"alarm_seconds_p99_ministry"`
	LedgersVerified         bool     `json:"ledgers_verified"`
	Missing                 []string `json:"missing,omitempty"`
}

type counts struct{ sent, refused, lost, pending uint64 }

func (c *counts) add(d counts) {
	c.sent += d.sent
	c.refused += d.refused
	c.lost += d.lost
}

type originCounts struct {
	Origin         string `json:"origin"`
	Samples        uint64 `json:"samples"`
	Alarms         int    `json:"alarms"`
	AlarmsClosed   int    `json:"alarms_closed"`
	Warnings       int    `json:"warnings"`
	WarningsClosed int    `json:"warnings_closed"`
	Answers        int    `json:"answers"`
}

// check watches until the loop was seen, stops the plants, waits until everything has arrived, and reports.
func (r *run) check(ctx context.Context, stopPlants context.CancelFunc, group *sync.WaitGroup) error {
	ministry := newSession(r.sites[0].regulator(), regulatorLogin(r.sites[0]), Password)
	plant := r.plants[spotCheckAt]
	body := object{"enterprise": plant.Code, "title": "除尘系统运行与清扫抽查", "text": "请反馈除尘器运行状态和当班清扫情况", "due": time.Now().Add(time.Hour).UnixMilli()}
	if err := ministry.post(ctx, "/api/v1/spot-checks", body, nil); err != nil {
		return fmt.Errorf("issue a spot check: %w", err)
	}
	r.say("watching the loop ...")
	missing := r.watch(ctx, ministry)
	r.say("stopping the plants, waiting until everything has arrived ...")
	stopPlants()
	group.Wait()
	report, err := r.settle(ctx, ministry)
	if err != nil {
		return err
	}
	report.Missing = append(report.Missing, missing...)
	r.judge(report)
	line, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := r.stop(); err != nil {
		return err
	}
	fmt.Fprintln(r.opt.Out, string(line))
	if len(report.Missing) > 0 {
		return fmt.Errorf("the loop was not seen whole: %s", strings.Join(report.Missing, "; "))
	}
	return nil
}

// watch polls the ministry's API until each step of the loop has been seen there, or time is up; it names the steps not seen.
func (r *run) watch(ctx context.Context, ministry *session) []string {
	deadline := time.Now().Add(checkWithin)
	var missing []string
	for time.Now().Before(deadline) && ctx.Err() == nil {
		missing = r.steps(ctx, ministry)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return missing
}

// steps names the steps of the loop that the ministry has not seen yet, by province.
func (r *run) steps(ctx context.Context, ministry *session) []string {
	var missing []string
	list, err := originsOf(ctx, ministry)
	if err != nil {
		return []string{err.Error()}
	}
	for _, s := range r.sites[1:] {
		o := list[s.ID]
		for _, step := range []struct {
			name string
			seen bool
		}{
			{"readings", o.Samples > 0}, {"an alarm", o.Alarms > 0}, {"a closed alarm", o.AlarmsClosed > 0},
			{"a warning", o.Warnings > 0}, {"a closed warning", o.WarningsClosed > 0}, {"a spot check's answer", o.Answers > 0 || s.ID != r.plants[spotCheckAt].Site},
		} {
			if !step.seen {
				missing = append(missing, s.ID+": "+step.name)
			}
		}
	}
	return missing
}

func originsOf(ctx context.Context, at *session) (map[string]originCounts, error) {
	var answer struct {
		Origins []originCounts `json:"origins"`
	}
	if err := at.get(ctx, "/api/v1/counts", &answer); err != nil {
		return nil, err
	}
	out := map[string]originCounts{}
	for _, o := range answer.Origins {
		out[o.Origin] = o
	}
	return out, nil
}

// settle waits until gateways have sent all and the ministry has what the provinces have, then compares reading by reading.
func (r *run) settle(ctx context.Context, ministry *session) (*Report, error) {
	report := &Report{}
	deadline := time.Now().Add(settleWithin)
	var total counts
	for {
		total = r.sent(ctx)
		var err error
		report.ReadingsProvince, report.ReadingsMinistry = 0, 0
		above, aboveErr := originsOf(ctx, ministry)
		for _, s := range r.sites[1:] {
			below, e := originsOf(ctx, r.duty(s))
			err = errors.Join(err, e, aboveErr)
			report.ReadingsProvince += below[s.ID].Samples
			report.ReadingsMinistry += above[s.ID].Samples
		}
		if err != nil {
			return nil, err
		}
		settled := total.pending == 0 && report.ReadingsMinistry == report.ReadingsProvince && report.ReadingsProvince == total.sent
		if settled || time.Now().After(deadline) || ctx.Err() != nil {
			break
		}
		time.Sleep(readyPoll)
	}
	report.ReadingsSent = total.sent + total.lost
	if err := r.compare(ctx, ministry, report); err != nil {
		return nil, err
	}
	return report, r.facts(ctx, ministry, report)
}

func (r *run) duty(s *site) *session {
	for _, c := range r.crews {
		if c.site == s {
			return c.duty
		}
	}
	return nil
}

// sent adds up what gateways and clients say they sent and had confirmed; it pauses the gateways' polling by stopping their PLCs first.
func (r *run) sent(ctx context.Context) counts {
	for _, p := range r.plcs {
		if err := p.Stop(); err != nil {
			r.log.Debug("stop PLC", "err", err)
		}
	}
	var total counts
	for _, c := range r.clients {
		sent, lost := c.Sent()
		total.add(counts{sent: sent, lost: lost})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gateways {
		total.add(g.before)
		if g.process == nil {
			continue
		}
		c, err := gatewayCounts(ctx, g.ops)
		if err != nil {
			r.log.Warn("ask gateway", "gateway", g.name, "err", err)
			total.pending++
			continue
		}
		total.add(c)
		total.pending += c.pending
	}
	return total
}

// gatewayCounts reads an edge gateway's metrics.
func gatewayCounts(ctx context.Context, ops string) (counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/metrics", nil)
	if err != nil {
		return counts{}, fmt.Errorf("request: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return counts{}, fmt.Errorf("ask gateway: %w", err)
	}
	defer res.Body.Close()
	var c counts
	s := bufio.NewScanner(res.Body)
	for s.Scan() {
		name, value, ok := strings.Cut(s.Text(), " ")
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "dusthub_collect_readings_acked_total":
			c.sent = uint64(v)
		case "dusthub_collect_readings_refused_total":
			c.refused = uint64(v)
		case "dusthub_collect_readings_lost_total":
			c.lost = uint64(v)
		case "dusthub_collect_readings_buffered":
			c.pending = uint64(v)
		}
	}
	if err := s.Err(); err != nil {
		return counts{}, fmt.Errorf("read metrics: %w", err)
	}
	return c, nil
}

// compare fetches every reading of every metric from province and ministry. A reading that the province has and the ministry
// has not, or has otherwise, is lost; one that stands twice at either is doubled.
func (r *run) compare(ctx context.Context, ministry *session, report *Report) error {
	for _, p := range r.plants {
		duty := r.duty(r.siteOf(p))
		for _, u := range p.Units {
			for _, pt := range u.Points {
				code := p.MetricCode(u, pt)
				below, twiceBelow, err := readings(ctx, duty, code)
				if err != nil {
					return err
				}
				above, twiceAbove, err := readings(ctx, ministry, code)
				if err != nil {
					return err
				}
				report.Doubled += twiceBelow + twiceAbove
				for at, v := range below {
					if got, ok := above[at]; !ok || got != v {
						report.Lost++
					}
				}
				report.Lost += uint64(max(0, len(above)-len(below)))
			}
		}
	}
	if report.ReadingsSent > report.ReadingsProvince {
		report.Lost += report.ReadingsSent - report.ReadingsProvince
	}
	return nil
}

// readings are all readings of a metric at a site by time, the bits of their values, and how many times came twice.
func readings(ctx context.Context, at *session, metric string) (map[int64]uint64, uint64, error) {
	out := map[int64]uint64{}
	var twice uint64
	from := int64(0)
	for {
		var answer struct {
			Points [][3]float64 `json:"points"`
			Next   json.Number  `json:"next"`
		}
		if err := at.get(ctx, "/api/v1/series/"+url.PathEscape(metric)+"?step=0&from="+strconv.FormatInt(from, 10), &answer); err != nil {
			return nil, 0, err
		}
		for _, p := range answer.Points {
			t := int64(p[0])
			if _, ok := out[t]; ok {
				twice++
			}
			out[t] = math.Float64bits(p[1])
		}
		next, err := answer.Next.Int64()
		if err != nil || next <= from {
			return out, twice, nil //nolint:nilerr // no next page
		}
		from = next
	}
}

// facts fills in alarms, warnings, latencies and the verification of all ledgers.
func (r *run) facts(ctx context.Context, ministry *session, report *Report) error {
	above, err := originsOf(ctx, ministry)
	if err != nil {
		return err
	}
	report.LedgersVerified = true
	for _, s := range r.sites {
		o := above[s.ID]
		report.Alarms += o.Alarms
		report.AlarmsClosed += o.AlarmsClosed
		report.Warnings += o.Warnings
		report.WarningsClosed += o.WarningsClosed
		report.SpotChecksAnswered += o.Answers
		if s.Level == "ministry" {
			continue
		}
		province, err := p99(ctx, r.duty(s), s.ID)
		if err != nil {
			return err
		}
		higher, err := p99(ctx, ministry, s.ID)
		if err != nil {
			return err
		}
		report.AlarmSecondsP99Province = max(report.AlarmSecondsP99Province, province)
		report.AlarmSecondsP99Ministry = max(report.AlarmSecondsP99Ministry, higher)
		for _, at := range []*session{r.duty(s), ministry} {
			var v struct {
				OK    bool   `json:"ok"`
				Error string `json:"error"`
			}
			if err := at.get(ctx, "/api/v1/ledger/verify?origin="+s.ID, &v); err != nil {
				return err
			}
			if !v.OK {
				report.LedgersVerified = false
				report.Missing = append(report.Missing, "ledger of "+s.ID+" at "+at.base+": "+v.Error)
			}
		}
	}
	return nil
}

func p99(ctx context.Context, at *session, origin string) (float64, error) {
	var answer struct {
		P99 float64 `json:"p99_s"`
	}
	if err := at.get(ctx, "/api/v1/latency?type=Alarm&origin="+origin, &answer); err != nil {
		return 0, err
	}
	return answer.P99, nil
}

// judge adds to the report what must not be.
func (r *run) judge(report *Report) {
	for _, f := range []struct {
		bad  bool
		what string
	}{
		{report.Lost > 0, fmt.Sprintf("%d readings lost", report.Lost)},
		{report.Doubled > 0, fmt.Sprintf("%d readings doubled", report.Doubled)},
		{report.ReadingsSent == 0, "no readings"},
		{report.AlarmSecondsP99Province > 1, "alarms later than a second at the province"},
		{report.AlarmSecondsP99Ministry > 2, "alarms later than two seconds at the ministry"},
		{!report.LedgersVerified, "a ledger does not verify"},
	} {
		if f.bad {
			report.Missing = append(report.Missing, f.what)
		}
	}
}
