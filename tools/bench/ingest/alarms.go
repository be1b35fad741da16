package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	alarmWithin = 10 * time.Second
	hot         = 75 // °C, past both limits
)

// alarms raises one alarm after another and measures how long each takes from the gateway's request until the regulator's
// event stream tells of it: first on a site that has nothing else to do, then on one that takes readings in all the time.
func alarms(ctx context.Context, o options, f *figures, s *site, all []plant) error {
	say("alarms: %d on an idle site, %d under load ...", o.alarms, o.alarms)
	stream, err := s.follow(ctx)
	if err != nil {
		return err
	}
	defer stream.close()
	idle, err := stream.raise(ctx, s, all[0], o.alarms)
	if err != nil {
		return err
	}
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	var group sync.WaitGroup
	var sent int
	begun := time.Now()
	group.Go(func() { sent = s.busy(load, all[2%len(all):]) })
	loaded, err := stream.raise(ctx, s, all[1], o.alarms)
	took := time.Since(begun)
	stopLoad()
	group.Wait()
	if err != nil {
		return fmt.Errorf("under load: %w", err)
	}
	f.AlarmP50, f.AlarmP99 = ms(quantile(idle, 0.5)), ms(quantile(idle, 0.99))
	f.LoadedP50, f.LoadedP99 = ms(quantile(loaded, 0.5)), ms(quantile(loaded, 0.99))
	f.LoadPerSecond = float64(sent) / took.Seconds()
	return nil
}

// busy sends readings of now, on one connection, until the context ends, and returns how many were taken.
func (s *site) busy(ctx context.Context, all []plant) int {
	const each = 2
	sent := 0
	for n := 0; ; n++ {
		p := all[n%len(all)]
		for _, q := range encode(p, newWander(p, uint64(n)), time.Now(), time.Millisecond, 1, each) {
			if post(ctx, s, q) != nil {
				return sent // the context has ended, or the site refuses: the figure says how much was taken
			}
			sent += q.samples
		}
	}
}

// stream is the regulator portal's event stream.
type stream struct {
	alarms chan string // enterprises of alarms, as they are told
	close  func()
	failed chan error
}

func (s *site) follow(ctx context.Context) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.regulator+"/api/v1/events", nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("request: %w", err)
	}
	res, err := (&http.Client{Jar: s.admin.client.Jar}).Do(req) //nolint:bodyclose // closed when the stream ends
	if err != nil {
		cancel()
		return nil, fmt.Errorf("events: %w", err)
	}
	out := &stream{alarms: make(chan string, 1024), failed: make(chan error, 1), close: cancel}
	ready := make(chan struct{})
	go func() {
		defer res.Body.Close()
		out.failed <- out.read(bufio.NewScanner(res.Body), ready)
	}()
	select {
	case <-ready:
		return out, nil
	case err := <-out.failed:
		cancel()
		return nil, fmt.Errorf("events: ended at once (%s): %w", res.Status, err)
	}
}

// read reads the stream: an event's name, then its data.
func (t *stream) read(lines *bufio.Scanner, ready chan struct{}) error {
	var event string
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			if event = name; event == "hello" {
				close(ready)
			}
			continue
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || event != "change" {
			continue
		}
		var change struct{ Type, Enterprise string }
		if err := json.Unmarshal([]byte(data), &change); err != nil {
			return fmt.Errorf("event: %w", err)
		}
		if change.Type == "Alarm" {
			t.alarms <- change.Enterprise
		}
	}
	return lines.Err()
}

// raise makes one hopper after another too hot.
func (t *stream) raise(ctx context.Context, s *site, p plant, n int) ([]time.Duration, error) {
	var out []time.Duration
	for c := range n {
		begun := time.Now()
		if err := s.reading(ctx, p, p.metric(c, kinds[0]), hot); err != nil {
			return nil, err
		}
		took, err := t.wait(ctx, p, begun)
		if err != nil {
			return nil, fmt.Errorf("alarm %d of %s: %w", c+1, p.code, err)
		}
		out = append(out, took)
	}
	return out, nil
}

func (t *stream) wait(ctx context.Context, p plant, begun time.Time) (time.Duration, error) {
	late := time.NewTimer(alarmWithin)
	defer late.Stop()
	for {
		select {
		case of := <-t.alarms:
			if of == p.code {
				return time.Since(begun), nil
			}
		case err := <-t.failed:
			return 0, fmt.Errorf("the event stream ended: %w", err)
		case <-late.C:
			return 0, fmt.Errorf("nothing was told of it within %s", alarmWithin)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// reading sends one reading of now through the JSON door.
func (s *site) reading(ctx context.Context, p plant, metric string, value float64) error {
	body, err := json.Marshal(object{"metric": metric, "time": time.Now().UnixMilli(), "value": value})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.access+"/api/v1/samples", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	s.authorize(req, p.gateway())
	code, answer, err := do(plain, req)
	if err == nil && code/100 != 2 {
		err = fmt.Errorf("reading of %s: %d %.300s", metric, code, answer)
	}
	return err
}
