package sm

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Password hashes are pbkdf2-hmac-sm3$iterations$salt$hash, salt and hash in base64url (GB/T 22239-2019 8.1.4.1).
const (
	passwordScheme     = "pbkdf2-hmac-sm3" //nolint:gosec // the name of a method, no secret
	passwordIterations = 100_000
	maxIterations      = 10_000_000
	saltSize           = 16
)

// HashPassword makes a hash that CheckPassword knows, with a fresh salt.
func HashPassword(password string) (string, error) {
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make salt: %w", err)
	}
	h, err := PBKDF2(password, salt, passwordIterations, DigestSize)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	return strings.Join([]string{passwordScheme, strconv.Itoa(passwordIterations), enc.EncodeToString(salt), enc.EncodeToString(h)}, "$"), nil
}

// CheckPassword says whether the hash is of this password. A malformed hash is never of any.
func CheckPassword(password, hash string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 4 || parts[0] != passwordScheme {
		return false
	}
	iterations, err := strconv.Atoi(parts[1])
	if err != nil || iterations < 1 || iterations > maxIterations {
		return false
	}
	salt, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil || len(want) != DigestSize {
		return false
	}
	got, err := PBKDF2(password, salt, iterations, DigestSize)
	return err == nil && Equal(got, want)
}
