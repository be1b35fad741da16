package statistics

import "math"

// spread keeps the distribution of durations in buckets that grow by a fortieth each: whatever their number, it takes the same memory, and a
// quantile is off by no more than 2.5 %.
type spread struct {
	buckets [1024]uint32
	n       uint32
}

const growth = 1.025

var logGrowth = math.Log(growth)

// add takes a duration in, ms. Below zero, a clock was wrong: it counts as zero.
func (s *spread) add(ms int64) {
	i := 0
	if ms > 0 {
		i = min(len(s.buckets)-1, 1+int(math.Log(float64(ms))/logGrowth))
	}
	s.buckets[i]++
	s.n++
}

// quantile is the duration that a share q of them does not pass, ms; 0 when there are none.
func (s *spread) quantile(q float64) int64 {
	want, seen := uint32(math.Ceil(q*float64(s.n))), uint32(0)
	for i, c := range s.buckets {
		seen += c
		if c > 0 && seen >= want {
			if i == 0 {
				return 0
			}
			return int64(math.Round(math.Exp((float64(i) - 0.5) * logGrowth)))
		}
	}
	return 0
}

func (s *spread) view() Durations {
	return Durations{P50: s.quantile(0.5), P90: s.quantile(0.9), P99: s.quantile(0.99), N: int(s.n)}
}
