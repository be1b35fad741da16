package machine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dusthub/schema"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
)

// What became of a delivery is never taken back, whoever says so late; and a replay refuses what was refused.
func TestADeliveryNeverGoesBack(t *testing.T) {
	of := func(stage string, tries int32) *schema.Delivery {
		return &schema.Delivery{
			Id: "Alarm/A/0/1/ff/c", Subject: "Alarm/A", Login: "li", Channel: "c", Kind: "webhook", Stage: stage, Tries: tries, At: start, Template: "alarm_raised", Title: "T", Next: start + int64(tries),
		}
	}
	for _, c := range []struct {
		from  string
		tries int32
		to    string
		then  int32
		taken bool
	}{
		{"queued", 0, "sent", 1, true}, {"queued", 0, "failed", 1, true}, {"queued", 0, "held", 0, true}, {"queued", 0, "given_up", 0, true}, {"queued", 0, "queued", 0, true}, {"queued", 0, "queued", 1, false},
		{"held", 0, "sent", 1, true}, {"held", 0, "given_up", 0, true}, {"held", 0, "queued", 0, false},
		{"failed", 1, "failed", 2, true}, {"failed", 1, "held", 1, true}, {"failed", 1, "sent", 2, true}, {"failed", 8, "given_up", 8, true}, {"failed", 2, "failed", 1, false}, {"failed", 1, "held", 0, false}, {"failed", 1, "queued", 1, false},
		{"sent", 1, "queued", 0, false}, {"sent", 1, "queued", 2, false}, {"sent", 1, "failed", 2, false}, {"sent", 1, "held", 1, false}, {"sent", 1, "given_up", 2, false}, {"sent", 1, "sent", 1, true}, {"sent", 1, "sent", 2, false},
		{"given_up", 8, "queued", 8, false}, {"given_up", 8, "failed", 9, false}, {"given_up", 8, "sent", 8, true}, {"given_up", 8, "sent", 7, false},
	} {
		t.Run(fmt.Sprintf("%s after %d to %s after %d", c.from, c.tries, c.to, c.then), func(t *testing.T) {
			s, _ := pair(t, child)
			put := func(d *schema.Delivery) *schema.Result {
				cmd := putAll(t, "", d)
				cmd.Actor = "site"
				return s.at(t, start, cmd)
			}
			if res := put(of(c.from, c.tries)); schema.Refuses(res.GetViolations()) {
				t.Fatal(res.GetViolations())
			}
			want := of(c.from, c.tries)
			if c.taken {
				want = of(c.to, c.then)
			}
			if res := put(of(c.to, c.then)); schema.Refuses(res.GetViolations()) == c.taken {
				t.Errorf("%v", res.GetViolations())
			}
			row, _, err := s.store.Get("Delivery", want.GetId())
			if err != nil || !proto.Equal(row.Record, want) {
				t.Errorf("%v %v", row.Record, err)
			}
			remove := &schema.Command{Actor: "site", Body: &schema.Command_Put{Put: &schema.Put{Changes: []*schema.Change{{Type: "Delivery", Key: want.GetId(), Deleted: true}}}}}
			finished := want.GetStage() == "sent" || want.GetStage() == "given_up"
			if res := s.at(t, start, remove); schema.Refuses(res.GetViolations()) == finished {
				t.Errorf("deletion of a %s one: %v", want.GetStage(), res.GetViolations())
			}
		})
	}
}

// A replay refuses what was refused, although the rows have moved on.
func TestRefusedDeliveriesStayRefusedInAReplay(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	whole := openSite(t, vfs.NewMem())
	defer whole.store.Close()
	stages := []string{"queued", "held", "failed", "sent", "given_up"}
	var log [][]byte
	refused := 0
	for i := range 300 {
		d := &schema.Delivery{
			Id: fmt.Sprint("Alarm/A/0/1/ff/", r.IntN(20)), Subject: "Alarm/A", Login: "li", Channel: "c", Kind: "webhook", Stage: stages[r.IntN(len(stages))], Tries: r.Int32N(4), At: start,
			Template: "alarm_raised", Title: "T",
		}
		cmd := putAll(t, "", d)
		cmd.Actor, cmd.Time = "site", start+int64(i)
		raw, err := schema.Marshal(cmd)
		must(t, err)
		log = append(log, raw)
		if schema.Refuses(whole.propose(t, cmd).GetViolations()) {
			refused++
		}
	}
	if refused < 20 || refused > 280 {
		t.Fatalf("%d of %d refused: the test tests nothing", refused, len(log))
	}
	if got, want := crashing(t, log, 7), whole.picture(t); got != want {
		t.Errorf("after crashes\n%s\nwanted\n%s", got, want)
	}
}

