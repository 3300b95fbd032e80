// Package masking finds personal data and secrets in texts, and puts
// placeholders in their place.
//
// A detector is a pattern with a validator. Each begins to look only where a
// byte stands that a match of it can begin with, and reads from there on a
// bounded stretch, or one that few other starts read again: the time is linear
// in the text, whatever stands in it.
package masking

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Match is what a detector found, at offsets in bytes.
type Match struct {
	Detector    string
	Start, End  int
	Placeholder string
}

// Masker masks with some of the detectors. The same value has the same
// placeholder in all that one Masker masks, and another in what another does:
// a placeholder tells nothing of the value, and cannot be looked up. It is not
// safe for concurrent use.
type Masker struct {
	starts       [256]uint16 // which detectors may begin at a byte
	key          [32]byte
	placeholders map[string]string // by the value, with its detector
	taken        map[string]bool
}

// New returns a Masker with the detectors that isOn names.
func New(isOn func(detector string) bool) *Masker {
	m := &Masker{placeholders: map[string]string{}, taken: map[string]bool{}}
	for i, d := range detectors {
		if isOn(d.name) {
			for _, b := range []byte(d.starts) {
				m.starts[b] |= 1 << i
			}
		}
	}
	_, _ = rand.Read(m.key[:]) // never fails
	return m
}

// Mask returns the text with its matches replaced, and the matches in their
// order, at their offsets in the text. Of those that overlap the longest
// counts, then the first.
func (m *Masker) Mask(text string) (string, []Match) {
	matches := apart(len(text), m.find(text))
	if len(matches) == 0 {
		return text, nil
	}
	var b strings.Builder
	end := 0
	for i := range matches {
		found := &matches[i]
		found.Placeholder = m.placeholder(found.Detector, text[found.Start:found.End])
		b.WriteString(text[end:found.Start])
		b.WriteString(found.Placeholder)
		end = found.End
	}
	b.WriteString(text[end:])
	return b.String(), matches
}

// find returns what each detector finds.
func (m *Masker) find(text string) (matches []Match) {
	within := false // a run of letters or digits
	for at := range len(text) {
		inside := within
		within = isWord(text[at])
		may := m.starts[text[at]]
		if may == 0 || inside && within {
			continue
		}
		for ; may != 0; may &= may - 1 {
			d := &detectors[bits.TrailingZeros16(may)]
			if start, end := d.find(text, at); end > start && beginsWord(text, start) && endsWord(text, end) {
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
	slices.SortStableFunc(matches, func(a, b Match) int {
		return cmp.Or(cmp.Compare(b.End-b.Start, a.End-a.Start), cmp.Compare(a.Start, b.Start))
	})
	covered := make([]bool, size)
	kept := matches[:0]
	for _, found := range matches {
		// Whatever is kept is at least as long, so that it covers an end of what
		// it overlaps.
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

// placeholder is what stands in the place of a value.
func (m *Masker) placeholder(detector, value string) string {
	id := detector + "\x00" + value
	if p, ok := m.placeholders[id]; ok {
		return p
	}
	digest := hmac.New(sha256.New, m.key[:])
	for {
		_, _ = io.WriteString(digest, id) // once more, where two values come out alike
		p := "[PII_" + strings.ToUpper(detector) + "_" + hex.EncodeToString(digest.Sum(nil)[:4]) + "]"
		if !m.taken[p] {
			m.placeholders[id], m.taken[p] = p, true
			return p
		}
	}
}

// MaskJSON masks the strings of a JSON value, names included, and its numbers,
// which become strings where something is found in them. What nothing is found
// in stays as it is, byte for byte.
func (m *Masker) MaskJSON(v jsontext.Value) (jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowDuplicateNames(true))
	var masked []byte
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
		replaced, matches := m.Mask(text)
		if len(matches) == 0 {
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
