package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// keyed is a site whose people know the right password.
func keyed(t *testing.T) *site {
	s := newProbed(t)
	for _, u := range people {
		u = proto.CloneOf(u)
		u.Password = probeHash()
		s.put(u)
	}
	return s
}

// newKey makes a key for a day.
func (s *site) newKey(login string, routes ...string) (id, secret string) {
	s.t.Helper()
	var v NewKeyView
	s.as(login, http.MethodPost, "/api/v1/session/keys", object{"name": "上报接口", "routes": routes, "days": 1, "password": rightPassword}).into(s.t, &v)
	return v.Key.ID, v.Secret
}

// with makes a call with a key and neither cookie nor CSRF header.
func (s *site) with(p Portal, secret, method, path string, body any) reply {
	s.t.Helper()
	return s.on(p, "", method, path, body, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) })
}

func TestKeyOpensWhatItNames(t *testing.T) {
	s := keyed(t)
	id, secret := s.newKey("suzhou", "enterprises", "plant", "records-write", "records")
	stolen := strings.Replace(secret, secret[len(secret)-4:], "AAAA", 1)
	_, own := s.newKey("manager-a", "plant", "records-write")
	workshop := func(plant string) object {
		return object{"changes": []object{{"type": "Workshop", "record": object{"code": plant + "W01", "enterprise": plant, "name": "二车间", "building": "single_frame"}}}}
	}
	for _, c := range []struct {
		title  string
		portal Portal
		key    string
		method string
		path   string
		body   any
		status int
	}{
		{"a route it names", Regulator, secret, "GET", "/api/v1/enterprises", nil, 200},
		{"a change it names, without a CSRF header", Regulator, secret, "POST", "/api/v1/records", workshop(plantA), 200},
		{"a route it does not name", Regulator, secret, "GET", "/api/v1/alarms", nil, 403},
		{"another's plant", Regulator, secret, "GET", "/api/v1/enterprises/" + plantB, nil, 404},
		{"a change of another's plant", Regulator, secret, "POST", "/api/v1/records", workshop(plantB), 404},
		{"the account", Regulator, secret, "GET", "/api/v1/session", nil, 403},
		{"the other portal", Enterprise, secret, "GET", "/api/v1/enterprises/" + plantA, nil, 401},
		{"a manager's own plant", Enterprise, own, "GET", "/api/v1/enterprises/" + plantA, nil, 200},
		{"a manager's of another plant", Enterprise, own, "GET", "/api/v1/enterprises/" + plantB, nil, 404},
		{"a wrong secret", Regulator, stolen, "GET", "/api/v1/enterprises", nil, 401},
		{"a key that is none", Regulator, "dhk_", "GET", "/api/v1/enterprises", nil, 401},
		{"an id that is none", Regulator, "dhk_0123456789abcdef" + secret[len("dhk_")+16:], "GET", "/api/v1/enterprises", nil, 401},
		{"the probe's, of a wrong form", Enterprise, keyPrefix + probeKey + "_probe", "GET", "/api/v1/alarms", nil, 401},
	} {
		t.Run(c.title, func(t *testing.T) {
			s.t = t
			if got := s.with(c.portal, c.key, c.method, c.path, c.body); got.status != c.status {
				t.Errorf("%d, wanted %d: %s", got.status, c.status, got.body)
			}
		})
	}
	s.t = t
	var page Page[*KeyView]
	got := s.as("suzhou", http.MethodGet, "/api/v1/session/keys", nil)
	if strings.Contains(string(got.body), secret[len(secret)-20:]) || strings.Contains(string(got.body), "secret") {
		t.Errorf("the list tells a secret: %s", got.body)
	}
	got.into(t, &page)
	if len(page.Items) != 1 || page.Items[0].ID != id || page.Items[0].Used != s.now().UnixMilli() || page.Items[0].UsedFrom == "" || page.Items[0].State != "open" {
		t.Errorf("%+v", page.Items)
	}
	var audit Page[*schema.AuditEntry]
	s.as("audit", http.MethodGet, "/api/v1/audit?actor=suzhou&action=records-write", nil).into(t, &audit)
	if !slices.ContainsFunc(audit.Items, func(e *schema.AuditEntry) bool { return e.GetResult() == "ok key "+id }) {
		t.Errorf("audit: %v", audit.Items)
	}
}

