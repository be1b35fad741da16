package portal

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Maybe is a value that may be null in JSON, and whose description says so.
type Maybe[T any] struct{ Value *T }

// MarshalJSON writes the value, or null.
func (m Maybe[T]) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(m.Value)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m.Value, err)
	}
	return b, nil
}

// UnmarshalJSON reads a value, or null.
func (m *Maybe[T]) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &m.Value); err != nil {
		return fmt.Errorf("decode %T: %w", m.Value, err)
	}
	return nil
}

// Schema describes the value or null.
func (m Maybe[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}
