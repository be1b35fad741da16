package engine

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"dusthub/node/engine/risk"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// ErrState says that bytes are not an engine's state.
var ErrState = errors.New("engine: bad state")

// MarshalState encodes everything the engine remembers. Equal engines give equal bytes.
func (e *Engine) MarshalState() ([]byte, error) {
	st := e.st
	st.Users, st.Issued, st.Received, st.Plants = nil, nil, nil, nil
	for login := range e.users {
		st.Users = append(st.Users, login)
	}
	sort.Strings(st.GetUsers())
	for _, s := range e.issued {
		st.Issued = insert(st.GetIssued(), s, func(c *schema.IssuedCheck) string { return c.GetCheck().GetId() })
	}
	for _, s := range e.received {
		st.Received = insert(st.GetReceived(), s, (*schema.SpotCheck).GetId)
	}
	for _, code := range e.codes {
		st.Plants = append(st.Plants, e.plants[code].state())
	}
	b, err := schema.Marshal(st)
	st.Users, st.Issued, st.Received, st.Plants = nil, nil, nil, nil
	if err != nil {
		return nil, fmt.Errorf("encode engine state: %w", err)
	}
	return b, nil
}

func (p *plant) state() *schema.PlantState {
	st := &schema.PlantState{
		Enterprise: p.enterprise, Workshops: p.workshops, Systems: p.systems, Collectors: p.collectors, Cameras: p.cameras, Plans: p.plans,
		Alarms: p.alarms, Warnings: p.warnings, Former: p.former, Memory: p.memory, Hazards: p.hazards, Risk: p.risk, Level: p.level, LevelSince: p.levelSince, LowSince: p.lowSince,
	}
	for _, g := range p.gateways {
		st.Gateways = append(st.Gateways, g.st)
	}
	for _, s := range p.shelves {
		st.Shelves = append(st.Shelves, s.rec)
	}
	for _, s := range p.inForce {
		st.InForce = append(st.InForce, s.rec.GetId())
	}
	for _, x := range p.points {
		if x.ring != nil {
			x.st.Anchors = x.ring.list()
		}
		st.Points = append(st.Points, x.st)
	}
	for _, c := range p.combined {
		st.Combined = append(st.Combined, c.st)
	}
	return st
}

// UnmarshalState makes the engine what it was when MarshalState was called. Errors: ErrState.
func (e *Engine) UnmarshalState(b []byte) error {
	st := &schema.EngineState{}
	if err := proto.Unmarshal(b, st); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	plants, users, issued, received := st.GetPlants(), st.GetUsers(), st.GetIssued(), st.GetReceived()
	st.Plants, st.Users, st.Issued, st.Received = nil, nil, nil, nil
	e.reset(st)
	if doc := st.GetModel().GetDocument(); len(doc) > 0 {
		if m, err := risk.Parse(doc); err == nil { // one that an older program took and this one does not gives way to the configured one
			e.model = m
		}
	}
	for _, login := range users {
		e.users[login] = true
	}
	for _, id := range st.GetSeen() {
		e.seen[id] = true
	}
	for _, s := range issued {
		e.issued[s.GetCheck().GetId()] = s
	}
	for _, s := range received {
		e.received[s.GetId()] = s
	}
	for _, p := range plants {
		e.restore(p)
	}
	for _, p := range e.touched { // nothing changed: the scores were worked out anew
		p.touched = false
	}
	e.touched = e.touched[:0]
	return nil
}

func (e *Engine) restore(st *schema.PlantState) {
	p := &plant{
		code: st.GetEnterprise().GetCode(), enterprise: st.GetEnterprise(), workshops: st.GetWorkshops(), systems: st.GetSystems(),
		collectors: st.GetCollectors(), cameras: st.GetCameras(), plans: st.GetPlans(), alarms: st.GetAlarms(), warnings: st.GetWarnings(), former: st.GetFormer(),
		memory: st.GetMemory(), hazards: st.GetHazards(), risk: st.GetRisk(), level: st.GetLevel(), levelSince: st.GetLevelSince(), lowSince: st.GetLowSince(),
	}
	for _, g := range st.GetGateways() {
		p.gateways = append(p.gateways, &gateway{st: g, plant: p})
	}
	for _, x := range st.GetPoints() {
		pt := &point{st: x, plant: p}
		p.points = append(p.points, pt)
		e.place(pt, x.GetMetric().GetSeries())
	}
	e.plants[p.code] = p
	e.codes = append(e.codes, p.code)
	for _, c := range st.GetCombined() {
		p.combine(c)
	}
	for _, r := range st.GetShelves() {
		s := p.shelfOf(r)
		p.shelves = append(p.shelves, s)
		if slices.Contains(st.GetInForce(), r.GetId()) {
			p.inForce = append(p.inForce, s)
		}
	}
	e.rewire(p)
	e.index(p)
}

// index lists the keys of a plant's base records.
func (e *Engine) index(p *plant) {
	add := func(rec schema.Record) { e.keys[schema.TypeOf(rec)+"/"+schema.KeyOf(rec)] = p.code }
	add(p.enterprise)
	for _, r := range p.workshops {
		add(r)
	}
	for _, r := range p.systems {
		add(r)
	}
	for _, r := range p.collectors {
		add(r)
	}
	for _, r := range p.cameras {
		add(r)
	}
	for _, g := range p.gateways {
		add(g.st.GetGateway())
	}
	for _, x := range p.points {
		add(x.st.GetMetric())
	}
	for _, w := range p.plans {
		add(w.GetPlan())
	}
	for _, s := range p.shelves {
		add(s.rec)
	}
	for _, c := range p.combined {
		add(c.st.GetRule())
	}
}
