package condition

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func known(name string) bool { return strings.HasPrefix(name, "C001") }

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		expression string
		of         []float64 // in order of name: K0101, P0101, T0101
		want       bool
	}{
		{"C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)", []float64{0, 300, 60}, true},
		{"C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)", []float64{0, 500, 60}, false},
		{"C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)", []float64{1, 500, 60}, true},
		{"!(C001T0101 > 55) && C001P0101 >= 0 && C001K0101 >= 0", []float64{0, 0, 55}, true},
		{"C001T0101 - C001P0101 / 10.0 > C001K0101", []float64{5, 100, 16}, true},
		{"(C001K0101 == 1 ? C001T0101 : C001P0101) > 10", []float64{1, 0, 11}, true},
	} {
		p, err := Compile(c.expression, known)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		if got, ok := p.Holds(c.of); !ok || got != c.want {
			t.Errorf("%s with %v %v: %t, %t", c.expression, p.Names(), c.of, got, ok)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, expression, why string }{
		{"syntax", "C001T0101 >", "line 1"},
		{"second line", "C001T0101 > 1 &&\n)", "line 2"},
		{"unknown metric", "C002T0101 > 1", "C002T0101"},
		{"no metric", "1 > 0", "names 0"},
		{"a number", "C001T0101 + 1.0", "double"},
		{"wrong type", `C001T0101 > "hot"`, "overload"},
		{"loop", "[1.0, 2.0].exists(x, x > C001T0101)", ""},
		{"unknown call", "explode(C001T0101)", ""},
		{"empty", "", ""},
		{"too deep", strings.Repeat("(", 500) + "C001T0101 > 1" + strings.Repeat(")", 500), ""},
	} {
		if _, err := Compile(c.expression, known); !errors.Is(err, ErrCondition) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, wanted %q", c.name, err, c.why)
		}
	}
}

// TestCostly: what would cost too much is refused before it is ever judged.
func TestCostly(t *testing.T) {
	costly := "C001T0101 > 1"
	for range 11 {
		costly = "(" + costly + ") && (" + costly + ")"
	}
	if _, err := Compile(costly, known); !errors.Is(err, ErrCondition) {
		t.Errorf("taken: %v", err)
	}
}

// TestPlace: a refusal says where.
func TestPlace(t *testing.T) {
	for expression, at := range map[string][2]int{"C001T0101 > 1 &&\n  X > 2": {2, 3}, "C001T0101 > 1 &&\n)": {2, 1}, "C001T0101 + 1": {0, 0}} {
		var e *Error
		if _, err := Compile(expression, known); !errors.As(err, &e) || len(e.Issues) != 1 || e.Issues[0].Line != at[0] || e.Issues[0].Column != at[1] {
			t.Errorf("%q: %v, wanted line %d column %d", expression, err, at[0], at[1])
		}
	}
}

// TestBetween: within the room it gives, nothing changes.
func TestBetween(t *testing.T) {
	const inf = math.MaxFloat64
	for _, c := range []struct {
		expression string
		v          float64
		lo, hi     float64
		ok         bool
	}{
		{"C001T0101 > 55", 20, -inf, 55, true}, {"C001T0101 > 55", 60, 55, inf, true}, {"C001T0101 >= 55", 55, 0, 0, false},
		{"C001T0101 > 55 && !(70 < C001T0101)", 60, 55, 70, true}, {"C001T0101 + 1 > 55", 20, 0, 0, false}, {"C001T0101 > 55 || C001T0101 * 2 < 3", 20, 0, 0, false},
		{"C001T0101 > -5", 0, -5, inf, true},
	} {
		p, err := Compile(c.expression, known)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi, ok := p.Between(0, c.v)
		if ok != c.ok || ok && (math.Max(lo, -inf) != c.lo || math.Min(hi, inf) != c.hi) {
			t.Errorf("%s at %v: %v to %v, %t", c.expression, c.v, lo, hi, ok)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)")
	f.Add("C001T0101 ? 1 : 2")
	f.Fuzz(func(_ *testing.T, expression string) {
		p, err := Compile(expression, known)
		if err == nil {
			p.Holds(make([]float64, len(p.Names())))
		}
	})
}

func BenchmarkHolds(b *testing.B) {
	p, err := Compile("C001T0101 > 55 && (C001P0101 < 400 || C001K0101 == 1)", known)
	if err != nil {
		b.Fatal(err)
	}
	of := []float64{0, 300, 50}
	b.ReportAllocs()
	for b.Loop() {
		p.Holds(of)
	}
}
