package changelog_test

import (
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

func TestCut(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		`{"a":{"hash":"}\\\""},"hash":"x","id":[1,2]}`: `{"a":{"hash":"}\\\""},"id":[1,2]}`,
		`{"hash":"x","id":1}`:                          `{"id":1}`,
		`{"id":1,"hash":"x"}`:                          `{"id":1}`,
		`{"hash":"x"}`:                                 `{}`,
	} {
		if before, after, ok := changelog.Cut(entry); !ok || before+after != want {
			t.Errorf("Cut(%s): got %s and %s, %t; want %s", entry, before, after, ok, want)
		}
	}
	for _, entry := range []string{
		``, `{`, `{}`, `[]`, `null`, `"hash"`, `{"id":1}`, `{"a":{"hash":1}}`, `{ "hash":1}`, `{"hash" :1}`, `{"hash": 1}`, `{"hash":1 }`, `{"hash":1} `, ` {"hash":1}`,
		`{"hash":1, "a":2}`, `{"hash":1,"a": 2}`, "{\"hash\":1\n}", `{"h\u0061sh":1}`, `{"hash":1`, `{"hash":"`, `{"hash"`, `{"hash":1,`,
	} {
		if before, after, ok := changelog.Cut(entry); ok {
			t.Errorf("Cut(%s): got %s and %s, want false", entry, before, after)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add(`{"a":{"hash":"}\\\""},"hash":"x","id":[1,2]}`)
	f.Fuzz(func(_ *testing.T, entry string) { changelog.Cut(entry) }) // must not panic
}
