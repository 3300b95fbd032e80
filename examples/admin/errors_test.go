package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Values that scripts make of unset variables are refused, as they would mean something
// else.
func TestEmptyFlags(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	f := newFixture(x)
	before := len(x.s.Requests())
	for _, args := range [][]string{
		{"-w", "", "workspaces", "get"},
		{"keys", "create", "--name", "N", "--scopes", "agents:read", "--no-expiry", "--out", ""},
		{"keys", "create", "--name", "N", "--scopes", "agents:read", "--no-expiry", "--allowed-ips", ""},
		{"keys", "create", "--name", "N", "--scopes", "agents:read", "--no-expiry", "--expires-in", "-1h"},
		{"keys", "update", f.key, "--no-expiry=false"},
		{"keys", "update", f.key, "--no-expiry", "--expires-in", "1h"},
		{"keys", "list", "--status", ""},
		{"keys", "list", "--unused", "-720h"},
		{"keys", "verify", "--scopes", ""},
		{"keys", "verify", "--ip", ""},
		{"changelog", "list", "--since", "-1h"},
		{"changelog", "verify", "--head", ""},
	} {
		got := x.run(t.Context(), "pr_live_key", args...)
		if _, ok := errors.AsType[usageError](got.err); !ok || got.stdout != "" {
			t.Errorf("admin %q: got stdout %q, error %v; want a usage error", args, got.stdout, got.err)
		}
	}
	if n := len(x.s.Requests()); n != before {
		t.Errorf("requests: got %d, want none", n-before)
	}
	// Here an empty list has a meaning.
	x.succeeds("", "keys", "update", f.key, "--allowed-ips", "192.0.2.7")
	if out := x.succeeds("", "keys", "update", f.key, "--allowed-ips", ""); strings.Contains(out, "192.0.2.7") {
		t.Errorf("keys update --allowed-ips '': got %q, want no restriction", out)
	}
}

// A change of sample data in memory would be lost, so it is refused.
func TestSampleInMemory(t *testing.T) {
	t.Setenv("PROMPTRAILS_API_URL", "")
	t.Setenv("PROMPTRAILS_ACCESS_TOKEN", "")
	t.Setenv("PROMPTRAILS_API_KEY", "")
	x := newAdmin(t)
	x.credentials = []string{"-w", "research"}
	file := filepath.Join(t.TempDir(), "key")
	for _, args := range [][]string{
		{"workspaces", "rename", "New"},
		{"workspaces", "plan", "pro"},
		{"keys", "create", "--name", "N", "--scopes", "agents:read", "--no-expiry", "--out", file},
	} {
		got := x.run(t.Context(), "", args...)
		if _, ok := errors.AsType[usageError](got.err); !ok || !strings.Contains(got.err.Error(), "would be lost") {
			t.Errorf("admin %q: got stdout %q, error %v; want that the change would be lost", args, got.stdout, got.err)
		}
		x.succeeds("", append(args, "--dry-run")...)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file of the key: got error %v, want that it does not exist", err)
	}
}

// A dry run refuses what the change would refuse, as far as it can see that.
func TestDryRunRefuses(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	f := newFixture(x)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"workspaces", "delete", "--confirm", "wrong"},
		{"members", "role", f.member, "owner"},
		{"members", "role", f.member, "superuser"},
		{"keys", "create", "--name", "N", "--scopes", "agents:read", "--no-expiry", "--out", file},
		{"keys", "create", "--name", "N", "--scopes", "agents:read", "--no-expiry", "--out", filepath.Join(file, "missing", "key")},
	} {
		if got := x.run(t.Context(), "", append(args, "--dry-run")...); got.err == nil {
			t.Errorf("admin %q --dry-run: got stdout %q, want an error", args, got.stdout)
		}
	}
	if got := item[map[string]string](x, "", "workspaces", "rename", "New", "--dry-run"); !strings.HasPrefix(got["would"], "rename the workspace") {
		t.Errorf("--dry-run --json: got %q, want the change", got)
	}
}

// The error of an interruption has what remains to be done.
func TestExplainInterruption(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	got := explain(ctx, new(app).root(), errors.Join(context.Canceled, errors.New("the key remains")))
	if want := "interrupted: interrupt signal received\nthe key remains"; got != want {
		t.Errorf("explain: got %q, want %q", got, want)
	}
}

// Errors that have names in them do not reach the terminal as control sequences.
func TestExplainEscapes(t *testing.T) {
	t.Parallel()
	got := explain(t.Context(), new(app).root(), errors.Join(errors.New("name\x1b[2J"), errors.New("rest")))
	if want := `name\x1b[2J` + "\nrest"; got != want {
		t.Errorf("explain: got %q, want %q", got, want)
	}
}

// A credential that the provider does not accept is a failure, for a script.
func TestCheckCredential(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	id := item[promptrails.Credential](x, "not-a-key\n", "credentials", "create", "--name", "Model", "--type", "openai").ID
	got := x.run(t.Context(), "", "credentials", "check", id)
	if got.err == nil || !strings.Contains(got.err.Error(), "the credential is not valid: ") || strings.Contains(got.stderr, "done") {
		t.Errorf("credentials check: got error %v, stderr %q; want that the credential is not valid", got.err, got.stderr)
	}
}
