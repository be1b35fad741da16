package portal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dusthub/node/store"
	"dusthub/schema"

	"golang.org/x/oauth2"
)

// Login by an OpenID provider: authorization code with PKCE, state and nonce (RFC 6749, RFC 7636, OpenID Connect Core 1.0). What
// is asked of the provider is kept sealed in the browser that asks, so that an answer belongs to the browser that began, and any replica of the
// site can take it. Nobody is made by a login: who is not linked to a person is told so.
const (
	flowFor     = 10 * time.Minute // from the button until the provider's answer
	flowCode    = 5 * time.Minute  // from its answer until the code of our own second factor
	flowPath    = "/api/v1/session/sso"
	flowPurpose = "sso"
	freshFor    = 10 * time.Minute // a login by a provider stands in for the password so long
	maxReturn   = 500
	ssoAction   = "sso login"
)

// Steps of a flow.
const (
	stepAsked    = "asked"    // the provider was asked
	stepCode     = "code"     // it answered, and our second factor is still to come
	stepUnlinked = "unlinked" // it answered with somebody who is linked to nobody
)

// What the login page is told when a login by the provider did not succeed.
const (
	ssoExpired   = "expired"   // it took too long, or another browser began
	ssoCancelled = "cancelled" // at the provider, by the person
	ssoDown      = "down"      // the provider does not answer
	ssoRefused   = "refused"   // what it answered does not hold
	ssoUnlinked  = "unlinked"
	ssoDisabled  = "disabled"
	ssoPortal    = "portal" // a person of the other portal
	ssoBusy      = "busy"   // too many failures
	ssoCode      = "code"
)

// flow is a login under way, sealed in a cookie of the browser.
type flow struct {
	Step     string `json:"step"`
	State    string `json:"state,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Verifier string `json:"verifier,omitempty"`
	To       string `json:"to,omitempty"`
	Login    string `json:"login,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Link     bool   `json:"link,omitempty"` // the person is linked when the login succeeds
	Portal   Portal `json:"portal"`
	Expires  int64  `json:"expires"`
}

func (d *door) flowName() string {
	return strings.Replace(d.cookieName(), cookiePrefix, "dusthub_sso", 1)
}

// flowCookie keeps a flow in the browser; of nil it is taken away. It comes back with a navigation from the provider, hence Lax.
func (d *door) flowCookie(f *flow) (http.Cookie, error) {
	c := http.Cookie{Name: d.flowName(), Path: flowPath, MaxAge: -1, HttpOnly: true, Secure: d.s.opt.Secure, SameSite: http.SameSiteLaxMode} //nolint:gosec // as the session's
	if f == nil {
		return c, nil
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return c, fmt.Errorf("encode login: %w", err)
	}
	if c.Value, err = d.s.opt.Keys.Seal(flowPurpose, raw); err != nil {
		return c, fmt.Errorf("seal login: %w", err)
	}
	c.Value = url.QueryEscape(c.Value)
	c.MaxAge = int((f.Expires - d.s.nowMs()) / time.Second.Milliseconds())
	return c, nil
}

// flowOf reads the flow a browser brings, when it is at a step and has not expired.
func (d *door) flowOf(v *viewer, steps ...string) (*flow, bool) {
	f := &flow{}
	sealed, err := url.QueryUnescape(v.flow)
	if err != nil || sealed == "" {
		return nil, false
	}
	raw, err := d.s.opt.Keys.Open(flowPurpose, sealed)
	if err != nil || json.Unmarshal(raw, f) != nil {
		return nil, false
	}
	return f, f.Portal == d.portal && f.Expires > d.s.nowMs() && slices.Contains(steps, f.Step)
}

// localPath is a place within this portal, whatever was asked for.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || len(to) > maxReturn ||
		strings.HasPrefix(u.Path, "/api/") || strings.HasPrefix(u.Path, "//") || strings.ContainsFunc(to, func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }) {
		return "/"
	}
	return to
}

// redirectOutput leads a browser on. Each cookie is a header of its own: the adapter joins the values of a list with commas.
type redirectOutput struct {
	Status     int
	Location   string `header:"Location"`
	SetFlow    string `header:"Set-Cookie"`
	SetSession string `header:"Set-Cookie"`
}

