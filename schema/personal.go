package schema

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// holders remembers which messages can hold personal data, by full name.
var holders sync.Map

// HoldsPersonal says whether a message of that description can hold personal data: a field of its own with the option
// personal, or one of a message in it.
func HoldsPersonal(d protoreflect.MessageDescriptor) bool {
	if known, ok := holders.Load(d.FullName()); ok {
		return known.(bool)
	}
	holds := seeks(d, map[protoreflect.FullName]bool{})
	holders.Store(d.FullName(), holds)
	return holds
}

func seeks(d protoreflect.MessageDescriptor, on map[protoreflect.FullName]bool) bool {
	if on[d.FullName()] {
		return false
	}
	on[d.FullName()] = true
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if personal(fd) || fd.Kind() == protoreflect.MessageKind && seeks(fd.Message(), on) {
			return true
		}
	}
	return false
}

func personal(fd protoreflect.FieldDescriptor) bool {
	o, _ := proto.GetExtension(fd.Options(), E_F).(*FieldOptions)
	return o.GetPersonal()
}

// PersonalValue is one value of a field with the option personal, that is not empty.
type PersonalValue struct {
	Path  string // where it stands: "safety_phone", "steps[2].actor_name"
	Field protoreflect.FieldDescriptor
	Text  string // empty for bytes
	set   func(string)
	clear func()
}

// Set puts another text in its place.
func (p PersonalValue) Set(text string) { p.set(text) }

// Drop takes the value away: of bytes there is no mask.
func (p PersonalValue) Drop() { p.clear() }

// Binary says that the value is of bytes.
func (p PersonalValue) Binary() bool { return p.Field.Kind() == protoreflect.BytesKind }

// EachPersonal calls fn for every personal value of a message, in the order of the definition, until fn returns false.
func EachPersonal(m proto.Message, fn func(PersonalValue) bool) {
	if m == nil || !HoldsPersonal(m.ProtoReflect().Descriptor()) {
		return
	}
	eachPersonal(m.ProtoReflect(), "", fn)
}

func eachPersonal(m protoreflect.Message, path string, fn func(PersonalValue) bool) bool {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		message := fd.Kind() == protoreflect.MessageKind
		if !m.Has(fd) || !message && !personal(fd) || message && !HoldsPersonal(fd.Message()) {
			continue
		}
		at := path + string(fd.Name())
		if fd.IsList() {
			list := m.Get(fd).List()
			for j := range list.Len() {
				here := fmt.Sprintf("%s[%d]", at, j)
				if message && !eachPersonal(list.Get(j).Message(), here+".", fn) {
					return false
				}
				if message || list.Get(j).String() == "" {
					continue
				}
				set := func(s string) { list.Set(j, protoreflect.ValueOfString(s)) }
				if !fn(PersonalValue{here, fd, list.Get(j).String(), set, func() { set("") }}) {
					return false
				}
			}
			continue
		}
		if message {
			if !eachPersonal(m.Get(fd).Message(), at+".", fn) {
				return false
			}
			continue
		}
		v := PersonalValue{Path: at, Field: fd, clear: func() { m.Clear(fd) }, set: func(s string) { m.Set(fd, protoreflect.ValueOfString(s)) }}
		if !v.Binary() {
			v.Text = m.Get(fd).String()
		}
		if !fn(v) {
			return false
		}
	}
	return true
}

// Sealed is a personal text as records hold it at rest and on their way, sealed with a key of a site (DataKey). Nothing of it
// stands in clear, not even its mask: of a telephone number that would leave four digits to guess. The text is
// "~site~number~nonce and ciphertext in base64url".
type Sealed struct{ Site, Number, Cipher string }

const (
	sealedMark  = "~"
	sealedParts = 4
	hidden      = "***" // what is shown of a sealed text whose key is not here
)

// ParseSealed reads a sealed text; false when it is none.
func ParseSealed(text string) (Sealed, bool) {
	parts := strings.Split(text, sealedMark)
	if len(parts) != sealedParts || parts[0] != "" || parts[1] == "" || parts[2] == "" || parts[3] == "" {
		return Sealed{}, false
	}
	return Sealed{parts[1], parts[2], parts[3]}, true
}

// String writes a sealed text.
func (s Sealed) String() string {
	return strings.Join([]string{"", s.Site, s.Number, s.Cipher}, sealedMark)
}

const sealedMost = 2048 // bytes of a sealed text

// personalFits says whether a personal text is at most so many characters; those of a sealed one were counted where it was sealed.
func personalFits(text string, most int) bool {
	if _, sealed := ParseSealed(text); sealed {
		return len(text) <= sealedMost
	}
	return utf8.RuneCountInString(text) <= most
}

// Masks keep as much of a value as tells two people apart: of a name the first and the last character, of a number the
// first three digits and the last four (GB/T 37964-2019, masking).
const (
	digitsOfNumber = 7 // a text with so many digits, or stars for them, is taken for a number
	headOfNumber   = 3
	tailOfNumber   = 4
	starsMost      = 6
)

// Mask hides most of a name, a telephone number or an address of electronic mail; of a sealed text, which must be
// opened first, nothing is left. A mask masked again is the same.
func Mask(text string) string {
	if _, sealed := ParseSealed(text); sealed {
		return hidden
	}
	text = strings.TrimSpace(text)
	if local, domain, mail := strings.Cut(text, "@"); mail {
		return maskText([]rune(local), 1, 0) + "@" + domain
	}
	r := []rune(text)
	digits := 0
	for _, c := range r {
		if unicode.IsDigit(c) || c == '*' {
			digits++
		}
	}
	switch {
	case digits >= digitsOfNumber && len(r) > headOfNumber+tailOfNumber:
		return maskText(r, headOfNumber, tailOfNumber)
	case len(r) > 2:
		return maskText(r, 1, 1)
	}
	return maskText(r, min(1, len(r)-1), 0)
}

// maskText keeps the beginning and the end of a text; how long it was is told up to a bound only.
func maskText(r []rune, head, tail int) string {
	if len(r) == 0 {
		return ""
	}
	head = min(max(head, 0), len(r))
	stars := max(1, min(len(r)-head-tail, starsMost))
	return string(r[:head]) + strings.Repeat("*", stars) + string(r[len(r)-tail:])
}
