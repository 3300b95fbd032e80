package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// rotated is a key that a program uses while it is rotated.
type rotated struct {
	*admin
	old  string // id
	file string // to which the new key is handed over
	uses int    // of the old key during the wait
}

// newRotated returns a key that is used n times during the wait, once in each pause.
func newRotated(t *testing.T, n int) *rotated {
	t.Helper()
	x := newAdmin(t)
	created := item[mintedItem[promptrails.APIKey]](x, "", "keys", "create", "--name", "Worker", "--scopes", "credentials:read", "--allowed-ips", "127.0.0.0/8", "--expires-in", "720h")
	r := &rotated{admin: x, old: created.Item.ID, file: filepath.Join(t.TempDir(), "new-key")}
	worker := x.s.Client(promptrails.WithAPIKey(created.Secret))
	x.pause = func(ctx context.Context, d time.Duration) error {
		x.s.Clock.Advance(d)
		if r.uses < n {
			r.uses++
			_, _ = worker.Credentials.List(ctx, nil) // fails after the expiry
		}
		return ctx.Err()
	}
	return r
}

// keys returns the keys by status.
func (r *rotated) keys() map[promptrails.APIKeyStatus][]*promptrails.APIKey {
	r.t.Helper()
	all := map[promptrails.APIKeyStatus][]*promptrails.APIKey{}
	for key, err := range r.s.Owner.APIKeys.All(r.t.Context(), nil) {
		if err != nil {
			r.t.Fatal(err)
		}
		all[key.Status] = append(all[key.Status], key)
	}
	return all
}

// The old key is revoked only after it is no longer used, and the new one has the same
// settings.
func TestRotate(t *testing.T) {
	t.Parallel()
	const uses = 20 // 5 minutes
	r := newRotated(t, uses)
	r.succeeds("", "keys", "rotate", r.old, "--quiet", "2m", "--overlap", "1h", "--", "tee", r.file)
	if r.uses != uses {
		t.Errorf("uses of the old key: got %d, want %d, before it was revoked", r.uses, uses)
	}
	keys := r.keys()
	if len(keys[promptrails.APIKeyActive]) != 1 || len(keys[promptrails.APIKeyRevoked]) != 1 || keys[promptrails.APIKeyRevoked][0].ID != r.old {
		t.Fatalf("keys: got %+v, want the old key revoked, and another one", keys)
	}
	fresh, old := keys[promptrails.APIKeyActive][0], keys[promptrails.APIKeyRevoked][0]
	if fresh.Name != old.Name || fresh.Scopes.String() != old.Scopes.String() || strings.Join(fresh.AllowedIPs, ",") != strings.Join(old.AllowedIPs, ",") {
		t.Errorf("new key: got %+v, want the settings of %+v", fresh, old)
	}
	if left := time.Until(fresh.ExpiresAt); left < 700*time.Hour {
		t.Errorf("expiry of the new key: got in %s, want the 720h of the old key", left)
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	current, err := r.s.Client(promptrails.WithAPIKey(string(text))).APIKeys.Current(t.Context())
	if err != nil || current.ID != fresh.ID {
		t.Errorf("key that was handed over: got %+v, error %v; want %s", current, err, fresh.ID)
	}
}

// If the key cannot be handed over, the new key is revoked, and the old one is as before.
func TestRotateRollsBack(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	before, err := r.s.Owner.APIKeys.Get(t.Context(), r.old)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"false"}, {"no-such-command-anywhere"}} {
		got := r.run(t.Context(), "", append([]string{"keys", "rotate", r.old, "--"}, command...)...)
		if got.err == nil || !strings.Contains(got.stderr, "rolled back") {
			t.Errorf("rotate with %s: got error %v, stderr %q; want an error, and a rollback", command, got.err, got.stderr)
		}
	}
	after, err := r.s.Owner.APIKeys.Get(t.Context(), r.old)
	if err != nil || after.Version != before.Version || after.Status != promptrails.APIKeyActive {
		t.Errorf("old key: got %+v, error %v; want it as before, %+v", after, err, before)
	}
	if keys := r.keys(); len(keys[promptrails.APIKeyActive]) != 1 || len(keys[promptrails.APIKeyRevoked]) != 2 {
		t.Errorf("keys: got %+v, want the new ones revoked", keys)
	}
}

// A key that is still in use is not revoked, and the error says when it expires.
func TestRotateStillInUse(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 1000)
	got := r.run(t.Context(), "", "keys", "rotate", r.old, "--overlap", "10m", "--quiet", "5m", "--out", r.file)
	if got.err == nil || !strings.Contains(got.err.Error(), "still in use: last at") || !strings.Contains(got.err.Error(), "admin keys revoke "+r.old) {
		t.Errorf("rotate: got error %v, want that the key is still in use, and how to revoke it", got.err)
	}
	if keys := r.keys(); len(keys[promptrails.APIKeyRevoked]) != 0 {
		t.Errorf("keys: got %+v, want none revoked", keys)
	}
}

// After an interruption of the wait, the old key expires after the overlap.
func TestRotateInterrupted(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	r.pause = func(context.Context, time.Duration) error {
		cancel()
		return ctx.Err()
	}
	got := r.run(ctx, "", "keys", "rotate", r.old, "--overlap", "10m", "--out", r.file)
	if !errors.Is(got.err, context.Canceled) || !strings.Contains(got.err.Error(), "expires at") {
		t.Errorf("rotate: got error %v, want the interruption, and when the old key expires", got.err)
	}
	old, err := r.s.Owner.APIKeys.Get(t.Context(), r.old)
	if err != nil || time.Until(old.ExpiresAt) > 10*time.Minute {
		t.Errorf("old key: got %+v, error %v; want that it expires within 10 minutes", old, err)
	}
}
