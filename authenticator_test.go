package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var localhost = netip.MustParseAddr("127.0.0.1")

// code is how an authenticator judged a key; empty where it let it in.
func code(t *testing.T, a *promptrails.Authenticator, key promptrails.Secret, r promptrails.AuthRequest) promptrails.ErrorCode {
	t.Helper()
	if !r.IP.IsValid() {
		r.IP = localhost
	}
	p, err := a.Authenticate(t.Context(), key.Reveal(), r)
	if err == nil {
		if p.KeyID == "" || p.WorkspaceID == "" {
			t.Errorf("let in nobody: %+v", p)
		}
		return ""
	}
	e, ok := errors.AsType[*promptrails.Error](err)
	if !ok || p != nil {
		t.Fatalf("got %v, %v", p, err)
	}
	if !key.IsZero() && strings.Contains(err.Error(), key.Reveal()) {
		t.Errorf("the key shows in %v", err)
	}
	return e.Code
}

func wants(t *testing.T, got, want promptrails.ErrorCode) {
	t.Helper()
	if got != want {
		t.Errorf("judged %q, want %q", got, want)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a := g.authenticator()
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	key := g.keyOf(&promptrails.CreateAPIKeyParams{Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsExecute}, ExpiresAt: expires})
	p, err := a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAgentsRead}})
	if err != nil {
		t.Fatal(err)
	}
	want := &promptrails.Principal{KeyID: key.ID, WorkspaceID: key.WorkspaceID, Name: "A key", CreatedBy: key.CreatedBy, Scopes: key.Scopes, ExpiresAt: expires}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	// What a caller does to a principal is nobody else's business.
	p.Scopes[0] = promptrails.ScopeAll
	_, err = a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeBillingWrite}})
	refused, ok := errors.AsType[*promptrails.ScopeError](err)
	if !ok || !errors.Is(err, promptrails.ErrForbidden) || refused.Required != promptrails.ScopeBillingWrite || !cmp.Equal(refused.Granted, key.Scopes) {
		t.Errorf("got %v", err)
	}
	if g.asked() != 1 {
		t.Errorf("asked %d times", g.asked())
	}
}

// What cannot be a key is refused by its form, without a call.
func TestAuthenticatorAsksForNothingButKeys(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a, strict := g.authenticator(), g.authenticator(promptrails.WithAuthKeyChecksums())
	for _, key := range []string{"", "sk-proj-0123456789", "pr_", "pat_0123456789", "pr_live_\u00e9", "pr_live_a b", "pr_live_\n", "pr_" + strings.Repeat("x", 1<<20)} {
		wants(t, code(t, a, promptrails.NewSecret(key), promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	}
	if g.asked() != 0 {
		t.Errorf("asked %d times", g.asked())
	}
	good := g.key().Key
	mistyped := promptrails.NewSecret(strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return r
	}, good.Reveal()[:50]) + "zzzzzzz")
	wants(t, code(t, strict, mistyped, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	if g.asked() != 0 {
		t.Errorf("asked %d times about a mistyped key", g.asked())
	}
	wants(t, code(t, strict, good, promptrails.AuthRequest{}), "")
	wants(t, code(t, a, mistyped, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	if g.asked() != 2 {
		t.Errorf("asked %d times", g.asked())
	}
}

func TestAuthenticatorAsksOnceForABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		for name, key := range map[string]promptrails.Secret{
			"known": g.key().Key, "unknown": promptrails.NewSecret("pr_live_nobody"),
		} {
			g.forgets()
			a := g.authenticator()
			held := make(chan struct{})
			g.answersWith(func(w http.ResponseWriter, r *http.Request) { <-held; g.service.ServeHTTP(w, r) })
			var callers sync.WaitGroup
			var in, out atomic.Int64
			for range 10_000 {
				callers.Go(func() {
					if _, err := a.Authenticate(t.Context(), key.Reveal(), promptrails.AuthRequest{}); err == nil {
						in.Add(1)
					} else if errors.Is(err, promptrails.ErrUnauthorized) {
						out.Add(1)
					}
				})
			}
			synctest.Wait()
			close(held)
			callers.Wait()
			if g.asked() != 1 || in.Load()+out.Load() != 10_000 || (name == "known") != (in.Load() == 10_000) {
				t.Errorf("%s: asked %d times, %d in, %d out", name, g.asked(), in.Load(), out.Load())
			}
			g.isUp()
		}
	})
}

// Whoever comes while an answer is landing does not ask a second time.
func TestAuthenticatorAsksOnceForStragglers(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	for range 50 {
		for want, key := range map[promptrails.ErrorCode]promptrails.Secret{"": g.key().Key, promptrails.CodeInvalidAPIKey: promptrails.NewSecret("pr_live_nobody")} {
			g.forgets()
			a := g.authenticator()
			var callers sync.WaitGroup
			for range 64 {
				callers.Go(func() { wants(t, code(t, a, key, promptrails.AuthRequest{}), want) })
			}
			callers.Wait()
			if g.asked() != 1 {
				t.Fatalf("asked %d times", g.asked())
			}
		}
	}
}

func TestAuthenticatorOutlivesACaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a, key := g.authenticator(), g.key().Key
		held := make(chan struct{})
		g.answersWith(func(w http.ResponseWriter, r *http.Request) { <-held; g.service.ServeHTTP(w, r) })
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := a.Authenticate(ctx, key.Reveal(), promptrails.AuthRequest{})
			if !errors.Is(err, context.Canceled) || !errors.Is(err, promptrails.ErrUnavailable) {
				t.Errorf("the caller that left: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() { wants(t, code(t, a, key, promptrails.AuthRequest{}), "") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(held)
		callers.Wait()
		if g.asked() != 1 {
			t.Errorf("asked %d times", g.asked())
		}
	})
}

