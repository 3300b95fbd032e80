package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Secrets are written to stdout, or to a new file that only its owner can read.
func TestSecrets(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	got := x.run(t.Context(), "", "keys", "create", "--name", "Worker", "--scopes", "agents:read", "--no-expiry")
	key := strings.TrimSuffix(got.stdout, "\n")
	if !strings.HasPrefix(key, "pr_live_") || strings.ContainsAny(key, " \n") {
		t.Errorf("stdout: got %q, want the key alone", got.stdout)
	}
	if strings.Contains(got.stderr, key) || !strings.Contains(got.stderr, "agents:read") {
		t.Errorf("stderr: got %q, want the new key without its secret", got.stderr)
	}
	if out := x.succeeds(key, "keys", "verify", "--scopes", "agents:read"); !strings.Contains(out, "Worker") {
		t.Errorf("keys verify: got %q, want the key", out)
	}
	if got := x.run(t.Context(), key, "keys", "verify", "--scopes", "members:read"); got.err == nil || !strings.Contains(got.err.Error(), "insufficient_scope") {
		t.Errorf("keys verify with another scope: got error %v, want insufficient_scope", got.err)
	}

	file := filepath.Join(t.TempDir(), "key")
	if out := x.succeeds("", "keys", "create", "--name", "Other", "--scopes", "agents:read", "--no-expiry", "--out", file, "--json"); strings.Contains(out, "secret") {
		t.Errorf("stdout with --out: got %q, want no secret", out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: got %v, error %v; want mode 0600", info, err)
	}
	keys := len(x.s.Requests())
	if got := x.run(t.Context(), "", "keys", "create", "--name", "Third", "--scopes", "agents:read", "--no-expiry", "--out", file); got.err == nil || !strings.Contains(got.err.Error(), "exists") {
		t.Errorf("--out with an existing file: got error %v, want one", got.err)
	}
	for _, r := range x.s.Requests()[keys:] {
		if r.Method != http.MethodGet {
			t.Errorf("--out with an existing file: got the request %s %s, want no key", r.Method, r.URL.Path)
		}
	}
	// A key is not made for a file that is removed, because the call fails.
	missing := filepath.Join(t.TempDir(), "missing")
	if got := x.run(t.Context(), "", "keys", "create", "--name", "X", "--scopes", "no:scope", "--no-expiry", "--out", missing); got.err == nil {
		t.Error("keys create with an unknown scope: got error nil, want an error")
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file of a key that was not created: got error %v, want that it does not exist", err)
	}
}

// closedPipe returns a pipe without a reader.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = writer.Close() })
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	return writer
}

// If the result of a change cannot be written, the error has that the change was made,
// and stderr has the id of the key whose secret is lost.
func TestLostSecret(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	for _, flags := range [][]string{nil, {"--json"}} {
		got := x.runTo(t.Context(), closedPipe(t), "", append([]string{"keys", "create", "--name", "Lost", "--scopes", "agents:read", "--no-expiry"}, flags...)...)
		page, err := x.s.Owner.APIKeys.List(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.err == nil || !strings.Contains(got.err.Error(), "done, but") || !strings.Contains(got.err.Error(), "the secret is lost") || !strings.Contains(got.stderr, page.Items[0].ID) {
			t.Errorf("keys create %q: got error %v, stderr %q; want that the key %s was created, and its secret is lost", flags, got.err, got.stderr, page.Items[0].ID)
		}
	}
	got := x.runTo(t.Context(), closedPipe(t), "sk-a-value", "credentials", "create", "--name", "C", "--type", "openai")
	if got.err == nil || !strings.Contains(got.err.Error(), "done, but its result could not be written") || strings.Contains(got.err.Error(), "lost") {
		t.Errorf("credentials create: got error %v, want that the credential was created", got.err)
	}
}

// Stdin is read to its end, and by one flag only.
func TestStdin(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	text := strings.Repeat("a", 70000) + " ada@example.com"
	if got := x.run(t.Context(), text, "masking", "preview"); got.err != nil || !strings.HasPrefix(got.stdout, text[:70000]) {
		t.Errorf("masking preview: got %d bytes, error %v; want all %d", len(got.stdout), got.err, len(text))
	}
	if got := x.run(t.Context(), strings.Repeat("a", maxText+1), "masking", "preview"); got.err == nil || !strings.Contains(got.err.Error(), "stdin has more than") {
		t.Errorf("masking preview of too much: got error %v, want one", got.err)
	}
	token, err := os.ReadFile(x.credentials[3])
	if err != nil {
		t.Fatal(err)
	}
	x.credentials = []string{"--url", x.s.URL, "--token-file", "-"}
	x.succeeds(string(token), "members", "list")
	got := x.run(t.Context(), string(token), "credentials", "create", "--name", "C", "--type", "openai")
	if _, ok := errors.AsType[usageError](got.err); !ok {
		t.Errorf("two secrets from stdin: got error %v, want a usage error", got.err)
	}
}
