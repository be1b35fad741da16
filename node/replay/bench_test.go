package replay

import (
	"testing"

	"dusthub/node/engine/risk"
)

// BenchmarkReplay judges an hour of a plant with seven metrics, a reading of each a second.
func BenchmarkReplay(b *testing.B) {
	s := newSite(b)
	defer s.store.Close()
	s.plant(code)
	s.hot(3600)
	r := s.replayer(nil)
	m := risk.Shipped()
	for b.Loop() {
		if _, err := r.Again(b.Context(), code, start, s.now+1, m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/plant-hour")
}
