// Package condition makes combined alarm rules of expressions (组合报警规则): CEL over the values of a plant's metrics, such as
//
//	C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)
//
// A name is a metric's code behind its enterprise's. Expressions know numbers, comparisons, arithmetic, &&, ||, ! and ?:,
// no loops and no calls that grow with their input; what one evaluation may cost is limited besides.
package condition

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// ErrCondition says that an expression is none; the error is an *Error with line, column and reason.
var ErrCondition = errors.New("condition: bad expression")

// Error is why an expression is none. Line and Column count from 1; 0: it is the expression as a whole.
type Error struct {
	Line, Column int
	Reason       string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%v: %s", ErrCondition, e.Reason)
	}
	return fmt.Sprintf("%v: line %d, column %d: %s", ErrCondition, e.Line, e.Column, e.Reason)
}

// Unwrap makes every Error an ErrCondition.
func (e *Error) Unwrap() error { return ErrCondition }

func badf(format string, args ...any) error { return &Error{Reason: fmt.Sprintf(format, args...)} }

// Limits of an expression.
const (
	maxMetrics = 16
	maxCost    = 1000 // CEL's units: about one an operator
)

// Program is a checked expression.
type Program struct {
	metrics []string
	guards  []guard
	program cel.Program
}

// Compile checks an expression; known says whether a name is a metric. Errors: ErrCondition.
func Compile(expression string, known func(name string) bool) (*Program, error) {
	base, err := cel.NewEnv(cel.ClearMacros())
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	parsed, issues := base.Parse(expression)
	if issues.Err() != nil {
		return nil, bad(issues)
	}
	names := prepare(parsed)
	if len(names) == 0 || len(names) > maxMetrics {
		return nil, badf("names %d metrics, wanted 1 to %d", len(names), maxMetrics)
	}
	var declared []cel.EnvOption
	for _, n := range names {
		if !known(n.name) {
			at := parsed.NativeRep().SourceInfo().GetStartLocation(n.id)
			return nil, &Error{at.Line(), at.Column() + 1, n.name + " is no metric of this plant (a code behind the enterprise's, such as C001T0101)"}
		}
		declared = append(declared, cel.Variable(n.name, cel.DoubleType))
	}
	env, err := base.Extend(declared...)
	if err != nil {
		return nil, badf("%v", err)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, bad(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, badf("gives a %s, wanted true or false", checked.OutputType())
	}
	if cost, err := env.EstimateCost(checked, plain{}); err != nil || cost.Max > maxCost {
		return nil, badf("costs up to %d to judge, wanted at most %d: it is too long", cost.Max, maxCost)
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, badf("%v", err)
	}
	p := &Program{program: program}
	for _, n := range names {
		p.metrics = append(p.metrics, n.name)
	}
	p.guards = guards(parsed.NativeRep().Expr(), p.metrics)
	return p, nil
}

// plain estimates nothing: every variable is one number.
type plain struct{}

func (plain) EstimateSize(cost.AstNode) *cost.SizeEstimate { return nil }
func (plain) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// bad is the first of CEL's complaints, with its place.
func bad(issues *cel.Issues) error {
	first := issues.Errors()[0]
	return &Error{first.Location.Line(), first.Location.Column() + 1, first.Message}
}

// guard is what an expression compares a metric with. As long as a value moves between two neighbours of the bounds, the expression
// cannot change. plain is false when the metric is also used otherwise: any change of it counts.
type guard struct {
	bounds []float64
	plain  bool
}

var comparisons = map[string]bool{
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true, operators.Equals: true, operators.NotEquals: true,
}

// guards finds the bounds of each metric.
func guards(root celast.Expr, names []string) []guard {
	out := make([]guard, len(names))
	for i := range out {
		out[i].plain = true
	}
	compared := map[int64]bool{} // names that stand in a comparison with a number; parents are visited first
	celast.PreOrderVisit(root, celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.CallKind:
			args := e.AsCall().Args()
			if !comparisons[e.AsCall().FunctionName()] || len(args) != 2 {
				return
			}
			for k, a := range args {
				v, ok := number(args[1-k])
				if i, found := slices.BinarySearch(names, nameOf(a)); ok && found {
					out[i].bounds = append(out[i].bounds, v)
					compared[a.ID()] = true
				}
			}
		case celast.IdentKind:
			if i, found := slices.BinarySearch(names, e.AsIdent()); found && !compared[e.ID()] {
				out[i].plain = false
			}
		default:
		}
	}))
	return out
}

func nameOf(e celast.Expr) string {
	if e.Kind() == celast.IdentKind {
		return e.AsIdent()
	}
	return ""
}

func number(e celast.Expr) (float64, bool) {
	if e.Kind() != celast.LiteralKind {
		return 0, false
	}
	v, ok := e.AsLiteral().(types.Double)
	return float64(v), ok
}

// Between are the open ends between which the value of metric i (of Metrics) may move from v without any change of what the
// expression gives; ok is false when there is no such room.
func (p *Program) Between(i int, v float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(-1), math.Inf(1)
	g := &p.guards[i]
	for _, b := range g.bounds {
		switch {
		case b < v:
			lo = math.Max(lo, b)
		case b > v:
			hi = math.Min(hi, b)
		default:
			return v, v, false // on a bound
		}
	}
	return lo, hi, g.plain && !math.IsNaN(v)
}

// name is a name in an expression, and where it first stands.
type name struct {
	name string
	id   int64
}

// prepare lists the names an expression uses, sorted, and makes every number a double as the values are: CEL itself
// does not compare 1 with 1.0.
func prepare(a *cel.Ast) []name {
	var out []name
	factory := celast.NewExprFactory()
	celast.PreOrderVisit(a.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.IdentKind:
			out = append(out, name{e.AsIdent(), e.ID()})
		case celast.LiteralKind:
			if n, ok := e.AsLiteral().(types.Int); ok {
				e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(n)))
			}
		default:
		}
	}))
	slices.SortStableFunc(out, func(a, b name) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(out, func(a, b name) bool { return a.name == b.name })
}

// Metrics are the names an expression uses, sorted.
func (p *Program) Metrics() []string { return p.metrics }

// values is what an expression sees: the value of each of its metrics, by name.
type values struct {
	names []string
	of    []float64
}

func (v values) ResolveName(name string) (any, bool) {
	if i, ok := slices.BinarySearch(v.names, name); ok {
		return v.of[i], true
	}
	return nil, false
}

func (values) Parent() cel.Activation { return nil }

// Holds evaluates with the values of Metrics, in their order. ok is false when it cannot be told.
func (p *Program) Holds(of []float64) (holds, ok bool) {
	out, _, err := p.program.Eval(values{p.metrics, of})
	if err != nil {
		return false, false
	}
	holds, ok = out.Value().(bool)
	return holds, ok
}

// Name is how expressions call a metric of an enterprise.
func Name(enterprise, metric string) string { return strings.TrimPrefix(metric, enterprise) }