func seeOther(to string, flow http.Cookie) *redirectOutput {
	return &redirectOutput{Status: http.StatusSeeOther, Location: to, SetFlow: flow.String()}
}

// backTo leads a browser back to the login page, which says what became of the login.
func (d *door) backTo(result, to string, f *flow) (*redirectOutput, error) {
	c, err := d.flowCookie(f)
	if err != nil {
		return nil, err
	}
	q := url.Values{"sso": {result}}
	if to = localPath(to); to != "/" {
		q.Set("to", to)
	}
	return seeOther("/login?"+q.Encode(), c), nil
}

var errNoProvider = problem(http.StatusNotFound, codeNotFound, "there is no login by a provider here")

// LoginWays are the ways in beside login and password.
type LoginWays struct {
	Provider *ProviderName `json:"provider,omitempty"`
}

// ProviderName is what stands on the button of a provider.
type ProviderName struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

func (d *door) ways(context.Context, *viewer, *none) (*LoginWays, error) {
	if d.idp == nil {
		return &LoginWays{}, nil
	}
	return &LoginWays{Provider: &ProviderName{ZH: d.idp.NameZH, EN: d.idp.NameEN}}, nil
}

type ssoBeginInput struct {
	To string `query:"to" maxLength:"500" doc:"place within the portal to return to"`
}

// ssoBegin leads a browser to the provider.
func (d *door) ssoBegin(ctx context.Context, v *viewer, in *ssoBeginInput) (*redirectOutput, error) {
	s := d.s
	if d.idp == nil {
		return nil, errNoProvider
	}
	if s.throttle.wait("", v.address) > 0 {
		return d.backTo(ssoBusy, in.To, nil)
	}
	found, err := d.idp.discover(ctx)
	if err != nil {
		s.log.Warn("login by the provider", "issuer", d.idp.Issuer, "err", err)
		return d.backTo(ssoDown, in.To, nil)
	}
	f := &flow{Step: stepAsked, Verifier: oauth2.GenerateVerifier(), To: localPath(in.To), Portal: d.portal, Expires: s.nowMs() + flowFor.Milliseconds()}
	for _, to := range []*string{&f.State, &f.Nonce} {
		if *to, err = secret(tokenBytes); err != nil {
			return nil, err
		}
	}
	c, err := d.flowCookie(f)
	if err != nil {
		return nil, err
	}
	return seeOther(d.idp.oauth(found).AuthCodeURL(f.State, oauth2.S256ChallengeOption(f.Verifier), oauth2.SetAuthURLParam("nonce", f.Nonce)), c), nil
}

type ssoReturnInput struct {
	Code   string `query:"code" maxLength:"4096"`
	State  string `query:"state" maxLength:"256"`
	Error  string `query:"error" maxLength:"256"`
	Issuer string `query:"iss" maxLength:"512" doc:"RFC 9207"`
}

// ssoReturn takes the provider's answer.
func (d *door) ssoReturn(ctx context.Context, v *viewer, in *ssoReturnInput) (*redirectOutput, error) {
	s := d.s
	if d.idp == nil {
		return nil, errNoProvider
	}
	f, ok := d.flowOf(v, stepAsked)
	if !ok || !sameSecret(in.State, f.State) {
		return d.backTo(ssoExpired, "", nil)
	}
	if s.throttle.wait("", v.address) > 0 {
		return d.backTo(ssoBusy, f.To, nil)
	}
	if in.Error == "access_denied" || in.Error == "login_required" {
		return d.backTo(ssoCancelled, f.To, nil)
	}
	who, err := d.answered(ctx, in, f)
	switch {
	case errors.Is(err, errProvider), errors.Is(err, errRefusedCode):
		s.log.Warn("login by the provider", "issuer", d.idp.Issuer, "err", err)
		return d.unsuccessful(ctx, v, f, "", ssoRefused)
	case err != nil:
		s.log.Warn("login by the provider", "issuer", d.idp.Issuer, "err", err)
		return d.backTo(ssoDown, f.To, nil)
	}
	return d.identified(ctx, v, f, who)
}

