// Package sim plays the plants of the demonstration against dusthub's public doors: PLCs that speak Modbus TCP, and
// clients that speak MQTT, line protocol and the SM4 JSON form.
package sim

import (
	"context"
	"sync"
	"time"

	"dusthub/deploy/demo/plants"
)

// stepEvery is the cycle of the simulated PLCs.
const stepEvery = time.Second

// Reading is one value a plant's own client sends.
type Reading struct {
	Metric string
	Value  float64
}

// World advances the physics of all plants and says what befalls them.
type World struct {
	Plants []plants.Plant

	mu       sync.Mutex
	started  time.Time
	machines [][]*plants.Machine
	struck   [][]plants.Incident
	scripted bool
}

// NewWorld makes the plants' machines. With scripted false nothing ever happens to them.
func NewWorld(all []plants.Plant, scripted bool) *World {
	w := &World{Plants: all, scripted: scripted, started: time.Now()}
	for i, p := range all {
		row := make([]*plants.Machine, len(p.Units))
		for k, u := range p.Units {
			row[k] = plants.NewMachine(u, uint64(i*16+k+1))
		}
		w.machines = append(w.machines, row)
		w.struck = append(w.struck, make([]plants.Incident, len(p.Units)))
	}
	return w
}

// Begin starts the script now: the first incident comes a few seconds later.
func (w *World) Begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started = time.Now()
}

// Run steps the world until ctx ends.
func (w *World) Run(ctx context.Context) error {
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			w.step(now)
		}
	}
}

func (w *World) step(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.machines {
		for k, m := range w.machines[i] {
			incident := plants.None
			if w.scripted {
				incident = plants.At(i, k, now.Sub(w.started), len(w.Plants))
			}
			w.struck[i][k] = incident
			m.Step(stepEvery, incident)
		}
	}
}

// Struck says whether an incident is at any unit of the plant now.
func (w *World) Struck(plant int, incident plants.Incident) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.struck[plant] {
		if i == incident {
			return true
		}
	}
	return false
}

// Readings are the readings of all points of a plant now.
func (w *World) Readings(plant int) []Reading {
	p := w.Plants[plant]
	var out []Reading
	for k, u := range p.Units {
		for _, pt := range u.Points {
			out = append(out, Reading{Metric: p.MetricCode(u, pt), Value: w.machines[plant][k].Reading(pt)})
		}
	}
	return out
}

// registers fills the plant's register block from address on.
func (w *World) registers(plant int, address uint16, out []uint16) {
	for k, u := range w.Plants[plant].Units {
		for _, pt := range u.Points {
			if at := int(pt.Address) - int(address); at >= 0 && at < len(out) {
				out[at] = w.machines[plant][k].Register(pt)
			}
		}
	}
}
