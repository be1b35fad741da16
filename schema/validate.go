package schema

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// FutureMs is how far ahead of the site's clock a time may be (domain 2.4: 5 min).
const FutureMs = 5 * 60 * 1000

// future names the time fields that look ahead by their nature.
var future = map[string]bool{"due": true, "stage_due": true, "expires": true, "end": true, "escalate_due": true, "remind_due": true, "from": true, "until": true, "next": true}

var judge = sync.OnceValue(newJudge)

func newJudge() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	rules := map[string]validator.Func{
		"uscc": func(f validator.FieldLevel) bool { return USCCForm(f.Field().String()) },
		"finite": func(f validator.FieldLevel) bool {
			return !math.IsNaN(f.Field().Float()) && !math.IsInf(f.Field().Float(), 0)
		},
		"personal": func(f validator.FieldLevel) bool {
			most, err := strconv.Atoi(f.Param())
			return err == nil && personalFits(f.Field().String(), most)
		},
		"utf8": func(f validator.FieldLevel) bool { return utf8.ValidString(f.Field().String()) },
	}
	for name := range Patterns {
		rules[name] = func(f validator.FieldLevel) bool { return Patterns[name].MatchString(f.Field().String()) }
	}
	for name, rule := range rules {
		if err := v.RegisterValidation(name, rule); err != nil {
			panic(fmt.Sprintf("schema: rule %s: %v", name, err))
		}
	}
	for name, rule := range map[string]validator.FuncCtx{
		"region": func(ctx context.Context, f validator.FieldLevel) bool {
			return inForce(ctx).Has("region", f.Field().String())
		},
		"table": func(ctx context.Context, f validator.FieldLevel) bool {
			return inForce(ctx).Has(f.Param(), f.Field().String())
		},
	} {
		if err := v.RegisterValidationCtx(name, rule); err != nil {
			panic(fmt.Sprintf("schema: rule %s: %v", name, err))
		}
	}
	messages := File_dusthub_v1_records_proto.Messages()
	for i := range messages.Len() {
		d := messages.Get(i)
		v.RegisterStructValidationMapRules(rulesOf(d), zeroOf(d))
	}
	return v
}

// rulesOf collects the rules of a message's fields, by Go field name.
func rulesOf(d protoreflect.MessageDescriptor) map[string]string {
	rules := map[string]string{}
	t := reflect.TypeOf(zeroOf(d)).Elem()
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		fd := d.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			continue
		}
		if rule := ruleOf(fd); rule != "" {
			rules[sf.Name] = rule
		}
	}
	return rules
}

var longest = regexp.MustCompile(`\bmax=`)

// ruleOf is a field's rule with the code table and the rules that hold for every field of its kind.
func ruleOf(fd protoreflect.FieldDescriptor) string {
	o, _ := proto.GetExtension(fd.Options(), E_F).(*FieldOptions)
	rule, each := o.GetRule(), ""
	if t := o.GetTable(); t != "" {
		each = "table=" + t
	}
	switch {
	case fd.Kind() == protoreflect.DoubleKind && !fd.HasPresence():
		each = join("finite", each)
	case fd.Kind() == protoreflect.DoubleKind:
		return join("omitempty", "finite", rule)
	case fd.Kind() == protoreflect.StringKind && each == "":
		each = "utf8"
	}
	if o.GetPersonal() && fd.Kind() == protoreflect.StringKind && !fd.IsList() {
		rule = longest.ReplaceAllString(rule, "personal=") // sealed, it is longer
	}
	if fd.IsList() {
		if each != "" && fd.Kind() != protoreflect.MessageKind {
			return join(rule, "dive", each)
		}
		return rule
	}
	if o.GetTable() != "" && !strings.Contains(rule, "required") && !strings.Contains(rule, "omitempty") {
		return join("omitempty", rule, each)
	}
	return join(rule, each)
}

func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, ",")
}

// zeroOf is an empty message of that description.
func zeroOf(d protoreflect.MessageDescriptor) proto.Message {
	t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(fmt.Sprintf("schema: message %s is not registered: %v", d.FullName(), err))
	}
	return t.New().Interface()
}

