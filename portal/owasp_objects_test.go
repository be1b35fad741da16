package portal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dusthub/node/store"
	"dusthub/schema"
)

// rowsAbout are all records that name a plant, encoded; what only says that somebody asked is left out.
func (s *site) rowsAbout(plant string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, typ := range schema.Types() {
		if slices.Contains([]string{"AuditEntry", "Session"}, typ) {
			continue
		}
		err := s.server.opt.Backend.Store().Each(s.t.Context(), store.Query{Type: typ}, func(r store.Row) (bool, error) {
			b, err := json.Marshal(r.Record)
			if strings.Contains(r.Key, plant) || bytes.Contains(b, []byte(plant)) {
				out[typ+"/"+r.Key] = string(b)
			}
			return true, err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

// ofOther is a request's text with another plant in the place of plant A.
func ofOther(text, plant string) string { return strings.ReplaceAll(text, plantA, plant) }

// foreignIDs: whoever sees plant A alone asks every route for the things of plants B and C, by path, query and body. The answer tells
// nothing of them, a path that names one is not found, and nothing of them has changed.
func foreignIDs(t *testing.T) {
	s := newProbed(t)
	before := map[string]map[string]string{plantB: s.rowsAbout(plantB), plantC: s.rowsAbout(plantC)}
	if len(before[plantB]) < 10 || len(before[plantC]) < 10 {
		t.Fatalf("plants with %d and %d records", len(before[plantB]), len(before[plantC]))
	}
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		if a.ID == "events" || a.ID == "logout" {
			return // TestAccess asks the stream for another plant; a logout names nothing
		}
		s.t = t
		for _, x := range actors {
			if x.portal != p || x.sees != "A" || !slices.Contains(a.Roles, x.role()) {
				continue
			}
			for _, plant := range []string{plantB, plantC} {
				path := ofOther(fill(t, a.Path), plant)
				var set []func(*http.Request)
				if body, ok := s.bodyOfProbe(p, a, x.login).([]byte); ok {
					set = append(set, withBody("application/octet-stream", string(body)))
				} else if body := s.bodyOfProbe(p, a, x.login); body != nil {
					b, err := json.Marshal(body)
					if err != nil {
						t.Fatal(err)
					}
					set = append(set, withBody("application/json", ofOther(string(b), plant)))
				}
				got := s.on(p, x.login, a.Method, path+ofOther(queryProbes[a.ID], plant), nil, set...)
				if a.scope != nil && strings.Contains(path, plant) && got.status != http.StatusNotFound {
					t.Errorf("%s asked for something of plant %s: %d %s", x.name, plant, got.status, clip(string(got.body), 200))
				}
				if named := strings.Contains(path, plant) || set != nil; named && bytes.Contains(got.body, []byte("nanjing")) {
					t.Errorf("%s was told whose plant %s is: %d %s", x.name, plant, got.status, clip(string(got.body), 300))
				}
				if got.status/100 == 2 && bytes.Contains(got.body, []byte(plant)) {
					t.Errorf("%s was told of plant %s: %s", x.name, plant, clip(string(got.body), 300))
				}
			}
		}
	})
	s.t = t
	for plant, was := range before {
		now := s.rowsAbout(plant)
		for key, record := range was {
			if now[key] != record {
				t.Errorf("%s was changed from out of sight:\n%s\n%s", key, record, now[key])
			}
		}
		for key := range now {
			if was[key] == "" {
				t.Errorf("%s was made from out of sight: %s", key, now[key])
			}
		}
	}
}

// foreignFiles: a step that names a file of another plant is refused, so that no answer leads to it.
func foreignFiles(t *testing.T) {
	s := newProbed(t)
	other := strings.Repeat("ab", 26) + plantB
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		x := s.bodySchema(p, a)
		if x == nil {
			return
		}
		for _, field := range []string{"attachments", "photos", "attachment", "photo"} {
			if x.Properties[field] == nil {
				continue
			}
			s.t = t
			for _, who := range actors {
				if who.portal != p || who.sees != "A" || !slices.Contains(a.Roles, who.role()) {
					continue
				}
				body, _ := s.bodyOfProbe(p, a, who.login).(object)
				body[field] = []string{other}
				if got := s.on(p, who.login, a.Method, fill(t, a.Path), body); got.status/100 != 4 {
					t.Errorf("%s named a file of plant B: %d %s", who.name, got.status, clip(string(got.body), 200))
				}
			}
		}
	})
}

