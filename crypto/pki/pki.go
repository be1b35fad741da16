// Package pki holds who is who: SM2 certificates of sites and gateways under one national CA. Every member has two
// (GB/T 38636): one to sign with and one that others encrypt for. The subject's CN is the member's id and its OU says
// what it is, "site" or "gateway".
package pki

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"dusthub/crypto/sm"

	"github.com/tjfoc/gmsm/gmtls"
	"github.com/tjfoc/gmsm/x509"
)

// What a member is (the subject's OU).
const (
	UnitSite    = "site"
	UnitGateway = "gateway"
)

// Errors a caller decides on.
var (
	// ErrUntrusted says that a certificate does not chain to the CA, is expired, or is for another use.
	ErrUntrusted = errors.New("pki: certificate is not trusted")
	// ErrWrongName says that a trusted certificate is somebody else's.
	ErrWrongName = errors.New("pki: certificate has another name")
	// ErrSignature says that a signature is not the certificate's.
	ErrSignature = errors.New("pki: signature does not verify")
)

// Pool is the set of CAs that are trusted.
type Pool struct{ roots *x509.CertPool }

// Identity is a member's certificates and keys, and whom it trusts.
type Identity struct {
	sign, enc *x509.Certificate
	signKey   *sm.PrivateKey
	encKey    *sm.PrivateKey
	pair      []gmtls.Certificate // signing, encryption
	pool      *Pool
}

// The five files of an identity.
const (
	signCert = "sign.crt"
	signKey  = "sign.key"
	encCert  = "enc.crt"
	encKey   = "enc.key"
	caCert   = "ca.crt"
)

// LoadIdentity reads an identity from a folder: sign.crt, sign.key, enc.crt, enc.key, ca.crt, all PEM.
func LoadIdentity(dir string) (*Identity, error) {
	id := &Identity{}
	for _, half := range []struct{ cert, key string }{{signCert, signKey}, {encCert, encKey}} {
		certPEM, err := os.ReadFile(filepath.Join(dir, half.cert))
		if err != nil {
			return nil, fmt.Errorf("read certificate: %w", err)
		}
		keyPEM, err := os.ReadFile(filepath.Join(dir, half.key))
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		cert, err := gmtls.GMX509KeyPairsSingle(certPEM, keyPEM)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with its key: %w", filepath.Join(dir, half.cert), err)
		}
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", filepath.Join(dir, half.cert), err)
		}
		cert.Leaf = leaf
		id.pair = append(id.pair, cert)
	}
	id.sign, id.enc = id.pair[0].Leaf, id.pair[1].Leaf
	var err error
	if id.signKey, err = readKey(filepath.Join(dir, signKey)); err != nil {
		return nil, err
	}
	if id.encKey, err = readKey(filepath.Join(dir, encKey)); err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, caCert))
	if err != nil {
		return nil, fmt.Errorf("read CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("CA certificate %s: no certificate in it", filepath.Join(dir, caCert))
	}
	id.pool = &Pool{roots}
	if id.sign.Subject.CommonName != id.enc.Subject.CommonName {
		return nil, fmt.Errorf("%w: signing certificate of %q beside encryption certificate of %q", ErrWrongName, id.sign.Subject.CommonName, id.enc.Subject.CommonName)
	}
	return id, nil
}

func readKey(path string) (*sm.PrivateKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	p, _ := pem.Decode(b)
	if p == nil {
		return nil, fmt.Errorf("key %s is not PEM", path)
	}
	k, err := sm.ParsePKCS8(p.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return k, nil
}

// Name is the member's id, its CN.
func (id *Identity) Name() string { return id.sign.Subject.CommonName }

// Unit is what the member is: UnitSite or UnitGateway.
func (id *Identity) Unit() string { return unit(id.sign) }

// SignCert is the DER of the signing certificate.
func (id *Identity) SignCert() []byte { return id.sign.Raw }

// Sign signs with the member's signing key.
func (id *Identity) Sign(msg []byte) ([]byte, error) { return id.signKey.Sign(msg) }

// Decrypt opens what was sealed for the member under its encryption certificate.
func (id *Identity) Decrypt(ciphertext []byte) ([]byte, error) { return id.encKey.Decrypt(ciphertext) }

// PublicKey is the SM2 key of a certificate in DER that was verified.
func PublicKey(der []byte) (*sm.PublicKey, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	point, err := publicPoint(c)
	if err != nil {
		return nil, err
	}
	return sm.PublicKeyFromPoint(point)
}

// NotAfter is when the first of the two certificates ends.
func (id *Identity) NotAfter() time.Time {
	if id.enc.NotAfter.Before(id.sign.NotAfter) {
		return id.enc.NotAfter
	}
	return id.sign.NotAfter
}

// Pool is whom the member trusts.
func (id *Identity) Pool() *Pool { return id.pool }

// Pair is the signing and the encryption certificate with their keys, as gmtls wants them.
func (id *Identity) Pair() []gmtls.Certificate { return id.pair }

func unit(c *x509.Certificate) string {
	if len(c.Subject.OrganizationalUnit) == 0 {
		return ""
	}
	return c.Subject.OrganizationalUnit[0]
}

// Member is what a verified certificate says.
type Member struct {
	Name, Unit string
	NotAfter   time.Time
	point      []byte
}

// Verify checks that a certificate chains to the pool at that time and returns whose it is.
func (p *Pool) Verify(der []byte, at time.Time) (Member, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Member{}, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if !oneAlgorithm(der) {
		return Member{}, fmt.Errorf("%w: of %q: names two signature algorithms", ErrUntrusted, c.Subject.CommonName)
	}
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return Member{}, fmt.Errorf("%w: of %q, good from %s to %s", ErrUntrusted, c.Subject.CommonName, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: p.roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return Member{}, fmt.Errorf("%w: of %q: %w", ErrUntrusted, c.Subject.CommonName, err)
	}
	point, err := publicPoint(c)
	if err != nil {
		return Member{}, err
	}
	return Member{Name: c.Subject.CommonName, Unit: unit(c), NotAfter: c.NotAfter, point: point}, nil
}

// oneAlgorithm says whether the signature algorithm beside the signature is the one that was signed (RFC 5280, 4.1.1.2), which
// the library does not look at.
func oneAlgorithm(der []byte) bool {
	var outer struct {
		Body, Algorithm asn1.RawValue
		Signature       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return false
	}
	rest := outer.Body.Bytes // version, serial number, algorithm
	var field asn1.RawValue
	for i := range 3 {
		var err error
		if rest, err = asn1.Unmarshal(rest, &field); err != nil {
			return false
		}
		if i == 0 && field.Class != asn1.ClassContextSpecific {
			return false // version 1 has no such field, and no key usage either
		}
	}
	return bytes.Equal(field.FullBytes, outer.Algorithm.FullBytes)
}

// VerifyBySite checks that msg was signed by that site: the certificate chains to the pool, is the site's, and its key made sig.
func (p *Pool) VerifyBySite(der []byte, site string, msg, sig []byte, at time.Time) error {
	m, err := p.Verify(der, at)
	if err != nil {
		return err
	}
	if m.Name != site || m.Unit != UnitSite {
		return fmt.Errorf("%w: %q (%s), wanted site %q", ErrWrongName, m.Name, m.Unit, site)
	}
	key, err := sm.PublicKeyFromPoint(m.point)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if !key.Verify(msg, sig) {
		return fmt.Errorf("%w: of site %q", ErrSignature, site)
	}
	return nil
}
