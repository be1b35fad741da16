package portal

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"dusthub/crypto/sm"
	"dusthub/node/store"
	"dusthub/schema"
)

const (
	cookiePrefix    = "dusthub_session"
	csrfHeader      = "X-CSRF-Token"
	sessionFor      = 12 * time.Hour
	tokenBytes      = 32
	sessionIdle     = 30 * time.Minute
	sessionTouch    = 5 * time.Minute // how often use is written down: the idle limit is exact to this much
	maxAgent        = 200
	sessionsPerUser = 20 // the oldest give way
	hashSlots       = 2  // password hashes computed at once: each takes a core for some 100 ms
)

// nobody is a hash of no password: checking it takes as long as checking anybody's, so that time does not tell which logins exist.
var nobody = "pbkdf2-hmac-sm3$100000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// cookieName tells the portals and sites of one host apart: browsers keep cookies by host, not by port.
func (d *door) cookieName() string {
	return cookiePrefix + "_" + d.s.opt.Site.ID + "_" + string(d.portal)
}

// sessionID is what is kept of a token.
func sessionID(token string) string {
	d := sm.SM3([]byte(token))
	return hex.EncodeToString(d[:])
}

// csrfOf is the value of the header that goes with a session: derived from the token, it says nothing of it.
func csrfOf(token string) string {
	d := sm.HMACSM3([]byte(token), []byte("dusthub csrf 1"))
	return hex.EncodeToString(d[:])
}

func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// secret is a random secret of n bytes, base64url.
func secret(n int) (string, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

var errNoSession = problem(http.StatusUnauthorized, codeUnauthorized, "log in first")

// identify finds a token's session and user.
func (s *Server) identify(v *viewer, token string) error {
	if token == "" {
		return errNoSession
	}
	row, ok, err := s.opt.Backend.Store().Get("Session", sessionID(token))
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	session, _ := row.Record.(*schema.Session)
	if !ok || session.GetPortal() != string(v.portal) || !s.lives(session) {
		return errNoSession
	}
	user, at, ok, err := s.userAt(session.GetLogin())
	if err != nil {
		return err
	}
	if !ok || user.GetDisabled() || !slices.Contains(rolesOf[v.portal], user.GetRole()) {
		return errNoSession
	}
	v.user, v.userAt, v.session, v.token = user, at, session, token
	return nil
}

func (s *Server) user(login string) (*schema.User, bool, error) {
	user, _, ok, err := s.userAt(login)
	return user, ok, err
}

// userAt is a person and the entry of the ledger that says so: what is written over it must have been made of it.
func (s *Server) userAt(login string) (*schema.User, uint64, bool, error) {
	row, ok, err := s.opt.Backend.Store().Get("User", login)
	if err != nil {
		return nil, 0, false, fmt.Errorf("read user: %w", err)
	}
	user, _ := row.Record.(*schema.User)
	return s.openUser(user), row.Seq, ok, nil
}

// SessionUser is the person logged in.
type SessionUser struct {
	Login          string `json:"login"`
	Name           string `json:"name"`
	Role           string `json:"role" table:"role"`
	Region         string `json:"region,omitempty"`
	Enterprise     string `json:"enterprise,omitempty"`
	EnterpriseName string `json:"enterprise_name,omitempty"`
	TwoFactor      bool   `json:"second_factor,omitempty" doc:"a second factor is in force"`
	Recovery       int    `json:"recovery,omitempty" doc:"recovery codes not yet used"`
}

// SessionView is a session as its owner sees it.
type SessionView struct {
	User    SessionUser `json:"user"`
	Portal  Portal      `json:"portal"`
	Site    Site        `json:"site"`
	CSRF    string      `json:"csrf" doc:"value of the header X-CSRF-Token"`
	Expires int64       `json:"expires" doc:"ms"`
	// Who came by a provider changes no password here, and proves again who they are by coming again.
	Provider bool   `json:"provider,omitempty" doc:"logged in by the provider"`
	Due      string `json:"due,omitempty" enum:"password,second_factor" doc:"what must be done before anything else is open"`
}

func (s *Server) sessionView(v *viewer) *SessionView {
	u := v.user
	return &SessionView{
		User: SessionUser{
			Login: u.GetLogin(), Name: u.GetName(), Role: u.GetRole(), Region: u.GetRegion(), Enterprise: u.GetEnterprise(), EnterpriseName: s.world.nameOf(u.GetEnterprise()),
			TwoFactor: u.GetTotpSealed() != "", Recovery: len(u.GetRecovery()),
		},
		Portal: v.portal, Site: s.opt.Site, CSRF: csrfOf(v.token), Expires: v.session.GetExpires(), Due: s.dueOf(v.user, v.session), Provider: v.session.GetProvider() != "",
	}
}

type loginInput struct {
	Body struct {
		Login    string `json:"login" maxLength:"64"`
		Password string `json:"password" maxLength:"256"`
		Code     string `json:"code,omitempty" maxLength:"16" doc:"second factor or recovery code, when the answer to the password alone was second_factor"`
		Captcha  string `json:"captcha,omitempty" maxLength:"512" doc:"token of a captcha, when the answer without was captcha"`
		Answer   string `json:"answer,omitempty" maxLength:"16" doc:"its digits"`
	}
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      *SessionView
}

// LogoutView is what is left to do after a logout.
type LogoutView struct {
	Next string `json:"next,omitempty" doc:"where the browser logs out of the provider too"`
}

type logoutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      *LogoutView
}

