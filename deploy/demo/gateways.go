package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"dusthub/deploy/demo/plants"
	"dusthub/deploy/demo/sim"
	"dusthub/node/loopback"
)

// pollPeriod is how often a gateway polls its PLC.
const pollPeriod = time.Second

// gatewayProcess is one plant's edge gateway, a `dusthub collect`; nil while it has no power.
type gatewayProcess struct {
	name, config string
	ops          string
	process      *process
	before       counts // of processes that ended
}

// startPlants starts PLCs, gateways and clients.
func (r *run) startPlants(ctx context.Context) error {
	r.say("starting %d plants ...", len(r.plants))
	creds, err := credentials(ctx, r.opt.Dir, r.admins, r.plants)
	if err != nil {
		return err
	}
	r.world = sim.NewWorld(r.plants, true)
	polled := 0
	for _, p := range r.plants {
		if p.Door == plants.Modbus {
			polled++
		}
	}
	ports, err := loopback.Free(2 * polled)
	if err != nil {
		return err
	}
	for i, p := range r.plants {
		s := r.siteOf(p)
		switch p.Door {
		case plants.Modbus:
			if err := r.startGateway(i, s, ports[0], ports[1]); err != nil {
				return err
			}
			ports = ports[2:]
		case plants.MQTT:
			c, err := sim.NewMQTT(r.world, i, s.Replicas[0].MQTT, creds[p.GatewayCode()], r.log)
			if err != nil {
				return fmt.Errorf("plant %s: %w", p.Name, err)
			}
			r.clients[i] = c
		case plants.Line:
			r.clients[i] = sim.NewLine(r.world, i, "http://"+s.Replicas[0].Access, creds[p.GatewayCode()], r.log)
		case plants.SM4:
			r.clients[i] = sim.NewSM4(r.world, i, "http://"+s.Replicas[0].Access, creds[p.GatewayCode()], r.log)
		}
	}
	for _, s := range r.sites {
		if s.Level == "province" {
			p := leisurely
			if r.opt.Check {
				p = brisk
			}
			r.crews = append(r.crews, newCrew(s, r.plants, p, r.log))
		}
	}
	return nil
}

func (r *run) siteOf(p plants.Plant) *site {
	for _, s := range r.sites {
		if s.ID == p.Site {
			return s
		}
	}
	return nil
}

func (r *run) startGateway(plant int, s *site, plcAddr, ops string) error {
	p := r.plants[plant]
	plc, err := sim.StartPLC(r.world, plant, plcAddr)
	if err != nil {
		return err
	}
	r.plcs = append(r.plcs, plc)
	type m = map[string]any
	var points []m
	for _, u := range p.Units {
		for _, pt := range u.Points {
			point := m{"metric": p.MetricCode(u, pt), "register": "holding", "address": pt.Address, "type": "int16"}
			if pt.Scale != 0 {
				point["scale"] = pt.Scale
			}
			points = append(points, point)
		}
	}
	var targets []string
	for _, a := range s.Replicas {
		targets = append(targets, a.GRPC)
	}
	name := p.GatewayCode()
	path, err := writeYAML(filepath.Join(r.opt.Dir, "config", name+".yaml"), m{
		"gateway": name, "identity_dir": identityDir(r.opt.Dir, name), "ops": ops,
		"target": m{"site": s.ID, "addrs": targets},
		"buffer": m{"dir": filepath.Join(r.opt.Dir, "gateway", name), "max_bytes": 64 << 20},
		"modbus": []m{{"url": "tcp://" + plcAddr, "unit": 1, "period": pollPeriod.String(), "points": points}},
	})
	if err != nil {
		return err
	}
	g := &gatewayProcess{name: name, config: path, ops: ops}
	if g.process, err = start(r.opt.Binary, r.opt.Dir, name, "collect", "--config", path); err != nil {
		return err
	}
	r.gateways[plant] = g
	return nil
}

// background runs physics, clients, crews and the power of the gateways until ctx ends.
func (r *run) background(ctx context.Context, group *sync.WaitGroup) {
	r.world.Begin()
	jobs := map[string]func(context.Context) error{"world": r.world.Run, "power": r.power}
	for i, c := range r.clients {
		jobs[fmt.Sprint("client ", i)] = c.Run
	}
	for _, c := range r.crews {
		jobs["crew "+c.site.ID] = c.Run
	}
	for name, job := range jobs {
		group.Go(func() {
			if err := job(ctx); err != nil {
				r.log.Error("a part of the demonstration ended", "part", name, "err", err)
			}
		})
	}
}

// power takes the power from gateways whose plant is struck by Offline, and gives it back.
func (r *run) power(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for plant, g := range r.gateways {
			if err := r.switchPower(ctx, g, !r.world.Struck(plant, plants.Offline)); err != nil {
				return err
			}
		}
	}
}

func (r *run) switchPower(ctx context.Context, g *gatewayProcess, on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !on && g.process != nil:
		if c, err := gatewayCounts(ctx, g.ops); err == nil {
			g.before.add(c)
		}
		p := g.process
		g.process = nil
		return p.stop(stopWithin)
	case on && g.process == nil:
		p, err := start(r.opt.Binary, r.opt.Dir, g.name, "collect", "--config", g.config)
		if err != nil {
			return err
		}
		g.process = p
	}
	return nil
}
