package portal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"github.com/pquerna/otp/totp"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/oauth2"
)

// The portal as the provider's browsers reach it; nothing listens there.
const (
	portalURL    = "http://portal.test"
	clientSecret = "client-secret"
	staffWord    = "verysecure"
)

// staff are the provider's people, by subject.
type staff map[string]*storage.User

// staffOf are the people of each test's provider, by its client.
var staffOf = map[string]staff{}

func (s staff) GetUserByID(id string) *storage.User { return s[id] }
func (s staff) ExampleClientID() string             { return "service" }

func (s staff) GetUserByUsername(name string) *storage.User {
	for _, u := range s {
		if u.Username == name {
			return u
		}
	}
	return nil
}

// openProvider is a real OpenID provider with a client for the portal at a URL.
func openProvider(t testing.TB, client, portal string) *httptest.Server {
	t.Helper()
	people := staff{}
	staffOf[client] = people
	for id, name := range map[string]string{"sub-1": "duty", "sub-2": "nobody-here", "sub-3": "security", "sub-4": "gone", "sub-5": "manager-a", "sub-6": "two"} {
		people[id] = &storage.User{ID: id, Username: name, Password: staffWord, Email: name + "@example.test"}
	}
	storage.RegisterClients(storage.WebClient(client, clientSecret, portal+returnPath))
	srv := httptest.NewUnstartedServer(nil)
	issuer := "http://" + srv.Listener.Addr().String()
	srv.Config.Handler = exampleop.SetupServer(issuer, storage.NewStorage(people), slog.New(slog.DiscardHandler), false)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// withProvider is a site whose regulators may log in by a real provider.
func withProvider(t *testing.T, change ...func(*Provider)) (*site, *httptest.Server) {
	t.Helper()
	srv := openProvider(t, t.Name(), portalURL)
	p := Provider{Issuer: srv.URL, ClientID: t.Name(), Secret: clientSecret, NameZH: "统一身份认证", NameEN: "Single sign-on", URL: portalURL + "/", Scopes: []string{"profile"}}
	for _, f := range change {
		f(&p)
	}
	s := newSite(t, func(o *Options) { o.Providers = map[Portal]Provider{Regulator: p}; o.SecondFactor = false })
	s.pass(time.Since(s.now())) // tokens are of now, and so must sessions be
	s.people()
	s.put(
		&schema.User{Login: "duty", Name: "值班", Role: provinceRegulator, Region: "320000", Password: quickHash(t, rightPassword), MustChange: true},
		&schema.User{Login: "gone", Name: "离职", Role: provinceRegulator, Password: "x", Disabled: true, Subject: subjectAt(p.Issuer, "sub-4")},
	)
	return s, srv
}

// visit is a browser on its way through a login by the provider.
type visit struct {
	s       *site
	t       *testing.T
	cookies map[string]string // of the portal
}

func newVisit(t *testing.T, s *site) *visit { return &visit{s: s, t: t, cookies: map[string]string{}} }

// get asks the portal, with the browser's cookies; a redirect is not followed.
func (v *visit) get(path string) reply { return v.send(http.MethodGet, path, nil) }

func (v *visit) send(method, path string, body any) reply {
	v.t.Helper()
	got := v.s.on(Regulator, "", method, path, body, func(r *http.Request) {
		for name, value := range v.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	})
	for _, c := range (&http.Response{Header: got.header}).Cookies() {
		v.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return got
}

// atProvider logs in at the provider and returns where it leads the browser back to.
func (v *visit) atProvider(location, username string) string {
	v.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), portalURL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	send := func(r *http.Request, err error) *http.Response {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
		res, err := browser.Do(r)
		if err != nil {
			v.t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			v.t.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	page := send(http.NewRequestWithContext(v.t.Context(), http.MethodGet, location, nil))
	form := url.Values{"id": {page.Request.URL.Query().Get("authRequestID")}, "username": {username}, "password": {staffWord}}
	post, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, page.Request.URL.String(), strings.NewReader(form.Encode()))
	if err == nil {
		post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	back := send(post, err).Header.Get("Location")
	if !strings.HasPrefix(back, portalURL+returnPath) {
		v.t.Fatalf("the provider leads to %q", back)
	}
	return strings.TrimPrefix(back, portalURL)
}

// through goes all the way and returns where the portal leads in the end.
func (v *visit) through(username, to string) string {
	v.t.Helper()
	begun := v.get("/api/v1/session/sso?to=" + url.QueryEscape(to))
	if begun.status != http.StatusSeeOther {
		v.t.Fatalf("begin: %d %s", begun.status, begun.body)
	}
	back := v.get(v.atProvider(begun.header.Get("Location"), username))
	if back.status != http.StatusSeeOther {
		v.t.Fatalf("return: %d %s", back.status, back.body)
	}
	return back.header.Get("Location")
}

func (v *visit) session() (SessionView, int) {
	v.t.Helper()
	var view SessionView
	got := v.get("/api/v1/session")
	if got.status == http.StatusOK {
		got.into(v.t, &view)
	}
	return view, got.status
}

// audited counts the entries of an action whose result begins so.
func (s *site) audited(action, result string) (n int) {
	s.t.Helper()
	err := s.backend.store.Each(s.t.Context(), store.Query{Type: "AuditEntry"}, func(r store.Row) (bool, error) {
		if e := r.Record.(*schema.AuditEntry); e.GetAction() == action && strings.HasPrefix(e.GetResult(), result) {
			n++
		}
		return true, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// Nobody gets in by the provider before the security administrator has linked them; then they do, to where they wanted to go.
func TestLoginByProvider(t *testing.T) {
	s, _ := withProvider(t)
	v := newVisit(t, s)
	if to := v.through("duty", "/alarms?stage=open"); to != "/login?sso=unlinked&to=%2Falarms%3Fstage%3Dopen" {
		t.Fatalf("unlinked: %s", to)
	}
	var state SsoView
	v.get("/api/v1/session/sso/state").into(t, &state)
	if state.Step != stepUnlinked || state.Subject != "sub-1" {
		t.Errorf("unlinked: %+v", state)
	}
	if _, status := v.session(); status != http.StatusUnauthorized || s.audited(ssoAction, "failed: unlinked") != 1 {
		t.Errorf("unlinked: %d", status)
	}
	link := func(login, subject string) int {
		return s.as("security", http.MethodPatch, "/api/v1/users/"+login, object{"subject": subject}).status
	}
	for _, c := range []struct {
		login, subject string
		status         int
	}{{"duty", "two words", 422}, {"duty", "sub-4", 409}, {"manager-a", "sub-5", 409}, {"duty", "sub-1", 200}, {"suzhou", "sub-1", 409}, {"duty", "sub-1", 200}} {
		if got := link(c.login, c.subject); got != c.status {
			t.Errorf("link %s to %q: %d, wanted %d", c.login, c.subject, got, c.status)
		}
	}
	planted := "a token that somebody else knows"
	v.cookies[s.server.doors[Regulator].cookieName()] = planted
	if to := v.through("duty", "/alarms?stage=open"); to != "/alarms?stage=open" {
		t.Fatalf("linked: %s", to)
	}
	view, status := v.session()
	if status != http.StatusOK || view.User.Login != "duty" || !view.Provider || view.Due != "" {
		t.Errorf("session: %d %+v", status, view)
	}
	if v.cookies[s.server.doors[Regulator].cookieName()] == planted || v.cookies[s.server.doors[Regulator].flowName()] != "" {
		t.Error("the browser keeps the token it brought, or the login under way")
	}
	if s.audited(ssoAction, "ok") != 1 {
		t.Error("no entry in the audit")
	}
	if got := link("duty", ""); got != http.StatusOK {
		t.Errorf("unlink: %d", got)
	}
	if _, status := v.session(); status != http.StatusUnauthorized {
		t.Errorf("a session after the link: %d", status)
	}
}

func TestLoginByProviderIsRefused(t *testing.T) {
	s, srv := withProvider(t)
	for username, result := range map[string]string{"nobody-here": ssoUnlinked, "gone": ssoDisabled} {
		if to := newVisit(t, s).through(username, "/"); to != "/login?sso="+result {
			t.Errorf("%s: %s", username, to)
		}
	}
	s.put(&schema.User{Login: "foreman", Name: "工长", Role: plantManager, Enterprise: plantA, Password: "x", Subject: subjectAt(srv.URL, "sub-5")})
	if to := newVisit(t, s).through("manager-a", "/"); to != "/login?sso="+ssoPortal {
		t.Errorf("a plant's person at the regulators' portal: %s", to)
	}
	s.put(&schema.User{Login: "duty", Name: "值班", Role: provinceRegulator, Password: "x", Subject: subjectAt(srv.URL, "sub-1")})
	begin := func() (*visit, string) {
		v := newVisit(t, s)
		return v, v.atProvider(v.get("/api/v1/session/sso").header.Get("Location"), "duty")
	}
	s.pass(throttleWindow)
	mine, back := begin()
	theirs, _ := begin()
	old, late := begin()
	other, answer := begin()
	for _, c := range []struct {
		name, path, want string
		v                *visit
	}{
		{"another browser's answer", back, "/login?sso=expired", theirs},
		{"no browser's", back, "/login?sso=expired", newVisit(t, s)},
		{"another state", returnPath + "?code=x&state=y", "/login?sso=expired", newVisit(t, s)},
		{"the right one", back, "/", mine},
		{"the same once again", back, "/login?sso=expired", mine},
		{"another provider's", answer + "&iss=https%3A%2F%2Fother.test", "/login?sso=refused", other},
	} {
		if to := c.v.get(c.path).header.Get("Location"); to != c.want {
			t.Errorf("%s: %s", c.name, to)
		}
	}
	refusing, _ := begin()
	location, err := url.Parse(refusing.get("/api/v1/session/sso?to=/risk").header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if to := refusing.get(returnPath + "?error=access_denied&state=" + location.Query().Get("state")).header.Get("Location"); to != "/login?sso=cancelled&to=%2Frisk" {
		t.Errorf("cancelled: %s", to)
	}
	s.pass(flowFor)
	if to := old.get(late).header.Get("Location"); to != "/login?sso="+ssoExpired {
		t.Errorf("too late: %s", to)
	}
}

// What the provider answers must hold: for this login (PKCE, nonce), this client, and now.
func TestProvidersAnswerMustHold(t *testing.T) {
	s, _ := withProvider(t)
	r := s.server.doors[Regulator].idp
	f, err := r.discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	verifier := oauth2.GenerateVerifier()
	code := func() string {
		back := newVisit(t, s).atProvider(r.oauth(f).AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "n")), "duty")
		u, err := url.Parse(back)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("code")
	}
	used := code()
	for _, c := range []struct {
		name, code, verifier, nonce string
		change                      func(*relying)
		want                        error
	}{
		{"as asked", used, verifier, "n", nil, nil},
		{"a used code", used, verifier, "n", nil, errRefusedCode},
		{"made up", "x", verifier, "n", nil, errRefusedCode},
		{"another verifier", code(), oauth2.GenerateVerifier(), "n", nil, errRefusedCode},
		{"another nonce", code(), verifier, "m", nil, errProvider},
		{"another client's secret", code(), verifier, "n", func(r *relying) { r.Secret = "wrong" }, errRefusedCode},
		{"expired", code(), verifier, "n", func(r *relying) { r.now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, errProvider},
	} {
		changed := &relying{Provider: r.Provider, client: r.client, now: r.now}
		if c.change != nil {
			c.change(changed)
		}
		who, err := changed.exchange(t.Context(), f, c.code, c.verifier, c.nonce)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || who.subject != "sub-1") {
			t.Errorf("%s: %+v %v", c.name, who, err)
		}
		if err != nil && strings.Contains(err.Error(), c.code) && len(c.code) > 1 {
			t.Errorf("%s: the error tells the code", c.name)
		}
	}
}

// Who has a second factor here is asked for it, once, unless the provider has seen one; who must have one and has none sets it up
// without a password of ours.
func TestSecondFactorAfterProvider(t *testing.T) {
	s, srv := withProvider(t)
	secret := "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	sealed, err := s.server.opt.Keys.Seal(totpPurpose("two"), []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	s.put(&schema.User{Login: "two", Name: "双", Role: provinceRegulator, Region: "320000", Password: "x", TotpSealed: sealed, Subject: subjectAt(srv.URL, "sub-6")})
	v := newVisit(t, s)
	if to := v.through("two", "/risk"); to != "/login?sso=code&to=%2Frisk" {
		t.Fatalf("asked: %s", to)
	}
	var state SsoView
	v.get("/api/v1/session/sso/state").into(t, &state)
	if _, status := v.session(); status != http.StatusUnauthorized || state.Step != stepCode || state.Subject != "" {
		t.Errorf("before the code: %d %+v", status, state)
	}
	code, err := totp.GenerateCode(secret, s.now())
	if err != nil {
		t.Fatal(err)
	}
	give := func(v *visit, code string) int {
		return v.send(http.MethodPost, "/api/v1/session/sso", object{"code": code}).status
	}
	for i, c := range []struct {
		v      *visit
		code   string
		status int
	}{{newVisit(t, s), code, 401}, {v, "", 401}, {v, "000000", 401}, {v, code, 200}, {v, code, 401}} {
		if got := give(c.v, c.code); got != c.status {
			t.Errorf("%d: %d, wanted %d", i, got, c.status)
		}
	}
	if view, status := v.session(); status != http.StatusOK || view.User.Login != "two" {
		t.Errorf("after the code: %d %+v", status, view)
	}
	s.server.doors[Regulator].idp.TrustAMR = []string{"pwd"} // of the real provider; a real site trusts mfa, hwk and the like
	if to := newVisit(t, s).through("two", "/risk"); to != "/risk" {
		t.Errorf("seen by the provider: %s", to)
	}
	s.server.opt.SecondFactor = true
	s.put(&schema.User{Login: "duty", Name: "值班", Role: provinceRegulator, Region: "320000", Password: "x", Subject: subjectAt(srv.URL, "sub-1")})
	v = newVisit(t, s)
	v.through("duty", "/")
	if view, _ := v.session(); view.Due != "" {
		t.Errorf("seen by the provider, none here: due %q", view.Due)
	}
	s.server.doors[Regulator].idp.TrustAMR = nil
	v = newVisit(t, s)
	v.through("duty", "/")
	view, _ := v.session()
	if view.Due != dueSecondFactor {
		t.Fatalf("not seen, none here: due %q", view.Due)
	}
	s.tokens["duty"] = v.cookies[s.server.doors[Regulator].cookieName()]
	post := func(path string, body object) reply {
		return s.as("duty", http.MethodPost, "/api/v1/session"+path, body)
	}
	var offer EnrolView
	post("/second-factor/offer", object{}).into(t, &offer)
	if code, err = totp.GenerateCode(offer.Secret, s.now()); err != nil {
		t.Fatal(err)
	}
	if got := post("/second-factor", object{"sealed": offer.Sealed, "code": code}); got.status != http.StatusOK {
		t.Errorf("set up: %d %s", got.status, got.body)
	}
	s.pass(freshFor + time.Second)
	if got := post("/second-factor/offer", object{}); got.problem(t).Code != codeStale {
		t.Errorf("by a login that is not fresh: %d", got.status)
	}
}

// A claim links who was let in here under that login, when the configuration says so: never an administrator, never somebody who is
// linked, and nobody is made.
func TestLinkedByAClaim(t *testing.T) {
	s, srv := withProvider(t, func(p *Provider) { p.LinkClaim = "preferred_username" })
	for username, want := range map[string]string{"duty": "/", "security": "/login?sso=unlinked", "nobody-here": "/login?sso=unlinked"} {
		if to := newVisit(t, s).through(username, "/"); to != want {
			t.Errorf("%s: %s, wanted %s", username, to, want)
		}
	}
	u, _, err := s.server.user("duty")
	if err != nil || u.GetSubject() != subjectAt(srv.URL, "sub-1") || s.audited("user linked", "ok") != 1 {
		t.Errorf("linked to %q, %v", u.GetSubject(), err)
	}
	if _, ok, _ := s.server.user("nobody-here"); ok {
		t.Error("a person was made")
	}
	u.Subject = subjectAt(srv.URL, "somebody else")
	s.put(u)
	if to := newVisit(t, s).through("duty", "/"); to != "/login?sso=unlinked" {
		t.Errorf("the login of who is linked to another identity: %s", to)
	}
}

func TestProviderIsDown(t *testing.T) {
	s, srv := withProvider(t)
	srv.Close()
	if to := newVisit(t, s).get("/api/v1/session/sso?to=/risk").header.Get("Location"); to != "/login?sso=down&to=%2Frisk" {
		t.Errorf("leads to %s", to)
	}
	if got := newSite(t).on(Regulator, "", http.MethodGet, "/api/v1/session/sso", nil); got.status != http.StatusNotFound {
		t.Errorf("without a provider: %d", got.status)
	}
	for _, c := range []struct {
		s    *site
		want string
	}{{s, `"en":"Single sign-on"`}, {newSite(t), "{}"}} {
		if got := c.s.on(Regulator, "", http.MethodGet, "/api/v1/session/ways", nil); !strings.Contains(string(got.body), c.want) {
			t.Errorf("ways: %s", got.body)
		}
	}
}

func TestLogoutAtProvider(t *testing.T) {
	s, srv := withProvider(t, func(p *Provider) { p.Logout, p.LinkClaim = true, "preferred_username" })
	v := newVisit(t, s)
	v.through("duty", "/")
	s.tokens["duty"] = v.cookies[s.server.doors[Regulator].cookieName()]
	var out LogoutView
	s.as("duty", http.MethodDelete, "/api/v1/session", nil).into(t, &out)
	if !strings.HasPrefix(out.Next, srv.URL+"/end_session?client_id="+t.Name()) {
		t.Errorf("next: %q", out.Next)
	}
	out = LogoutView{}
	s.as("ministry", http.MethodDelete, "/api/v1/session", nil).into(t, &out)
	if out.Next != "" {
		t.Errorf("who came by a password is led to %q", out.Next)
	}
}

// No return path leads out of the portal, and no document of a provider leads its client elsewhere (CWE-601, CWE-918).
func TestLoginLeadsNowhereElse(t *testing.T) {
	for to, want := range map[string]string{
		"": "/", "/": "/", "/alarms?stage=open#x": "/alarms?stage=open#x", "/一企一档": "/一企一档", "alarms": "/", "//evil.test": "/", "/\\evil.test": "/", "\\\\evil.test": "/", "https://evil.test/": "/", "javascript:alert(1)": "/",
		"/%2F/evil.test": "/", "/\tevil": "/", "/\n/evil.test": "/", "/api/v1/session/sso": "/", "http:/evil.test": "/", "/" + strings.Repeat("x", maxReturn): "/", "\x20/x": "/", "/%zz": "/",
	} {
		if got := localPath(to); got != want {
			t.Errorf("%q leads to %q, wanted %q", to, got, want)
		}
	}
	r, err := newRelying(Provider{Issuer: "https://sso.test:8443/realm", ClientID: "x", URL: portalURL, Hosts: []string{"api.sso.test"}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]bool{
		"https://sso.test:8443/token": true, "https://api.sso.test/userinfo": true, "http://sso.test:8443/token": false, "https://sso.test/token": false, "https://evil.test/": false,
		"http://169.254.169.254/latest": false, "https://x@sso.test:8443/": false, "file:///etc/passwd": false, "": false,
	} {
		if got := r.allowed(raw); got != want {
			t.Errorf("%q allowed: %v", raw, got)
		}
	}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request went where the document led it") }))
	defer other.Close()
	var liar *httptest.Server
	liar = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/redirected") {
			http.Redirect(w, req, other.URL, http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, `{"issuer":"`+liar.URL+`","authorization_endpoint":"`+liar.URL+`/auth","token_endpoint":"`+other.URL+`/token","jwks_uri":"`+other.URL+`/keys"}`)
	}))
	defer liar.Close()
	if r, err = newRelying(Provider{Issuer: liar.URL, ClientID: "x", URL: portalURL}, time.Now); err != nil {
		t.Fatal(err)
	}
	f, err := r.discover(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.exchange(t.Context(), f, "code", "verifier", "nonce"); err == nil || !strings.Contains(err.Error(), "not a host of the provider") {
		t.Errorf("exchange: %v", err)
	}
	if res, err := r.client.Get(liar.URL + "/redirected"); err != nil || res.StatusCode != http.StatusFound {
		t.Errorf("a redirect: %v", err)
	}
}
