package masking

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Match is a value that was found, at offsets in bytes of the text.
type Match struct {
	Detector    promptrails.Detector
	Start, End  int // End is exclusive
	Placeholder string
}

// Replacements are the values that the placeholders of masked texts replace. It prints
// without them. It is safe for concurrent use.
type Replacements struct {
	key          [32]byte
	taken        map[string]bool   // what looks like a placeholder in the texts
	placeholders map[string]string // by the value, with its detector
	originals    map[string]string // by the placeholder
	sorted       []string          // the placeholders
	matches      []Match
}

const opening = "[PII_"

// lookalike matches what has the form of a placeholder.
var lookalike = regexp.MustCompile(`\[PII_[A-Z0-9_]+_[0-9a-f]{8}\]`)

func newReplacements(texts ...string) *Replacements {
	r := &Replacements{taken: map[string]bool{}, placeholders: map[string]string{}, originals: map[string]string{}}
	for _, text := range texts {
		if !strings.Contains(text, opening) {
			continue
		}
		for _, p := range lookalike.FindAllString(text, -1) {
			r.taken[p] = true
		}
	}
	_, _ = rand.Read(r.key[:]) // never fails
	return r
}

// placeholder returns what replaces a value. It reveals nothing about the value, and
// occurs in no text.
func (r *Replacements) placeholder(detector promptrails.Detector, value string) string {
	id := string(detector) + "\x00" + value
	if p, ok := r.placeholders[id]; ok {
		return p
	}
	digest := hmac.New(sha256.New, r.key[:])
	for {
		_, _ = io.WriteString(digest, id) // again, if the result is taken
		p := opening + strings.ToUpper(string(detector)) + "_" + hex.EncodeToString(digest.Sum(nil)[:4]) + "]"
		if r.taken[p] {
			continue
		}
		r.taken[p] = true
		r.placeholders[id], r.originals[p] = p, value
		return p
	}
}

// finish prepares r for restoring, once everything is masked.
func (r *Replacements) finish() { r.sorted = slices.Sorted(maps.Keys(r.originals)) }

// Matches returns what was found, in the order of the text.
func (r *Replacements) Matches() []Match { return slices.Clone(r.matches) }

// Counts returns how many values each detector found. It has no detector that
// found none.
func (r *Replacements) Counts() map[promptrails.Detector]int {
	counts := map[promptrails.Detector]int{}
	for _, m := range r.matches {
		counts[m.Detector]++
	}
	return counts
}

// String says how many values were replaced, and none of them.
func (r *Replacements) String() string {
	return "masking.Replacements of " + plural(len(r.matches), "value")
}

// GoString is String.
func (r *Replacements) GoString() string { return r.String() }

// Restore returns a text with the original values in place of their placeholders.
// A value that looks like a placeholder is not restored again.
func (r *Replacements) Restore(text string) string {
	var b strings.Builder
	w := r.NewRestorer(&b)
	_, _ = io.WriteString(w, text) // a strings.Builder never fails
	_ = w.Close()
	return b.String()
}

// NewRestorer returns a writer that restores the original values in what is
// written to it, and writes that to w. A placeholder may be cut anywhere between
// two writes: the restorer holds the beginning of one back until it is complete.
// Close writes what is held back; it does not close w.
func (r *Replacements) NewRestorer(w io.Writer) io.WriteCloser { return &restorer{of: r, w: w} }

type restorer struct {
	of     *Replacements
	w      io.Writer
	held   []byte // the beginning of a placeholder
	closed bool
}

var errClosed = errors.New("masking: write to a restorer that is closed")

// Write implements [io.Writer].
func (s *restorer) Write(p []byte) (int, error) {
	if s.closed {
		return 0, errClosed
	}
	text := p
	if len(s.held) > 0 {
		text = append(s.held, p...)
	}
	out, rest := s.of.restore(text)
	s.held = slices.Clone(rest)
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close implements [io.Closer].
func (s *restorer) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if len(s.held) == 0 {
		return nil
	}
	_, err := s.w.Write(s.held)
	return err
}

// restore returns a text with the values restored, but for an end that may begin a
// placeholder.
func (r *Replacements) restore(text []byte) (out, rest []byte) {
	for {
		at := slices.Index(text, opening[0])
		if at < 0 || len(r.sorted) == 0 {
			return append(out, text...), nil
		}
		out = append(out, text[:at]...)
		text = text[at:]
		switch size, partial := r.startsWith(text); {
		case partial:
			return out, text
		case size > 0:
			out = append(out, r.originals[string(text[:size])]...)
			text = text[size:]
		default:
			out = append(out, text[0])
			text = text[1:]
		}
	}
}

// startsWith returns the length of the placeholder that a text starts with, or
// whether the whole text is the beginning of one.
func (r *Replacements) startsWith(text []byte) (size int, partial bool) {
	longest := len(opening) + 32 // of the name, the digits and the bracket
	prefix := text[:min(len(text), longest)]
	if end := slices.Index(prefix, ']'); end >= 0 {
		if _, ok := r.originals[string(prefix[:end+1])]; ok {
			return end + 1, false
		}
		return 0, false
	}
	if len(text) >= longest {
		return 0, false
	}
	at, _ := slices.BinarySearch(r.sorted, string(text))
	return 0, at < len(r.sorted) && strings.HasPrefix(r.sorted[at], string(text))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
