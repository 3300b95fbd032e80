// Package wire encodes and decodes the JSON of the API. The client and the
// service share it.
package wire

import (
	"bytes"
	"cmp"
	encodingjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/promptrails-community/promptrails-go/internal/redact"
)

// Redacted replaces a secret that must not be shown.
const Redacted = redact.Mark

// TimeFormat is the format of a time in responses: RFC 3339 in UTC with six
// fractional digits.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// ErrRedacted is returned when a redaction mark is encoded as the value of a
// secret.
var ErrRedacted = errors.New(`"` + Redacted + `" is the mark of a redacted secret, not a value`)

// revealer is implemented by promptrails.Secret, which wire cannot import.
type revealer interface{ Reveal() string }

var (
	formOptions = json.JoinOptions(
		json.FormatNilSliceAsNull(true),
		json.Deterministic(true),
		jsontext.PreserveRawStrings(true), // raw values are passed on unchanged
	)
	times         = json.MarshalToFunc(encodeTime)
	secrets       = json.MarshalToFunc(encodeSecret)
	ours          = json.JoinMarshalers(times, secrets)
	callers       = json.JoinMarshalers(json.MarshalToFunc(encodeNumber), secrets)
	encodeOptions = json.JoinOptions(formOptions, json.WithMarshalers(ours))
	showOptions   = json.JoinOptions(formOptions, json.WithMarshalers(times))

	// The rules of encoding/json with three exceptions, because they lose or
	// change data: duplicate names and invalid UTF-8 are errors, and < > & are not
	// escaped.
	callerOptions = json.JoinOptions(
		jsonv1.DefaultOptionsV1(),
		jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false),
		jsontext.EscapeForHTML(false), jsontext.EscapeForJS(false), jsontext.PreserveRawStrings(true),
		json.WithMarshalers(callers),
	)
)

func encodeTime(enc *jsontext.Encoder, t time.Time) error {
	switch {
	case t.IsZero():
		return enc.WriteToken(jsontext.Null)
	case t.Nanosecond()%1000 != 0: // from another server
		return enc.WriteToken(jsontext.String(t.UTC().Format(time.RFC3339Nano)))
	default:
		return enc.WriteToken(jsontext.String(t.UTC().Format(TimeFormat)))
	}
}

func encodeNumber(enc *jsontext.Encoder, n encodingjson.Number) error {
	text := jsontext.Value(cmp.Or(string(n), "0"))
	if text.Kind() != '0' {
		return fmt.Errorf("%q is not a number", string(n))
	}
	return enc.WriteValue(text)
}

func encodeSecret(enc *jsontext.Encoder, s revealer) error {
	v := s.Reveal()
	if v == Redacted {
		return ErrRedacted
	}
	return enc.WriteToken(jsontext.String(v))
}

// Encode returns v as JSON with its secrets revealed. It is for requests and
// responses, not for logs.
func Encode(v any) ([]byte, error) { return json.Marshal(v, encodeOptions) }

// Show returns v as JSON with its secrets redacted.
func Show(v any) ([]byte, error) { return json.Marshal(v, showOptions) }

// EncodeNested encodes v as a value nested in the output of enc, with the options
// of the API. Within [Encode] and [EncodeCaller] its secrets are revealed;
// otherwise they are redacted.
func EncodeNested(enc *jsontext.Encoder, v any) error {
	switch within, _ := json.GetOption(enc.Options(), json.WithMarshalers); within {
	case ours, times:
		return json.MarshalEncode(enc, v)
	case callers:
		return json.MarshalEncode(enc, v, json.DefaultOptionsV2(), encodeOptions)
	default: // the encoder was not created by this package
		return json.MarshalEncode(enc, v, json.DefaultOptionsV2(), formOptions, json.WithMarshalers(json.JoinMarshalers(within, times)))
	}
}

// EncodeCaller returns v, a value of a type defined by the caller, as JSON by the
// rules of encoding/json, with its secrets revealed. Unlike encoding/json it
// does not escape < > &, and duplicate names and invalid UTF-8 are errors.
func EncodeCaller(v any) ([]byte, error) { return json.Marshal(v, callerOptions) }

// EncodeTo writes v to w as [Encode] does.
func EncodeTo(w io.Writer, v any) error { return json.MarshalWrite(w, v, encodeOptions) }

// Decode decodes one JSON document into v. It ignores unknown names and a leading
// byte order mark. Duplicate names, invalid UTF-8 and data after the document are
// errors.
func Decode(data []byte, v any) error {
	return json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), v)
}

// DecodeStrict decodes one JSON document into v. Unlike [Decode] it returns an
// error for unknown names and for a byte order mark. It is used for requests.
func DecodeStrict(data []byte, v any) error {
	return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
}

// IsExact reports whether every JSON decoder reads a number exactly: its
// magnitude is at most 2^53, and a float64 represents all its digits.
func IsExact(number string) bool {
	const integers = 1 << 53
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && f >= -integers && f <= integers && normal(number) == normal(strconv.FormatFloat(f, 'g', -1, 64))
}

// normal returns the canonical form of a number: its sign, its digits without
// leading and trailing zeros, and its power of ten.
func normal(s string) string {
	s, negative := strings.CutPrefix(s, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	power, err := strconv.ParseInt(cmp.Or(strings.TrimPrefix(exponent, "+"), "0"), 10, 32)
	if err != nil {
		return s // out of range for a float64
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return "0"
	}
	return fmt.Sprintf("%t %s %d", negative, trimmed, int(power)-len(fraction)+len(digits)-len(trimmed))
}

// ErrStop can be returned by the function passed to [EachMember] to stop early.
var ErrStop = errors.New("stop")

// EachMember calls fn for each member of an object, with the decoded name, the
// raw name and the raw value. The raw name and value are valid until fn returns.
// EachMember stops at the first error and returns it.
func EachMember(object jsontext.Value, fn func(name string, rawName, value jsontext.Value) error) error {
	if len(object) == 0 {
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return cmp.Or(err, errNoObject)
	}
	var rawName []byte
	for dec.PeekKind() == '"' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return err
		}
		rawName = append(rawName[:0], quoted...) // the decoder reuses its buffer
		name, err := jsontext.AppendUnquote(nil, rawName)
		if err != nil {
			return err
		}
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := fn(string(name), rawName, value); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

var errNoObject = errors.New("expected a JSON object")

// Secrets returns the secrets that [Encode] and [EncodeCaller] reveal in v, so
// that callers can redact them in error messages.
func Secrets(v any) []string {
	var found []string
	collect := json.MarshalToFunc(func(enc *jsontext.Encoder, s revealer) error {
		found = append(found, s.Reveal())
		return enc.WriteToken(jsontext.Null)
	})
	// The error is ignored: a value that cannot be encoded was not sent.
	_ = json.MarshalWrite(io.Discard, v, jsonv1.DefaultOptionsV1(), json.WithMarshalers(collect))
	return found
}
