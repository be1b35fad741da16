package engine

// tick lets time pass: gateways fall silent, conditions last, shelves end, deadlines run out, levels come down, partitions end.
func (e *Engine) tick() {
	now := e.st.GetNow()
	sweep := now-e.st.GetSwept() >= e.model.Cadence.Sweep.Ms()
	if sweep {
		e.st.Swept = now
	}
	for _, code := range e.codes {
		p := e.plants[code]
		e.listen(p)
		for _, x := range p.points {
			e.wait(x)
		}
		for _, c := range p.combined {
			if c.formula != nil && (c.pending() || c.st.GetUnsure()) {
				e.judgeCombined(c, now)
			}
		}
		e.reshelve(p)
		e.attend(p)
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

// wait looks at a point for what only time brings: silence, a value that stands, a state that lasts without being sent again.
func (e *Engine) wait(p *point) {
	if p.gw == nil || len(p.rules) == 0 {
		return
	}
	now, moved := e.st.GetNow(), false
	p.before = p.st.GetTime()
	if p.sleeps(e, now) {
		return
	}
	for i := range p.rules {
		r := &p.rules[i]
		holds, known := p.lasts(e, r, now)
		if !known || !holds && r.st.GetSince() == 0 {
			continue
		}
		alarm, since, grave := r.st.GetAlarm(), r.st.GetSince(), r.st.GetGrave()
		e.step(r, holds, now)
		moved = moved || r.st.GetAlarm() != alarm || r.st.GetSince() != since || r.st.GetGrave() != grave
	}
	if p.fan != nil && p.fan.fan == p && !p.quiet && !p.stale(now) {
		e.judgeFan(p.fan, now)
	}
	if moved {
		e.settle(p)
	}
}

// sleeps says whether the clock alone can change no rule of a point: none holds or is up, it is heard, its alarms are not frequent and its value
// moved lately. Most points sleep, and there are many: their rules are not looked at one by one.
func (p *point) sleeps(e *Engine, now int64) bool {
	return p.quiet && !p.moving && !p.stale(now) && (p.stuck == 0 || now-p.st.GetChanged() < p.stuck) && !p.often(e, now)
}

// restless says whether a plant's judgement may change by time alone.
func (p *plant) restless() bool {
	return len(p.alarms) > 0 || len(p.warnings) > 0 || len(p.memory) > 0 || p.lowSince != 0
}
