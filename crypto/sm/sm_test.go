package sm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"

	tjsm2 "github.com/tjfoc/gmsm/sm2"
	tjsm3 "github.com/tjfoc/gmsm/sm3"
	tjsm4 "github.com/tjfoc/gmsm/sm4"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPublishedVectors: GB/T 32905 annex A, GB/T 32907 annex A, RFC 8998 annex A, and the vector of domain 2.2.
func TestPublishedVectors(t *testing.T) {
	if got := SM3([]byte("abc")); hex.EncodeToString(got[:]) != "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" {
		t.Errorf("SM3(abc) = %x", got)
	}
	if got := SM3(bytes.Repeat([]byte("abcd"), 16)); hex.EncodeToString(got[:]) != "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732" {
		t.Errorf("SM3(abcd x 16) = %x", got)
	}
	key := unhex(t, "0123456789abcdeffedcba9876543210")
	b, err := block(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, BlockSize)
	b.Encrypt(out, key)
	if hex.EncodeToString(out) != "681edf34d206965e86b3e94f536e4246" {
		t.Errorf("SM4 = %x", out)
	}
	cbc, err := EncryptCBC(key, unhex(t, "00112233445566778899aabbccddeeff"), []byte(`{"a":1}`))
	if err != nil || hex.EncodeToString(cbc) != "204b2f5fb0305022ee360d000e110b45" {
		t.Errorf("SM4-CBC = %x, %v", cbc, err)
	}
	gcm, err := EncryptGCM(key, unhex(t, "00001234567800000000abcd"),
		unhex(t, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"),
		unhex(t, "feedfacedeadbeeffeedfacedeadbeefabaddad2"))
	if err != nil || hex.EncodeToString(gcm) != "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec" {
		t.Errorf("SM4-GCM = %x, %v", gcm, err)
	}
}

func TestOtherOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		msg := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "msg")
		ours := SM3(msg)
		if !bytes.Equal(ours[:], tjsm3.Sm3Sum(msg)) {
			t.Fatal("SM3 differs")
		}
		key := rapid.SliceOfN(rapid.Byte(), KeySize, KeySize).Draw(t, "key")
		c, err := tjsm4.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := block(key)
		in, x, y := rapid.SliceOfN(rapid.Byte(), BlockSize, BlockSize).Draw(t, "block"), make([]byte, BlockSize), make([]byte, BlockSize)
		c.Encrypt(x, in)
		b.Encrypt(y, in)
		if !bytes.Equal(x, y) {
			t.Fatal("SM4 differs")
		}
	})
}

func TestSM2OtherOracle(t *testing.T) {
	key, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other := &tjsm2.PrivateKey{D: new(big.Int).SetBytes(key.Scalar())}
	other.Curve = tjsm2.P256Sm2()
	point := key.Public().Point()
	other.X, other.Y = new(big.Int).SetBytes(point[1:33]), new(big.Int).SetBytes(point[33:])
	msg := []byte("粉尘涉爆")
	sig, err := key.Sign(msg)
	if err != nil || !other.Verify(msg, sig) {
		t.Errorf("the other library does not verify ours: %v", err)
	}
	theirs, err := other.Sign(nil, msg, nil)
	if err != nil || !key.Public().Verify(msg, theirs) {
		t.Errorf("we do not verify the other library's: %v", err)
	}
	if key.Public().Verify([]byte("粉尘"), theirs) || key.Public().Verify(msg, append(theirs, 0)) || key.Public().Verify(msg, nil) {
		t.Error("a wrong signature verifies")
	}
	c, err := key.Public().Encrypt(msg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Decrypt(c); err != nil || !bytes.Equal(got, msg) {
		t.Errorf("decrypt: %q, %v", got, err)
	}
}

// TestMalformedInput: what makes the other library panic or answer without an error is refused here.
func TestMalformedInput(t *testing.T) {
	key, _ := GenerateKey(nil)
	k := make([]byte, KeySize)
	off := key.Public().Point()
	off[64] ^= 1
	for name, err := range map[string]error{
		"short SM4 key":      second(EncryptCBC(k[:15], k, nil)),
		"short IV":           second(EncryptCBC(k, k[:8], nil)),
		"CBC of no block":    second(DecryptCBC(k, k, nil)),
		"CBC of half blocks": second(DecryptCBC(k, k, make([]byte, 17))),
		"short nonce":        second(EncryptGCM(k, k[:8], nil, nil)),
		"short GCM":          second(DecryptGCM(k, k[:12], make([]byte, 15), nil)),
		"short SM2 message":  second(key.Decrypt([]byte{4})),
		"empty SM2 message":  second(key.Public().Encrypt(nil)),
		"short scalar":       second(PrivateKeyFromScalar(k)),
		"zero scalar":        second(PrivateKeyFromScalar(make([]byte, 32))),
		"point off curve":    second(PublicKeyFromPoint(off)),
		"compressed point":   second(PublicKeyFromPoint([]byte{2, 3})),
	} {
		if !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecryptCBC(k, k, make([]byte, 32)); !errors.Is(err, ErrPadding) {
		t.Errorf("wrong padding: %v", err)
	}
	if _, err := DecryptGCM(k, k[:12], make([]byte, 32), nil); !errors.Is(err, ErrAuth) {
		t.Errorf("forged GCM: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestPassword(t *testing.T) {
	h, err := HashPassword("Dust-2026")
	if err != nil || !CheckPassword("Dust-2026", h) || CheckPassword("dust-2026", h) {
		t.Errorf("%s, %v", h, err)
	}
	for _, bad := range []string{"", "x", "pbkdf2-hmac-sm3$0$$", "pbkdf2-hmac-sm3$99999999999$AA$AA", "pbkdf2-hmac-sm3$1$!$!"} {
		if CheckPassword("", bad) {
			t.Errorf("malformed hash %q accepts", bad)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	key, _ := PrivateKeyFromScalar(bytes.Repeat([]byte{7}, 32))
	c, _ := key.Public().Encrypt([]byte("seed"))
	f.Add(c, []byte("0123456789abcdef"))
	f.Add([]byte{4}, []byte{})
	f.Fuzz(func(_ *testing.T, b, k []byte) {
		_, _ = key.Decrypt(b)
		_, _ = DecryptCBC(k, k, b)
		_, _ = DecryptGCM(k, k, b, nil)
		key.Public().Verify(b, k)
		_, _ = PublicKeyFromPoint(b)
		_, _ = PrivateKeyFromScalar(b)
		_, _ = ParsePKCS8(b)
	})
}

func BenchmarkSign(b *testing.B) {
	key, _ := GenerateKey(nil)
	for b.Loop() {
		_, _ = key.Sign([]byte("x"))
	}
}

func BenchmarkSM3(b *testing.B) {
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		SM3(buf)
	}
}
