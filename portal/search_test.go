package portal

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"pgregory.net/rapid"
)

// matches says by looking at a plant alone whether it is what is asked for; search must find the same.
func (in *enterprisesInput) matches(p *plantState, area string) bool {
	e := p.enterprise
	oneOf := func(values string, is func(string) bool) bool {
		return values == "" || slices.ContainsFunc(strings.Split(values, ","), is)
	}
	level := p.level()
	if level == "" {
		level = "none"
	}
	text := strings.ToLower(in.Q)
	return strings.HasPrefix(e.GetRegion(), area) &&
		oneOf(in.Region, func(r string) bool { return strings.HasPrefix(e.GetRegion(), regionPrefix(r)) }) &&
		oneOf(in.Level, func(l string) bool { return l == level }) &&
		oneOf(in.Industry, func(i string) bool { return strings.HasPrefix(e.GetIndustry(), i) || e.GetMemIndustry() == i }) &&
		oneOf(in.Dust, func(d string) bool {
			return slices.ContainsFunc(e.GetDusts(), func(h *schema.Dust) bool { return h.GetDust() == d })
		}) &&
		oneOf(in.DustCategory, func(c string) bool { return slices.Contains(p.dusts, c) }) &&
		e.GetDustWorkers() >= in.MinWorkers && (in.MaxWorkers < 0 || e.GetDustWorkers() <= in.MaxWorkers) &&
		asked(in.Online, p.online()) && asked(in.Alarm, p.alarmsOpen > 0) && asked(in.Warning, p.warningsOpen > 0) &&
		(in.AlarmLevel == 0 || p.alarmsLevel[in.AlarmLevel] > 0) && asked(in.AlarmOverdue, p.alarmsOverdue > 0) && asked(in.WarningOverdue, p.warningsOverdue > 0) &&
		(strings.Contains(strings.ToLower(e.GetName()), text) || strings.Contains(e.GetCode(), text) || strings.Contains(strings.ToLower(e.GetUscc()), text))
}

// TestSearchEqualsAWalk (F2.4): after any changes, any question is answered as a walk over all plants answers it, page by page.
func TestSearchEqualsAWalk(t *testing.T) {
	asked, finds := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		now := int64(beginning)
		w := emptyWorld(beginning)
		w.now = func() time.Time { return time.UnixMilli(now) }
		for range rapid.IntRange(1, 80).Draw(t, "rows") {
			row := someRow(t, now)
			if e, ok := row.Record.(*schema.Enterprise); ok {
				e.Name = rapid.SampledFrom([]string{"苏州木业有限公司", "苏州铝业有限公司", "Wood 木业", "木", ""}).Draw(t, "name")
				e.Industry = rapid.SampledFrom([]string{"C20", "C2011", "C33"}).Draw(t, "industry")
				e.Uscc = rapid.SampledFrom([]string{"91320505MA1000371T", "91320505ABC"}).Draw(t, "uscc")
			}
			w.apply(row)
		}
		pick := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "asked") }
		in := someSearch(t)
		area := pick("", "", "32", "3205")
		if p := somePlant(t, w); p != nil && rapid.IntRange(0, 2).Draw(t, "about a plant") > 0 {
			in, area = askFor(t, p), ""
		}
		var want []*plantState
		for _, p := range w.plants {
			if p.enterprise != nil && in.matches(p, area) {
				want = append(want, p)
			}
		}
		slices.SortFunc(want, graver)
		if asked++; len(want) > 0 {
			finds++
		}
		var got []*plantState
		for limit := rapid.IntRange(1, 5).Draw(t, "limit"); ; {
			page, total, about := w.search(in, area, limit)
			if total != len(want) || about {
				t.Fatalf("%+v in %q: total %d (about %v), a walk finds %d", in, area, total, about, len(want))
			}
			got = append(got, page...)
			if len(page) < limit || len(got) > len(want) {
				break
			}
			in.After = page[len(page)-1].enterprise.GetCode()
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v in %q: %v, a walk finds %v", in, area, codesOf(got), codesOf(want))
		}
	})
	if t.Logf("%d of %d questions find something", finds, asked); finds*4 < asked {
		t.Error("the questions find too little")
	}
}

// someSearch is a random question.
func someSearch(t *rapid.T) *enterprisesInput {
	pick := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "asked") }
	return &enterprisesInput{
		Region: pick("", "", "320000", "320500", "320505", "320505,110000"), Level: pick("", "", "red", "red,none", "blue,yellow"), Industry: pick("", "", "C2", "C33", "machinery"),
		Dust: pick("", "", "2", "17,26"), DustCategory: pick("", "", "metal", "wood,metal"), Online: pick("", "", "true", "false"), Alarm: pick("", "", "true", "false"), Warning: pick("", "", "true", "false"),
		AlarmOverdue: pick("", "", "true"), WarningOverdue: pick("", "", "false"), AlarmLevel: rapid.SampledFrom([]int32{0, 0, 0, 1, 2}).Draw(t, "level"),
		MinWorkers: rapid.SampledFrom([]int32{0, 0, 10, 11, 40}).Draw(t, "min"), MaxWorkers: rapid.SampledFrom([]int32{-1, -1, 0, 20, 200_000}).Draw(t, "max"),
		Q: pick("", "", "木", "木业", "苏州木", "木业有限公司", "wood", "p1", "91320505ma", "业有限木"),
	}
}