// A key that somebody else revokes is let in for the TTL and no longer, whatever
// may be served while the API is down; the refusal is kept apart, and shorter.
func TestAuthenticatorTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a, key := g.authenticator(promptrails.WithAuthCacheTTL(10*time.Second), promptrails.WithAuthNegativeTTL(3*time.Second), promptrails.WithAuthMaxStale(time.Hour)), g.key()
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		if err := g.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		if g.asked() != 1 {
			t.Errorf("asked %d times within the TTL", g.asked())
		}
		time.Sleep(time.Nanosecond)
		for _, asked := range []int64{2, 2, 3} {
			wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)
			if g.asked() != asked {
				t.Errorf("asked %d times, want %d", g.asked(), asked)
			}
			time.Sleep(1500 * time.Millisecond)
		}
	})
}

// What the options say is the default is what is done without them.
func TestAuthenticatorDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a, key := g.authenticator(), g.key()
		unknown := promptrails.NewSecret("pr_live_nobody")
		for _, c := range []struct {
			key       promptrails.Secret
			kept      time.Duration
			remembers promptrails.ErrorCode
		}{{key.Key, 30 * time.Second, ""}, {unknown, 5 * time.Second, promptrails.CodeInvalidAPIKey}} {
			g.forgets()
			for _, asked := range []int64{1, 1, 2} {
				wants(t, code(t, a, c.key, promptrails.AuthRequest{}), c.remembers)
				if g.asked() != asked {
					t.Errorf("asked %d times, want %d", g.asked(), asked)
				}
				time.Sleep(c.kept/2 + time.Nanosecond) // of the test's clock
			}
		}
		time.Sleep(time.Minute)
		g.goesDown() // and nobody is served stale
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeUnavailable)
	})
}

// The TTL counts from the question: the answer may be as old as that.
func TestAuthenticatorCountsFromTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a, key := g.authenticator(promptrails.WithAuthCacheTTL(8*time.Second)), g.key()
		g.answersWith(func(w http.ResponseWriter, r *http.Request) { g.service.ServeHTTP(w, r); time.Sleep(5 * time.Second) })
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		g.isUp()
		if err := g.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)
	})
}