func (d *door) answered(ctx context.Context, in *ssoReturnInput, f *flow) (*identity, error) {
	if in.Error != "" || in.Code == "" || in.Issuer != "" && in.Issuer != d.idp.Issuer {
		return nil, fmt.Errorf("%w: error %q", errProvider, in.Error)
	}
	found, err := d.idp.discover(ctx)
	if err != nil {
		return nil, err
	}
	return d.idp.exchange(ctx, found, in.Code, f.Verifier, f.Nonce)
}

// unsuccessful keeps in the audit that the provider's answer opened nothing, counts it for the address, and says so.
func (d *door) unsuccessful(ctx context.Context, v *viewer, f *flow, login, result string) (*redirectOutput, error) {
	s := d.s
	s.throttle.add(throttleKey{address: v.address})
	s.metrics.logins.WithLabelValues(string(d.portal), "failed").Inc()
	s.audit(ctx, login, ssoAction, string(d.portal), "failed: "+result, v.address)
	if f.Step != stepUnlinked {
		return d.backTo(result, f.To, nil)
	}
	return d.backTo(result, f.To, f)
}

// identified begins a session for who the provider says it is, if that is somebody who may.
func (d *door) identified(ctx context.Context, v *viewer, f *flow, who *identity) (*redirectOutput, error) {
	s := d.s
	user, link, err := d.linked(ctx, who)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		f = &flow{Step: stepUnlinked, Subject: who.subject, To: f.To, Portal: d.portal, Expires: s.nowMs() + flowFor.Milliseconds()}
		return d.unsuccessful(ctx, v, f, "", ssoUnlinked)
	case user.GetDisabled():
		return d.unsuccessful(ctx, v, f, user.GetLogin(), ssoDisabled)
	case !slices.Contains(rolesOf[d.portal], user.GetRole()):
		return d.unsuccessful(ctx, v, f, user.GetLogin(), ssoPortal)
	case user.GetTotpSealed() != "" && !who.factor:
		f = &flow{Step: stepCode, Login: user.GetLogin(), Subject: who.subject, Link: link, To: f.To, Portal: d.portal, Expires: s.nowMs() + flowCode.Milliseconds()}
		return d.backTo(ssoCode, f.To, f)
	}
	out, err := d.enter(ctx, v, user.GetLogin(), who, link)
	if err != nil {
		return nil, err
	}
	gone, err := d.flowCookie(nil)
	if err != nil {
		return nil, err
	}
	on := seeOther(f.To, gone)
	on.SetSession = out.SetCookie.String()
	return on, nil
}

// subjectAt is how a person's record names an identity of a provider.
func subjectAt(issuer, subject string) string { return issuer + " " + subject }

// holders are the people linked to an identity: one, or nobody. More than one would be a fault that opens nothing.
func (s *Server) holders(ctx context.Context, issuer, subject string) ([]store.Row, error) {
	page, err := s.opt.Backend.Store().List(ctx, store.Query{Type: "User", Index: "subject", Prefix: []string{subjectAt(issuer, subject)}, Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("find a linked person: %w", err)
	}
	return page.Rows, nil
}

// linked finds the person an identity is of; link: by the claim, and still to be written down. nil: nobody.
func (d *door) linked(ctx context.Context, who *identity) (user *schema.User, link bool, err error) {
	rows, err := d.s.holders(ctx, d.idp.Issuer, who.subject)
	if err != nil || len(rows) > 1 {
		return nil, false, err
	}
	if len(rows) == 1 {
		user, _ = rows[0].Record.(*schema.User)
		return user, false, nil
	}
	if who.login == "" {
		return nil, false, nil
	}
	user, ok, err := d.s.user(who.login)
	if err != nil || !ok || user.GetSubject() != "" || slices.Contains(offices, user.GetRole()) {
		return nil, false, err
	}
	return user, true, nil
}

// enter begins a session of who proved who they are to the provider, and links them in the same command when that is due.
func (d *door) enter(ctx context.Context, v *viewer, login string, who *identity, link bool) (*sessionOutput, error) {
	user, at, ok, err := d.s.userAt(login)
	if err != nil {
		return nil, err
	}
	if !ok || user.GetDisabled() {
		return nil, errNoSession
	}
	how := entrance{action: ssoAction, provider: d.idp.Issuer, factor: who.factor}
	if link {
		user.Subject = subjectAt(d.idp.Issuer, who.subject)
		how.more = []*schema.Change{d.s.changeOver(user, at), d.s.change(d.s.auditEntry(login, "user linked", login, "ok", v.address))}
	}
	return d.begin(ctx, v, user, how)
}

// subjectOf is a person's identifier at the provider, without the issuer.
func subjectOf(u *schema.User) string {
	_, subject, _ := strings.Cut(u.GetSubject(), " ")
	return subject
}

// providerOf is the provider of a person's portal; nil: none.
func (s *Server) providerOf(u *schema.User) *relying {
	for p, roles := range rolesOf {
		if slices.Contains(roles, u.GetRole()) {
			return s.doors[p].idp
		}
	}
	return nil
}

// link lets a person log in by the provider of their portal; an empty subject ends that.
func (s *Server) link(ctx context.Context, u *schema.User, subject string) error {
	if subject == "" {
		u.Subject = ""
		return nil
	}
	idp := s.providerOf(u)
	if idp == nil {
		return problem(http.StatusConflict, codeRefused, "this person's portal has no login by a provider: configure one first")
	}
	if !isSubject(subject) {
		return invalid("body.subject", "the provider's identifier (sub) of one person: visible ASCII characters", nil)
	}
	rows, err := s.holders(ctx, idp.Issuer, subject)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Key != u.GetLogin() {
			return problem(http.StatusConflict, codeExists, "this identity is linked to %s already: unlink it there first", r.Key)
		}
	}
	u.Subject = subjectAt(idp.Issuer, subject)
	return nil
}

