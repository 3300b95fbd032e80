package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestAuthenticatorAsksOnceForABurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		for name, key := range map[string]promptrails.Secret{
			"known": ks.newKey().Key, "unknown": promptrails.NewSecret("pr_live_nobody"),
		} {
			ks.resetRequests()
			a := ks.newAuthenticator()
			held := make(chan struct{})
			ks.respondWith(func(w http.ResponseWriter, r *http.Request) { <-held; ks.service.ServeHTTP(w, r) })
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
			if ks.requests() != 1 || in.Load()+out.Load() != 10_000 || (name == "known") != (in.Load() == 10_000) {
				t.Errorf("%s: asked %d times, %d in, %d out", name, ks.requests(), in.Load(), out.Load())
			}
			ks.bringUp()
		}
	})
}

// Whoever comes while an answer is landing does not ask a second time.
func TestAuthenticatorAsksOnceForStragglers(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	for range 50 {
		for want, key := range map[promptrails.ErrorCode]promptrails.Secret{"": ks.newKey().Key, promptrails.CodeInvalidAPIKey: promptrails.NewSecret("pr_live_nobody")} {
			ks.resetRequests()
			a := ks.newAuthenticator()
			var callers sync.WaitGroup
			for range 64 {
				callers.Go(func() { checkAuth(t, a, key, promptrails.AuthRequest{}, want) })
			}
			callers.Wait()
			if ks.requests() != 1 {
				t.Fatalf("asked %d times", ks.requests())
			}
		}
	}
}

func TestAuthenticatorOutlivesACaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a, key := ks.newAuthenticator(), ks.newKey().Key
		held := make(chan struct{})
		ks.respondWith(func(w http.ResponseWriter, r *http.Request) { <-held; ks.service.ServeHTTP(w, r) })
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := a.Authenticate(ctx, key.Reveal(), promptrails.AuthRequest{})
			if !errors.Is(err, context.Canceled) || !errors.Is(err, promptrails.ErrUnavailable) {
				t.Errorf("the caller that left: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() { checkAuth(t, a, key, promptrails.AuthRequest{}, "") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(held)
		callers.Wait()
		if ks.requests() != 1 {
			t.Errorf("asked %d times", ks.requests())
		}
	})
}

// A key that somebody else revokes is let in for the TTL and no longer, whatever
// may be served while the API is down; the refusal is kept apart, and shorter.
func TestAuthenticatorTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a, key := ks.newAuthenticator(promptrails.WithAuthCacheTTL(10*time.Second), promptrails.WithAuthNegativeTTL(3*time.Second), promptrails.WithAuthMaxStale(time.Hour)), ks.newKey()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		if err := ks.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		if ks.requests() != 1 {
			t.Errorf("asked %d times within the TTL", ks.requests())
		}
		time.Sleep(time.Nanosecond)
		for _, asked := range []int64{2, 2, 3} {
			checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
			if ks.requests() != asked {
				t.Errorf("asked %d times, want %d", ks.requests(), asked)
			}
			time.Sleep(1500 * time.Millisecond)
		}
	})
}

// What the options say is the default is what is done without them.
func TestAuthenticatorDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a, key := ks.newAuthenticator(), ks.newKey()
		unknown := promptrails.NewSecret("pr_live_nobody")
		for _, c := range []struct {
			key       promptrails.Secret
			kept      time.Duration
			remembers promptrails.ErrorCode
		}{{key.Key, 30 * time.Second, ""}, {unknown, 5 * time.Second, promptrails.CodeInvalidAPIKey}} {
			ks.resetRequests()
			for _, asked := range []int64{1, 1, 2} {
				checkAuth(t, a, c.key, promptrails.AuthRequest{}, c.remembers)
				if ks.requests() != asked {
					t.Errorf("asked %d times, want %d", ks.requests(), asked)
				}
				time.Sleep(c.kept/2 + time.Nanosecond) // of the test's clock
			}
		}
		time.Sleep(time.Minute)
		ks.takeDown() // and nobody is served stale
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
	})
}

// The TTL counts from the question: the answer may be as old as that.
func TestAuthenticatorCountsFromTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a, key := ks.newAuthenticator(promptrails.WithAuthCacheTTL(8*time.Second)), ks.newKey()
		ks.respondWith(func(w http.ResponseWriter, r *http.Request) { ks.service.ServeHTTP(w, r); time.Sleep(5 * time.Second) })
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		ks.bringUp()
		if err := ks.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
	})
}

