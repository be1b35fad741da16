// Package keys is the seam behind which a site's key-encryption keys live: a file today, a certified module (GB/T 37092,
// SDF GM/T 0018) later. Whoever has a secret to keep asks a Provider to seal it for a purpose; a sealed secret opens
// for the same purpose only.
package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"dusthub/crypto/sm"
)

// Provider seals and opens small secrets: data keys, gateway keys, personal data.
type Provider interface {
	// Seal encrypts plaintext for a purpose such as "gateway"; the result names the key it was made with.
	Seal(purpose string, plaintext []byte) (string, error)
	// Open decrypts what Seal made for the same purpose. Errors: ErrEnvelope, ErrUnknownKey, sm.ErrAuth.
	Open(purpose, envelope string) ([]byte, error)
}

// Errors a caller decides on.
var (
	ErrEnvelope   = errors.New("keys: malformed envelope")
	ErrUnknownKey = errors.New("keys: key is not here")
)

// An envelope is v1|kid|iv|ct|tag (domain 9), the last three in base64url; purpose and kid are associated data.
const (
	version    = "v1"
	tagSize    = 16
	keyMode    = 0o600
	folderMode = 0o700
)

var keyFile = regexp.MustCompile(`^kek-(\d{4})\.key$`)

// Software keeps keys in files of a folder, kek-0001.key, kek-0002.key ...; the last one seals, all open.
type Software struct {
	keys   map[string][]byte
	newest string
}

// OpenSoftware reads the keys of a folder, making the first when there is none.
func OpenSoftware(dir string) (*Software, error) {
	s := &Software{keys: map[string][]byte{}}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read key folder: %w", err)
	}
	for _, e := range entries { // sorted by name
		m := keyFile.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		k, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		if len(k) != sm.KeySize {
			return nil, fmt.Errorf("key %s has %d bytes, wanted %d", e.Name(), len(k), sm.KeySize)
		}
		s.keys[m[1]], s.newest = k, m[1]
	}
	if s.newest == "" {
		return s, s.add(dir, "0001")
	}
	return s, nil
}

func (s *Software) add(dir, kid string) error {
	k := make([]byte, sm.KeySize)
	if _, err := rand.Read(k); err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("make key folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "kek-"+kid+".key"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, keyMode)
	if err != nil {
		return fmt.Errorf("keep key: %w", err)
	}
	if _, err := f.Write(k); err != nil {
		f.Close()
		return fmt.Errorf("keep key: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep key: %w", err)
	}
	s.keys[kid], s.newest = k, kid
	return nil
}

func associated(purpose, kid string) []byte { return []byte(version + "|" + kid + "|" + purpose) }

// Seal encrypts with the newest key.
func (s *Software) Seal(purpose string, plaintext []byte) (string, error) {
	iv := make([]byte, sm.NonceSize)
	if _, err := rand.Read(iv); err != nil {
		return "", fmt.Errorf("make nonce: %w", err)
	}
	ct, err := sm.EncryptGCM(s.keys[s.newest], iv, plaintext, associated(purpose, s.newest))
	if err != nil {
		return "", fmt.Errorf("seal for %s: %w", purpose, err)
	}
	enc, body, tag := base64.RawURLEncoding, ct[:len(ct)-tagSize], ct[len(ct)-tagSize:]
	return strings.Join([]string{version, s.newest, enc.EncodeToString(iv), enc.EncodeToString(body), enc.EncodeToString(tag)}, "|"), nil
}

// Open decrypts with the key the envelope names.
func (s *Software) Open(purpose, envelope string) ([]byte, error) {
	parts := strings.Split(envelope, "|")
	if len(parts) != 5 || parts[0] != version {
		return nil, ErrEnvelope
	}
	key, ok := s.keys[parts[1]]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownKey, parts[1])
	}
	var raw [3][]byte
	for i, p := range parts[2:] {
		b, err := base64.RawURLEncoding.DecodeString(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEnvelope, err)
		}
		raw[i] = b
	}
	plain, err := sm.DecryptGCM(key, raw[0], append(raw[1], raw[2]...), associated(purpose, parts[1]))
	if err != nil {
		return nil, fmt.Errorf("open for %s: %w", purpose, err)
	}
	return plain, nil
}
