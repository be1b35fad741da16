package publish

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"dusthub/crypto/pki"
)

func identity(t *testing.T, ca *pki.CA, name, unit string) *pki.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := ca.Issue(dir, name, unit, []string{"127.0.0.1"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	id, err := pki.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newCA(t *testing.T) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(filepath.Join(t.TempDir(), "ca"), "national")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// TestVerify: only the publisher's own signature under this version and document holds.
func TestVerify(t *testing.T) {
	ca := newCA(t)
	ministry, province, gateway := identity(t, ca, "ministry", pki.UnitSite), identity(t, ca, "jiangsu", pki.UnitSite), identity(t, ca, "ministry", pki.UnitGateway)
	stranger := identity(t, newCA(t), "ministry", pki.UnitSite)
	doc := []byte("version: X-1")
	good, err := Sign(ministry, "X-1", doc)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(id *pki.Identity) Signed {
		s, err := Sign(id, "X-1", doc)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Now()
	for _, c := range []struct {
		name, publisher, version string
		doc                      []byte
		s                        Signed
		at                       time.Time
		want                     error
	}{
		{"good", "ministry", "X-1", doc, good, now, nil},
		{"other document", "ministry", "X-1", []byte("version: X-2"), good, now, pki.ErrSignature},
		{"other version", "ministry", "X-2", doc, good, now, pki.ErrSignature},
		{"other publisher", "jiangsu", "X-1", doc, good, now, pki.ErrWrongName},
		{"another site's", "ministry", "X-1", doc, sign(province), now, pki.ErrWrongName},
		{"a gateway's", "ministry", "X-1", doc, sign(gateway), now, pki.ErrWrongName},
		{"another CA's", "ministry", "X-1", doc, sign(stranger), now, pki.ErrUntrusted},
		{"expired", "ministry", "X-1", doc, good, now.Add(48 * time.Hour), pki.ErrUntrusted},
		{"no certificate", "ministry", "X-1", doc, Signed{nil, good.Signature}, now, pki.ErrUntrusted},
		{"no signature", "ministry", "X-1", doc, Signed{good.Certificate, nil}, now, pki.ErrSignature},
	} {
		if err := Verify(ministry.Pool(), c.publisher, c.version, c.doc, c.s, c.at); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, wanted %v", c.name, err, c.want)
		}
	}
}
