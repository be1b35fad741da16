package engine

import (
	"math"
	"slices"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// plant is an enterprise with all that is judged about it. Lists are sorted by code, alarms and warnings in order of raising.
type plant struct {
	code       string
	enterprise *schema.Enterprise
	workshops  []*schema.Workshop
	systems    []*schema.DustSystem
	collectors []*schema.Collector
	cameras    []*schema.Camera
	gateways   []*gateway
	points     []*point
	plans      []*schema.PlanWatch
	alarms     []*schema.Alarm   // not closed
	warnings   []*schema.Warning // not closed
	shelves    []*shelf          // not ended
	inForce    []*shelf
	shelved    bool // as a whole
	combined   []*combined
	former     []*schema.Former
	memory     []*schema.Remembered
	hazards    []*schema.Hazard // not closed, by code

	base       base
	cleaning   cleaning
	risk       *schema.RiskResult // as last written
	level      string
	levelSince int64
	lowSince   int64
	touched    bool
}

// gateway is a plant's gateway and whether it is heard.
type gateway struct {
	st    *schema.GatewayWatch
	plant *plant
}

func (g *gateway) code() string { return g.st.GetGateway().GetCode() }

// away says whether nothing can be known of the gateway's metrics.
func (g *gateway) away() bool {
	return g.st.GetState() == stateOffline || g.st.GetState() == stateSourceLost
}

// point is a metric with the state of its rules.
type point struct {
	st     *schema.PointState
	plant  *plant
	gw     *gateway
	system string
	kind   schema.Kind
	rules  []rule
	fan    *fan     // of R01 and R02 of a collector
	run    *point   // R01 of the point's collector
	driven []*point // of an R01: what is judged only while it runs
	quench *point   // S02 of the collector of an S01
	// combined are the rules over several metrics, this one among them.
	combined []*combined
	shelved  bool
	ring     *ring // when the rate of change is watched
	before   int64 // ms: of the sample before the one being judged
	// A good value strictly between lo and hi changes nothing while the point is quiet: it lies in the band, and between the bounds
	// the combined rules compare it with. Between nearLo and nearHi it is not near a limit.
	lo, hi, bandLo, bandHi, nearLo, nearHi float64
	quiet                                  bool
	moving                                 bool // of some rule the condition holds, or the alarm goes on
	score                                  float64
	stuck                                  int64 // ms: unchanged for so long is stuck; 0: not judged
}

func (p *point) digital() bool { return p.kind.Signal == "DI" }

func codeOfPoint(p *point) string                { return p.st.GetMetric().GetCode() }
func codeOfGateway(g *gateway) string            { return g.code() }
func codeOfWorkshop(w *schema.Workshop) string   { return w.GetCode() }
func codeOfSystem(s *schema.DustSystem) string   { return s.GetCode() }
func codeOfCollector(c *schema.Collector) string { return c.GetCode() }
func codeOfCamera(c *schema.Camera) string       { return c.GetGbId() }
func codeOfPlan(p *schema.PlanWatch) string      { return p.GetPlan().GetId() }

func (p *plant) gateway(code string) *gateway {
	for _, g := range p.gateways {
		if g.code() == code {
			return g
		}
	}
	return nil
}

func (p *plant) collector(code string) *schema.Collector {
	for _, c := range p.collectors {
		if c.GetCode() == code {
			return c
		}
	}
	return nil
}

// running says whether the plant is supposed to be heard: not stopped, closed or under maintenance.
func (p *plant) running() bool { return p.enterprise.GetProductionState() == "normal" }

func (e *Engine) point(series uint32) *point {
	if int(series) < len(e.series) {
		return e.series[series]
	}
	return nil
}

// configure (re)builds what is derived of a metric: its rules, with the state of those that stay, and its quiet band.
func (e *Engine) configure(p *point) {
	m := p.st.GetMetric()
	p.kind, _ = schema.MetricKind(m.GetKind())
	p.gw = p.plant.gateway(m.GetGateway())
	if c := p.plant.collector(m.GetCollector()); c != nil {
		p.system = c.GetSystem()
	}
	var rules []rule
	if !m.GetDisabled() {
		rules = e.rulesOf(p)
	}
	states := make([]*schema.RuleState, len(rules))
	for i := range rules {
		states[i] = &schema.RuleState{Rule: rules[i].name}
		for _, old := range p.st.GetRules() {
			if old.GetRule() == rules[i].name {
				states[i] = old
			}
		}
		rules[i].st = states[i]
	}
	e.dropRules(p, states)
	p.rules, p.st.Rules = rules, states
	p.watchRate()
	p.band(e.model)
}

// rulesOf lists the rules a metric's kind and limits ask for.
func (e *Engine) rulesOf(p *point) []rule {
	m := p.st.GetMetric()
	limits := m.GetLimits()
	if limits == nil {
		limits = &schema.Limits{}
	}
	var rules []rule
	on, off := int64(limits.GetOnDelayMs()), int64(limits.GetOffDelayMs())
	add := func(name string, o op, level int32, limit float64) *rule {
		rules = append(rules, rule{name: name, op: o, level: level, limit: limit, on: on, off: off, point: p})
		return &rules[len(rules)-1]
	}
	process := func(name string, o op, level int32, limit float64) { // what may become grave by lasting
		add(name, o, level, limit).grave = int64(limits.GetGraveAfterMs())
	}
	for _, x := range []struct {
		name  string
		op    op
		level int32
		limit *float64
	}{{"HH", above, 2, limits.Hh}, {"H", above, 1, limits.H}, {"L", below, 1, limits.L}, {"LL", below, 2, limits.Ll}} {
		if x.limit != nil {
			process(x.name, x.op, x.level, *x.limit)
		}
	}
	if limits.FaultState != nil && limits.GetFaultLevel() > 0 {
		process("DI", equal, limits.GetFaultLevel(), float64(limits.GetFaultState()))
	}
	if limits.Rate != nil {
		process("rate", tooFast, 1, limits.GetRate())
	}
	if limits.GetStuckMs() > 0 && !p.digital() {
		add("stuck", frozen, 1, float64(limits.GetStuckMs())).on = 0
	}
	if m.GetKind() == sparkDetected {
		add("spark_repeat", sparking, 2, sparksFrom)
		add("spark_unquenched", burning, 2, 1).on = max(on, quenchWithin)
	}
	if m.GetKind() == fanRunning {
		add("fan_before_production", fanFirst, 2, 0).on = max(on, fanDelay)
		add("fan_delay_stop", fanTooSoon, 1, float64(e.cfg.FanStopDelay))
	}
	add("over_range", outside, 1, m.GetRangeHi())
	add("fault", faulty, 1, 0)
	add("no_data", silent, 1, 0).on = 0
	add("frequent", tooOften, 1, float64(e.cfg.Figures.Frequent[0].Count)).on = 0
	return rules
}

// dropRules returns the alarms of rules that a metric no longer has.
func (e *Engine) dropRules(p *point, kept []*schema.RuleState) {
	for _, old := range p.st.GetRules() {
		if old.GetAlarm() != "" && !slices.Contains(kept, old) {
			e.returned(p.plant, old.GetAlarm(), e.st.GetNow())
		}
	}
}

// band works out the values that need no second look: within the range, and not near a first limit.
func (p *point) band(model *risk.Model) {
	m := p.st.GetMetric()
	p.nearLo, p.nearHi, p.stuck = math.Inf(-1), math.Inf(1), 0
	for _, r := range p.rules {
		switch r.op {
		case frozen:
			p.stuck = int64(r.limit)
		case above:
			p.nearHi = math.Min(p.nearHi, r.limit-model.Near*math.Abs(r.limit))
		case below:
			p.nearLo = math.Max(p.nearLo, r.limit+model.Near*math.Abs(r.limit))
		default:
		}
	}
	p.bandLo = math.Max(p.nearLo, math.Nextafter(m.GetRangeLo(), math.Inf(-1)))
	p.bandHi = math.Min(p.nearHi, math.Nextafter(m.GetRangeHi(), math.Inf(1)))
}

// idle says whether a value that is judged only while the fan runs need not be judged now.
func (p *point) idle() bool {
	return p.kind.WhileFan && p.run != nil && p.run.st.GetTime() != 0 && p.run.st.GetLast() != 1
}
