package promptrails

import (
	"encoding"
	encodingjson "encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// fields decodes objects to a struct type, several times faster than package json.
// It knows the usual forms of values only. Package json decodes the others.
type fields struct {
	list    []field
	index   map[string]int64 // by the name in quotes
	first   atomic.Int64     // the index of the member that came first in the last object
	retains bool             // the type is textual
}

type field struct {
	name string // in quotes
	at   int    // the index in the struct
	set  setter
	next atomic.Int64 // the index of the member that came next in the last object
}

// setter sets v to a value, which is valid JSON. It reports false for a form that
// it does not know; v is then undefined.
type setter func(v reflect.Value, value string) bool

// textual is implemented by types that retain the text of their value.
type textual interface{ setText(text string) }

// fieldsOf returns the fields of t, or nil if package json has to decode it.
func fieldsOf(t reflect.Type) *fields {
	if known, ok := allFields.Load(t); ok {
		return known.(*fields) //nolint:forcetypeassert // the only type in the map
	}
	f := newFields(t)
	allFields.Store(t, f)
	return f
}

var allFields sync.Map // from reflect.Type to *fields

func newFields(t reflect.Type) *fields {
	retains := isTextual(t)
	if t.Kind() != reflect.Struct || decodesItself(t) && !retains {
		return nil
	}
	f := &fields{list: make([]field, 0, t.NumField()), index: map[string]int64{}, retains: retains}
	for i := range t.NumField() {
		member := t.Field(i)
		name, options, _ := strings.Cut(member.Tag.Get("json"), ",")
		switch {
		case member.Anonymous, name == "" && member.IsExported(), options != "" && options != "omitzero" && options != "omitempty":
			return nil
		case !member.IsExported(), name == "-":
			continue
		}
		name = strconv.Quote(name)
		if _, again := f.index[name]; again || strings.Contains(name, `'`) {
			return nil // errors by the rules of package json
		}
		f.index[name] = int64(len(f.list))
		f.list = append(f.list, field{name: name, at: i, set: setterOf(member.Type)})
	}
	if len(f.list) == 0 {
		return nil
	}
	return f
}

// decode sets the fields of v, which is zero, to the members of an object.
func (f *fields) decode(v reflect.Value, object string) bool {
	if object[0] != '{' {
		return false
	}
	members, guess := wire.Scan(object), &f.first
	for {
		name, value, ok := members.Member()
		if !ok {
			return !f.retains || setText(v, object)
		}
		member := guess.Load()
		if f.list[member].name != name {
			switch member, ok = f.index[name]; {
			case ok:
				guess.Store(member)
			case strings.Contains(name, `\`):
				return false
			default:
				continue
			}
		}
		known := &f.list[member]
		if !known.set(v.Field(known.at), value) {
			return false
		}
		guess = &known.next
	}
}

func setterOf(t reflect.Type) setter {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return orNull(setTime)
	case isTextual(t):
		if f := fieldsOf(t); f != nil {
			return f.decode
		}
		return setText
	case decodesItself(t), t == reflect.TypeFor[time.Duration]():
		return decodeValue
	}
	switch t.Kind() { //nolint:exhaustive // package json decodes the others
	case reflect.String:
		return orNull(setString)
	case reflect.Bool:
		return orNull(setBool)
	case reflect.Int, reflect.Int64:
		return orNull(setInt)
	case reflect.Pointer:
		return orNull(setPointer(t.Elem()))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return orNull(setStrings(setterOf(t.Elem())))
		}
	case reflect.Struct:
		if f := fieldsOf(t); f != nil {
			return orNull(f.decode)
		}
	}
	return decodeValue
}

func isTextual(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[textual]())
}

// decodesItself reports whether a type implements an interface of package json.
func decodesItself(t reflect.Type) bool {
	t = reflect.PointerTo(t)
	return t.Implements(reflect.TypeFor[json.UnmarshalerFrom]()) || t.Implements(reflect.TypeFor[encodingjson.Unmarshaler]()) ||
		t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// decodeValue sets v with package json.
func decodeValue(v reflect.Value, value string) bool {
	return wire.Decode([]byte(value), v.Addr().Interface()) == nil
}

func orNull(set setter) setter {
	return func(v reflect.Value, value string) bool { return value == "null" || set(v, value) }
}

func setText(v reflect.Value, value string) bool {
	target, ok := reflect.TypeAssert[textual](v.Addr())
	if ok {
		target.setText(value)
	}
	return ok
}

func setString(v reflect.Value, value string) bool {
	text, ok := plain(value)
	if ok {
		v.SetString(text)
	}
	return ok
}

// plain returns the text of a string without escapes.
func plain(value string) (text string, ok bool) {
	if value[0] != '"' || strings.IndexByte(value, '\\') >= 0 {
		return "", false
	}
	return value[1 : len(value)-1], true
}

// unquote returns the text of a string.
func unquote(value string) string {
	if text, ok := plain(value); ok {
		return text
	}
	text, _ := jsontext.AppendUnquote(nil, value) // valid JSON
	return string(text)
}

func setBool(v reflect.Value, value string) bool {
	v.SetBool(value == "true")
	return value == "true" || value == "false"
}

func setInt(v reflect.Value, value string) bool {
	n, err := strconv.ParseInt(value, 10, v.Type().Bits())
	v.SetInt(n)
	return err == nil
}

func setTime(v reflect.Value, value string) bool {
	at, ok := parseTime(value)
	*v.Addr().Interface().(*time.Time) = at //nolint:forcetypeassert // setterOf compared the type
	return ok
}

// parseTime parses an RFC 3339 time. It reports false for other values, including
// those that only time.Parse accepts.
func parseTime(value string) (at time.Time, ok bool) {
	text, ok := plain(value)
	if !ok || len(text) < len("2006-01-02T15:04:05Z") || text[13] != ':' || text[19] != '.' && text[19] != 'Z' {
		return at, false
	}
	at, err := time.Parse(time.RFC3339, text)
	return at, err == nil
}

func setPointer(to reflect.Type) setter {
	set := sync.OnceValue(func() setter { return setterOf(to) }) // later, because a type may contain a pointer to itself
	return func(v reflect.Value, value string) bool {
		v.Set(reflect.New(to))
		return set()(v.Elem(), value)
	}
}

func setStrings(set setter) setter {
	return func(v reflect.Value, array string) bool {
		if array[0] != '[' {
			return false
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, min(strings.Count(array, `"`)/2, maxPresizedStrings)))
		elements := wire.Scan(array)
		for n := 0; ; n++ {
			value, ok := elements.Element()
			if !ok {
				return true
			}
			if n == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(n + 1)
			if !set(v.Index(n), value) {
				return false
			}
		}
	}
}

// maxPresizedStrings limits the memory that is allocated for a list before its
// elements are decoded.
const maxPresizedStrings = 64