// A key that is revoked, narrowed or rotated through the authenticator's own
// client is asked about anew from then on.
func TestAuthenticatorSeesItsOwnClientsChanges(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(g.owner))
	for name, c := range map[string]struct {
		change func(id string) error
		want   promptrails.ErrorCode
	}{
		"revoke": {func(id string) error { return g.owner.APIKeys.Revoke(t.Context(), id) }, promptrails.CodeAPIKeyRevoked},
		"rotate": {func(id string) error { _, err := g.owner.APIKeys.Rotate(t.Context(), id, 0); return err }, promptrails.CodeAPIKeyRevoked},
		"update": {func(id string) error {
			_, err := g.owner.APIKeys.Update(t.Context(), id, &promptrails.UpdateAPIKeyParams{Scopes: &promptrails.Scopes{promptrails.ScopeAppsRead}})
			return err
		}, promptrails.CodeInsufficientScope},
	} {
		key, r := g.key(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAgentsRead}}
		wants(t, code(t, a, key.Key, r), "")
		if err := c.change(key.ID); err != nil {
			t.Fatal(err)
		}
		if got := code(t, a, key.Key, r); got != c.want {
			t.Errorf("after %s: %q", name, got)
		}
	}
	admin := g.member("admin@example.com")
	made := must[*promptrails.CreatedAPIKey](t)(admin.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "A", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
	wants(t, code(t, a, made.Key, promptrails.AuthRequest{}), "")
	self := must[*promptrails.Member](t)(admin.Members.Self(t.Context()))
	if err := g.owner.Members.Remove(t.Context(), self.ID, &promptrails.RemoveMemberParams{RevokeAPIKeys: true}); err != nil {
		t.Fatal(err)
	}
	wants(t, code(t, a, made.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)

	other := g.workspace("other")
	member := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(other))
	key := must[*promptrails.CreatedAPIKey](t)(other.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "A", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
	wants(t, code(t, member, key.Key, promptrails.AuthRequest{}), "")
	if err := other.Workspaces.Delete(t.Context(), key.WorkspaceID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "other"}); err != nil {
		t.Fatal(err)
	}
	if got := code(t, member, key.Key, promptrails.AuthRequest{}); got == "" {
		t.Error("a key of a workspace that is gone is let in")
	}
}

// A verification that began before a revocation, and ends after it, does not
// bring the key back.
func TestAuthenticatorRevocationRacesAVerification(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		key := g.key()
		revoked := g.client(promptrails.WithAPIKey(g.key(promptrails.ScopeAPIKeysVerify, promptrails.ScopeAPIKeysWrite, promptrails.ScopeAgentsRead).Key.Reveal()))
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(revoked))
		held := make(chan struct{})
		g.answersWith(func(w http.ResponseWriter, r *http.Request) { g.service.ServeHTTP(w, r); <-held })
		var early sync.WaitGroup
		early.Go(func() { wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "") }) // it asked before
		synctest.Wait()
		g.isUp()
		if err := revoked.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		// Nobody who comes now waits for the old answer, or is let in by it.
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)
		close(held)
		early.Wait()
		g.forgets()
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)
		if g.asked() != 0 {
			t.Errorf("the late answer put out the younger one: asked %d times", g.asked())
		}
	})
}

// Nor does one that ends late put out a younger acceptance.
func TestAuthenticatorKeepsTheYoungerAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		held := make(chan struct{})
		var asked atomic.Int64
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(g.owner, promptrails.WithAuthAnyWorkspace(), promptrails.WithAuthVerifier(verifier(
			func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
				if asked.Add(1) == 1 {
					<-held
					return nil, promptrails.ErrUnauthorized
				}
				return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
			}))))
		key := promptrails.NewSecret(someKey)
		var early sync.WaitGroup
		early.Go(func() { wants(t, code(t, a, key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey) })
		synctest.Wait()
		if err := g.owner.APIKeys.Revoke(t.Context(), g.key().ID); err != nil {
			t.Fatal(err)
		}
		wants(t, code(t, a, key, promptrails.AuthRequest{}), "")
		close(held)
		early.Wait()
		wants(t, code(t, a, key, promptrails.AuthRequest{}), "")
		if asked.Load() != 2 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

func TestAuthenticatorWhileTheAPIIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		opts := []promptrails.AuthenticatorOption{promptrails.WithAuthCacheTTL(10 * time.Second)}
		strict := g.authenticator(opts...)
		a := g.authenticator(append(opts, promptrails.WithAuthMaxStale(time.Minute))...)
		key, later := g.key(), g.key()
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		wants(t, code(t, strict, key.Key, promptrails.AuthRequest{}), "")
		g.goesDown()
		wants(t, code(t, a, later.Key, promptrails.AuthRequest{}), promptrails.CodeUnavailable) // a cold cache
		time.Sleep(10 * time.Second)
		wants(t, code(t, strict, key.Key, promptrails.AuthRequest{}), promptrails.CodeUnavailable)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAll}}), promptrails.CodeInsufficientScope)
		time.Sleep(time.Minute - time.Nanosecond)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		time.Sleep(time.Nanosecond)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeUnavailable)
		g.isUp()
		time.Sleep(time.Second)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
	})
}

