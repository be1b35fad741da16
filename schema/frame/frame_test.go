package frame

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func samples(t *rapid.T) []Sample {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Sample {
		value := rapid.OneOf(
			rapid.Float64(),
			rapid.Map(rapid.IntRange(-2000, 20000), func(i int) float64 { return float64(i) / 10 }),
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, 74.93588199999998, 5e-324, math.MaxFloat64, 1 << 54}),
		).Draw(t, "value")
		return Sample{
			Series: rapid.Uint32Range(0, 5).Draw(t, "series"), Time: rapid.Int64Range(-1, 1<<42).Draw(t, "time"), Value: value,
			Quality: rapid.SampledFrom([]uint8{0, 0, 0, 2, 5}).Draw(t, "quality"),
		}
	}), 0, 60).Draw(t, "samples")
}

func TestRoundTripIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := samples(t)
		f := Append(nil, in) // sorts in
		var out []Sample
		if err := Each(f, func(s Sample) { out = append(out, s) }); err != nil {
			t.Fatal(err)
		}
		if n, err := Count(f); err != nil || n != len(in) || len(out) != len(in) {
			t.Fatalf("%d of %d samples, %v", n, len(in), err)
		}
		for i := range in {
			if in[i].Series != out[i].Series || in[i].Time != out[i].Time || in[i].Quality != out[i].Quality || math.Float64bits(in[i].Value) != math.Float64bits(out[i].Value) {
				t.Fatalf("sample %d: %+v became %+v", i, in[i], out[i])
			}
		}
	})
}

func TestTheLargestFrameFits(t *testing.T) {
	in := make([]Sample, MaxSamples)
	for i := range in {
		in[i] = Sample{Series: uint32(i) * 500_000, Time: int64(i%2)*math.MaxInt64/2 - int64((i+1)%2)*math.MaxInt64/2, Value: math.Pi * float64(i), Quality: 5}
	}
	if f := Append(nil, in); len(f) > MaxBytes {
		t.Errorf("%d bytes", len(f))
	} else if n, err := Count(f); n != MaxSamples || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestNoAllocationPerSample(t *testing.T) {
	in := make([]Sample, 1000)
	for i := range in {
		in[i] = Sample{Series: uint32(i % 50), Time: int64(i), Value: float64(i) / 10}
	}
	f := Append(nil, in)
	sum := 0.0
	if n := testing.AllocsPerRun(20, func() { _ = Each(f, func(s Sample) { sum += s.Value }) }); n > 1 {
		t.Errorf("%v allocations a frame", n)
	}
}

func FuzzEach(f *testing.F) {
	f.Add(Append(nil, []Sample{{Series: 1, Time: 2, Value: 3}, {Series: 1, Time: 3, Value: math.Pi, Quality: 5}, {Series: 9, Time: 2, Value: 60.1}}))
	f.Add([]byte{'F', 1, 1, 0, 1, 7, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		if err := Each(b, func(Sample) { n++ }); err != nil && n > 0 {
			t.Errorf("%d samples of a malformed frame came through", n)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	in := make([]Sample, 5000)
	for i := range in {
		in[i] = Sample{Series: uint32(i), Time: 1_700_000_000_000, Value: float64(i%700) / 10}
	}
	var f []byte
	for b.Loop() {
		f = Append(f[:0], in)
	}
	b.ReportMetric(float64(len(in))*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(float64(len(f))/float64(len(in)), "B/sample")
}

func BenchmarkEach(b *testing.B) {
	in := make([]Sample, 5000)
	for i := range in {
		in[i] = Sample{Series: uint32(i), Time: 1_700_000_000_000, Value: float64(i%700) / 10}
	}
	f := Append(nil, in)
	sum := 0.0
	for b.Loop() {
		_ = Each(f, func(s Sample) { sum += s.Value })
	}
	b.ReportMetric(float64(len(in))*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
