package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"dusthub/schema"
	"dusthub/schema/frame"
)

func TestParseLine(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       point
	}{
		{"smallest", `m f=1`, point{measurement: "m", fields: []field{{key: "f", number: 1}}}},
		{"tags and time", `m,a=b,c=d f=1.5e3 42`, point{measurement: "m", tags: []pair{{"a", "b"}, {"c", "d"}}, fields: []field{{key: "f", number: 1500}}, time: 42, timed: true}},
		{"types", `m i=-7i,u=18446744073709551615u,t=t,f=False,x=-.5,s="a b,c=d"`, point{measurement: "m", fields: []field{
			{key: "i", number: -7}, {key: "u", number: math.MaxUint64}, {key: "t", kind: kindBool, number: 1}, {key: "f", kind: kindBool}, {key: "x", number: -.5}, {key: "s", kind: kindString, text: "a b,c=d"},
		}}},
		{"escapes", `my\ m\,x,ta\=g=v\ 1\,2 fi\ eld="say \"hi\" \\ \n" -5`, point{measurement: "my m,x", tags: []pair{{"ta=g", "v 1,2"}}, fields: []field{{key: "fi eld", kind: kindString, text: `say "hi" \ \n`}}, time: -5, timed: true}},
		{"backslash that escapes nothing", `m\x,a=\b f=1`, point{measurement: `m\x`, tags: []pair{{"a", `\b`}}, fields: []field{{key: "f", number: 1}}}},
		{"spaces", `  m,a=b   f=1   7  `, point{measurement: "m", tags: []pair{{"a", "b"}}, fields: []field{{key: "f", number: 1}}, time: 7, timed: true}},
		{"quotes in keys", `"m","a"="b" "f"=1`, point{measurement: `"m"`, tags: []pair{{`"a"`, `"b"`}}, fields: []field{{key: `"f"`, number: 1}}}},
		{"Chinese", `粉尘,厂=一 温度=36.5`, point{measurement: "粉尘", tags: []pair{{"厂", "一"}}, fields: []field{{key: "温度", number: 36.5}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p point
			if err := parseLine(c.line, &p); err != nil {
				t.Fatal(err)
			}
			if len(p.tags) == 0 {
				p.tags = nil
			}
			if !reflect.DeepEqual(p, c.want) {
				t.Errorf("got  %+v\nwant %+v", p, c.want)
			}
		})
	}
}

func TestBrokenLines(t *testing.T) {
	for _, c := range []struct {
		line string
		want error
	}{
		{`,a=b f=1`, errMeasurement}, {`m`, errNoFields}, {`m `, errNoFields}, {`m,a f=1`, errTag}, {`m,a= f=1`, errTag}, {`m,=b f=1`, errTag}, {`m, f=1`, errTag}, {`m,a=b=c f=1`, errTag},
		{`m f`, errFieldKey}, {`m =1`, errFieldKey}, {`m f=`, errFieldValue}, {`m f=1,`, errFieldKey}, {`m f=x`, errFieldValue}, {`m f=1x`, errFieldValue}, {`m f=0x10`, errFieldValue},
		{`m f=NaN`, errFieldValue}, {`m f=inf`, errFieldValue}, {`m f=1_000`, errFieldValue}, {`m f=1.5i`, errFieldValue}, {`m f=-1u`, errFieldValue}, {`m f=9223372036854775808i`, errFieldValue},
		{`m f=1e999`, errFieldValue}, {`m f="a`, errQuote}, {`m f="a\"`, errQuote}, {`m f="a"b`, errFieldValue}, {`m f=1 x`, errTimestamp}, {`m f=1 1.5`, errTimestamp}, {`m f=1 5 5`, errTrailing},
		{`m f=1 9223372036854775808`, errTimestamp}, {`m f=i`, errFieldValue},
	} {
		var p point
		if err := parseLine(c.line, &p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, wanted %v", c.line, err, c.want)
		}
	}
}

func TestLineEndsWithinStrings(t *testing.T) {
	line, rest := nextLine("m f=\"a\nb\",g=\"c\\\"\nd\" 5\r\nm f=1")
	if line != "m f=\"a\nb\",g=\"c\\\"\nd\" 5" || rest != "m f=1" {
		t.Errorf("line %q, rest %q", line, rest)
	}
	line, rest = nextLine("m,tag=\"x f=1\nm f=2")
	if line != "m,tag=\"x f=1" || rest != "m f=2" {
		t.Errorf("a quote in a tag value is no string: line %q, rest %q", line, rest)
	}
}

