package engine

import (
	"dusthub/node/engine/risk"
	"dusthub/schema"
)

const (
	stateOnline     = "online"
	stateOffline    = "offline"
	stateSourceLost = "source_lost"

	noData     = "no_data"
	sourceLost = "source_lost"

	linkKind = risk.Link

	// outageMemory is how long outages count into the online rate (domain 6.2, M4).
	outageMemory = 7 * day
)

// heard notes that a gateway spoke without readings.
func (e *Engine) heard(h *schema.Heard) {
	p := e.plants[e.keys["Gateway/"+h.GetGateway()]]
	if p == nil {
		e.refuse("Gateway/"+h.GetGateway(), "gateway", "missing", h.GetGateway(), "a gateway of this site")
		return
	}
	g := p.gateway(h.GetGateway())
	g.st.Heard = e.st.GetNow()
	if !h.GetSourceLost() {
		g.st.Lost = 0
		if g.st.GetState() != stateOnline {
			e.online(g)
		}
		return
	}
	if g.st.GetLost() == 0 {
		g.st.Lost = e.st.GetNow()
	}
	if g.st.GetState() != stateSourceLost {
		e.move(g, stateSourceLost)
		e.over(p, &schema.Alarm{Gateway: g.code(), Rule: noData})
		e.over(p, &schema.Alarm{Rule: noData})
		e.alarmOf(g.plant, g.code(), sourceLost)
	}
}

// heardAgain notes a sample of a gateway that was not online. Samples from before its source was lost prove nothing.
func (e *Engine) heardAgain(g *gateway, t int64) {
	if g.st.GetState() == stateSourceLost && t <= g.st.GetLost() {
		return
	}
	g.st.Lost = 0
	e.online(g)
}

func (e *Engine) online(g *gateway) {
	if g.st.GetFirst() == 0 {
		g.st.First = e.st.GetNow()
	}
	if n := len(g.st.GetOutages()); n > 0 && g.st.GetOutages()[n-1].GetEnd() == 0 {
		g.st.Outages[n-1].End = e.st.GetNow()
	}
	e.move(g, stateOnline)
	for _, rule := range []string{noData, sourceLost} {
		e.over(g.plant, &schema.Alarm{Gateway: g.code(), Rule: rule})
	}
	e.over(g.plant, &schema.Alarm{Rule: noData})
}

// over returns the alarm of a rule on a gateway, or on a plant as a whole.
func (e *Engine) over(p *plant, a *schema.Alarm) {
	if i := p.open(a); i >= 0 {
		e.returned(p, p.alarms[i].GetId(), e.st.GetNow())
	}
}

func (e *Engine) move(g *gateway, state string) {
	g.st.State, g.st.Since = state, e.st.GetNow()
	e.write(&schema.GatewayState{Gateway: g.code(), Enterprise: g.plant.code, State: state, Since: e.st.GetNow()})
	e.touch(g.plant)
}

// alarmOf raises the alarm of a rule on a gateway, or on a plant as a whole, unless it is active already.
func (e *Engine) alarmOf(p *plant, gateway, rule string) {
	a := &schema.Alarm{Gateway: gateway, Rule: rule, Level: 1, Onset: e.st.GetNow()}
	if i := p.open(a); p.running() && (i < 0 || p.alarms[i].GetCondition() != active) {
		e.raise(p, a)
	}
}

// listen notices, at a tick, which gateways have not been heard for too long, and when none is left (domain 2.4).
func (e *Engine) listen(p *plant) {
	known, offline := 0, 0
	for _, g := range p.gateways {
		if g.st.GetFirst() == 0 || g.st.GetGateway().GetDisabled() {
			continue
		}
		known++
		if g.st.GetState() != stateOffline && e.st.GetNow()-g.st.GetHeard() > e.cfg.OfflineAfter {
			e.lose(g)
		}
		switch g.st.GetState() {
		case stateOffline:
			offline++
			e.alarmOf(p, g.code(), noData)
		case stateSourceLost:
			e.alarmOf(p, g.code(), sourceLost)
		}
	}
	if known > 1 && offline == known { // of a plant with one gateway its own alarm says it all
		e.alarmOf(p, "", noData)
	}
}

// lose notes that a gateway is offline.
func (e *Engine) lose(g *gateway) {
	g.st.Outages = append(g.st.GetOutages(), &schema.Outage{Start: g.st.GetHeard()})
	for len(g.st.GetOutages()) > 1 && g.st.GetOutages()[0].GetEnd() < e.st.GetNow()-outageMemory {
		g.st.Outages = g.st.GetOutages()[1:]
	}
	e.move(g, stateOffline)
}

// onlineRate is the share of the last seven days, or of its life, that a gateway was heard; 1 when it is too young to say.
func (g *gateway) onlineRate(now int64) float64 {
	const atLeast = hour
	from := max(g.st.GetFirst(), now-outageMemory)
	if g.st.GetFirst() == 0 || now-from < atLeast {
		return 1
	}
	away := int64(0)
	for _, o := range g.st.GetOutages() {
		end := o.GetEnd()
		if end == 0 {
			end = now
		}
		away += max(0, end-max(from, o.GetStart()))
	}
	return 1 - float64(away)/float64(now-from)
}

// offlineFor is how long all of a plant's gateways have been away, ms.
func (p *plant) offlineFor(now int64) int64 {
	shortest := int64(-1)
	for _, g := range p.gateways {
		if g.st.GetFirst() == 0 || g.st.GetGateway().GetDisabled() {
			continue
		}
		away := int64(0)
		if g.st.GetState() == stateOffline {
			away = now - g.st.GetHeard()
		}
		if shortest < 0 || away < shortest {
			shortest = away
		}
	}
	return max(0, shortest)
}