// A key that is revoked, narrowed or rotated through the authenticator's own
// client is asked about anew from then on.
func TestAuthenticatorSeesItsOwnClientsChanges(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.owner))
	for name, c := range map[string]struct {
		change func(id string) error
		want   promptrails.ErrorCode
	}{
		"revoke": {func(id string) error { return ks.owner.APIKeys.Revoke(t.Context(), id) }, promptrails.CodeAPIKeyRevoked},
		"rotate": {func(id string) error { _, err := ks.owner.APIKeys.Rotate(t.Context(), id, 0); return err }, promptrails.CodeAPIKeyRevoked},
		"update": {func(id string) error {
			_, err := ks.owner.APIKeys.Update(t.Context(), id, &promptrails.UpdateAPIKeyParams{Scopes: &promptrails.Scopes{promptrails.ScopeAppsRead}})
			return err
		}, promptrails.CodeInsufficientScope},
	} {
		key, r := ks.newKey(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAgentsRead}}
		checkAuth(t, a, key.Key, r, "")
		if err := c.change(key.ID); err != nil {
			t.Fatal(err)
		}
		if got := authenticate(t, a, key.Key, r); got != c.want {
			t.Errorf("after %s: %q", name, got)
		}
	}
	admin := ks.member("admin@example.com")
	made := must[*promptrails.CreatedAPIKey](t)(admin.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "A", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
	checkAuth(t, a, made.Key, promptrails.AuthRequest{}, "")
	self := must[*promptrails.Member](t)(admin.Members.Self(t.Context()))
	if err := ks.owner.Members.Remove(t.Context(), self.ID, &promptrails.RemoveMemberParams{RevokeAPIKeys: true}); err != nil {
		t.Fatal(err)
	}
	checkAuth(t, a, made.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)

	other := ks.workspace("other")
	member := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(other))
	key := must[*promptrails.CreatedAPIKey](t)(other.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "A", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
	checkAuth(t, member, key.Key, promptrails.AuthRequest{}, "")
	if err := other.Workspaces.Delete(t.Context(), key.WorkspaceID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "other"}); err != nil {
		t.Fatal(err)
	}
	if got := authenticate(t, member, key.Key, promptrails.AuthRequest{}); got == "" {
		t.Error("a key of a workspace that is gone is let in")
	}
}

// A verification that began before a revocation, and ends after it, does not
// bring the key back.
func TestAuthenticatorRevocationRacesAVerification(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		key := ks.newKey()
		revoked := ks.client(promptrails.WithAPIKey(ks.newKey(promptrails.ScopeAPIKeysVerify, promptrails.ScopeAPIKeysWrite, promptrails.ScopeAgentsRead).Key.Reveal()))
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(revoked))
		held := make(chan struct{})
		ks.respondWith(func(w http.ResponseWriter, r *http.Request) { ks.service.ServeHTTP(w, r); <-held })
		var early sync.WaitGroup
		early.Go(func() { checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "") }) // it asked before
		synctest.Wait()
		ks.bringUp()
		if err := revoked.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		// Nobody who comes now waits for the old answer, or is let in by it.
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
		close(held)
		early.Wait()
		ks.resetRequests()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
		if ks.requests() != 0 {
			t.Errorf("the late answer put out the younger one: asked %d times", ks.requests())
		}
	})
}

// Nor does one that ends late put out a younger acceptance.
func TestAuthenticatorKeepsTheYoungerAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		held := make(chan struct{})
		var asked atomic.Int64
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.owner, promptrails.WithAuthAnyWorkspace(), promptrails.WithAuthVerifier(verifier(
			func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
				if asked.Add(1) == 1 {
					<-held
					return nil, promptrails.ErrUnauthorized
				}
				return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
			}))))
		key := promptrails.NewSecret(someKey)
		var early sync.WaitGroup
		early.Go(func() { checkAuth(t, a, key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey) })
		synctest.Wait()
		if err := ks.owner.APIKeys.Revoke(t.Context(), ks.newKey().ID); err != nil {
			t.Fatal(err)
		}
		checkAuth(t, a, key, promptrails.AuthRequest{}, "")
		close(held)
		early.Wait()
		checkAuth(t, a, key, promptrails.AuthRequest{}, "")
		if asked.Load() != 2 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

func TestAuthenticatorWhileTheAPIIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		opts := []promptrails.AuthenticatorOption{promptrails.WithAuthCacheTTL(10 * time.Second)}
		strict := ks.newAuthenticator(opts...)
		a := ks.newAuthenticator(append(opts, promptrails.WithAuthMaxStale(time.Minute))...)
		key, later := ks.newKey(), ks.newKey()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		checkAuth(t, strict, key.Key, promptrails.AuthRequest{}, "")
		ks.takeDown()
		checkAuth(t, a, later.Key, promptrails.AuthRequest{}, promptrails.CodeUnavailable) // a cold cache
		time.Sleep(10 * time.Second)
		checkAuth(t, strict, key.Key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		checkAuth(t, a, key.Key, promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAll}}, promptrails.CodeInsufficientScope)
		time.Sleep(time.Minute - time.Nanosecond)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		time.Sleep(time.Nanosecond)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
		ks.bringUp()
		time.Sleep(time.Second)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
	})
}

