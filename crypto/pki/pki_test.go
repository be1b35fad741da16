package pki

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

func authority(t *testing.T) *CA {
	t.Helper()
	ca, err := NewCA(t.TempDir(), "test CA")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func member(t *testing.T, ca *CA, name, unit string) (*Identity, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := ca.Issue(dir, name, unit, []string{"127.0.0.1", "province.example"}, year); err != nil {
		t.Fatal(err)
	}
	id, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	return id, dir
}

func TestIdentity(t *testing.T) {
	ca := authority(t)
	id, dir := member(t, ca, "jiangsu", UnitSite)
	if id.Name() != "jiangsu" || id.Unit() != UnitSite {
		t.Errorf("%q, %q", id.Name(), id.Unit())
	}
	if left := time.Until(id.NotAfter()); left < year-time.Hour || left > year {
		t.Errorf("good for %s", left)
	}
	pair := id.Pair()
	if len(pair) != 2 || bytes.Equal(pair[0].Certificate[0], pair[1].Certificate[0]) {
		t.Error("signing and encryption are not two certificates")
	}
	m, err := id.Pool().Verify(id.SignCert(), time.Now())
	if err != nil || m.Name != "jiangsu" || m.Unit != UnitSite {
		t.Errorf("%+v, %v", m, err)
	}
	for _, name := range []string{signKey, encKey} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != privateMode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestCAIsKept: what a CA gives out after a restart is trusted by those who knew it before.
func TestCAIsKept(t *testing.T) {
	ca := authority(t)
	early, _ := member(t, ca, "ministry", UnitSite)
	again, err := LoadCA(ca.dir)
	if err != nil {
		t.Fatal(err)
	}
	late, _ := member(t, again, "jiangsu", UnitSite)
	if _, err := early.Pool().Verify(late.SignCert(), time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := LoadCA(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no CA there: %v", err)
	}
}

// TestVerify names what is not trusted.
func TestVerify(t *testing.T) {
	ca, now := authority(t), time.Now()
	id, _ := member(t, ca, "jiangsu", UnitSite)
	stranger, _ := member(t, authority(t), "jiangsu", UnitSite)
	forged := bytes.Clone(id.SignCert())
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		name string
		der  []byte
		at   time.Time
		want error
	}{
		{"as issued", id.SignCert(), now, nil},
		{"of another CA", stranger.SignCert(), now, ErrUntrusted},
		{"before its time", id.SignCert(), now.Add(-time.Hour), ErrUntrusted},
		{"after its time", id.SignCert(), now.Add(2 * year), ErrUntrusted},
		{"signature changed", forged, now, ErrUntrusted},
		{"cut short", id.SignCert()[:200], now, ErrUntrusted},
		{"nothing", nil, now, ErrUntrusted},
	} {
		if _, err := id.Pool().Verify(c.der, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, wanted %v", c.name, err, c.want)
		}
	}
}

// TestEveryByteCounts: a certificate with any one bit turned is refused, or says the same as before.
func TestEveryByteCounts(t *testing.T) {
	id, _ := member(t, authority(t), "jiangsu", UnitSite)
	want, err := id.Pool().Verify(id.SignCert(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range id.SignCert() {
		der := bytes.Clone(id.SignCert())
		der[i] ^= 0x10
		if m, err := id.Pool().Verify(der, time.Now()); err == nil && (m.Name != want.Name || m.Unit != want.Unit || !bytes.Equal(m.point, want.point) || !m.NotAfter.Equal(want.NotAfter)) {
			t.Errorf("byte %d turned: trusted as %+v", i, m)
		}
	}
}

func TestVerifyBySite(t *testing.T) {
	ca, now, msg := authority(t), time.Now(), []byte("检查点")
	site, _ := member(t, ca, "jiangsu", UnitSite)
	gateway, _ := member(t, ca, "jiangsu", UnitGateway)
	other, _ := member(t, ca, "zhejiang", UnitSite)
	signed := func(id *Identity, msg []byte) []byte {
		sig, err := id.Sign(msg)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	for _, c := range []struct {
		name string
		by   *Identity
		sig  []byte
		want error
	}{
		{"by the site", site, signed(site, msg), nil},
		{"by another site", other, signed(other, msg), ErrWrongName},
		{"by a gateway of the same name", gateway, signed(gateway, msg), ErrWrongName},
		{"by another key", site, signed(other, msg), ErrSignature},
		{"of another message", site, signed(site, []byte("x")), ErrSignature},
		{"no signature", site, nil, ErrSignature},
	} {
		if err := site.Pool().VerifyBySite(c.by.SignCert(), "jiangsu", msg, c.sig, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, wanted %v", c.name, err, c.want)
		}
	}
}

// TestBadFolders: an identity with a part that is missing, spoilt or somebody else's does not load.
func TestBadFolders(t *testing.T) {
	ca := authority(t)
	_, other := member(t, ca, "zhejiang", UnitSite)
	take := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte // nil: missing
	}{
		{"no encryption certificate", map[string][]byte{encCert: nil}},
		{"no key", map[string][]byte{signKey: nil}},
		{"no CA", map[string][]byte{caCert: nil}},
		{"empty CA", map[string][]byte{caCert: {}}},
		{"somebody else's key", map[string][]byte{signKey: take(signKey)}},
		{"somebody else's pair", map[string][]byte{encKey: take(encKey), encCert: take(encCert)}},
		{"key is no PEM", map[string][]byte{encKey: []byte("key")}},
		{"certificate is a key", map[string][]byte{signCert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})}},
	} {
		_, dir := member(t, ca, "jiangsu", UnitSite)
		for name, content := range c.files {
			path := filepath.Join(dir, name)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if content == nil {
				continue
			}
			if err := os.WriteFile(path, content, privateMode); err != nil {
				t.Fatal(err)
			}
		}
		if id, err := LoadIdentity(dir); err == nil {
			t.Errorf("%s: loaded as %s", c.name, id.Name())
		}
	}
}