func (d *door) sessionRoutes() {
	handleRaw(d, "login", d.login)
	handle(d, "captcha", d.askCaptcha)
	handleRaw(d, "captcha-sound", d.speakCaptcha)
	handle(d, "session", func(_ context.Context, v *viewer, _ *none) (*SessionView, error) { return d.s.sessionView(v), nil })
	handleRaw(d, "logout", d.logout)
	handle(d, "change-password", d.s.changePassword)
	handle(d, "sessions", d.s.sessions)
	handle(d, "second-factor-offer", d.s.enrol)
	handle(d, "second-factor", d.s.confirm)
	handle(d, "second-factor-off", d.s.takeOff)
	handle(d, "session-revoke", d.s.revokeSession)
}

func (d *door) cookie(token string, age time.Duration) http.Cookie {
	return http.Cookie{Name: d.cookieName(), Value: token, Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true, Secure: d.s.opt.Secure, SameSite: http.SameSiteStrictMode} //nolint:gosec // Secure where there is TLS; on plain loopback a browser would drop it
}

// checkPassword compares a password with a hash, a few at a time.
func (s *Server) checkPassword(ctx context.Context, password, hash string) (bool, error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		return sm.CheckPassword(password, hash), nil
	case <-ctx.Done():
		return false, unavailable("too many logins at once")
	}
}

func (s *Server) hashPassword(ctx context.Context, password string) (string, error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return "", unavailable("too many logins at once")
	}
	hash, err := sm.HashPassword(password)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

func (d *door) login(ctx context.Context, v *viewer, in *loginInput) (*sessionOutput, error) {
	s, login := d.s, in.Body.Login
	if wait := s.throttle.wait(login, v.address); wait > 0 {
		s.metrics.logins.WithLabelValues(string(d.portal), "throttled").Inc()
		return nil, throttled(wait)
	}
	if err := d.judge(ctx, v, login, in.Body.Captcha, in.Body.Answer); err != nil {
		return nil, err
	}
	user, known, err := s.user(login)
	if err != nil {
		return nil, err
	}
	hash := nobody
	if known {
		hash = user.GetPassword()
	}
	right, err := s.checkPassword(ctx, in.Body.Password, hash)
	if err != nil {
		return nil, err
	}
	if !right || !known || user.GetDisabled() {
		s.throttle.failed(login, v.address)
		s.metrics.logins.WithLabelValues(string(d.portal), "failed").Inc()
		s.audit(ctx, login, "login", string(d.portal), "failed", v.address)
		return nil, problem(http.StatusUnauthorized, codeUnauthorized, "login or password is wrong")
	}
	if !slices.Contains(rolesOf[d.portal], user.GetRole()) {
		s.audit(ctx, login, "login", string(d.portal), "wrong portal", v.address)
		return nil, problem(http.StatusForbidden, codeForbidden, "the %s portal is not open to the role %s", d.portal, user.GetRole())
	}
	if user.GetTotpSealed() != "" {
		if err := d.second(ctx, v, login, in.Body.Code); err != nil {
			return nil, err
		}
	}
	s.throttle.succeeded(login, v.address)
	return d.begin(ctx, v, user, entrance{action: "login"})
}

