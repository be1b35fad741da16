package portal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Provider is an OpenID provider (统一身份认证) by which people may log in to one portal. Issuer, ClientID and URL are needed.
type Provider struct {
	Issuer   string // as its discovery document says it, to the letter
	ClientID string
	Secret   string
	NameZH   string // on the button
	NameEN   string
	URL      string   // the portal as browsers reach it; <URL>/api/v1/session/sso/return is registered at the provider
	Scopes   []string // beside openid
	// LinkClaim names the claim whose value is the login of who comes for the first time; empty: only the security administrator
	// links people. Administrators are never linked by a claim.
	LinkClaim string
	// An identity whose amr holds one of TrustAMR, or whose acr is one of TrustACR, has shown a second factor to the provider.
	TrustAMR []string
	TrustACR []string
	Hosts    []string       // host[:port] of endpoints that are not the issuer's
	Logout   bool           // who logs out here logs out there too
	Roots    *x509.CertPool // nil: the system's
}

const (
	providerWithin = 10 * time.Second // one answer of the provider
	providerAnswer = 1 << 20          // bytes of it
	providerAgain  = time.Hour        // its discovery document is read anew
	returnPath     = "/api/v1/session/sso/return"
)

// relying is this portal as a client of a provider.
type relying struct {
	Provider
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	known *discovered
}

// discovered is what a provider says of itself.
type discovered struct {
	*oidc.Provider
	endSession string
	at         time.Time
}

func newRelying(p Provider, now func() time.Time) (*relying, error) {
	issuer, err := url.Parse(p.Issuer)
	if err != nil || issuer.Host == "" || p.ClientID == "" || p.URL == "" {
		return nil, errors.New("portal: a provider has an issuer, a client id and the portal's URL")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.TLSClientConfig = &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12}
	g := &guarded{next: transport, hosts: append([]string{issuer.Host}, p.Hosts...)}
	p.URL = strings.TrimRight(p.URL, "/")
	return &relying{Provider: p, now: now, client: &http.Client{
		Transport: g, Timeout: providerWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// guarded keeps to the provider's own hosts, whatever its documents say, and to answers of a sensible size.
type guarded struct {
	next  http.RoundTripper
	hosts []string
}

// RoundTrip sends a request that may be sent.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if !g.allows(r.URL) {
		return nil, fmt.Errorf("portal: %s://%s is not a host of the provider", r.URL.Scheme, r.URL.Host)
	}
	res, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // a transport hands on what the next one says
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, providerAnswer), res.Body}
	return res, nil
}

// allows says whether a URL is of a known host, over TLS unless on this machine.
func (g *guarded) allows(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return (u.Scheme == "https" || u.Scheme == "http" && here) && u.User == nil && slices.Contains(g.hosts, u.Host)
}

func (r *relying) allowed(raw string) bool {
	u, err := url.Parse(raw)
	g, ok := r.client.Transport.(*guarded)
	return err == nil && ok && g.allows(u)
}

// discover reads what the provider says of itself, once an hour; while it does not answer, what it said before holds.
func (r *relying) discover(ctx context.Context) (*discovered, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil && r.now().Sub(r.known.at) < providerAgain {
		return r.known, nil
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, r.client), r.Issuer)
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err == nil {
		err = p.Claims(&more)
	}
	if err == nil && !r.allowed(p.Endpoint().AuthURL) {
		err = fmt.Errorf("authorization endpoint %q is not of the provider's hosts", p.Endpoint().AuthURL)
	}
	if err != nil {
		if r.known != nil {
			return r.known, nil
		}
		return nil, fmt.Errorf("discover %s: %w", r.Issuer, err)
	}
	r.known = &discovered{Provider: p, at: r.now()}
	if r.allowed(more.EndSession) {
		r.known.endSession = more.EndSession
	}
	return r.known, nil
}

func (r *relying) oauth(f *discovered) *oauth2.Config {
	return &oauth2.Config{
		ClientID: r.ClientID, ClientSecret: r.Secret, Endpoint: f.Endpoint(), RedirectURL: r.URL + returnPath, Scopes: append([]string{oidc.ScopeOpenID}, r.Scopes...),
	}
}

