package masking_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/masking"
)

// floor is the minimum recall and precision of each detector on its corpus. Lower it
// when adding a line that a detector cannot handle.
const floor = 1

// example is a line of a corpus: a text and the offsets of the expected matches.
type example struct {
	text string
	want [][2]int
}

// corpus reads the corpus of a detector. A line with expected matches, marked by
// guillemets, starts with a plus; other lines start with a minus.
func corpus(tb testing.TB, detector string) (examples []example) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "corpus", detector+".txt"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.NewReplacer(`\n`, "\n", "·", "").Replace(strings.TrimSuffix(line, "\n"))
		if strings.HasPrefix(line, "#") {
			continue
		}
		var e example
		for i, part := range strings.FieldsFunc("\x00"+line[2:], func(r rune) bool { return r == '«' || r == '»' }) {
			part = strings.TrimPrefix(part, "\x00")
			if i%2 == 1 {
				e.want = append(e.want, [2]int{len(e.text), len(e.text) + len(part)})
			}
			e.text += part
		}
		if (line[0] == '+') != (len(e.want) > 0) {
			tb.Fatalf("%s: got line %q, want a plus if and only if there are matches", detector, line)
		}
		examples = append(examples, e)
	}
	return examples
}

// only returns a masker with a single detector.
func only(name promptrails.Detector) *masking.Masker {
	on := map[promptrails.Detector]bool{}
	for _, d := range masking.Detectors() {
		on[d] = d == name
	}
	return masking.New(&promptrails.MaskingSettings{Enabled: true, Detectors: on})
}

// TestCorpus checks that each detector finds exactly the expected matches.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, name := range masking.Detectors() {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			var found, missed, wrong, trueTexts, falseTexts int
			m := only(name)
			for _, e := range corpus(t, string(name)) {
				if len(e.want) > 0 {
					trueTexts++
				} else {
					falseTexts++
				}
				var got [][2]int
				_, r := m.Mask(e.text)
				for _, match := range r.Matches() {
					got = append(got, [2]int{match.Start, match.End})
				}
				for _, want := range e.want {
					if slices.Contains(got, want) {
						found++
					} else {
						missed++
						t.Logf("got no match %q in %q", e.text[want[0]:want[1]], e.text)
					}
				}
				for _, g := range got {
					if !slices.Contains(e.want, g) {
						wrong++
						t.Logf("got a wrong match %q in %q", e.text[g[0]:g[1]], e.text)
					}
				}
			}
			recall, precision := float64(found)/float64(found+missed), float64(found)/float64(found+wrong)
			t.Logf("%d positive texts, %d negative texts: recall %.3f, precision %.3f", trueTexts, falseTexts, recall, precision)
			if recall < floor || precision < floor || trueTexts < 20 || falseTexts < 20 {
				t.Errorf("got recall %.3f, precision %.3f, %d positive and %d negative texts; want at least %d, %d, 20 and 20", recall, precision, trueTexts, falseTexts, floor, floor)
			}
		})
	}
}
