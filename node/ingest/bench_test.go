package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"dusthub/node/ingest"
	. "dusthub/node/ingest/ingesttest"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// accept commits everything at once: what is measured is the doors.
type accept struct{}

func (accept) Propose(_ context.Context, c *schema.Command) (*schema.Result, error) {
	n, err := frame.Count(c.GetFrame())
	return &schema.Result{Stored: uint32(n)}, err
}

const (
	benchReadings = 1000 // of a request
	benchSenders  = 16   // at once, so that frames and not the wait for company limit
)

func benchDoor(b *testing.B, path string, body func(base int64) []byte) {
	s := New(b, func(o *ingest.Options) { o.Proposer = accept{}; o.Rate = 1e12 })
	h := ingest.NewHTTP(s.Intake)
	raw := body(now())
	b.SetBytes(int64(len(raw)))
	b.SetParallelism(benchSenders)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(raw))
			req.Header.Set("Authorization", bearer)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, req); w.Code/100 != 2 {
				b.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
	b.ReportMetric(float64(b.N)*benchReadings/b.Elapsed().Seconds(), "samples/s")
}

func BenchmarkJSONDoor(b *testing.B) {
	benchDoor(b, "/api/v1/samples", func(base int64) []byte {
		out := []byte(`{"samples":[`)
		for i := range int64(benchReadings) {
			out = fmt.Appendf(out, `{"metric":%q,"time":%d,"value":%d.%d},`, Temperature, base-i, i%100, i%10)
		}
		return append(out[:len(out)-1], "]}"...)
	})
}

func BenchmarkLineDoor(b *testing.B) {
	benchDoor(b, "/api/v2/write?precision=ms", func(base int64) []byte {
		var out []byte
		for i := range int64(benchReadings) {
			out = fmt.Appendf(out, "dust,metric=%s value=%d.%d %d\n", Temperature, i%100, i%10, base-i)
		}
		return out
	})
}

func BenchmarkBatcher(b *testing.B) {
	for _, n := range []int{1, 100, 8000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bt := ingest.NewBatcher(accept{}, nil)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- bt.Run(ctx) }()
			b.SetParallelism(64)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				samples := make([]frame.Sample, n)
				for i := range samples {
					samples[i] = frame.Sample{Series: uint32(i%50 + 1), Time: int64(i), Value: float64(i%100) / 10}
				}
				for pb.Next() {
					if _, _, err := bt.Submit(ctx, samples); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "samples/s")
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}