// A change made of a row that somebody else wrote over meanwhile is refused, and a code of a second factor that was used stays used.
func TestAUserIsWrittenOverWhatWasRead(t *testing.T) {
	user := func(step int64, recovery ...string) *schema.User {
		return &schema.User{Login: "duty", Name: "值班", Role: "province_regulator", Password: "pbkdf2-hmac-sm3$1$x$x", TotpSealed: "sealed", TotpStep: step, Recovery: recovery}
	}
	change := func(sealed string) *schema.User {
		u := user(1)
		u.TotpSealed = sealed
		return u
	}
	for _, c := range []struct {
		name string
		next *schema.User
		over int64 // entries since the one the change is made of; -1: says nothing
		rule string
	}{
		{"made of what is there", user(6, "a", "b"), 0, ""}, {"of what was there before", user(6, "a", "b"), 1, ruleOver}, {"of anything", user(6, "a", "b"), -1, ""},
		{"the same again", user(5, "a", "b"), 0, ""}, {"the step falls", user(4, "a", "b"), -1, "used_up"}, {"a recovery code comes back", user(6, "a", "b", "c"), -1, "used_up"},
		{"a recovery code is used", user(5, "a"), 0, ""}, {"another secret", change("new"), 0, ""}, {"no secret", change(""), 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := pair(t, child)
			put := func(u *schema.User, over uint64) *schema.Result {
				cmd := putAll(t, "", u)
				cmd.Actor = "site"
				cmd.GetPut().Changes[0].Over = over
				return s.at(t, start, cmd)
			}
			put(user(4, "a", "b", "c"), 0)
			put(user(5, "a", "b"), 0)
			row, _, err := s.store.Get("User", "duty")
			must(t, err)
			over := uint64(0)
			if c.over >= 0 {
				over = row.Seq - uint64(c.over)
			}
			rule := ""
			for _, v := range put(c.next, over).GetViolations() {
				rule = v.GetRule()
			}
			if rule != c.rule {
				t.Errorf("refused by %q, wanted %q", rule, c.rule)
			}
		})
	}
}

// A replay after a crash refuses what was refused, although the row has moved on.
func TestAStaleChangeStaysRefusedInAReplay(t *testing.T) {
	whole := openSite(t, vfs.NewMem())
	defer whole.store.Close()
	var log [][]byte
	refused := 0
	for i := range int64(300) {
		cmd := putAll(t, "", &schema.User{Login: "duty", Name: fmt.Sprint(i), Role: "province_regulator", Password: "x"})
		cmd.Actor, cmd.Time = "site", start+i
		if row, ok, err := whole.store.Get("User", "duty"); err == nil && ok {
			cmd.GetPut().Changes[0].Over = row.Seq - uint64(i%2)
		}
		raw, err := schema.Marshal(cmd)
		must(t, err)
		log = append(log, raw)
		if schema.Refuses(whole.propose(t, cmd).GetViolations()) {
			refused++
		}
	}
	if refused < 100 || refused > 200 {
		t.Fatalf("%d of %d refused: the test tests nothing", refused, len(log))
	}
	if got, want := crashing(t, log, 3), whole.picture(t); got != want {
		t.Errorf("after crashes\n%s\nwanted\n%s", got, want)
	}
}

// There is one report for every period and region: the first. Nobody writes over it, and nobody but the site writes any.
func TestAReportIsWrittenOnce(t *testing.T) {
	report := func(figures string) *schema.Report {
		return &schema.Report{Id: "daily-320000-2026-11-25", Kind: "daily", Region: "320000", From: start, Until: start + 1, Made: start, Actor: "site", Figures: []byte(figures)}
	}
	s, _ := pair(t, child)
	for _, c := range []struct {
		actor, figures string
		taken          bool
	}{{"somebody", "{}", false}, {"site", `{"a":1}`, true}, {"site", `{"a":2}`, false}, {"site", `{"a":1}`, false}} {
		cmd := putAll(t, "", report(c.figures))
		cmd.Actor = c.actor
		if res := s.at(t, start, cmd); schema.Refuses(res.GetViolations()) == c.taken {
			t.Errorf("%s %s: %v", c.actor, c.figures, res.GetViolations())
		}
	}
	row, ok, err := s.store.Get("Report", report("").GetId())
	if err != nil || !ok || string(row.Record.(*schema.Report).GetFigures()) != `{"a":1}` {
		t.Errorf("%v %v", row.Record, err)
	}
}

// What a site counts of itself it writes over again and again, and nobody else writes it.
func TestDaysOfRegionsAreTheSitesOwn(t *testing.T) {
	s, _ := pair(t, child)
	day := &schema.RegionDay{Id: "32/2026-11-25", Day: start, Samples: 1, Sampled: start, Rows: []*schema.RegionFigures{{Region: "32", Last: &schema.Standing{Plants: 2, PlantsOnline: 1}, Sensing: &schema.Sensing{From: start, End: start + 1, Series: 3}}}}
	county := &schema.SensingDay{Id: "2026-11-25/320505", From: start, End: start + 1, Issues: []*schema.SensingIssue{{Enterprise: "320505030001", Metric: "320505030001C001T0101", Rule: "gaps", Count: 7, Worst: 0.4}}}
	for _, c := range []struct {
		actor string
		taken bool
	}{{"site", true}, {"site", true}, {"somebody", false}} {
		cmd := putAll(t, "", day, county)
		cmd.Actor = c.actor
		if res := s.at(t, start, cmd); schema.Refuses(res.GetViolations()) == c.taken {
			t.Errorf("%s: %v", c.actor, res.GetViolations())
		}
	}
	row, ok, err := s.store.Get("RegionDay", day.GetId())
	if err != nil || !ok || !proto.Equal(row.Record, day) {
		t.Errorf("%v %v", row.Record, err)
	}
}
