package promptrails

import (
	"crypto/subtle"
	"fmt"
	"log/slog"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Secret holds a token, key or other secret value. Formatting verbs, loggers
// and encoders print it as [redacted]. Only [Secret.Reveal] returns the text.
// Requests of this package contain the text.
//
// A Secret cannot be compared with ==; use [Secret.Equal]. The zero Secret is
// empty.
type Secret struct {
	// reveal is a closure because fmt, and encoders that use reflection, would
	// print a string in an unexported field of an enclosing struct.
	reveal func() string
}

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Reveal returns the text. Do not log it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether s is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal reports whether s and t hold the same text. The comparison takes
// constant time for texts of equal length.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// String returns [redacted], or "" for the zero Secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return wire.Redacted
}

// Format implements [fmt.Formatter]. Every verb writes the result of String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler]. It returns the result of
// String. JSON, XML and other encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It sets s to text. The
// text [redacted] is an error.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == wire.Redacted {
		return wire.ErrRedacted
	}
	*s = NewSecret(string(text))
	return nil
}
