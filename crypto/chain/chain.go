// Package chain computes the SM3 chain of a ledger, which every site can verify without being able to read
// every entry: entries enter the chain by their digest, so a withheld entry is replaced by 32 bytes.
//
//	digest(0) = SM3("dusthub ledger 1" || 0x00 || origin || 0x00 || epoch)
//	digest(i) = SM3(digest(i-1) || SM3(entry i))
//
// epoch, sequence and time are 8 bytes, big endian.
package chain

import (
	"encoding/binary"

	"github.com/emmansun/gmsm/sm3"
)

// Size is the length of a digest in bytes.
const Size = sm3.Size

// Digest is an SM3 digest.
type Digest = [Size]byte

// Genesis is the digest of the empty ledger of one epoch of a site.
func Genesis(origin string, epoch uint64) Digest {
	h := sm3.New()
	h.Write([]byte("dusthub ledger 1\x00" + origin + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, epoch))
	return Digest(h.Sum(nil))
}

// Entry is the digest of one entry's bytes.
func Entry(entry []byte) Digest { return sm3.Sum(entry) }

// Next extends the chain by the entry with this digest.
func Next(previous, entry Digest) Digest {
	var both [2 * Size]byte
	copy(both[:Size], previous[:])
	copy(both[Size:], entry[:])
	return sm3.Sum(both[:])
}

// CheckpointMessage is what a site signs to vouch for its ledger up to and including seq.
func CheckpointMessage(origin string, epoch, seq uint64, digest Digest, timeMs int64) []byte {
	m := []byte("dusthub checkpoint 1\x00" + origin + "\x00")
	m = binary.BigEndian.AppendUint64(m, epoch)
	m = binary.BigEndian.AppendUint64(m, seq)
	m = append(m, digest[:]...)
	return binary.BigEndian.AppendUint64(m, uint64(timeMs))
}
