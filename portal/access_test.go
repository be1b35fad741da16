package portal

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var fiberParam = regexp.MustCompile(`:(\w+)`)

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
				path := fiberParam.ReplaceAllString(r.Path, "{$1}")
				if strings.HasPrefix(path, "/api/v1") && !wanted[r.Method+" "+path] && r.Method != http.MethodHead {
					t.Errorf("%s portal: the application answers %s %s, which is not in the table", p, r.Method, r.Path)
				}
			}
		}
	}
}

var update = flag.Bool("update", false, "write golden files and generated pages anew")

// cell is what somebody meets at a route.
func cell(a Access, got reply) string {
	switch got.status {
	case http.StatusUnauthorized:
		return "log in"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		var p Problem
		if json.Unmarshal(got.body, &p) != nil || p.Detail == http.StatusText(got.status) {
			return "no route"
		}
		return "not found"
	}
	if got.status/100 != 2 {
		return fmt.Sprintf("let in, %d", got.status)
	}
	if plants := plantsIn(got.body); plants != "" {
		return "ok " + plants
	}
	if bytes.Contains(got.body, []byte(`"items":[]`)) {
		return "empty"
	}
	return "ok"
}

// stream asks for the event stream at a served portal: it ends when its reader goes.
func (s *site) stream(base string, x actor, a Access) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), a.Method, base+a.Path+queryProbes[a.ID], nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if x.login != "" {
		req.AddCookie(&http.Cookie{Name: s.server.doors[x.portal].cookieName(), Value: s.tokens[x.login]})
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 2000)
	n, err := res.Body.Read(first)
	if err != nil && !errors.Is(err, io.EOF) {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, first[:n]}
}

// contradiction is what is wrong with a cell whatever the table says: these rules hold for every route, and -update does not
// write what breaks them.
func (x actor) contradiction(s *site, a Access, got reply, cell string) string {
	role := x.role()
	has := slices.Contains(a.Portals, x.portal)
	may := slices.Contains(a.Roles, role)
	switch {
	case !has && cell != "no route":
		return "the portal has no such route"
	case !has || a.Roles == nil:
		return ""
	case x.login == "" && cell != "log in":
		return "needs a session"
	case x.login != "" && !may && cell != "forbidden":
		return "not for the role " + role
	case !may:
		return ""
	case cell == "log in" || cell == "no route":
		return "open to the role " + role
	case a.scope != nil && !strings.Contains(x.sees, "A") && !strings.HasPrefix(cell, "not found"):
		return "plant A is not in sight"
	case got.status/100 == 2 && !slices.Contains(slices.Concat(security, auditors), role):
		for _, letter := range plantsIn(got.body) {
			if !strings.ContainsRune(x.sees, letter) {
				return fmt.Sprintf("plant %c is not in sight", letter)
			}
		}
	}
	return ""
}

// Every route, asked for by every role from everywhere, on both portals. Every request names something of plant A, or is a list; a
// cell says what came of it, and of which plants the answer tells. The table is testdata/access.golden, and docs/access.md for
// people. Some rules hold for all of it whatever the table says (contradiction).
func TestAccess(t *testing.T) {
	s := newProbed(t)
	served := s.serve()
	table := make([][]string, len(accesses))
	for i, a := range accesses {
		t.Run(a.ID, func(t *testing.T) {
			s.t = t
			for _, x := range actors {
				var got reply
				if a.ID == "events" {
					got = s.stream(served[x.portal], x, a)
				} else {
					got = s.ask(x.portal, a, x.login)
				}
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s, %s portal: %d %s", x.name, x.portal, got.status, got.body)
				}
				c := cell(a, got)
				if wrong := x.contradiction(s, a, got, c); wrong != "" {
					t.Errorf("%s, %s portal: %q, but %s: %s", x.name, x.portal, c, wrong, clip(string(got.body), 300))
				}
				table[i] = append(table[i], c)
				if a.Method != http.MethodGet && got.status/100 == 2 {
					s.restore()
				}
			}
		})
	}
	if t.Failed() {
		return // what breaks a rule is not written down as expected
	}
	golden(t, "testdata/access.golden", accessText(table))
	golden(t, "../docs/access.md", accessPage(table))
}

// golden compares a generated file with the one that was reviewed.
func golden(t *testing.T, path, now string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(was) == now {
		return
	}
	old, fresh := strings.Split(string(was), "\n"), strings.Split(now, "\n")
	for _, l := range fresh {
		if !slices.Contains(old, l) {
			t.Errorf("now:      %s", l)
		}
	}
	for _, l := range old {
		if !slices.Contains(fresh, l) {
			t.Errorf("expected: %s", l)
		}
	}
	t.Errorf("%s is not what the routes answer: run go test ./portal -run TestAccess -update and review the diff", path)
}

// accessText has one line for each cell, so that a diff says who gained or lost what.
func accessText(table [][]string) string {
	var b strings.Builder
	b.WriteString("# Who meets what at which route: go test ./portal -run TestAccess -update writes this; review the diff.\n# docs/access.md says how to read it.\n")
	for i, a := range accesses {
		fmt.Fprintf(&b, "\n%s: %s %s\n", a.ID, a.Method, a.Path)
		for k, x := range actors {
			if slices.Contains(a.Portals, x.portal) {
				fmt.Fprintf(&b, "  %-10s %-15s %s: %s\n", x.portal, x.name, a.ID, table[i][k])
			}
		}
	}
	return b.String()
}

const accessIntroduction = `# Who may do what

Generated by ` + "`go test ./portal -run TestAccess -update`" + ` from real requests to every route of both portals; do not edit.

Every request names something of plant A, or is a list. Plant A lies in Suzhou and plant B in Wuxi, both in Jiangsu, the site's own
province; plant C, in Taizhou, belongs to a site below. "City" is the regulator of plant A's city; "manager" and "worker" are plant A's.

| cell | meaning |
| --- | --- |
| ok, ok AB | done; the letters are the plants that the answer tells of |
| empty | a list with nothing in it |
| let in, 422 | access is given; what was asked is refused for what it is, for instance out of turn |
| not found | not there, or what one may not know of |
| forbidden | not for this role |
| log in | needs a session |
`

var portalTitles = map[Portal]string{
	Regulator:  "Regulator portal",
	Enterprise: "Enterprise portal\n\nNo other path of the API is known here: each of the regulator portal's own routes is answered with \"no route\" to everybody.",
}

// accessPage is the same for people.
func accessPage(table [][]string) string {
	var b strings.Builder
	b.WriteString(accessIntroduction)
	for _, p := range both {
		fmt.Fprintf(&b, "\n## %s\n\n| route |", portalTitles[p])
		columns := 1
		for _, x := range actors {
			if x.portal == p {
				columns++
				b.WriteString(" " + x.name + " |")
			}
		}
		b.WriteString("\n|" + strings.Repeat(" --- |", columns) + "\n")
		for i, a := range accesses {
			if !slices.Contains(a.Portals, p) {
				continue
			}
			fmt.Fprintf(&b, "| %s %s |", a.Method, strings.TrimPrefix(a.Path, "/api/v1"))
			for k, x := range actors {
				if x.portal == p {
					b.WriteString(" " + table[i][k] + " |")
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String()
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