// Once the API is known to be down, a key that is served stale waits for no
// verification, asks at most once a second, and notices when it is up again.
func TestAuthenticatorDoesNotWaitForWhatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a := g.authenticator(promptrails.WithAuthCacheTTL(10*time.Second), promptrails.WithAuthMaxStale(time.Hour))
		key := g.key()
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		time.Sleep(10 * time.Second)
		g.forgets()
		g.answersWith(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) // it hangs
		before := time.Now()
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		if waited := time.Since(before); waited != 10*time.Second {
			t.Errorf("waited %s for the first one", waited)
		}
		before = time.Now()
		for range 100 {
			wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		}
		synctest.Wait()
		if time.Since(before) != 0 || g.asked() != 1 {
			t.Errorf("waited %s, asked %d times", time.Since(before), g.asked())
		}
		time.Sleep(time.Second)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		synctest.Wait()
		if g.asked() != 2 {
			t.Errorf("asked %d times after a second", g.asked())
		}
		time.Sleep(20 * time.Second)
		g.isUp()
		if err := g.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "") // it asks in the background
		synctest.Wait()
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)
	})
}

// What is served stale ends with the key itself, and so does what is cached.
func TestAuthenticatorEndsWithTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		end := time.Now().Add(time.Minute)
		expiring, rotated := g.keyOf(&promptrails.CreateAPIKeyParams{ExpiresAt: end}), g.key()
		must[*promptrails.CreatedAPIKey](t)(g.owner.APIKeys.Rotate(t.Context(), rotated.ID, time.Minute))
		var then []func()
		for want, key := range map[promptrails.ErrorCode]promptrails.Secret{promptrails.CodeAPIKeyExpired: expiring.Key, promptrails.CodeAPIKeyRevoked: rotated.Key} {
			up := g.authenticator(promptrails.WithAuthCacheTTL(time.Hour))
			down := g.authenticator(promptrails.WithAuthCacheTTL(time.Second), promptrails.WithAuthMaxStale(time.Hour))
			wants(t, code(t, up, key, promptrails.AuthRequest{}), "")
			wants(t, code(t, down, key, promptrails.AuthRequest{}), "")
			then = append(then, func() {
				wants(t, code(t, up, key, promptrails.AuthRequest{}), want)
				g.goesDown()
				wants(t, code(t, down, key, promptrails.AuthRequest{}), promptrails.CodeUnavailable)
				g.isUp()
			})
		}
		time.Sleep(time.Until(end))
		for _, check := range then {
			check()
		}
	})
}

// A key whose expiry somebody else has put off goes on: at the expiry that is
// remembered it is asked about anew, however long the TTL.
func TestAuthenticatorAsksAtTheExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a := g.authenticator(promptrails.WithAuthCacheTTL(time.Hour))
		key := g.keyOf(&promptrails.CreateAPIKeyParams{ExpiresAt: time.Now().Add(time.Minute)})
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
		must[*promptrails.APIKey](t)(g.owner.APIKeys.Update(t.Context(), key.ID, &promptrails.UpdateAPIKeyParams{ExpiresAt: new(time.Now().Add(time.Hour))}))
		time.Sleep(time.Minute)
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{}), "")
	})
}

