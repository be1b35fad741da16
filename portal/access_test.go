package portal

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"dusthub/schema"
)

// Every route the applications answer has an entry in the table of accesses, and every entry has a route.
func TestEveryRouteHasAnAccess(t *testing.T) {
	s := newSite(t)
	for _, p := range both {
		described := map[string]bool{}
		for path, item := range s.server.doors[p].api.OpenAPI().Paths {
			for method, op := range map[string]bool{"GET": item.Get != nil, "POST": item.Post != nil, "DELETE": item.Delete != nil, "PATCH": item.Patch != nil, "PUT": item.Put != nil} {
				if op {
					described[method+" "+path] = true
				}
			}
		}
		wanted := map[string]bool{}
		for _, a := range accesses {
			if slices.Contains(a.Portals, p) {
				wanted[a.Method+" "+a.Path] = true
			}
		}
		for r := range described {
			if !wanted[r] {
				t.Errorf("%s portal: %s is open but not in the table", p, r)
			}
		}
		for r := range wanted {
			if !described[r] {
				t.Errorf("%s portal: %s is in the table but has no handler", p, r)
			}
		}
		for _, routes := range s.server.App(p).Stack() {
			for _, r := range routes {
				path := strings.NewReplacer(":code", "{code}", ":id", "{id}", ":metric", "{metric}", ":type", "{type}", ":name", "{name}", ":login", "{login}", ":version", "{version}").Replace(r.Path)
				if strings.HasPrefix(path, "/api/v1") && !wanted[r.Method+" "+path] && r.Method != http.MethodHead {
					t.Errorf("%s portal: the application answers %s %s, which is not in the table", p, r.Method, r.Path)
				}
			}
		}
	}
}

// route fills an access's path in with things of a plant.
func route(a Access, plant string) string {
	id := map[string]string{
		"alarm": "AL-" + plant, "alarm-action": "AL-" + plant, "warning": "W-" + plant, "warning-action": "W-" + plant, "spot-check": "S-" + plant, "spot-check-action": "S-" + plant,
		"spot-check-answer": "S-" + plant, "shelf": plant + "-H", "shelf-action": plant + "-H", "session-revoke": "gone", "rule-delete": plant + "-C", "channel-delete": "N-" + plant, "channel-test": "N-" + plant,
		"attachment": strings.Repeat("ab", 26) + plant,
	}[a.ID]
	code := plant
	switch a.ID {
	case "credential":
		code += "G01"
	case "limits", "limits-write":
		code += "C001T0101"
	}
	return strings.NewReplacer("{code}", code, "{id}", id, "{metric}", plant+"C001T0101", "{type}", "Enterprise", "{name}", "role", "{login}", "gone-away", "{version}", "DUST-RISK-1.0").Replace(a.Path)
}

// bodyFor is a body that passes the form of a route, so that what is judged is the access.
func bodyFor(a Access) any {
	if a.Method == http.MethodGet || a.Method == http.MethodDelete {
		return nil
	}
	if a.ID == "attachment-upload" || a.ID == "record-import" {
		return []byte("no file")
	}
	return object{}
}

// Every route answers: 401 without a session, 403 to other roles, 404 on the other portal, 404 for another's plant, and
// lets its own roles through.
func TestAccess(t *testing.T) {
	s := newSite(t)
	for _, a := range accesses {
		if a.ID == "events" {
			continue // streams have a test of their own
		}
		t.Run(a.ID, func(t *testing.T) {
			s.t = t
			for _, p := range both {
				if !slices.Contains(a.Portals, p) {
					if got := s.on(p, "", a.Method, route(a, plantA), bodyFor(a)); got.status != http.StatusNotFound && got.status != http.StatusMethodNotAllowed {
						t.Errorf("%s portal, which has no such route, answered %d", p, got.status)
					}
					continue
				}
				if a.Roles == nil {
					continue
				}
				if got := s.on(p, "", a.Method, route(a, plantA), bodyFor(a)); got.status != http.StatusUnauthorized {
					t.Errorf("%s portal without a session: %d", p, got.status)
				}
			}
			for _, u := range people {
				p := portalOf(u.GetLogin())
				if !slices.Contains(a.Portals, p) || a.ID == "logout" {
					continue
				}
				s.judge(a, u, p)
			}
		})
	}
}

