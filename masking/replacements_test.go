package masking_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/masking"
)

var placeholderForm = regexp.MustCompile(`^\[PII_[A-Z0-9_]+_[0-9a-f]{8}\]$`)

// TestPlaceholders checks that placeholders are equal only for equal values in the same
// call.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	const text = "«ada@example.com», ada@example.com, eve@example.com and 192.0.2.1"
	m := masking.New(nil)
	masked, r := m.Mask(text)
	matches := r.Matches()
	if len(matches) != 4 || matches[0].Placeholder != matches[1].Placeholder || matches[0].Placeholder == matches[2].Placeholder {
		t.Fatalf("matches: got %+v, want four matches of three values", matches)
	}
	for _, match := range matches {
		if !placeholderForm.MatchString(match.Placeholder) || !strings.HasPrefix(match.Placeholder, "[PII_"+strings.ToUpper(string(match.Detector))+"_") {
			t.Errorf("placeholder: got %s, want the format [PII_X_1a2b3c4d] for the detector %s", match.Placeholder, match.Detector)
		}
	}
	if got := text[matches[0].Start:matches[0].End]; got != "ada@example.com" || matches[0].Start != 2 {
		t.Errorf("first match: got %q at byte %d, want %q at byte 2", got, matches[0].Start, "ada@example.com")
	}
	want := "«" + matches[0].Placeholder + "», " + matches[0].Placeholder + ", " + matches[2].Placeholder + " and " + matches[3].Placeholder
	if masked != want {
		t.Errorf("masked text: got %s, want %s", masked, want)
	}
	if again, others := m.Mask(text); again == masked || others.Matches()[0].Placeholder == matches[0].Placeholder {
		t.Errorf("second call: got the placeholder %s again, want a different one", matches[0].Placeholder)
	}
	if again, r := m.Mask(masked); len(r.Matches()) != 0 || again != masked {
		t.Errorf("masking a masked text: got %s, want it unchanged: %s", again, masked)
	}
	if got, want := r.Counts(), (map[promptrails.Detector]int{promptrails.DetectorEmail: 3, promptrails.DetectorIPv4: 1}); !cmp.Equal(want, got) {
		t.Errorf("Counts: got %v, want %v", got, want)
	}
}

// TestReplacementsDoNotPrintValues checks that printing a Replacements shows only the
// number of values.
func TestReplacementsDoNotPrintValues(t *testing.T) {
	t.Parallel()
	_, r := masking.New(nil).Mask("ada@example.com")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, r); strings.Contains(got, "ada@") || !strings.Contains(got, "1 value") {
			t.Errorf("%s: got %s, want the number of values only", format, got)
		}
	}
	if got, err := json.Marshal(struct{ Replaced any }{r}); err != nil || strings.Contains(string(got), "ada@") {
		t.Errorf("JSON: got %s, error %v; want no values", got, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const text = "ada@example.com 192.0.2.1"
	for name, c := range map[string]struct {
		settings *promptrails.MaskingSettings
		want     string
	}{
		"nil":               {nil, "EMAIL IPV4"},
		"not enabled":       {&promptrails.MaskingSettings{}, "ada@example.com 192.0.2.1"},
		"all by default":    {&promptrails.MaskingSettings{Enabled: true}, "EMAIL IPV4"},
		"one disabled":      {&promptrails.MaskingSettings{Enabled: true, Detectors: map[promptrails.Detector]bool{promptrails.DetectorEmail: false}}, "ada@example.com IPV4"},
		"unknown detectors": {&promptrails.MaskingSettings{Enabled: true, Detectors: map[promptrails.Detector]bool{"shoe_size": true, promptrails.DetectorName: true}}, "EMAIL IPV4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			masked, _ := masking.New(c.settings).Mask(text)
			got := regexp.MustCompile(`\[PII_([A-Z0-9]+)_[0-9a-f]{8}\]`).ReplaceAllString(masked, "$1")
			if got != c.want {
				t.Errorf("masked text: got %q, want %q", got, c.want)
			}
		})
	}
}

// TestMaskAll checks that equal values have the same placeholder in all texts.
func TestMaskAll(t *testing.T) {
	t.Parallel()
	masked, r := masking.New(nil).MaskAll("I am ada@example.com", "hello", "write to ada@example.com")
	if masked[0][len("I am "):] != masked[2][len("write to "):] || masked[1] != "hello" || r.Restore(masked[2]) != "write to ada@example.com" {
		t.Errorf("MaskAll: got %q, want the same placeholder in the first and the last text", masked)
	}
}

func TestMaskerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	m := masking.New(nil)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			text := fmt.Sprintf("u%d@example.com", i)
			if masked, r := m.Mask(text); r.Restore(masked) != text {
				t.Errorf("Restore: got %q, want %q", r.Restore(masked), text)
			}
		})
	}
	callers.Wait()
}

// parts are the parts of texts that are difficult to restore.
var parts = []string{
	"ada@example.com", "+14155550132", "[", "]", "[PII_", "[PII_EMAIL_", "[PII_EMAIL_1a2b3c4d]", "[PII_EMAIL_1a2b3c4d", "PII_EMAIL_00000000]", "[[PII_", "é", "\xff", "\\n", "\n", `"`, "x", " ",
	"4111111111111111", "192.0.2.1", "字", "-----BEGIN PRIVATE KEY-----\nbO5FeYx9pM5gNfdKwkEJ3PEVVIPcP4Y7p4tD14z4gzM+jppZxO4z7KdcwjOoGUI0\n-----END PRIVATE KEY-----",
}

