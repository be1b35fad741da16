package portal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// injected are values that break what takes a value for something else: store keys and cursors, paths, numbers, headers, logs.
var injected = map[string]string{
	"quotes": `' OR '1'='1`, "double quotes": `"; DROP TABLE users; --`, "NUL": "a\x00b", "path": "../../etc/passwd", "path, Windows": `..\..\x`, "slash": "a/b", "huge": strings.Repeat("9", 400), "long": strings.Repeat("x", 3000),
	"negative": "-1", "least": "-9223372036854775808", "most": "9223372036854775807", "over": "9223372036854775808", "fraction": "1e308", "not a number": "NaN", "infinite": "Infinity",
	"controls": "\u202e\u200b\ufeff\x1b[31m", "line ends": "a\r\nSet-Cookie: x=1", "template": "{{7*7}}${7*7}", "format": "%s%n%x", "script": "<script>alert(1)</script>", "broken UTF-8": "\xff\xfe", "surrogate": "\xed\xa0\x80",
	"regular expression": "(a+)+$", "JSON": `{"$gt":""}`, "key end": "\xff\xff\xff\xff", "wildcard": "*", "percent": "%", "comma": ",,,,", "cursor": "OTk5fEE", "plant B": plantB, "collector of B": plantB + "C001", "metric of B": plantB + "C001T0101", "workshop of B": plantB + "W01", "alarm of B": "AL-" + plantB, "region B": "320281", "all regions": "000000", "space": " ",
}

// insiders are those of the actors who see plant A alone.
func insiders(p Portal, a Access) []actor {
	return slices.DeleteFunc(slices.Clone(actors), func(x actor) bool { return x.portal != p || x.sees != "A" || !slices.Contains(a.Roles, x.role()) })
}

// withstood: an answer to something injected is a refusal, or shows what is in sight; it is no fault of the program.
func withstood(t *testing.T, what, value string, x actor, got reply) {
	t.Helper()
	if got.status >= http.StatusInternalServerError {
		t.Errorf("%s, %s: %d %s", what, x.name, got.status, clip(string(got.body), 300))
	}
	if got.header.Get("Set-Cookie") != "" && got.header.Get("Set-Cookie") == "x=1" {
		t.Errorf("%s: a header was injected", what)
	}
	if got.status/100 != 2 {
		return
	}
	if bytes.Contains(got.body, []byte(markOfB)) {
		t.Errorf("%s, %s: told a name of plant B: %s", what, x.name, clip(string(got.body), 300))
	}
	for _, letter := range plantsIn(got.body) {
		if !strings.ContainsRune(x.sees, letter) && !strings.Contains(value, plantB) && letter == 'C' {
			t.Errorf("%s, %s: told of plant %c: %s", what, x.name, letter, clip(string(got.body), 300))
		}
	}
}

func injectedQueries(t *testing.T) {
	s := newProbed(t)
	asked := 0
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		op := s.operationOf(p, a)
		if op == nil || a.ID == "events" {
			return
		}
		s.t = t
		for _, param := range op.Parameters {
			if param.In != "query" {
				continue
			}
			for name, value := range injected {
				for _, x := range insiders(p, a)[:min(1, len(insiders(p, a)))] {
					q, _ := url.ParseQuery(strings.TrimPrefix(queryProbes[a.ID], "?"))
					q.Set(param.Name, value)
					asked++
					got := s.on(p, x.login, a.Method, fill(t, a.Path)+"?"+q.Encode(), s.bodyOfProbe(p, a, x.login))
					withstood(t, param.Name+"="+name, value, x, got)
				}
			}
		}
	})
	if asked < 1000 {
		t.Errorf("%d requests: the description has lost its parameters", asked)
	}
}

func injectedPaths(t *testing.T) {
	s := newProbed(t)
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		if !strings.Contains(a.Path, "{") {
			return
		}
		s.t = t
		for name, value := range injected {
			for _, x := range insiders(p, a)[:min(1, len(insiders(p, a)))] {
				from, to := strings.IndexByte(a.Path, '{'), strings.IndexByte(a.Path, '}')
				path := a.Path[:from] + url.PathEscape(value) + a.Path[to+1:]
				got := s.on(p, x.login, a.Method, path+queryProbes[a.ID], s.bodyOfProbe(p, a, x.login))
				withstood(t, name, value, x, got)
			}
		}
	})
}

