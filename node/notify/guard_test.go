package notify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"dusthub/node/config"
)

func reachOf(t *testing.T, nets ...string) reach {
	t.Helper()
	r, err := newReach(config.Notify{Networks: nets})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// API7:2023 Server Side Request Forgery: every way to write an address of the inside is judged by what would be connected to.
func TestForgedAddresses(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	defer inside.Close()
	u, err := url.Parse(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	port := u.Port()
	for name, host := range map[string]string{
		"loopback": "127.0.0.1", "loopback, another": "127.9.9.9", "loopback, IPv6": "[::1]", "mapped": "[::ffff:127.0.0.1]", "mapped, hexadecimal": "[::ffff:7f00:1]", "decimal": "2130706433",
		"hexadecimal": "0x7f000001", "octal": "0177.0.0.1", "short": "127.1", "zero": "0", "unspecified": "0.0.0.0", "unspecified, IPv6": "[::]", "metadata": "169.254.169.254",
		"metadata, IPv6": "[fd00:ec2::254]", "a name": "localhost", "a name with a dot": "localhost.", "private 10": "10.0.0.1", "private 172": "172.31.255.1", "private 192": "192.168.0.1",
		"unique local": "[fd12:3456::1]", "link local": "[fe80::1%25lo]", "NAT64": "[64:ff9b::7f00:1]", "6to4": "[2002:7f00:1::1]", "broadcast": "255.255.255.255", "full width": "１２７.０.０.１",
	} {
		t.Run(name, func(t *testing.T) {
			c := guarded(reachOf(t), time.Second)
			// A resolver that knows old ways to write an address would make 127.0.0.1 of these.
			if strings.IndexFunc(host, func(r rune) bool { return r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'f') && r != 'x' }) < 0 {
				at := map[string]string{"2130706433": "127.0.0.1", "0x7f000001": "127.0.0.1", "0177.0.0.1": "127.0.0.1", "127.1": "127.0.0.1", "0": "0.0.0.0"}[host]
				if at != "" && reachOf(t).allows(netip.MustParseAddr(at)) {
					t.Errorf("%s may be called", at)
				}
			}
			for _, scheme := range []string{"http", "https"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+host+":"+port+"/", nil)
				if err != nil {
					continue // no URL at all
				}
				res, err := c.Do(req)
				if err == nil {
					res.Body.Close()
					t.Errorf("%s: answered %d", scheme, res.StatusCode)
				}
			}
		})
	}
}

// A name that resolves to the inside, and one that did not when it was looked at (DNS rebinding), are refused when they are
// connected to: the guard sees the address, not the name.
func TestNameThatPointsInside(t *testing.T) {
	for _, answer := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1"} {
		c := guarded(reachOf(t), time.Second)
		dial := c.Transport.(*http.Transport).DialContext
		c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dial(ctx, network, net.JoinHostPort(answer, "443")) // what a resolver would answer
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://rebinding.example/hook", nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := c.Do(req); !errors.Is(err, errInside) {
			if err == nil {
				res.Body.Close()
			}
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestRedirectInsideIsNotFollowed(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	defer inside.Close()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	}))
	defer outside.Close()
	w := &webhook{secret: []byte("s"), client: guarded(reach{private: true}, time.Second), reach: reach{private: true}, now: time.Now}
	if err := w.send(t.Context(), []byte(outside.URL), message{ID: "1"}); !errors.Is(err, ErrPermanent) {
		t.Errorf("a redirect: %v", err)
	}
}

func TestAllowedNetworks(t *testing.T) {
	r := reachOf(t, "10.20.0.0/16", "fd00:1::/32", "169.254.0.0/16", "0.0.0.0/0")
	narrow := reachOf(t, "10.20.0.0/16", "fd00:1::/32")
	for _, c := range []struct {
		addr         string
		wide, narrow bool
	}{
		{"10.20.1.1", true, true}, {"::ffff:10.20.1.1", true, true}, {"10.21.1.1", true, false}, {"fd00:1::5", true, true}, {"fd00:2::5", false, false}, {"127.0.0.1", true, false},
		{"169.254.169.254", false, false}, {"fe80::1", false, false}, {"0.0.0.0", false, false}, {"224.0.0.1", false, false}, {"255.255.255.255", false, false}, {"1.1.1.1", true, true},
	} {
		a := netip.MustParseAddr(c.addr)
		if r.allows(a) != c.wide || narrow.allows(a) != c.narrow {
			t.Errorf("%s: %t and %t, wanted %t and %t", c.addr, r.allows(a), narrow.allows(a), c.wide, c.narrow)
		}
	}
	if err := checkURL("https://10.20.3.4/hook", narrow); err != nil {
		t.Error(err)
	}
	if checkURL("http://10.20.3.4/hook", narrow) == nil || checkURL("https://10.21.3.4/hook", narrow) == nil {
		t.Error("plain http, or an address beyond the allowed network, was taken")
	}
	if _, err := newReach(config.Notify{Networks: []string{"10.0.0.0"}}); err == nil {
		t.Error("an address was taken for a network")
	}
}
