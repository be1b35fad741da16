package portal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"github.com/dchest/captcha"
)

// A captcha is asked of a login after some failures: digits, drawn and spoken (GB/T 22239-2019 8.1.4.1 b). What is asked travels
// sealed with the question, so that any replica can judge the answer and none keeps anything; that it was answered is an entry of the
// audit under a name made of it, which the machine takes once.
const (
	captchaAfter   = 3 // failures within throttleWindow, of a login anywhere or of an address
	captchaFor     = 5 * time.Minute
	captchaLength  = 6
	captchaWidth   = 240
	captchaHeight  = 80
	captchaSlots   = 2   // drawn or spoken at once
	captchaAddress = 120 // asked for by one address within throttleWindow
	captchaProven  = 3 * time.Minute
	captchaID      = 12 // bytes

	codeCaptcha    = "captcha"
	captchaPurpose = "captcha"
)

// question is what a captcha asks, and for whom. Of a login whose password was right it says so instead of asking.
type question struct {
	ID      string `json:"id,omitempty"`
	Digits  string `json:"digits,omitempty"`
	Portal  Portal `json:"portal"`
	Expires int64  `json:"expires"`
	Proven  string `json:"proven,omitempty"` // login
}

func (s *Server) sealQuestion(q question) (string, error) {
	raw, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("encode captcha: %w", err)
	}
	sealed, err := s.opt.Keys.Seal(captchaPurpose, raw)
	if err != nil {
		return "", fmt.Errorf("seal captcha: %w", err)
	}
	return sealed, nil
}

// openQuestion reads what was sealed for this portal and has not expired.
func (d *door) openQuestion(sealed string) (question, bool) {
	var q question
	raw, err := d.s.opt.Keys.Open(captchaPurpose, sealed)
	if err != nil || json.Unmarshal(raw, &q) != nil {
		return q, false
	}
	return q, q.Portal == d.portal && q.Expires > d.s.nowMs()
}

func newQuestion(p Portal, expires int64) (question, error) {
	var id [captchaID]byte
	if _, err := rand.Read(id[:]); err != nil {
		return question{}, fmt.Errorf("make captcha: %w", err)
	}
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(captchaLength), nil)) //nolint:mnd // decimal
	if err != nil {
		return question{}, fmt.Errorf("make captcha: %w", err)
	}
	return question{ID: hex.EncodeToString(id[:]), Digits: fmt.Sprintf("%0*d", captchaLength, n), Portal: p, Expires: expires}, nil
}

// values are the digits as numbers, which is how they are drawn and spoken.
func (q question) values() []byte {
	out := []byte(q.Digits)
	for i := range out {
		out[i] -= '0'
	}
	return out
}

// CaptchaView is a captcha to be answered with a login.
type CaptchaView struct {
	Token   string `json:"token" doc:"to be sent back with the digits"`
	Picture string `json:"picture" doc:"PNG, as a data URI"`
	Expires int64  `json:"expires" doc:"ms"`
}

// slot waits for one of the places where captchas are made: each takes a core for some milliseconds, and anybody may ask.
func (s *Server) slot(ctx context.Context) (func(), error) {
	select {
	case s.drawing <- struct{}{}:
		return func() { <-s.drawing }, nil
	case <-ctx.Done():
		return nil, unavailable("too many captchas at once")
	}
}

