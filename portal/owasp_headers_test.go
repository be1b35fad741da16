package portal

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"dusthub/schema"
)

// answersOfEveryKind are answers of a portal: pages, files, the API's page and description, data, refusals, and what nobody asked for.
func answersOfEveryKind(s *site, p Portal) map[string]reply {
	login := map[Portal]string{Regulator: "ministry", Enterprise: "manager-a"}[p]
	get := func(path string) reply { return s.on(p, login, http.MethodGet, path, nil) }
	return map[string]reply{
		"page": get("/"), "page by another path": get("/alarms/1"), "script": get("/assets/app-1.js"), "service worker": get("/sw.js"), "picture": get("/icon.svg"),
		"missing file": get("/assets/gone.js"), "API page": get("/api/docs"), "description": get("/openapi.json"), "description, YAML": get("/openapi.yaml"),
		"data": get("/api/v1/alarms"), "not found": get("/api/v1/alarms/none"), "no route": get("/api/v1/none"), "bad query": get("/api/v1/alarms?level=9"),
		"not logged in": s.on(p, "", http.MethodGet, "/api/v1/alarms", nil), "forged": s.on(p, login, http.MethodPost, "/api/v1/channels", object{}, func(r *http.Request) { r.Header.Del(csrfHeader) }),
		"file": get("/api/v1/attachments/" + probeAttachment), "OPTIONS": s.on(p, login, http.MethodOptions, "/api/v1/alarms", nil), "TRACE": s.on(p, login, http.MethodTrace, "/", nil),
	}
}

func assetsOfEveryKind(o *Options) {
	a := o.Assets.(fstest.MapFS)
	a["sw.js"], a["icon.svg"] = &fstest.MapFile{Data: []byte("self.x=1")}, &fstest.MapFile{Data: []byte("<svg/>")}
	o.Secure = true
}

// frontEnd are the answers that hold nothing of anybody: a browser may keep them, if it asks whether they changed.
var frontEnd = []string{"script", "page", "page by another path", "service worker", "picture"}

func headersOfAnswers(t *testing.T) {
	s := newProbed(t, assetsOfEveryKind)
	for _, p := range both {
		for name, got := range answersOfEveryKind(s, p) {
			want := map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
				"Strict-Transport-Security": "max-age=31536000", "Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "", "Server": "", "X-Powered-By": "", "Permissions-Policy": permissions(p),
			}
			for header, value := range want {
				if got.header.Get(header) != value {
					t.Errorf("%s portal, %s (%d): %s is %q, wanted %q", p, name, got.status, header, got.header.Get(header), value)
				}
			}
			if csp := got.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("%s portal, %s: content policy %q", p, name, csp)
			}
			if !slices.Contains(frontEnd, name) && name != "file" && !strings.Contains(got.header.Get("Cache-Control"), "no-store") && got.status != http.StatusNotFound {
				t.Errorf("%s portal, %s: kept by caches: %q", p, name, got.header.Get("Cache-Control"))
			}
			if name == "file" && !strings.HasPrefix(got.header.Get("Cache-Control"), "private") {
				t.Errorf("%s portal, file: %q", p, got.header.Get("Cache-Control"))
			}
		}
	}
	// A stream writes its head itself, once it has taken the connection over.
	addrs := s.serve()
	for _, x := range actors {
		if x.login != "ministry" && x.login != "manager-a" {
			continue
		}
		got := s.stream(addrs[x.portal], x, accessOf("events"))
		for _, header := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Cache-Control", "Referrer-Policy", "Cross-Origin-Resource-Policy", "Strict-Transport-Security"} {
			if got.header.Get(header) == "" {
				t.Errorf("%s portal, stream: no %s: %v", x.portal, header, got.header)
			}
		}
	}
	if plain := newSite(t); plain.on(Regulator, "", http.MethodGet, "/", nil).header.Get("Strict-Transport-Security") != "" {
		t.Error("without TLS a browser must not be told to ask for it")
	}
}

func strictPolicy(t *testing.T) {
	for _, d := range pages.Content {
		name, sources, _ := strings.Cut(d, " ")
		for source := range strings.FieldsSeq(sources) {
			style := name == "style-src-attr" && source == "'unsafe-inline'" // the charts' notes are made with style attributes
			known := slices.Contains([]string{"'self'", "'none'"}, source) || slices.Contains([]string{"img-src", "media-src"}, name) && (source == "data:" || source == "blob:")
			if !known && !style {
				t.Errorf("%s lets %s in", name, source)
			}
		}
	}
	for _, name := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'", "script-src 'self'"} {
		if !slices.Contains(pages.Content, name) {
			t.Errorf("the policy does not say %s", name)
		}
	}
	s := newSite(t)
	docs := s.on(Regulator, "", http.MethodGet, "/api/docs", nil)
	if csp := docs.header.Get("Content-Security-Policy"); !strings.Contains(csp, "; script-src 'sha256-") || strings.Contains(csp, "connect-src") || strings.Contains(csp, "unsafe") || strings.Count(csp, "'sha256-") != strings.Count(string(docs.body), "<style>")+strings.Count(string(docs.body), "<script>") || strings.Contains(string(docs.body), " style=") {
		t.Errorf("API page: %s", csp)
	}
	for p, want := range map[Portal]string{Enterprise: "camera=(self)", Regulator: "camera=()"} {
		if got := permissions(p); !strings.Contains(got, want) || !strings.Contains(got, "microphone=()") || strings.Count(got, "camera=") != 1 {
			t.Errorf("%s portal: %s", p, got)
		}
	}
}