// Whatever a key's record says, what is of people stays shut to it: every route of the table that is not for machines.
func TestKeyNeverOpensWhatIsOfPeople(t *testing.T) {
	s := keyed(t)
	var every []string
	for _, a := range accesses {
		if !a.forMachines() {
			every = append(every, a.ID)
		}
	}
	for _, x := range []actor{{login: "ministry", portal: Regulator}, {login: "admin", portal: Regulator}, {login: "security", portal: Regulator}, {login: "audit", portal: Regulator}, {login: "manager-a", portal: Enterprise}} {
		secret := strings.Repeat("s", 43)
		id := strings.Repeat("0", 15) + string("0123456789"[slices.IndexFunc(people, func(u *schema.User) bool { return u.GetLogin() == x.login })])
		s.put(&schema.ApiKey{Id: id, Login: x.login, Name: "所有", SecretSm3: keyDigest(secret), Routes: every[:50], Portal: string(x.portal), Created: probeTime, Expires: probeTime + dayMs},
			&schema.ApiKey{Id: "f" + id[1:], Login: x.login, Name: "所有", SecretSm3: keyDigest(secret), Routes: every[len(every)-50:], Portal: string(x.portal), Created: probeTime, Expires: probeTime + dayMs})
		for _, a := range accesses {
			if a.forMachines() || a.Roles == nil || !slices.Contains(a.Portals, x.portal) {
				continue
			}
			for _, id := range []string{id, "f" + id[1:]} {
				got := s.with(x.portal, keyPrefix+id+"_"+secret, a.Method, fill(t, a.Path), s.bodyOfProbe(x.portal, a, x.login))
				if got.status != http.StatusForbidden || got.problem(t).Code != codeKeyRoute {
					t.Errorf("%s with a key of %s: %d %s", a.ID, x.login, got.status, got.body)
				}
			}
		}
	}
	for _, id := range []string{"users", "user-create", "audit", "audit-export", "credential", "session", "key-create", "key-revoke", "reveal", "alarm-action", "events", "channels", "orgs", "roles", "model-publish"} {
		if accessOf(id).forMachines() {
			t.Errorf("%s is for machines", id)
		}
	}
}

func TestKeyEnds(t *testing.T) {
	for _, c := range []struct {
		title string
		end   func(s *site, id string)
	}{
		{"by its time", func(s *site, _ string) { s.pass(24 * time.Hour) }},
		{"with its person", func(s *site, _ string) {
			s.as("security", http.MethodPatch, "/api/v1/users/suzhou", object{"disabled": true})
		}},
		{"with its person, disabled behind this API", func(s *site, _ string) {
			s.put(&schema.User{Login: "suzhou", Name: "苏州", Role: provinceRegulator, Region: "320500", Password: "x", Disabled: true})
		}},
		{"for good: a person who comes back has none", func(s *site, _ string) {
			s.as("security", http.MethodPatch, "/api/v1/users/suzhou", object{"disabled": true})
			s.as("security", http.MethodPatch, "/api/v1/users/suzhou", object{"disabled": false})
		}},
		{"with the role of its person", func(s *site, _ string) {
			s.put(&schema.User{Login: "suzhou", Name: "苏州", Role: plantManager, Enterprise: plantA, Password: "x"})
		}},
		{"when its person revokes it", func(s *site, id string) { s.as("suzhou", http.MethodDelete, "/api/v1/session/keys/"+id, nil) }},
		{"when the security administrator does", func(s *site, id string) { s.as("security", http.MethodDelete, "/api/v1/session/keys/"+id, nil) }},
		{"though it was being used", func(s *site, id string) {
			row, _, _ := s.backend.store.Get("ApiKey", id)
			s.as("suzhou", http.MethodDelete, "/api/v1/session/keys/"+id, nil)
			s.server.touchKey(context.Background(), &viewer{key: row.Record.(*schema.ApiKey), address: "10.0.0.9"})
		}},
	} {
		t.Run(c.title, func(t *testing.T) {
			s := keyed(t)
			id, secret := s.newKey("suzhou", "enterprises")
			if got := s.with(Regulator, secret, "GET", "/api/v1/enterprises", nil); got.status != 200 {
				t.Fatalf("before: %d", got.status)
			}
			c.end(s, id)
			if got := s.with(Regulator, secret, "GET", "/api/v1/enterprises", nil); got.status != 401 {
				t.Errorf("after: %d %s", got.status, got.body)
			}
		})
	}
}

