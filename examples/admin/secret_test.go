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
