package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dusthub/crypto/keys"
	"dusthub/crypto/sm"
	"dusthub/node/model"
	"dusthub/node/store"
	"dusthub/schema"
	"dusthub/schema/frame"

	"google.golang.org/protobuf/proto"
)

func TestAlarmLifeCycle(t *testing.T) {
	s := newSite(t)
	path := "/api/v1/alarms/AL-" + plantA + "/actions"
	for _, c := range []struct {
		login, action string
		status        int
	}{
		{"ministry", "acknowledge", 403}, {"worker-a", "feed_back", 403}, {"manager-a", "close", 403}, {"manager-a", "explode", 422}, {"manager-a", "dispose", 422},
		{"worker-a", "acknowledge", 200}, {"worker-a", "acknowledge", 422}, {"manager-a", "dispose", 200}, {"manager-a", "feed_back", 200}, {"suzhou", "close", 200},
		{"suzhou", "close", 422},
	} {
		got := s.as(c.login, http.MethodPost, path, object{"action": c.action, "text": "已处理", "cause": "01"})
		if got.status != c.status {
			t.Errorf("%s %s: %d, wanted %d: %s", c.login, c.action, got.status, c.status, got.body)
		}
		if c.status == 422 && c.action != "explode" && !strings.Contains(string(got.body), "life_cycle") {
			t.Errorf("%s %s says not why: %s", c.login, c.action, got.body)
		}
	}
	var v AlarmView
	s.as("manager-a", http.MethodGet, "/api/v1/alarms/AL-"+plantA, nil).into(t, &v)
	if v.Alarm.GetStage() != "closed" || len(v.Alarm.GetSteps()) != 4 || v.MetricName != "灰斗温度" || v.RuleName != "高限" || v.EnterpriseName == "" || v.Origin != siteID || !v.Here || v.Known != s.now().UnixMilli() {
		t.Errorf("alarm: %+v", v)
	}
	for stage, want := range map[string]bool{"open": false, "closed": true, "raised": false, "": true} {
		if got := s.as("manager-a", http.MethodGet, "/api/v1/alarms?stage="+stage, nil); strings.Contains(string(got.body), "AL-"+plantA) != want {
			t.Errorf("stage %q: %s", stage, got.body)
		}
	}
}