// Once the API is known to be down, a key that is served stale waits for no
// verification, asks at most once a second, and notices when it is up again.
func TestAuthenticatorDoesNotWaitForWhatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a := ks.newAuthenticator(promptrails.WithAuthCacheTTL(10*time.Second), promptrails.WithAuthMaxStale(time.Hour))
		key := ks.newKey()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		time.Sleep(10 * time.Second)
		ks.resetRequests()
		ks.respondWith(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) // it hangs
		before := time.Now()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		if waited := time.Since(before); waited != time.Second {
			t.Errorf("the first one waited %s, want 1s", waited)
		}
		before = time.Now()
		for range 100 {
			checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		}
		synctest.Wait()
		if time.Since(before) != 0 || ks.requests() != 1 {
			t.Errorf("waited %s, asked %d times", time.Since(before), ks.requests())
		}
		time.Sleep(time.Second)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		synctest.Wait()
		if ks.requests() != 1 {
			t.Errorf("asked %d times after a second, want 1: the first question has not ended", ks.requests())
		}
		time.Sleep(10 * time.Second)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		synctest.Wait()
		if ks.requests() != 2 {
			t.Errorf("asked %d times after the first question has failed, want 2", ks.requests())
		}
		time.Sleep(20 * time.Second)
		ks.bringUp()
		if err := ks.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "") // it asks in the background
		synctest.Wait()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
	})
}

// What is served stale ends with the key itself, and so does what is cached.
func TestAuthenticatorEndsWithTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		end := time.Now().Add(time.Minute)
		expiring, rotated := ks.newKeyWith(&promptrails.CreateAPIKeyParams{ExpiresAt: end}), ks.newKey()
		must[*promptrails.CreatedAPIKey](t)(ks.owner.APIKeys.Rotate(t.Context(), rotated.ID, time.Minute))
		var then []func()
		for want, key := range map[promptrails.ErrorCode]promptrails.Secret{promptrails.CodeAPIKeyExpired: expiring.Key, promptrails.CodeAPIKeyRevoked: rotated.Key} {
			up := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Hour))
			down := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Second), promptrails.WithAuthMaxStale(time.Hour))
			checkAuth(t, up, key, promptrails.AuthRequest{}, "")
			checkAuth(t, down, key, promptrails.AuthRequest{}, "")
			then = append(then, func() {
				checkAuth(t, up, key, promptrails.AuthRequest{}, want)
				ks.takeDown()
				checkAuth(t, down, key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
				ks.bringUp()
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
		ks := newKeyService(t)
		a := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Hour))
		key := ks.newKeyWith(&promptrails.CreateAPIKeyParams{ExpiresAt: time.Now().Add(time.Minute)})
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		must[*promptrails.APIKey](t)(ks.owner.APIKeys.Update(t.Context(), key.ID, &promptrails.UpdateAPIKeyParams{ExpiresAt: new(time.Now().Add(time.Hour))}))
		time.Sleep(time.Minute)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
	})
}

// A flood of invented keys reaches the API at a set rate, and hurts no key that
// is known: neither its place in memory nor its verification.
func TestAuthenticatorUnderAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a := ks.newAuthenticator(promptrails.WithAuthUnknownKeyRate(10, 20), promptrails.WithAuthCacheSize(1), promptrails.WithAuthCacheTTL(10*time.Second))
		known := ks.newKey().Key
		checkAuth(t, a, known, promptrails.AuthRequest{}, "")
		time.Sleep(9 * time.Second) // the burst is whole again
		ks.resetRequests()
		flood := func() (unavailable int) {
			for i := range 1000 {
				_, err := a.Authenticate(t.Context(), fmt.Sprintf("pr_live_invented%d_%d", i, time.Now().UnixNano()), promptrails.AuthRequest{})
				if errors.Is(err, promptrails.ErrUnavailable) {
					unavailable++
				}
			}
			return unavailable
		}
		if n := flood(); ks.requests() != 20 || n != 980 {
			t.Errorf("asked %d times, %d were unavailable", ks.requests(), n)
		}
		ks.resetRequests()
		checkAuth(t, a, known, promptrails.AuthRequest{}, "")
		if ks.requests() != 0 {
			t.Error("a good key was put out by bad ones")
		}
		time.Sleep(time.Second) // past the TTL of the known one
		checkAuth(t, a, known, promptrails.AuthRequest{}, "")
		if flood(); ks.requests() != 1+10 {
			t.Errorf("asked %d times in the next second", ks.requests())
		}
	})
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
	checkAuth(t, a, promptrails.NewSecret("pr_live_abcdefghijklmnopqrstuvwxyz0000"), promptrails.AuthRequest{}, "")
	for _, other := range []string{"pr_live_abcdefghijklmnopqrstuvwxyz0001", "pr_live_abcdefghijkXmnopqrstuvwxyz0000", "pr_live_abcdefghijklmnopqrstuvwxyz000", "PR_live_abcdefghijklmnopqrstuvwxyz0000"} {
		checkAuth(t, a, promptrails.NewSecret(other), promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	}
}
