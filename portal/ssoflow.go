package portal

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// What is asked of the provider is kept sealed in the browser that asks, so that an answer belongs to the browser that began, and any
// replica of the site can take it.
const (
	flowFor     = 10 * time.Minute // from the button until the provider's answer
	flowCode    = 5 * time.Minute  // from its answer until the code of our own second factor
	flowPath    = "/api/v1/session/sso"
	flowPurpose = "sso"
	maxReturn   = 500
)

// Steps of a flow.
const (
	stepAsked    = "asked"    // the provider was asked
	stepCode     = "code"     // it answered, and our second factor is still to come
	stepUnlinked = "unlinked" // it answered with somebody who is linked to nobody
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
