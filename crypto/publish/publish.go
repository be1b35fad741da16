// Package publish is the signature of a site under what it publishes for the sites below: a risk model document under a version.
//
//	SM2("dusthub model 1" || 0x00 || version || 0x00 || SM3(document))
package publish

import (
	"fmt"
	"time"

	"dusthub/crypto/pki"

	"github.com/emmansun/gmsm/sm3"
)

// Signed is a signature with the certificate it is checked by, DER.
type Signed struct{ Certificate, Signature []byte }

// Message is what is signed.
func Message(version string, document []byte) []byte {
	digest := sm3.Sum(document)
	return append([]byte("dusthub model 1\x00"+version+"\x00"), digest[:]...)
}

// Sign signs with a site's signing key.
func Sign(id *pki.Identity, version string, document []byte) (Signed, error) {
	sig, err := id.Sign(Message(version, document))
	if err != nil {
		return Signed{}, fmt.Errorf("sign model %s: %w", version, err)
	}
	return Signed{id.SignCert(), sig}, nil
}

// Verify checks that a site made the signature, with a certificate that was good at that time. Errors: those of pki.
func Verify(pool *pki.Pool, publisher, version string, document []byte, s Signed, at time.Time) error {
	return pool.VerifyBySite(s.Certificate, publisher, Message(version, document), s.Signature, at)
}
