package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// request is one remote write request, encoded before the clock runs.
type request struct {
	gateway string
	body    []byte
	samples int
}

// encode makes requests of so many samples a series each, of all series of a plant, from a time on.
func encode(p plant, w *wander, from time.Time, step time.Duration, requests, each int) []request {
	out := make([]request, 0, requests)
	var raw, series, sample []byte
	for n := range requests {
		raw = raw[:0]
		for i := range p.series() {
			series = label(label(series[:0], "__name__", "dust"), "metric", p.metric(i/len(kinds), kinds[i%len(kinds)]))
			for j := range each {
				at := from.Add(time.Duration(n*each+j) * step)
				sample = protowire.AppendFixed64(protowire.AppendTag(sample[:0], 1, protowire.Fixed64Type), math.Float64bits(w.next(i)))
				sample = protowire.AppendVarint(protowire.AppendTag(sample, 2, protowire.VarintType), uint64(at.UnixMilli()))
				series = protowire.AppendBytes(protowire.AppendTag(series, 2, protowire.BytesType), sample)
			}
			raw = protowire.AppendBytes(protowire.AppendTag(raw, 1, protowire.BytesType), series)
		}
		out = append(out, request{p.gateway(), snappy.Encode(nil, raw), p.series() * each})
	}
	return out
}

func label(b []byte, name, value string) []byte {
	l := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	l = protowire.AppendString(protowire.AppendTag(l, 2, protowire.BytesType), value)
	return protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), l)
}

// target is a server that takes remote write.
type target interface {
	write() string
	authorize(r *http.Request, gateway string)
	cpu() (time.Duration, error)
}

// connections of the client; each sends the requests of its own gateways, in order of time.
const connections = 4

// drive sends requests, those of a gateway one after another, and waits for every answer.
func drive(ctx context.Context, t target, byGateway [][]request) error {
	var group sync.WaitGroup
	errs := make([]error, connections)
	for c := range connections {
		group.Go(func() {
			for n := 0; ; n++ { // a round over the gateways, as they would come
				sent := false
				for g := c; g < len(byGateway); g += connections {
					if n >= len(byGateway[g]) {
						continue
					}
					sent = true
					if errs[c] = post(ctx, t, byGateway[g][n]); errs[c] != nil {
						return
					}
				}
				if !sent {
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func post(ctx context.Context, t target, q request) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.write(), bytes.NewReader(q.body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	t.authorize(req, q.gateway)
	code, body, err := do(plain, req)
	if err == nil && code/100 != 2 {
		err = fmt.Errorf("%s: %d %.300s", t.write(), code, body)
	}
	return err
}

// turn is what one turn of one system gave.
type turn struct {
	PerSecond    float64 `json:"samples_per_second"`
	PerCPUSecond float64 `json:"samples_per_server_cpu_second"`
}

// settle is how long after a turn the server's processor time still counts for it: what it put off is its work too.
const settle = 3 * time.Second

func measure(ctx context.Context, t target, byGateway [][]request) (turn, error) {
	before, err := t.cpu()
	if err != nil {
		return turn{}, err
	}
	begun := time.Now()
	if err := drive(ctx, t, byGateway); err != nil {
		return turn{}, err
	}
	took := time.Since(begun)
	if err := pause(ctx, settle); err != nil {
		return turn{}, err
	}
	after, err := t.cpu()
	n := float64(count(byGateway))
	return turn{n / took.Seconds(), n / (after - before).Seconds()}, err
}

func count(byGateway [][]request) int {
	n := 0
	for _, g := range byGateway {
		for _, q := range g {
			n += q.samples
		}
	}
	return n
}
