package federation

import (
	"testing"

	"dusthub/node"

	"go.uber.org/goleak"
)

// A node is a site.
var _ Site = (*node.Node)(nil)

func TestMain(m *testing.M) {
	// raft leaves connections it has accepted to the other side to close.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/raft.(*NetworkTransport).handleConn"))
}
