package credential_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/credential"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"": "", "a": "*", "elevenchars": "***********", "twelve chars": "t**********s", "sixteen letters!": "si************s!",
		"sk-a-value-of-thirty-two-letters": "sk-a****************ters", strings.Repeat("x", 1000): "xxxx****************xxxx",
		"ééééééééüüüüüüüü": "éé************üü",
	} {
		t.Run(fmt.Sprintf("%.40s", value), func(t *testing.T) {
			t.Parallel()
			if got := credential.Mask(value); got != want {
				t.Errorf("Mask(%q): got %q, want %q", value, got, want)
			}
		})
	}
}

func FuzzMask(f *testing.F) {
	f.Add("sk-a-value-of-thirty-two-letters")
	f.Fuzz(func(t *testing.T, value string) {
		masked := []rune(credential.Mask(value))
		n := len([]rune(value))
		shown := 0
		for _, r := range masked {
			if r != '*' {
				shown++
			}
		}
		if shown > n/4 || n < 12 && shown > 0 || len(masked) > 24 {
			t.Errorf("Mask(%q): got %q, want at most a quarter of %d characters shown, none of fewer than 12, and at most 24 in all", value, string(masked), n)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, value string
		invalid     bool
	}{
		{"openai", "sk-abc", false},
		{"openai", "sk-", true},
		{"openai", "key", true},
		{"openai", "sk-a b", true},
		{"anthropic", "sk-abc", true},
		{"anthropic", "sk-ant-abc", false},
		{"postgresql", "postgres://user:pass@host/db", false},
		{"postgresql", "host=localhost user=me", false},
		{"postgresql", "hello", true},
		{"postgresql", "mysql://host/db", true},
		{"mysql", "user:pass@tcp(host:3306)/db", false},
		{"my_own", "anything", false},
	} {
		t.Run(c.kind+" "+c.value, func(t *testing.T) {
			t.Parallel()
			valid, reason := credential.Check(c.kind, c.value)
			if (valid != nil) != c.invalid || valid != nil && *valid || reason == "" || strings.Contains(reason, c.value) && len(c.value) > 6 {
				t.Errorf("Check: got valid set %t and the reason %q, want set %t (to false) and a reason without the value", valid != nil, reason, c.invalid)
			}
		})
	}
}
