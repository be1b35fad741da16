package portal

import (
	"reflect"
	"sync"

	"dusthub/schema"

	"github.com/danielgtaylor/huma/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/runtime/protoimpl"
)

// Personal data leaves the site through one place: every answer is passed through a veil (apiConfig's transformers) that
// masks the fields the schema marks as personal, in whatever record of whatever answer they stand, unless the viewer may
// read them (viewer.knows). A handler that forgets about it masks all the same. Files are no answers of the API's
// types: exports pass their records through shown.

// veil masks what a value of its type holds, and says whether that changed anything. Values are never changed in place: they
// may be the read model's. nil: values of the type hold nothing personal.
type veil func(*mask, reflect.Value) (reflect.Value, bool)

// veils are those of the types met so far.
var veils sync.Map // reflect.Type -> veil

// personalTag marks fields of the portal's own types, as the option personal does those of records.
const personalTag = "personal"

var messageType = reflect.TypeFor[proto.Message]()

func veilOf(t reflect.Type) veil {
	if known, ok := veils.Load(t); ok {
		return known.(veil)
	}
	v := makeVeil(t, map[reflect.Type]bool{})
	veils.Store(t, v)
	return v
}

// makeVeil looks at a type. A type that is met within itself is looked at anew when a value of it is met.
func makeVeil(t reflect.Type, within map[reflect.Type]bool) veil {
	if within[t] {
		return func(m *mask, v reflect.Value) (reflect.Value, bool) { return veilOf(t).apply(m, v) }
	}
	within[t] = true
	defer delete(within, t)
	if isMessage(t) {
		return messageVeil(t)
	}
	switch t.Kind() {
	case reflect.Interface:
		return func(m *mask, v reflect.Value) (reflect.Value, bool) {
			if v.IsNil() {
				return v, false
			}
			return veilOf(v.Elem().Type()).apply(m, v.Elem())
		}
	case reflect.Pointer:
		return pointerVeil(makeVeil(t.Elem(), within))
	case reflect.Slice, reflect.Array:
		return listVeil(makeVeil(t.Elem(), within))
	case reflect.Map:
		return mapVeil(makeVeil(t.Elem(), within))
	case reflect.Struct:
		return structVeil(t, within)
	}
	return nil
}

// isMessage says whether a type is a message's own, and not one of ours that has a message in it.
func isMessage(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || !t.Implements(messageType) {
		return false
	}
	f, ok := t.Elem().FieldByName("state")
	return ok && len(f.Index) == 1 && f.Type == reflect.TypeFor[protoimpl.MessageState]()
}

// apply is the veil of a value; a type that holds nothing personal is left as it is.
func (f veil) apply(m *mask, v reflect.Value) (reflect.Value, bool) {
	if f == nil {
		return v, false
	}
	return f(m, v)
}

func messageVeil(t reflect.Type) veil {
	if !schema.HoldsPersonal(reflect.Zero(t).Interface().(proto.Message).ProtoReflect().Descriptor()) {
		return nil
	}
	return func(m *mask, v reflect.Value) (reflect.Value, bool) {
		if v.IsNil() {
			return v, false
		}
		was := v.Interface().(proto.Message)
		is := m.record(was)
		return reflect.ValueOf(is), is != was
	}
}

func pointerVeil(of veil) veil {
	if of == nil {
		return nil
	}
	return func(m *mask, v reflect.Value) (reflect.Value, bool) {
		if v.IsNil() {
			return v, false
		}
		elem, changed := of(m, v.Elem())
		if !changed {
			return v, false
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(elem)
		return p, true
	}
}

func listVeil(of veil) veil {
	if of == nil {
		return nil
	}
	return func(m *mask, v reflect.Value) (reflect.Value, bool) {
		out, touched := v, false
		for i := range v.Len() {
			elem, changed := of(m, v.Index(i))
			if !changed {
				continue
			}
			if !touched {
				touched = true
				out = reflect.New(v.Type()).Elem()
				if v.Kind() == reflect.Slice {
					out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
				}
				reflect.Copy(out, v)
			}
			out.Index(i).Set(elem)
		}
		return out, touched
	}
}

func mapVeil(of veil) veil {
	if of == nil {
		return nil
	}
	return func(m *mask, v reflect.Value) (reflect.Value, bool) {
		var out reflect.Value
		for _, k := range v.MapKeys() {
			elem, changed := of(m, v.MapIndex(k))
			if !changed {
				continue
			}
			if !out.IsValid() {
				out = reflect.MakeMapWithSize(v.Type(), v.Len())
				for _, k := range v.MapKeys() {
					out.SetMapIndex(k, v.MapIndex(k))
				}
			}
			out.SetMapIndex(k, elem)
		}
		if !out.IsValid() {
			return v, false
		}
		return out, true
	}
}

func structVeil(t reflect.Type, within map[reflect.Type]bool) veil {
	fields := map[int]veil{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		if _, tagged := f.Tag.Lookup(personalTag); tagged {
			fields[i] = textVeil
		} else if of := makeVeil(f.Type, within); of != nil {
			fields[i] = of
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return func(m *mask, v reflect.Value) (reflect.Value, bool) {
		out, touched := v, false
		for i, of := range fields {
			elem, changed := of(m, v.Field(i))
			if !changed {
				continue
			}
			if !touched {
				touched = true
				out = reflect.New(t).Elem()
				out.Set(v)
			}
			out.Field(i).Set(elem)
		}
		return out, touched
	}
}

// textVeil masks a text of the portal's own types: those of people, which the security administrator keeps.
func textVeil(m *mask, v reflect.Value) (reflect.Value, bool) {
	was := v.String()
	is := m.text("", was, m.v.keepsPeople())
	return reflect.ValueOf(is).Convert(v.Type()), is != was
}

// veiled passes an answer through the veil of who asked.
func (s *Server) veiled(ctx huma.Context, _ string, body any) (any, error) {
	if body == nil {
		return body, nil
	}
	v, _ := ctx.Context().Value(viewerKey{}).(*viewer)
	out, _ := veilOf(reflect.TypeOf(body)).apply(&mask{s: s, v: v}, reflect.ValueOf(body))
	return out.Interface(), nil
}
