package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dusthub/schema"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Difference is one way in which an interval judged again is not what the record says.
type Difference struct {
	What     string `json:"what" enum:"alarm,risk,warning,action,more"`
	Time     int64  `json:"time"`
	Record   string `json:"record" doc:"type and key, of the record where it has one"`
	Field    string `json:"field,omitempty" doc:"empty: the whole"`
	Recorded string `json:"recorded,omitempty" doc:"empty: not so in the record"`
	Judged   string `json:"judged,omitempty" doc:"empty: not so when judged again"`
}

// mostDifferences bounds an answer; the last one says how many more there are.
const mostDifferences = 1000

// occurrence is an alarm or a warning from its beginning on: its last version.
type occurrence[T schema.Record] struct {
	thing  string
	raised int64
	id     string
	last   T
}

func alarmsOf(t *Track) []occurrence[*schema.Alarm] {
	var out []occurrence[*schema.Alarm]
	at := map[string]int{}
	see := func(a *schema.Alarm) {
		i, ok := at[a.GetId()]
		if !ok {
			i = len(out)
			at[a.GetId()] = i
			out = append(out, occurrence[*schema.Alarm]{thing: thing(a), raised: a.GetRaised(), id: a.GetId()})
		}
		out[i].last = a
	}
	for _, a := range t.Open {
		see(a)
	}
	for _, v := range t.Alarms {
		see(v.Record)
	}
	return out
}

func warningsOf(t *Track) []occurrence[*schema.Warning] {
	var out []occurrence[*schema.Warning]
	for _, v := range t.Warnings {
		w := v.Record
		i := slices.IndexFunc(out, func(o occurrence[*schema.Warning]) bool { return o.id == w.GetId() })
		if i < 0 {
			i = len(out)
			out = append(out, occurrence[*schema.Warning]{raised: w.GetRaised(), id: w.GetId()})
		}
		out[i].last = w
	}
	return out
}

// comparison compares a record with what was judged again.
type comparison struct {
	within int64             // ms: times that differ by no more are equal
	ids    map[string]string // of the replay -> of the record
	out    []Difference
}

// compare lists the differences. tick is how exact times are, in ms: what happens by the clock alone happens at a tick.
func compare(recorded, judged *Track, tick int64) []Difference {
	c := &comparison{within: tick, ids: map[string]string{}}
	ra, ja := alarmsOf(recorded), alarmsOf(judged)
	pairsA := pair(ra, ja, tick, c.ids)
	rw, jw := warningsOf(recorded), warningsOf(judged)
	pairsW := pair(rw, jw, tick, c.ids)
	for _, p := range pairsA {
		both(c, "alarm", p)
	}
	c.risk(recorded.Risk, judged.Risk)
	for _, p := range pairsW {
		both(c, "warning", p)
	}
	slices.SortStableFunc(c.out, func(a, b Difference) int { return int(max(-1, min(1, a.Time-b.Time))) })
	return c.out
}

type couple[T schema.Record] struct{ recorded, judged *occurrence[T] }

// pair joins what is the same occurrence: of one thing, raised nearest, each once.
func pair[T schema.Record](recorded, judged []occurrence[T], within int64, ids map[string]string) []couple[T] {
	var out []couple[T]
	taken := make([]bool, len(judged))
	for i := range recorded {
		r, best := &recorded[i], -1
		for k := range judged {
			if taken[k] || judged[k].thing != r.thing || far(judged[k].raised, r.raised) > within {
				continue
			}
			if best < 0 || far(judged[k].raised, r.raised) < far(judged[best].raised, r.raised) {
				best = k
			}
		}
		if best < 0 {
			out = append(out, couple[T]{recorded: r})
			continue
		}
		taken[best] = true
		ids[judged[best].id] = r.id
		out = append(out, couple[T]{r, &judged[best]})
	}
	for k := range judged {
		if !taken[k] {
			out = append(out, couple[T]{judged: &judged[k]})
		}
	}
	return out
}

func far(a, b int64) int64 { return max(a-b, b-a) }

func both[T schema.Record](c *comparison, what string, p couple[T]) {
	switch {
	case p.judged == nil:
		c.out = append(c.out, Difference{What: what, Time: p.recorded.raised, Record: schema.TypeOf(p.recorded.last) + "/" + p.recorded.id, Recorded: short(p.recorded.last)})
	case p.recorded == nil:
		c.out = append(c.out, Difference{What: what, Time: p.judged.raised, Record: schema.TypeOf(p.judged.last) + "/" + p.judged.id, Judged: short(p.judged.last)})
	default:
		c.fields(what, p.recorded.raised, p.recorded.last, p.judged.last)
	}
}

