package portal

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dusthub/node/personal"
	"dusthub/node/store"
	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// sealedTexts are personal texts of TestPersonalDataIsSealed.
var sealedTexts = []string{"诸葛不亮", "13987654321", "司马不懿", "夏侯不惇", "公孙不瓒", "慕容不复"}

// What people enter through any door of the portal lies in clear nowhere: not in the commands that raft keeps, not in the rows, not
// in the ledger that goes to the parent, not in the store's files.
func TestPersonalDataIsSealed(t *testing.T) {
	s := newProbed(t)
	var log bytes.Buffer
	s.backend.gate = func(c *schema.Command) {
		raw, err := proto.Marshal(c)
		if err != nil {
			t.Error(err)
		}
		log.Write(raw)
	}
	ok := func(got reply) {
		t.Helper()
		if got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	e := s.enterprise()
	e.SafetyHead, e.SafetyPhone = sealedTexts[0], sealedTexts[1]
	ok(s.as("province", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "Enterprise", "record": e}}}))
	ok(s.as("worker-a", http.MethodPost, "/api/v1/cleaning/records", object{"id": "CR-1", "plan": plantA + "-floor", "item": "地面", "person": sealedTexts[2], "time": probeTime, "photos": []string{probeAttachment}}))
	again := s.as("worker-a", http.MethodPost, "/api/v1/cleaning/records", object{"id": "CR-1", "plan": plantA + "-floor", "item": "地面", "person": sealedTexts[2], "time": probeTime, "photos": []string{probeAttachment}})
	ok(again) // sent once more, as the network comes and goes
	ok(s.as("security", http.MethodPost, "/api/v1/users", object{"login": "new-one", "name": sealedTexts[3], "role": plantWorker, "enterprise": plantA, "password": rightPassword}))
	ok(s.as("security", http.MethodPatch, "/api/v1/users/manager-a", object{"name": sealedTexts[4]}))
	s.put(&schema.Session{Id: sessionID(s.tokens["manager-a"]), Login: "manager-a", Portal: string(Enterprise), Created: probeTime, Expires: probeTime + sessionFor.Milliseconds()})
	ok(s.as("manager-a", http.MethodPost, "/api/v1/alarms/AL-"+plantA+"/actions", object{"action": "acknowledge"}))
	ok(s.as("manager-a", http.MethodPost, "/api/v1/spot-checks/S-"+plantA+"/answer", object{"text": "已查"}))
	ok(s.as("province", http.MethodPost, "/api/v1/spot-checks/draw", object{"count": 1, "title": "抽查", "seed": "1", "inspectors": []string{sealedTexts[5]}}))

	e.SafetyHead = strings.Repeat("长", 51)
	if got := s.as("province", http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": "Enterprise", "record": e}}}); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "safety_head") {
		t.Errorf("a name of 51 characters: %d %s", got.status, got.body)
	}

	var users Page[*UserView]
	s.as("security", http.MethodGet, "/api/v1/users?prefix=new-one", nil).into(t, &users)
	if users.Items[0].Name != sealedTexts[3] {
		t.Errorf("the security administrator reads %q", users.Items[0].Name)
	}
	var plant PlantView
	s.as("manager-a", http.MethodGet, "/api/v1/enterprises/"+plantA, nil).into(t, &plant)
	if plant.Enterprise.GetSafetyPhone() != sealedTexts[1] || plant.Cleaning.Records[0].GetPerson() != sealedTexts[2] {
		t.Errorf("the manager reads %v %v", plant.Enterprise, plant.Cleaning.Records)
	}
	s.as("province", http.MethodGet, "/api/v1/enterprises/"+plantA, nil).into(t, &plant)
	if plant.Enterprise.GetSafetyPhone() != "139****4321" || plant.Cleaning.Records[0].GetPerson() != "司**懿" {
		t.Errorf("the regulator reads %v %v", plant.Enterprise, plant.Cleaning.Records)
	}
	for _, text := range sealedTexts {
		if bytes.Contains(log.Bytes(), []byte(text)) {
			t.Errorf("a command holds %s", text)
		}
	}
	s.nowhere(t, sealedTexts)
}

// nowhere fails when a text stands in a row or in the ledger of the site, or in a file of its store.
func (s *site) nowhere(t *testing.T, texts []string) {
	t.Helper()
	look := func(where string, raw []byte) {
		for _, text := range texts {
			if bytes.Contains(raw, []byte(text)) {
				t.Errorf("%s holds %s in clear", where, text)
			}
		}
	}
	rows := 0
	for _, typ := range schema.Types() {
		if err := s.backend.store.Each(t.Context(), store.Query{Type: typ}, func(r store.Row) (bool, error) {
			raw, err := proto.Marshal(r.Record)
			look(typ+"/"+r.Key, raw)
			rows++
			return true, err
		}); err != nil {
			t.Fatal(err)
		}
	}
	head, _ := s.backend.store.Head(siteID)
	if err := s.backend.store.Ledger(t.Context(), siteID, head.Epoch, 1, int(head.Seq), func(_ uint64, item *schema.Item) error {
		look("the ledger", item.GetEntry())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.backend.store.Flush(); err != nil {
		t.Fatal(err)
	}
	files := 0
	if err := filepath.Walk(s.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		look(filepath.Base(path), raw)
		files++
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if rows == 0 || files == 0 {
		t.Errorf("looked at %d rows and %d files", rows, files)
	}
}

// A name that was kept in clear by an earlier version is sealed when its person next logs in.
func TestOldNamesAreSealedAtLogin(t *testing.T) {
	s := newProbed(t)
	s.put(&schema.User{Login: "ministry", Name: "上官不婉", Role: ministryRegulator, Password: probeHash()})
	got := s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": "ministry", "password": rightPassword})
	if got.status != http.StatusOK || !strings.Contains(string(got.body), "上官不婉") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	row, _, err := s.backend.store.Get("User", "ministry")
	if err != nil {
		t.Fatal(err)
	}
	if u := row.Record.(*schema.User); u.GetName() != nameless || u.GetPersonalSealed() == "" || s.server.openUser(u).GetName() != "上官不婉" {
		t.Errorf("%v", u)
	}
}

// A key of personal data seals for a year, then another does; what was sealed before opens as it did.
func TestDataKeysFollowOneAnother(t *testing.T) {
	s := newProbed(t)
	ring := s.server.opt.Personal
	seal := func(text string) (sealed, number string) {
		t.Helper()
		sealed, err := ring.Seal(t.Context(), siteID, plantA, text)
		if err != nil {
			t.Fatal(err)
		}
		parsed, _ := schema.ParseSealed(sealed)
		return sealed, parsed.Number
	}
	var sealed []string
	for _, step := range []struct {
		pass time.Duration
		want string
	}{{0, "0001"}, {364 * 24 * time.Hour, "0001"}, {2 * 24 * time.Hour, "0002"}, {time.Hour, "0002"}} {
		s.pass(step.pass)
		text, number := seal("诸葛不亮")
		if number != step.want {
			t.Errorf("after %s more, sealed with key %s, want %s", step.pass, number, step.want)
		}
		sealed = append(sealed, text)
	}
	for _, text := range sealed {
		if got, err := ring.Open(plantA, text); err != nil || got != "诸葛不亮" {
			t.Errorf("%s opens to %q, %v", text, got, err)
		}
	}
	again := personal.New(s.backend, s.server.opt.Keys, nil, slog.New(slog.DiscardHandler)) // as after a restart
	if got, err := again.Open(plantA, sealed[0]); err != nil || got != "诸葛不亮" {
		t.Errorf("after a restart the first key opens %q, %v", got, err)
	}
}
