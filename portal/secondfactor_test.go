package portal

import (
	"net/http"
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
		return s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": "duty", "password": rightPassword, "code": code}).status
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
}