func TestToMs(t *testing.T) {
	for _, c := range []struct {
		t         int64
		precision string
		want      int64
	}{{1_700_000_000_123_999_999, "ns", 1_700_000_000_123}, {-1, "ns", -1}, {5, "s", 5000}, {math.MaxInt64, "s", -1}, {math.MinInt64, "s", -1}, {7, "ms", 7}, {1999, "us", 1}} {
		p := precisions[c.precision]
		if got := toMs(c.t, p.times, p.by); got != c.want {
			t.Errorf("%d %s is %d ms, wanted %d", c.t, c.precision, got, c.want)
		}
	}
}

func TestLimiter(t *testing.T) {
	at := time.Unix(0, 0)
	l := newLimiter(10, 20, func() time.Time { return at })
	for _, c := range []struct {
		name    string
		after   time.Duration
		n       float64
		waiting time.Duration
	}{
		{"the burst is free", 0, 20, 0},
		{"then it waits", 0, 1, 100 * time.Millisecond},
		{"until it has filled", 100 * time.Millisecond, 1, 0},
		{"more than the burst needs a full bucket", time.Second, 50, time.Second},
		{"and leaves a debt", time.Second, 50, 0},
		{"that is to be paid", time.Second, 1, 2100 * time.Millisecond},
	} {
		at = at.Add(c.after)
		if got := l.take("g", c.n); got.Round(time.Millisecond) != c.waiting {
			t.Errorf("%s: waits %s, wanted %s", c.name, got, c.waiting)
		}
	}
	if l.take("h", 20) != 0 {
		t.Error("another key shares the bucket")
	}
	for i := range bucketsKept + 10 {
		l.take(fmt.Sprint(i), 1)
	}
	if len(l.buckets) > bucketsKept {
		t.Errorf("%d buckets", len(l.buckets))
	}
}

// recorder is a proposer that keeps what was proposed, and waits when it is told to.
type recorder struct {
	mu     sync.Mutex
	frames [][]frame.Sample
	gate   chan struct{} // nil: open
	now    int
	most   int
	err    error
}

func (r *recorder) Propose(ctx context.Context, cmd *schema.Command) (*schema.Result, error) {
	r.mu.Lock()
	r.now++
	r.most = max(r.most, r.now)
	gate, err := r.gate, r.err
	r.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var samples []frame.Sample
	if e := frame.Each(cmd.GetFrame(), func(s frame.Sample) { samples = append(samples, s) }); e != nil {
		return nil, e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now--
	if err != nil {
		return nil, err
	}
	r.frames = append(r.frames, samples)
	return &schema.Result{Stored: uint32(len(samples))}, nil
}

func runBatcher(t testing.TB, p Proposer) (*Batcher, context.CancelFunc) {
	t.Helper()
	b := NewBatcher(p, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b, cancel
}

func samplesOf(series uint32, n int) []frame.Sample {
	out := make([]frame.Sample, n)
	for i := range out {
		out[i] = frame.Sample{Series: series, Time: int64(i), Value: float64(i)}
	}
	return out
}

func TestBatcherGathersWhatComesTogether(t *testing.T) {
	r := &recorder{gate: make(chan struct{})}
	b, _ := runBatcher(t, r)
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			res, _, err := b.Submit(context.Background(), samplesOf(uint32(i+1), 100))
			if err != nil || res.GetStored() == 0 {
				t.Errorf("submit: %v, %v", res, err)
			}
		})
	}
	for len(b.slots) < framesInFlight { // two frames under way, the others gather behind them
		time.Sleep(time.Millisecond)
	}
	close(r.gate)
	group.Wait()
	total := 0
	for _, f := range r.frames {
		total += len(f)
		if len(f) > frame.MaxSamples {
			t.Errorf("frame of %d samples", len(f))
		}
	}
	if total != 10000 || len(r.frames) > 10 || r.most > framesInFlight {
		t.Errorf("%d samples in %d frames, %d at once", total, len(r.frames), r.most)
	}
}

func TestBatcherSplitsWhatIsLarge(t *testing.T) {
	r := &recorder{}
	b, _ := runBatcher(t, r)
	res, alone, err := b.Submit(context.Background(), samplesOf(1, 3*frame.MaxSamples+1))
	if err != nil || !alone || res.GetStored() != 3*frame.MaxSamples+1 || len(r.frames) != 4 {
		t.Errorf("stored %d in %d frames, alone %v, %v", res.GetStored(), len(r.frames), alone, err)
	}
}

