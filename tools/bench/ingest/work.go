package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The requests of a turn bring a reading a second of each series: requestEach of them a request.
const (
	requestEach  = 10
	behind       = time.Minute // the last reading ends so long ago: what is sent later must be newer
	latestAsked  = 20
	uplinkWithin = 3 * time.Minute
)

// atWork measures a province that takes readings in, without a parent at first; then alarms; then its parent comes.
func atWork(ctx context.Context, o options, f *figures) error {
	ministry, err := prepare(o, "ministry")
	if err != nil {
		return err
	}
	say("ingest: %d plants, %d series ...", o.plants, o.plants*o.collectors*len(kinds))
	s, err := startSite(ctx, o, "province", "province", ministry, nil)
	if s != nil && s.process != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	all := makePlants(o.plants, o.collectors)
	if err := s.provision(ctx, all); err != nil {
		return err
	}
	var v *peer
	if o.vm != "" {
		v, err = startPeer(ctx, o, "vm")
		if v != nil && v.process != nil {
			defer v.stop()
		}
		if err != nil {
			return err
		}
	}
	if err := ingest(ctx, o, f, s, v, all); err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	if err := latest(ctx, f, s, v, all[1]); err != nil {
		return fmt.Errorf("latest values: %w", err)
	}
	if v != nil {
		v.stop() // it would share the processor with what follows, which it has no part in
	}
	if err := alarms(ctx, o, f, s, all); err != nil {
		return fmt.Errorf("alarms: %w", err)
	}
	if err := uplink(ctx, o, f, ministry, s); err != nil {
		return fmt.Errorf("uplink: %w", err)
	}
	return nil
}

// ingest gives both systems the same requests in turns. Each turn brings new readings, so its first request makes no series.
func ingest(ctx context.Context, o options, f *figures, s *site, v *peer, all []plant) error {
	var wanders []*wander
	for i, p := range all {
		wanders = append(wanders, newWander(p, uint64(i)))
	}
	span := time.Duration((1+o.turns*o.rounds)*requestEach) * time.Second
	from := time.Now().Add(-span - behind) // within ten minutes by default: live, so the engine judges all of it
	next := func(rounds int) [][]request {
		load := make([][]request, len(all))
		for i, p := range all {
			load[i] = encode(p, wanders[i], from, time.Second, rounds, requestEach)
		}
		from = from.Add(time.Duration(rounds*requestEach) * time.Second)
		return load
	}
	first := next(1) // series that are new to both; not counted
	if err := drive(ctx, s, first); err != nil {
		return err
	}
	if v != nil {
		if err := drive(ctx, v, first); err != nil {
			return err
		}
	}
	for i := range o.turns {
		load := next(o.rounds)
		say("  turn %d of %d, %d samples", i+1, o.turns, count(load))
		t, err := measure(ctx, s, load)
		if err != nil {
			return fmt.Errorf("dusthub: %w", err)
		}
		f.Ingest = append(f.Ingest, t)
		if v == nil {
			continue
		}
		if t, err = measure(ctx, v, load); err != nil {
			return fmt.Errorf("VictoriaMetrics: %w", err)
		}
		f.PeerIngest = append(f.PeerIngest, t)
	}
	f.MemoryMB = s.memory()
	if v != nil {
		f.PeerMemoryMB = v.memory()
	}
	return nil
}

// latest asks for the newest value of every series of one plant: here the page that shows the plant, there a query.
func latest(ctx context.Context, f *figures, s *site, v *peer, p plant) error {
	var ours, theirs []time.Duration
	for range latestAsked {
		begun := time.Now()
		if err := s.admin.call(ctx, http.MethodGet, "/api/v1/enterprises/"+p.code, nil, &json.RawMessage{}); err != nil {
			return err
		}
		ours = append(ours, time.Since(begun))
	}
	f.LatestMs, f.LatestSeries = ms(quantile(ours, 0.5)), p.series()
	if v == nil {
		return nil
	}
	q := "/api/v1/query?" + url.Values{"query": {`last_over_time(dust{metric=~"` + p.code + `.*"}[10m])`}, "nocache": {"1"}}.Encode()
	var found int
	for range latestAsked {
		begun := time.Now()
		body, err := v.get(ctx, q)
		if err != nil {
			return err
		}
		theirs = append(theirs, time.Since(begun))
		var answer struct {
			Data struct {
				Result []json.RawMessage `json:"result"`
			} `json:"data"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		found = len(answer.Data.Result)
	}
	if found != p.series() {
		return fmt.Errorf("VictoriaMetrics answers %d series of %d", found, p.series())
	}
	f.PeerLatestMs = ms(quantile(theirs, 0.5))
	return nil
}

// uplink starts the ministry, which was away until now, and looks how fast everything arrives there.
func uplink(ctx context.Context, o options, f *figures, ministry, s *site) error {
	wanted, err := s.samples(ctx, s.id)
	if err != nil {
		return err
	}
	say("uplink: %d samples that the ministry missed ...", wanted)
	if err := ministry.run(ctx, o, "ministry", nil, nil); err != nil {
		if ministry.process != nil {
			ministry.stop()
		}
		return err
	}
	defer ministry.stop()
	cpu := func() (time.Duration, error) {
		a, err := s.cpu()
		if err != nil {
			return 0, err
		}
		b, err := ministry.cpu()
		return a + b, err
	}
	before, err := cpu()
	if err != nil {
		return err
	}
	begun, first := time.Now(), true
	var atBegin, have int
	err = until(ctx, uplinkWithin, "the ministry to have everything", func() (bool, error) {
		if have, err = ministry.samples(ctx, s.id); err != nil {
			return false, err
		}
		if first && have > 0 && have < wanted { // else it took no longer than until we looked
			begun, atBegin, first = time.Now(), have, false
		}
		return have >= wanted, nil
	})
	if err != nil {
		return fmt.Errorf("%w: it has %d of %d", err, have, wanted)
	}
	took := time.Since(begun)
	after, err := cpu()
	f.UplinkPerSecond = float64(have-atBegin) / took.Seconds()
	f.UplinkPerCPUSecond = float64(have) / (after - before).Seconds()
	f.UplinkSamples = have
	return err
}

// quantile is the nearest rank.
func quantile(d []time.Duration, q float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