// What is cached is what a key is; what it may do is judged each time.
func TestAuthenticatorJudgesEachUse(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a := g.authenticator()
	key := g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.0/24"}, AllowedOrigins: []string{"https://*.example.com"}})
	inside, outside := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.1")
	for _, c := range []struct {
		ip     netip.Addr
		origin string
		scopes []promptrails.Scope
		want   promptrails.ErrorCode
	}{
		{inside, "https://a.example.com", nil, ""},
		{netip.MustParseAddr("::ffff:203.0.113.9"), "https://a.example.com", nil, ""},
		{outside, "https://a.example.com", nil, promptrails.CodeIPNotAllowed},
		{netip.MustParseAddr("::ffff:198.51.100.1"), "https://a.example.com", nil, promptrails.CodeIPNotAllowed},
		{inside, "", nil, promptrails.CodeOriginNotAllowed},
		{inside, "null", nil, promptrails.CodeOriginNotAllowed},
		{inside, "https://a.example.com.evil.com", nil, promptrails.CodeOriginNotAllowed},
		{inside, "https://a.example.com:8443", nil, promptrails.CodeOriginNotAllowed},
		{inside, "http://a.example.com", nil, promptrails.CodeOriginNotAllowed},
		{inside, "https://a.example.com", []promptrails.Scope{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsWrite}, promptrails.CodeInsufficientScope},
		{inside, "https://a.example.com", []promptrails.Scope{promptrails.ScopeAgentsRead}, ""},
	} {
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{IP: c.ip, Origin: c.origin, Scopes: c.scopes}), c.want)
	}
	if _, err := a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Origin: "https://a.example.com"}); !errors.Is(err, promptrails.ErrForbidden) {
		t.Errorf("an address that nobody knows: %v", err)
	}
	all := g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"0.0.0.0/0"}})
	wants(t, code(t, a, all.Key, promptrails.AuthRequest{IP: outside}), "")
	wants(t, code(t, a, all.Key, promptrails.AuthRequest{IP: netip.MustParseAddr("2001:db8::1")}), promptrails.CodeIPNotAllowed)
	if g.asked() != 2 {
		t.Errorf("asked %d times", g.asked())
	}
}

// A flood of invented keys reaches the API at a set rate, and hurts no key that
// is known: neither its place in memory nor its verification.
func TestAuthenticatorUnderAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		a := g.authenticator(promptrails.WithAuthUnknownKeyRate(10, 20), promptrails.WithAuthCacheSize(1), promptrails.WithAuthCacheTTL(10*time.Second))
		known := g.key().Key
		wants(t, code(t, a, known, promptrails.AuthRequest{}), "")
		time.Sleep(9 * time.Second) // the burst is whole again
		g.forgets()
		flood := func() (unavailable int) {
			for i := range 1000 {
				_, err := a.Authenticate(t.Context(), fmt.Sprintf("pr_live_invented%d_%d", i, time.Now().UnixNano()), promptrails.AuthRequest{})
				if errors.Is(err, promptrails.ErrUnavailable) {
					unavailable++
				}
			}
			return unavailable
		}
		if n := flood(); g.asked() != 20 || n != 980 {
			t.Errorf("asked %d times, %d were unavailable", g.asked(), n)
		}
		g.forgets()
		wants(t, code(t, a, known, promptrails.AuthRequest{}), "")
		if g.asked() != 0 {
			t.Error("a good key was put out by bad ones")
		}
		time.Sleep(time.Second) // past the TTL of the known one
		wants(t, code(t, a, known, promptrails.AuthRequest{}), "")
		if flood(); g.asked() != 1+10 {
			t.Errorf("asked %d times in the next second", g.asked())
		}
	})
}

// verifier is a KeyVerifier of a test's own.
type verifier func(context.Context, promptrails.Secret) (*promptrails.APIKey, error)

func (v verifier) VerifyKey(ctx context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
	return v(ctx, key)
}

