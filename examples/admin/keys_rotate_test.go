package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

	service http.Handler
	fault   func(http.ResponseWriter, *http.Request) bool // handles a request in place of the service; nil: none
}

// newRotated returns a key that is used n times during the wait, once in each pause.
func newRotated(t *testing.T, n int) *rotated {
	t.Helper()
	x := newAdmin(t)
	created := item[mintedItem[promptrails.APIKey]](x, "", "keys", "create", "--name", "Worker", "--scopes", "credentials:read", "--allowed-ips", "127.0.0.0/8", "--expires-in", "720h")
	r := &rotated{admin: x, old: created.Item.ID, file: filepath.Join(t.TempDir(), "new-key")}
	target, err := url.Parse(x.s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.service = httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.fault == nil || !r.fault(w, q) {
			r.service.ServeHTTP(w, q)
		}
	}))
	t.Cleanup(proxy.Close)
	x.credentials[1] = proxy.URL
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
	got := r.run(ctx, "", "keys", "rotate", r.old, "--overlap", "11m", "--out", r.file)
	if !errors.Is(got.err, context.Canceled) || !strings.Contains(got.err.Error(), "expires at") {
		t.Errorf("rotate: got error %v, want the interruption, and when the old key expires", got.err)
	}
	old, err := r.s.Owner.APIKeys.Get(t.Context(), r.old)
	if err != nil || time.Until(old.ExpiresAt) > 11*time.Minute {
		t.Errorf("old key: got %+v, error %v; want that it expires within 11 minutes", old, err)
	}
}

// After the new key was handed over, a failure does not revoke it: a program may use it.
func TestRotateKeepsTheNewKey(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*rotated) context.Context{
		"the server refuses the expiry": func(r *rotated) context.Context {
			r.fault = func(w http.ResponseWriter, q *http.Request) bool {
				if q.Method == http.MethodPatch {
					w.WriteHeader(http.StatusForbidden)
				}
				return q.Method == http.MethodPatch
			}
			return r.t.Context()
		},
		"Ctrl-C while the expiry is set": func(r *rotated) context.Context {
			ctx, cancel := context.WithCancel(r.t.Context())
			r.fault = func(_ http.ResponseWriter, q *http.Request) bool {
				if q.Method == http.MethodPatch {
					r.service.ServeHTTP(httptest.NewRecorder(), q)
					cancel()
				}
				return q.Method == http.MethodPatch
			}
			return ctx
		},
		"the server refuses the revocation": func(r *rotated) context.Context {
			r.fault = func(w http.ResponseWriter, q *http.Request) bool {
				if q.Method == http.MethodDelete {
					w.WriteHeader(http.StatusForbidden)
				}
				return q.Method == http.MethodDelete
			}
			return r.t.Context()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotated(t, 0)
			ctx := fail(r)
			got := r.run(ctx, "", "keys", "rotate", r.old, "--out", r.file)
			if strings.Contains(got.stderr, "rolled back") || got.err == nil || !strings.Contains(got.err.Error(), "admin keys revoke "+r.old) {
				t.Errorf("rotate: got error %v, stderr %q; want how to revoke the old key", got.err, got.stderr)
			}
			key, err := os.ReadFile(r.file)
			if err != nil {
				t.Fatal(err)
			}
			fresh, err := r.s.Client(promptrails.WithAPIKey(strings.TrimSpace(string(key)))).APIKeys.Current(t.Context())
			if err != nil || !strings.Contains(got.err.Error(), fresh.ID) {
				t.Errorf("new key: got %+v, error %v; want it valid, and its id in %q", fresh, err, got.err)
			}
		})
	}
}

// An interruption while the new key is created does not leave it valid.
func TestRotateInterruptedCreation(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	r.fault = func(_ http.ResponseWriter, q *http.Request) bool {
		if q.Method == http.MethodPost {
			cancel()
		}
		return false
	}
	got := r.run(ctx, "", "keys", "rotate", r.old, "--", "tee", r.file)
	if keys := r.keys(); got.err == nil || len(keys[promptrails.APIKeyActive]) != 1 || len(keys[promptrails.APIKeyRevoked]) != 1 {
		t.Errorf("rotate: got error %v, keys %+v; want the new one revoked", got.err, keys)
	}
}

