package risk

import (
	"errors"
	"math"
	"testing"

	"dusthub/schema"

	"pgregory.net/rapid"
)

// The three plants of domain 6.2.
func aluminium() *Snapshot {
	return &Snapshot{Dusts: []Dust{{"1", "高", 29, 62}}, Workers: 35, Building: "single_frame", Systems: 2, Measures: "one", Signals: make([][]Signal, 2)}
}

func wood() *Snapshot {
	return &Snapshot{Dusts: []Dust{{"3", "高", 7, 19.2}}, Workers: 20, Building: "multi_frame", Systems: 1, Measures: "one", Signals: make([][]Signal, 1)}
}

func flour() *Snapshot {
	return &Snapshot{Dusts: []Dust{{"4", "较高", 400, 4.2}}, Workers: 20, Building: "single_frame", Systems: 4, Measures: "several", Signals: make([][]Signal, 3)}
}

func with(s *Snapshot, system int, signals ...Signal) *Snapshot {
	s.Signals[system] = signals
	return s
}

// managed makes M come out at a value: all six factors at it.
func managed(s *Snapshot, m float64) *Snapshot {
	for i := range s.Management {
		s.Management[i].Value = m
	}
	return s
}

func held(s *Snapshot, codes ...string) *Snapshot {
	for _, c := range codes {
		s.Floors = append(s.Floors, Held{Code: c})
	}
	return s
}

// TestRegressionVectors are the vectors of domain 6.2 (F1.2), to the third decimal.
func TestRegressionVectors(t *testing.T) {
	m := Shipped()
	cases := []struct {
		name    string
		s       *Snapshot
		h, d, r float64
		level   string
		floor   string
		shares  map[string]float64 // of D, by factor code
	}{
		{"A quiet", aluminium(), 73, 0, 25.550, schema.Blue, "", nil},
		{"wood H", wood(), 71.25, 0, 24.938, schema.Blue, "", nil},
		{"flour H", flour(), 47, 0, 16.450, schema.Blue, "", nil},
		{"B pressure difference L1 on one of two", with(aluminium(), 0, Signal{Kind: "P01", Score: 60}), 73, 25.5, 35.750, schema.Yellow, "", nil},
		{"C hopper temperature L1 on one of two", with(aluminium(), 1, Signal{Kind: "T01", Score: 60}), 73, 45.9, 43.910, schema.Yellow, "", nil},
		{
			"D hopper temperature and discharge L2", held(managed(with(aluminium(), 0, Signal{Kind: "T01", Score: 100}, Signal{Kind: "K01", Score: 100}), 30), "F3"),
			73, 81.6, 65.690, schema.Red, "F3", map[string]float64{"D.1.T01": 68.672, "D.1.K01": 27.328},
		},
		{"D without floor", managed(with(aluminium(), 0, Signal{Kind: "T01", Score: 100}, Signal{Kind: "K01", Score: 100}), 30), 73, 81.6, 65.690, schema.Orange, "", nil},
		{"E one of three systems off line", managed(with(flour(), 2, Signal{Kind: Link, Score: 60}), 20), 47, 19.2, 29.130, schema.Blue, "", nil},
		{"F spark L2", managed(with(wood(), 0, Signal{Kind: "S01", Score: 100}), 10), 71.25, 90, 63.438, schema.Orange, "", nil},
		{"F spark not extinguished", held(managed(with(wood(), 0, Signal{Kind: "S01", Score: 100}), 10), "F4"), 71.25, 90, 63.438, schema.Red, "F4", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := m.Evaluate(c.s)
			if got.Inherent != Milli(c.h) || got.Dynamic != Milli(c.d) || got.Index != Milli(c.r) || got.Level != c.level || got.Floor != c.floor {
				t.Errorf("H %d D %d R %d %s %s, wanted %v %v %v %s %s", got.Inherent, got.Dynamic, got.Index, got.Level, got.Floor, c.h, c.d, c.r, c.level, c.floor)
			}
			for _, f := range got.Factors {
				want, ok := c.shares[f.GetCode()]
				// The share of the system's own D (96) is what the vector gives; the contribution to R is that times 0.4 x 85 %.
				if share := float64(f.GetContributionMilli()) / 1000 / 0.4 * got.Systems[0] / (float64(got.Dynamic) / 1000); ok && math.Abs(share-want) > 0.002 {
					t.Errorf("share of %s: %.3f, wanted %.3f", f.GetCode(), share, want)
				}
			}
		})
	}
}

func draw(t *rapid.T) *Snapshot {
	s := rapid.SampledFrom([]func() *Snapshot{aluminium, wood, flour}).Draw(t, "plant")()
	for i := range s.Signals {
		for _, k := range []string{"T01", "P01", "K01", "B01", Link} {
			s.Signals[i] = append(s.Signals[i], Signal{Kind: k, Score: rapid.SampledFrom([]float64{0, 30, 50, 60, 100, 12.3}).Draw(t, "score")})
		}
	}
	for i := range s.Management {
		s.Management[i].Value = rapid.Float64Range(0, 100).Draw(t, "m")
	}
	return s
}

func TestContributionsAddUpToTheIndex(t *testing.T) {
	m := Shipped()
	rapid.Check(t, func(t *rapid.T) {
		got := m.Evaluate(draw(t))
		sum := int64(0)
		for _, f := range got.Factors {
			sum += f.GetContributionMilli()
		}
		if sum != got.Index || got.Index < 0 || got.Index > 100_000 {
			t.Fatalf("contributions add up to %d, index %d", sum, got.Index)
		}
	})
}

func TestRiskRisesWithEverySignal(t *testing.T) {
	m := Shipped()
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		before := m.Evaluate(s)
		i, k := rapid.IntRange(0, len(s.Signals)-1).Draw(t, "system"), rapid.IntRange(0, 4).Draw(t, "signal")
		s.Signals[i][k].Score = math.Min(100, s.Signals[i][k].Score+rapid.Float64Range(0, 50).Draw(t, "more"))
		if after := m.Evaluate(s); after.Index < before.Index {
			t.Fatalf("a graver signal lowers the index from %d to %d", before.Index, after.Index)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(shipped)
	f.Add([]byte(extend()))
	f.Add([]byte("version: x\nfloors:\n  - &a {code: F1, when: \"alarms > 1\"}\n  - *a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrModel) {
				t.Errorf("%v is no ErrModel", err)
			}
			return
		}
		if got := m.Evaluate(aluminium()); got.Index < 0 || got.Index > 100_000 {
			t.Errorf("index %d", got.Index)
		}
	})
}

// BenchmarkNation: the 43,000 plants of the country, once, with their composition.
func BenchmarkNation(b *testing.B) {
	m := Shipped()
	s := managed(with(aluminium(), 0, Signal{Kind: "T01", Score: 60}), 10)
	b.Run("explained", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range 43_000 {
				m.Evaluate(s)
			}
		}
	})
	b.Run("judged", func(b *testing.B) {
		b.ReportAllocs()
		h := m.H(s)
		for b.Loop() {
			for range 43_000 {
				m.Judge(s, h)
			}
		}
	})
}
