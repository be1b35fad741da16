package portal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dusthub/schema"

	"github.com/RoaringBitmap/roaring/v2"
)

// FacetCount is one value of a dimension, and how many plants a search would find with it.
type FacetCount struct {
	Value string `json:"value" doc:"for the dimension's parameter of GET /enterprises"`
	Name  string `json:"name,omitempty" doc:"of a region or a code"`
	Count int    `json:"count"`
}

// Facets are the dimensions of a search (F2.4). What is asked of a dimension itself does not narrow its own counts, so that they say
// what another choice would find.
type Facets struct {
	Total          int          `json:"total" doc:"what the search finds as it is"`
	About          bool         `json:"about,omitempty" doc:"counts are bounds: a long text was not looked for in all plants that may have it"`
	Region         []FacetCount `json:"region" doc:"parts of the region asked for, or its neighbours where it has none"`
	Industry       []FacetCount `json:"industry" doc:"table mem_industry"`
	Workers        []WorkerBand `json:"workers"`
	Level          []FacetCount `json:"level"`
	DustCategory   []FacetCount `json:"dust_category"`
	Online         []FacetCount `json:"online"`
	Alarm          []FacetCount `json:"alarm"`
	AlarmLevel     []FacetCount `json:"alarm_level"`
	AlarmOverdue   []FacetCount `json:"alarm_overdue"`
	Warning        []FacetCount `json:"warning"`
	WarningOverdue []FacetCount `json:"warning_overdue"`
}

// facetSearch counts the values of one search's dimensions.
type facetSearch struct {
	w     *world
	in    *enterprisesInput
	area  string
	about bool
}

// without is what the search finds when one dimension is not asked about.
func (f *facetSearch) without(clear func(*enterprisesInput)) *roaring.Bitmap {
	in := *f.in
	if clear != nil {
		clear(&in)
	}
	set, about := f.w.index.find(&in, f.area)
	f.about = f.about || about
	return set
}

// counted are those values of a dimension that any plant has.
func (f *facetSearch) counted(of dimension, set *roaring.Bitmap, values []string, table string) []FacetCount {
	out := []FacetCount{}
	for _, v := range values {
		sets := f.w.index.sets[facet{of, v}]
		if sets == nil {
			continue
		}
		c := FacetCount{Value: v, Count: int(set.AndCardinality(sets))}
		if table != "" {
			c.Name = f.w.tables.Name(table, v)
		}
		out = append(out, c)
	}
	return out
}

// either counts the plants that have a trait and those that do not.
func (f *facetSearch) either(trait facet, clear func(*enterprisesInput)) []FacetCount {
	set := f.without(clear)
	with := 0
	if has := f.w.index.sets[trait]; has != nil {
		with = int(set.AndCardinality(has))
	}
	return []FacetCount{{Value: yes, Count: with}, {Value: "false", Count: int(set.GetCardinality()) - with}}
}

// codesIn are the codes of a table in force.
func (w *world) codesIn(table string) []string {
	t, _ := w.tables.Table(table)
	out := make([]string, 0, len(t.GetCodes()))
	for _, c := range t.GetCodes() {
		out = append(out, c.GetCode())
	}
	return out
}

// regions are the parts of the region asked for; of a county, the counties of its city.
func (f *facetSearch) regions() []FacetCount {
	set := f.without(func(in *enterprisesInput) { in.Region = "" })
	whole := narrowest(f.area, f.in.regions())
	if !strings.HasPrefix(whole, f.area) { // asked for what is out of sight
		whole = f.area
	}
	if len(whole) == regionDigits && len(f.area) < regionDigits {
		whole = whole[:regionDigits-partDigits]
	}
	out := []FacetCount{}
	for part, n := range f.w.look(areaKey{whole, ""}).parts {
		if n == 0 {
			continue
		}
		code := (part + "000000")[:regionDigits]
		c := FacetCount{Value: code, Name: f.w.tables.RegionName(code)}
		if has := f.w.index.sets[facet{byRegion, part}]; has != nil {
			c.Count = int(set.AndCardinality(has))
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b FacetCount) int { return cmp.Compare(a.Value, b.Value) })
	return out
}

func (f *facetSearch) all() *Facets {
	x := f.w.index
	total := f.without(nil)
	levels := f.without(func(in *enterprisesInput) { in.Level = "" })
	out := &Facets{
		Total: int(total.GetCardinality()), Region: f.regions(), Workers: f.w.index.bands(f.without(func(in *enterprisesInput) { in.MinWorkers, in.MaxWorkers = 0, -1 })),
		Industry:       f.counted(byIndustry, f.without(func(in *enterprisesInput) { in.Industry = "" }), f.w.codesIn("mem_industry"), "mem_industry"),
		Level:          []FacetCount{},
		DustCategory:   f.counted(byDustCategory, f.without(func(in *enterprisesInput) { in.DustCategory = "" }), f.w.codesIn("dust_category"), "dust_category"),
		Online:         f.either(facet{byState, yes}, func(in *enterprisesInput) { in.Online = "" }),
		Alarm:          f.either(facet{byAlarm, open}, func(in *enterprisesInput) { in.Alarm = "" }),
		AlarmLevel:     []FacetCount{},
		AlarmOverdue:   f.either(facet{byAlarm, overdue}, func(in *enterprisesInput) { in.AlarmOverdue = "" }),
		Warning:        f.either(facet{byWarning, open}, func(in *enterprisesInput) { in.Warning = "" }),
		WarningOverdue: f.either(facet{byWarning, overdue}, func(in *enterprisesInput) { in.WarningOverdue = "" }),
	}
	for _, l := range []string{schema.Red, schema.Orange, schema.Yellow, schema.Blue, never} {
		n := 0
		if has := x.sets[facet{byLevel, l}]; has != nil {
			n = int(levels.AndCardinality(has))
		}
		out.Level = append(out.Level, FacetCount{Value: l, Count: n})
	}
	grades := f.without(func(in *enterprisesInput) { in.AlarmLevel = 0 })
	for l, value := range []string{level1, level2} {
		n := 0
		if has := x.sets[facet{byAlarm, value}]; has != nil {
			n = int(grades.AndCardinality(has))
		}
		out.AlarmLevel = append(out.AlarmLevel, FacetCount{Value: strconv.Itoa(l + 1), Count: n})
	}
	out.About = f.about
	return out
}

func (s *Server) facets(ctx context.Context, v *viewer, in *enterprisesInput) (out *Facets, err error) {
	s.world.view(func() {
		if ctx.Err() == nil {
			out = (&facetSearch{w: s.world, in: in, area: v.area()}).all()
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("count facets: %w", err)
	}
	return out, nil
}
