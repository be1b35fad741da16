package federation

import (
	"testing"

	"dusthub/node"

	"go.uber.org/goleak"
)

// A node is a site.
var _ Site = (*node.Node)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
