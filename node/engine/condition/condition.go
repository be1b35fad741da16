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
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// ErrCondition says that an expression is none; the error names line, column and reason.
var ErrCondition = errors.New("condition: bad expression")

// Limits of an expression.
const (
	maxMetrics = 16
	maxCost    = 1000 // CEL's units: about one an operator
)

// Program is a checked expression.
type Program struct {
	metrics []string
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
		return nil, fmt.Errorf("%w: names %d metrics, wanted 1 to %d", ErrCondition, len(names), maxMetrics)
	}
	var declared []cel.EnvOption
	for _, n := range names {
		if !known(n) {
			return nil, fmt.Errorf("%w: %s is no metric of this plant (a code behind the enterprise's, such as C001T0101)", ErrCondition, n)
		}
		declared = append(declared, cel.Variable(n, cel.DoubleType))
	}
	env, err := base.Extend(declared...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCondition, err)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, bad(issues)
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("%w: gives a %s, wanted true or false", ErrCondition, checked.OutputType())
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCondition, err)
	}
	return &Program{names, program}, nil
}

// bad is the first of CEL's complaints, with its place.
func bad(issues *cel.Issues) error {
	first := issues.Errors()[0]
	return fmt.Errorf("%w: line %d, column %d: %s", ErrCondition, first.Location.Line(), first.Location.Column()+1, first.Message)
}

// prepare lists the names an expression uses, sorted, and makes every number a double as the values are: CEL itself
// does not compare 1 with 1.0.
func prepare(a *cel.Ast) []string {
	var out []string
	factory := celast.NewExprFactory()
	celast.PreOrderVisit(a.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.IdentKind:
			out = append(out, e.AsIdent())
		case celast.LiteralKind:
			if n, ok := e.AsLiteral().(types.Int); ok {
				e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(n)))
			}
		default:
		}
	}))
	slices.Sort(out)
	return slices.Compact(out)
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
