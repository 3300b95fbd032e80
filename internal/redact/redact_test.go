package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptrails-community/promptrails-go/internal/redact"
)

// forms are encodings in which programs write a secret into a text.
var forms = map[string]func(string) string{
	"plain": func(s string) string { return s },
	"JSON":  func(s string) string { b, _ := json.Marshal(s); return string(b) },
	"JSON in JSON": func(s string) string {
		b, _ := json.Marshal(s)
		b, _ = json.Marshal(string(b))
		return string(b)
	},
	"Go":             func(s string) string { return fmt.Sprintf("%q", s) },
	"a query":        url.QueryEscape,
	"a path":         url.PathEscape,
	"HTML":           html.EscapeString,
	"HTML of JSON":   func(s string) string { b, _ := json.Marshal(s); return html.EscapeString(string(b)) },
	"base64":         func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"URL base64":     func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) },
	"Basic":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte("api:" + s)) },
	"base64 after 2": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("ab" + s + "c")) },
	"hex":            func(s string) string { return hex.EncodeToString([]byte(s)) },
	"upper-case hex": func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
	"lines": func(s string) string {
		var b strings.Builder
		for i, c := range s {
			if i%7 == 6 {
				b.WriteString("\r\n  ")
			}
			b.WriteRune(c)
		}
		return b.String()
	},
	"cut at the end":  func(s string) string { return s[:len(s)*2/3] },
	"cut with a note": func(s string) string { return s[:len(s)*2/3] + "... (truncated)" },
	"cut at the front": func(s string) string {
		return s[len(s)/3:]
	},
}

var secrets = map[string]string{
	"a key":        "sk-live-4eC39HqLyjWDarjtT1zdp7dc",
	"a PEM key":    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n",
	"a DSN":        "postgres://app:S3cr3tPass@db.internal:5432/x?sslmode=require&pool=1",
	"punctuation":  `pa"ss\wo'rd<1>&2/3+4`,
	"not ASCII":    "pässwörd-für-über-😀-alle",
	"with a space": "correct horse battery staple",
}

// Secrets are redacted in every encoding.
func TestEncodedSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	for kind, secret := range secrets {
		for name, form := range forms {
			t.Run(kind+" as "+name, func(t *testing.T) {
				t.Parallel()
				written := form(secret)
				if name == "cut at the front" && kind == "not ASCII" {
					t.Skip("the cut would split a character")
				}
				text := "before it " + written
				if !strings.HasPrefix(name, "cut") {
					text += " after it"
				}
				got := redact.New("other", secret).Clean(text)
				if !strings.HasPrefix(got, "before it ") || !strings.Contains(got, redact.Mark) {
					t.Fatalf("Clean(%q): got %q, want the secret replaced and the rest unchanged", text, got)
				}
				shown, _, _ := strings.Cut(written, "...")
				for i := 0; i+12 <= len(shown); i++ {
					if part := shown[i : i+12]; strings.Contains(got, part) {
						t.Fatalf("Clean(%q): got %q, want it without %q", text, got, part)
					}
				}
			})
		}
	}
}

func TestTextWithoutSecretsIsUnchanged(t *testing.T) {
	t.Parallel()
	r := redact.New("postgres://app:S3cr3tPass@db:5432/x", "ab", "")
	for _, text := range []string{"", "postgres is down", "the name must be 1 to 100 characters", `{"a":"\u0026 100% &amp; \\"}`, "ab", "\xff\xfe", "%", "\\", "&"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			if got := r.Clean(text); got != text {
				t.Errorf("Clean(%q): got %q, want the text unchanged", text, got)
			}
		})
	}
}

// Short secrets are redacted only if they occur as a whole.
func TestShortSecretsAreRedactedWhole(t *testing.T) {
	t.Parallel()
	if got, want := redact.New("pass").Clean("the word pass, and passage, but not pas"), "the word [redacted], and [redacted]age, but not pas"; got != want {
		t.Errorf("Clean: got %q, want %q", got, want)
	}
}

// Secrets are redacted in any surrounding text.
func TestSurroundedSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[!-~]{16,80}`).Draw(t, "secret")
		name := rapid.SampledFrom([]string{"plain", "JSON", "a query", "HTML", "base64", "Basic", "hex", "lines"}).Draw(t, "form")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		written := forms[name](secret)
		got := redact.New(secret).Clean(before + " " + written + " " + after)
		if strings.Contains(got, written) || strings.Contains(got, secret) {
			t.Fatalf("Clean: got %q, want it without %q and %q", got, written, secret)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, secret := range secrets {
		f.Add(secret, "a "+secret+" b")
	}
	f.Fuzz(func(t *testing.T, secret, text string) {
		got := redact.New(secret).Clean(text)
		if len(secret) >= 16 && strings.TrimSpace(secret) == secret && strings.Contains(got, secret) && !strings.Contains(redact.Mark, secret) {
			t.Errorf("Clean(%q): got %q, want it without %q", text, got, secret)
		}
	})
}
