package engine

import (
	"testing"

	"dusthub/schema"
	"dusthub/schema/frame"
)

// TestSamplesAllocateNothing: a sample within limits allocates nothing, with every kind of rule watching it; nor does one that is out of
// limits while its alarm goes on. What a frame costs does not grow with its samples.
func TestSamplesAllocateNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		value float64
	}{{"quiet", 20}, {"its alarm goes on", 75}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.put(limited(t01, &schema.Limits{H: ptr(60.0), Hh: ptr(70.0), Deadband: 2, Rate: ptr(5000.0), StuckMs: 21_600_000, GraveAfterMs: 1_800_000}))
			w.put(&schema.CombinedRule{Id: code + "-C1", Enterprise: code, Name: "x", Expression: "C001T0101 > 50 && (C001P0101 < 500 || !(C001R0101 == 1))", Level: 2})
			w.read(p01, 900)
			w.read(r01, 1)
			w.read(t01, c.value)
			series := w.series(t01)
			cost := func(n int) float64 {
				samples := make([]frame.Sample, n)
				cmd := &schema.Command{}
				body := &schema.Command_Frame{}
				cmd.Body = body
				var raw []byte
				prepare := func() {
					for i := range samples {
						w.now++
						samples[i] = frame.Sample{Series: series, Time: w.now, Value: c.value + float64(w.now%7)/100}
					}
					raw = frame.Append(raw[:0], samples)
					body.Frame, cmd.Time = raw, w.now
				}
				prepare()
				making := testing.AllocsPerRun(20, prepare)
				return testing.AllocsPerRun(20, func() { prepare(); w.e.Apply(cmd) }) - making
			}
			few, many := cost(16), cost(4096)
			if many > few+2 || many > 16 {
				t.Errorf("a frame of 16 samples allocates %v times, one of 4096 %v times", few, many)
			}
		})
	}
}
