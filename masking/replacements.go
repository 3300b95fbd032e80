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

// Match is a value found in a text. Its offsets are in bytes of the original text.
type Match struct {
	Detector    promptrails.Detector
	Start, End  int // End is exclusive
	Placeholder string
}

// Replacements maps the placeholders in masked texts to their original values. The
// formatting verbs of package fmt do not print the values. Replacements is safe for
// concurrent use.
type Replacements struct {
	key          [32]byte
	taken        map[string]bool   // placeholders in use, and texts that look like one
	placeholders map[string]string // by detector and value
	originals    map[string]string // by placeholder
	sorted       []string          // the placeholders
	matches      []Match
}

const opening = "[PII_"

// lookalike matches texts in the format of a placeholder.
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

// placeholder returns the placeholder for a value. It does not reveal the value, and
// does not occur in any of the original texts.
func (r *Replacements) placeholder(detector promptrails.Detector, value string) string {
	id := string(detector) + "\x00" + value
	if p, ok := r.placeholders[id]; ok {
		return p
	}
	digest := hmac.New(sha256.New, r.key[:])
	for {
		_, _ = io.WriteString(digest, id) // written again if the result is taken
		p := opening + strings.ToUpper(string(detector)) + "_" + hex.EncodeToString(digest.Sum(nil)[:4]) + "]"
		if r.taken[p] {
			continue
		}
		r.taken[p] = true
		r.placeholders[id], r.originals[p] = p, value
		return p
	}
}

// finish prepares r for restoring. It is called after all texts are masked.
func (r *Replacements) finish() { r.sorted = slices.Sorted(maps.Keys(r.originals)) }

// Matches returns the matches in the order in which they occur in the texts.
func (r *Replacements) Matches() []Match { return slices.Clone(r.matches) }

// Counts returns the number of matches of each detector. Detectors without matches
// are omitted.
func (r *Replacements) Counts() map[promptrails.Detector]int {
	counts := map[promptrails.Detector]int{}
	for _, m := range r.matches {
		counts[m.Detector]++
	}
	return counts
}

// String returns a description with the number of replaced values, without the values.
func (r *Replacements) String() string {
	return "masking.Replacements of " + plural(len(r.matches), "value")
}

// GoString returns r.String().
func (r *Replacements) GoString() string { return r.String() }

// Restore replaces the placeholders in text with their original values. Placeholders
// in restored values are not replaced again.
func (r *Replacements) Restore(text string) string {
	var b strings.Builder
	w := r.NewRestorer(&b)
	_, _ = io.WriteString(w, text) // a strings.Builder never fails
	_ = w.Close()
	return b.String()
}

// NewRestorer returns a writer that replaces placeholders with their original values
// and writes the result to w. A placeholder may be split across several writes: the
// restorer buffers an incomplete placeholder until it is complete. Close writes the
// buffered bytes to w, and does not close w. Write returns an error after Close.
func (r *Replacements) NewRestorer(w io.Writer) io.WriteCloser { return &restorer{of: r, w: w} }

type restorer struct {
	of     *Replacements
	w      io.Writer
	held   []byte // an incomplete placeholder
	closed bool
}

var errClosed = errors.New("masking: write to closed restorer")

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

// restore returns text with the values restored. If text ends with an incomplete
// placeholder, restore returns that part as rest.
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

// startsWith returns the length of the placeholder at the start of text, or 0. It sets
// partial if the whole text is an incomplete placeholder.
func (r *Replacements) startsWith(text []byte) (size int, partial bool) {
	longest := len(opening) + 32 // for the detector, the digits and the bracket
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