// However many keys come by, memory is bounded by the size of the cache. It runs
// alone, since it measures the heap.
func TestAuthenticatorMemory(t *testing.T) {
	const size, keys = 500, 50_000
	half := verifier(func(_ context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
		if strings.HasSuffix(key.Reveal(), "0") {
			return nil, promptrails.ErrUnauthorized
		}
		return &promptrails.APIKey{ID: key.Reveal(), WorkspaceID: "w", Name: strings.Repeat("n", 100), Scopes: promptrails.KnownScopes()}, nil
	})
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(half),
		promptrails.WithAuthCacheSize(size), promptrails.WithAuthUnknownKeyRate(1e9, 1e9)))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range keys {
		_, _ = a.Authenticate(t.Context(), fmt.Sprintf("pr_live_%d", i), promptrails.AuthRequest{})
	}
	if grown := int64(heap()) - int64(before); grown > size*10<<10 {
		t.Errorf("%d keys hold %d bytes", keys, grown)
	}
	runtime.KeepAlive(a)
}

// Keys are told apart by all that they are.
func TestAuthenticatorTellsKeysApart(t *testing.T) {
	t.Parallel()
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(
		func(_ context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
			if key.Reveal() == "pr_live_abcdefghijklmnopqrstuvwxyz0000" {
				return &promptrails.APIKey{ID: "one", WorkspaceID: "w"}, nil
			}
			return nil, promptrails.ErrUnauthorized
		}))))
	wants(t, code(t, a, promptrails.NewSecret("pr_live_abcdefghijklmnopqrstuvwxyz0000"), promptrails.AuthRequest{}), "")
	for _, other := range []string{"pr_live_abcdefghijklmnopqrstuvwxyz0001", "pr_live_abcdefghijkXmnopqrstuvwxyz0000", "pr_live_abcdefghijklmnopqrstuvwxyz000", "PR_live_abcdefghijklmnopqrstuvwxyz0000"} {
		wants(t, code(t, a, promptrails.NewSecret(other), promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	}
}

// An answer that is not the contract's says nothing about the key: nobody is
// let in, and nobody is told that the key is bad.
func TestAuthenticatorWhenNobodyCanTell(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	key := g.key().Key
	asTheKey := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(g.client(), promptrails.WithAuthAnyWorkspace()))
	for name, answer := range map[string]http.HandlerFunc{
		"no endpoint":              status(404, `{"message":"Not Found"}`),
		"not found":                status(404, `{"error":{"code":"not_found","message":"no"}}`),
		"method":                   status(405, ``),
		"500":                      status(500, ``),
		"429":                      status(429, ``, "Retry-After", "3"),
		"HTML":                     status(200, `<html>`, "Content-Type", "text/html"),
		"nothing":                  status(200, `{}`),
		"no verdict":               status(200, `{"data":{"valid":false}}`),
		"no reason":                status(200, `{"data":{"valid":false,"api_key":{"id":"k","workspace_id":"w"}}}`),
		"valid, but no key":        status(200, `{"data":{"valid":true}}`),
		"a key without an id":      status(200, `{"data":{"valid":true,"api_key":{"name":"x"},"name":"x"}}`),
		"a proxy's 401":            status(401, `<html>`),
		"forbidden":                status(403, `{"error":{"code":"forbidden","message":"no"}}`),
		"not in this workspace":    status(403, `{"error":{"code":"insufficient_scope","message":"no","details":{"required":"api_keys:verify","granted":[]}}}`),
		"a key shown in the fault": status(500, `{"error":{"code":"x","message":"`+key.Reveal()+`"}}`),
	} {
		g.answersWith(answer)
		for _, a := range []*promptrails.Authenticator{g.authenticator(), asTheKey} {
			_, err := a.Authenticate(t.Context(), key.Reveal(), promptrails.AuthRequest{})
			if !errors.Is(err, promptrails.ErrUnavailable) || errors.Is(err, promptrails.ErrUnauthorized) || errors.Is(err, promptrails.ErrForbidden) || errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && strings.Contains(err.Error(), key.Reveal()) {
				t.Errorf("%s: the key shows", name)
			}
		}
	}
	// A reason is a reason, whatever stands beside it.
	g.answersWith(status(200, `{"data":{"valid":false,"code":"api_key_expired","api_key":{"id":"k","workspace_id":"w"}}}`))
	wants(t, code(t, g.authenticator(), key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyExpired)
	// Its own credentials are refused: that is no word about the caller's key.
	g.isUp()
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(g.client(promptrails.WithAPIKey("pr_live_nobody"))))
	wants(t, code(t, a, key, promptrails.AuthRequest{}), promptrails.CodeUnavailable)
	wants(t, code(t, asTheKey, key, promptrails.AuthRequest{}), "")
}

