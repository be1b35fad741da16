package portal

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

var (
	lookers    = []string{"", "320000", "320500", "320505", "320200", "110000"}
	somePlants = []string{plantA, plantB, "320505030007", "320506030008", "110105030009"}
)

func looker(region string) *viewer {
	return &viewer{user: &schema.User{Role: provinceRegulator, Region: region}, portal: Regulator}
}

// change makes a random change in the store: an alarm or a warning comes, is worked or closed, a plant moves or goes.
func (s *site) change(t *rapid.T) {
	pick := func(list ...string) string { return rapid.SampledFrom(list).Draw(t, "pick") }
	plant, n := pick(somePlants...), rapid.IntRange(0, 11).Draw(t, "n")
	at := int64(beginning) - int64(n/2)*hourMs // two at the same time
	var r schema.Record
	switch pick("alarm", "alarm", "alarm", "warning", "hazard", "plant", "gone") {
	case "alarm":
		r = &schema.Alarm{
			Id: fmt.Sprint("R", n, "-", plant), Enterprise: plant, Metric: plant + "C001T0101", Kind: "T01", Rule: "H", Level: int32(1 + n%2), Onset: at, Raised: at, Condition: "active",
			Stage: pick("raised", "acknowledged", "disposed", "closed", "false_alarm"), Priority: "low",
		}
	case "warning":
		r = &schema.Warning{Id: fmt.Sprint("R", n, "-", plant), Enterprise: plant, FromLevel: "blue", ToLevel: "orange", Raised: at, Stage: pick("raised", "disposed", "closed")}
	case "hazard":
		r = &schema.Hazard{Id: fmt.Sprint("R", n, "-", plant), Enterprise: plant, Code: pick("MH01", "MH03"), Found: at, Closed: rapid.SampledFrom([]int64{0, 0, at + 1}).Draw(t, "closed")}
	case "plant":
		e := proto.Clone(plantRecords(plant, at)[0]).(*schema.Enterprise)
		e.Region = pick("320505", "320506", "320281", "110105")
		r = e
	default:
		s.deleted("Enterprise", plant)
		return
	}
	s.put(r)
}

func (s *site) deleted(typ, key string) {
	s.t.Helper()
	res, err := s.backend.Propose(context.Background(), &schema.Command{Actor: "test", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: typ, Key: key, Deleted: true}}}}})
	if err != nil || len(res.GetViolations()) > 0 {
		s.t.Fatal(err, res)
	}
}

