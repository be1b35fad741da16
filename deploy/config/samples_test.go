// Package config_test keeps the sample configurations good.
package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dusthub/node/collect"
	"dusthub/node/config"
)

func TestSamples(t *testing.T) {
	if _, err := config.Load("site.yaml", nil, nil); err != nil {
		t.Error(err)
	}
	if _, err := collect.LoadConfig("gateway.yaml"); err != nil {
		t.Error(err)
	}
	if _, err := collect.LoadReplay("gateway.yaml", "mapping.yaml", "any.csv"); err != nil {
		t.Error(err)
	}
}

// What stands in the sample as a comment loads as well, once its secret is there.
func TestSampleOfAProvider(t *testing.T) {
	raw, err := os.ReadFile("site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(raw), "  # oidc:")
	if !found {
		t.Fatal("no sample of a provider")
	}
	block, _, _ = strings.Cut(block, "\n\n")
	dir := t.TempDir()
	for _, name := range []string{"oidc.secret", "gov-ca.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(strings.ReplaceAll("  oidc:"+block, "  # ", "  "), "/etc/dusthub", dir)
	path := filepath.Join(dir, "site.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(string(raw), "portal:", "portal:\n"+text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Portal.OIDC.Regulator; p.Issuer == "" || !p.Logout || len(p.TrustAMR) != 2 {
		t.Errorf("%+v", p)
	}
}