// SsoView is how a login by the provider stands.
type SsoView struct {
	Step     string        `json:"step,omitempty" enum:"code,unlinked" doc:"code: the second factor of this site too; unlinked: the identity is linked to nobody here"`
	Provider *ProviderName `json:"provider,omitempty"`
	Subject  string        `json:"subject,omitempty" doc:"unlinked: what the security administrator links a person to"`
}

// ssoState tells the login page how a login by the provider stands. An identity is told to its own browser, not to a URL.
func (d *door) ssoState(ctx context.Context, v *viewer, _ *none) (*SsoView, error) {
	ways, err := d.ways(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	out := &SsoView{Provider: ways.Provider}
	if f, ok := d.flowOf(v, stepCode, stepUnlinked); ok {
		out.Step = f.Step
		if f.Step == stepUnlinked {
			out.Subject = f.Subject
		}
	}
	return out, nil
}

type ssoCodeInput struct {
	Body struct {
		Code string `json:"code" maxLength:"16" doc:"of the second factor, or a recovery code"`
	}
}

type ssoSessionOutput struct {
	SetFlow    string `header:"Set-Cookie"`
	SetSession string `header:"Set-Cookie"`
	Body       *SessionView
}

// ssoFactor takes the second factor of who proved the first one to the provider.
func (d *door) ssoFactor(ctx context.Context, v *viewer, in *ssoCodeInput) (*ssoSessionOutput, error) {
	s := d.s
	if d.idp == nil {
		return nil, errNoProvider
	}
	f, ok := d.flowOf(v, stepCode)
	if !ok {
		return nil, problem(http.StatusUnauthorized, codeUnauthorized, "the login took too long: begin again")
	}
	if wait := s.throttle.wait(f.Login, v.address); wait > 0 {
		return nil, throttled(wait)
	}
	if err := d.second(ctx, v, f.Login, in.Body.Code); err != nil {
		return nil, err
	}
	s.throttle.succeeded(f.Login, v.address)
	out, err := d.enter(ctx, v, f.Login, &identity{subject: f.Subject}, f.Link)
	if err != nil {
		return nil, err
	}
	gone, err := d.flowCookie(nil)
	if err != nil {
		return nil, err
	}
	return &ssoSessionOutput{SetFlow: gone.String(), SetSession: out.SetCookie.String(), Body: out.Body}, nil
}

func (d *door) ssoRoutes() {
	handle(d, "login-ways", d.ways)
	handleRaw(d, "sso-begin", d.ssoBegin)
	handleRaw(d, "sso-return", d.ssoReturn)
	handle(d, "sso-state", d.ssoState)
	handleRaw(d, "sso-factor", d.ssoFactor)
}
