package portal

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// forwarded is the header in which each reverse proxy adds, at the end, the address it was asked from.
const forwarded = "X-Forwarded-For"

// addressOf is where a request comes from: the last address that none of our own proxies has. What stands before it anybody may have
// written.
func (s *Server) addressOf(c *fiber.Ctx) string {
	remote := c.Context().RemoteIP().String()
	if !s.ours(remote) {
		return remote
	}
	named := strings.Split(c.Get(forwarded), ",")
	for _, text := range slices.Backward(named) {
		text = strings.TrimSpace(text)
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return remote // nothing a proxy of ours writes
		}
		if remote = ip.Unmap().WithZone("").String(); !s.ours(remote) {
			return remote
		}
	}
	return remote
}

// ours says whether an address is of a reverse proxy that stands before this portal.
func (s *Server) ours(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(s.opt.Proxies, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}