// second asks for the second factor of a person whose password was right. A wrong code counts as a failed login.
func (d *door) second(ctx context.Context, v *viewer, login, code string) error {
	s := d.s
	if code == "" {
		proof, err := d.proven(login)
		if err != nil {
			return err
		}
		p := problem(http.StatusUnauthorized, codeSecondFactor, "the code of the second factor too")
		p.Proof = proof
		return p
	}
	right, err := s.useUp(ctx, login, code)
	if err != nil || right {
		return err
	}
	s.throttle.failed(login, v.address)
	s.metrics.logins.WithLabelValues(string(d.portal), "failed").Inc()
	s.audit(ctx, login, "login", string(d.portal), "failed: second factor", v.address)
	return problem(http.StatusUnauthorized, codeSecondFactor, "the code is wrong or was used")
}

// entrance is how somebody came in.
type entrance struct {
	action   string // in the audit
	provider string // its issuer; empty: by a password of ours
	factor   bool   // the provider has seen a second factor
	more     []*schema.Change
}

// begin opens a session for a user who has proved who they are, and ends the user's stale ones in the same command.
func (d *door) begin(ctx context.Context, v *viewer, user *schema.User, how entrance) (*sessionOutput, error) {
	s := d.s
	token, err := secret(tokenBytes)
	if err != nil {
		return nil, err
	}
	now := s.nowMs()
	session := &schema.Session{Id: sessionID(token), Login: user.GetLogin(), Portal: string(d.portal), Created: now, Expires: now + sessionFor.Milliseconds(),
		Seen: now, Address: v.address, Agent: clip(v.agent, maxAgent), Provider: how.provider, Factor: how.factor}
	changes, err := s.staleSessions(ctx, user.GetLogin())
	if err != nil {
		return nil, err
	}
	if user, at, ok, err := s.userAt(user.GetLogin()); err == nil && ok && how.more == nil && user.GetPersonalSealed() == "" {
		changes = append(changes, s.changeOver(user, at)) // kept in clear by an earlier version
	}
	entry := s.auditEntry(user.GetLogin(), how.action, string(d.portal), "ok", v.address)
	if _, err := s.put(ctx, user, slices.Concat(changes, how.more, []*schema.Change{s.change(session), s.change(entry)})...); err != nil {
		return nil, err
	}
	s.metrics.logins.WithLabelValues(string(d.portal), "ok").Inc()
	v.user, v.session, v.token = user, session, token
	return &sessionOutput{SetCookie: d.cookie(token, sessionFor), Body: s.sessionView(v)}, nil
}

// staleSessions are deletions of a user's sessions that ended, and of the oldest beyond what one user may have.
func (s *Server) staleSessions(ctx context.Context, login string) ([]*schema.Change, error) {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "Session", Index: "login", Prefix: []string{login}, Limit: 500})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	rows := page.Rows
	slices.SortFunc(rows, func(a, b store.Row) int { return int(b.Time - a.Time) })
	var out []*schema.Change
	for i, r := range rows {
		if i >= sessionsPerUser-1 || !s.lives(r.Record.(*schema.Session)) {
			out = append(out, &schema.Change{Type: "Session", Key: r.Key, Deleted: true})
		}
	}
	return out, nil
}

func (d *door) logout(ctx context.Context, v *viewer, _ *none) (*logoutOutput, error) {
	s := d.s
	entry := s.auditEntry(v.user.GetLogin(), "logout", string(d.portal), "ok", v.address)
	if _, err := s.put(ctx, v.user, &schema.Change{Type: "Session", Key: v.session.GetId(), Deleted: true}, s.change(entry)); err != nil {
		return nil, err
	}
	out := &logoutOutput{SetCookie: d.cookie("", -time.Second), Body: &LogoutView{}}
	if d.idp != nil && v.session.GetProvider() == d.idp.Issuer {
		out.Body.Next = d.idp.leave(ctx)
	}
	return out, nil
}
