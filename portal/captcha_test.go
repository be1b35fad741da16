package portal

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dusthub/node/store"
	"dusthub/schema"
)

// captcha is a captcha as a browser gets it, and what it asks.
func (s *site) captcha(p Portal) (CaptchaView, string) {
	s.t.Helper()
	var view CaptchaView
	s.on(p, "", http.MethodPost, "/api/v1/session/captcha", object{}).into(s.t, &view)
	q, ok := s.server.doors[p].openQuestion(view.Token)
	if !ok {
		s.t.Fatal("the token does not open")
	}
	return view, q.Digits
}

func (s *site) loginWith(login, password, token, answer string) reply {
	return s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": login, "password": password, "captcha": token, "answer": answer})
}

// quick is a person whose password is never right, and is judged at once.
func (s *site) quick(login string) {
	s.put(&schema.User{Login: login, Name: "q", Role: provinceRegulator, Password: "malformed: never right, and checked at once"})
}

func TestCaptchaIsAskedAfterFailures(t *testing.T) {
	s := withLogin(t)
	s.quick("quick")
	for range captchaAfter {
		if got := s.login("quick", "x"); got.problem(t).Code != codeUnauthorized {
			t.Fatalf("before: %s", got.body)
		}
	}
	other, _ := s.captcha(Enterprise)
	first, digits := s.captcha(Regulator)
	old, oldDigits := s.captcha(Regulator)
	wrong := strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, digits)
	for _, c := range []struct{ name, login, token, answer, code, detail string }{
		{"none", "quick", "", "", codeCaptcha, "too"},
		{"none, of another login from the same address", "duty", "", "", codeCaptcha, "too"},
		{"made up", "quick", "v1|0001|a|b|c", "123456", codeCaptcha, "too old"},
		{"another portal's", "quick", other.Token, "123456", codeCaptcha, "too old"},
		{"right digits, wrong password", "quick", first.Token, " " + digits + " ", codeUnauthorized, "password"},
		{"used", "quick", first.Token, digits, codeCaptcha, "before"},
		{"used, of another login", "duty", first.Token, digits, codeCaptcha, "before"},
	} {
		if got := s.loginWith(c.login, "x", c.token, c.answer).problem(t); got.Code != c.code || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	next, _ := s.captcha(Regulator)
	if got := s.loginWith("duty", rightPassword, next.Token, wrong).problem(t); got.Code != codeCaptcha || !strings.Contains(got.Detail, "wrong") {
		t.Errorf("wrong digits: %+v", got)
	}
	last, right := s.captcha(Regulator)
	if got := s.loginWith("duty", rightPassword, last.Token, right); got.status != http.StatusOK {
		t.Errorf("right digits and password: %d %s", got.status, got.body)
	}
	s.pass(captchaFor)
	if got := s.loginWith("duty", rightPassword, old.Token, oldDigits).problem(t); !strings.Contains(got.Detail, "too old") {
		t.Errorf("after %s: %+v", captchaFor, got)
	}
	s.pass(throttleWindow)
	if got := s.login("duty", rightPassword); got.status != http.StatusOK {
		t.Errorf("after the window: %d", got.status)
	}
}

// What is asked of a login at one replica is asked at all, can be answered at any, and is answered once.
func TestCaptchaAcrossReplicas(t *testing.T) {
	s := withLogin(t)
	s.quick("quick")
	opt := s.server.opt
	opt.Registerer = nil
	other, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.streams.close(); other.close() })
	for range captchaAfter {
		s.login("quick", "x")
	}
	here := s.server
	s.server = other
	if got := s.login("quick", "x").problem(t); got.Code != codeCaptcha {
		t.Errorf("the other replica, after failures at this one: %+v", got)
	}
	if got := s.login("duty", rightPassword); got.status != http.StatusOK {
		t.Errorf("another login at the other replica: %d %s", got.status, got.body)
	}
	s.server = here
	view, digits := s.captcha(Regulator)
	answers := make(chan string, 2)
	for _, replica := range []*Server{here, other} {
		go func() {
			err := replica.doors[Regulator].judge(t.Context(), &viewer{address: "198.51.100.7"}, "quick", view.Token, digits)
			answers <- fmt.Sprint(err)
		}()
	}
	a, b := <-answers, <-answers
	if (a == "<nil>") == (b == "<nil>") || !strings.Contains(a+b, "answered before") {
		t.Errorf("one captcha at two replicas: %s, %s", a, b)
	}
}

