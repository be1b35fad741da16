package federation

import (
	"encoding/hex"
	"testing"

	"dusthub/crypto/sm"
	"dusthub/schema"
	"dusthub/sync/lane"
)

// attach keeps a content and its record.
func attach(t testing.TB, s *site, content []byte) string {
	t.Helper()
	sum := sm.SM3(content)
	id := hex.EncodeToString(sum[:])
	for i, at := 0, 0; at < len(content); i, at = i+1, at+lane.PieceBytes {
		end := min(at+lane.PieceBytes, len(content))
		_, err := s.Propose(t.Context(), &schema.Command{Actor: "test", Body: &schema.Command_Blob{Blob: &schema.Blob{Id: id, Piece: uint32(i), Data: content[at:end], Last: end == len(content)}}})
		must(t, err)
	}
	s.put("", &schema.Attachment{Id: id, Name: "photo.png", MediaType: "image/png", Size: int64(len(content))})
	return id
}