// A file or a command that does not get the key has failed.
func TestRotateRollsBackOutput(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	got := r.run(t.Context(), "", "keys", "rotate", r.old, "--", "true")
	if got.err == nil || !strings.Contains(got.err.Error(), "did not read the key") || !strings.Contains(got.stderr, "rolled back") {
		t.Errorf("command that does not read its stdin: got error %v, stderr %q; want that, and a rollback", got.err, got.stderr)
	}
	if got := r.runTo(t.Context(), closedPipe(t), "", "keys", "rotate", r.old); got.err == nil || !strings.Contains(got.stderr, "rolled back") {
		t.Errorf("closed pipe: got error %v, stderr %q; want a rollback", got.err, got.stderr)
	}
	r.fault = func(w http.ResponseWriter, q *http.Request) bool {
		isVerify := strings.HasSuffix(q.URL.Path, "/verify")
		if isVerify {
			w.WriteHeader(http.StatusForbidden)
		}
		return isVerify
	}
	if got := r.run(t.Context(), "", "keys", "rotate", r.old, "--out", r.file); got.err == nil || !strings.Contains(got.stderr, "rolled back") {
		t.Errorf("failed verification: got error %v, stderr %q; want a rollback", got.err, got.stderr)
	}
	if _, err := os.Stat(r.file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file of a revoked key: got error %v, want that it does not exist", err)
	}
	if keys := r.keys(); len(keys[promptrails.APIKeyActive]) != 1 || keys[promptrails.APIKeyActive][0].ID != r.old {
		t.Errorf("active keys: got %+v, want only the old one", keys[promptrails.APIKeyActive])
	}
}

// A rotation that cannot succeed does not begin.
func TestRotateRefused(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	if got := r.run(t.Context(), "", "keys", "rotate", r.old, "--overlap", "10m", "--quiet", "10m"); got.err == nil || !strings.Contains(got.err.Error(), "must be longer") {
		t.Errorf("overlap that is not longer than the quiet time: got error %v, want one", got.err)
	}
	own := filepath.Join(t.TempDir(), "own")
	id := item[mintedItem[promptrails.APIKey]](r.admin, "", "keys", "create", "--name", "Own", "--scopes", "*", "--no-expiry").Item.ID
	other := item[mintedItem[promptrails.APIKey]](r.admin, "", "keys", "create", "--name", "Own", "--scopes", "*", "--no-expiry")
	if err := os.WriteFile(own, []byte(other.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	r.succeeds("", "keys", "revoke", id, "--yes")
	active := len(r.keys()[promptrails.APIKeyActive])
	for _, dry := range []string{"--dry-run", "--dry-run=false"} {
		if got := r.run(t.Context(), "", "keys", "rotate", id, dry); got.err == nil || !strings.Contains(got.err.Error(), "is revoked") {
			t.Errorf("revoked key, %s: got error %v, want that it is revoked", dry, got.err)
		}
	}
	r.credentials = []string{"--url", r.s.URL, "--key-file", own}
	if got := r.run(t.Context(), "", "keys", "rotate", other.Item.ID); got.err == nil || !strings.Contains(got.err.Error(), "its own requests") {
		t.Errorf("key that this command uses: got error %v, want one", got.err)
	}
	if n := len(r.keys()[promptrails.APIKeyActive]); n != active {
		t.Errorf("active keys: got %d, want %d as before", n, active)
	}
}

// A second rotation, or a person, may revoke the old key earlier. It may also expire.
func TestRotateOldKeyEnds(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	r.pause = func(ctx context.Context, _ time.Duration) error { return r.s.Owner.APIKeys.Revoke(ctx, r.old) }
	if got := r.run(t.Context(), "", "keys", "rotate", r.old, "--out", r.file); got.err != nil || !strings.Contains(got.stderr, "was revoked by another") {
		t.Errorf("key that is revoked during the wait: got error %v, stderr %q; want that", got.err, got.stderr)
	}
	r = newRotated(t, 0)
	r.succeeds("", "keys", "update", r.old, "--expires-in", "5m")
	r.succeeds("", "keys", "rotate", r.old, "--out", r.file)
}