// somePlant is one of the plants; nil when there is none.
func somePlant(t *rapid.T, w *world) *plantState {
	var codes []string
	for code, p := range w.plants {
		if p.enterprise != nil {
			codes = append(codes, code)
		}
	}
	if slices.Sort(codes); len(codes) == 0 {
		return nil
	}
	return w.plants[rapid.SampledFrom(codes).Draw(t, "whom")]
}

// askFor is a question that a plant answers, or misses by one worker: its bounds lie at the plant's own values.
func askFor(t *rapid.T, p *plantState) *enterprisesInput {
	e, in := p.enterprise, &enterprisesInput{MaxWorkers: -1}
	maybe := func(to *string, value string) {
		if rapid.IntRange(0, 3).Draw(t, "asked for") == 0 {
			*to = value
		}
	}
	maybe(&in.Region, e.GetRegion())
	maybe(&in.Industry, e.GetIndustry())
	maybe(&in.Dust, e.GetDusts()[0].GetDust())
	maybe(&in.Level, cmp.Or(p.level(), never))
	maybe(&in.Online, fmt.Sprint(p.online()))
	maybe(&in.Alarm, fmt.Sprint(p.alarmsOpen > 0))
	maybe(&in.Warning, fmt.Sprint(p.warningsOpen > 0))
	maybe(&in.Q, e.GetName())
	near := rapid.SampledFrom([]int32{-1, 0, 0, 1})
	switch n := e.GetDustWorkers(); rapid.IntRange(0, 3).Draw(t, "bound") {
	case 0:
		in.MinWorkers = max(0, n+near.Draw(t, "min"))
	case 1:
		in.MaxWorkers = max(0, n+near.Draw(t, "max"))
	case 2:
		in.MinWorkers, in.MaxWorkers = n, n
	}
	return in
}

func codesOf(list []*plantState) (out []string) {
	for _, p := range list {
		out = append(out, p.enterprise.GetCode())
	}
	return out
}

// TestSearchHoldsScope: nobody finds what is outside of their region, whatever is asked (F2.4).
func TestSearchHoldsScope(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		login, query string
		want         []string
	}{
		{"ministry", "", []string{plantA, plantB, plantC}},
		{"ministry", "?region=320500", []string{plantA}},
		{"ministry", "?region=320281,320505", []string{plantA, plantB}},
		{"suzhou", "", []string{plantA}},
		{"suzhou", "?region=320000", []string{plantA}},
		{"suzhou", "?region=320281", nil},
		{"suzhou", "?q=" + plantB, nil},
		{"ministry", "?q=" + plantB[:10], []string{plantB}},
		{"ministry", "?level=orange&industry=C&dust=2&online=true&alarm=true&warning=true&min_workers=30&max_workers=30&q=%E4%BC%81%E4%B8%9A&region=320000", []string{plantA, plantB, plantC}},
		{"ministry", "?max_workers=29", nil},
		{"ministry", "?alarm_level=2", nil},
	} {
		var page EnterprisePage
		s.as(c.login, http.MethodGet, "/api/v1/enterprises"+c.query, nil).into(t, &page)
		var got []string
		for _, i := range page.Items {
			got = append(got, i.Enterprise.GetCode())
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) || page.Total != len(c.want) {
			t.Errorf("%s %s: %v of %d, wanted %v", c.login, c.query, got, page.Total, c.want)
		}
	}
}

// TestLongTextIsBounded: a long text that very many plants may have is read only as far as the page needs, and the total says so.
func TestLongTextIsBounded(t *testing.T) {
	w := emptyWorld(beginning)
	for i := range verifyMost + 10 {
		w.apply(rowOf(&schema.Enterprise{Code: fmt.Sprintf("320505%06d", i), Name: "金属制品有限公司", Region: "320505", DustWorkers: int32(i)}))
	}
	list, total, about := w.search(&enterprisesInput{Q: "制品有限公司", MaxWorkers: -1}, "", 10)
	if len(list) != 10 || total != verifyMost+10 || !about {
		t.Errorf("%d plants of %d, about %v", len(list), total, about)
	}
}

func rowOf(r schema.Record) store.Row {
	return store.Row{Type: schema.TypeOf(r), Key: schema.KeyOf(r), Origin: "x", Record: r}
}
