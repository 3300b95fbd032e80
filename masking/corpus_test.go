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

// floor is the recall and the precision that each detector has at least on its
// corpus. A line that it is to miss, or to find wrongly, lowers it.
const floor = 1

// example is a line of a corpus: a text, and what is to be found in it.
type example struct {
	text string
	want [][2]int
}

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
			tb.Fatalf("%s: %q", detector, line)
		}
		examples = append(examples, e)
	}
	return examples
}

// only returns a masker with one detector.
func only(name promptrails.Detector) *masking.Masker {
	on := map[promptrails.Detector]bool{}
	for _, d := range masking.Detectors() {
		on[d] = d == name
	}
	return masking.New(&promptrails.MaskingSettings{Enabled: true, Detectors: on})
}

// Each detector finds what it should, exactly, and nothing else.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, name := range masking.Detectors() {
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
					t.Logf("%s misses %q in %q", name, e.text[want[0]:want[1]], e.text)
				}
			}
			for _, g := range got {
				if !slices.Contains(e.want, g) {
					wrong++
					t.Logf("%s finds %q in %q", name, e.text[g[0]:g[1]], e.text)
				}
			}
		}
		recall, precision := float64(found)/float64(found+missed), float64(found)/float64(found+wrong)
		t.Logf("%-14s %3d true, %3d false: recall %.3f, precision %.3f", name, trueTexts, falseTexts, recall, precision)
		if recall < floor || precision < floor || trueTexts < 20 || falseTexts < 20 {
			t.Errorf("%s is below the floor of %v, or has too small a corpus", name, floor)
		}
	}
}
