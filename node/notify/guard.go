package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"syscall"
	"time"

	"dusthub/node/config"
)

// errInside refuses addresses of the site's own network: whoever may name a webhook must not reach with it what only the site can.
var errInside = fmt.Errorf("%w: the address is neither public nor of a network that the site allows", ErrPermanent)

// reserved are nets that are not public beside those netip knows: shared address space, benchmarks, documentation, "this
// network", reserved; NAT64 and 6to4, which wrap IPv4 addresses.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001::/32"),
}

// never are addresses that are called whatever the configuration says: a machine's own services, clouds' metadata among them, and no machine
// at all.
func never(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsInterfaceLocalMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// public says whether an address is one of the public network.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || never(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// reach is what may be called of what people name: the public network, and what the site's configuration adds.
type reach struct {
	private bool           // private networks, this machine, and plain http
	nets    []netip.Prefix // networks of an office, such as 10.0.0.0/8 of a government's
}

func newReach(c config.Notify) (reach, error) {
	r := reach{private: c.Private}
	for _, n := range c.Networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return r, fmt.Errorf("notify.allow_networks: %w", err)
		}
		r.nets = append(r.nets, p.Masked())
	}
	return r, nil
}

// allows judges an address as it will be connected to.
func (r reach) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return !never(a) && (public(a) || r.private || slices.ContainsFunc(r.nets, func(p netip.Prefix) bool { return p.Contains(a) }))
}

// guarded is a client for addresses that people name. It looks at the address it is about to connect to, after the name was
// resolved, follows no redirect and uses no proxy.
func guarded(r reach, timeout time.Duration) *http.Client {
	d := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !r.allows(at.Addr()) {
			return errInside
		}
		return nil
	}}
	return client(&http.Transport{DialContext: d.DialContext}, timeout)
}

func client(t *http.Transport, timeout time.Duration) *http.Client {
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout, t.IdleConnTimeout, t.MaxIdleConnsPerHost, t.ForceAttemptHTTP2 = timeout, timeout, time.Minute, 1, true
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t, Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// checkURL says why a URL cannot be posted to.
func checkURL(raw string, r reach) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("not a URL")
	case u.User != nil:
		return errors.New("a URL must hold no password")
	case u.Scheme != "https" && (!r.private || u.Scheme != "http"):
		return errors.New("must be https")
	}
	// The rest is for a plain answer at once; what a name resolves to is judged when it is called.
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !r.allows(a) {
		return errors.New("must be a public address, or one of the networks that the site allows")
	}
	return nil
}

// bare takes the URL out of an error: it may be a secret.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

const maxAnswer = 64 << 10

// judged makes of a status an error; 429 and 5xx are worth another attempt.
func judged(status int) error {
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return fmt.Errorf("answered %d", status)
	}
	return fmt.Errorf("%w: answered %d", ErrPermanent, status)
}

// drain reads an answer, so that the connection can be used again.
func drain(r io.Reader) []byte {
	b, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	if err != nil {
		return nil // an answer that breaks off tells nothing
	}
	return b
}

// trust is what a server must be certified by: the system's authorities, or those of a file.
func trust(caFile, name string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if caFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities: no certificate in %s", caFile)
	}
	return c, nil
}
