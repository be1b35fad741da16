package portal

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"dusthub/schema"

	"github.com/RoaringBitmap/roaring/v2"
)

// Statistics of base data (F2.1): how many plants there are by region, industry, size, workers exposed to dust and kind of dust, of
// all or of those that a search finds. Every number is the size of an intersection of two of the search's sets, so that neither
// the store nor the plants are walked.

// BaseRow is how many plants have a value.
type BaseRow struct {
	Code    string `json:"code"`
	Name    string `json:"name"`
	Count   int    `json:"count"`
	Workers int64  `json:"workers" doc:"exposed to dust, in all these plants"`
}

// WorkerBand is how many plants have from so many to so many workers exposed to dust.
type WorkerBand struct {
	Min    int32  `json:"min"`
	Max    int32  `json:"max" doc:"-1: no bound"`
	Count  int    `json:"count"`
	Source string `json:"source,omitempty" doc:"why the band begins there"`
}

// BaseStatistics are the plants a question finds, counted by what base data say.
type BaseStatistics struct {
	Enterprises    int          `json:"enterprises"`
	Workers        int64        `json:"workers" doc:"exposed to dust"`
	Online         int          `json:"online"`
	Regions        []BaseRow    `json:"regions,omitempty" doc:"parts of the region asked for: provinces, cities or counties"`
	Industries     []BaseRow    `json:"industries,omitempty" doc:"table mem_industry"`
	Scales         []BaseRow    `json:"scales,omitempty" doc:"table scale"`
	Bands          []WorkerBand `json:"bands,omitempty"`
	DustCategories []BaseRow    `json:"dust_categories,omitempty" doc:"table dust_category; a plant counts in each of its own"`
	Dusts          []BaseRow    `json:"dusts,omitempty" doc:"table dust, most first"`
	Production     []BaseRow    `json:"production,omitempty" doc:"table production_state"`
	Access         []BaseRow    `json:"access,omitempty" doc:"table access_state"`
}

// bands are where counts of workers are told apart; 10 and 30 are where special duties begin.
var bands = []struct {
	from   int32
	source string
}{{0, ""}, {1, ""}, {10, "重点粉尘企业检查范围 [GK-med]"}, {30, "应急厅函〔2023〕82号：30 人以上 [F]"}, {50, ""}, {100, ""}}

func (s *Server) baseStatistics(ctx context.Context, v *viewer, in *enterprisesInput) (*BaseStatistics, error) {
	out := &BaseStatistics{}
	s.world.view(func() {
		if ctx.Err() == nil {
			s.world.baseStatistics(in, v.area(), out)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("count enterprises: %w", err)
	}
	return out, nil
}

// baseStatistics counts what a question finds. The caller is within world.view.
func (w *world) baseStatistics(in *enterprisesInput, area string, out *BaseStatistics) {
	x := w.index
	set := match(in.sets(x, area))
	if text := in.text(); len([]rune(text)) > gramRunes && set.GetCardinality() <= verifyMost {
		set = x.filter(set, func(p *plantState) bool { return p.shows(text) })
	}
	out.Enterprises, out.Workers = int(set.GetCardinality()), x.workersOf(set)
	out.Online = x.common(set, facet{byState, yes})
	out.Regions = w.regionCounts(set, narrowest(area, in.regions()))
	table := func(of dimension, name string) []BaseRow {
		return x.counts(set, of, codesIn(w.tables, name), w.tables, name)
	}
	out.Industries, out.Scales, out.DustCategories = table(byIndustry, "mem_industry"), table(byScale, "scale"), table(byDustCategory, "dust_category")
	out.Dusts, out.Production, out.Access = table(byDust, "dust"), table(byProduction, "production_state"), table(byAccess, "access_state")
	for _, list := range [][]BaseRow{out.Industries, out.DustCategories, out.Dusts} {
		slices.SortStableFunc(list, func(a, b BaseRow) int { return cmp.Compare(b.Count, a.Count) })
	}
	out.Bands = x.bands(set)
}

func codesIn(t *schema.InForce, table string) []string {
	list, _ := t.Table(table)
	out := make([]string, 0, len(list.GetCodes()))
	for _, c := range list.GetCodes() {
		out = append(out, c.GetCode())
	}
	return out
}

// counts are the values of a dimension that plants of a set have.
func (x *searchIndex) counts(set *roaring.Bitmap, of dimension, codes []string, t *schema.InForce, table string) []BaseRow {
	out := []BaseRow{}
	for _, code := range codes {
		own := x.sets[facet{of, code}]
		if own == nil {
			continue
		}
		if both := roaring.And(set, own); !both.IsEmpty() {
			out = append(out, BaseRow{Code: code, Name: t.Name(table, code), Count: int(both.GetCardinality()), Workers: x.workersOf(both)})
		}
	}
	return out
}

func (x *searchIndex) common(set *roaring.Bitmap, f facet) int {
	if own := x.sets[f]; own != nil {
		return int(set.AndCardinality(own))
	}
	return 0
}

// workersOf is how many workers the plants of a set expose to dust: bit by bit of their numbers.
func (x *searchIndex) workersOf(set *roaring.Bitmap) (n int64) {
	for i, bit := range x.workers {
		n += int64(set.AndCardinality(bit)) << i
	}
	return n
}

func (x *searchIndex) bands(set *roaring.Bitmap) []WorkerBand {
	out := make([]WorkerBand, len(bands))
	for i, b := range bands {
		out[i] = WorkerBand{Min: b.from, Max: -1, Source: b.source, Count: int(x.atLeast(set, b.from).GetCardinality())}
		if i > 0 {
			out[i-1].Max = b.from - 1
			out[i-1].Count -= out[i].Count
		}
	}
	return out
}

// regionCounts are the parts of a region that plants of a set lie in.
func (w *world) regionCounts(set *roaring.Bitmap, region string) []BaseRow {
	out := []BaseRow{}
	for part, n := range w.look(areaKey{region, ""}).parts {
		own := w.index.sets[facet{byRegion, part}]
		if n == 0 || own == nil {
			continue
		}
		if both := roaring.And(set, own); !both.IsEmpty() {
			code := (part + "000000")[:regionDigits]
			out = append(out, BaseRow{Code: code, Name: w.tables.RegionName(code), Count: int(both.GetCardinality()), Workers: w.index.workersOf(both)})
		}
	}
	slices.SortFunc(out, func(a, b BaseRow) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code)) })
	return out
}

