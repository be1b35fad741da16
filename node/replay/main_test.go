package replay

import (
	"flag"
	"os"
	"testing"
)

// TestMain fixes the stories that a plain run tells, so that it gives the same each time: what a live plant did between two ticks is inferred, and in
// about one story in a thousand an inference is wrong (docs/model-service.md). -rapid.seed=N tells others.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := flag.Set("rapid.seed", "20261125"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