// Without credentials it asks as the key: for keys of its workspace, and such
// that the server does not judge by where they come from.
func TestAuthenticatorAskingAsTheKey(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	here, there := g.key(), must[*promptrails.CreatedAPIKey](t)(g.workspace("other").APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "A key", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead},
	}))
	bare := g.client(promptrails.WithWorkspace(here.WorkspaceID))
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(bare))
	anywhere := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(bare, promptrails.WithAuthAnyWorkspace()))
	for _, c := range []struct {
		a    *promptrails.Authenticator
		key  promptrails.Secret
		want promptrails.ErrorCode
	}{
		{a, here.Key, ""},
		{a, there.Key, promptrails.CodeInvalidAPIKey},
		{anywhere, there.Key, ""},
		{a, promptrails.NewSecret("pr_live_nobody"), promptrails.CodeInvalidAPIKey},
		{a, g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.9"}}).Key, promptrails.CodeIPNotAllowed},
		{a, g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"127.0.0.1"}}).Key, promptrails.CodeIPNotAllowed}, // it is us that the server sees
		{a, g.keyOf(&promptrails.CreateAPIKeyParams{AllowedOrigins: []string{"https://app.example.com"}}).Key, promptrails.CodeOriginNotAllowed},
	} {
		wants(t, code(t, c.a, c.key, promptrails.AuthRequest{Origin: "https://app.example.com"}), c.want)
	}
	g.answersWith(status(200, `{"data":{"id":"k","workspace_id":"`+here.WorkspaceID+`","allowed_origins":["https://app.example.com"]}}`))
	wants(t, code(t, a, promptrails.NewSecret("pr_live_listed"), promptrails.AuthRequest{Origin: "https://app.example.com"}), promptrails.CodeOriginNotAllowed)
	g.isUp()
	revoked := g.key()
	if err := g.owner.APIKeys.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	wants(t, code(t, a, revoked.Key, promptrails.AuthRequest{}), promptrails.CodeAPIKeyRevoked)
	// Such a client does nothing else.
	before := g.asked()
	if _, err := bare.Credentials.List(t.Context(), nil); !errors.Is(err, promptrails.ErrUnauthorized) || g.asked() != before {
		t.Errorf("a call without credentials: %v", err)
	}
}

// A client with credentials of its own sees the keys of its workspace alone,
// and sends nothing but the key.
func TestAuthenticatorAskingUnderCredentials(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	there := must[*promptrails.CreatedAPIKey](t)(g.workspace("other").APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "A key", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead},
	}))
	wants(t, code(t, g.authenticator(promptrails.WithAuthAnyWorkspace()), there.Key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)

	here := g.key().Key
	var sent string
	g.answersWith(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		status(200, `{"data":{"valid":true,"api_key":{"id":"k","workspace_id":"w"}}}`)(w, r)
	})
	wants(t, code(t, g.authenticator(), here, promptrails.AuthRequest{Origin: "https://app.example.com"}), "")
	if sent != `{"key":"`+here.Reveal()+`"}` {
		t.Error("more was sent than the key")
	}
	// A verifier that answers for another workspace is not believed.
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(g.asker.InWorkspace("mine")))
	wants(t, code(t, a, here, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
}

// Keys of the vendor's own form, of which no more is known than how they begin,
// go through in both directions as they are.
func TestVendorKeysPassUnharmed(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"pr_key_abc", "pr_live_0123456789abcdef", "pr_test_a-b.c~d_e!f*g(h)", `pr_"quoted"\{}`, "pr_" + strings.Repeat("Z", 509)} {
		var called *http.Request
		transport := &answers{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			called = r
			status(200, `{"data":{"id":"k","workspace_id":"w","scopes":["*"]}}`)(w, r)
		}}}
		c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey(key), promptrails.WithHTTPClient(&http.Client{Transport: transport})))
		must[*promptrails.APIKey](t)(c.APIKeys.Current(t.Context()))
		if called.Header.Get("X-API-Key") != key {
			t.Errorf("%q left as %q", key, called.Header.Get("X-API-Key"))
		}
		var verified string
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(
			func(_ context.Context, s promptrails.Secret) (*promptrails.APIKey, error) {
				verified = s.Reveal()
				return &promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: "the vendor's own"}, nil
			}))))
		for name, value := range map[string]string{"X-API-Key": key, "Authorization": "Bearer " + key} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			a.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != 200 || verified != key {
				t.Errorf("%s: %q arrived as %q: %d", name, key, verified, w.Code)
			}
		}
	}
}

