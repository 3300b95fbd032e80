package embedded_test

import (
	"encoding/json"
	"fmt"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Emails and names with invisible characters are rejected.
func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	for _, email := range []string{"a@example.com\u00a0", "a@example.com\u200b", "\ufeffa@example.com", "a@example.com\u2028", "a\u3000@example.com", "\u202ea@example.com", "a\tb@example.com", "a@exam\u00adple.com"} {
		ada.do("POST", "/invitations", fmt.Sprintf(`{"email":%s,"role":"user"}`, quoted(t, email))).fails(400, "validation_error")
		if _, err := ada.s.CreateUser(t.Context(), email, ""); err == nil {
			t.Errorf("CreateUser(%q): got no error, want one", email)
		}
	}
	for _, name := range []string{"a\nb", "a\tb", "a\u2028b", "\u200b", "\u3164", "\u0301", "a\x1b[31mb", "\u00a0"} {
		ada.do("PATCH", "/workspaces/research", `{"name":`+quoted(t, name)+`}`).fails(400, "validation_error")
		ada.do("POST", "/agents", `{"name":`+quoted(t, name)+`}`).fails(400, "validation_error")
	}
}

// quoted returns s as a JSON string.
func quoted(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
