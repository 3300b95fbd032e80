package masking

import (
	"math/big"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// judges are second opinions on what the detectors find.
var judges = map[string]func(string) bool{
	"email": func(s string) bool {
		a, err := mail.ParseAddress(strings.NewReplacer("..", "x").Replace(s))
		return err == nil && a.Address != "" && !strings.Contains(s, "..")
	},
	"phone": func(s string) bool {
		n := len(onlyDigits(s))
		return strings.HasPrefix(s, "+") && n >= 8 && n <= 15 || n == 10 || n == 11 && onlyDigits(s)[0] == '1'
	},
	"credit_card": func(s string) bool {
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
	"iban": func(s string) bool {
		s = strings.ToUpper(strings.ReplaceAll(s, " ", ""))
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
	"us_ssn":         regexp.MustCompile(`^[0-8]\d{2}[- ]\d{2}[- ]\d{4}$`).MatchString,
	"tc_kimlik":      regexp.MustCompile(`^[1-9]\d{10}$`).MatchString,
	"ipv4":           func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	"ipv6":           func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() },
	"jwt":            regexp.MustCompile(`^eyJ[\w-]*(\.[\w-]*){2,4}$`).MatchString,
	"aws_access_key": regexp.MustCompile(`^A[A-Z]{3}[A-Z0-9]{16}$`).MatchString,
	"api_key":        regexp.MustCompile(`^[\w.-]*\d[\w.-]*$`).MatchString,
	"private_key":    regexp.MustCompile(`^(?s)-----BEGIN [^-]*PRIVATE KEY( BLOCK)?-----.{40,}-----END [^-]*PRIVATE KEY( BLOCK)?-----$`).MatchString,
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// fuzz holds a detector against any text: what it finds is what it says, and
// nothing but that is changed.
func fuzz(f *testing.F, name string) {
	f.Helper()
	for _, e := range corpus(f, name) {
		f.Add(e.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		masked, matches := New(func(d string) bool { return d == name }).Mask(text)
		original, end := masked, 0
		for _, m := range matches {
			if m.Start < end || m.End <= m.Start || m.End > len(text) || m.Detector != name || !placeholderForm.MatchString(m.Placeholder) {
				t.Fatalf("%+v in %q", matches, text)
			}
			value := text[m.Start:m.End]
			if !judges[name](value) || !beginsWord(text, m.Start) || !endsWord(text, m.End) || utf8.ValidString(text) && !utf8.ValidString(value) {
				t.Errorf("%s finds %q in %q", name, value, text)
			}
			original, end = strings.ReplaceAll(original, m.Placeholder, value), m.End
		}
		if original != text && !strings.Contains(text, "[PII_") {
			t.Errorf("%q came of %q", masked, text)
		}
	})
}

func FuzzEmail(f *testing.F)        { fuzz(f, "email") }
func FuzzPhone(f *testing.F)        { fuzz(f, "phone") }
func FuzzCreditCard(f *testing.F)   { fuzz(f, "credit_card") }
func FuzzIBAN(f *testing.F)         { fuzz(f, "iban") }
func FuzzSSN(f *testing.F)          { fuzz(f, "us_ssn") }
func FuzzKimlik(f *testing.F)       { fuzz(f, "tc_kimlik") }
func FuzzIPv4(f *testing.F)         { fuzz(f, "ipv4") }
func FuzzIPv6(f *testing.F)         { fuzz(f, "ipv6") }
func FuzzJWT(f *testing.F)          { fuzz(f, "jwt") }
func FuzzAWSAccessKey(f *testing.F) { fuzz(f, "aws_access_key") }
func FuzzAPIKey(f *testing.F)       { fuzz(f, "api_key") }
func FuzzPrivateKey(f *testing.F)   { fuzz(f, "private_key") }
