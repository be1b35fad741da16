package sm

import (
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// PrivateKey is an SM2 key pair.
type PrivateKey struct{ key *sm2.PrivateKey }

// PublicKey is the public half of an SM2 key pair; it lies on the curve.
type PublicKey struct{ key *ecdsa.PublicKey }

// Limits of SM2 messages in bytes: what is longer is encrypted with SM4 under a key that SM2 carries.
const (
	maxSM2Plaintext  = 64 << 10
	minSM2Ciphertext = 1 + 64 + 32 + 1 // shorter than any encoding of C1, C3 and one byte of C2
	maxSM2Ciphertext = maxSM2Plaintext + 256
	scalarSize       = 32
)

// GenerateKey makes a key pair; random is nil for the system's generator.
func GenerateKey(random io.Reader) (*PrivateKey, error) {
	if random == nil {
		random = rand.Reader
	}
	k, err := sm2.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("generate SM2 key: %w", err)
	}
	return &PrivateKey{k}, nil
}

// PrivateKeyFromScalar is the key pair of a 32-byte scalar, big endian.
func PrivateKeyFromScalar(d []byte) (*PrivateKey, error) {
	if len(d) != scalarSize {
		return nil, fmt.Errorf("%w: SM2 private key of %d bytes, wanted %d", ErrInput, len(d), scalarSize)
	}
	k, err := sm2.NewPrivateKey(d)
	if err != nil {
		return nil, fmt.Errorf("%w: SM2 private key: %w", ErrInput, err)
	}
	return &PrivateKey{k}, nil
}

// ParsePKCS8 reads an SM2 private key in PKCS#8 DER.
func ParsePKCS8(der []byte) (*PrivateKey, error) {
	k, err := smx509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: PKCS#8: %w", ErrInput, err)
	}
	key, ok := k.(*sm2.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: PKCS#8 holds no SM2 key", ErrInput)
	}
	return &PrivateKey{key}, nil
}

// PublicKeyFromPoint reads a public key as 0x04 || X || Y and refuses points off the curve.
func PublicKeyFromPoint(point []byte) (*PublicKey, error) {
	if len(point) != 1+2*scalarSize || point[0] != 4 {
		return nil, fmt.Errorf("%w: SM2 public key of %d bytes, wanted 0x04 || X || Y", ErrInput, len(point))
	}
	k, err := sm2.NewPublicKey(point)
	if err != nil {
		return nil, fmt.Errorf("%w: SM2 public key: %w", ErrInput, err)
	}
	return &PublicKey{k}, nil
}

// Scalar is the private scalar, 32 bytes, big endian.
func (p *PrivateKey) Scalar() []byte { return p.key.D.FillBytes(make([]byte, scalarSize)) }

// PKCS8 is the key in PKCS#8 DER.
func (p *PrivateKey) PKCS8() ([]byte, error) {
	der, err := smx509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return nil, fmt.Errorf("encode SM2 key: %w", err)
	}
	return der, nil
}

// Public is the public half.
func (p *PrivateKey) Public() *PublicKey { return &PublicKey{&p.key.PublicKey} }

// Point is the key as 0x04 || X || Y.
func (p *PublicKey) Point() []byte {
	out := make([]byte, 1+2*scalarSize)
	out[0] = 4
	p.key.X.FillBytes(out[1 : 1+scalarSize]) //nolint:staticcheck // PublicKey.Bytes refuses SM2's curve
	p.key.Y.FillBytes(out[1+scalarSize:])    //nolint:staticcheck // as above
	return out
}

// Sign signs msg (GB/T 32918.2, default user id 1234567812345678); the signature is ASN.1.
func (p *PrivateKey) Sign(msg []byte) ([]byte, error) {
	sig, err := p.key.Sign(rand.Reader, msg, sm2.DefaultSM2SignerOpts)
	if err != nil {
		return nil, fmt.Errorf("SM2 sign: %w", err)
	}
	return sig, nil
}

// Verify says whether sig is a signature of msg under this key.
func (p *PublicKey) Verify(msg, sig []byte) bool {
	const longest = 80 // ASN.1 of two 32-byte integers
	if len(sig) == 0 || len(sig) > longest {
		return false
	}
	return sm2.VerifyASN1WithSM2(p.key, nil, msg, sig)
}

// Encrypt encrypts a short message for the key's owner (GB/T 32918.4, C1C3C2 in ASN.1).
func (p *PublicKey) Encrypt(msg []byte) ([]byte, error) {
	if len(msg) == 0 || len(msg) > maxSM2Plaintext {
		return nil, fmt.Errorf("%w: SM2 message of %d bytes", ErrInput, len(msg))
	}
	c, err := sm2.EncryptASN1(rand.Reader, p.key, msg)
	if err != nil {
		return nil, fmt.Errorf("SM2 encrypt: %w", err)
	}
	return c, nil
}

// Decrypt decrypts what Encrypt made.
func (p *PrivateKey) Decrypt(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < minSM2Ciphertext || len(ciphertext) > maxSM2Ciphertext {
		return nil, fmt.Errorf("%w: SM2 ciphertext of %d bytes", ErrInput, len(ciphertext))
	}
	msg, err := sm2.Decrypt(p.key, ciphertext)
	if err != nil {
		return nil, ErrAuth
	}
	return msg, nil
}
