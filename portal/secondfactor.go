package portal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"time"

	"dusthub/crypto/sm"
	"dusthub/schema"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// The second factor is a time-based one-time password (RFC 6238) with the parameters every app knows.
const (
	totpStep      = 30 * time.Second
	totpSkew      = 1 // steps a clock may be off
	recoveryCodes = 8
	recoveryBytes = 5
	qrSize        = 240

	codeSecondFactor = "second_factor"
	dueSecondFactor  = "second_factor"
)

func totpPurpose(login string) string { return "totp/" + login }

// recoveryDigest is what is kept of a recovery code; hyphens and capitals do not matter.
func recoveryDigest(login, code string) string {
	d := sm.HMACSM3([]byte("dusthub recovery 1 "+login), []byte(strings.ToLower(strings.ReplaceAll(strings.TrimSpace(code), "-", ""))))
	return hex.EncodeToString(d[:])
}

// matches finds the step a code is of, all candidates compared in constant time; 0: of none that may still be used.
func matches(secret, code string, now time.Time, used int64) (int64, error) {
	var found int64
	for k := -totpSkew; k <= totpSkew; k++ {
		at := now.Add(time.Duration(k) * totpStep)
		step := at.Unix() / int64(totpStep.Seconds())
		want, err := totp.GenerateCodeCustom(secret, at, totp.ValidateOpts{Period: uint(totpStep.Seconds()), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("compute code: %w", err)
		}
		if sameSecret(want, code) && step > used {
			found = step
		}
	}
	return found, nil
}

// prove takes a code of a person's second factor, or a recovery code, and uses it up in the record: neither is taken
// twice. The caller writes the record.
func (s *Server) prove(u *schema.User, code string) (bool, error) {
	secret, err := s.opt.Keys.Open(totpPurpose(u.GetLogin()), u.GetTotpSealed())
	if err != nil {
		return false, fmt.Errorf("open second factor: %w", err)
	}
	step, err := matches(string(secret), strings.TrimSpace(code), s.opt.Now(), u.GetTotpStep())
	if err != nil {
		return false, err
	}
	if step > 0 {
		u.TotpStep = step
		return true, nil
	}
	digest, at := recoveryDigest(u.GetLogin(), code), -1
	for i, kept := range u.GetRecovery() {
		if sameSecret(kept, digest) {
			at = i
		}
	}
	if at < 0 {
		return false, nil
	}
	u.Recovery = slices.Delete(u.Recovery, at, at+1)
	return true, nil
}

// useUp proves a second factor and writes down that the code is used. Of two that come with the same code at once, at whichever
// replicas, the site takes one: the other's command was made of a record that is not there any more, and what is there
// now says that the code was used.
func (s *Server) useUp(ctx context.Context, login, code string) (bool, error) {
	for {
		u, at, ok, err := s.userAt(login)
		if err != nil || !ok {
			return false, err
		}
		right, err := s.prove(u, code)
		if err != nil || !right {
			return false, err
		}
		_, err = s.put(ctx, nil, s.changeOver(u, at))
		var p *Problem
		if errors.As(err, &p) && p.Code == codeChanged && ctx.Err() == nil {
			continue
		}
		return err == nil, err
	}
}

// EnrolView is a new second factor. It is in force when a code of it has been given, and shown this once.
type EnrolView struct {
	Secret string `json:"secret" doc:"base32, to be typed where no camera is"`
	URI    string `json:"uri"`
	QR     string `json:"qr" doc:"PNG, as a data URI"`
	Sealed string `json:"sealed" doc:"to be sent back with the first code"`
}

type enrolInput struct {
	Body struct {
		Password string `json:"password,omitempty" maxLength:"256" doc:"not needed within 10 minutes of a login by a provider"`
	}
}

// enrol offers a new second factor: the password once more, for a session that was left open must not be enough.
func (s *Server) enrol(ctx context.Context, v *viewer, in *enrolInput) (*EnrolView, error) {
	if err := s.oncemore(ctx, v, in.Body.Password); err != nil {
		return nil, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "dusthub " + s.opt.Site.Name, AccountName: v.user.GetLogin()})
	if err != nil {
		return nil, fmt.Errorf("make second factor: %w", err)
	}
	img, err := key.Image(qrSize, qrSize)
	if err != nil {
		return nil, fmt.Errorf("draw second factor: %w", err)
	}
	var b bytes.Buffer
	if err = png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("draw second factor: %w", err)
	}
	sealed, err := s.opt.Keys.Seal(totpPurpose(v.user.GetLogin()), []byte(key.Secret()))
	if err != nil {
		return nil, fmt.Errorf("seal second factor: %w", err)
	}
	return &EnrolView{Secret: key.Secret(), URI: key.URL(), QR: "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), Sealed: sealed}, nil
}

