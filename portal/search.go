package portal

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"dusthub/schema"

	"github.com/RoaringBitmap/roaring/v2"
)

// Search finds plants by any of the nine dimensions of clause F2.4 together: region, industry, workers exposed to dust, risk
// level, dust, on-line state, alarms, warnings, and text in name, code or credit code. Every value of a dimension has a
// compressed set of plants; a question is an intersection of sets, and so is its total. What is shown is read off
// the region's ranking: where many match, from its top; where few match, they are sorted. Either way a page looks at
// about sqrt(plants x page) plants. What each plant is found by is kept with its counters (world.change).

// facet is one value of a dimension.
type facet struct {
	of    dimension
	value string
}

type dimension uint8

const (
	byRegion dimension = iota // first 2, 4, 6 digits
	byIndustry
	byLevel // "none": never judged
	byDust
	byDustCategory
	byState   // on line
	byAlarm   // open, level1, level2, overdue
	byWarning // open, overdue
	byScale
	byProduction
	byAccess
	byGram // one to three neighbouring runes of the text
)

const (
	workerBits = 17     // rule of dust_workers: at most 100,000
	gramRunes  = 3      // longest piece of text that has a set
	verifyMost = 20_000 // candidates whose text is read so that the total is exact
	yes        = "true"
	open       = "open"
	overdue    = "overdue"
	never      = "none"
	level1     = "level1"
	level2     = "level2"
	textBreak  = "\x00" // between the fields of a plant's text
)

// searchIndex is every set. It belongs to the world and is guarded by its mutex.
type searchIndex struct {
	plants  []*plantState // by number
	all     *roaring.Bitmap
	sets    map[facet]*roaring.Bitmap
	workers [workerBits]*roaring.Bitmap // bit by bit of the number exposed to dust
}

// found is what a plant is found by, as long as it is.
type found struct {
	numbered bool
	number   uint32
	in       bool
	facets   []facet
	text     string
	workers  int32
}

func newSearchIndex() *searchIndex {
	x := &searchIndex{all: roaring.New(), sets: map[facet]*roaring.Bitmap{}}
	for i := range x.workers {
		x.workers[i] = roaring.New()
	}
	return x
}

// facetsOf are the dimensions of a plant but for its workers and its text.
func facetsOf(p *plantState) []facet {
	e := p.enterprise
	out := make([]facet, 0, 24)
	add := func(of dimension, value string, is bool) {
		if is && value != "" {
			out = append(out, facet{of, value})
		}
	}
	for _, r := range regionsOf(p) {
		add(byRegion, r, true)
	}
	for i := range e.GetIndustry() {
		add(byIndustry, e.GetIndustry()[:i+1], true)
	}
	add(byIndustry, e.GetMemIndustry(), true)
	add(byLevel, cmp.Or(p.level(), never), true)
	for i, d := range e.GetDusts() {
		add(byDust, d.GetDust(), !slices.ContainsFunc(e.GetDusts()[:i], func(b *schema.Dust) bool { return b.GetDust() == d.GetDust() }))
	}
	for _, c := range p.dusts {
		add(byDustCategory, c, true)
	}
	add(byState, yes, p.online())
	add(byScale, e.GetScale(), true)
	add(byProduction, e.GetProductionState(), true)
	add(byAccess, e.GetAccessState(), true)
	add(byAlarm, open, p.alarmsOpen > 0)
	add(byAlarm, level1, p.alarmsLevel[1] > 0)
	add(byAlarm, level2, p.alarmsLevel[2] > 0)
	add(byAlarm, overdue, p.alarmsOverdue > 0)
	add(byWarning, open, p.warningsOpen > 0)
	add(byWarning, overdue, p.warningsOverdue > 0)
	return out
}

func textOf(e *schema.Enterprise) string {
	return strings.ToLower(e.GetName() + textBreak + e.GetCode() + textBreak + e.GetUscc())
}

// grams calls fn for each piece of a text of one to three runes, some of them more than once.
func grams(text string, fn func(string)) {
	for _, part := range strings.Split(text, textBreak) {
		runes := []rune(part)
		for i := range runes {
			for n := 1; n <= gramRunes && i+n <= len(runes); n++ {
				fn(string(runes[i : i+n]))
			}
		}
	}
}

// keep brings what a plant is found by up to date.
func (x *searchIndex) keep(p *plantState) {
	if p.enterprise == nil {
		x.drop(p)
		return
	}
	f := &p.found
	if !f.numbered {
		f.numbered, f.number = true, uint32(len(x.plants))
		x.plants = append(x.plants, p)
	}
	if !f.in {
		f.in = true
		x.all.Add(f.number)
	}
	if facets := facetsOf(p); !slices.Equal(facets, f.facets) {
		x.replace(f.number, f.facets, facets)
		f.facets = facets
	}
	if text := textOf(p.enterprise); text != f.text {
		grams(f.text, func(g string) { x.leave(f.number, facet{byGram, g}) })
		grams(text, func(g string) { x.enter(f.number, facet{byGram, g}) })
		f.text = text
	}
	if n := p.enterprise.GetDustWorkers(); n != f.workers {
		x.count(f.number, n)
		f.workers = n
	}
}

