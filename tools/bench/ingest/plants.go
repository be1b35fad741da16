package main

import (
	"fmt"
	"math/rand/v2"

	"dusthub/deploy/demo/plants"
)

// region holds the county that all plants lie in; its first four digits are the city.
const (
	region = "3205"
	county = "320505"
)

// kind is one of the five series a collector has, with a resolution and a noise as plants have them.
type kind struct {
	code, name, unit string
	hi, base, noise  float64 // readings wander around base
	step             float64 // what the sensor resolves
	limits           object
}

var kinds = []kind{
	{code: "T01", name: "灰斗温度", unit: "°C", hi: 200, base: 35, noise: 0.3, step: 0.1, limits: object{"h": 60, "hh": 70, "deadband": 2}},
	{code: "P01", name: "进出口压差", unit: "Pa", hi: 5000, base: 900, noise: 8, step: 1, limits: object{"h": 1500, "hh": 2000, "deadband": 50}},
	{code: "K01", name: "锁气卸灰", unit: "0/1", hi: 1, step: 1, limits: object{"fault_state": 1, "fault_level": 2}},
	{code: "L01", name: "水箱水位", unit: "m", hi: 3, base: 1.2, noise: 0.01, step: 0.01, limits: object{"ll": 0.9, "l": 1, "deadband": 0.02}},
	{code: "F01", name: "循环水流量", unit: "m³/h", hi: 100, base: 24, noise: 0.2, step: 0.1, limits: object{"ll": 12, "l": 16, "deadband": 1}},
}

// plant has one gateway and many collectors with five series each.
type plant struct {
	code       string
	collectors int
}

func makePlants(n, collectors int) []plant {
	var out []plant
	for i := range n {
		out = append(out, plant{fmt.Sprintf("%s03%04d", county, i+1), collectors})
	}
	return out
}

func (p plant) gateway() string             { return p.code + "G01" }
func (p plant) series() int                 { return p.collectors * len(kinds) }
func (p plant) metric(c int, k kind) string { return fmt.Sprintf("%sC%03d%s01", p.code, c+1, k.code) }

// records are the plant's base data.
func (p plant) records() []object {
	change := func(typ string, record object) object { return object{"type": typ, "record": record} }
	out := []object{
		change("Enterprise", object{
			"code": p.code, "name": "plant " + p.code, "region": county, "lng": 120.5, "lat": 31.3, "industry": "C33", "mem_industry": "machinery", "scale": "small",
			"employees": 50, "dust_workers": 10, "max_shift_workers": 5, "production_state": "normal", "access_state": "connected", "should_access": true,
			"dusts": []object{{"dust": "2", "daily_yield_kg": 40}}, "safety_head": "bench", "safety_phone": "13800000000", "address": "bench", "uscc": uscc,
		}),
		change("Workshop", object{"code": p.code + "W01", "enterprise": p.code, "name": "bench", "building": "single_frame", "area_m2": 1000, "max_workers": 10}),
		change("Gateway", object{"code": p.gateway(), "enterprise": p.code, "name": "bench", "door": "prom"}),
		change("DustSystem", object{"code": p.code + "S01", "enterprise": p.code, "workshop": p.code + "W01", "name": "bench", "mode": "negative", "dusts": []string{"2"}, "process": "打磨"}),
	}
	for c := range p.collectors {
		code := fmt.Sprintf("%sC%03d", p.code, c+1)
		out = append(out, change("Collector", object{"code": code, "enterprise": p.code, "system": p.code + "S01", "name": code, "type": "wet_swirl", "location": "outdoor", "air_volume_m3h": 18000}))
		for _, k := range kinds {
			out = append(out, change("Metric", object{
				"code": p.metric(c, k), "enterprise": p.code, "collector": code, "gateway": p.gateway(), "kind": k.code, "name": k.name, "unit": k.unit,
				"range_lo": 0, "range_hi": k.hi, "limits": k.limits, "period_s": 1, "required_class": "required",
			}))
		}
	}
	return out
}

// uscc is a well-formed unified social credit code; all plants of a measurement share it.
var uscc = plants.All()[0].USCC

// wander is a plant's readings, one after another; the same seed gives the same readings.
type wander struct {
	r    *rand.Rand
	base []float64 // of each series
}

func newWander(p plant, seed uint64) *wander {
	w := &wander{r: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // readings, not secrets
	for range p.collectors {
		for _, k := range kinds {
			w.base = append(w.base, k.base*(0.95+w.r.Float64()/10))
		}
	}
	return w
}

// next is the next reading of a series: noise around what the series stands at, in steps of what its sensor resolves.
func (w *wander) next(i int) float64 {
	k := kinds[i%len(kinds)]
	if k.noise == 0 {
		return 0
	}
	steps := (w.base[i] + w.r.NormFloat64()*k.noise) / k.step
	return float64(int(steps+0.5)) / (1 / k.step)
}