func TestMakingKeys(t *testing.T) {
	s := keyed(t)
	good := func() object {
		return object{"name": "上报", "routes": []string{"alarms"}, "days": 30, "password": rightPassword}
	}
	for _, c := range []struct {
		title, login string
		change       object
		status       int
	}{
		{"good", "worker-a", object{}, 200},
		{"no name", "worker-a", object{"name": ""}, 422},
		{"longer than a year", "worker-a", object{"days": 366}, 422},
		{"without an end", "worker-a", object{"days": 0}, 422},
		{"a wrong password", "worker-a", object{"password": "x"}, 422},
		{"a route of another role", "worker-a", object{"routes": []string{"records-write"}}, 422},
		{"a route of people", "worker-a", object{"routes": []string{"session"}}, 422},
		{"a route that is none", "worker-a", object{"routes": []string{"everything"}}, 422},
		{"no routes", "worker-a", object{"routes": []string{}}, 422},
		{"a route twice", "worker-a", object{"routes": []string{"alarms", "alarms"}}, 422},
		{"another's name", "worker-a", object{"login": "manager-a"}, 422},
		{"who works with no data of plants", "security", object{}, 403},
	} {
		body := good()
		for k, v := range c.change {
			body[k] = v
		}
		if got := s.as(c.login, http.MethodPost, "/api/v1/session/keys", body); got.status != c.status {
			t.Errorf("%s: %d %s", c.title, got.status, got.body)
		}
	}
	for range keysPerUser {
		s.as("manager-b", http.MethodPost, "/api/v1/session/keys", good())
	}
	if got := s.as("manager-b", http.MethodPost, "/api/v1/session/keys", good()); got.status != http.StatusConflict {
		t.Errorf("one more than %d: %d", keysPerUser, got.status)
	}
	var all Page[*KeyView]
	s.as("security", http.MethodGet, "/api/v1/session/keys?login=*", nil).into(t, &all)
	if len(all.Items) != keysPerUser+2 { // and the probe's
		t.Errorf("%d keys", len(all.Items))
	}
	for path, status := range map[string]int{"/api/v1/session/keys?login=manager-b": 404, "/api/v1/session/keys?login=*": 404} {
		if got := s.as("worker-a", http.MethodGet, path, nil); got.status != status {
			t.Errorf("%s: %d", path, got.status)
		}
	}
	other := slices.IndexFunc(all.Items, func(k *KeyView) bool { return k.Login == "manager-b" })
	if got := s.as("worker-a", http.MethodDelete, "/api/v1/session/keys/"+all.Items[other].ID, nil); got.status != 404 {
		t.Errorf("another's key: %d", got.status)
	}
	var routes List[KeyRouteView]
	s.as("worker-a", http.MethodGet, "/api/v1/session/keys/routes", nil).into(t, &routes)
	if len(routes.Items) < 5 || slices.ContainsFunc(routes.Items, func(r KeyRouteView) bool { return r.ID == "records-write" }) {
		t.Errorf("%v", routes.Items)
	}
}

func TestKeysAreCounted(t *testing.T) {
	s := keyed(t)
	_, secret := s.newKey("suzhou", "tables")
	s.server.keysUsed = newAllowance(3, keyWindow)
	s.server.keysFailed = newAllowance(2, keyWindow)
	statuses := func(secret string, n int) (out []int) {
		for range n {
			out = append(out, s.with(Regulator, secret, "GET", "/api/v1/tables", nil).status)
		}
		return out
	}
	if got := statuses(secret, 4); !slices.Equal(got, []int{200, 200, 200, 429}) {
		t.Errorf("a key: %v", got)
	}
	if got := statuses("none", 3); !slices.Equal(got, []int{401, 401, 429}) {
		t.Errorf("no key: %v", got)
	}
	s.pass(keyWindow)
	if got := statuses(secret, 1); got[0] != 200 {
		t.Errorf("a minute later: %v", got)
	}
}

// A machine reads masks, whoever it works for.
func TestKeysReadMasks(t *testing.T) {
	s, f := secretive(t)
	u := proto.CloneOf(people[slices.IndexFunc(people, func(u *schema.User) bool { return u.GetLogin() == "manager-a" })])
	u.Password = probeHash()
	s.put(u)
	_, secret := s.newKey("manager-a", "plant", "record-export")
	for _, path := range []string{"/api/v1/enterprises/" + plantA, "/api/v1/records/Enterprise/export", "/api/v1/records/Enterprise/export?clear=true&reason=abcdef"} {
		got := s.with(Enterprise, secret, "GET", path, nil)
		if strings.Contains(path, "clear") != (got.status == 403) {
			t.Errorf("%s: %d", path, got.status)
		}
		for _, x := range f.all {
			if strings.Contains(unzipped(t, got.body), x.text) {
				t.Errorf("%s shows %s", path, x.at)
			}
		}
	}
}