// recordsOfEveryType: the general list shows of every type what is in sight, and of a site's own types nothing at all.
func recordsOfEveryType(t *testing.T) {
	s := newProbed(t)
	for _, typ := range schema.Types() {
		for _, x := range actors {
			if x.portal != Regulator || !slices.Contains(overseers, x.role()) {
				continue
			}
			queries := []string{"", "?limit=1000", "?prefix=" + plantB, "?desc=true", "?index=enterprise&prefix=" + plantB, "?index=login&prefix=worker-a"}
			for _, q := range queries {
				got := s.on(Regulator, x.login, http.MethodGet, "/api/v1/records/"+typ+q, nil)
				if got.status >= 500 || local(typ) && got.status != http.StatusNotFound {
					t.Errorf("%s %s%s: %d %s", x.name, typ, q, got.status, clip(string(got.body), 200))
				}
				for _, letter := range plantsIn(got.body) {
					if got.status/100 == 2 && !strings.ContainsRune(x.sees, letter) {
						t.Errorf("%s %s%s: plant %c", x.name, typ, q, letter)
					}
				}
			}
		}
	}
	for _, typ := range []string{"User", "Session", "Credential", "AuditEntry", "Channel", "Delivery", "ApiKey"} {
		if !local(typ) {
			t.Errorf("%s is not the site's own", typ)
		}
	}
}

// onesOwn: what is a person's own is nobody else's, whatever their role; the security administrator alone ends sessions.
func onesOwn(t *testing.T) {
	s := newProbed(t)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{http.MethodDelete, "/api/v1/channels/" + probeChannel, nil}, {http.MethodPost, "/api/v1/channels/" + probeChannel + "/test", nil},
		{http.MethodPost, "/api/v1/channels", object{"id": probeChannel, "name": "mine now"}}, {http.MethodDelete, "/api/v1/sessions/" + probeSession, nil},
		{http.MethodGet, "/api/v1/sessions?login=worker-a", nil}, {http.MethodGet, "/api/v1/deliveries?mine=true", nil},
	} {
		for _, x := range actors {
			if x.login == "" || x.login == "worker-a" || x.login == "security" && strings.Contains(c.path, "sessions") {
				continue
			}
			got := s.on(x.portal, x.login, c.method, c.path, c.body)
			if strings.Contains(c.path, "deliveries") {
				if bytes.Contains(got.body, []byte("D-probe")) {
					t.Errorf("%s: %s is told of another's messages", c.path, x.name)
				}
				continue
			}
			if got.status != http.StatusNotFound && got.status != http.StatusForbidden {
				t.Errorf("%s %s, %s: %d", c.method, c.path, x.name, got.status)
			}
		}
	}
	channel, _, err := s.server.opt.Backend.Store().Get("Channel", probeChannel)
	if err != nil || channel.Record.(*schema.Channel).GetName() != "通知" {
		t.Errorf("the channel: %v %v", channel.Record, err)
	}
	if _, ok, err := s.server.opt.Backend.Store().Get("Session", probeSession); err != nil || !ok {
		t.Error("the session was ended")
	}
}

// assigned are fields that a client might hope to set.
var assigned = map[string]any{
	"role": siteAdmin, "enterprise": plantB, "region": "000000", "scope": "SCOPE_LOCAL", "origin": "ministry", "stage": "closed", "login": "admin", "actor": "admin", "password": "pbkdf2-hmac-sm3$1$x$x", "must_change": false,
	"totp_sealed": "x", "address_sealed": "eA==", "secret_sm3": "eA==", "id": "another", "series": 1, "site": "ministry", "seq": 1, "created": 1, "signature": "x", "publisher": "ministry", "disabled": false, "admin": true,
	"__proto__": object{"admin": true}, "constructor": object{"prototype": object{"admin": true}}, "$type": "User", "raised": 1, "escalation": 0, "confirmed": true, "approved_by": "admin",
}

// massAssignment: every writing route refuses a body with a field that its description does not name, in the body and in whatever
// objects it holds.
func massAssignment(t *testing.T) {
	s := newProbed(t)
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		x := s.bodySchema(p, a)
		if x == nil {
			return
		}
		s.t = t
		who := actors[slices.IndexFunc(actors, func(w actor) bool {
			return w.portal == p && w.login != "" && (a.Roles == nil || slices.Contains(a.Roles, w.role()))
		})]
		for field, value := range assigned {
			if x.Properties[field] != nil {
				continue // it is the route's to take: other tests say how far
			}
			body, ok := s.bodyOfProbe(p, a, who.login).(object)
			if !ok {
				t.Fatalf("the probe's body is no object: %v", body)
			}
			with := object{}
			for k, v := range body {
				with[k] = v
			}
			with[field] = value
			got := s.on(p, who.login, a.Method, fill(t, a.Path), with)
			if got.status != http.StatusUnprocessableEntity && got.status != http.StatusBadRequest {
				t.Errorf("%s was taken from %s: %d %s", field, who.name, got.status, clip(string(got.body), 200))
			}
		}
	})
}

