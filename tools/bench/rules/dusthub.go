package main

import (
	"fmt"
	"runtime"
	"time"

	"dusthub/node/engine"
	"dusthub/schema"
	"dusthub/schema/frame"
)

// framed is how many readings a frame has.
const framed = 1000

// dusthub judges the load by the engine as a site runs it: one frame after another, a tick a round. The alarms it raised prove that it judged.
func dusthub(l load) (spent time.Duration, alarms int, err error) {
	e := engine.New(engine.Config{Site: "jiangsu", Level: "province", Region: "320000"})
	now := start
	var series []uint32
	was := map[string]bool{} // alarms that are active
	for p := range l.plants {
		eff := e.Apply(&schema.Command{Id: fmt.Sprint("put", p), Time: now, Actor: "admin", Body: &schema.Command_Put{Put: plant(p, l.collectors)}})
		if len(eff.Violations) > 0 {
			return 0, 0, fmt.Errorf("base data refused: %v", eff.Violations[0])
		}
		for _, c := range eff.Changes {
			if m, ok := c.Record.(*schema.Metric); ok {
				series = append(series, m.GetSeries())
			}
		}
	}
	if len(series) != l.series() {
		return 0, 0, fmt.Errorf("%d series, wanted %d", len(series), l.series())
	}
	for round := range warmUp + l.rounds {
		now += step
		var frames [][]byte
		samples := make([]frame.Sample, 0, framed)
		for i, s := range series {
			samples = append(samples, frame.Sample{Series: s, Time: now, Value: l.value(i, round)})
			if len(samples) == framed || i == len(series)-1 {
				frames = append(frames, frame.Append(nil, samples))
				samples = samples[:0]
			}
		}
		if round == warmUp {
			runtime.GC() // what making the plants left behind is not judging
		}
		effects := make([]engine.Effects, 0, len(frames)+1)
		d, err := timed(func() error {
			for _, f := range frames {
				effects = append(effects, e.Apply(&schema.Command{Time: now, Body: &schema.Command_Frame{Frame: f}}))
			}
			effects = append(effects, e.Apply(&schema.Command{Time: now, Body: &schema.Command_Tick{Tick: &schema.Tick{}}}))
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
		for _, eff := range effects {
			alarms += raised(eff, was)
		}
		if round >= warmUp {
			spent += d
		}
	}
	return spent, alarms, nil
}

// raised counts alarms that were raised, or came again.
func raised(eff engine.Effects, was map[string]bool) (n int) {
	for _, c := range eff.Changes {
		a, ok := c.Record.(*schema.Alarm)
		if !ok || a.GetRule() == "frequent" {
			continue
		}
		is := a.GetCondition() == "active"
		if is && !was[a.GetId()] {
			n++
		}
		was[a.GetId()] = is
	}
	return n
}

// plant is the base data of one plant: collectors with ten series each.
func plant(n, collectors int) *schema.Put {
	code := fmt.Sprintf("32050503%04d", n+1)
	put := &schema.Put{}
	add := func(rec schema.Record) {
		raw, err := schema.Marshal(rec)
		if err != nil {
			fail(err)
		}
		put.Changes = append(put.Changes, &schema.Change{Type: schema.TypeOf(rec), Record: raw})
	}
	add(&schema.Enterprise{
		Code: code, Uscc: "91350100M000100Y43", UsccOverride: "bench", Name: "x", Region: "320505", Industry: "C33", MemIndustry: "machinery", Scale: "small", Employees: 100, DustWorkers: 35, MaxShiftWorkers: 20,
		ProductionState: "normal", AccessState: "connected", Dusts: []*schema.Dust{{Dust: "2"}}, Address: "x", Lng: 120.5, Lat: 31.3, SafetyHead: "x", SafetyPhone: "138",
	})
	add(&schema.Workshop{Code: code + "W01", Enterprise: code, Name: "x", Building: "single_frame"})
	add(&schema.DustSystem{Code: code + "S01", Enterprise: code, Workshop: code + "W01", Name: "1", Mode: "negative", Dusts: []string{"2"}})
	add(&schema.Gateway{Code: code + "G01", Enterprise: code, Door: "frames"})
	hh, h, low, ll := limitHH, limitH, limitL, limitLL
	for c := range collectors {
		collector := fmt.Sprintf("%sC%03d", code, c+1)
		add(&schema.Collector{Code: collector, Enterprise: code, System: code + "S01", Name: "1", Type: "dry_bag", Measures: []string{"venting"}, LockGasDevice: true})
		for k := range perPlant {
			add(&schema.Metric{
				Code: fmt.Sprintf("%sT01%02d", collector, k+1), Enterprise: code, Collector: collector, Gateway: code + "G01", Kind: "T01", Name: "x", Unit: "°C", RangeLo: -20, RangeHi: 200, PeriodS: 15,
				Limits: &schema.Limits{Hh: &hh, H: &h, L: &low, Ll: &ll, OnDelayMs: int32(hold.Milliseconds())},
			})
		}
	}
	return put
}
