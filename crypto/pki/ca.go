package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"dusthub/crypto/sm"

	"github.com/tjfoc/gmsm/sm2"
	"github.com/tjfoc/gmsm/x509"

	"crypto/x509/pkix"
)

const (
	caKey      = "ca.key"
	caLife     = 10 * 365 * 24 * time.Hour
	clockSlack = 5 * time.Minute // certificates are good a little before they are made, for clocks that lag
	serialBits = 127
)

// CA is a small certificate authority for demonstrations and tests; a real one gives out certificates in production.
type CA struct {
	dir  string
	cert *x509.Certificate
	key  *sm2.PrivateKey
}

// NewCA makes a CA and keeps it in dir: ca.crt, ca.key.
func NewCA(dir, name string) (*CA, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := template(name, "ca", caLife)
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make CA certificate: %w", err)
	}
	if err := writePair(dir, caCert, caKey, der, key); err != nil {
		return nil, err
	}
	return LoadCA(dir)
}

// LoadCA reads a CA; the error is fs.ErrNotExist when there is none.
func LoadCA(dir string) (*CA, error) {
	b, err := os.ReadFile(filepath.Join(dir, caCert))
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	p, _ := pem.Decode(b)
	if p == nil {
		return nil, fmt.Errorf("CA certificate in %s is not PEM", dir)
	}
	cert, err := x509.ParseCertificate(p.Bytes)
	if err != nil {
		return nil, fmt.Errorf("CA certificate in %s: %w", dir, err)
	}
	key, err := readKey(filepath.Join(dir, caKey))
	if err != nil {
		return nil, err
	}
	native, err := toTJ(key)
	if err != nil {
		return nil, err
	}
	return &CA{dir: dir, cert: cert, key: native}, nil
}

// Issue makes a member's two certificates and writes its identity (five files) to dir. Hosts are DNS names or IP addresses.
func (ca *CA) Issue(dir, name, unit string, hosts []string, life time.Duration) error {
	return ca.issue(dir, name, unit, hosts, time.Now().Add(-clockSlack), life)
}

func (ca *CA) issue(dir, name, unit string, hosts []string, from time.Time, life time.Duration) error {
	for _, half := range []struct {
		cert, key string
		usage     x509.KeyUsage
	}{
		{signCert, signKey, x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment},
		{encCert, encKey, x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement},
	} {
		key, err := newKey()
		if err != nil {
			return err
		}
		t, err := template(name, unit, life)
		if err != nil {
			return err
		}
		t.NotBefore, t.NotAfter = from, from.Add(life)
		t.KeyUsage = half.usage
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		for _, h := range hosts {
			if ip := net.ParseIP(h); ip != nil {
				t.IPAddresses = append(t.IPAddresses, ip)
			} else {
				t.DNSNames = append(t.DNSNames, h)
			}
		}
		der, err := x509.CreateCertificate(t, ca.cert, &key.PublicKey, ca.key)
		if err != nil {
			return fmt.Errorf("make certificate of %s: %w", name, err)
		}
		if err := writePair(dir, half.cert, half.key, der, key); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(filepath.Join(ca.dir, caCert))
	if err != nil {
		return fmt.Errorf("read CA certificate: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, caCert), b, publicMode); err != nil { //nolint:gosec // the operator says where
		return fmt.Errorf("write CA certificate: %w", err)
	}
	return nil
}

const (
	publicMode  fs.FileMode = 0o644
	privateMode fs.FileMode = 0o600
	folderMode  fs.FileMode = 0o700
)

func writePair(dir, certName, keyName string, der []byte, key *sm2.PrivateKey) error {
	own, err := sm.PrivateKeyFromScalar(key.D.FillBytes(make([]byte, 32)))
	if err != nil {
		return err
	}
	pkcs8, err := own.PKCS8()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("make folder %s: %w", dir, err)
	}
	for _, f := range []struct {
		name, kind string
		der        []byte
		mode       fs.FileMode
	}{{keyName, "PRIVATE KEY", pkcs8, privateMode}, {certName, "CERTIFICATE", der, publicMode}} {
		if err := os.WriteFile(filepath.Join(dir, f.name), pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), f.mode); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return nil
}

func template(name, unit string, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	from := time.Now().Add(-clockSlack)
	return &x509.Certificate{
		SerialNumber: serial, NotBefore: from, NotAfter: from.Add(life), SignatureAlgorithm: x509.SM2WithSM3,
		Subject: pkix.Name{Country: []string{"CN"}, Organization: []string{"dusthub"}, OrganizationalUnit: []string{unit}, CommonName: name},
	}, nil
}

// newKey makes a key with the guarded primitives and hands it to the certificate library.
func newKey() (*sm2.PrivateKey, error) {
	k, err := sm.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	return toTJ(k)
}

func toTJ(k *sm.PrivateKey) (*sm2.PrivateKey, error) {
	curve := sm2.P256Sm2()
	out := &sm2.PrivateKey{D: new(big.Int).SetBytes(k.Scalar())}
	out.Curve = curve
	point := k.Public().Point()
	out.X, out.Y = new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:])
	if !curve.IsOnCurve(out.X, out.Y) { //nolint:staticcheck // crypto/ecdh does not know SM2's curve
		return nil, fmt.Errorf("%w: key is not on the SM2 curve", sm.ErrInput)
	}
	return out, nil
}

// publicPoint is the public key of a certificate as 0x04 || X || Y, when it is an SM2 key.
func publicPoint(c *x509.Certificate) ([]byte, error) {
	var x, y *big.Int
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		x, y = k.X, k.Y //nolint:staticcheck // PublicKey.Bytes refuses SM2's curve
	case *sm2.PublicKey:
		x, y = k.X, k.Y
	default:
		return nil, fmt.Errorf("%w: of %q: holds no SM2 key", ErrUntrusted, c.Subject.CommonName)
	}
	if x == nil || y == nil || x.Sign() < 0 || y.Sign() < 0 || x.BitLen() > 256 || y.BitLen() > 256 {
		return nil, fmt.Errorf("%w: of %q: malformed key", ErrUntrusted, c.Subject.CommonName)
	}
	point := make([]byte, 65)
	point[0] = 4
	x.FillBytes(point[1:33])
	y.FillBytes(point[33:])
	return point, nil
}
