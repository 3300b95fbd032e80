package api

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/schema"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// maxParameter is the maximum length of a query parameter's value in bytes.
const maxParameter = 500

// queries decodes queries into the parameter types of the client.
var queries = newQueryDecoder()

func newQueryDecoder() *schema.Decoder {
	d := schema.NewDecoder()
	d.SetAliasTag("url")
	d.IgnoreUnknownKeys(true)
	d.RegisterConverter(0, counted(func(n int64) any { return int(n) }))
	d.RegisterConverter(int64(0), counted(func(n int64) any { return n }))
	d.RegisterConverter(time.Time{}, func(s string) reflect.Value {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return reflect.Value{}
		}
		return reflect.ValueOf(t)
	})
	return d
}

// counted converts pages, limits and sequence numbers, which start at 1.
func counted(as func(int64) any) schema.Converter {
	return func(s string) reflect.Value {
		n, err := strconv.ParseInt(s, 10, 53)
		if err != nil || n < 1 {
			return reflect.Value{}
		}
		return reflect.ValueOf(as(n))
	}
}

// decodeQuery decodes a query into params. It also accepts the parameters in
// others.
func decodeQuery(raw string, params any, others ...string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return service.BadRequest("the query is malformed; percent-encode its values")
	}
	bad, known := map[string]string{}, append(parameters(reflect.TypeOf(params).Elem()), others...)
	for name, given := range values {
		switch {
		case !slices.Contains(known, name):
			bad[fmt.Sprintf("%.100s", strings.ToValidUTF8(name, "\ufffd"))] = "is not a parameter of this request"
		case len(given) > 1:
			bad[name] = "must be given only once"
		case !utf8.ValidString(given[0]) || strings.ContainsRune(given[0], 0):
			bad[name] = "must be UTF-8 without NUL"
		case len(given[0]) > maxParameter:
			bad[name] = fmt.Sprintf("must be at most %d bytes", maxParameter)
		case given[0] == "":
			delete(values, name) // the same as omitted
		}
	}
	if len(bad) > 0 {
		return service.Invalid(bad)
	}
	faults, ok := errors.AsType[schema.MultiError](queries.Decode(params, values))
	if !ok {
		return nil
	}
	for name, fault := range faults {
		bad[name] = "is invalid"
		if c, ok := errors.AsType[schema.ConversionError](fault); ok {
			bad[name] = "must be an integer of at least 1"
			if c.Type == reflect.TypeFor[time.Time]() {
				bad[name] = "must be a time such as 2026-01-31T12:00:00Z"
			}
		}
	}
	return service.Invalid(bad)
}

// parameters returns the names of the query parameters of a struct type.
func parameters(t reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(t) {
		if tag, ok := f.Tag.Lookup("url"); ok && tag != "-" {
			name, _, _ := strings.Cut(tag, ",")
			names = append(names, name)
		}
	}
	return names
}

func decodeBody(body []byte, params any) error {
	if jsontext.Value(body).Kind() != '{' {
		return service.BadRequest("the body must be a JSON object")
	}
	err := wire.DecodeStrict(body, params)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return service.Invalid(map[string]string{field(e.JSONPointer): "is duplicated"})
		}
		return service.BadRequest("the body must be one JSON document in UTF-8: syntax error at byte %d", e.ByteOffset)
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return service.BadRequest("the body must be one JSON document in UTF-8")
	}
	return service.Invalid(map[string]string{field(e.JSONPointer): misfit(e)})
}

// field converts a JSON pointer to a path with dots.
func field(p jsontext.Pointer) string {
	if p == "" {
		return "body"
	}
	var parts []string
	for token := range p.Tokens() {
		parts = append(parts, token)
	}
	return strings.Join(parts, ".")
}

// misfit returns the fault of a value of the wrong type. The fault states the
// expected type and does not include the value.
func misfit(e *json.SemanticError) string {
	if errors.Is(e, json.ErrUnknownName) {
		return "is not a field of this request"
	}
	if errors.Is(e, wire.ErrRedacted) {
		return "must be the secret itself, not " + wire.Redacted
	}
	t := e.GoType
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
		return "has the wrong type"
	case t == reflect.TypeFor[time.Time]():
		return "must be a time such as 2026-01-31T12:00:00Z, or null"
	case t == reflect.TypeFor[promptrails.Secret](), t.Kind() == reflect.String:
		return "must be a string"
	case t.Kind() == reflect.Bool:
		return "must be true or false"
	case t.Kind() == reflect.Slice:
		return "must be a list"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return "must be an object"
	default:
		return "must be an integer in the supported range"
	}
}
