// Package sm is the one place where dusthub touches the Chinese algorithms SM2 (GB/T 32918), SM3 (GB/T 32905) and
// SM4 (GB/T 32907). It checks length, curve and form of every input before an implementation sees it, and never
// panics whatever it is given. The implementation behind it is emmansun/gmsm; tjfoc/gmsm is the other oracle in tests.
package sm

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"errors"
	"fmt"
	"hash"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// Sizes in bytes.
const (
	DigestSize = 32 // SM3
	KeySize    = 16 // SM4
	BlockSize  = 16 // SM4
	NonceSize  = 12 // SM4-GCM
	tagSize    = 16
)

// Errors a caller decides on.
var (
	// ErrInput says that a key, nonce, IV or message does not have the form the algorithm needs.
	ErrInput = errors.New("sm: malformed input")
	// ErrAuth says that a ciphertext or its associated data was changed, or the key is another.
	ErrAuth = errors.New("sm: authentication failed")
	// ErrPadding says that a decrypted CBC message does not end in PKCS#7 padding: wrong key, IV or message.
	ErrPadding = errors.New("sm: wrong padding")
)

// SM3 is the SM3 digest of b.
func SM3(b []byte) [DigestSize]byte { return sm3.Sum(b) }

// NewSM3 is a running SM3.
func NewSM3() hash.Hash { return sm3.New() }

// HMACSM3 is the HMAC of msg under key with SM3 (GB/T 15852.2).
func HMACSM3(key, msg []byte) [DigestSize]byte {
	h := hmac.New(sm3.New, key)
	h.Write(msg)
	return [DigestSize]byte(h.Sum(nil))
}

// Equal compares in constant time.
func Equal(a, b []byte) bool { return hmac.Equal(a, b) }

// PBKDF2 derives length bytes from a password with HMAC-SM3.
func PBKDF2(password string, salt []byte, iterations, length int) ([]byte, error) {
	b, err := pbkdf2.Key(sm3.New, password, salt, iterations, length)
	if err != nil {
		return nil, fmt.Errorf("%w: PBKDF2: %w", ErrInput, err)
	}
	return b, nil
}

func block(key []byte) (cipher.Block, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("%w: SM4 key of %d bytes, wanted %d", ErrInput, len(key), KeySize)
	}
	b, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: SM4 key: %w", ErrInput, err)
	}
	return b, nil
}

func gcm(key, nonce []byte) (cipher.AEAD, error) {
	b, err := block(key)
	if err != nil {
		return nil, err
	}
	if len(nonce) != NonceSize {
		return nil, fmt.Errorf("%w: GCM nonce of %d bytes, wanted %d", ErrInput, len(nonce), NonceSize)
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		return nil, fmt.Errorf("%w: GCM: %w", ErrInput, err)
	}
	return a, nil
}

// EncryptGCM seals plaintext and binds aad to it. A nonce must never be used twice under one key.
func EncryptGCM(key, nonce, plaintext, aad []byte) ([]byte, error) {
	a, err := gcm(key, nonce)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nonce, plaintext, aad), nil
}

// DecryptGCM opens what EncryptGCM sealed.
func DecryptGCM(key, nonce, ciphertext, aad []byte) ([]byte, error) {
	a, err := gcm(key, nonce)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) < tagSize {
		return nil, fmt.Errorf("%w: GCM message of %d bytes", ErrInput, len(ciphertext))
	}
	b, err := a.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, ErrAuth
	}
	return b, nil
}

// EncryptCBC encrypts with PKCS#7 padding. CBC protects no integrity: it is here for the ministry's JSON form alone (domain 2.2).
func EncryptCBC(key, iv, plaintext []byte) ([]byte, error) {
	b, err := block(key)
	if err != nil {
		return nil, err
	}
	if len(iv) != BlockSize {
		return nil, fmt.Errorf("%w: IV of %d bytes, wanted %d", ErrInput, len(iv), BlockSize)
	}
	pad := BlockSize - len(plaintext)%BlockSize
	out := make([]byte, len(plaintext)+pad)
	copy(out, plaintext)
	for i := len(plaintext); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(out, out)
	return out, nil
}

// DecryptCBC decrypts and takes the PKCS#7 padding off.
func DecryptCBC(key, iv, ciphertext []byte) ([]byte, error) {
	b, err := block(key)
	if err != nil {
		return nil, err
	}
	if len(iv) != BlockSize {
		return nil, fmt.Errorf("%w: IV of %d bytes, wanted %d", ErrInput, len(iv), BlockSize)
	}
	if len(ciphertext) == 0 || len(ciphertext)%BlockSize != 0 {
		return nil, fmt.Errorf("%w: CBC message of %d bytes", ErrInput, len(ciphertext))
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(out, ciphertext)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > BlockSize {
		return nil, ErrPadding
	}
	for _, c := range out[len(out)-pad:] {
		if int(c) != pad {
			return nil, ErrPadding
		}
	}
	return out[:len(out)-pad], nil
}

// NewCTR is an SM4 key stream from iv on.
func NewCTR(key, iv []byte) (cipher.Stream, error) {
	b, err := block(key)
	if err != nil {
		return nil, err
	}
	if len(iv) != BlockSize {
		return nil, fmt.Errorf("%w: IV of %d bytes, wanted %d", ErrInput, len(iv), BlockSize)
	}
	return cipher.NewCTR(b, iv), nil
}
