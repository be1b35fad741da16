package portal

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// csrfOfEveryChange: every route that changes something refuses a request that does not carry the session's own proof, or that another site
// has a browser send. Reads have no effect that would need one.
func csrfOfEveryChange(t *testing.T) {
	s := newProbed(t)
	eachRoute(t, func(t *testing.T, p Portal, a Access) {
		if a.Method == http.MethodGet {
			return
		}
		s.t = t
		forged := map[string]func(*http.Request){"another site's page": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }}
		who := ""
		if a.Roles != nil {
			who = actors[slices.IndexFunc(actors, func(x actor) bool { return x.portal == p && slices.Contains(a.Roles, x.role()) })].login
			forged["no proof"] = func(r *http.Request) { r.Header.Del(csrfHeader) }
			forged["an empty proof"] = func(r *http.Request) { r.Header.Set(csrfHeader, "") }
			forged["another session's proof"] = func(r *http.Request) { r.Header.Set(csrfHeader, csrfOf("token of somebody")) }
			forged["the proof in the URL"] = func(r *http.Request) {
				r.URL.RawQuery = csrfHeader + "=" + r.Header.Get(csrfHeader)
				r.Header.Del(csrfHeader)
			}
			forged["a form"] = func(r *http.Request) {
				withBody("application/x-www-form-urlencoded", "a=b")(r)
				r.Header.Del(csrfHeader)
			}
		}
		for name, set := range forged {
			got := s.ask(p, a, who, set)
			if got.status != http.StatusForbidden || got.problem(t).Code != codeCSRF {
				t.Errorf("%s: %d %s", name, got.status, clip(string(got.body), 200))
			}
		}
	})
}

// tryLogin is a guess by somebody who reads every captcha.
func (s *site) tryLogin(login, password string, set ...func(*http.Request)) reply {
	view, digits := s.captcha(Regulator)
	return s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": login, "password": password, "captcha": view.Token, "answer": digits}, set...)
}

// bruteForce: after some wrong guesses nobody gets in for a while, with the right password neither, and no header makes a guesser somebody else.
func bruteForce(t *testing.T) {
	s := newProbed(t)
	last := 0
	for i := range failuresPair + 2 {
		last = s.tryLogin("ministry", "wrong", func(r *http.Request) {
			from := "203.0.113." + string(rune('1'+i))
			for _, h := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP"} {
				r.Header.Set(h, from)
			}
		}).status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the guess after the last: %d", last)
	}
	got := s.tryLogin("ministry", rightPassword)
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("the right password of who is locked out: %d, retry after %q", got.status, got.header.Get("Retry-After"))
	}
	s.pass(throttleWindow + time.Second)
	if got := s.tryLogin("ministry", rightPassword); got.status != http.StatusOK {
		t.Errorf("after the wait: %d %s", got.status, got.body)
	}
}

// loginForm: a page of another site cannot send the login's body, for a form has none of JSON.
func loginForm(t *testing.T) {
	s := newProbed(t)
	body := `{"login":"ministry","password":"` + rightPassword + `"}`
	for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""} {
		if got := s.on(Regulator, "", http.MethodPost, "/api/v1/session", nil, withBody(media, body)); got.status/100 != 4 || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d", media, got.status)
		}
	}
}

// spreadGuesses: one password tried on many logins is one guesser.
func spreadGuesses(t *testing.T) {
	s := newProbed(t)
	refused := 0
	for i := range failuresAddress + 5 {
		if s.tryLogin("person-"+string(rune('a'+i)), "Password-1234").status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 4 {
		t.Errorf("%d of the last five were refused", refused)
	}
}

// whoExists: an answer does not tell whether there is such a login.
func whoExists(t *testing.T) {
	s := newProbed(t)
	known, unknown := s.tryLogin("ministry", "wrong"), s.tryLogin("nobody-here", "wrong")
	if known.status != unknown.status || string(known.body) != string(unknown.body) {
		t.Errorf("%d %s, and %d %s", known.status, known.body, unknown.status, unknown.body)
	}
}

// fixation: a token that somebody planted is not made a session's, and a login always gives a new one.
func fixation(t *testing.T) {
	s := newProbed(t, func(o *Options) { o.Secure = true })
	planted := "planted-token-planted-token-planted"
	name := s.server.doors[Regulator].cookieName()
	seen := map[string]bool{planted: true}
	for range 2 {
		got := s.tryLogin("ministry", rightPassword, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: planted}) })
		if got.status != http.StatusOK {
			t.Fatalf("login: %d %s", got.status, got.body)
		}
		cookies := (&http.Response{Header: got.header}).Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%d cookies", len(cookies))
		}
		c := cookies[0]
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge != int(sessionFor.Seconds()) {
			t.Errorf("cookie %s", got.header.Get("Set-Cookie"))
		}
		if seen[c.Value] || len(c.Value) < 43 {
			t.Errorf("the token is an old one, or short: %q", c.Value)
		}
		seen[c.Value] = true
		if strings.Contains(string(got.body), c.Value) {
			t.Error("the token is where a script can read it")
		}
	}
	got := s.on(Regulator, "", http.MethodGet, "/api/v1/session", nil, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: planted}) })
	if got.status != http.StatusUnauthorized {
		t.Errorf("the planted token: %d", got.status)
	}
}

// tokenElsewhere: a session's token opens nothing but as the cookie of its own portal and site.
func tokenElsewhere(t *testing.T) {
	s := newProbed(t)
	token := s.tokens["ministry"]
	name := s.server.doors[Regulator].cookieName()
	for what, set := range map[string]func(*http.Request){
		"query": func(r *http.Request) {
			r.URL.RawQuery = name + "=" + strings.ReplaceAll(token, " ", "+") + "&access_token=" + strings.ReplaceAll(token, " ", "+")
		}, "bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"basic": func(r *http.Request) { r.SetBasicAuth("ministry", token) }, "header": func(r *http.Request) { r.Header.Set("X-Session", token) },
		"other portal's cookie": func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: s.server.doors[Enterprise].cookieName(), Value: token})
		},
		"bare cookie": func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookiePrefix, Value: token}) },
		"digest":      func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: sessionID(token)}) },
		"empty":       func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: ""}) },
	} {
		if got := s.on(Regulator, "", http.MethodGet, "/api/v1/session", nil, set); got.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", what, got.status)
		}
	}
}

// endedSessions: what was logged out, ended, idle or too old opens nothing.
func endedSessions(t *testing.T) {
	s := newProbed(t)
	session := func() int { return s.as("ministry", http.MethodGet, "/api/v1/session", nil).status }
	s.pass(sessionIdle + time.Second)
	if got := session(); got != http.StatusUnauthorized {
		t.Errorf("idle: %d", got)
	}
	s = newProbed(t)
	for range 12*60/20 + 1 {
		s.pass(20 * time.Minute)
		_ = session() // in use all the time
	}
	if got := session(); got != http.StatusUnauthorized {
		t.Errorf("after %s in use: %d", sessionFor, got)
	}
	s = newProbed(t)
	s.as("ministry", http.MethodDelete, "/api/v1/session", nil)
	if got := session(); got != http.StatusUnauthorized {
		t.Errorf("logged out: %d", got)
	}
}
