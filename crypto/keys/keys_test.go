package keys

import (
	"errors"
	"strings"
	"testing"

	"dusthub/crypto/sm"
)

func TestSealedSecretsOpenForTheirPurposeOnly(t *testing.T) {
	dir := t.TempDir()
	first, err := OpenSoftware(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := first.Seal("gateway", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "secret") || !strings.HasPrefix(sealed, "v1|0001|") {
		t.Errorf("envelope %s", sealed)
	}
	if err := first.add(dir, "0002"); err != nil {
		t.Fatal(err)
	}
	again, err := OpenSoftware(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("gateway", sealed); err != nil || string(got) != "secret" {
		t.Errorf("after rotation: %q, %v", got, err)
	}
	if newer, _ := again.Seal("gateway", nil); !strings.HasPrefix(newer, "v1|0002|") {
		t.Errorf("the newest key does not seal: %s", newer)
	}
	if _, err := again.Open("backup", sealed); !errors.Is(err, sm.ErrAuth) {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := again.Open("gateway", strings.Replace(sealed, "0001", "0009", 1)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("unknown key: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	s, err := OpenSoftware(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	sealed, _ := s.Seal("p", []byte("x"))
	f.Add(sealed)
	f.Add("v1|0001|||")
	f.Fuzz(func(_ *testing.T, envelope string) { _, _ = s.Open("p", envelope) })
}