// PlantFile is all base data of a plant (一企一档), each record with where and when it came from.
type PlantFile struct {
	Enterprise *RecordRow  `json:"enterprise"`
	RegionName string      `json:"region_name"`
	Origin     string      `json:"origin"`
	Local      bool        `json:"local" doc:"the plant belongs to this site, where it can be configured"`
	Online     bool        `json:"online"`
	Level      string      `json:"level,omitempty"`
	IndexMilli int64       `json:"index_milli"`
	Changed    int64       `json:"changed" doc:"when any of it last changed"`
	Parts      []PlantPart `json:"parts,omitempty" doc:"in the order in which a plant is described"`
	Missing    []string    `json:"missing,omitempty" doc:"fields of the enterprise that are empty"`
}

// PlantPart are a plant's records of one type.
type PlantPart struct {
	Type  string       `json:"type"`
	Zh    string       `json:"zh"`
	Items []*RecordRow `json:"items,omitempty"`
}

func (s *Server) plantFile(ctx context.Context, v *viewer, in *codeInput) (*PlantFile, error) {
	row, err := s.enterpriseRow(v, in.Code)
	if err != nil {
		return nil, err
	}
	e := row.Record.(*schema.Enterprise)
	out := &PlantFile{
		Enterprise: recordRow(row), RegionName: s.tables().RegionName(e.GetRegion()), Origin: row.Origin, Local: row.Origin == s.opt.Site.ID, Changed: row.Time,
		Parts: []PlantPart{}, Missing: missing(e),
	}
	s.world.view(func() {
		if p := s.world.plants[in.Code]; p != nil {
			out.Online, out.Level, out.IndexMilli = p.online(), p.level(), p.risk.GetIndexMilli()
		}
	})
	for _, typ := range configured {
		if typ == "Enterprise" || typ == "CodeTable" {
			continue
		}
		rows, err := s.rowsOf(ctx, typ, in.Code)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out.Changed = max(out.Changed, r.Time)
		}
		meta, _ := schema.MetaOf(typ)
		out.Parts = append(out.Parts, PlantPart{Type: typ, Zh: meta.Zh, Items: rows})
	}
	return out, nil
}

// missing are the fields of an enterprise that a file should have and that are empty.
func missing(e *schema.Enterprise) []string {
	out := []string{}
	m := e.ProtoReflect()
	for i, f := range schema.FieldsOf(m.Descriptor()) {
		fd := m.Descriptor().Fields().Get(i)
		if !m.Has(fd) && f.Kind != "bool" && !slices.Contains(optional, f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}

// optional are fields of an enterprise that most do without.
var optional = []string{"ministry_code", "uscc_override"}

func (d *door) baseRoutes() {
	handle(d, "base-statistics", d.s.baseStatistics)
	handle(d, "plant-file", d.s.plantFile)
}
