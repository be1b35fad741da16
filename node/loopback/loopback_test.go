package loopback

import (
	"fmt"
	"net"
	"testing"
)

// Free ports are none that outgoing connections are given, none that somebody listens on, and none twice.
func TestFreePorts(t *testing.T) {
	const many = highestPort - lowestPort - 1000 // nearly all, so that the taken one would be among them
	var taken net.Listener
	for port := lowestPort; taken == nil; port++ {
		taken, _ = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}
	defer taken.Close()
	seen := map[string]bool{taken.Addr().String(): true}
	found, err := Free(many)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range found {
		if seen[addr] {
			t.Errorf("%s is taken", addr)
		}
		seen[addr] = true
	}
	if _, err := Free(highestPort - lowestPort + 1); err == nil {
		t.Error("more ports than there are were found")
	}
}
