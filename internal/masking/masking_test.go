package masking

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func all(string) bool { return true }

var placeholderForm = regexp.MustCompile(`^\[PII_[A-Z0-9_]+_[0-9a-f]{8}\]$`)

// The same value has the same placeholder in one text, another one another, and
// in another text nobody can tell.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	const text = "«ada@example.com», ada@example.com, eve@example.com and 192.0.2.1"
	masked, matches := New(all).Mask(text)
	if len(matches) != 4 || matches[0].Placeholder != matches[1].Placeholder || matches[0].Placeholder == matches[2].Placeholder {
		t.Fatalf("%+v", matches)
	}
	for _, m := range matches {
		if !placeholderForm.MatchString(m.Placeholder) || !strings.HasPrefix(m.Placeholder, "[PII_"+strings.ToUpper(m.Detector)+"_") {
			t.Errorf("%+v", m)
		}
	}
	// Offsets count bytes.
	if got := text[matches[0].Start:matches[0].End]; got != "ada@example.com" || matches[0].Start != 2 {
		t.Errorf("%q at %d", got, matches[0].Start)
	}
	want := "«" + matches[0].Placeholder + "», " + matches[0].Placeholder + ", " + matches[2].Placeholder + " and " + matches[3].Placeholder
	if masked != want {
		t.Errorf("%s, want %s", masked, want)
	}
	if _, others := New(all).Mask(text); others[0].Placeholder == matches[0].Placeholder {
		t.Error("a placeholder can be looked up")
	}
	// What is masked is not found again.
	if again, matches := New(all).Mask(masked); len(matches) != 0 || again != masked {
		t.Errorf("%s: %+v", again, matches)
	}
}

// Two values never share a placeholder, although it has but 32 bits.
func TestPlaceholdersDiffer(t *testing.T) {
	t.Parallel()
	m := New(all)
	seen := map[string]bool{}
	for i := range 200_000 {
		p := m.placeholder("email", fmt.Sprint(i))
		if seen[p] {
			t.Fatalf("%s stands for two values", p)
		}
		seen[p] = true
	}
}

// Of matches that overlap the longest counts, then the first.
func TestOverlaps(t *testing.T) {
	t.Parallel()
	m := func(detector string, start, end int) Match { return Match{Detector: detector, Start: start, End: end} }
	for _, c := range []struct{ found, want []Match }{
		{[]Match{m("a", 0, 4), m("b", 2, 8)}, []Match{m("b", 2, 8)}},
		{[]Match{m("a", 0, 4), m("b", 2, 6)}, []Match{m("a", 0, 4)}},
		{[]Match{m("a", 0, 4), m("b", 0, 4)}, []Match{m("a", 0, 4)}},
		{[]Match{m("a", 0, 4), m("b", 3, 8), m("c", 7, 11)}, []Match{m("b", 3, 8)}},
		{[]Match{m("a", 0, 4), m("b", 4, 6), m("c", 5, 7)}, []Match{m("a", 0, 4), m("b", 4, 6)}},
		{[]Match{m("c", 7, 11), m("a", 0, 4), m("b", 1, 3)}, []Match{m("a", 0, 4), m("c", 7, 11)}},
		{[]Match{m("a", 2, 4), m("b", 0, 9)}, []Match{m("b", 0, 9)}},
	} {
		if diff := cmp.Diff(c.want, apart(20, append([]Match(nil), c.found...))); diff != "" {
			t.Errorf("%v: %s", c.found, diff)
		}
	}
	// An address within an address, and one within a key.
	if _, got := New(all).Mask("::ffff:192.0.2.1"); len(got) != 1 || got[0].Detector != "ipv6" {
		t.Errorf("%+v", got)
	}
}

// Detectors that are off find nothing.
func TestOnlyWhatIsOn(t *testing.T) {
	t.Parallel()
	const text = "ada@example.com 192.0.2.1"
	if masked, matches := New(func(d string) bool { return d == "ipv4" }).Mask(text); len(matches) != 1 || !strings.HasPrefix(masked, "ada@example.com [PII_IPV4_") {
		t.Error(masked)
	}
	if masked, _ := New(func(string) bool { return false }).Mask(text); masked != text {
		t.Error(masked)
	}
}

// What is a part of a longer run of letters or digits, of any script, is none.
func TestNoPartOfALongerRun(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		m := New(func(d string) bool { return d == name })
		for _, e := range corpus(t, name) {
			for _, want := range e.want {
				value := e.text[want[0]:want[1]]
				for _, side := range []string{"x", "7", "é", "字", "٣"} {
					if first := value[0]; isWord(first) && name != "email" {
						if _, got := m.Mask(side + value); len(got) > 0 && got[0].Start == len(side) {
							t.Errorf("%s finds %q in %q", name, value, side+value)
						}
					}
					if last := value[len(value)-1]; isWord(last) && name != "email" {
						if _, got := m.Mask(value + side); len(got) > 0 && got[0].End == len(value) {
							t.Errorf("%s finds %q in %q", name, value, value+side)
						}
					}
				}
			}
		}
	}
}

func TestMaskJSON(t *testing.T) {
	t.Parallel()
	m := New(all)
	_, found := m.Mask("ada@example.com 4111111111111111")
	mail, card := found[0].Placeholder, found[1].Placeholder
	for in, want := range map[string]string{
		`"ada@example.com"`: `"` + mail + `"`,
		`{ "to" : "Ada <ada@example.com>", "n": 1.50e+2 }`:  `{ "to" : "Ada <` + mail + `>", "n": 1.50e+2 }`,
		`{"ada@example.com":[1,"\u0061da@example.com",{}]}`: `{"` + mail + `":[1,"` + mail + `",{}]}`,
		`4111111111111111`:                       `"` + card + `"`,
		`[-4111111111111111,true,null,"\u00e9"]`: `["-` + card + `",true,null,"\u00e9"]`,
		`null`:                                   `null`,
		`"\ud83d\ude00 ada@example.com"`:         `"😀 ` + mail + `"`,
	} {
		got, err := m.MaskJSON(jsontext.Value(in))
		if err != nil || string(got) != want || !got.IsValid() {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
	if _, err := m.MaskJSON(jsontext.Value(`{"a":`)); err == nil {
		t.Error("half a document was masked")
	}
}
