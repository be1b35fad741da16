package store

import (
	"encoding/binary"
	"errors"
)

// What a key is: its first byte.
const (
	keyMeta      = 'm'
	keyOrigin    = 'o'
	keyRow       = 'w'
	keyIndex     = 'i'
	keyItem      = 'l'
	keyHead      = 'L'
	keySigned    = 'c'
	keyPosition  = 'p'
	keyBlob      = 'b'
	keyBlobDone  = 'a'
	keyState     = 's'
	keySeries    = 'h'
	keyChunk     = 'd'
	keyRollup    = 'r'
	keyPartition = 't'
	keyVersion   = 'v'
)

var errKey = errors.New("store: malformed key")

// appendString adds a string that sorts as the string does and ends where it ends: 0x00 becomes 0x00 0xff, the end is 0x00 0x01.
func appendString(k []byte, s string) []byte {
	for i := range len(s) {
		k = append(k, s[i])
		if s[i] == 0 {
			k = append(k, 0xff)
		}
	}
	return append(k, 0, 1)
}

// cutString takes the first string off a key.
func cutString(k []byte) (string, []byte, error) {
	var out []byte
	for i := 0; i < len(k); i++ {
		if k[i] != 0 {
			out = append(out, k[i])
			continue
		}
		if i+1 >= len(k) {
			break
		}
		if k[i+1] == 1 {
			return string(out), k[i+2:], nil
		}
		out = append(out, 0)
		i++
	}
	return "", nil, errKey
}

// appendInt adds an integer that sorts as integers do, below zero too.
func appendInt(k []byte, v int64) []byte { return binary.BigEndian.AppendUint64(k, uint64(v)^(1<<63)) }

func cutInt(k []byte) (int64, []byte, error) {
	if len(k) < 8 {
		return 0, nil, errKey
	}
	return int64(binary.BigEndian.Uint64(k) ^ (1 << 63)), k[8:], nil
}

func appendUint(k []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(k, v) }

// after is the smallest key behind all keys with this prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func rowKey(typ, key string) []byte {
	return append(appendString([]byte{keyRow}, typ), key...)
}

func itemKey(origin string, epoch, seq uint64) []byte {
	return appendUint(appendUint(appendString([]byte{keyItem}, origin), epoch), seq)
}

func signedKey(origin string, epoch, seq uint64) []byte {
	return appendUint(appendUint(appendString([]byte{keySigned}, origin), epoch), seq)
}

func headKey(origin string) []byte { return appendString([]byte{keyHead}, origin) }

func positionKey(from, origin, lane string) []byte {
	return appendString(appendString(appendString([]byte{keyPosition}, from), origin), lane)
}

func blobKey(id string, piece uint32) []byte {
	return binary.BigEndian.AppendUint32(appendString([]byte{keyBlob}, id), piece)
}

// seriesID is a series within this store: number of the origin, number of the series there.
type seriesID uint64

func idOf(origin uint16, series uint32) seriesID { return seriesID(origin)<<32 | seriesID(series) }
func (id seriesID) origin() uint16               { return uint16(id >> 32) }

func seriesKey(id seriesID) []byte { return appendUint([]byte{keySeries}, uint64(id)) }

func chunkKey(kind byte, partition int64, id seriesID) []byte {
	return appendUint(appendInt([]byte{kind}, partition), uint64(id))
}

func partitionKey(origin uint16, partition int64) []byte {
	return appendInt(binary.BigEndian.AppendUint16([]byte{keyPartition}, origin), partition)
}