func (s *site) judge(a Access, u *schema.User, p Portal) {
	s.t.Helper()
	mine := u.GetEnterprise()
	if mine == "" {
		mine = plantA
	}
	got := s.on(p, u.GetLogin(), a.Method, route(a, mine), bodyFor(a))
	switch {
	case a.Roles != nil && !slices.Contains(a.Roles, u.GetRole()):
		if got.status != http.StatusForbidden {
			s.t.Errorf("%s (%s), a role that may not: %d %s", u.GetLogin(), u.GetRole(), got.status, got.body)
		}
		return
	case a.Roles != nil && (got.status == http.StatusUnauthorized || got.status == http.StatusForbidden):
		s.t.Errorf("%s (%s), a role that may: %d %s", u.GetLogin(), u.GetRole(), got.status, got.body)
	}
	if a.scope == nil {
		return
	}
	for _, other := range map[string]string{"suzhou": plantB, "manager-a": plantB, "worker-a": plantB, "manager-b": plantA} {
		if other == mine || u.GetRole() == siteAdmin || u.GetRegion() == "" && u.GetEnterprise() == "" || u.GetRegion() == "320000" {
			continue
		}
		if got := s.on(p, u.GetLogin(), a.Method, route(a, other), bodyFor(a)); got.status != http.StatusNotFound {
			s.t.Errorf("%s reached something of %s: %d %s", u.GetLogin(), other, got.status, got.body)
		}
	}
}

// A session of one portal opens nothing on the other, even when its cookie is sent there.
func TestSessionIsOfOnePortal(t *testing.T) {
	s := newSite(t)
	for login, p := range map[string]Portal{"manager-a": Regulator, "ministry": Enterprise} {
		if got := s.on(p, login, http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
			t.Errorf("%s on the %s portal: %d", login, p, got.status)
		}
	}
}

// Lists show what is in sight and nothing else.
func TestListsAreScoped(t *testing.T) {
	s := newSite(t)
	all := []string{plantA, plantB, plantC}
	for _, c := range []struct {
		login  string
		plants []string
	}{
		{"ministry", all}, {"province", all}, {"admin", all}, {"suzhou", []string{plantA}}, {"manager-a", []string{plantA}}, {"manager-b", []string{plantB}},
	} {
		for _, list := range []string{"/api/v1/alarms", "/api/v1/alarms?stage=open", "/api/v1/alarms?enterprise=" + plantA, "/api/v1/warnings?stage=open", "/api/v1/hazards", "/api/v1/hazards?open=true&enterprise=" + plantA, "/api/v1/spot-checks", "/api/v1/shelves", "/api/v1/shelves?stage=open", "/api/v1/rules", "/api/v1/enterprises", "/api/v1/records/Collector"} {
			if portalOf(c.login) == Enterprise && (strings.HasPrefix(list, "/api/v1/enterprises") || strings.HasPrefix(list, "/api/v1/records")) {
				continue
			}
			body := string(s.as(c.login, http.MethodGet, list, nil).body)
			for _, plant := range all {
				wanted := slices.Contains(c.plants, plant) && (!strings.Contains(list, "enterprise=") || strings.HasSuffix(list, plant))
				if strings.Contains(body, plant) != wanted {
					t.Errorf("%s %s: %s shown %v, wanted %v", c.login, list, plant, !wanted, wanted)
				}
			}
		}
	}
}

func TestRegionPrefix(t *testing.T) {
	for region, want := range map[string]string{"": "", "320000": "32", "320500": "3205", "320505": "320505", "000000": "", "32": ""} {
		if got := regionPrefix(region); got != want {
			t.Errorf("%q: %q, wanted %q", region, got, want)
		}
	}
}
