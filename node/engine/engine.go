// Package engine judges: it turns commands into changes of records. It is pure. It reads no clock, no random number, no
// map in iteration order, no network and no file, so that the same commands give the same changes on every replica.
package engine

import (
	"fmt"
	"slices"
	"strings"

	"dusthub/node/engine/risk"
	"dusthub/schema"
)

// Config of an engine; the same on every replica of a site. Zero values mean the defaults of New.
type Config struct {
	Site         string // id
	Level        string // ministry, province
	Region       string // GB/T 2260; a province keeps plants of its own region only
	Parent       string // site above; empty at the root, which publishes risk models
	LiveWithin   int64  // ms: older samples are back-fill and never alarm, 10 min (domain 2.4)
	Partition    int64  // ms: length of a partition of samples, 2 h
	Grace        int64  // ms: how long after its end a partition seals, 10 min
	OfflineAfter int64  // ms: a gateway not heard for this long is offline, 10 min (domain 2.4)
	FanStopDelay int64  // ms: the fan runs on after production, 10 min (GB 15577-2018 8.1.6)
	Model        *risk.Model
	Figures      *schema.AlarmFigures // priorities, deadlines and the like; nil: the shipped ones
}

// Change is one record this site writes because of a command.
type Change struct {
	Type, Key string
	Record    schema.Record // nil when deleted; not changed afterwards
	Deleted   bool
	To        string // SCOPE_DOWN: the child, or "*"
}

// Effects are what a command leads to.
type Effects struct {
	Changes    []Change
	Keys       []string            // of the records a Put or Act wrote, in order
	Violations []*schema.Violation // not empty: refused, and there are no changes
	Duplicate  bool                // applied before under the same id
	SealBefore int64               // ms: partitions that end by then are to be sealed; 0: none
}

const (
	minute = int64(60 * 1000)
	hour   = 60 * minute
	day    = 24 * hour

	seenLimit = 10000 // command ids remembered
)

// Engine holds what judging needs to remember. One goroutine uses it.
type Engine struct {
	cfg    Config
	st     *schema.EngineState // scalars, and seen; the rest is in what follows and gathered by MarshalState
	model  *risk.Model
	tables *schema.InForce

	plants map[string]*plant
	codes  []string          // of plants, sorted
	series []*point          // by series number
	keys   map[string]string // "Type/key" of base records -> enterprise
	users  map[string]bool
	seen   map[string]bool

	issued   map[string]*schema.IssuedCheck
	received map[string]*schema.SpotCheck

	out     *Effects // of the command under way
	actor   string   // of the put under way
	role    string   // of the put under way, empty: the site
	reason  string   // of the put under way
	touched []*plant // plants whose inputs it changed, in order

	scratch     risk.Snapshot // of the plant under judgement
	evaluations uint64        // since the start, of plants
}

// New makes an engine that knows nothing yet.
func New(cfg Config) *Engine {
	for _, d := range []struct {
		v *int64
		d int64
	}{{&cfg.LiveWithin, 10 * minute}, {&cfg.Partition, 2 * hour}, {&cfg.Grace, 10 * minute}, {&cfg.OfflineAfter, 10 * minute}, {&cfg.FanStopDelay, 10 * minute}} {
		if *d.v == 0 {
			*d.v = d.d
		}
	}
	if cfg.Model == nil {
		cfg.Model = risk.Shipped()
	}
	if cfg.Figures == nil {
		cfg.Figures = schema.Alarming()
	}
	e := &Engine{cfg: cfg}
	e.reset(&schema.EngineState{})
	return e
}

func (e *Engine) reset(st *schema.EngineState) {
	e.st, e.model, e.tables = st, e.cfg.Model, nil
	for _, t := range st.GetTables() {
		e.tables = e.tables.With(t)
	}
	e.plants, e.codes, e.series = map[string]*plant{}, nil, nil
	e.keys, e.users, e.seen = map[string]string{}, map[string]bool{}, map[string]bool{}
	e.issued, e.received = map[string]*schema.IssuedCheck{}, map[string]*schema.SpotCheck{}
	e.out, e.touched = &Effects{}, nil
}

// Now is the time of the last command, ms.
func (e *Engine) Now() int64 { return e.st.GetNow() }

// Model is the risk model in force.
func (e *Engine) Model() *risk.Model { return e.model }

// Apply judges one command. Inbound and Blob commands are not the engine's: it only takes their time.
func (e *Engine) Apply(cmd *schema.Command) Effects {
	e.begin(cmd.GetTime())
	switch b := cmd.GetBody().(type) {
	case *schema.Command_Frame:
		e.frame(b.Frame)
	case *schema.Command_Put:
		e.once(cmd, func() { e.put(cmd.GetActor(), b.Put) })
	case *schema.Command_Act:
		e.once(cmd, func() { e.act(cmd.GetActor(), b.Act) })
	case *schema.Command_Tick:
		e.tick()
	case *schema.Command_Heard:
		e.heard(b.Heard)
	case *schema.Command_Refused:
		e.once(cmd, func() { e.refused(b.Refused.GetQuarantine()) })
	}
	return e.finish()
}