func short(rec schema.Record) string {
	switch r := rec.(type) {
	case *schema.Alarm:
		return strings.TrimSpace(fmt.Sprintf("%s %s%s%s %s", r.GetRule(), r.GetMetric(), r.GetCombined(), map[bool]string{true: r.GetGateway()}[r.GetMetric() == ""], r.GetStage()))
	case *schema.Warning:
		return r.GetFromLevel() + " → " + r.GetToLevel()
	case *schema.RiskResult:
		return r.GetLevel() + " " + strconv.FormatInt(r.GetIndexMilli(), 10) + " " + r.GetCause()
	}
	return schema.KeyOf(rec)
}

// fields compares two records field by field; ids of the replay are read as those of the record.
func (c *comparison) fields(what string, at int64, recorded, judged schema.Record) {
	a, b := proto.Clone(recorded).ProtoReflect(), proto.Clone(judged).ProtoReflect()
	c.rename(b)
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if a.Get(f).Equal(b.Get(f)) && a.Has(f) == b.Has(f) || c.near(f, a.Get(f), b.Get(f)) {
			continue
		}
		d := Difference{What: what, Time: at, Record: schema.TypeOf(recorded) + "/" + schema.KeyOf(recorded), Field: string(f.Name())}
		if f.IsList() {
			d.Recorded, d.Judged = apart(a.Get(f).List(), b.Get(f).List())
		} else {
			d.Recorded, d.Judged = text(a.Get(f)), text(b.Get(f))
		}
		c.out = append(c.out, d)
	}
}

// apart is the first item in which two lists differ.
func apart(a, b protoreflect.List) (recorded, judged string) {
	for i := range max(a.Len(), b.Len()) {
		switch {
		case i >= a.Len():
			return "", item(b.Get(i))
		case i >= b.Len():
			return item(a.Get(i)), ""
		case !a.Get(i).Equal(b.Get(i)):
			return item(a.Get(i)), item(b.Get(i))
		}
	}
	return "", ""
}

func item(v protoreflect.Value) string {
	if m, ok := v.Interface().(protoreflect.Message); ok {
		if raw, err := protojson.Marshal(m.Interface()); err == nil {
			return text(protoreflect.ValueOfString(string(raw)))
		}
	}
	return text(v)
}

// near says whether two times are the same but for a tick.
func (c *comparison) near(f protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	const sometime = int64(1_000_000_000_000) // ms: only times are so large
	return f.Kind() == protoreflect.Int64Kind && !f.IsList() && a.Int() > sometime && b.Int() > sometime && far(a.Int(), b.Int()) <= c.within
}

// rename gives what a record names the ids of the record instead of those of the replay.
func (c *comparison) rename(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
		case f.IsList() && f.Kind() == protoreflect.StringKind:
			for i := range v.List().Len() {
				if id, ok := c.ids[v.List().Get(i).String()]; ok {
					v.List().Set(i, protoreflect.ValueOfString(id))
				}
			}
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			for i := range v.List().Len() {
				c.rename(v.List().Get(i).Message())
			}
		case f.Kind() == protoreflect.StringKind:
			if id, ok := c.ids[v.String()]; ok {
				m.Set(f, protoreflect.ValueOfString(id))
			}
		}
		return true
	})
}

func text(v protoreflect.Value) string {
	s := v.String()
	const most = 400
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

// risk joins results that were written at the same time and compares them.
func (c *comparison) risk(recorded, judged []Version[*schema.RiskResult]) {
	i, k := 0, 0
	for i < len(recorded) || k < len(judged) {
		switch {
		case k == len(judged) || i < len(recorded) && recorded[i].Time < judged[k].Time-c.within:
			r := recorded[i].Record
			c.out = append(c.out, Difference{What: "risk", Time: recorded[i].Time, Record: "RiskResult/" + r.GetId(), Recorded: short(r)})
			i++
		case i == len(recorded) || judged[k].Time < recorded[i].Time-c.within:
			r := judged[k].Record
			c.out = append(c.out, Difference{What: "risk", Time: judged[k].Time, Record: "RiskResult/" + r.GetId(), Judged: short(r)})
			k++
		default:
			c.fields("risk", recorded[i].Time, recorded[i].Record, judged[k].Record)
			i, k = i+1, k+1
		}
	}
}
