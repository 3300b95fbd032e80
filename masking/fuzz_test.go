package masking_test

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/masking"
)

// judges are independent checks of the matches of each detector.
var judges = map[promptrails.Detector]func(string) bool{
	promptrails.DetectorEmail: func(s string) bool {
		s = strings.ReplaceAll(s, "%40", "@")
		at := strings.LastIndex(s, "@")
		return at > 0 && at < len(s)-3 && strings.Contains(s[at:], ".") && !strings.ContainsAny(s[at:], " \t\n\"")
	},
	promptrails.DetectorPhone: func(s string) bool {
		n := len(onlyDigits(strings.ReplaceAll(strings.ToUpper(s), "%2B", "+")))
		return n >= 7 && n <= 17 // including 00 before the country code
	},
	promptrails.DetectorCreditCard: func(s string) bool {
		sum, double := 0, false
		number := onlyDigits(s)
		for i := len(number) - 1; i >= 0; i-- {
			d := int(number[i] - '0')
			if double {
				d = d*2/10 + d*2%10
			}
			sum, double = sum+d, !double
		}
		return sum%10 == 0 && len(number) >= 13 && len(number) <= 19
	},
	promptrails.DetectorIBAN: func(s string) bool {
		s = regexp.MustCompile(`[^A-Z0-9]`).ReplaceAllString(strings.ToUpper(s), "")
		var digits strings.Builder
		for _, r := range s[4:] + s[:4] {
			if r >= 'A' {
				digits.WriteString(big.NewInt(int64(r - 'A' + 10)).String())
			} else {
				digits.WriteRune(r)
			}
		}
		n, ok := new(big.Int).SetString(digits.String(), 10)
		return ok && new(big.Int).Mod(n, big.NewInt(97)).Int64() == 1
	},
	promptrails.DetectorUSSSN:        func(s string) bool { return regexp.MustCompile(`^[0-8]\d{8}$`).MatchString(onlyDigits(s)) },
	promptrails.DetectorTCKimlik:     regexp.MustCompile(`^[1-9]\d{10}$`).MatchString,
	promptrails.DetectorIPv4:         func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	promptrails.DetectorIPv6:         func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() },
	promptrails.DetectorJWT:          regexp.MustCompile(`^eyJ[\w-]*(\.[\w-]*){2,4}$`).MatchString,
	promptrails.DetectorAWSAccessKey: regexp.MustCompile(`^(A[A-Z]{3}[A-Z0-9]{16}|[\w+/=.~-]{40})$`).MatchString,
	promptrails.DetectorAPIKey:       regexp.MustCompile(`^[!-~]+( [!-~]+)?$`).MatchString,
	promptrails.DetectorPrivateKey:   regexp.MustCompile(`^(?s)(-----BEGIN [^\n]*PRIVATE KEY( BLOCK)?-----.{40,}|LS0tLS1CRUdJTi.{40,})$`).MatchString,
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// fuzz checks for any text that the matches of a detector pass its judge, and that
// masking changes only the matches.
func fuzz(f *testing.F, name promptrails.Detector) {
	f.Helper()
	for _, e := range corpus(f, string(name)) {
		f.Add(e.text)
	}
	m := only(name)
	f.Fuzz(func(t *testing.T, text string) {
		masked, r := m.Mask(text)
		end := 0
		for _, match := range r.Matches() {
			if match.Start < end || match.End <= match.Start || match.End > len(text) || match.Detector != name || !placeholderForm.MatchString(match.Placeholder) {
				t.Fatalf("Mask(%q): got the match %+v, want a valid match of %s after offset %d", text, match, name, end)
			}
			value := text[match.Start:match.End]
			if !judges[name](value) || utf8.ValidString(text) && !utf8.ValidString(value) {
				t.Errorf("%s: got the match %q in %q, want no such match", name, value, text)
			}
			end = match.End
		}
		if got := r.Restore(masked); got != text {
			t.Errorf("Restore(%q): got %q, want %q", masked, got, text)
		}
	})
}

func FuzzEmail(f *testing.F)        { fuzz(f, promptrails.DetectorEmail) }
func FuzzPhone(f *testing.F)        { fuzz(f, promptrails.DetectorPhone) }
func FuzzCreditCard(f *testing.F)   { fuzz(f, promptrails.DetectorCreditCard) }
func FuzzIBAN(f *testing.F)         { fuzz(f, promptrails.DetectorIBAN) }
func FuzzSSN(f *testing.F)          { fuzz(f, promptrails.DetectorUSSSN) }
func FuzzKimlik(f *testing.F)       { fuzz(f, promptrails.DetectorTCKimlik) }
func FuzzIPv4(f *testing.F)         { fuzz(f, promptrails.DetectorIPv4) }
func FuzzIPv6(f *testing.F)         { fuzz(f, promptrails.DetectorIPv6) }
func FuzzJWT(f *testing.F)          { fuzz(f, promptrails.DetectorJWT) }
func FuzzAWSAccessKey(f *testing.F) { fuzz(f, promptrails.DetectorAWSAccessKey) }
func FuzzAPIKey(f *testing.F)       { fuzz(f, promptrails.DetectorAPIKey) }
func FuzzPrivateKey(f *testing.F)   { fuzz(f, promptrails.DetectorPrivateKey) }

// FuzzMaskJSON checks that masked JSON is valid JSON. It also masks JSON as a text, like
// the arguments of tool calls, which are JSON in a string.
func FuzzMaskJSON(f *testing.F) {
	for _, l := range lines(f, "lines.jsonl") {
		text, err := json.Marshal(l.Text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	m := masking.New(nil)
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		masked, _, err := m.MaskJSON([]byte(text))
		if err != nil && utf8.ValidString(text) {
			t.Fatalf("MaskJSON(%q): got error %v, want nil", text, err)
		}
		if err == nil && !json.Valid(masked[0]) {
			t.Errorf("MaskJSON(%q): got %q, want valid JSON", text, masked[0])
		}
		if inner, _ := m.Mask(text); !json.Valid([]byte(inner)) && json.Valid([]byte(quoteNumbers(inner))) != true {
			t.Errorf("Mask(%q): got %q, want valid JSON", text, inner)
		}
	})
}

// quoteNumbers quotes placeholders that replace numbers.
func quoteNumbers(text string) string {
	return regexp.MustCompile(`([:\[,\s]|^)-?(\[PII_[A-Z0-9_]+_[0-9a-f]{8}\])[0-9.eE+-]*`).ReplaceAllString(text, `$1"$2"`)
}