func (e *Engine) begin(now int64) {
	e.st.Now = max(e.st.GetNow(), now)
	e.out = &Effects{}
}

// finish judges the plants whose inputs changed.
func (e *Engine) finish() Effects {
	for i := 0; i < len(e.touched); i++ { // a judgement may touch its own plant again
		p := e.touched[i]
		p.touched = false
		e.evaluate(p)
	}
	e.touched = e.touched[:0]
	return *e.out
}

func (e *Engine) touch(p *plant) {
	if !p.touched {
		p.touched = true
		e.touched = append(e.touched, p)
	}
}

// once runs a command that must not be applied twice under one id.
func (e *Engine) once(cmd *schema.Command, run func()) {
	id := cmd.GetId()
	if id != "" && e.seen[id] {
		e.out.Duplicate = true
		return
	}
	run()
	if id == "" || len(e.out.Violations) > 0 {
		return
	}
	e.seen[id] = true
	e.st.Seen = append(e.st.Seen, id)
	if len(e.st.Seen) > seenLimit {
		delete(e.seen, e.st.GetSeen()[0])
		e.st.Seen = slices.Delete(e.st.GetSeen(), 0, 1)
	}
}

// write adds a change to the effects. The record must not be changed afterwards.
func (e *Engine) write(rec schema.Record) { e.writeTo(rec, "") }

func (e *Engine) writeTo(rec schema.Record, to string) {
	e.out.Changes = append(e.out.Changes, Change{Type: schema.TypeOf(rec), Key: schema.KeyOf(rec), Record: rec, To: to})
}

// id makes an id that no other record of this site has: letter, site, time, counter.
func (e *Engine) id(letter string) string {
	e.st.Counter++
	return fmt.Sprintf("%s-%s-%013d-%d", letter, e.cfg.Site, e.st.GetNow(), e.st.GetCounter())
}

// refuse says that the command under way does not conform in one more way.
func (e *Engine) refuse(record, field, rule, got, wanted string) {
	e.out.Violations = append(e.out.Violations, &schema.Violation{Record: record, Field: field, Rule: rule, Got: got, Wanted: wanted})
}

// refused keeps what a door refused.
func (e *Engine) refused(q *schema.Quarantine) {
	if vs := schema.Validate(q); schema.Refuses(vs) {
		e.out.Violations = vs
		return
	}
	e.write(q)
}

// Conflict is a sample that came again with another value.
type Conflict struct {
	Series    uint32
	Time      int64 // ms
	Kept, Got float64
}

// Conflicts quarantines samples that came again with other values: the first was kept. total counts those not listed too.
func (e *Engine) Conflicts(list []Conflict, total int, now int64) Effects {
	e.begin(now)
	q := &schema.Quarantine{Id: e.id("Q"), Source: e.cfg.Site, Door: "samples", Time: e.st.GetNow(), Count: uint32(total)}
	for _, c := range list {
		subject := fmt.Sprintf("series %d", c.Series)
		if p := e.point(c.Series); p != nil {
			subject = "Metric/" + p.st.GetMetric().GetCode()
			q.Source = p.st.GetMetric().GetGateway()
		}
		q.Violations = append(q.Violations, &schema.Violation{
			Record: subject, Field: "value", Rule: "conflict", Got: fmt.Sprintf("%v at %d", c.Got, c.Time), Wanted: fmt.Sprintf("%v, which came first", c.Kept),
		})
	}
	if len(q.GetViolations()) > 0 {
		e.write(q)
	}
	return e.finish()
}

// Refuse quarantines an entry of a neighbour's ledger that does not conform; the neighbour is told.
func (e *Engine) Refuse(from string, seq uint64, vs []*schema.Violation, content []byte, now int64) Effects {
	const excerpt = 4096
	e.begin(now)
	e.writeTo(&schema.Quarantine{
		Id: e.id("Q"), Source: from, Door: fmt.Sprintf("events %d", seq), Time: e.st.GetNow(), Violations: vs, Content: content[:min(len(content), excerpt)], Count: 1,
	}, from)
	return e.finish()
}

// Observe takes note of another site's record that was applied here; a nil record was deleted.
func (e *Engine) Observe(origin, typ, key string, rec schema.Record, now int64) Effects {
	e.begin(now)
	if rec == nil && typ == "SpotCheck" {
		delete(e.received, key)
	}
	switch r := rec.(type) {
	case *schema.SpotCheck:
		e.receive(r)
	case *schema.SpotCheckAnswer:
		e.answered(r)
	case *schema.RiskModel:
		e.know(r)
		e.install(r)
	case *schema.CodeTable:
		e.tabled(r)
	}
	return e.finish()
}

// insert puts v into a list sorted by key, in place of the one with its key.
func insert[T any](list []T, v T, key func(T) string) []T {
	i, found := slices.BinarySearchFunc(list, key(v), func(a T, k string) int { return strings.Compare(key(a), k) })
	if found {
		list[i] = v
		return list
	}
	return slices.Insert(list, i, v)
}

// remove takes the one with a key out of a sorted list.
func remove[T any](list []T, k string, key func(T) string) []T {
	if i, found := slices.BinarySearchFunc(list, k, func(a T, k string) int { return strings.Compare(key(a), k) }); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}
