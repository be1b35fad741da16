package portal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// described holds an answer against the OpenAPI description it was promised by. Every request of these tests goes through it, so that the
// description, and the clients that are made of it, cannot say what the handlers do not.
func (s *site) described(p Portal, method, path string, got reply) {
	s.t.Helper()
	path, _, _ = strings.Cut(path, "?")
	doc := s.server.doors[p].api.OpenAPI()
	a, ok := accessFor(p, method, path)
	if !ok || got.header.Get("Content-Type") != "application/json" && got.header.Get("Content-Type") != "application/problem+json" {
		return
	}
	response := operationOf(doc, a).Responses["default"]
	if got.status == http.StatusOK {
		response = operationOf(doc, a).Responses["200"]
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(got.body))
	if err := d.Decode(&value); err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return
	}
	for _, m := range response.Content {
		var res huma.ValidateResult
		huma.Validate(doc.Components.Schemas, m.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, value, &res)
		for _, err := range res.Errors {
			s.t.Errorf("%s %s answers %d with what its description does not say: %v", method, path, got.status, err)
		}
	}
}

// accessFor is the access of a route that a path leads to; one that is written out goes before one with a parameter.
func accessFor(p Portal, method, path string) (Access, bool) {
	var found Access
	fewest := -1
	for _, a := range accesses {
		want, have := strings.Split(a.Path, "/"), strings.Split(path, "/")
		if a.Method != method || len(want) != len(have) {
			continue
		}
		parameters := 0
		for i := range want {
			switch {
			case strings.HasPrefix(want[i], "{"):
				parameters++
			case want[i] != have[i]:
				parameters = len(want) + 1
			}
		}
		if slices.Contains(a.Portals, p) && parameters <= len(want) && (fewest < 0 || parameters < fewest) {
			found, fewest = a, parameters
		}
	}
	return found, fewest >= 0
}