func TestAnotherSitesAlarmIsDealtWithThere(t *testing.T) {
	s := newSite(t)
	var v AlarmView
	s.as("ministry", http.MethodGet, "/api/v1/alarms/AL-"+plantC, nil).into(t, &v)
	if v.Here || v.Origin != "nanjing" {
		t.Errorf("alarm: %+v", v)
	}
	got := s.as("ministry", http.MethodPost, "/api/v1/alarms/AL-"+plantC+"/actions", object{"action": "close"})
	if got.status != http.StatusConflict || got.problem(t).Code != codeNotHere {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestNoLeader(t *testing.T) {
	s := newSite(t)
	s.backend.mu.Lock()
	s.backend.down = true
	s.backend.mu.Unlock()
	got := s.as("manager-a", http.MethodPost, "/api/v1/alarms/AL-"+plantA+"/actions", object{"action": "acknowledge"})
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := s.as("manager-a", http.MethodGet, "/api/v1/alarms", nil); got.status != http.StatusOK {
		t.Errorf("reading without a leader: %d", got.status)
	}
}

// What is past its deadline is told apart by the server, not by whoever shows a page of the list (F2.2, F2.3).
func TestOverdueIsAFilter(t *testing.T) {
	s := newSite(t)
	base := s.now().UnixMilli()
	for i := range 6 {
		id, late := string(rune('a'+i)), i%3 == 0
		s.put(&schema.Alarm{Id: "AL-late-" + id, Enterprise: plantA, Rule: "stuck", Level: 1, Onset: base - int64(i), Condition: "active", Stage: "raised", Overdue: late})
		s.put(&schema.Warning{Id: "W-late-" + id, Enterprise: plantA, FromLevel: "blue", ToLevel: "yellow", Raised: base - int64(i), Stage: "raised", Overdue: late})
	}
	for _, c := range []struct {
		query string
		want  int
	}{{"", 6}, {"&overdue=true", 2}, {"&overdue=false", 4}} {
		var alarms Page[*AlarmView]
		s.as("ministry", http.MethodGet, "/api/v1/alarms?stage=open&rule=stuck"+c.query, nil).into(t, &alarms)
		var warnings Page[*WarningView]
		s.as("ministry", http.MethodGet, "/api/v1/warnings?stage=open&level=yellow"+c.query, nil).into(t, &warnings)
		if len(alarms.Items) != c.want || len(warnings.Items) != c.want {
			t.Errorf("%q: %d alarms, %d warnings, want %d", c.query, len(alarms.Items), len(warnings.Items), c.want)
		}
	}
	if got := s.as("ministry", http.MethodGet, "/api/v1/alarms?overdue=late", nil); got.status != http.StatusUnprocessableEntity {
		t.Errorf("another word: %d", got.status)
	}
}

// Paging gives every alarm once, newest first, whatever the page's size and however the indexes interleave.
func TestPaging(t *testing.T) {
	s := newSite(t)
	stages := []string{"raised", "acknowledged", "disposed", "fed_back"}
	base := s.now().UnixMilli()
	for i := range 41 {
		s.put(&schema.Alarm{
			Id: "AL-page-" + string(rune('A'+i)), Enterprise: []string{plantA, plantB}[i%2], Rule: "H", Level: 1, Onset: base - int64(i/3*1000), Condition: "active", Stage: stages[i%4],
		})
	}
	s.server.scan = 5 // so that most pages end before they are full
	for _, login := range []string{"ministry", "suzhou", "manager-b"} {
		for _, limit := range []string{"1", "7", "100"} {
			seen, after := map[string]int64{}, ""
			last := int64(1 << 62)
			for range 100 {
				var page Page[*AlarmView]
				s.as(login, http.MethodGet, "/api/v1/alarms?stage=open&limit="+limit+"&after="+after, nil).into(t, &page)
				for _, v := range page.Items {
					if _, twice := seen[v.Alarm.GetId()]; twice {
						t.Fatalf("%s, pages of %s: %s twice", login, limit, v.Alarm.GetId())
					}
					if v.Alarm.GetOnset() > last {
						t.Fatalf("%s, pages of %s: %s out of order", login, limit, v.Alarm.GetId())
					}
					last = v.Alarm.GetOnset()
					seen[v.Alarm.GetId()] = last
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if want := map[string]int{"ministry": 44, "suzhou": 22, "manager-b": 21}[login]; len(seen) != want {
				t.Errorf("%s, pages of %s: %d alarms, wanted %d", login, limit, len(seen), want)
			}
		}
	}
	if got := s.as("ministry", http.MethodGet, "/api/v1/alarms?after=nonsense", nil); got.status != http.StatusBadRequest {
		t.Errorf("a bad cursor: %d", got.status)
	}
}

func TestOverview(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		login, region       string
		enterprises, alarms int
		regions, path       string
	}{
		{"ministry", "", 3, 3, "320000", ""}, {"ministry", "320000", 3, 3, "320200 320500 321200", "江苏省"}, {"ministry", "320505", 1, 1, "320505", "江苏省 苏州市 虎丘区"},
		{"province", "320500", 1, 1, "320505", "苏州市"}, {"suzhou", "", 1, 1, "320505", ""}, {"suzhou", "320200", 0, 0, "", ""},
	} {
		var v Overview
		s.as(c.login, http.MethodGet, "/api/v1/overview?region="+c.region, nil).into(t, &v)
		var regions, path []string
		for _, r := range v.Regions {
			regions = append(regions, r.Region)
		}
		for _, r := range v.Path {
			path = append(path, r.Name)
		}
		if strings.Join(path, " ") != c.path {
			t.Errorf("%s %s: the way there is %v, wanted %s", c.login, c.region, path, c.path)
		}
		if v.Enterprises != c.enterprises || v.Alarms.Open != c.alarms || v.Warnings.Open != c.alarms || v.Levels.Orange != c.enterprises || v.Online != c.enterprises ||
			len(v.LatestAlarms) != c.alarms || len(v.Ranking) != c.enterprises || strings.Join(regions, " ") != c.regions || len(v.Trend) != 25 {
			t.Errorf("%s %s: %+v", c.login, c.region, v)
		}
		if n := len(v.Trend); n > 0 && (v.Trend[n-1].Orange != c.enterprises || v.Trend[0].Blue != c.enterprises) {
			t.Errorf("%s %s: trend %+v", c.login, c.region, v.Trend)
		}
	}
}

// The overview follows what happens, within its second.
func TestOverviewFollows(t *testing.T) {
	s := newSite(t)
	read := func() (v Overview) {
		s.as("ministry", http.MethodGet, "/api/v1/overview", nil).into(t, &v)
		return v
	}
	before := read()
	now := s.now().UnixMilli()
	s.put(
		&schema.Alarm{Id: "AL-new", Enterprise: plantA, Rule: "HH", Level: 2, Onset: now, Condition: "active", Stage: "raised"},
		&schema.GatewayState{Gateway: plantA + "G01", Enterprise: plantA, State: "offline", Since: now},
		&schema.RiskResult{Id: plantA, Enterprise: plantA, Time: now, Model: "m", Level: "red", PreviousLevel: "orange", IndexMilli: 90000},
	)
	if got := read(); got.Alarms.Open != before.Alarms.Open {
		t.Error("the overview is computed more often than once a second")
	}
	s.pass(2 * overviewFor)
	after := read()
	if after.Alarms.Open != before.Alarms.Open+1 || after.Alarms.Level2 != 1 || after.Online != before.Online-1 || after.Levels.Red != 1 || after.Ranking[0].Enterprise != plantA {
		t.Errorf("after: %+v", after)
	}
}

func TestPlantView(t *testing.T) {
	s := newSite(t)
	samples := frame.Append(nil, []frame.Sample{{Series: 1, Time: s.now().UnixMilli() - 2000, Value: 61}})
	if _, err := s.backend.Propose(t.Context(), &schema.Command{Body: &schema.Command_Frame{Frame: samples}}); err != nil {
		t.Fatal(err)
	}
	var v PlantView
	s.as("manager-a", http.MethodGet, "/api/v1/enterprises/"+plantA, nil).into(t, &v)
	if len(v.Systems) != 1 || len(v.Systems[0].Collectors) != 1 || len(v.Systems[0].Collectors[0].Metrics) != 1 {
		t.Fatalf("parts: %+v", v)
	}
	m := v.Systems[0].Collectors[0].Metrics[0]
	if m.Value != 61 || m.State != "h" || m.FreshS != 2 || m.KindName == "" || m.Signal != "AI" {
		t.Errorf("metric: %+v", m)
	}
	if !v.Online || v.Gateways[0].State != "online" || len(v.Alarms) != 1 || len(v.Warnings) != 1 || v.Risk.Value.GetLevel() != "orange" || len(v.Cleaning.Plans) != 1 || len(v.SpotChecks) != 1 {
		t.Errorf("plant: %+v", v)
	}
}

func TestMetricState(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	fault := int32(1)
	limits := &schema.Limits{Ll: f(0), L: f(10), H: f(60), Hh: f(70)}
	for _, c := range []struct {
		name    string
		signal  string
		limits  *schema.Limits
		value   float64
		quality uint8
		age     float64
		period  int32
		want    string
	}{
		{"normal", "AI", limits, 30, 0, 1, 1, "normal"}, {"high", "AI", limits, 60, 0, 1, 1, "h"}, {"high high", "AI", limits, 71, 0, 1, 1, "hh"},
		{"low", "AI", limits, 9, 0, 1, 1, "l"}, {"low low", "AI", limits, -1, 0, 1, 1, "ll"}, {"old", "AI", limits, 71, 0, 181, 1, "stale"},
		{"slow", "AI", limits, 30, 0, 500, 300, "normal"}, {"source lost", "AI", limits, 30, qualitySource, 1, 1, "stale"}, {"sensor", "AI", limits, 30, qualityFault, 1, 1, "fault"},
		{"state", "DI", &schema.Limits{FaultState: &fault}, 1, 0, 1, 1, "fault"}, {"state well", "DI", &schema.Limits{FaultState: &fault}, 0, 0, 1, 1, "normal"}, {"no limits", "AI", nil, 99, 0, 1, 1, "normal"},
	} {
		m := &schema.Metric{Limits: c.limits, PeriodS: c.period}
		if got := stateOf(m, store.Point{Value: c.value, Quality: c.quality}, c.age, c.signal); got != c.want {
			t.Errorf("%s: %s, wanted %s", c.name, got, c.want)
		}
	}
}

func TestSeries(t *testing.T) {
	s := newSite(t)
	base := s.now().UnixMilli() - 3_600_000
	var list []frame.Sample
	for i := range 100 {
		list = append(list, frame.Sample{Series: 1, Time: base + int64(i)*1000, Value: float64(i)})
	}
	if _, err := s.backend.Propose(t.Context(), &schema.Command{Body: &schema.Command_Frame{Frame: frame.Append(nil, list)}}); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/series/" + plantA + "C001T0101?"
	from, seen := "0", 0
	for range 20 {
		var v SeriesView
		s.as("suzhou", http.MethodGet, path+"step=0&limit=7&from="+from, nil).into(t, &v)
		for _, p := range v.Points {
			if int64(p[0]) != base+int64(seen)*1000 || p[1] != float64(seen) {
				t.Fatalf("reading %d: %v", seen, p)
			}
			seen++
		}
		if v.Next == nil {
			break
		}
		b, _ := json.Marshal(*v.Next)
		from = string(b)
	}
	if seen != 100 {
		t.Errorf("%d readings", seen)
	}
	var v SeriesView
	s.as("suzhou", http.MethodGet, path+"step=60000", nil).into(t, &v)
	count := uint64(0)
	for _, b := range v.Buckets {
		count += b.Count
	}
	if count != 100 || v.Unit != "°C" || v.Step != 60000 {
		t.Errorf("buckets: %+v", v)
	}
	s.as("suzhou", http.MethodGet, path, nil).into(t, &v)
	if v.Step != 288_000/60_000*60_000 && v.Step <= 0 {
		t.Errorf("chosen step: %d", v.Step)
	}
	if got := s.as("suzhou", http.MethodGet, path+"step=1&from=1", nil); got.status != http.StatusUnprocessableEntity {
		t.Errorf("too many steps: %d", got.status)
	}
}

func TestSpotCheck(t *testing.T) {
	s := newSite(t)
	var issued SpotCheckView
	s.as("ministry", http.MethodPost, "/api/v1/spot-checks", object{"enterprise": plantA, "title": "抽查", "due": s.now().UnixMilli() + 1000}).into(t, &issued)
	if issued.SpotCheck.GetStage() != "issued" || issued.SpotCheck.GetIssuer() != "ministry" || !strings.HasPrefix(issued.SpotCheck.GetId(), "S-"+siteID) {
		t.Errorf("issued: %+v", issued)
	}
	path := "/api/v1/spot-checks/" + issued.SpotCheck.GetId() + "/answer"
	if got := s.as("manager-b", http.MethodPost, path, object{"text": "别家"}); got.status != http.StatusNotFound {
		t.Errorf("another plant answered: %d", got.status)
	}
	var answered SpotCheckView
	s.as("manager-a", http.MethodPost, path, object{"text": "正常"}).into(t, &answered)
	if len(answered.Answers) != 1 || answered.Answers[0].GetText() != "正常" {
		t.Errorf("answered: %+v", answered)
	}
	s.as("ministry", http.MethodPost, "/api/v1/spot-checks", object{"enterprise": plantC, "title": "抽查"}).into(t, &issued)
	to := "" // of the entry before the last, which is the audit's
	head, _ := s.backend.store.Head(siteID)
	err := s.backend.store.Ledger(t.Context(), siteID, head.Epoch, head.Seq-1, 1, func(_ uint64, item *schema.Item) error {
		e := &schema.Entry{}
		defer func() { to = e.GetTo() }()
		return proto.Unmarshal(item.GetEntry(), e)
	})
	if err != nil || to != "nanjing" {
		t.Errorf("a check of another site's plant is addressed to %q (%v)", to, err)
	}
	for name, body := range map[string]object{"a plant out of sight": {"enterprise": plantB, "title": "x"}, "no title": {"enterprise": plantA, "title": ""}, "due in the past": {"enterprise": plantA, "title": "x", "due": 1}} {
		if got := s.as("suzhou", http.MethodPost, "/api/v1/spot-checks", body); got.status/100 != 4 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
}

func picture(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 3, 3))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noisyPicture is one that does not pack: a byte for each point of a square of some size.
func noisyPicture(t testing.TB, size int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, size, size))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i >> 3 * 2654435761 >> 13)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAttachments(t *testing.T) {
	s := newSite(t)
	good := picture(t)
	large := noisyPicture(t, 800) // three pieces
	for name, content := range map[string][]byte{"small": good, "of several pieces": large} {
		var a schema.Attachment
		s.as("manager-a", http.MethodPost, "/api/v1/attachments", content, func(r *http.Request) { r.Header.Set("X-File-Name", "..%2F%E7%85%A7%0A.png") }).into(t, &a)
		if a.GetName() != "照.png" || a.GetMediaType() != "image/png" || a.GetEnterprise() != plantA || a.GetSize() != int64(len(content)) {
			t.Errorf("%s: %v", name, &a)
		}
		got := s.as("suzhou", http.MethodGet, "/api/v1/attachments/"+a.GetId(), nil)
		if got.status != http.StatusOK || !bytes.Equal(got.body, content) {
			t.Errorf("%s: read back %d, %d bytes", name, got.status, len(got.body))
		}
		if h := got.header; h.Get("Content-Type") != "image/png" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
			t.Errorf("%s: headers %v", name, h)
		}
		if got := s.as("manager-b", http.MethodGet, "/api/v1/attachments/"+a.GetId(), nil); got.status != http.StatusNotFound {
			t.Errorf("%s: another plant reads it: %d", name, got.status)
		}
		if got := s.as("manager-a", http.MethodPost, "/api/v1/attachments", content); got.status != http.StatusOK {
			t.Errorf("%s, again: %d", name, got.status)
		}
		if got := s.as("manager-b", http.MethodPost, "/api/v1/attachments", content); got.status != http.StatusConflict {
			t.Errorf("%s, by another plant: %d", name, got.status)
		}
	}
}

