package portal

import (
	"net/http"
	"net/netip"
	"testing"
)

// Who writes a header of their own does not come from where it says.
func TestAddressBehindProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("10.0.0.0/24")} // 0.0.0.0: of requests without a network
	for _, c := range []struct {
		name, header string
		proxies      []netip.Prefix
		want         string
	}{
		{"no proxy is known", "198.51.100.7", nil, "0.0.0.0"},
		{"one proxy", "198.51.100.7", proxies, "198.51.100.7"},
		{"a header of the client's own", "203.0.113.9, 198.51.100.7", proxies, "198.51.100.7"},
		{"two proxies", "203.0.113.9, 198.51.100.7, 10.0.0.2", proxies, "198.51.100.7"},
		{"the client is a proxy's machine", "10.0.0.3, 10.0.0.2", proxies, "10.0.0.3"},
		{"IPv6", "2001:db8::7", proxies, "2001:db8::7"},
		{"IPv4 in IPv6", "::ffff:198.51.100.7", proxies, "198.51.100.7"},
		{"no address", "unknown", proxies, "0.0.0.0"},
		{"no address before a proxy", "<script>, 10.0.0.2", proxies, "10.0.0.2"},
		{"none", "", proxies, "0.0.0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, func(o *Options) { o.Proxies = c.proxies })
			s.quick("quick")
			s.on(Regulator, "", http.MethodPost, "/api/v1/session", object{"login": "quick", "password": "x"}, func(r *http.Request) { r.Header.Set(forwarded, c.header) })
			if got := s.server.throttle.count(throttleKey{login: "quick", address: c.want}); got != 1 {
				t.Errorf("not counted for %s: %v", c.want, s.server.throttle.by)
			}
		})
	}
}