func hardText(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(parts), rapid.String()), 0, 12).Draw(t, "text"), "")
}

// TestRestore checks that restoring a masked text returns the original text, also if it
// is written in parts of any size.
func TestRestore(t *testing.T) {
	t.Parallel()
	m := masking.New(nil)
	rapid.Check(t, func(t *rapid.T) {
		text := hardText(t)
		masked, r := m.Mask(text)
		if got := r.Restore(masked); got != text {
			t.Fatalf("Restore(%q): got %q, want %q", masked, got, text)
		}
		var got bytes.Buffer
		w := r.NewRestorer(&got)
		for rest := masked; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 9)).Draw(t, "piece")
			if written, err := io.WriteString(w, rest[:n]); written != n || err != nil {
				t.Fatalf("Write: got %d, error %v; want %d, nil", written, err, n)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil || got.String() != text {
			t.Fatalf("restoring in parts: got %q, error %v; want %q, nil", got.String(), err, text)
		}
	})
}

// TestRestorerBuffersOnlyPlaceholders checks that a restorer immediately writes all bytes
// that cannot belong to a placeholder.
func TestRestorerBuffersOnlyPlaceholders(t *testing.T) {
	t.Parallel()
	masked, r := masking.New(nil).Mask("ada@example.com")
	for text, want := range map[string]string{
		"a": "a", "[": "", "[P": "", "[PX": "[PX", masked[:len(masked)-1]: "", masked: "ada@example.com", "a[b[": "a[b", "[PII_EMAIL_zz": "[PII_EMAIL_zz", "[PII_PHONE_": "[PII_PHONE_",
	} {
		var got bytes.Buffer
		w := r.NewRestorer(&got)
		_, _ = io.WriteString(w, text)
		if got.String() != want {
			t.Errorf("%q before Close: got %q, want %q", text, got.String(), want)
		}
		if err := w.Close(); err != nil || r.Restore(text) != got.String() {
			t.Errorf("%q after Close: got %q, error %v; want %q, nil", text, got.String(), err, r.Restore(text))
		}
		if _, err := io.WriteString(w, "x"); err == nil {
			t.Error("Write after Close: got nil, want an error")
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRestorerReportsErrors(t *testing.T) {
	t.Parallel()
	masked, r := masking.New(nil).Mask("ada@example.com")
	if _, err := io.WriteString(r.NewRestorer(brokenWriter{}), "x"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write: got error %v, want %v", err, io.ErrClosedPipe)
	}
	w := r.NewRestorer(brokenWriter{})
	if _, err := io.WriteString(w, masked[:5]); err != nil {
		t.Errorf("Write of an incomplete placeholder: got error %v, want nil", err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Close: got error %v, want %v", err, io.ErrClosedPipe)
	}
}

// TestMaskJSON checks that strings, member names and numbers are masked, and that all
// other bytes are unchanged.
func TestMaskJSON(t *testing.T) {
	t.Parallel()
	m := masking.New(nil)
	for in, want := range map[string]string{
		`{"to":["ada@example.com"], "n": 1.50,"card":4111111111111111}`: `{"to":["EMAIL"], "n": 1.50,"card":"CREDIT_CARD"}`,
		`{"ada@example.com":"x"}`:                           `{"EMAIL":"x"}`,
		`{"ada@example.com":{"\u0061da@example.com":null}}`: `{"EMAIL":{"EMAIL":null}}`,
		`"{\"to\":\"x\\nada@example.com\\n\"}"`:             `"{\"to\":\"x\\nEMAIL\\n\"}"`,
		` [ true , "plain é \u00e9" ] `:                     ` [ true , "plain é \u00e9" ] `,
		`null`:                                              `null`,
		`{"phone":"4155550132","ids":[4155550132],"mobile":[4155550132]}`: `{"phone":"PHONE","ids":[4155550132],"mobile":["PHONE"]}`,
	} {
		masked, r, err := m.MaskJSON([]byte(in))
		if err != nil {
			t.Errorf("MaskJSON(%s): got error %v, want nil", in, err)
			continue
		}
		got := regexp.MustCompile(`\[PII_([A-Z_]+)_[0-9a-f]{8}\]`).ReplaceAllString(string(masked[0]), "$1")
		if got != want || !json.Valid(masked[0]) {
			t.Errorf("MaskJSON(%s): got %s, want %s", in, got, want)
		}
		if len(r.Matches()) != strings.Count(string(masked[0]), "[PII_") {
			t.Errorf("MaskJSON(%s): got %d matches, want %d", in, len(r.Matches()), strings.Count(string(masked[0]), "[PII_"))
		}
	}
	if _, _, err := m.MaskJSON([]byte(`{"a":`)); err == nil {
		t.Error("MaskJSON of incomplete JSON: got nil, want an error")
	}
	both, _, err := m.MaskJSON([]byte(`"ada@example.com"`), []byte(`["ada@example.com"]`))
	if err != nil || string(both[1]) != "["+string(both[0])+"]" {
		t.Errorf("MaskJSON of two values: got %s, error %v; want the same placeholder", both, err)
	}
}
