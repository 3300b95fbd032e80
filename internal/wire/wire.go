// Package wire is the JSON of the API: the options that the client and the
// service encode and decode with, so that the two can never disagree.
package wire

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Redacted is what stands in place of a secret wherever one must not show.
const Redacted = "[redacted]"

// TimeFormat is how the service writes a time: RFC 3339 in UTC, always with
// six digits after the second.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// ErrRedacted refuses a redaction mark that is about to be sent, or stored, as
// if it were the secret that it stands for.
var ErrRedacted = errors.New(`"` + Redacted + `" marks a secret that was taken out; it is not a value`)

// Failure is the envelope of an error.
type Failure struct {
	Error FailureBody `json:"error"`
}

// FailureBody says what went wrong.
type FailureBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Details any    `json:"details,omitzero"`
}

// revealer is promptrails.Secret, seen from below.
type revealer interface{ Reveal() string }

var encodeOptions = json.JoinOptions(
	json.FormatNilSliceAsNull(true),
	json.Deterministic(true),
	jsontext.PreserveRawStrings(true), // a value that is passed on stays as it came
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(encodeTime),
		json.MarshalToFunc(encodeSecret),
	)),
)

func encodeTime(enc *jsontext.Encoder, t time.Time) error {
	if t.IsZero() {
		return enc.WriteToken(jsontext.Null)
	}
	return enc.WriteToken(jsontext.String(t.UTC().Format(TimeFormat)))
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

// EncodeTo is Encode into w.
func EncodeTo(w io.Writer, v any) error { return json.MarshalWrite(w, v, encodeOptions) }

// Decode reads one JSON document into v. Duplicate names, invalid UTF-8 and
// anything behind the document are errors; unknown names are not.
func Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

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

// Secrets returns the secrets that Encode would reveal in v, so that they can
// be kept out of an error message.
func Secrets(v any) []string {
	var found []string
	collect := json.MarshalToFunc(func(enc *jsontext.Encoder, s revealer) error {
		found = append(found, s.Reveal())
		return enc.WriteToken(jsontext.Null)
	})
	// What cannot be encoded was never sent.
	_ = json.MarshalWrite(io.Discard, v, json.WithMarshalers(collect))
	return found
}
