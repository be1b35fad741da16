package demo

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// listenerCount is how many addresses a replica listens on.
const listenerCount = 8

// portsOfReplica is from one replica's well-known ports to the next one's.
const portsOfReplica = 10

// addresses are where one replica listens, all on loopback.
type addresses struct {
	Regulator, Enterprise, Access, MQTT, GRPC, Ops, Raft, RPC string
}

func (a *addresses) fields() []*string {
	return []*string{&a.Regulator, &a.Enterprise, &a.Access, &a.MQTT, &a.GRPC, &a.Ops, &a.Raft, &a.RPC}
}

// fixed gives a replica the addresses from a base port on: 8100 for the ministry, 8200, 8210, 8220 for Jiangsu's three ...
func fixed(base int) addresses {
	var a addresses
	for i, f := range a.fields() {
		*f = fmt.Sprintf("127.0.0.1:%d", base+i)
	}
	return a
}

// Where free looks for ports: below those that Linux gives to outgoing connections (net.ipv4.ip_local_port_range, from 32768), or
// somebody's connection takes a port between its being found and its site's listening.
const (
	lowestPort  = 18_000
	highestPort = 32_000
)

// free finds n free ports of loopback, from a random one on, so that two demonstrations at once find others.
func free(n int) ([]string, error) {
	out := make([]string, 0, n)
	const all = highestPort - lowestPort
	from := rand.IntN(all) //nolint:gosec // no secret
	for i := range all {
		addr := fmt.Sprintf("127.0.0.1:%d", lowestPort+(from+i)%all)
		l, err := net.Listen("tcp", addr) //nolint:noctx // a moment's probe of loopback
		if err != nil {
			continue
		}
		l.Close()
		if out = append(out, addr); len(out) == n {
			return out, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports: only %d from %d to %d", n, len(out), lowestPort, highestPort)
}

// busy is the first of the addresses that somebody else listens on; empty when all are free.
func busy(all []addresses) string {
	for i := range all {
		for _, f := range all[i].fields() {
			l, err := net.Listen("tcp", *f) //nolint:noctx // a moment's probe of loopback
			if err != nil {
				return *f
			}
			l.Close()
		}
	}
	return ""
}
