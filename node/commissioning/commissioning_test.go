package commissioning_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dusthub/node/commissioning"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"pgregory.net/rapid"
)

const begin = int64(1_700_000_000_000)

func metric(kind string, lo, hi float64, l *schema.Limits) *schema.Metric {
	return &schema.Metric{Code: "320505030001C001" + kind + "01", Kind: kind, Unit: "u", RangeLo: lo, RangeHi: hi, Limits: l, Series: 1}
}

// history is series by number.
type history map[uint32][]store.Point

func (h history) Points(_ context.Context, ref store.SeriesRef, from, to int64, fn func(store.Point) error) error {
	for _, p := range h[ref.Series] {
		if p.Time >= from && p.Time < to {
			if err := fn(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func noise(n int, mean, dev float64) []store.Point {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]store.Point, n)
	for i := range out {
		out[i] = store.Point{Time: begin + int64(i)*10_000, Value: mean + dev*r.NormFloat64()}
	}
	return out
}

func propose(t *testing.T, h history, m, fan *schema.Metric) *commissioning.Proposal {
	t.Helper()
	_, defaults := schema.Defaults(m, "dry_bag", []string{"2"})
	p, err := commissioning.Propose(context.Background(), h, m, "s", fan, defaults, begin, begin+30*86400_000)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func limit(p *commissioning.Proposal, field string) commissioning.Limit {
	for _, l := range p.Limits {
		if l.Field == field {
			return l
		}
	}
	return commissioning.Limit{Proposed: math.NaN()}
}

// TestProposal: limits stand around what the process does, and say why.
func TestProposal(t *testing.T) {
	h, hh := 60.0, 70.0
	t01 := metric("T01", -20, 200, &schema.Limits{H: &h, Hh: &hh, Deadband: 2})
	p := propose(t, history{1: noise(20_000, 30, 2)}, t01, nil)
	if l := limit(p, "h"); l.Proposed < 38 || l.Proposed > 41 || l.Change != "tighter" || *l.Now != 60 || !strings.Contains(l.Reason, "中位数") {
		t.Errorf("h: %+v", l)
	}
	if l := limit(p, "hh"); l.Proposed < 42 || l.Proposed > 46 {
		t.Errorf("hh: %+v", l)
	}
	if !math.IsNaN(limit(p, "l").Proposed) || limit(p, "rate").Change != "new" || p.Samples != 20_000 || p.Used != 20_000 || math.Abs(p.History.P50-30) > 0.2 {
		t.Errorf("%+v", p)
	}
	hot := propose(t, history{1: noise(20_000, 66, 2)}, t01, nil)
	if l := limit(hot, "hh"); l.Proposed != 70 || l.Change != "same" || !strings.Contains(l.Reason, "不宽于") {
		t.Errorf("a process near what the standard allows: %+v", l)
	}
}

// TestLeftOut: stops of the fan, bad readings and readings beyond the range teach nothing.
func TestLeftOut(t *testing.T) {
	p01, fan := metric("P01", 0, 5000, nil), &schema.Metric{Kind: "R01", Series: 2}
	readings := noise(6000, 1000, 30)
	for i := range 2000 {
		readings[i].Value = 0 // the fan stands
	}
	readings[3000] = store.Point{Time: readings[3000].Time, Value: 4000, Quality: frame.Fault}
	readings[3001].Value = 9000
	runs := []store.Point{{Time: begin, Value: 0}, {Time: readings[2000].Time, Value: 1}, {Time: readings[4000].Time, Value: 1}}
	p := propose(t, history{1: readings, 2: runs}, p01, fan)
	if p.Samples != 6000 || p.Used != 6000-2006-2 || p.History.Min < 800 || p.History.Max > 1200 {
		t.Errorf("%+v", p)
	}
	if l := limit(p, "l"); l.Proposed < 700 || l.Proposed > 900 {
		t.Errorf("l: %+v", l)
	}
	for _, w := range []string{"风机停止及启动后 1 分钟内的读数 2006 个", "质量不良的读数 1 个", "超出量程的读数 1 个", "历史只有 0.7 天"} {
		if !slices.ContainsFunc(p.Warnings, func(s string) bool { return strings.Contains(s, w) }) {
			t.Errorf("no warning %q in %q", w, p.Warnings)
		}
	}
}

func TestTooLittle(t *testing.T) {
	p := propose(t, history{1: noise(999, 30, 2)}, metric("T01", -20, 200, nil), nil)
	if len(p.Limits) != 0 || !strings.Contains(strings.Join(p.Warnings, ""), "不提出") {
		t.Errorf("%+v", p)
	}
	if _, err := commissioning.NewLearner(metric("K01", 0, 1, nil), nil); !errors.Is(err, commissioning.ErrDigital) {
		t.Error(err)
	}
}

// TestLimitsAreOrdered: whatever the readings, limits lie in order, outside the middle, within the range, and no laxer than a standard.
func TestLimitsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := metric("T01", -20, 200, nil)
		_, defaults := schema.Defaults(m, "dry_bag", []string{"2"})
		l, err := commissioning.NewLearner(m, defaults)
		if err != nil {
			t.Fatal(err)
		}
		some := rapid.SliceOfN(rapid.Float64Range(-40, 220), 5, 40).Draw(t, "values")
		for i := range 2000 {
			l.Add(begin+int64(i)*1000, some[i%len(some)], 0, true)
		}
		p := l.Proposal()
		h, hh := limit(p, "h").Proposed, limit(p, "hh").Proposed
		if h > hh || hh > 70 || h <= -20 || h >= 200 {
			t.Errorf("h %v hh %v of %+v", h, hh, p.History)
		}
	})
}