// What is not what it says, or is two things at once, is refused or harmless.
func TestAttachmentPolyglots(t *testing.T) {
	s := newSite(t)
	script := []byte("<script>alert(1)</script>")
	for _, c := range []struct {
		name, mediaType string
		content         []byte
		status          int
	}{
		{"HTML as PNG", "image/png", script, 415}, {"SVG", "image/svg+xml", []byte("<svg onload=alert(1)>"), 415}, {"PNG as HTML", "text/html", picture(t), 415},
		{"PNG as JPEG", "image/jpeg", picture(t), 415}, {"PNG head with a script behind it", "image/png", append([]byte("\x89PNG\r\n\x1a\n"), script...), 422},
		{"JPEG head with a script behind it", "image/jpeg", append([]byte("\xff\xd8\xff\xe0"), script...), 422}, {"GIF", "image/gif", []byte("GIF89a"), 415},
		{"HTML before a PDF", "application/pdf", append(bytes.Clone(script), "%PDF-1.7"...), 415}, {"PDF", "application/pdf", []byte("%PDF-1.7\n%%EOF\n"), 200},
		{"nothing", "image/png", []byte{}, 415}, {"ZIP", "application/zip", []byte("PK\x03\x04"), 415}, {"media type that is none", "image/png; =", picture(t), 415},
		{"whole PNG with a script behind it", "image/png", append(picture(t), script...), 200},
	} {
		got := s.as("manager-a", http.MethodPost, "/api/v1/attachments", c.content, func(r *http.Request) { r.Header.Set("Content-Type", c.mediaType) })
		if got.status != c.status && (len(c.content) > 0 || got.status/100 != 4) {
			t.Errorf("%s: %d, wanted %d: %s", c.name, got.status, c.status, got.body)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	s := newSite(t)
	big := append(picture(t), make([]byte, maxAttachment)...)
	if got := s.as("manager-a", http.MethodPost, "/api/v1/attachments", big); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a file that is too large: %d", got.status)
	}
}

func TestCleaning(t *testing.T) {
	s := newSite(t)
	var a schema.Attachment
	s.as("worker-a", http.MethodPost, "/api/v1/attachments", picture(t)).into(t, &a)
	record := object{"id": "r1", "plan": plantA + "-floor", "item": "地面", "person": "李", "time": s.now().UnixMilli(), "photos": []string{a.GetId()}}
	for _, c := range []struct {
		name, login string
		change      object
		status      int
	}{
		{"right", "worker-a", nil, 200}, {"again", "worker-a", nil, 200}, {"another under its id", "worker-a", object{"note": "x"}, 409}, {"no photo", "worker-a", object{"id": "r2", "photos": []string{}}, 422},
		{"another's photo", "manager-b", object{"id": "r3", "plan": plantB + "-floor"}, 422}, {"another's plan", "worker-a", object{"id": "r4", "plan": plantB + "-floor"}, 404},
	} {
		body := object{}
		for _, from := range []object{record, c.change} {
			for k, v := range from {
				body[k] = v
			}
		}
		if got := s.as(c.login, http.MethodPost, "/api/v1/cleaning/records", body); got.status != c.status {
			t.Errorf("%s: %d, wanted %d: %s", c.name, got.status, c.status, got.body)
		}
	}
	var v CleaningView
	s.as("suzhou", http.MethodGet, "/api/v1/cleaning?enterprise="+plantA, nil).into(t, &v)
	if len(v.Plans) != 1 || len(v.Records) != 1 || v.Records[0].GetId() != "r1" {
		t.Errorf("cleaning: %+v", v)
	}
	if r := v.Records[0]; r.GetReceived() == 0 || r.GetClockDoubtful() {
		t.Errorf("a check-in of now: received %d, clock doubtful %t", r.GetReceived(), r.GetClockDoubtful())
	}
	for name, c := range map[string]struct {
		change object
		want   bool
	}{
		"late":         {object{"time": s.now().UnixMilli() - 3_600_000, "clock_offset_ms": -120_000}, false},
		"said by it":   {object{"clock_doubtful": true}, true},
		"yet to come":  {object{"time": s.now().UnixMilli() + 2*clockSlack}, true},
		"a little off": {object{"time": s.now().UnixMilli() + clockSlack/2}, false},
	} {
		body := maps.Clone(record)
		body["id"] = "clock-" + strings.ReplaceAll(name, " ", "-")
		maps.Copy(body, c.change)
		var r schema.CleaningRecord
		s.as("worker-a", http.MethodPost, "/api/v1/cleaning/records", body).into(t, &r)
		if r.GetClockDoubtful() != c.want || r.GetReceived() == 0 {
			t.Errorf("%s: received %d, clock doubtful %t, wanted %t", name, r.GetReceived(), r.GetClockDoubtful(), c.want)
		}
	}
}

// A phone that gave up waiting sends a check-in once more while the first is on its way: both are answered with the one that is kept.
func TestCheckInSentTwiceAtOnce(t *testing.T) {
	s := newSite(t)
	var photo schema.Attachment
	s.as("worker-a", http.MethodPost, "/api/v1/attachments", picture(t)).into(t, &photo)
	send := func() reply {
		return s.as("worker-a", http.MethodPost, "/api/v1/cleaning/records", object{"id": "r1", "plan": plantA + "-floor", "item": "地面", "person": "李", "time": probeTime, "photos": []string{photo.GetId()}})
	}
	var other reply
	s.backend.gate = func(cmd *schema.Command) {
		if changes := cmd.GetPut().GetChanges(); other.status == 0 && len(changes) == 1 && changes[0].GetType() == "CleaningRecord" {
			other.status = -1 // the other passes this gate
			other = send()
		}
	}
	first := send()
	for name, got := range map[string]reply{"the first": first, "the other": other} {
		var kept schema.CleaningRecord
		if got.into(t, &kept); got.status != http.StatusOK || kept.GetId() != "r1" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestWriteRecords(t *testing.T) {
	s := newSite(t)
	workshop := func(plant string) object {
		return object{"type": "Workshop", "record": object{"code": plant + "W01", "enterprise": plant, "name": "新车间", "building": "single_frame"}}
	}
	enterprise := func(code, region string) object {
		return object{"type": "Enterprise", "record": object{
			"code": code, "uscc": "91320505MA1000371T", "uscc_override": "test", "name": "新", "region": region, "industry": "C33", "mem_industry": "machinery", "scale": "small",
			"production_state": "normal", "access_state": "connected", "should_access": true, "dusts": []object{{"dust": "2"}},
		}}
	}
	for _, c := range []struct {
		name, login string
		changes     []object
		status      int
	}{
		{"own", "manager-a", []object{workshop(plantA)}, 200}, {"another's", "manager-a", []object{workshop(plantB)}, 404}, {"out of the region", "suzhou", []object{workshop(plantB)}, 404},
		{"in the region", "suzhou", []object{workshop(plantA)}, 200}, {"of another site", "ministry", []object{workshop(plantC)}, 409},
		{"taken over", "manager-b", []object{{"type": "Workshop", "record": object{"code": plantA + "W01", "enterprise": plantB, "name": "x", "building": "single_frame"}}}, 404},
		{"deleted by another", "manager-b", []object{{"type": "Workshop", "delete": true, "key": plantA + "W01"}}, 404},
		{"a new plant with its parts", "suzhou", []object{enterprise("320505030009", "320505"), workshop("320505030009")}, 200},
		{"a new plant elsewhere", "suzhou", []object{enterprise("320281030009", "320281")}, 404},
		{"own region left", "manager-a", []object{enterprise(plantA, "320281")}, 403}, {"own name changed", "manager-a", []object{enterprise(plantA, "320505")}, 200},
		{"an alarm", "admin", []object{{"type": "Alarm", "record": object{"id": "x"}}}, 403}, {"a session", "admin", []object{{"type": "Session", "record": object{}}}, 403},
		{"a user", "admin", []object{{"type": "User", "record": object{"login": "root"}}}, 403}, {"a type that is none", "admin", []object{{"type": "Nothing", "record": object{}}}, 403},
		{"a gateway by a plant", "manager-a", []object{{"type": "Gateway", "record": object{"code": plantA + "G02"}}}, 403},
		{"a model by a province's city", "suzhou", []object{{"type": "RiskModel", "record": object{"version": "x"}}}, 403},
		{"a field that is none", "admin", []object{{"type": "Workshop", "record": object{"colour": "red"}}}, 422}, {"a wrong value", "admin", []object{{"type": "Workshop", "record": object{"code": "x"}}}, 422},
		{"nothing", "admin", []object{}, 422}, {"created twice", "admin", []object{{"type": "Workshop", "create": true, "record": workshop(plantA)["record"]}}, 409},
	} {
		got := s.as(c.login, http.MethodPost, "/api/v1/records", object{"changes": c.changes})
		if got.status != c.status {
			t.Errorf("%s: %d, wanted %d: %s", c.name, got.status, c.status, got.body)
		}
	}
}

// No list, ledger page or stream shows a password, a session or a credential.
func TestSecretsStay(t *testing.T) {
	s := newSite(t)
	var c CredentialView
	s.as("admin", http.MethodPost, "/api/v1/gateways/"+plantA+"G01/credential", object{"kind": "sm4"}).into(t, &c)
	for _, path := range []string{"/api/v1/ledger?from=1&limit=1000", "/api/v1/ledger?limit=5"} {
		got := s.as("admin", http.MethodGet, path, nil)
		if got.status != http.StatusOK {
			t.Errorf("%s: %d", path, got.status)
		}
		for _, secret := range []string{"pbkdf2", c.AppSecret, c.Key, c.AppID, sessionID(s.tokens["admin"])} {
			if strings.Contains(string(got.body), secret) {
				t.Errorf("%s shows %s", path, secret)
			}
		}
	}
	for _, path := range []string{"/api/v1/records/User", "/api/v1/records/AuditEntry", "/api/v1/records/Session", "/api/v1/records/Credential", "/api/v1/records/ApiKey", "/api/v1/records/Nothing"} {
		if got := s.as("admin", http.MethodGet, path, nil); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	got := s.as("security", http.MethodGet, "/api/v1/users", nil)
	if got.status != http.StatusOK || strings.Contains(string(got.body), "pbkdf2") {
		t.Errorf("people: %d %s", got.status, got.body)
	}
}

func TestCredential(t *testing.T) {
	s := newSite(t)
	path := "/api/v1/gateways/" + plantA + "G01/credential"
	var token, sm4 CredentialView
	s.as("admin", http.MethodPost, path, object{"kind": "token"}).into(t, &token)
	s.as("admin", http.MethodPost, path, object{"kind": "sm4"}).into(t, &sm4)
	row, _, err := s.backend.store.Get("Credential", plantA+"G01")
	if err != nil {
		t.Fatal(err)
	}
	rec := row.Record.(*schema.Credential)
	digest, appDigest := sm.SM3([]byte(token.Secret)), sm.SM3([]byte(sm4.AppSecret))
	if !bytes.Equal(rec.GetSecretSm3(), digest[:]) || !bytes.Equal(rec.GetAppsecretSm3(), appDigest[:]) || rec.GetAppid() != sm4.AppID {
		t.Errorf("credential: %v", rec)
	}
	open, err := s.server.opt.Keys.(*keys.Software).Open("gateway/"+plantA+"G01", string(rec.GetSm4Sealed()))
	if err != nil || len(open) != 32 || len(sm4.Key) != 32 || len(sm4.IV) != 32 {
		t.Errorf("sealed key: %d bytes, %v", len(open), err)
	}
	if got := s.as("admin", http.MethodPost, "/api/v1/gateways/"+plantC+"G01/credential", object{"kind": "token"}); got.status != http.StatusConflict {
		t.Errorf("of another site's gateway: %d", got.status)
	}
	if got := s.as("admin", http.MethodPost, path, object{"kind": "magic"}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("of an unknown kind: %d", got.status)
	}
}

func TestUsers(t *testing.T) {
	s := newSite(t)
	user := func(change object) object {
		u := object{"login": "new01", "name": "新", "role": provinceRegulator, "region": "320000", "enterprise": "", "password": rightPassword}
		for k, v := range change {
			u[k] = v
		}
		return u
	}
	for _, c := range []struct {
		name   string
		change object
		status int
	}{
		{"right", nil, 200}, {"again", nil, 409}, {"weak password", object{"login": "new02", "password": "password"}, 422}, {"short password", object{"login": "new02", "password": "Ab1-"}, 422},
		{"manager of no plant", object{"login": "new03", "role": plantManager, "region": ""}, 422}, {"regulator of a plant", object{"login": "new04", "enterprise": plantA}, 422},
		{"unknown role", object{"login": "new05", "role": "king"}, 422}, {"bad login", object{"login": "N 1"}, 422},
	} {
		if got := s.as("security", http.MethodPost, "/api/v1/users", user(c.change)); got.status != c.status || strings.Contains(string(got.body), "pbkdf2") {
			t.Errorf("%s: %d, wanted %d: %s", c.name, got.status, c.status, got.body)
		}
	}
	if got := s.login("new01", rightPassword); got.status != http.StatusOK {
		t.Errorf("the new user logs in: %d %s", got.status, got.body)
	}
}

func TestCountsAndLatency(t *testing.T) {
	s := newSite(t)
	for _, action := range []string{"acknowledge", "dispose", "feed_back"} {
		s.pass(1e9)
		s.as("manager-a", http.MethodPost, "/api/v1/alarms/AL-"+plantA+"/actions", object{"action": action, "text": "x"})
	}
	s.as("suzhou", http.MethodPost, "/api/v1/alarms/AL-"+plantA+"/actions", object{"action": "close"})
	var c CountsView
	s.as("ministry", http.MethodGet, "/api/v1/counts", nil).into(t, &c)
	if len(c.Origins) != 2 || c.Metrics != 3 {
		t.Fatalf("counts: %+v", c)
	}
	own, below := c.Origins[0], c.Origins[1]
	if own.Origin != siteID || own.Alarms != 2 || own.AlarmsClosed != 1 || own.Warnings != 2 || own.SpotChecks != 2 || own.LedgerSeq == 0 || below.Origin != "nanjing" || below.Alarms != 1 || below.LedgerSeq != 16 {
		t.Errorf("counts: %+v", c)
	}
	var l LatencyView
	s.as("ministry", http.MethodGet, "/api/v1/latency?type=Alarm&origin="+siteID, nil).into(t, &l)
	if l.Count != 2 || l.P99 != 0.4 || l.Max != 0.4 || l.P50 != 0.4 {
		t.Errorf("latency, which later steps do not change: %+v", l)
	}
}

func TestLedger(t *testing.T) {
	s := newSite(t, func(o *Options) {
		o.Verify = func(c *schema.Checkpoint) error {
			if string(c.GetSignature()) != "good" {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
	})
	head, _ := s.backend.store.Head("nanjing")
	checkpoint := func(seq uint64, digest []byte, signature string) {
		b := s.backend
		b.index++
		batch := b.store.Begin(b.index, 1)
		if err := batch.PutCheckpoint(&schema.Checkpoint{Origin: "nanjing", Epoch: 7, Seq: seq, Digest: digest, Signature: []byte(signature)}); err != nil {
			t.Fatal(err)
		}
		if err := batch.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(origin string) (v VerifyView) {
		s.as("ministry", http.MethodGet, "/api/v1/ledger/verify?origin="+origin, nil).into(t, &v)
		return v
	}
	if v := verify(siteID); !v.OK || v.Seq == 0 || v.CheckpointOK {
		t.Errorf("own ledger without a signature: %+v", v)
	}
	five, err := s.backend.store.ChainAt(t.Context(), "nanjing", 7, 5)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint(5, five[:], "good")
	if v := verify("nanjing"); !v.OK || !v.CheckpointOK || v.CheckpointSeq != 5 {
		t.Errorf("signed ledger: %+v", v)
	}
	checkpoint(6, five[:], "good")
	if v := verify("nanjing"); v.OK || v.Error == "" {
		t.Errorf("signature under another digest: %+v", v)
	}
	checkpoint(head.Seq, head.Digest[:], "bad")
	if v := verify("nanjing"); v.OK || v.Error == "" {
		t.Errorf("bad signature: %+v", v)
	}
	if got := s.as("ministry", http.MethodGet, "/api/v1/ledger/verify?origin=nowhere", nil); got.status != http.StatusNotFound {
		t.Errorf("ledger that is not here: %d", got.status)
	}
	var heads List[LedgerHeadView]
	s.as("ministry", http.MethodGet, "/api/v1/ledger/heads", nil).into(t, &heads)
	if len(heads.Items) != 2 {
		t.Errorf("heads: %+v", heads)
	}
	page := s.as("suzhou", http.MethodGet, "/api/v1/ledger?origin=nanjing&from=1", nil)
	if page.status != http.StatusOK || strings.Contains(string(page.body), plantC) {
		t.Errorf("a city's regulator reads another city's records in a ledger: %s", page.body)
	}
	if page := s.as("province", http.MethodGet, "/api/v1/ledger?origin=nanjing&from=1&limit=2", nil); !strings.Contains(string(page.body), plantC) || !strings.Contains(string(page.body), `"next":3`) {
		t.Errorf("ledger page: %s", page.body)
	}
}

func TestRiskHistory(t *testing.T) {
	s := newSite(t)
	for i, level := range []string{"red", "orange", "yellow"} {
		s.pass(1e9)
		s.put(&schema.RiskResult{Id: plantA, Enterprise: plantA, Time: s.now().UnixMilli(), Model: "m", Level: level, IndexMilli: int64(i)})
	}
	var h RiskHistory
	s.as("manager-a", http.MethodGet, "/api/v1/enterprises/"+plantA+"/risk/history", nil).into(t, &h)
	if len(h.Items) != 4 || h.Items[0].GetLevel() != "yellow" || h.Items[3].GetLevel() != "orange" || !h.Complete {
		t.Errorf("history: %+v", h)
	}
	s.as("manager-a", http.MethodGet, "/api/v1/enterprises/"+plantA+"/risk/history?limit=2", nil).into(t, &h)
	if len(h.Items) != 2 || h.Complete {
		t.Errorf("first two: %+v", h)
	}
}

func TestFederation(t *testing.T) {
	s := newSite(t, func(o *Options) {
		o.Federation = func(context.Context) any {
			return object{"parent": object{"site": "ministry", "connected": true, "lanes": []object{{"lane": "events", "position": 3, "head": 5, "lag": 2}}}}
		}
		o.Replicas = func() []Replica { return []Replica{{ID: "r1", Leader: true, Self: true}} }
	})
	var v FederationView
	s.as("ministry", http.MethodGet, "/api/v1/federation", nil).into(t, &v)
	if v.Self.Leader != "r1" || v.Self.Seq == 0 || v.Parent.Value.Lanes[0].Lag != 2 || len(v.Children) != 0 || len(v.Self.Replicas) != 1 {
		t.Errorf("federation: %+v", v)
	}
}

func TestSchemaRoutes(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{
		"/api/v1/tables": `"alarm_rule"`, "/api/v1/tables/role": "部级监管人员", "/api/v1/dictionary": "粉尘涉爆企业", "/api/v1/model": "DUST-RISK-1.0",
	} {
		if got := s.as("manager-a", http.MethodGet, path, nil); got.status != http.StatusOK || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %.200s", path, got.status, got.body)
		}
	}
	s.put(&schema.CodeTable{Name: "scale", Version: "2", Codes: []*schema.Code{{Code: "x", Name: "自定义"}}})
	if got := s.as("manager-a", http.MethodGet, "/api/v1/tables/scale", nil); !strings.Contains(string(got.body), "自定义") {
		t.Errorf("the site's own table: %s", got.body)
	}
	var j model.Judgement
	s.as("ministry", http.MethodPost, "/api/v1/model/evaluate", object{"dusts": []string{"2"}, "workers": 35, "building": "single_frame", "systems": 1, "measures": "one"}).into(t, &j)
	if j.Level == "" || j.IndexMilli <= 0 || len(j.Factors) == 0 {
		t.Errorf("judgement: %+v", j)
	}
}

func TestStatic(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		portal       Portal
		path         string
		status       int
		body, policy string
	}{
		{Regulator, "/", 200, "<p>regulator", "no-cache"}, {Enterprise, "/alarms/1", 200, "<p>enterprise", "no-cache"}, {Regulator, "/assets/app-1.js", 200, "let x", "public, max-age=31536000, immutable"},
		{Regulator, "/assets/gone.js", 404, "", ""}, {Regulator, "/api/v1/nothing", 404, "", ""}, {Regulator, "/manifest.webmanifest", 200, "{}", "no-cache"}, {Regulator, "/../../etc/passwd", 200, "<p>regulator", "no-cache"},
	} {
		got := s.on(c.portal, "", http.MethodGet, c.path, nil)
		if got.status != c.status || c.body != "" && !strings.Contains(string(got.body), c.body) || c.policy != "" && got.header.Get("Cache-Control") != c.policy {
			t.Errorf("%s %s: %d %q %v", c.portal, c.path, got.status, got.body, got.header)
		}
	}
	for accept, want := range map[string]string{"": "", "gzip, br": "br", "gzip": "gzip", "gzip, br;q=0": "gzip", "identity": ""} {
		got := s.on(Regulator, "", http.MethodGet, "/assets/large-2.js", nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", accept) })
		if got.header.Get("Content-Encoding") != want || (len(got.body) < 1000) != (want != "") {
			t.Errorf("accepting %q: %q, %d bytes", accept, got.header.Get("Content-Encoding"), len(got.body))
		}
	}
	bare := newSite(t, func(o *Options) { o.Assets = nil })
	if got := bare.on(Regulator, "", http.MethodGet, "/", nil); !strings.Contains(string(got.body), "front end not built: make web") {
		t.Errorf("without a front end: %s", got.body)
	}
}

func TestDescription(t *testing.T) {
	s := newSite(t)
	dir := os.Getenv("OPENAPI_DIR") // where make test-api wants the descriptions
	for _, p := range both {
		var doc struct {
			OpenAPI string         `json:"openapi"`
			Paths   map[string]any `json:"paths"`
		}
		got := s.on(p, "", http.MethodGet, "/openapi.json", nil)
		got.into(t, &doc)
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, string(p)+".json"), got.body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Paths["/api/v1/alarms/{id}"] == nil || (doc.Paths["/api/v1/overview"] != nil) != (p == Regulator) {
			t.Errorf("%s: %s, %d paths", p, doc.OpenAPI, len(doc.Paths))
		}
		if strings.Contains(string(got.body), "password_sm3") || !strings.Contains(string(got.body), `"index_milli"`) {
			t.Errorf("%s: records are not described by their own names", p)
		}
		page := s.on(p, "", http.MethodGet, "/api/docs", nil)
		if page.status != http.StatusOK || !strings.Contains(string(page.body), "/api/v1/alarms/{id}/actions") || strings.Count(string(page.body), "<script") != 1 || strings.Contains(string(page.body), "http://") || !strings.Contains(string(page.body), `id="type-AlarmView"`) {
			t.Errorf("%s: documentation %d %.300s", p, page.status, page.body)
		}
	}
}
