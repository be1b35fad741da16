package portal

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dusthub/schema"

	"github.com/pquerna/otp/totp"
)

// A regulator must set a second factor up before anything is open, cannot log in without it, and cannot use a code or a recovery
// code twice.
func TestSecondFactor(t *testing.T) {
	s := newSite(t, func(o *Options) { o.SecondFactor = true })
	s.put(&schema.User{Login: "duty", Name: "值班", Role: provinceRegulator, Region: "320000", Password: quickHash(t, rightPassword)})
	s.enter(Regulator, "duty", rightPassword)
	if got := s.as("duty", http.MethodGet, "/api/v1/overview", nil); got.problem(t).Code != codeDue {
		t.Errorf("without a second factor: %d", got.status)
	}
	if got := s.as("manager-a", http.MethodGet, "/api/v1/alarms", nil); got.status != http.StatusOK {
		t.Errorf("a plant's manager needs none: %d", got.status)
	}
	post := func(path string, body object) reply {
		return s.as("duty", http.MethodPost, "/api/v1/session"+path, body)
	}
	if got := post("/second-factor/offer", object{"password": "wrong"}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("an offer without the password: %d", got.status)
	}
	var offer EnrolView
	post("/second-factor/offer", object{"password": rightPassword}).into(t, &offer)
	code := func() string {
		c, err := totp.GenerateCode(offer.Secret, s.now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got := post("/second-factor", object{"sealed": offer.Sealed, "code": "000000x"}); got.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong first code: %d", got.status)
	}
	var recovery RecoveryView
	post("/second-factor", object{"sealed": offer.Sealed, "code": code()}).into(t, &recovery)
	if got := s.as("duty", http.MethodGet, "/api/v1/overview", nil); got.status != http.StatusOK || len(recovery.Codes) != recoveryCodes {
		t.Errorf("after: %d, %d recovery codes", got.status, len(recovery.Codes))
	}
	if got := post("/second-factor", object{"sealed": offer.Sealed, "code": code()}); got.status != http.StatusConflict {
		t.Errorf("set up over: %d", got.status)
	}
	login := func(code string) int {
		view, digits := s.captcha(Regulator) // the failures on the way are enough for a captcha
		return s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": "duty", "password": rightPassword, "code": code, "captcha": view.Token, "answer": digits}).status
	}
	used := code()
	s.pass(totpStep)
	for i, c := range []struct {
		code   string
		status int
	}{{"", 401}, {used, 401}, {code(), 200}, {code(), 401}, {recovery.Codes[0], 200}, {recovery.Codes[0], 401}} {
		if got := login(c.code); got != c.status {
			t.Errorf("%d: %d, wanted %d", i, got, c.status)
		}
	}
	s.pass(throttleWindow + 5*time.Minute)
	if got := login(code()); got != http.StatusOK {
		t.Errorf("later: %d", got)
	}
	if got := post("/second-factor/off", object{"password": rightPassword, "code": recovery.Codes[2]}); got.status != http.StatusConflict {
		t.Errorf("taken off where the site asks for it: %d", got.status)
	}
}

// Who chose to have a second factor takes it off again, by password and a code.
func TestSecondFactorOff(t *testing.T) {
	s := newSite(t)
	s.put(&schema.User{Login: "safety", Name: "安全员", Role: plantManager, Enterprise: plantA, Password: quickHash(t, rightPassword)})
	s.enter(Enterprise, "safety", rightPassword)
	post := func(path string, body object) reply {
		return s.on(Enterprise, "safety", http.MethodPost, "/api/v1/session/second-factor"+path, body)
	}
	var offer EnrolView
	post("/offer", object{"password": rightPassword}).into(t, &offer)
	code, err := totp.GenerateCode(offer.Secret, s.now())
	if err != nil {
		t.Fatal(err)
	}
	var recovery RecoveryView
	post("", object{"sealed": offer.Sealed, "code": code}).into(t, &recovery)
	factor := func() (bool, int) {
		var view SessionView
		s.on(Enterprise, "safety", http.MethodGet, "/api/v1/session", nil).into(t, &view)
		return view.User.TwoFactor, view.User.Recovery
	}
	if on, left := factor(); !on || left != recoveryCodes {
		t.Errorf("set up: %v, %d codes", on, left)
	}
	for _, c := range []struct {
		password, code string
		status         int
	}{
		{"wrong", recovery.Codes[0], 422}, {rightPassword, "000000", 422}, {rightPassword, code, 422},
		{rightPassword, recovery.Codes[0], 200}, {rightPassword, recovery.Codes[1], 409},
	} {
		if got := post("/off", object{"password": c.password, "code": c.code}); got.status != c.status {
			t.Errorf("%s %s: %d, wanted %d", c.password, c.code, got.status, c.status)
		}
	}
	if on, left := factor(); on || left != 0 {
		t.Errorf("taken off: %v, %d codes", on, left)
	}
}

// Two replicas that are given one code at the same instant do not both take it; nor a recovery code.
func TestTwoReplicasTakeACodeOnce(t *testing.T) {
	s := newSite(t)
	secret, err := totp.Generate(totp.GenerateOpts{Issuer: "dusthub", AccountName: "duty"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.server.opt.Keys.Seal(totpPurpose("duty"), []byte(secret.Secret()))
	if err != nil {
		t.Fatal(err)
	}
	opt := s.server.opt
	opt.Registerer = nil
	other, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.streams.close(); other.close() })
	code, err := totp.GenerateCode(secret.Secret(), s.now())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]string{"code": code, "recovery code": "aaaaa-bbbbb"} {
		s.put(&schema.User{Login: "duty", Name: "值班", Role: provinceRegulator, Password: "x", TotpSealed: sealed, Recovery: []string{recoveryDigest("duty", "aaaaabbbbb")}})
		var both sync.WaitGroup // both have read the record before either writes it
		both.Add(2)
		var first atomic.Int32
		s.backend.gate = func(*schema.Command) {
			if first.Add(1) <= 2 {
				both.Done()
				both.Wait()
			}
		}
		taken := make(chan bool, 2)
		for _, replica := range []*Server{s.server, other} {
			go func() {
				right, err := replica.useUp(t.Context(), "duty", c)
				if err != nil {
					t.Error(err)
				}
				taken <- right
			}()
		}
		if a, b := <-taken, <-taken; a == b {
			t.Errorf("%s: taken by one replica %v, by the other %v", name, a, b)
		}
		s.backend.gate = nil
	}
}