// askCaptcha makes a captcha for whoever asks, so many for an address.
func (d *door) askCaptcha(ctx context.Context, v *viewer, _ *none) (*CaptchaView, error) {
	s, drawn := d.s, throttleKey{what: "captcha", address: v.address}
	if s.throttle.count(drawn) >= captchaAddress {
		return nil, throttled(throttleWindow)
	}
	s.throttle.add(drawn)
	done, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	q, err := newQuestion(d.portal, s.nowMs()+captchaFor.Milliseconds())
	if err != nil {
		return nil, err
	}
	token, err := s.sealQuestion(q)
	if err != nil {
		return nil, err
	}
	var picture bytes.Buffer
	if _, err := captcha.NewImage(q.ID, q.values(), captchaWidth, captchaHeight).WriteTo(&picture); err != nil {
		return nil, fmt.Errorf("draw captcha: %w", err)
	}
	return &CaptchaView{Token: token, Picture: "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture.Bytes()), Expires: q.Expires}, nil
}

type soundInput struct {
	Token    string `query:"token" required:"true" maxLength:"512"`
	Language string `query:"lang" enum:"zh,en" default:"zh"`
}

// speakCaptcha says the digits of a captcha, for who cannot see them.
func (d *door) speakCaptcha(ctx context.Context, v *viewer, in *soundInput) (*fileOutput, error) {
	s, drawn := d.s, throttleKey{what: "captcha", address: v.address}
	q, ok := d.openQuestion(in.Token)
	if !ok || q.Digits == "" {
		return nil, notFound("captcha", "")
	}
	if s.throttle.count(drawn) >= captchaAddress {
		return nil, throttled(throttleWindow)
	}
	s.throttle.add(drawn)
	done, err := s.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var sound bytes.Buffer
	if _, err := captcha.NewAudio(q.ID, q.values(), in.Language).WriteTo(&sound); err != nil {
		return nil, fmt.Errorf("speak captcha: %w", err)
	}
	return &fileOutput{ContentType: "audio/wav", Disposition: "inline", Body: sound.Bytes()}, nil
}

// captchaDue says whether a login from an address must answer a captcha first. Failures of a login are counted in the audit, which
// all replicas share and which outlives them; those of an address, and while the site takes no entries, in memory.
func (s *Server) captchaDue(ctx context.Context, login, address string) (bool, error) {
	for _, k := range []throttleKey{{login: login}, {address: address}} {
		if s.throttle.count(k) >= captchaAfter {
			return true, nil
		}
	}
	if login == "" {
		return false, nil
	}
	const looked = 50 // entries of one person in ten minutes: a captcha more or less hangs on it, nothing else
	page, err := s.opt.Backend.Store().List(ctx, store.Query{
		Type: "AuditEntry", Index: "actor,time", Prefix: []string{login}, From: s.nowMs() - throttleWindow.Milliseconds(), Desc: true, Limit: looked,
	})
	if err != nil {
		return false, fmt.Errorf("count failed logins: %w", err)
	}
	failed := 0
	for _, r := range page.Rows {
		if e := r.Record.(*schema.AuditEntry); e.GetAction() == "login" && strings.HasPrefix(e.GetResult(), "failed") {
			failed++
		}
	}
	return failed >= captchaAfter, nil
}

func wantCaptcha(format string, args ...any) error {
	return problem(http.StatusUnauthorized, codeCaptcha, format, args...)
}

// judge lets a login go on when no captcha is due, or its answer is right and was not given before. The answer is used up before
// the password is looked at: of many guesses at once with one captcha, one is judged.
func (d *door) judge(ctx context.Context, v *viewer, login, token, answer string) error {
	s := d.s
	due, err := s.captchaDue(ctx, login, v.address)
	if err != nil || !due {
		return err
	}
	if token == "" {
		return wantCaptcha("after several failures the digits of a captcha too")
	}
	q, ok := d.openQuestion(token)
	if ok && q.Proven != "" && q.Proven == login {
		return nil
	}
	if !ok || q.Digits == "" {
		return wantCaptcha("this captcha is too old: ask for another")
	}
	right := sameSecret(strings.TrimSpace(answer), q.Digits)
	entry := s.auditEntry(login, "captcha", string(d.portal), map[bool]string{true: "ok", false: "failed"}[right], v.address)
	entry.Id = "C-" + s.opt.Site.ID + "-" + q.ID
	if err := s.keepOnce(ctx, entry); err != nil {
		return err
	}
	if right {
		return nil
	}
	s.throttle.add(throttleKey{address: v.address}) // not of the login: nobody is locked out for not reading well
	s.metrics.logins.WithLabelValues(string(d.portal), "captcha").Inc()
	return wantCaptcha("the digits are wrong: try another captcha")
}

// keepOnce writes the entry that a captcha was answered, which can be written once.
func (s *Server) keepOnce(ctx context.Context, entry *schema.AuditEntry) error {
	_, known, err := s.opt.Backend.Store().Get("AuditEntry", entry.GetId())
	if err != nil {
		return fmt.Errorf("read audit: %w", err)
	}
	if !known {
		_, err = s.put(ctx, nil, s.created(entry))
	}
	var p *Problem
	if known || errors.As(err, &p) && p.Status != http.StatusServiceUnavailable {
		return wantCaptcha("this captcha was answered before: ask for another")
	}
	return err
}

// proven stands in for a captcha when a login whose password was right comes again with the code of the second factor.
func (d *door) proven(login string) (string, error) {
	return d.s.sealQuestion(question{Portal: d.portal, Expires: d.s.nowMs() + captchaProven.Milliseconds(), Proven: login})
}
