package service

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Document is a JSON object. It preserves the order of the members and their
// values byte for byte, except for white space between tokens.
type Document []Field

// Field is one member of a document.
type Field struct {
	Name  string
	Value jsontext.Value
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (d *Document) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	object, err := dec.ReadValue()
	if err != nil {
		return err
	}
	*d, err = parseDocument(object)
	return err
}

// parseDocument parses a well-formed object.
func parseDocument(object jsontext.Value) (Document, error) {
	var d Document
	err := wire.EachMember(object, func(name string, _, value jsontext.Value) error {
		d = append(d, Field{name, value.Clone()})
		return nil
	})
	return d, err
}

// MarshalJSONTo implements [json.MarshalerTo].
func (d Document) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range d {
		if err := enc.WriteToken(jsontext.String(m.Name)); err != nil {
			return err
		}
		if err := enc.WriteValue(m.Value); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}

// get returns the value of a member, or nil if it does not exist.
func (d Document) get(name string) jsontext.Value {
	if i := slices.IndexFunc(d, func(m Field) bool { return m.Name == name }); i >= 0 {
		return d[i].Value
	}
	return nil
}

// text returns the value of a string member, or "".
func (d Document) text(name string) string {
	var s string
	if v := d.get(name); v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// with returns a copy of the document with a member set to value. An existing
// member keeps its position.
func (d Document) with(name string, value jsontext.Value) Document {
	d = slices.Clone(d)
	if i := slices.IndexFunc(d, func(m Field) bool { return m.Name == name }); i >= 0 {
		d[i].Value = value
		return d
	}
	return append(d, Field{name, value})
}

// or returns the document with a member set to value if it does not exist.
func (d Document) or(name string, value jsontext.Value) Document {
	if d.get(name) != nil {
		return d
	}
	return append(slices.Clip(d), Field{name, value})
}

// merge returns a copy of the document with the members of patch. A replaced
// member keeps its position.
func (d Document) merge(patch Document) Document {
	merged := slices.Clone(d)
	at := make(map[string]int, len(d))
	for i, m := range d {
		at[m.Name] = i
	}
	for _, m := range patch { // its names are unique
		if i, ok := at[m.Name]; ok {
			merged[i].Value = m.Value
		} else {
			merged = append(merged, m)
		}
	}
	return merged
}

// without returns the document without some members.
func (d Document) without(names ...string) Document {
	return slices.DeleteFunc(slices.Clone(d), func(m Field) bool { return slices.Contains(names, m.Name) })
}

// value encodes v, which must not contain secrets.
func value(v any) jsontext.Value {
	encoded, err := wire.Encode(v)
	if err != nil {
		panic(err) // cannot happen: v consists of strings, numbers and times
	}
	return encoded
}

// changes returns the members of the document for the changelog. Numbers that a
// decoder might round are strings.
func (d Document) changes() map[string]any {
	fields := map[string]any{}
	for _, m := range d {
		fields[m.Name] = exactNumbers(m.Value)
	}
	return fields
}

// exactNumbers replaces the numbers in a value that a decoder might round by
// strings with all their digits.
func exactNumbers(v jsontext.Value) jsontext.Value {
	var out []byte
	last := 0
	dec := jsontext.NewDecoder(strings.NewReader(string(v)))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			break // end of the value
		}
		if token.Kind() != '0' {
			continue
		}
		text := token.String()
		end := int(dec.InputOffset())
		if wire.IsExact(text) {
			continue
		}
		out = append(out, v[last:end-len(text)]...)
		out = append(out, `"`+text+`"`...)
		last = end
	}
	if last == 0 {
		return v
	}
	return append(out, v[last:]...)
}

// holdsNUL reports whether a string in a value contains NUL, at any depth.
func holdsNUL(v jsontext.Value) bool {
	if !strings.Contains(string(v), `\u0000`) {
		return false
	}
	dec := jsontext.NewDecoder(strings.NewReader(string(v)))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return false
		}
		if token.Kind() == '"' && strings.ContainsRune(token.String(), 0) {
			return true
		}
	}
}