// identity is who the provider says somebody is.
type identity struct {
	subject string
	factor  bool   // a second factor was shown to the provider
	login   string // value of the link claim
}

var errProvider = errors.New("portal: the provider says nothing that holds")

// exchange turns the code of a return into an identity, whose signature, issuer, audience, times and nonce hold.
func (r *relying) exchange(ctx context.Context, f *discovered, code, verifier, nonce string) (*identity, error) {
	ctx = oidc.ClientContext(ctx, r.client)
	token, err := r.oauth(f).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("exchange code: %w", scrubbed(err))
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := f.VerifierContext(ctx, &oidc.Config{ClientID: r.ClientID, Now: r.now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProvider, err)
	}
	var c struct {
		AMR []string `json:"amr"`
		ACR string   `json:"acr"`
		AZP string   `json:"azp"`
	}
	if err := id.Claims(&c); err != nil {
		return nil, fmt.Errorf("%w: %w", errProvider, err)
	}
	switch {
	case !sameSecret(id.Nonce, nonce):
		return nil, fmt.Errorf("%w: the nonce is another", errProvider)
	case c.AZP != "" && c.AZP != r.ClientID || c.AZP == "" && len(id.Audience) > 1:
		return nil, fmt.Errorf("%w: made for another client", errProvider)
	case !isSubject(id.Subject):
		return nil, fmt.Errorf("%w: the subject has not the form of one", errProvider)
	}
	who := &identity{subject: id.Subject, factor: slices.Contains(r.TrustACR, c.ACR) && c.ACR != ""}
	for _, m := range c.AMR {
		who.factor = who.factor || slices.Contains(r.TrustAMR, m)
	}
	who.login, err = r.linkClaim(ctx, f, id, token)
	return who, err
}

// maxSubjectID is what OpenID Connect Core allows a subject (section 2), in ASCII characters.
const maxSubjectID = 255

func isSubject(text string) bool {
	return text != "" && len(text) <= maxSubjectID && !strings.ContainsFunc(text, func(c rune) bool { return c < '!' || c > '~' })
}

// linkClaim is the value of the claim that links, from the identity token or, where it is not in there, from the userinfo endpoint.
func (r *relying) linkClaim(ctx context.Context, f *discovered, id *oidc.IDToken, token *oauth2.Token) (string, error) {
	if r.LinkClaim == "" {
		return "", nil
	}
	claims := map[string]json.RawMessage{}
	if err := id.Claims(&claims); err != nil {
		return "", fmt.Errorf("%w: %w", errProvider, err)
	}
	if _, ok := claims[r.LinkClaim]; !ok && f.UserInfoEndpoint() != "" {
		info, err := f.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return "", fmt.Errorf("read userinfo: %w", err)
		}
		if info.Subject != id.Subject {
			return "", fmt.Errorf("%w: userinfo is of somebody else", errProvider)
		}
		if err := info.Claims(&claims); err != nil {
			return "", fmt.Errorf("%w: %w", errProvider, err)
		}
	}
	var value string
	if raw, ok := claims[r.LinkClaim]; ok {
		if err := json.Unmarshal(raw, &value); err != nil {
			return "", nil //nolint:nilerr // no text: it links nobody
		}
	}
	if r.LinkClaim == "email" && string(claims["email_verified"]) != "true" {
		return "", nil // anybody may say so
	}
	return value, nil
}

// scrubbed is an error of the token endpoint without what it answered, which may hold a token.
func scrubbed(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return err
	}
	status := 0
	if refused.Response != nil {
		status = refused.Response.StatusCode
	}
	return fmt.Errorf("%w: %d %s", errRefusedCode, status, clip(refused.ErrorCode, maxSubject))
}

var errRefusedCode = errors.New("the provider refused the code")

// leave is where a browser goes to log out of the provider; empty: nowhere.
func (r *relying) leave(ctx context.Context) string {
	if !r.Logout {
		return ""
	}
	f, err := r.discover(ctx)
	if err != nil || f.endSession == "" {
		return ""
	}
	u, err := url.Parse(f.endSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", r.ClientID)
	q.Set("post_logout_redirect_uri", r.URL+"/login")
	u.RawQuery = q.Encode()
	return u.String()
}
