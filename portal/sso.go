package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"dusthub/schema"

	"golang.org/x/oauth2"
)

// Login by an OpenID provider: authorization code with PKCE, state and nonce (RFC 6749, RFC 7636, OpenID Connect Core 1.0). Nobody is
// made by a login: who is not linked to a person is told so.
const (
	freshFor  = 10 * time.Minute // a login by a provider stands in for the password so long
	ssoAction = "sso login"
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
