package engine

// tick lets time pass: gateways fall silent, deadlines run out, conditions last, levels come down, partitions end.
func (e *Engine) tick() {
	now := e.st.GetNow()
	sweep := now-e.st.GetSwept() >= sweepEvery
	if sweep {
		e.st.Swept = now
	}
	for _, code := range e.codes {
		p := e.plants[code]
		for _, g := range p.gateways {
			e.listen(g)
		}
		for _, x := range p.points {
			e.wait(x)
		}
		e.overdue(p)
		if sweep || p.restless() {
			e.touch(p)
		}
	}
	ended := now - e.cfg.Grace
	ended -= mod(ended, e.cfg.Partition)
	if ended > e.st.GetSealed() {
		e.st.Sealed = ended
		e.out.SealBefore = ended
	}
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// wait looks at a point for what only time brings: silence, and a digital state that lasts without being sent again.
func (e *Engine) wait(p *point) {
	now := e.st.GetNow()
	if p.gw == nil || p.st.GetSeen() == 0 || p.st.GetMetric().GetDisabled() {
		return
	}
	const stalePeriods, staleAtLeast = 3, 3 * minute
	stale := max(stalePeriods*int64(p.st.GetMetric().GetPeriodS())*1000, staleAtLeast)
	if now-p.st.GetSeen() > stale {
		if !p.gw.away() && p.plant.running() {
			e.hold(p, silent)
		}
		return
	}
	if !p.quiet && p.digital() {
		e.hold(p, equal)
	}
	if p.fan != nil && p.fan.fan == p && !p.quiet {
		e.judgeFan(p.fan, now)
	}
}

// hold raises a rule whose condition holds by the clock, when its on-delay has passed.
func (e *Engine) hold(p *point, o op) {
	for i := range p.rules {
		r := &p.rules[i]
		if r.op != o || r.st.GetAlarm() != "" {
			continue
		}
		if o == equal && (r.st.GetSince() == 0 || e.st.GetNow()-r.st.GetSince() < int64(p.st.GetMetric().GetLimits().GetOnDelayMs())) {
			continue
		}
		if r.st.GetSince() == 0 {
			r.st.Since = e.st.GetNow()
		}
		e.raisePoint(p, r, e.st.GetNow())
		p.settle(e.model)
		e.touch(p.plant)
	}
}

// restless says whether a plant's judgement may change by time alone.
func (p *plant) restless() bool {
	return len(p.alarms) > 0 || len(p.warnings) > 0 || len(p.memory) > 0 || p.lowSince != 0
}
