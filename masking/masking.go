// Package masking replaces personal data and secrets in texts with placeholders,
// and restores the original values later. Use it in a program that calls a model
// directly, to hide these values from the model's provider. The detectors are
// those of PromptRails data masking.
//
// A detector recognizes a value by its format: a prefix, a check digit, a length,
// or a word before it. It does not recognize names, street addresses or numbers
// without such a format. Masking reduces the amount of personal data in a text; it
// does not guarantee that the text contains none.
//
// The time to mask a text is linear in its length, for any input.
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

// Masker masks texts with a set of detectors. It is safe for concurrent use.
type Masker struct {
	starts [256]uint16 // by byte: the detectors that have it as a mark, as bits
}

// escapeMark is set in starts for bytes that can start an escape sequence.
const escapeMark = 1 << 15

// maxEscape is the maximum length of an escape sequence, in bytes.
const maxEscape = 24

// New returns a Masker with the given settings, for example those returned by
// [promptrails.MaskingService.Get]. Detectors missing in the settings are enabled.
// If settings.Enabled is false, the Masker returns all texts unchanged. If settings
// is nil, all detectors are enabled.
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

// Mask replaces each value it finds in text with a placeholder such as
// [PII_EMAIL_1a2b3c4d]. It returns the masked text and the replaced values. Equal
// values have the same placeholder within a call, and different placeholders in
// different calls. If matches overlap, the longest one is replaced, and of several
// longest ones the first.
func (m *Masker) Mask(text string) (masked string, r *Replacements) {
	r = newReplacements(text)
	defer r.finish()
	return m.mask(text, "", r), r
}

// MaskAll masks several texts, such as the messages of a conversation. Equal values
// have the same placeholder in all texts.
func (m *Masker) MaskAll(texts ...string) (masked []string, r *Replacements) {
	r = newReplacements(texts...)
	defer r.finish()
	for _, text := range texts {
		masked = append(masked, m.mask(text, "", r))
	}
	return masked, r
}

// mask masks a text. A detector that looks at preceding words also sees label, as if
// it came before the text.
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
	matches := withoutOverlaps(len(text), found)
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

// find returns the matches of all detectors.
func (m *Masker) find(text string) (matches []Match) {
	escape, within := -maxEscape, false
	for at := range len(text) {
		inside := within
		within = wordBytes[text[at]]
		may := m.starts[text[at]]
		if may == 0 || inside && within && (at-escape > maxEscape || !afterEscape(text, at)) {
			continue // a match cannot start within a word
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

// withoutOverlaps returns the matches in order of their start. Of overlapping
// matches it keeps the longest one, and of several longest ones the first.
func withoutOverlaps(size int, matches []Match) []Match {
	if len(matches) < 2 {
		return matches
	}
	if areSeparate(matches) {
		return matches
	}
	slices.SortStableFunc(matches, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(a.Start, b.Start))
	})
	covered := make([]bool, size)
	kept := matches[:0]
	for _, found := range matches {
		// All kept matches are at least as long as this one, so a kept match that
		// overlaps it covers its first or its last byte.
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

// areSeparate reports whether matches are sorted and do not overlap.
func areSeparate(matches []Match) bool {
	for i := 1; i < len(matches); i++ {
		if matches[i].Start < matches[i-1].End {
			return false
		}
	}
	return true
}

// MaskJSON masks JSON values. It masks all strings, including member names, and all
// numbers. A number with a match becomes a string. All other bytes are returned
// unchanged. Equal values have the same placeholder in all JSON values.
//
// A member name counts as a word before its value, so the number in
// {"phone":"4155550132"} is recognized as a phone number.
//
// MaskJSON returns an error if a value is not valid JSON.
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
	var name string // of the last member
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
		if of, n := dec.StackIndex(dec.StackDepth()); of == '{' && n%2 == 1 { // a member name
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