// wanted says in words what a rule asks for; %s is its parameter.
var wanted = map[string]string{
	"personal": "at most %s characters", "required": "a value", "max": "at most %s", "min": "at least %s", "len": "length %s", "gte": ">= %s", "lte": "<= %s", "gt": "> %s", "lt": "< %s",
	"oneof": "one of: %s", "table": "a code of table %s", "uscc": "18 characters as GB 32100-2015 has them", "region": "a GB/T 2260 code",
	"enterprise_code": "6 digits of the county, 03, 4 digits", "workshop_code": "enterprise code, W, 2 digits", "system_code": "enterprise code, S, 2 digits",
	"collector_code": "enterprise code, C, 3 digits", "gateway_code": "enterprise code, G, 2 digits", "metric_code": "collector code, kind, 2 digits",
	"gb28181": "20 digits as GB/T 28181 has them", "industry": "a GB/T 4754-2017 code", "site_id": "2 to 32 lower case letters, digits and -, a letter first", "login": "3 to 32 of a-z 0-9 . _ -, a letter first",
	"finite": "a finite number", "utf8": "valid UTF-8", "gtfield": "more than %s", "hexadecimal": "hexadecimal digits",
}

// Validate lists every way in which a record does not conform by itself: forms, ranges, code tables, relations between
// its fields. References to other records and times are judged where they can be (ValidateAt, the engine).
// A violation with Warning set is worth telling but does not refuse the record.
func Validate(r Record) []*Violation { return (*InForce)(nil).Validate(r) }

// Validate is the function of that name, by the code tables in force.
func (t *InForce) Validate(r Record) []*Violation {
	if r == nil {
		return []*Violation{{Record: "?", Rule: "type", Wanted: "a known record type"}}
	}
	subject := TypeOf(r) + "/" + KeyOf(r)
	var out []*Violation
	var fields validator.ValidationErrors
	if err := judge().StructCtx(context.WithValue(context.Background(), inForceKey{}, t), r); errors.As(err, &fields) {
		for _, f := range fields {
			out = append(out, violationOf(subject, f))
		}
	} else if err != nil {
		out = append(out, &Violation{Record: subject, Rule: "form", Got: err.Error(), Wanted: "a record"})
	}
	if proto.Size(r) > MaxEntryBytes {
		out = append(out, &Violation{Record: subject, Rule: "size", Got: fmt.Sprint(proto.Size(r)), Wanted: fmt.Sprintf("at most %d bytes", MaxEntryBytes)})
	}
	return append(out, relations(subject, r)...)
}

// ValidateAt is Validate, and no time of the record lies in the future of nowMs by more than FutureMs.
func ValidateAt(r Record, nowMs int64) []*Violation { return (*InForce)(nil).ValidateAt(r, nowMs) }

// ValidateAt is the function of that name, by the code tables in force.
func (t *InForce) ValidateAt(r Record, nowMs int64) []*Violation {
	out := t.Validate(r)
	if r == nil {
		return out
	}
	subject := TypeOf(r) + "/" + KeyOf(r)
	r.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		o, _ := proto.GetExtension(fd.Options(), E_F).(*FieldOptions)
		if o.GetUnit() != "ms" || fd.Kind() != protoreflect.Int64Kind || future[string(fd.Name())] {
			return true
		}
		if t := v.Int(); t < 0 || t > nowMs+FutureMs {
			out = append(out, &Violation{Record: subject, Field: string(fd.Name()), Rule: "time", Got: fmt.Sprint(t), Wanted: fmt.Sprintf("0 to %d", nowMs+FutureMs)})
		}
		return true
	})
	sort.SliceStable(out, func(i, j int) bool { return out[i].GetField() < out[j].GetField() })
	return out
}

// Refuses says whether any of the violations refuses the record.
func Refuses(vs []*Violation) bool {
	for _, v := range vs {
		if !v.GetWarning() {
			return true
		}
	}
	return false
}

func violationOf(subject string, f validator.FieldError) *Violation {
	_, field, _ := strings.Cut(f.Namespace(), ".")
	want, ok := wanted[f.Tag()]
	if !ok {
		want = f.Tag() + " %s"
	}
	if strings.Contains(want, "%s") {
		want = fmt.Sprintf(want, f.Param())
	}
	got := fmt.Sprint(f.Value())
	if o := optionsOf(f); o.GetPersonal() || f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8 {
		got = "(not shown)"
	}
	const longest = 120
	if len(got) > longest {
		got = strings.ToValidUTF8(got[:longest], "") + "…"
	}
	return &Violation{Record: subject, Field: field, Rule: f.Tag(), Got: strings.ToValidUTF8(got, "?"), Wanted: strings.TrimSpace(want)}
}

