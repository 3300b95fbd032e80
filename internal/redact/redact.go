// Package redact removes secrets from text written by another program, such as
// an error page that echoes the request. It finds secrets in plain text, in JSON,
// HTML and URL escapes, in base64 and in hex, also if they are broken over lines
// or truncated.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
)

// Mark replaces a secret.
const Mark = "[redacted]"

const (
	// minSecret is the minimum length of a secret in bytes. Shorter secrets are
	// ignored, because they would match everywhere.
	minSecret = 4
	// A part of a secret is redacted if it has at least a third of the secret's
	// bytes; this minimum is at least minPart and at most maxPart. A complete
	// secret is always redacted.
	minPart, maxPart = 8, 16
	// maxLevels is the maximum number of nested escapes that are decoded.
	maxLevels = 3
)

// Redactor removes a set of secrets.
type Redactor struct{ patterns []pattern }

// pattern is one form of a secret, without white space.
type pattern struct {
	text string
	part int // a run of this many bytes is redacted
}

// New returns a Redactor for secrets. It ignores secrets of less than 4 bytes.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		r.add(secret, minSecret)
		r.add(strings.ReplaceAll(secret, " ", "+"), minSecret) // in a query
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for offset := range 3 {
				r.add(encodedAt(encoding, secret, offset), minPart)
			}
		}
		r.add(hex.EncodeToString([]byte(secret)), minPart)
		r.add(strings.ToUpper(hex.EncodeToString([]byte(secret))), minPart)
	}
	return r
}

func (r *Redactor) add(text string, minSize int) {
	text = strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, text)
	same := func(p pattern) bool { return p.text == text }
	if len(text) >= minSize && !slices.ContainsFunc(r.patterns, same) {
		r.patterns = append(r.patterns, pattern{text, min(len(text), max(minPart, min(len(text)/3, maxPart)))})
	}
}

// encodedAt returns the base64 characters that depend only on the secret, when
// it follows offset bytes (modulo 3) of other text.
func encodedAt(e *base64.Encoding, secret string, offset int) string {
	encoded := e.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
	if offset > 0 {
		encoded = encoded[offset+1:]
	}
	if (offset+len(secret))%3 != 0 {
		encoded = encoded[:len(encoded)-1]
	}
	return encoded
}

// Clean returns text with each secret, and each long part of one, replaced by
// [Mark].
func (r *Redactor) Clean(text string) string {
	if len(r.patterns) == 0 || text == "" {
		return text
	}
	hidden := make([]bool, len(text)+1)
	found := false
	s := plain(text)
	for range maxLevels + 1 {
		for _, p := range r.patterns {
			found = s.hide(p, hidden) || found
		}
		decoded, changed := s.unescape()
		if !changed {
			break
		}
		s = decoded
	}
	if !found {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(Mark)
		}
	}
	return b.String()
}

// hide marks the bytes of the original text that hold p or a part of it.
func (s *stream) hide(p pattern, hidden []bool) (found bool) {
	mark := func(from, to int) {
		found = true
		for i := s.from[from]; i < s.to[to-1]; i++ {
			hidden[i] = true
		}
	}
	runs, done := s.runs(p.part), map[string]bool{}
	for i := 0; i+p.part <= len(p.text); i++ {
		run := p.text[i : i+p.part]
		if at := runs[run]; at != nil && !done[run] {
			done[run] = true
			for _, i := range at {
				mark(i, i+p.part)
			}
		}
	}
	for _, end := range s.cuts() {
		for n := min(p.part, end); n >= minSecret; n-- {
			if string(s.text[end-n:end]) == p.text[:n] {
				mark(end-n, end)
				break
			}
		}
	}
	return found
}

// runs returns the positions of each run of n bytes.
func (s *stream) runs(n int) map[string][]int {
	if index, ok := s.index[n]; ok {
		return index
	}
	index := make(map[string][]int, len(s.text))
	for i := 0; i+n <= len(s.text); i++ {
		run := string(s.text[i : i+n])
		index[run] = append(index[run], i)
	}
	s.index[n] = index
	return index
}

// cuts returns the positions where a secret may be truncated: the end of the text
// and each ellipsis.
func (s *stream) cuts() []int {
	ends := []int{len(s.text)}
	for _, ellipsis := range []string{"...", "…"} {
		for at := 0; ; {
			i := strings.Index(string(s.text[at:]), ellipsis)
			if i < 0 {
				break
			}
			ends = append(ends, at+i)
			at += i + len(ellipsis)
		}
	}
	return ends
}