func noOtherOrigin(t *testing.T) {
	s := newProbed(t)
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		for name, set := range map[string]func(*http.Request){
			"preflight": func(r *http.Request) {
				r.Method = http.MethodOptions
				r.Header.Set("Access-Control-Request-Method", a.Method)
				r.Header.Set("Access-Control-Request-Headers", csrfHeader)
			},
			"request": func(*http.Request) {},
		} {
			got := s.on(p, "", a.Method, fill(t, a.Path), nil, set, func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
			for header := range got.header {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("%s: %s: %s", name, header, got.header.Get(header))
				}
			}
			if name == "preflight" && got.status/100 == 2 {
				t.Errorf("answered %d", got.status)
			}
		}
	})
}

// strayMethods: a path knows the methods of its routes alone, whatever a header says.
func strayMethods(t *testing.T) {
	s := newProbed(t)
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, http.MethodConnect, "PROPFIND"}
	known := map[string]bool{}
	for _, a := range accesses {
		for _, p := range a.Portals {
			known[string(p)+a.Method+a.Path] = true
		}
	}
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		login := map[Portal]string{Regulator: "ministry", Enterprise: "manager-a"}[p]
		for _, m := range methods {
			if known[string(p)+m+a.Path] {
				continue
			}
			if got := s.on(p, login, m, fill(t, a.Path), nil); !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusBadRequest}, got.status) {
				t.Errorf("%s: %d %s", m, got.status, clip(string(got.body), 200))
			}
		}
		if a.Method != http.MethodGet || a.ID == "events" {
			return
		}
		plain := s.ask(p, a, login)
		for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
			got := s.ask(p, a, login, func(r *http.Request) { r.Header.Set(header, http.MethodDelete) })
			if got.status != plain.status {
				t.Errorf("%s: %d instead of %d", header, got.status, plain.status)
			}
		}
	})
}

// telling are words that no answer may hold: they are of the program, not of its data.
var telling = []string{"goroutine", ".go:", "runtime error", "pebble", "huma", "fiber", "fasthttp", "/work/", "panic", "stack", "SQL", "no such file", "proto:", "json: cannot unmarshal"}

func quietErrors(t *testing.T) {
	s := newProbed(t)
	broken := newProbed(t)
	broken.backend.mu.Lock()
	broken.backend.down = true
	broken.backend.mu.Unlock()
	judge := func(t *testing.T, name string, got reply) {
		if got.status < http.StatusBadRequest {
			return
		}
		var p Problem
		if got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d as %s: %s", name, got.status, got.header.Get("Content-Type"), clip(string(got.body), 200))
			return
		}
		p = got.problem(t)
		for _, word := range telling {
			if strings.Contains(strings.ToLower(string(got.body)), strings.ToLower(word)) {
				t.Errorf("%s: %d tells of %q: %s", name, got.status, word, got.body)
			}
		}
		if p.Code == "" || p.Title == "" || p.Detail == "" || p.Status != got.status {
			t.Errorf("%s: %+v", name, p)
		}
	}
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		if a.ID == "events" {
			return
		}
		s.t, broken.t = t, t
		for _, x := range actors {
			if x.portal != p || x.login == "" || !slices.Contains(a.Roles, x.role()) {
				continue
			}
			path := fill(t, a.Path)
			if a.Method != http.MethodGet {
				for name, body := range map[string]string{"no JSON": `{"a":`, "a list": `[]`, "null": `null`, "a number": `7`, "wrong types": `{"action":{},"enterprise":[],"name":7,"changes":"x","login":{}}`, "nothing": ``} {
					judge(t, name, s.on(p, x.login, a.Method, path, nil, withBody("application/json", body)))
				}
				judge(t, "XML", s.on(p, x.login, a.Method, path, nil, withBody("application/xml", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`)))
			}
			judge(t, "no leader", broken.ask(p, a, x.login))
			return // one role is enough: the others meet the same code
		}
	})
	if err := s.server.explain(t.Context(), "alarms", errors.New("pebble: corruption in /var/lib/dusthub/000012.sst")); strings.Contains(err.Error(), "pebble") || schema.Version == "" {
		t.Errorf("what a handler did not foresee is told: %v", err)
	}
}
