// Package wire is the JSON of the API: the options that the client and the
// service encode and decode with, so that the two can never disagree.
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

// Redacted replaces a secret wherever it must not show.
const Redacted = redact.Mark

// TimeFormat is how the service writes a time: RFC 3339 in UTC, always with
// six digits after the second.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// ErrRedacted refuses a redaction mark that is about to be sent, or stored, as
// if it were the secret that it stands for.
var ErrRedacted = errors.New(`"` + Redacted + `" marks a secret that was taken out; it is not a value`)

// revealer is promptrails.Secret, seen from below.
type revealer interface{ Reveal() string }

var (
	formOptions = json.JoinOptions(
		json.FormatNilSliceAsNull(true),
		json.Deterministic(true),
		jsontext.PreserveRawStrings(true), // a value that is passed on stays as it came
	)
	times         = json.MarshalToFunc(encodeTime)
	secrets       = json.MarshalToFunc(encodeSecret)
	ours          = json.JoinMarshalers(times, secrets)
	callers       = json.JoinMarshalers(json.MarshalToFunc(encodeNumber), secrets)
	encodeOptions = json.JoinOptions(formOptions, json.WithMarshalers(ours))
	showOptions   = json.JoinOptions(formOptions, json.WithMarshalers(times))

	// The rules of encoding/json, but for three of its habits that lose or change
	// what the caller gave: duplicate names, invalid UTF-8, and < > & escaped.
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
	case t.Nanosecond()%1000 != 0: // another server's
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

// Encode returns v as JSON with its secrets in the clear: for a request or an
// answer, never for a log.
func Encode(v any) ([]byte, error) { return json.Marshal(v, encodeOptions) }

// Show returns v in the form of the API, with its secrets redacted.
func Show(v any) ([]byte, error) { return json.Marshal(v, showOptions) }

// EncodeNested encodes v into the value that enc is in, in the form of the API.
// Within [Encode] and [EncodeCaller] its secrets are in the clear; otherwise
// they are redacted.
func EncodeNested(enc *jsontext.Encoder, v any) error {
	switch within, _ := json.GetOption(enc.Options(), json.WithMarshalers); within {
	case ours, times:
		return json.MarshalEncode(enc, v)
	case callers:
		return json.MarshalEncode(enc, v, json.DefaultOptionsV2(), encodeOptions)
	default: // another program's, or none
		return json.MarshalEncode(enc, v, json.DefaultOptionsV2(), formOptions, json.WithMarshalers(json.JoinMarshalers(within, times)))
	}
}

// EncodeCaller returns v, a value of the caller's own type, as JSON by the rules
// of encoding/json, with its secrets in the clear.
func EncodeCaller(v any) ([]byte, error) { return json.Marshal(v, callerOptions) }

// EncodeTo is Encode into w.
func EncodeTo(w io.Writer, v any) error { return json.MarshalWrite(w, v, encodeOptions) }

// Decode reads one JSON document into v. Duplicate names, invalid UTF-8 and
// text after the document are errors; unknown names are not. A byte order mark
// before the document is skipped.
func Decode(data []byte, v any) error {
	return json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), v)
}

// DecodeStrict is Decode that refuses unknown names too: for requests.
func DecodeStrict(data []byte, v any) error {
	return json.Unmarshal(data, v, json.RejectUnknownMembers(true))
}

// IsExact reports whether every reader of JSON gets a number as it is written: it
// lies within 2^53, and a float64 has it to its last digit.
func IsExact(number string) bool {
	const integers = 1 << 53
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && f >= -integers && f <= integers && normal(number) == normal(strconv.FormatFloat(f, 'g', -1, 64))
}

// normal writes a number as its digits, without a zero at either end, and the
// power of ten that they are multiplied with.
func normal(s string) string {
	s, negative := strings.CutPrefix(s, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	power, err := strconv.ParseInt(cmp.Or(strings.TrimPrefix(exponent, "+"), "0"), 10, 32)
	if err != nil {
		return s // no float64 reaches there
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return "0"
	}
	return fmt.Sprintf("%t %s %d", negative, trimmed, int(power)-len(fraction)+len(digits)-len(trimmed))
}

// ErrStop can be returned by the function of [EachMember] to stop early.
var ErrStop = errors.New("stop")

// EachMember calls fn with each member of an object: its name, and name and
// value as they are written, which are valid until fn returns. It stops at the
// first error and returns it.
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
		rawName = append(rawName[:0], quoted...) // the decoder's buffer moves on
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
// that they can be kept out of an error message.
func Secrets(v any) []string {
	var found []string
	collect := json.MarshalToFunc(func(enc *jsontext.Encoder, s revealer) error {
		found = append(found, s.Reveal())
		return enc.WriteToken(jsontext.Null)
	})
	// A value that cannot be encoded was never sent.
	_ = json.MarshalWrite(io.Discard, v, jsonv1.DefaultOptionsV1(), json.WithMarshalers(collect))
	return found
}
