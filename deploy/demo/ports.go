package demo

import (
	"fmt"
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
