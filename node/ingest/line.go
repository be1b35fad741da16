package ingest

import (
	"errors"
	"strconv"
	"strings"
)

// Line protocol, as InfluxDB documents it:
//
//	measurement[,tag=value...] field=value[,field=value...] [timestamp]
//
// A backslash escapes a comma or space in a measurement, a comma, equals sign or space in tag keys, tag values and field keys,
// and a quote or backslash in a quoted string; before anything else it stands for itself. A quoted string may hold line ends.

// point is one line taken apart. Its strings share the line's memory unless they held escapes.
type point struct {
	measurement string
	tags        []pair
	fields      []field
	time        int64 // in units of the request's precision
	timed       bool
}

type pair struct{ key, value string }

type fieldKind uint8

const (
	kindNumber fieldKind = iota
	kindBool
	kindString
)

type field struct {
	key    string
	kind   fieldKind
	number float64 // of a boolean 0 or 1
	text   string  // of a string
}

// tag is the value of a tag.
func (p *point) tag(key string) (string, bool) {
	for _, t := range p.tags {
		if t.key == key {
			return t.value, true
		}
	}
	return "", false
}

var (
	errMeasurement = errors.New("no measurement")
	errTag         = errors.New("a tag is not key=value")
	errNoFields    = errors.New("no fields")
	errFieldKey    = errors.New("a field is not key=value")
	errFieldValue  = errors.New("a field's value is no number, boolean or string")
	errQuote       = errors.New("a string is not closed")
	errTimestamp   = errors.New("the timestamp is no integer")
	errTrailing    = errors.New("something follows the timestamp")
)

// nextLine cuts one line off, at the first line end that is not within a quoted field value.
func nextLine(s string) (line, rest string) {
	quoted, spaces := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && s[i+1] != '\n':
			i++
		case c == '"' && (quoted || spaces == 1 && s[max(0, i-1)] == '='):
			quoted = !quoted
		case c == '\n' && !quoted:
			return strings.TrimSuffix(s[:i], "\r"), s[i+1:]
		case c == ' ' && !quoted && i > 0 && s[i-1] != ' ':
			spaces++
		}
	}
	return strings.TrimSuffix(s, "\r"), ""
}

// parseLine takes a line apart into p, whose slices are used again.
func parseLine(line string, p *point) error {
	*p = point{tags: p.tags[:0], fields: p.fields[:0]}
	var err error
	rest := strings.TrimLeft(line, " ")
	if p.measurement, rest = cut(rest, ", "); p.measurement == "" {
		return errMeasurement
	}
	for strings.HasPrefix(rest, ",") {
		var t pair
		if t.key, rest = cut(rest[1:], ",= "); t.key == "" || !strings.HasPrefix(rest, "=") {
			return errTag
		}
		if t.value, rest = cut(rest[1:], ",= "); t.value == "" || strings.HasPrefix(rest, "=") {
			return errTag
		}
		p.tags = append(p.tags, t)
	}
	rest = strings.TrimLeft(rest, " ")
	if rest == "" {
		return errNoFields
	}
	for {
		var f field
		if f, rest, err = cutField(rest); err != nil {
			return err
		}
		p.fields = append(p.fields, f)
		if !strings.HasPrefix(rest, ",") {
			break
		}
		rest = rest[1:]
	}
	return p.stamp(strings.Trim(rest, " "))
}

func (p *point) stamp(rest string) error {
	if rest == "" {
		return nil
	}
	if strings.Contains(rest, " ") {
		return errTrailing
	}
	var err error
	if p.time, err = strconv.ParseInt(rest, 10, 64); err != nil {
		return errTimestamp
	}
	p.timed = true
	return nil
}

// cut reads up to the first byte of stop that is not escaped.
func cut(s, stop string) (token, rest string) {
	escaped := false
	i := 0
	for ; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(",= ", s[i+1]) >= 0 {
			escaped = true
			i++
			continue
		}
		if strings.IndexByte(stop, s[i]) >= 0 {
			break
		}
	}
	token, rest = s[:i], s[i:]
	if escaped {
		token = unescape(token, ",= ")
	}
	return token, rest
}

// unescape takes backslashes away that stand before one of special.
func unescape(s, special string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(special, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func cutField(s string) (f field, rest string, err error) {
	if f.key, rest = cut(s, ",= "); f.key == "" || !strings.HasPrefix(rest, "=") {
		return f, rest, errFieldKey
	}
	rest = rest[1:]
	if strings.HasPrefix(rest, `"`) {
		f.kind = kindString
		f.text, rest, err = cutString(rest[1:])
	} else {
		end := strings.IndexAny(rest, ", ")
		if end < 0 {
			end = len(rest)
		}
		err = f.scalar(rest[:end])
		rest = rest[end:]
	}
	if err == nil && rest != "" && rest[0] != ',' && rest[0] != ' ' {
		err = errFieldValue
	}
	return f, rest, err
}

func cutString(s string) (text, rest string, err error) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return unescape(s[:i], `"\`), s[i+1:], nil
		}
	}
	return "", "", errQuote
}

// scalar reads a boolean, an integer (1i), an unsigned integer (1u) or a float. What Go reads beyond that (hexadecimal, infinities,
// underscores) is none.
func (f *field) scalar(s string) error {
	switch s {
	case "t", "T", "true", "True", "TRUE":
		f.kind, f.number = kindBool, 1
		return nil
	case "f", "F", "false", "False", "FALSE":
		f.kind, f.number = kindBool, 0
		return nil
	case "":
		return errFieldValue
	}
	var err error
	switch last := s[len(s)-1]; {
	case last == 'i':
		var v int64
		v, err = strconv.ParseInt(s[:len(s)-1], 10, 64)
		f.number = float64(v)
	case last == 'u':
		var v uint64
		v, err = strconv.ParseUint(s[:len(s)-1], 10, 64)
		f.number = float64(v)
	case strings.Trim(s, "0123456789+-.eE") != "":
		return errFieldValue
	default:
		f.number, err = strconv.ParseFloat(s, 64)
	}
	if err != nil {
		return errFieldValue
	}
	return nil
}