// recordsAreTheirForm: base data is written as the data dictionary has it; what the site gives itself cannot be given, and types of the site's
// own are not written at all.
func recordsAreTheirForm(t *testing.T) {
	s := newProbed(t)
	write := func(x, typ string, record object) reply {
		return s.as(x, http.MethodPost, "/api/v1/records", object{"changes": []object{{"type": typ, "record": record}}})
	}
	workshop := func(field string, value any) object {
		return object{"code": plantA + "W01", "enterprise": plantA, "name": "车间", "building": "single_frame", field: value}
	}
	for field, value := range assigned {
		if field == "enterprise" {
			continue
		}
		if got := write("manager-a", "Workshop", workshop(field, value)); got.status != http.StatusUnprocessableEntity {
			t.Errorf("a workshop with %s: %d %s", field, got.status, got.body)
		}
	}
	for _, typ := range schema.Types() {
		if written[typ] != nil {
			continue
		}
		for _, who := range []string{"manager-a", "ministry", "admin"} {
			if got := write(who, typ, object{}); got.status != http.StatusForbidden {
				t.Errorf("%s writes a %s: %d", who, typ, got.status)
			}
		}
	}
	for _, c := range []struct {
		who, typ string
		record   object
		status   int
	}{
		{"manager-a", "Workshop", object{"code": plantB + "W01", "enterprise": plantA, "name": "taken over", "building": "single_frame"}, http.StatusNotFound},
		{"manager-a", "Workshop", object{"code": plantA + "W01", "enterprise": plantB, "name": "given away", "building": "single_frame"}, http.StatusNotFound},
		{"suzhou", "Enterprise", object{"code": plantA, "name": "moved", "region": "320281"}, http.StatusNotFound},
		{"manager-a", "CodeTable", object{"name": "role"}, http.StatusForbidden},
		{"province", "CodeTable", object{"name": "role"}, http.StatusForbidden},
		{"manager-a", "Gateway", object{"code": plantA + "G01", "enterprise": plantA, "name": "x", "door": "http"}, http.StatusForbidden},
	} {
		if got := write(c.who, c.typ, c.record); got.status != c.status {
			t.Errorf("%s writes %s %v: %d %s", c.who, c.typ, c.record, got.status, got.body)
		}
	}
}

// secretsInAnswers: no answer to anybody holds what proves who somebody is, or what a key sealed.
func secretsInAnswers(t *testing.T) {
	s := newProbed(t)
	planted := []byte("a secret that was planted for it")
	secrets := map[string]string{
		"password hash": "pbkdf2-hmac-sm3$77$cGxhbnRlZA$cGxhbnRlZA", "second factor": "sealed second factor", "recovery code": "a recovery code's digest", "channel's address": "c2VhbGVkOndvcmtlci1h",
		"gateway's secret": base64.StdEncoding.EncodeToString(planted)[:40], "session's token": "token of worker-a",
	}
	s.put(&schema.User{Login: "worker-a", Name: "工", Role: plantWorker, Enterprise: plantA, Password: secrets["password hash"], TotpSealed: secrets["second factor"], Recovery: []string{secrets["recovery code"]}})
	s.put(&schema.Credential{Gateway: plantA + "G01", SecretSm3: planted, Sm4Sealed: planted, AppsecretSm3: planted})
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		if a.Method != http.MethodGet || a.ID == "events" {
			return
		}
		s.t = t
		for _, x := range actors {
			if x.portal != p {
				continue
			}
			for _, q := range []string{queryProbes[a.ID], "?limit=1000", "?login=worker-a"} {
				got := s.on(p, x.login, a.Method, fill(t, a.Path)+q, nil)
				for what, secret := range secrets {
					if bytes.Contains(got.body, []byte(secret)) {
						t.Errorf("%s was shown a %s", x.name, what)
					}
				}
			}
		}
	})
	for _, q := range []string{"", "?origin=" + siteID, "?from=1&limit=1000"} {
		for what, secret := range secrets {
			if got := s.as("admin", http.MethodGet, "/api/v1/ledger"+q, nil); bytes.Contains(got.body, []byte(secret)) {
				t.Errorf("the ledger shows a %s", what)
			}
		}
	}
	if got := fmt.Sprint(s.as("worker-a", http.MethodGet, "/api/v1/channels", nil)); strings.Contains(got, "address_sealed") {
		t.Error("a channel's address is shown to its owner")
	}
}
