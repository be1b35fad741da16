package portal

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"dusthub/crypto/sm"
	"dusthub/node/store"
	"dusthub/schema"
)

const rightPassword = "Correct-Horse-9"

// quickHash is a password hash of few iterations, so that tests are fast.
func quickHash(t testing.TB, password string) string {
	t.Helper()
	full, err := sm.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func withLogin(t *testing.T) *site {
	s := newSite(t)
	s.put(
		&schema.User{Login: "duty", Name: "值班", Role: provinceRegulator, Region: "320000", Password: quickHash(t, rightPassword)},
		&schema.User{Login: "gone", Name: "离职", Role: provinceRegulator, Password: quickHash(t, rightPassword), Disabled: true},
	)
	return s
}

func (s *site) login(login, password string) reply {
	return s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": login, "password": password})
}

func TestLogin(t *testing.T) {
	s := withLogin(t)
	got := s.login("duty", rightPassword)
	var view SessionView
	got.into(t, &view)
	if view.User.Name != "值班" || view.Portal != Regulator || view.Site.ID != siteID || view.Expires != s.now().Add(12*time.Hour).UnixMilli() {
		t.Errorf("session: %s", got.body)
	}
	cookie := (&http.Response{Header: got.header}).Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || !strings.HasPrefix(cookie.Name, "dusthub_session") {
		t.Errorf("cookie: %+v", cookie)
	}
	s.tokens["duty"] = cookie.Value
	if got := s.as("duty", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusOK || !strings.Contains(string(got.body), view.CSRF) {
		t.Errorf("session read back: %d %s", got.status, got.body)
	}
	if _, ok, err := s.backend.store.Get("Session", cookie.Value); ok || err != nil {
		t.Error("the token itself is kept")
	}
	if got := s.as("duty", http.MethodDelete, "/api/v1/session", nil); got.status/100 != 2 || !strings.Contains(got.header.Get("Set-Cookie"), "-1") && !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout: %d %v", got.status, got.header)
	}
	if got := s.as("duty", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after the logout: %d", got.status)
	}
	page, err := s.backend.store.List(t.Context(), store.Query{Type: "AuditEntry"})
	if err != nil || len(page.Rows) != 2 {
		t.Errorf("audit: %v %v", page.Rows, err)
	}
}

func TestLoginRefused(t *testing.T) {
	s := withLogin(t)
	for _, c := range []struct {
		name, login, password string
		status                int
	}{
		{"wrong password", "duty", "Wrong-Horse-9", 401}, {"unknown login", "nobody", rightPassword, 401}, {"disabled", "gone", rightPassword, 401},
		{"empty", "", "", 401}, {"too long", "duty", strings.Repeat("x", 300), 422},
	} {
		if got := s.login(c.login, c.password); got.status != c.status || got.header.Get("Set-Cookie") != "" || got.problem(t).Code == "" {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
	}
	s.pass(throttleWindow) // no captcha any more
	if got := s.on(Enterprise, "", http.MethodPost, "/api/v1/session", object{"login": "duty", "password": rightPassword}); got.status != http.StatusForbidden {
		t.Errorf("a regulator on the enterprise portal: %d", got.status)
	}
}

func TestSessionEnds(t *testing.T) {
	s := newSite(t)
	for range 12*60/20 - 1 { // used every 20 minutes
		s.pass(20 * time.Minute)
		s.as("ministry", http.MethodGet, "/api/v1/session", nil)
	}
	s.pass(20*time.Minute - time.Second)
	if got := s.as("ministry", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusOK {
		t.Errorf("before the end: %d", got.status)
	}
	if got := s.as("province", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("idle for hours: %d", got.status)
	}
	s.pass(time.Second)
	if got := s.as("ministry", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after the end: %d", got.status)
	}
}

func TestDisabledUserIsOutAtOnce(t *testing.T) {
	s := newSite(t)
	if got := s.as("security", http.MethodPatch, "/api/v1/users/suzhou", object{"disabled": true}); got.status != http.StatusOK {
		t.Fatalf("disable: %d %s", got.status, got.body)
	}
	if got := s.as("suzhou", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("after being disabled: %d", got.status)
	}
	s.put(&schema.User{Login: "province", Name: "省", Role: provinceRegulator, Password: "x", Disabled: true}) // by another way than this API
	if got := s.as("province", http.MethodGet, "/api/v1/session", nil); got.status != http.StatusUnauthorized {
		t.Errorf("disabled, with a session that is left: %d", got.status)
	}
}

func TestThrottle(t *testing.T) {
	now := time.UnixMilli(0)
	th := newThrottle(func() time.Time { return now })
	for range failuresPair {
		if th.wait("a", "1") > 0 {
			t.Fatal("throttled too early")
		}
		th.failed("a", "1")
	}
	if got := th.wait("a", "1"); got != throttleWindow {
		t.Errorf("after %d failures: %s", failuresPair, got)
	}
	if th.wait("a", "2") > 0 || th.wait("b", "1") > 0 {
		t.Error("others are throttled too")
	}
	for i := range failuresAddress {
		th.failed(string(rune('c'+i)), "1")
	}
	if th.wait("z", "1") == 0 {
		t.Error("an address that tries many logins is not throttled")
	}
	for i := range failuresLogin {
		th.failed("victim", string(rune('A'+i)))
	}
	if th.wait("victim", "fresh") == 0 {
		t.Error("a login tried from many addresses is not throttled")
	}
	now = now.Add(throttleWindow)
	if th.wait("a", "1") > 0 || th.wait("victim", "fresh") > 0 {
		t.Error("still throttled after the window")
	}
	for i := range throttleEntries {
		th.failed("x"+time.Duration(i).String(), "9")
	}
	if len(th.by) > throttleEntries+3 {
		t.Errorf("%d entries are remembered", len(th.by))
	}
}

func TestLoginIsThrottled(t *testing.T) {
	s := withLogin(t)
	s.quick("quick")
	for range failuresPair {
		view, digits := s.captcha(Regulator)
		if got := s.loginWith("quick", "x", view.Token, digits); got.status != http.StatusUnauthorized {
			t.Fatalf("failed login: %d", got.status)
		}
	}
	got := s.login("quick", "x")
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || got.problem(t).Code != codeThrottled {
		t.Errorf("throttled: %d %v %s", got.status, got.header, got.body)
	}
	s.pass(throttleWindow)
	if got := s.login("quick", "x"); got.status != http.StatusUnauthorized {
		t.Errorf("after the window: %d", got.status)
	}
}

func TestCSRF(t *testing.T) {
	s := newSite(t)
	post := func(set func(*http.Request)) reply {
		return s.as("manager-a", http.MethodPost, "/api/v1/alarms/AL-"+plantA+"/actions", object{"action": "acknowledge"}, set)
	}
	for name, set := range map[string]func(*http.Request){
		"no header":      func(r *http.Request) { r.Header.Del(csrfHeader) },
		"another's":      func(r *http.Request) { r.Header.Set(csrfHeader, csrfOf(s.tokens["manager-b"])) },
		"the token":      func(r *http.Request) { r.Header.Set(csrfHeader, s.tokens["manager-a"]) },
		"from elsewhere": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		if got := post(set); got.status != http.StatusForbidden || got.problem(t).Code != codeCSRF {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := post(func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }); got.status != http.StatusOK {
		t.Errorf("right header: %d %s", got.status, got.body)
	}
	cross := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if got := s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": "a", "password": "b"}, cross); got.status != http.StatusForbidden {
		t.Errorf("login from another site: %d", got.status)
	}
}