// drop forgets a plant that is gone.
func (x *searchIndex) drop(p *plantState) {
	f := &p.found
	if !f.in {
		return
	}
	x.all.Remove(f.number)
	x.replace(f.number, f.facets, nil)
	grams(f.text, func(g string) { x.leave(f.number, facet{byGram, g}) })
	x.count(f.number, 0)
	*f = found{numbered: true, number: f.number}
}

func (x *searchIndex) replace(number uint32, old, now []facet) {
	for _, f := range old {
		if !slices.Contains(now, f) {
			x.leave(number, f)
		}
	}
	for _, f := range now {
		if !slices.Contains(old, f) {
			x.enter(number, f)
		}
	}
}

func (x *searchIndex) enter(number uint32, f facet) {
	set := x.sets[f]
	if set == nil {
		set = roaring.New()
		x.sets[f] = set
	}
	set.Add(number)
}

func (x *searchIndex) leave(number uint32, f facet) {
	set := x.sets[f]
	if set == nil {
		return
	}
	if set.Remove(number); set.IsEmpty() {
		delete(x.sets, f)
	}
}

func (x *searchIndex) count(number uint32, workers int32) {
	for i := range x.workers {
		if workers>>i&1 == 1 {
			x.workers[i].Add(number)
		} else {
			x.workers[i].Remove(number)
		}
	}
}

// atLeast are the plants of a set with so many workers exposed to dust, or more.
func (x *searchIndex) atLeast(set *roaring.Bitmap, n int32) *roaring.Bitmap {
	if n >= 1<<workerBits {
		return roaring.New()
	}
	more, equal := roaring.New(), set.Clone()
	for i := workerBits - 1; i >= 0; i-- {
		if n>>i&1 == 1 {
			equal.And(x.workers[i])
			continue
		}
		more.Or(roaring.And(equal, x.workers[i]))
		equal.AndNot(x.workers[i])
	}
	more.Or(equal)
	return more
}

// any are the plants with one of the values, which stand with commas.
func (x *searchIndex) any(of dimension, values string) *roaring.Bitmap {
	var sets []*roaring.Bitmap
	for v := range strings.SplitSeq(values, ",") {
		if set := x.sets[facet{of, v}]; set != nil {
			sets = append(sets, set)
		}
	}
	switch len(sets) {
	case 0:
		return roaring.New()
	case 1:
		return sets[0]
	}
	return roaring.FastOr(sets...)
}

// is are the plants with a value, or those without it.
func (x *searchIndex) is(f facet, wanted string) *roaring.Bitmap {
	set := x.any(f.of, f.value)
	if wanted == yes {
		return set
	}
	return roaring.AndNot(x.all, set)
}

// sets are what has to be intersected for a question.
func (in *enterprisesInput) sets(x *searchIndex, area string) []*roaring.Bitmap {
	out := []*roaring.Bitmap{x.all}
	add := func(asked bool, set func() *roaring.Bitmap) {
		if asked {
			out = append(out, set())
		}
	}
	facets := func(of dimension, values string) {
		add(values != "", func() *roaring.Bitmap { return x.any(of, values) })
	}
	add(area != "", func() *roaring.Bitmap { return x.any(byRegion, area) })
	facets(byRegion, in.regions())
	facets(byIndustry, in.Industry)
	facets(byLevel, in.Level)
	facets(byDust, in.Dust)
	facets(byDustCategory, in.DustCategory)
	facets(byScale, in.Scale)
	facets(byProduction, in.Production)
	facets(byAccess, in.Access)
	add(in.MinWorkers > 0, func() *roaring.Bitmap { return x.atLeast(x.all, in.MinWorkers) })
	add(in.MaxWorkers >= 0, func() *roaring.Bitmap { return roaring.AndNot(x.all, x.atLeast(x.all, in.MaxWorkers+1)) })
	for _, c := range []struct {
		f      facet
		wanted string
	}{
		{facet{byState, yes}, in.Online}, {facet{byAlarm, open}, in.Alarm}, {facet{byWarning, open}, in.Warning},
		{facet{byAlarm, overdue}, in.AlarmOverdue}, {facet{byWarning, overdue}, in.WarningOverdue},
	} {
		add(c.wanted != "", func() *roaring.Bitmap { return x.is(c.f, c.wanted) })
	}
	add(in.AlarmLevel > 0, func() *roaring.Bitmap { return x.any(byAlarm, "level"+strconv.Itoa(int(in.AlarmLevel))) })
	return append(out, x.containing(in.text())...)
}