// injectedBodies puts what is injected into every text that a body's description names, at every depth that the probe's body has.
func injectedBodies(t *testing.T) {
	s := newProbed(t)
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		x := s.bodySchema(p, a)
		if x == nil {
			return
		}
		s.t = t
		for _, who := range insiders(p, a)[:min(1, len(insiders(p, a)))] {
			for _, field := range slices.Sorted(maps.Keys(x.Properties)) {
				if f := s.resolve(p, x.Properties[field]); f == nil || f.Type != "string" {
					continue
				}
				for name, value := range injected {
					body, _ := s.bodyOfProbe(p, a, who.login).(object)
					if body == nil {
						continue
					}
					body[field] = value
					s.server.throttle = newThrottle(s.now)
					withstood(t, field+"="+name, value, who, s.on(p, who.login, a.Method, fill(t, a.Path), body))
				}
			}
		}
		if a.Method != http.MethodGet {
			s.restore()
		}
	})
}

// traversal: no way to write a path leads out of the front end's files, or to another portal's.
func traversal(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{
		"/../../etc/passwd", "/assets/../../etc/passwd", "/assets/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/%2e%2e%2f%2e%2e%2fregulator.html", `/..%5c..%5cwindows%5cwin.ini`, "/..%252f..%252fetc/passwd",
		"//etc/passwd", "/etc/passwd%00.html", "/assets/app-1.js%00", "/assets/./../../regulator.html", "/.git/config", "/.env", "/policy.json", "/assets/", "/regulator.html/../enterprise.html", "/;/regulator.html", "/%c0%ae%c0%ae/etc/passwd",
	} {
		got := s.on(Enterprise, "", http.MethodGet, path, nil)
		body := string(got.body)
		switch {
		case strings.Contains(body, "root:") || got.status >= 500:
			t.Errorf("%s: %d %s", path, got.status, clip(body, 200))
		case got.status == http.StatusOK && !strings.Contains(body, "<p>enterprise") && !strings.Contains(body, "<p>regulator"):
			t.Errorf("%s: %s", path, clip(body, 200))
		}
	}
}

// regulatorRoutesFromPlants: nothing that the regulator portal alone has is there on the enterprise portal's listener: for nobody, not
// with a plant's session, not with a regulator's in whatever cookie.
func regulatorRoutesFromPlants(t *testing.T) {
	s := newProbed(t)
	asked := 0
	for _, a := range accesses {
		if slices.Contains(a.Portals, Enterprise) {
			continue
		}
		path := fill(t, a.Path)
		for _, login := range []string{"", "manager-a", "ministry", "admin", "security", "audit"} {
			asked++
			got := s.on(Enterprise, login, a.Method, path+queryProbes[a.ID], s.bodyOfProbe(Regulator, a, "ministry"), func(r *http.Request) {
				if login != "" {
					for _, p := range both {
						r.AddCookie(&http.Cookie{Name: s.server.doors[p].cookieName(), Value: s.tokens[login]})
					}
					r.AddCookie(&http.Cookie{Name: cookiePrefix, Value: s.tokens[login]})
				}
				r.Host, r.Header["X-Forwarded-Host"] = "regulator.example", []string{"regulator.example"}
				r.Header.Set("X-Original-URL", path)
				r.Header.Set("X-Rewrite-URL", path)
			})
			if got.status != http.StatusNotFound && got.status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s as %q: %d %s", a.Method, a.Path, login, got.status, clip(string(got.body), 200))
			}
		}
	}
	if asked < 100 {
		t.Errorf("%d requests", asked)
	}
}