// optionsOf finds the options of the field an error is about, when it is a field of the record itself.
func optionsOf(f validator.FieldError) *FieldOptions {
	typ, field, _ := strings.Cut(f.Namespace(), ".")
	if m, ok := metas()[typ]; ok {
		if fd := m.desc.Fields().ByName(protoreflect.Name(field)); fd != nil {
			o, _ := proto.GetExtension(fd.Options(), E_F).(*FieldOptions)
			return o
		}
	}
	return nil
}

// relations judges what holds between the fields of one record.
func relations(subject string, r Record) []*Violation {
	var out []*Violation
	add := func(field, rule, got, want string) {
		out = append(out, &Violation{Record: subject, Field: field, Rule: rule, Got: got, Wanted: want})
	}
	prefix := func(field, code, of string) {
		if of != "" && !strings.HasPrefix(code, of) {
			add(field, "prefix", code, "begins with "+of)
		}
	}
	switch r := r.(type) {
	case *Enterprise:
		out = append(out, usccRelation(subject, r)...)
		if r.GetDustWorkers() > r.GetEmployees() {
			add("dust_workers", "ltefield", fmt.Sprint(r.GetDustWorkers()), fmt.Sprintf("at most employees, %d", r.GetEmployees()))
		}
		if r.GetMaxShiftWorkers() > r.GetDustWorkers() {
			add("max_shift_workers", "ltefield", fmt.Sprint(r.GetMaxShiftWorkers()), fmt.Sprintf("at most dust_workers, %d", r.GetDustWorkers()))
		}
	case *Workshop:
		prefix("code", r.GetCode(), r.GetEnterprise())
	case *DustSystem:
		prefix("code", r.GetCode(), r.GetEnterprise())
	case *Collector:
		prefix("code", r.GetCode(), r.GetEnterprise())
		prefix("system", r.GetSystem(), r.GetEnterprise())
	case *Gateway:
		prefix("code", r.GetCode(), r.GetEnterprise())
	case *Metric:
		prefix("code", r.GetCode(), r.GetCollector()+r.GetKind())
		prefix("collector", r.GetCollector(), r.GetEnterprise())
		prefix("gateway", r.GetGateway(), r.GetEnterprise())
		if k, ok := kinds[r.GetKind()]; ok && r.GetUnit() != k.Unit {
			add("unit", "unit", r.GetUnit(), k.Unit)
		}
		out = append(out, limitRelations(subject, r)...)
	}
	return out
}

// usccRelation: a wrong check character refuses the code unless a reason is given, since wrong codes are in circulation (domain 7.5).
func usccRelation(subject string, e *Enterprise) []*Violation {
	if !USCCForm(e.GetUscc()) || USCCCheck(e.GetUscc()) {
		return nil
	}
	return []*Violation{{
		Record: subject, Field: "uscc", Rule: "uscc_check", Got: e.GetUscc(),
		Wanted: "right check characters (GB 32100-2015), or uscc_override with the reason", Warning: e.GetUsccOverride() != "",
	}}
}

// limitRelations: limits rise from LL to HH and lie within the range.
func limitRelations(subject string, m *Metric) []*Violation {
	var out []*Violation
	l := m.GetLimits()
	if l == nil {
		return nil
	}
	below, belowName := math.Inf(-1), ""
	for _, limit := range []struct {
		name  string
		value *float64
	}{{"ll", l.Ll}, {"l", l.L}, {"h", l.H}, {"hh", l.Hh}} {
		if limit.value == nil {
			continue
		}
		v := *limit.value
		if v < m.GetRangeLo() || v > m.GetRangeHi() {
			out = append(out, &Violation{Record: subject, Field: "limits." + limit.name, Rule: "range", Got: fmt.Sprint(v), Wanted: fmt.Sprintf("%v to %v", m.GetRangeLo(), m.GetRangeHi())})
		}
		if v <= below {
			out = append(out, &Violation{Record: subject, Field: "limits." + limit.name, Rule: "order", Got: fmt.Sprint(v), Wanted: "more than " + belowName})
		}
		below, belowName = v, limit.name
	}
	return out
}
