package embedded_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// The token and the secret of a trigger are shown once, and are in no file: the
// response that an idempotency key repeats is sealed.
func TestTriggerTokensAreNotStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ada := newServer(t, embedded.Config{DSN: filepath.Join(dir, "workspaces.db")}).owner("ada@example.com", "research")
	body := `{"name":"hook","generate_secret":true}`
	made := ada.do("POST", "/triggers", body, idempotencyKey, "k").expect(201)
	again := ada.do("POST", "/triggers", body, idempotencyKey, "k").expect(201)
	if !again.replayed() || again.body != made.body {
		t.Errorf("got %s, want the response %s again", again.body, made.body)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("got the files %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"token", "secret"} {
			if bytes.Contains(content, []byte(made.text(field))) {
				t.Errorf("the %s is in %s", field, filepath.Base(file))
			}
		}
	}
}