// oncemore asks for the password of who is logged in, and counts failures as those of a login. A login by a provider that is fresh stands
// in for it.
func (s *Server) oncemore(ctx context.Context, v *viewer, password string) error {
	login := v.user.GetLogin()
	if wait := s.throttle.wait(login, v.address); wait > 0 {
		return throttled(wait)
	}
	if v.session.GetProvider() != "" { // who logs in by a provider may know no password of ours
		if s.nowMs()-v.session.GetCreated() > freshFor.Milliseconds() {
			return problem(http.StatusForbidden, codeStale, "this login is older than %d minutes: log in again, then change this", int(freshFor.Minutes()))
		}
		return nil
	}
	right, err := s.checkPassword(ctx, password, v.user.GetPassword())
	if err != nil {
		return err
	}
	if !right {
		s.throttle.failed(login, v.address)
		return invalid("body.password", "the password in force", nil)
	}
	return nil
}

type confirmInput struct {
	Body struct {
		Sealed string `json:"sealed" maxLength:"512"`
		Code   string `json:"code" maxLength:"16"`
	}
}

// RecoveryView are codes that stand in for the second factor, each once. They are shown this once.
type RecoveryView struct {
	Codes []string `json:"codes" nullable:"false"`
}

// confirm puts the offered second factor in force; all other sessions end. What was offered before the one in force
// cannot replace it without that one's code.
func (s *Server) confirm(ctx context.Context, v *viewer, in *confirmInput) (*RecoveryView, error) {
	u := v.user
	if wait := s.throttle.wait(u.GetLogin(), v.address); wait > 0 {
		return nil, throttled(wait)
	}
	if u.GetTotpSealed() != "" {
		return nil, problem(http.StatusConflict, codeExists, "there is a second factor; the security administrator takes it away")
	}
	u.TotpSealed = in.Body.Sealed
	if _, err := s.opt.Keys.Open(totpPurpose(u.GetLogin()), in.Body.Sealed); err != nil {
		return nil, invalid("body.sealed", "what the offer said", nil)
	}
	right, err := s.prove(u, in.Body.Code)
	if err != nil {
		return nil, err
	}
	if !right {
		s.throttle.failed(u.GetLogin(), v.address)
		return nil, invalid("body.code", "the code the app shows now", nil)
	}
	out := &RecoveryView{}
	u.Recovery = nil
	for range recoveryCodes {
		code, err := randomHex(recoveryBytes)
		if err != nil {
			return nil, err
		}
		out.Codes = append(out.Codes, code[:recoveryBytes]+"-"+code[recoveryBytes:])
		u.Recovery = append(u.Recovery, recoveryDigest(u.GetLogin(), code))
	}
	return out, s.replaceUser(ctx, v, u, v.userAt, "second factor set up", v.session.GetId())
}

type takeOffInput struct {
	Body struct {
		Password string `json:"password,omitempty" maxLength:"256" doc:"not needed within 10 minutes of a login by a provider"`
		Code     string `json:"code" maxLength:"16" doc:"of the second factor, or a recovery code"`
	}
}

// takeOff ends one's own second factor, where the site does not ask for one; all other sessions end.
func (s *Server) takeOff(ctx context.Context, v *viewer, in *takeOffInput) (*UserView, error) {
	if s.opt.SecondFactor && v.user.GetEnterprise() == "" {
		return nil, problem(http.StatusConflict, codeRefused, "this site asks for a second factor; the security administrator takes it away when a telephone is lost")
	}
	if err := s.oncemore(ctx, v, in.Body.Password); err != nil {
		return nil, err
	}
	u, at, ok, err := s.userAt(v.user.GetLogin())
	if err != nil {
		return nil, err
	}
	if !ok || u.GetTotpSealed() == "" {
		return nil, problem(http.StatusConflict, codeRefused, "there is no second factor")
	}
	right, err := s.prove(u, in.Body.Code)
	if err != nil {
		return nil, err
	}
	if !right {
		s.throttle.failed(u.GetLogin(), v.address)
		return nil, invalid("body.code", "a code of the second factor that was not used", nil)
	}
	u.TotpSealed, u.Recovery = "", nil
	return userView(u), s.replaceUser(ctx, v, u, at, "second factor taken off", v.session.GetId())
}