// containing are sets that all plants with the text are in; up to three runes long the text is in all that they share, too.
func (x *searchIndex) containing(text string) []*roaring.Bitmap {
	runes := []rune(text)
	if len(runes) == 0 {
		return nil
	}
	if len(runes) <= gramRunes {
		return []*roaring.Bitmap{x.any(byGram, text)}
	}
	var out []*roaring.Bitmap
	for i := range len(runes) - gramRunes + 1 {
		set := x.sets[facet{byGram, string(runes[i : i+gramRunes])}]
		if set == nil {
			return []*roaring.Bitmap{roaring.New()}
		}
		out = append(out, set)
	}
	return out
}

// regions are the beginnings of the codes asked for, with commas; empty is all.
func (in *enterprisesInput) regions() string {
	var out []string
	for r := range strings.SplitSeq(in.Region, ",") {
		p := regionPrefix(r)
		if p == "" {
			return ""
		}
		out = append(out, p)
	}
	return strings.Join(out, ",")
}

func (in *enterprisesInput) text() string { return strings.ToLower(strings.TrimSpace(in.Q)) }

// match intersects the sets, smallest first.
func match(sets []*roaring.Bitmap) *roaring.Bitmap {
	slices.SortStableFunc(sets, func(a, b *roaring.Bitmap) int { return cmp.Compare(a.GetCardinality(), b.GetCardinality()) })
	out := sets[0].Clone()
	for _, s := range sets[1:] {
		if out.IsEmpty() {
			break
		}
		out.And(s)
	}
	return out
}

// search finds a page of plants, gravest first. The caller is within world.view.
func (w *world) search(in *enterprisesInput, area string, limit int) (list []*plantState, total int, atMost bool) {
	x := w.index
	set, about := x.find(in, area)
	shows := func(*plantState) bool { return true }
	if about {
		shows = func(p *plantState) bool { return p.shows(in.text()) }
	}
	ranked := w.look(areaKey{narrowest(area, in.regions()), ""}).ranked
	if last := w.plants[in.After]; in.After != "" && last != nil && last.enterprise != nil {
		at, _ := standingOf(last)
		i, there := slices.BinarySearchFunc(ranked, at, standing.compare)
		if there {
			i++
		}
		ranked = ranked[i:]
	}
	return x.gravest(set, ranked, limit, shows), int(set.GetCardinality()), about
}

// shows says whether a text is in what the plant is found by.
func (p *plantState) shows(text string) bool { return strings.Contains(p.found.text, text) }

// find are the plants that meet a question; about: some may not have its text, which was not read in so many.
func (x *searchIndex) find(in *enterprisesInput, area string) (set *roaring.Bitmap, about bool) {
	set = match(in.sets(x, area))
	text := in.text()
	if len([]rune(text)) <= gramRunes {
		return set, false
	}
	if set.GetCardinality() > verifyMost {
		return set, true
	}
	return x.filter(set, func(p *plantState) bool { return p.shows(text) }), false
}

// matching are all plants that meet a question, in no order.
func (x *searchIndex) matching(in *enterprisesInput, area string) []*plantState {
	set, about := x.find(in, area)
	out := make([]*plantState, 0, set.GetCardinality())
	for it := set.Iterator(); it.HasNext(); {
		if p := x.plants[it.Next()]; !about || p.shows(in.text()) {
			out = append(out, p)
		}
	}
	return out
}

// narrowest is the region whose ranking holds all that can match.
func narrowest(area, regions string) string {
	if regions == "" || strings.Contains(regions, ",") || len(area) > len(regions) {
		return area
	}
	return regions
}

func (x *searchIndex) filter(set *roaring.Bitmap, shows func(*plantState) bool) *roaring.Bitmap {
	out := roaring.New()
	for it := set.Iterator(); it.HasNext(); {
		if n := it.Next(); shows(x.plants[n]) {
			out.Add(n)
		}
	}
	return out
}

// gravest are the first plants of a set in a ranking: read off from its top, or sorted when so few match that this is less work.
func (x *searchIndex) gravest(set *roaring.Bitmap, ranked []standing, limit int, shows func(*plantState) bool) []*plantState {
	var out []*plantState
	if n := set.GetCardinality(); n*n > uint64(len(ranked))*uint64(limit) {
		for _, at := range ranked {
			if set.Contains(at.plant.found.number) && shows(at.plant) {
				if out = append(out, at.plant); len(out) == limit {
					break
				}
			}
		}
		return out
	}
	if len(ranked) == 0 {
		return nil
	}
	for it := set.Iterator(); it.HasNext(); {
		p := x.plants[it.Next()]
		if at, _ := standingOf(p); at.compare(ranked[0]) >= 0 && shows(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, graver)
	return out[:min(limit, len(out))]
}