// otherPaths: however a path is written, nobody gets data without a session, a plant none of a regulator's routes, and no role what is not
// its own.
func otherPaths(t *testing.T) {
	s := newProbed(t)
	tricks := map[string]func(string) string{
		"slash at the end": func(p string) string { return p + "/" }, "two slashes": func(p string) string { return "/" + p }, "two slashes within": func(p string) string { return strings.Replace(p, "/v1", "//v1", 1) },
		"upper case": strings.ToUpper, "encoded": func(p string) string { return strings.ReplaceAll(p, "v1", "%761") }, "encoded slash": func(p string) string { return strings.Replace(p, "/v1/", "/v1%2f", 1) },
		"dot": func(p string) string { return strings.Replace(p, "/v1", "/./v1", 1) }, "dots": func(p string) string { return "/assets/.." + p }, "encoded dots": func(p string) string { return "/assets/%2e%2e" + p },
		"parameters": func(p string) string { return strings.Replace(p, "/v1", "/v1;x=1", 1) }, "NUL": func(p string) string { return p + "%00" }, "ending": func(p string) string { return p + ".json" }, "another version": func(p string) string { return strings.Replace(p, "/v1", "/v2", 1) },
		"version in capitals": func(p string) string { return strings.Replace(p, "/v1", "/V1", 1) }, "backslash": func(p string) string { return strings.Replace(p, "/v1", `/%5cv1`, 1) },
	}
	for _, a := range accesses {
		if a.Method != http.MethodGet || a.Roles == nil || a.ID == "events" {
			continue
		}
		for name, trick := range tricks {
			path := trick(fill(t, a.Path)) + queryProbes[a.ID]
			tries := map[string]Portal{"": Regulator}
			if !slices.Contains(a.Portals, Enterprise) {
				tries["manager-a"] = Enterprise
			}
			if !slices.Contains(a.Roles, auditAdmin) {
				tries["audit"] = Regulator
			}
			for login, p := range tries {
				got := s.on(p, login, http.MethodGet, "/", nil, func(r *http.Request) { r.URL.Opaque, r.RequestURI = path, path })
				if got.status/100 == 2 && !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
					t.Errorf("%s: %s as %q: %d %s", name, path, login, got.status, clip(string(got.body), 200))
				}
			}
		}
	}
}

// describedAlone: a portal's description and page name its own routes alone, and nothing is served but the API, its description and the front end.
func describedAlone(t *testing.T) {
	s := newSite(t)
	for _, p := range both {
		for _, routes := range s.server.App(p).Stack() {
			for _, r := range routes {
				known := strings.HasPrefix(r.Path, "/api/v1/") || r.Path == "/" || r.Path == "/api/docs" || strings.HasPrefix(r.Path, "/openapi")
				if !known {
					t.Errorf("%s portal: %s %s is served, and in no list", p, r.Method, r.Path)
				}
			}
		}
		var doc struct{ Paths map[string]map[string]any }
		s.on(p, "", http.MethodGet, "/openapi.json", nil).into(t, &doc)
		page := string(s.on(p, "", http.MethodGet, "/api/docs", nil).body)
		for _, a := range accesses {
			_, described := doc.Paths[a.Path][strings.ToLower(a.Method)]
			if described != slices.Contains(a.Portals, p) {
				t.Errorf("%s portal: %s described %t", p, a.ID, described)
			}
			if only := !slices.ContainsFunc(accesses, func(b Access) bool { return b.Path == a.Path && slices.Contains(b.Portals, p) }); only && strings.Contains(page, "<code>"+a.Path+"</code>") {
				t.Errorf("%s portal: its page names %s", p, a.Path)
			}
		}
	}
}

// textsAsTexts: a text of every writing route that would run if it were markup comes back as it went, as JSON that no browser takes for a page.
func textsAsTexts(t *testing.T) {
	s := newProbed(t)
	const payload = `"><svg onload=alert(1)><script>alert(1)</script>`
	kept := 0
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		x := s.bodySchema(p, a)
		if x == nil || a.Roles == nil {
			return
		}
		s.t = t
		who := actors[slices.IndexFunc(actors, func(w actor) bool {
			return w.portal == p && slices.Contains(a.Roles, w.role()) && (strings.Contains(w.sees, "A") || w.sees == "")
		})]
		for field, f := range x.Properties {
			if f = s.resolve(p, f); f == nil || f.Type != "string" || len(f.Enum) > 0 {
				continue
			}
			body, ok := s.bodyOfProbe(p, a, who.login).(object)
			if !ok {
				continue
			}
			body[field] = payload
			got := s.on(p, who.login, a.Method, fill(t, a.Path), body)
			if media := got.header.Get("Content-Type"); !strings.HasPrefix(media, "application/") || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d as %s", field, got.status, media)
			}
			var v any
			if json.Unmarshal(got.body, &v) == nil && got.status/100 == 2 && strings.Contains(fmt.Sprint(v), payload) {
				kept++
			}
			if got.status/100 == 2 {
				s.restore()
			}
		}
	})
	if kept < 5 {
		t.Errorf("%d texts came back", kept)
	}
}
