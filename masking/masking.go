// Package masking replaces personal data and secrets in a text by placeholders,
// and restores them in what comes back: for a program that calls a model itself
// and wants its provider not to see them. It has the detectors of PromptRails'
// data masking.
//
// A detector recognizes a value by its form: a prefix, a check digit, a country's
// length, a word before it. It cannot know that a name, a street or a bare number
// is personal. Treat what it finds as a net with meshes, not as a proof that a
// text is free of such data.
//
// The time to mask a text is linear in its length, whatever it contains.
package masking

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Masker masks texts by some of the detectors. It is safe for concurrent use.
type Masker struct {
	starts [256]uint16 // the detectors whose matches have a mark at such a byte
}

// escapeMark is set in starts for the bytes that an escape sequence begins with.
const escapeMark = 1 << 15

// maxEscape is the length of the longest escape sequence.
const maxEscape = 24

// New returns a Masker with settings such as [promptrails.MaskingService.Get]
// returns. A detector that they do not name is on. If they are not enabled, the
// Masker masks nothing. Nil settings enable all detectors.
func New(settings *promptrails.MaskingSettings) *Masker {
	m := &Masker{}
	for _, b := range []byte(`\%[`) {
		m.starts[b] = escapeMark
	}
	for i, d := range detectors {
		if settings != nil {
			if on, named := settings.Detectors[d.name]; !settings.Enabled || named && !on {
				continue
			}
		}
		for _, b := range []byte(d.marks) {
			m.starts[b] |= 1 << i
		}
	}
	return m
}

// Mask returns the text with a placeholder such as [PII_EMAIL_1a2b3c4d] in place
// of each value that is found, and the values. The same value
// has the same placeholder throughout the text, and another one in the next call.
// Of matches that overlap, the longest is replaced; of those, the first.
func (m *Masker) Mask(text string) (masked string, r *Replacements) {
	r = newReplacements(text)
	defer r.finish()
	return m.mask(text, "", r), r
}

// MaskAll masks several texts, such as the messages of a conversation: the same
// value has the same placeholder in all of them.
func (m *Masker) MaskAll(texts ...string) (masked []string, r *Replacements) {
	r = newReplacements(texts...)
	defer r.finish()
	for _, text := range texts {
		masked = append(masked, m.mask(text, "", r))
	}
	return masked, r
}

// mask masks a text that a label is before, which may announce what it is.
func (m *Masker) mask(text, label string, r *Replacements) string {
	var found []Match
	if label == "" {
		found = m.find(text)
	} else {
		label += ": "
		for _, match := range m.find(label + text) {
			if match.Start >= len(label) {
				match.Start -= len(label)
				match.End -= len(label)
				found = append(found, match)
			}
		}
	}
	matches := apart(len(text), found)
	if len(matches) == 0 {
		return text
	}
	var b strings.Builder
	end := 0
	for i := range matches {
		found := &matches[i]
		found.Placeholder = r.placeholder(found.Detector, text[found.Start:found.End])
		b.WriteString(text[end:found.Start])
		b.WriteString(found.Placeholder)
		end = found.End
	}
	b.WriteString(text[end:])
	r.matches = append(r.matches, matches...)
	return b.String()
}

// find returns what each detector finds.
func (m *Masker) find(text string) (matches []Match) {
	escape, within := -maxEscape, false
	for at := range len(text) {
		inside := within
		within = wordBytes[text[at]]
		may := m.starts[text[at]]
		if may == 0 || inside && within && (at-escape > maxEscape || !afterEscape(text, at)) {
			continue // a match does not begin within a word
		}
		if may&escapeMark != 0 {
			escape = at
			may &^= escapeMark
		}
		if isDigit(text[at]) && !inside {
			may &= possible(text, at)
		}
		for ; may != 0; may &= may - 1 {
			d := &detectors[bits.TrailingZeros16(may)]
			if start, end := d.find(text, at); end > start {
				matches = append(matches, Match{Detector: d.name, Start: start, End: end})
			}
		}
	}
	return matches
}

// apart returns the matches that overlap no longer, and no earlier, one, in
// their order.
func apart(size int, matches []Match) []Match {
	if len(matches) < 2 {
		return matches
	}
	if areApart(matches) {
		return matches
	}
	slices.SortStableFunc(matches, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(a.Start, b.Start))
	})
	covered := make([]bool, size)
	kept := matches[:0]
	for _, found := range matches {
		// A match that was kept is at least as long, so it covers an end of each
		// match that it overlaps.
		if covered[found.Start] || covered[found.End-1] {
			continue
		}
		for i := found.Start; i < found.End; i++ {
			covered[i] = true
		}
		kept = append(kept, found)
	}
	slices.SortFunc(kept, func(a, b Match) int { return cmp.Compare(a.Start, b.Start) })
	return kept
}

// areApart reports whether matches are in order and do not overlap.
func areApart(matches []Match) bool {
	for i := 1; i < len(matches); i++ {
		if matches[i].Start < matches[i-1].End {
			return false
		}
	}
	return true
}

// MaskJSON masks JSON values: their strings, names included, and their numbers,
// which become strings if something is found in them. All else is returned byte
// for byte. The same value has the same placeholder in all of them. The name of a
// member is read as a word before its value: "phone" announces a number.
func (m *Masker) MaskJSON(values ...[]byte) (masked [][]byte, r *Replacements, err error) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	r = newReplacements(texts...)
	defer r.finish()
	for _, v := range values {
		one, err := m.maskJSON(v, r)
		if err != nil {
			return nil, nil, err
		}
		masked = append(masked, one)
	}
	return masked, r, nil
}

func (m *Masker) maskJSON(v []byte, r *Replacements) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var masked []byte
	var name string // of the member that a value is in
	end := 0
	for {
		kind := dec.PeekKind()
		if kind != '"' && kind != '0' {
			_, err := dec.ReadToken()
			switch {
			case errors.Is(err, io.EOF):
				return append(masked, v[end:]...), nil
			case err != nil:
				return nil, err
			}
			continue
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		text := string(raw)
		if kind == '"' {
			unquoted, err := jsontext.AppendUnquote(nil, raw)
			if err != nil {
				return nil, err
			}
			text = string(unquoted)
		}
		replaced := ""
		if of, n := dec.StackIndex(dec.StackDepth()); of == '{' && n%2 == 1 { // a name was read
			name, replaced = text, m.mask(text, "", r)
		} else {
			replaced = m.mask(text, name, r)
		}
		if replaced == text {
			continue
		}
		after := int(dec.InputOffset())
		masked = append(masked, v[end:after-len(raw)]...)
		if masked, err = jsontext.AppendQuote(masked, replaced); err != nil {
			return nil, err
		}
		end = after
	}
}
