// Package loopback finds ports for sites that demonstrations and tests run on one machine: a site is told its peers' addresses
// before any of them listens, and listens there again after a restart.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Where Free looks for ports: below those that Linux gives to outgoing connections (net.ipv4.ip_local_port_range, from 32768), or
// somebody's connection takes a port between its being found and its site's listening.
const (
	lowestPort  = 18_000
	highestPort = 32_000
	ports       = highestPort - lowestPort
)

// Each process begins somewhere else, and goes on from there.
var (
	mu   sync.Mutex
	next = rand.IntN(ports) //nolint:gosec // no secret
)

// Free finds n addresses of 127.0.0.1 that nobody listens on, and that this process was not told lately. Errors: there are not so many.
func Free(n int) ([]string, error) {
	mu.Lock()
	defer mu.Unlock()
	out := make([]string, 0, n)
	for range ports {
		if len(out) == n {
			break
		}
		addr := fmt.Sprintf("127.0.0.1:%d", lowestPort+next)
		next = (next + 1) % ports
		l, err := net.Listen("tcp", addr) //nolint:noctx // a moment's probe of loopback
		if err != nil {
			continue
		}
		l.Close()
		out = append(out, addr)
	}
	if len(out) < n {
		return nil, fmt.Errorf("find %d free ports: only %d from %d to %d", n, len(out), lowestPort, highestPort)
	}
	return out, nil
}
