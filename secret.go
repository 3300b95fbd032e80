package promptrails

import (
	"crypto/subtle"
	"fmt"
	"log/slog"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Secret holds a token, key or value that must not show. Every formatting
// verb, logger and encoder writes [redacted] in its place; only [Secret.Reveal]
// gives the text. The package's own requests carry it in the clear.
//
// A Secret cannot be compared with ==; use [Secret.Equal]. The zero Secret
// holds nothing.
type Secret struct {
	// A closure, since fmt and every encoder that reads fields by reflection
	// print a string that stands in an unexported field of a parent.
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

// IsZero reports whether s holds nothing.
func (s Secret) IsZero() bool { return s.reveal == nil }

// Equal reports whether s and t hold the same text, in a time that does not
// depend on where they differ.
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

// Format implements [fmt.Formatter]: every verb writes what String returns.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements [encoding.TextMarshaler], and so JSON, XML and the
// like, with what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: s holds text from then
// on. The text [redacted] is an error, since the secret behind it is lost.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == wire.Redacted {
		return wire.ErrRedacted
	}
	*s = NewSecret(string(text))
	return nil
}