func TestNewAuthenticatorRefuses(t *testing.T) {
	t.Parallel()
	key := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey(someKey)))
	person := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAccessToken(token)))
	bare := must[*promptrails.Client](t)(promptrails.NewClient())
	for name, make := range map[string]func() (*promptrails.Authenticator, error){
		"no client":                           func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(nil) },
		"a person in no workspace":            func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(person) },
		"neither credentials nor a workspace": func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(bare) },
		"a TTL": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthCacheTTL(-1))
		},
		"a negative TTL": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthNegativeTTL(-1))
		},
		"MaxStale": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthMaxStale(-1))
		},
		"a size": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthCacheSize(0))
		},
		"a rate": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRate(0, 1))
		},
		"a burst": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRate(1, 0))
		},
	} {
		if _, err := make(); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a verifier of one's own may say.
func TestAuthenticatorVerifierErrors(t *testing.T) {
	t.Parallel()
	const key = "pr_live_0123456789abcdef"
	for name, c := range map[string]struct {
		key  *promptrails.APIKey
		err  error
		want promptrails.ErrorCode
	}{
		"unauthorized":         {nil, promptrails.ErrUnauthorized, promptrails.CodeInvalidAPIKey},
		"forbidden":            {nil, fmt.Errorf("not here: %w", promptrails.ErrForbidden), promptrails.CodeForbidden},
		"with a code":          {nil, &promptrails.Error{Status: 401, Code: promptrails.CodeAPIKeyRevoked, Message: "no " + key}, promptrails.CodeAPIKeyRevoked},
		"without a code":       {nil, &promptrails.Error{Status: 401, Message: key}, promptrails.CodeInvalidAPIKey},
		"anything else":        {nil, errors.New("no luck with " + key), promptrails.CodeUnavailable},
		"no key":               {nil, nil, promptrails.CodeUnavailable},
		"a key that is nobody": {&promptrails.APIKey{ID: "k"}, nil, promptrails.CodeUnavailable},
		"revoked, it says":     {&promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyRevoked}, nil, promptrails.CodeAPIKeyRevoked},
		"expired, it says":     {&promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyExpired}, nil, promptrails.CodeAPIKeyExpired},
		"revoked at a time":    {&promptrails.APIKey{ID: "k", WorkspaceID: "w", RevokedAt: time.Now()}, nil, promptrails.CodeAPIKeyRevoked},
		"expired":              {&promptrails.APIKey{ID: "k", WorkspaceID: "w", ExpiresAt: time.Now()}, nil, promptrails.CodeAPIKeyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(
				func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
					asked.Add(1)
					return c.key, c.err
				}))))
			for range 2 {
				wants(t, code(t, a, promptrails.NewSecret(key), promptrails.AuthRequest{}), c.want)
			}
			if e, ok := errors.AsType[*promptrails.Error](c.err); ok && !strings.HasSuffix(e.Message, key) {
				t.Errorf("the verifier's own error was changed to %v", e)
			}
			if kept := asked.Load() == 1; kept == (c.want == promptrails.CodeUnavailable) {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}
