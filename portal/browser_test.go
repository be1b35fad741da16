package portal

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"dusthub/portal/web"
	"dusthub/schema"

	"github.com/zitadel/oidc/v3/example/server/storage"
)

// The ways in on the real pages, in a browser, against this portal and a real provider: a second factor that must be set up, a
// captcha, a login by the provider. `make test-browser` runs it, with BROWSER=1; what the pages do is in web/e2e/login.mjs.
func TestLoginPages(t *testing.T) {
	if os.Getenv("BROWSER") == "" {
		t.Skip("BROWSER=1 runs the browser tests (make test-browser)")
	}
	listeners, err := Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := func(p Portal) string { return "http://" + listeners[p].Addr().String() }
	provider := openProvider(t, t.Name(), base(Regulator))
	s := newSite(t, func(o *Options) {
		o.Now, o.SecondFactor, o.Assets = time.Now, true, web.Dist()
		o.Providers = map[Portal]Provider{Regulator: {
			Issuer: provider.URL, ClientID: t.Name(), Secret: clientSecret, NameZH: "江苏政务统一身份认证", NameEN: "Jiangsu single sign-on", URL: base(Regulator),
		}}
	})
	s.clock, s.backend.now = time.Now(), time.Now
	s.people()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.server.ServeOn(ctx, listeners) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for _, size := range []string{"desk", "phone"} {
		for _, login := range []string{"new", "often", "sso"} {
			s.put(&schema.User{Login: login + "-" + size, Name: "钱值班", Role: provinceRegulator, Region: "320000", Password: quickHash(t, rightPassword)})
		}
		staffOf[t.Name()]["sub-"+size] = &storage.User{ID: "sub-" + size, Username: "staff-" + size, Password: staffWord}
	}
	cmd := exec.CommandContext(ctx, "node", "e2e/login.mjs")
	cmd.Dir, cmd.Stdout, cmd.Stderr = "web", os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "LOGIN_REGULATOR="+base(Regulator), "LOGIN_ENTERPRISE="+base(Enterprise), "LOGIN_HELP="+s.help(t), "LOGIN_PASSWORD="+rightPassword, "LOGIN_STAFF="+staffWord)
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

// help answers what a browser test cannot know or do on a page: what a captcha asks, another administrator's work, and oblivion of failed
// logins, which all come from one address here.
func (s *site) help(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /digits", func(w http.ResponseWriter, r *http.Request) {
		q, _ := s.server.doors[Regulator].openQuestion(r.FormValue("token"))
		fmt.Fprint(w, q.Digits)
	})
	mux.HandleFunc("GET /link", func(w http.ResponseWriter, r *http.Request) {
		u, ok, err := s.server.user(r.FormValue("login"))
		if err != nil || !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		u.Subject = subjectAt(s.server.doors[Regulator].idp.Issuer, r.FormValue("subject"))
		s.put(u)
	})
	mux.HandleFunc("GET /forget", func(http.ResponseWriter, *http.Request) {
		s.server.throttle.mu.Lock()
		defer s.server.throttle.mu.Unlock()
		clear(s.server.throttle.by)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}