// walked are the keys of all in the store that are wanted and in a viewer's region and the region asked for, newest first.
func (s *site) walked(t *rapid.T, typ, region, asked string, wanted func(schema.Record) bool) (keys []string) {
	var rows []store.Row
	regions := map[string]string{}
	for _, of := range []string{"Enterprise", typ} {
		if err := s.backend.store.Each(context.Background(), store.Query{Type: of}, func(r store.Row) (bool, error) {
			if e, ok := r.Record.(*schema.Enterprise); ok {
				regions[e.GetCode()] = e.GetRegion()
			} else if at, known := regions[plantOf(r)]; wanted(r.Record) && (region+asked == "" || known && strings.HasPrefix(at, region) && strings.HasPrefix(at, asked)) {
				rows = append(rows, r)
			}
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(r store.Row) int64 {
		if n, is := noted[r.Type]; is {
			return n.at(r.Record)
		}
		switch x := r.Record.(type) {
		case *schema.Alarm:
			return x.GetOnset()
		case *schema.Hazard:
			return x.GetFound()
		}
		return r.Record.(*schema.Warning).GetRaised()
	}
	slices.SortFunc(rows, func(a, b store.Row) int { return cmp.Or(cmp.Compare(at(b), at(a)), cmp.Compare(b.Key, a.Key)) })
	for _, r := range rows {
		keys = append(keys, r.Key)
	}
	return keys
}

// plantOf is the plant that a row is of.
func plantOf(r store.Row) string {
	if n, is := noted[r.Type]; is {
		return n.plant(r.Record)
	}
	return enterpriseOf(r.Record)
}

// paged reads a list to its end.
func paged[T any](t *rapid.T, read func(after string) (*Page[T], error), key func(T) string) (keys []string) {
	for after := ""; ; {
		p, err := read(after)
		if err != nil || len(keys) > 1000 {
			t.Fatal(err, len(keys))
		}
		for _, i := range p.Items {
			keys = append(keys, key(i))
		}
		if after = p.Next; after == "" {
			return keys
		}
	}
}

// TestRecentEqualsAWalk: whatever changes, and however short the lists in memory are, a list of alarms, warnings or hidden dangers and an overview's newest
// alarms are what a walk over the store finds in the viewer's region and the one asked for, page by page.
func TestRecentEqualsAWalk(t *testing.T) {
	s := newSite(t)
	found, behind := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s.server.close()
		w, err := newWorld(s.backend.store, s.backend.hub, s.now)
		if err != nil {
			t.Fatal(err)
		}
		w.kept = rapid.IntRange(1, 12).Draw(t, "kept")
		s.server.world = w
		s.server.scan = rapid.SampledFrom([]int{2, 30, maxScan}).Draw(t, "scan")
		w.view(func() {}) // loaded from the rows; what comes now comes by events
		for range rapid.IntRange(1, 25).Draw(t, "changes") {
			s.change(t)
			if rapid.Bool().Draw(t, "looks") {
				w.view(func() {})
			}
		}
		region := rapid.SampledFrom(lookers).Draw(t, "viewer")
		v, stage := looker(region), rapid.SampledFrom([]string{"", "open", "open", "raised", "closed"}).Draw(t, "stage")
		from := rapid.SampledFrom([]int64{0, 0, beginning - 3*hourMs}).Draw(t, "from")
		to := rapid.SampledFrom([]int64{0, 0, beginning - hourMs, beginning - hourMs + 1}).Draw(t, "to")
		limit := rapid.SampledFrom([]int{1, 3, 7, 100}).Draw(t, "limit")
		asked := rapid.SampledFrom([]string{"", "", region, rapid.SampledFrom(lookers).Draw(t, "elsewhere")}).Draw(t, "asked") // mostly where something is in sight
		in := func(at int64) bool { return at >= from && (to == 0 || at < to) }
		want := s.walked(t, "Alarm", regionPrefix(region), regionPrefix(asked), func(r schema.Record) bool {
			a := r.(*schema.Alarm)
			return in(a.GetOnset()) && (stage == "" || stage == a.GetStage() || stage == "open" && openAlarm(a.GetStage()))
		})
		got := paged(t, func(after string) (*Page[*AlarmView], error) {
			return s.server.alarms(context.Background(), v, &alarmsInput{Stage: stage, Region: asked, From: from, To: to, After: after, Limit: limit})
		}, func(a *AlarmView) string { return a.Alarm.GetId() })
		if !slices.Equal(got, want) {
			t.Fatalf("alarms %q in %q of %q from %d to %d: %v, a walk finds %v", stage, asked, region, from, to, got, want)
		}
		if found += len(want); len(want) > w.kept {
			behind++
		}
		want = s.walked(t, "Warning", regionPrefix(region), regionPrefix(asked), func(r schema.Record) bool {
			a := r.(*schema.Warning)
			return in(a.GetRaised()) && (stage == "" || stage == a.GetStage() || stage == "open" && a.GetStage() != "closed")
		})
		got = paged(t, func(after string) (*Page[*WarningView], error) {
			return s.server.warnings(context.Background(), v, &warningsInput{Stage: stage, Region: asked, From: from, To: to, After: after, Limit: limit})
		}, func(a *WarningView) string { return a.Warning.GetId() })
		if !slices.Equal(got, want) {
			t.Fatalf("warnings %q in %q of %q: %v, a walk finds %v", stage, asked, region, got, want)
		}
		code, opened := rapid.SampledFrom([]string{"", "MH01", "MH03,MH05"}).Draw(t, "code"), rapid.SampledFrom([]string{"", "true", "false"}).Draw(t, "open")
		want = s.walked(t, "Hazard", regionPrefix(region), regionPrefix(asked), func(r schema.Record) bool {
			h := r.(*schema.Hazard)
			return in(h.GetFound()) && (code == "" || strings.Contains(code, h.GetCode())) && (opened == "" || (opened == "true") == (h.GetClosed() == 0))
		})
		got = paged(t, func(after string) (*Page[*HazardView], error) {
			return s.server.hazards(context.Background(), v, &hazardsInput{Region: asked, Code: code, Open: opened, From: from, To: to, After: after, Limit: limit})
		}, func(h *HazardView) string { return h.Hazard.GetId() })
		if !slices.Equal(got, want) {
			t.Fatalf("hidden dangers %q open %q in %q of %q: %v, a walk finds %v", code, opened, asked, region, got, want)
		}
		s.overviewEqualsAWalk(t, region)
	})
	if t.Logf("%d alarms found, %d lists longer than what memory holds", found, behind); found < 300 || behind < 10 {
		t.Error("the questions find too little")
	}
}

func (s *site) overviewEqualsAWalk(t *rapid.T, region string) {
	s.server.scan = maxScan
	asked := rapid.SampledFrom(lookers).Draw(t, "region")
	mine, part := regionPrefix(region), regionPrefix(asked)
	var want, got []string
	if strings.HasPrefix(mine, part) || strings.HasPrefix(part, mine) {
		want = s.walked(t, "Alarm", mine, part, func(schema.Record) bool { return true })
	}
	o, err := s.server.computeOverview(context.Background(), looker(region), asked)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range o.LatestAlarms {
		got = append(got, a.Alarm.GetId())
	}
	if want = want[:min(latestAlarms, len(want))]; !slices.Equal(got, want) {
		t.Fatalf("newest alarms of %q for %q: %v, a walk finds %v", asked, region, got, want)
	}
}

// TestRecentIsBounded: a list keeps no more than it may, and open ones come back into it when those before them are closed.
func TestRecentIsBounded(t *testing.T) {
	w := emptyWorld(beginning)
	w.apply(rowOf(&schema.Enterprise{Code: "p", Region: "320505"}))
	alarm := func(i int, stage string) {
		w.apply(rowOf(&schema.Alarm{Id: fmt.Sprintf("a%05d", i), Enterprise: "p", Onset: beginning + int64(i), Stage: stage}))
	}
	const n = 3 * recentKept
	for i := range n {
		alarm(i, "raised")
	}
	for k, r := range w.recents {
		if len(r.list) > recentKept || cap(r.list) > recentKept*5/4 {
			t.Errorf("%v: %d, room for %d", k, len(r.list), cap(r.list))
		}
	}
	for i := n - 1; i > 10; i-- {
		alarm(i, "closed")
	}
	if r := w.recents[recentKey{typeAlarm, "3205", true}]; len(r.list) != 11 || r.cut {
		t.Errorf("%d open ones left in the list (cut %v), wanted 11", len(r.list), r.cut)
	}
}

// TestCountsMetrics: the count follows metrics that come, change and go, and is the same after a load.
func TestCountsMetrics(t *testing.T) {
	s := newSite(t)
	count := func(want int) {
		t.Helper()
		var c CountsView
		s.must(Regulator, "ministry", http.MethodGet, "/api/v1/counts", nil).into(t, &c)
		if c.Metrics != want {
			t.Errorf("%d metrics, wanted %d", c.Metrics, want)
		}
	}
	count(3)
	m := plantRecords(plantA, beginning)[5].(*schema.Metric)
	m.Name = "其他"
	s.put(m)
	count(3)
	s.deleted("Metric", m.GetCode())
	count(2)
	s.put(m)
	count(3)
	s.server.world.view(s.server.world.load)
	count(3)
}

// noteSomething makes a random change of what is kept by region alone: shelves, spot checks, deliveries, what was refused; or a plant moves or goes.
func (s *site) noteSomething(t *rapid.T) {
	plant, n := rapid.SampledFrom(somePlants).Draw(t, "plant"), rapid.IntRange(0, 11).Draw(t, "n")
	at, id := int64(beginning)-int64(n/2)*hourMs, fmt.Sprint("N", n, "-", plant)
	switch rapid.SampledFrom([]string{"shelf", "check", "delivery", "refused", "plant"}).Draw(t, "what") {
	case "shelf":
		at += rapid.SampledFrom([]int64{0, 0, hourMs}).Draw(t, "later") // a shelf may be put off
		s.put(&schema.Shelf{Id: plant + id, Enterprise: plant, Kind: "maintenance", Reason: "换滤袋", From: at, Until: at + hourMs, Stage: rapid.SampledFrom(shelfStages).Draw(t, "stage"), Actor: "m"})
	case "check":
		s.put(&schema.SpotCheck{Id: id, Enterprise: plant, Title: "抽查", Issued: at, Stage: rapid.SampledFrom([]string{"issued", "closed"}).Draw(t, "stage")})
	case "delivery":
		login := rapid.SampledFrom([]string{"looker", "other"}).Draw(t, "login")
		s.put(&schema.Delivery{Id: id, Subject: "Alarm/x", Enterprise: plant, Login: login, Channel: "c", Kind: "webhook", Stage: "sent", At: at, Template: "alarm_raised", Title: "x"})
	case "refused":
		s.put(&schema.Quarantine{Id: id, Source: plant + "G01", Time: at, Count: 1, Violations: []*schema.Violation{{Record: "Sample", Rule: "range"}}})
	default:
		s.change(t)
	}
}

// TestNotedEqualsAWalk: lists of shelves, spot checks, deliveries and what was refused are what a walk over the store finds in the viewer's
// region, page by page, however little memory holds, and whichever plant comes, moves or goes.
func TestNotedEqualsAWalk(t *testing.T) {
	s := newSite(t)
	for _, plant := range somePlants {
		s.put(&schema.Gateway{Code: plant + "G01", Enterprise: plant, Name: "网关", Door: "http"})
	}
	found, behind := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s.server.world.close()
		w, err := newWorld(s.backend.store, s.backend.hub, s.now)
		if err != nil {
			t.Fatal(err)
		}
		w.kept, w.notedMost = rapid.IntRange(1, 12).Draw(t, "kept"), rapid.SampledFrom([]int{1, 5, notedMost}).Draw(t, "read")
		s.server.world = w
		s.server.scan = rapid.SampledFrom([]int{2, 30, maxScan}).Draw(t, "scan")
		w.view(func() {})
		for range rapid.IntRange(1, 25).Draw(t, "changes") {
			s.noteSomething(t)
			if rapid.Bool().Draw(t, "looks") {
				w.view(func() {})
			}
		}
		region := rapid.SampledFrom(lookers).Draw(t, "viewer")
		v, limit, ctx := looker(region), rapid.SampledFrom([]int{1, 3, 7, 100}).Draw(t, "limit"), context.Background()
		v.user.Login = "looker"
		any := func(schema.Record) bool { return true }
		equal := func(typ string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Fatalf("%s of %q: %v, a walk finds %v", typ, region, got, want)
			}
			if found += len(want); len(want) > w.kept {
				behind++
			}
		}
		equal(typeShelf, paged(t, func(after string) (*Page[*ShelfView], error) {
			return s.server.shelves(ctx, v, &shelvesInput{After: after, Limit: limit})
		}, func(x *ShelfView) string { return x.Shelf.GetId() }), s.walked(t, typeShelf, regionPrefix(region), "", any))
		equal(typeSpotCheck, paged(t, func(after string) (*Page[*SpotCheckView], error) {
			return s.server.spotChecks(ctx, v, &spotChecksInput{After: after, Limit: limit})
		}, func(x *SpotCheckView) string { return x.SpotCheck.GetId() }), s.walked(t, typeSpotCheck, regionPrefix(region), "", any))
		equal(typeQuarantine, paged(t, func(after string) (*Page[*QuarantineView], error) {
			return s.server.quarantine(ctx, v, &quarantineInput{After: after, Limit: limit})
		}, func(x *QuarantineView) string { return x.GetId() }), s.walked(t, typeQuarantine, regionPrefix(region), "", any))
		mine := s.walked(t, typeDelivery, "", "", func(r schema.Record) bool { return r.(*schema.Delivery).GetLogin() == "looker" })
		sight := s.walked(t, typeDelivery, regionPrefix(region), "", any)
		all := s.walked(t, typeDelivery, "", "", any)
		equal(typeDelivery, paged(t, func(after string) (*Page[*DeliveryView], error) {
			return s.server.deliveries(ctx, v, &deliveriesInput{After: after, Limit: limit})
		}, func(x *DeliveryView) string { return x.Delivery.GetId() }), slices.DeleteFunc(all, func(id string) bool { return !slices.Contains(mine, id) && !slices.Contains(sight, id) }))
	})
	if t.Logf("%d found, %d lists longer than what memory holds", found, behind); found < 300 || behind < 10 {
		t.Error("the questions find too little")
	}
}
