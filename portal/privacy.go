package portal

import (
	"strings"

	"dusthub/schema"

	"google.golang.org/protobuf/proto"
)

// Who reads personal data (names, telephone numbers) in clear: a plant's manager that of his own plant, the security
// administrator that of the people who log in, everybody his own name. All others, and every machine, read masks; a regulator may ask for a
// record in clear, with a reason that the audit keeps (reveal.go).

// knows says whether a viewer reads a record's personal data in clear.
func (v *viewer) knows(r proto.Message) bool {
	if v == nil || v.user == nil || v.key != nil || v.user.GetRole() != plantManager {
		return false
	}
	plant := enterpriseOf(r)
	return plant != "" && plant == v.owned()
}

// keepsPeople says whether the people who log in are the viewer's to keep.
func (v *viewer) keepsPeople() bool {
	return v != nil && v.key == nil && v.user.GetRole() == securityAdmin
}

// named says whether the viewer is a person with a name, which he may read wherever it stands.
func (v *viewer) named() bool {
	return v != nil && v.user != nil && v.key == nil && v.user.GetName() != ""
}

// mask is the veil of one viewer.
type mask struct {
	s     *Server
	v     *viewer
	clear bool // what the viewer has asked for and may have
}

// text is how the viewer reads a text of a plant. Of a sealed one whose key is not here nothing is left.
func (m *mask) text(plant, text string, clear bool) string {
	open, err := m.s.opt.Personal.Open(plant, text)
	if err != nil {
		return schema.Mask(text)
	}
	if clear || m.clear || m.v.named() && open == m.v.user.GetName() {
		return open
	}
	return schema.Mask(open)
}

// record is a record as the viewer reads it: itself when there is nothing to hide or to open, a copy otherwise.
func (m *mask) record(r schema.Record) schema.Record {
	touched, clear, plant := false, m.v.knows(r), enterpriseOf(r)
	schema.EachPersonal(r, func(p schema.PersonalValue) bool {
		_, sealed := schema.ParseSealed(p.Text) // opened below, once
		touched = p.Binary() || sealed || m.text(plant, p.Text, clear) != p.Text
		return !touched
	})
	if !touched {
		return r
	}
	out := proto.Clone(r)
	schema.EachPersonal(out, func(p schema.PersonalValue) bool {
		if p.Binary() {
			p.Drop()
		} else {
			p.Set(m.text(plant, p.Text, clear))
		}
		return true
	})
	return out
}

// shown are records as a viewer reads them, for files.
func (s *Server) shown(v *viewer, clear bool, records []schema.Record) []schema.Record {
	m := &mask{s: s, v: v, clear: clear}
	out := make([]schema.Record, len(records))
	for i, r := range records {
		out[i] = m.record(r)
	}
	return out
}

// unmasked puts back what a viewer was shown masked and sends back as it was shown: who changes a plant's address does not
// write a mask over its contact's name. Any other text with the signs of a mask or
// of a sealed text is refused: it is no name and no number.
func (s *Server) unmasked(v *viewer, rec, old schema.Record) *schema.Violation {
	others, is := &mask{s: s}, &mask{s: s, v: v}
	known := map[string]string{}
	if old != nil {
		schema.EachPersonal(old, func(p schema.PersonalValue) bool {
			known[p.Path] = p.Text
			return true
		})
	}
	var bad *schema.Violation
	schema.EachPersonal(rec, func(p schema.PersonalValue) bool {
		was, had := known[p.Path]
		switch {
		case had && (p.Text == others.text(enterpriseOf(old), was, false) || p.Text == is.text(enterpriseOf(old), was, v.knows(old))):
			p.Set(was)
		case strings.ContainsAny(p.Text, "*~"):
			bad = &schema.Violation{
				Record: schema.TypeOf(rec) + "/" + schema.KeyOf(rec), Field: p.Path, Rule: "masked", Got: "(not shown)", Wanted: "the whole text, or the mask as it was read to leave it as it is",
			}
		}
		return bad == nil
	})
	return bad
}
