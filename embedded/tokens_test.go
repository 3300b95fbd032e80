package embedded_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// The token and the secret of a trigger are never stored in plain text. They are
// returned only when the trigger is created; the response that is stored for the
// idempotency key is sealed.
func TestTriggerTokensAreNotStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ada := newServer(t, embedded.Config{DSN: filepath.Join(dir, "workspaces.db")}).owner("ada@example.com", "research")
	body := `{"name":"hook","generate_secret":true}`
	made := ada.do("POST", "/triggers", body, idempotencyKey, "k").expect(201)
	again := ada.do("POST", "/triggers", body, idempotencyKey, "k").expect(201)
	if !again.replayed() || again.body != made.body {
		t.Errorf("retry: got %s, want the stored response %s", again.body, made.body)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("files: got %v, %v, want at least 2", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"token", "secret"} {
			if bytes.Contains(content, []byte(made.text(field))) {
				t.Errorf("%s: got the %s in plain text, want it sealed", filepath.Base(file), field)
			}
		}
	}
}