func TestBatcherHoldsBackWhenFull(t *testing.T) {
	r := &recorder{gate: make(chan struct{})}
	b, cancel := runBatcher(t, r)
	ctx, giveUp := context.WithCancel(context.Background())
	errs := make(chan error, 2*queueLength)
	for range 2 * queueLength {
		go func() { _, _, err := b.Submit(ctx, samplesOf(1, frame.MaxSamples)); errs <- err }()
	}
	for len(b.queue) < queueLength {
		time.Sleep(time.Millisecond)
	}
	giveUp()
	waiting := 0
	for range 2 * queueLength {
		if err := <-errs; errors.Is(err, context.Canceled) {
			waiting++
		}
	}
	if waiting != 2*queueLength {
		t.Errorf("%d of %d gave up", waiting, 2*queueLength)
	}
	close(r.gate)
	cancel()
	if _, _, err := b.Submit(context.Background(), samplesOf(1, 1)); err != nil && !errors.Is(err, ErrUnavailable) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestBatcherTellsEverySubmitterOfAFailure(t *testing.T) {
	r := &recorder{err: errors.New("no leader")}
	b, _ := runBatcher(t, r)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, _, err := b.Submit(context.Background(), samplesOf(1, 1)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		})
	}
	group.Wait()
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"m f=1", `my\ m\,x,ta\=g=v\ 1 fi\ eld="say \"hi\" \\" -5`, "m f=\"a\nb\" 5\nm f=1", "m,a=b f=1i,g=t,h=2u 7", `m\`, `m f="\`, "m,a=\\\nb f=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lines, length := 0, len(s)
		var p point
		for rest := s; rest != ""; {
			var line string
			before := len(rest)
			line, rest = nextLine(rest)
			if len(rest) >= before {
				t.Fatal("no progress")
			}
			if lines++; parseLine(line, &p) != nil {
				continue
			}
			if p.measurement == "" || len(p.fields) == 0 {
				t.Errorf("%q gives %+v", line, p)
			}
			for _, v := range p.fields {
				if math.IsNaN(v.number) || math.IsInf(v.number, 0) {
					t.Errorf("%q gives %v", line, v.number)
				}
			}
			for _, g := range p.tags {
				if g.key == "" || g.value == "" {
					t.Errorf("%q gives tag %q=%q", line, g.key, g.value)
				}
			}
		}
		if lines > length {
			t.Errorf("%d lines of %d bytes", lines, length)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"metric":"a","time":1,"value":2}`, `[{"metric":"a","time":"2026-01-01T00:00:00Z","value":2,"quality":3}]`, `{"samples":[{"metric":"a","time":1,"value":2},7,null]}`, `{"source_lost":true}`, `{"samples":[`, `[]`, `{}`, ` `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := &Batch{}
		err := parseJSON(b, body)
		if err != nil && !errors.Is(err, errForm) {
			t.Errorf("error %v is no form error", err)
		}
		for _, r := range b.Readings {
			if r.Metric == "" || math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
				t.Errorf("reading %+v", r)
			}
		}
		if b.BadCount > len(b.Bad) {
			t.Errorf("%d bad readings, %d reasons", b.BadCount, len(b.Bad))
		}
	})
}

func FuzzRemoteWrite(f *testing.F) {
	f.Add([]byte{10, 20, 10, 6, 10, 1, 'a', 18, 1, 'b', 18, 10, 9, 0, 0, 0, 0, 0, 0, 240, 63, 16, 1})
	f.Add([]byte{10, 200})
	f.Add([]byte{8, 1, 10, 2, 8, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := &Batch{}
		_ = b.writeRequest(raw)
		if len(b.Readings) > len(raw) {
			t.Errorf("%d readings of %d bytes", len(b.Readings), len(raw))
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"dataId":"d","enterpriseId":"e","gatewayId":"g","collectTime":"20261123150405","isConnectDataSource":true,"datas":[{"quotaId":"q","value":36.5,"isValid":true}]}`))
	f.Add([]byte(`{"datas":[null,7,{"quotaId":7}]}`))
	f.Add([]byte(`{"dataId":7,"isConnectDataSource":0}`))
	m := DefaultMapping()
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := m.report(plain)
		if err != nil {
			return
		}
		_, _ = m.when(r.time)
		for _, raw := range r.readings {
			if _, v, _, err := m.reading(raw); err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
				t.Errorf("%s gives %v", raw, v)
			}
		}
	})
}

func TestClipIsValid(t *testing.T) {
	if s := clip(strings.Repeat("粉", 100)); len(s) > gotBytes+2 || strings.ToValidUTF8(s, "") == "" {
		t.Errorf("%q", s)
	}
	if s := clip("a\xffb"); s != "a\uFFFDb" {
		t.Errorf("%q", s)
	}
}