// A right password whose second factor is still to come does not cost a second captcha, and opens nothing for another login.
func TestCaptchaOnceForBothFactors(t *testing.T) {
	s := withLogin(t)
	sealed, err := s.server.opt.Keys.Seal(totpPurpose("two"), []byte("JBSWY3DPEHPK3PXP"))
	if err != nil {
		t.Fatal(err)
	}
	s.put(&schema.User{
		Login: "two", Name: "双", Role: provinceRegulator, Password: quickHash(t, rightPassword), TotpSealed: sealed, Recovery: []string{recoveryDigest("two", "aaaaabbbbb")},
	})
	s.quick("quick")
	for range captchaAfter {
		s.login("quick", "x")
	}
	view, digits := s.captcha(Regulator)
	p := s.loginWith("two", rightPassword, view.Token, digits).problem(t)
	if p.Code != codeSecondFactor || p.Proof == "" {
		t.Fatalf("password alone: %+v", p)
	}
	if got := s.loginWith("quick", "x", p.Proof, "").problem(t); got.Code != codeCaptcha {
		t.Errorf("the proof for another login: %+v", got)
	}
	got := s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": "two", "password": rightPassword, "code": "aaaaa-bbbbb", "captcha": p.Proof})
	if got.status != http.StatusOK {
		t.Errorf("with the code: %d %s", got.status, got.body)
	}
}

// A captcha is a picture of the size said, and speech in two languages; nothing of it is told but to who can see or hear.
func TestCaptchaIsSeenAndHeard(t *testing.T) {
	s := newSite(t)
	view, digits := s.captcha(Regulator)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(view.Picture, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil || img.Bounds().Dx() != captchaWidth || img.Bounds().Dy() != captchaHeight {
		t.Errorf("picture: %v", err)
	}
	if strings.Contains(view.Token, digits) || len(digits) != captchaLength {
		t.Errorf("the token tells its digits: %s", digits)
	}
	sizes := map[string]int{}
	for _, language := range []string{"zh", "en"} {
		got := s.on(Regulator, "", http.MethodGet, "/api/v1/session/captcha/sound?lang="+language+"&token="+url.QueryEscape(view.Token), nil)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "audio/wav" || string(got.body[:4]) != "RIFF" || string(got.body[8:12]) != "WAVE" {
			t.Fatalf("%s: %d %v", language, got.status, got.header)
		}
		if said := binary.LittleEndian.Uint32(got.body[4:8]); int(said) != len(got.body)-8 {
			t.Errorf("%s: a sound of %d bytes says it has %d", language, len(got.body), said)
		}
		sizes[language] = len(got.body)
	}
	if sizes["zh"] == sizes["en"] {
		t.Errorf("both languages sound alike: %v", sizes)
	}
	s.pass(captchaFor)
	if got := s.on(Regulator, "", http.MethodGet, "/api/v1/session/captcha/sound?token="+url.QueryEscape(view.Token), nil); got.status != http.StatusNotFound {
		t.Errorf("an old one: %d", got.status)
	}
}

// Neither captchas asked for nor wrong answers are without bounds, and wrong answers lock nobody's login out.
func TestCaptchasAreBounded(t *testing.T) {
	s := withLogin(t)
	s.quick("quick")
	for range captchaAfter {
		s.login("quick", "x")
	}
	for range failuresAddress - captchaAfter {
		view, _ := s.captcha(Regulator)
		if got := s.loginWith("duty", "x", view.Token, "x").problem(t); got.Code != codeCaptcha {
			t.Fatalf("wrong answer: %+v", got)
		}
	}
	if got := s.login("duty", rightPassword); got.status != http.StatusTooManyRequests {
		t.Errorf("after %d wrong answers from one address: %d", failuresAddress, got.status)
	}
	if s.server.throttle.wait("duty", "198.51.100.7") > 0 {
		t.Error("wrong answers lock the login out elsewhere")
	}
	page, err := s.backend.store.List(t.Context(), store.Query{Type: "AuditEntry", Index: "actor,time", Prefix: []string{"duty"}})
	if err != nil || len(page.Rows) != failuresAddress-captchaAfter || page.Rows[0].Record.(*schema.AuditEntry).GetResult() != "failed" {
		t.Errorf("audit: %d %v", len(page.Rows), err)
	}
	for range captchaAddress {
		if got := s.on(Regulator, "", http.MethodPost, "/api/v1/session/captcha", object{}); got.status == http.StatusTooManyRequests {
			return
		}
	}
	t.Errorf("more than %d captchas for one address", captchaAddress)
}

func BenchmarkCaptcha(b *testing.B) {
	s := newSite(b)
	d := s.server.doors[Regulator]
	for b.Loop() {
		s.pass(time.Second)
		s.server.throttle = newThrottle(s.now)
		if _, err := d.askCaptcha(b.Context(), &viewer{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
