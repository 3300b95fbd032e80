package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Concurrent calls with one key share a request.
func TestAuthenticatorSharesRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		for name, key := range map[string]promptrails.Secret{
			"known": ks.newKey().Key, "unknown": promptrails.NewSecret("pr_live_unknown"),
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
				t.Errorf("%s key: got %d requests, %d calls accepted and %d rejected, want 1 request for 10000 calls with the same result", name, ks.requests(), in.Load(), out.Load())
			}
			ks.bringUp()
		}
	})
}

// A call that arrives while a response is being stored sends no second request.
func TestAuthenticatorSharesRequestsWithLateCalls(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	for range 50 {
		for want, key := range map[promptrails.ErrorCode]promptrails.Secret{"": ks.newKey().Key, promptrails.CodeInvalidAPIKey: promptrails.NewSecret("pr_live_unknown")} {
			ks.resetRequests()
			a := ks.newAuthenticator()
			var callers sync.WaitGroup
			for range 64 {
				callers.Go(func() { checkAuth(t, a, key, promptrails.AuthRequest{}, want) })
			}
			callers.Wait()
			if ks.requests() != 1 {
				t.Fatalf("got %d requests, want 1", ks.requests())
			}
		}
	}
}

// A shared request continues after the caller that started it is canceled.
func TestAuthenticatorRequestOutlivesItsCaller(t *testing.T) {
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
				t.Errorf("canceled Authenticate: got %v, want context.Canceled and ErrUnavailable", err)
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
			t.Errorf("got %d requests, want 1", ks.requests())
		}
	})
}

// After another client revokes a key, the key is accepted until the TTL expires,
// regardless of WithAuthMaxStale. The rejection has its own, shorter TTL.
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
			t.Errorf("within the TTL: got %d requests, want 1", ks.requests())
		}
		time.Sleep(time.Nanosecond)
		for _, want := range []int64{2, 2, 3} {
			checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
			if ks.requests() != want {
				t.Errorf("after the TTL: got %d requests, want %d", ks.requests(), want)
			}
			time.Sleep(1500 * time.Millisecond)
		}
	})
}

// Without options, the documented defaults apply.
func TestAuthenticatorDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a, key := ks.newAuthenticator(), ks.newKey()
		unknown := promptrails.NewSecret("pr_live_unknown")
		for _, c := range []struct {
			key  promptrails.Secret
			ttl  time.Duration
			want promptrails.ErrorCode
		}{{key.Key, 30 * time.Second, ""}, {unknown, 5 * time.Second, promptrails.CodeInvalidAPIKey}} {
			ks.resetRequests()
			for _, requests := range []int64{1, 1, 2} {
				checkAuth(t, a, c.key, promptrails.AuthRequest{}, c.want)
				if ks.requests() != requests {
					t.Errorf("TTL %s: got %d requests, want %d", c.ttl, ks.requests(), requests)
				}
				time.Sleep(c.ttl/2 + time.Nanosecond)
			}
		}
		time.Sleep(time.Minute)
		ks.takeDown() // stale entries are not used by default
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
	})
}

// The TTL starts when the request is sent, since the response can be that old.
func TestAuthenticatorTTLStartsWithTheRequest(t *testing.T) {
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

// After a key is changed through the authenticator's own client, the key is
// verified again.
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
		t.Run(name, func(t *testing.T) {
			key, r := ks.newKey(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAgentsRead}}
			checkAuth(t, a, key.Key, r, "")
			if err := c.change(key.ID); err != nil {
				t.Fatal(err)
			}
			checkAuth(t, a, key.Key, r, c.want)
		})
	}
	t.Run("remove the creator", func(t *testing.T) {
		admin := ks.member("admin@example.com")
		made := must[*promptrails.CreatedAPIKey](t)(admin.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "A", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
		checkAuth(t, a, made.Key, promptrails.AuthRequest{}, "")
		self := must[*promptrails.Member](t)(admin.Members.Self(t.Context()))
		if err := ks.owner.Members.Remove(t.Context(), self.ID, &promptrails.RemoveMemberParams{RevokeAPIKeys: true}); err != nil {
			t.Fatal(err)
		}
		checkAuth(t, a, made.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
	})
	t.Run("delete the workspace", func(t *testing.T) {
		other := ks.workspace("other")
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(other))
		key := must[*promptrails.CreatedAPIKey](t)(other.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "A", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		if err := other.Workspaces.Delete(t.Context(), key.WorkspaceID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "other"}); err != nil {
			t.Fatal(err)
		}
		if got := authenticate(t, a, key.Key, promptrails.AuthRequest{}); got == "" {
			t.Error("Authenticate: got no error, want one")
		}
	})
}

// A verification that starts before a revocation and returns after it does not
// make the key valid again.
func TestAuthenticatorRevocationDuringVerification(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		key := ks.newKey()
		revoked := ks.client(promptrails.WithAPIKey(ks.newKey(promptrails.ScopeAPIKeysVerify, promptrails.ScopeAPIKeysWrite, promptrails.ScopeAgentsRead).Key.Reveal()))
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(revoked))
		held := make(chan struct{})
		ks.respondWith(func(w http.ResponseWriter, r *http.Request) { ks.service.ServeHTTP(w, r); <-held })
		var early sync.WaitGroup
		early.Go(func() { checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "") }) // sent before the revocation
		synctest.Wait()
		ks.bringUp()
		if err := revoked.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		// Later calls neither wait for the old response nor use it.
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
		close(held)
		early.Wait()
		ks.resetRequests()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
		if ks.requests() != 0 {
			t.Errorf("got %d requests, want 0: the old response replaced the newer one", ks.requests())
		}
	})
}

// A rejection that returns late does not replace a newer acceptance.
func TestAuthenticatorCachesTheNewestResponse(t *testing.T) {
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
			t.Errorf("VerifyKey: got %d calls, want 2", asked.Load())
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
		checkAuth(t, a, later.Key, promptrails.AuthRequest{}, promptrails.CodeUnavailable) // not cached
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

// After a request has failed, calls with a stale entry do not wait. They send at
// most one request a second in the background, and see when the API is up again.
func TestAuthenticatorServesStaleWithoutWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a := ks.newAuthenticator(promptrails.WithAuthCacheTTL(10*time.Second), promptrails.WithAuthMaxStale(time.Hour))
		key := ks.newKey()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		time.Sleep(10 * time.Second)
		ks.resetRequests()
		ks.respondWith(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) // no response
		before := time.Now()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		if waited := time.Since(before); waited != time.Second {
			t.Errorf("first stale Authenticate: took %s, want 1s", waited)
		}
		before = time.Now()
		for range 100 {
			checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		}
		synctest.Wait()
		if time.Since(before) != 0 || ks.requests() != 1 {
			t.Errorf("100 stale calls: took %s with %d requests, want 0s and 1", time.Since(before), ks.requests())
		}
		time.Sleep(time.Second)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		synctest.Wait()
		if ks.requests() != 1 {
			t.Errorf("after 1s: got %d requests, want 1 that is still pending", ks.requests())
		}
		time.Sleep(10 * time.Second)
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "")
		synctest.Wait()
		if ks.requests() != 2 {
			t.Errorf("after the first request failed: got %d requests, want 2", ks.requests())
		}
		time.Sleep(20 * time.Second)
		ks.bringUp()
		if err := ks.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, "") // stale, verified in the background
		synctest.Wait()
		checkAuth(t, a, key.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
	})
}

// Neither cached nor stale entries are used after the key expires.
func TestAuthenticatorEntriesExpireWithTheKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		end := time.Now().Add(time.Minute)
		expiring, rotated := ks.newKeyWith(&promptrails.CreateAPIKeyParams{ExpiresAt: end}), ks.newKey()
		must[*promptrails.CreatedAPIKey](t)(ks.owner.APIKeys.Rotate(t.Context(), rotated.ID, time.Minute))
		var checks []func()
		for want, key := range map[promptrails.ErrorCode]promptrails.Secret{promptrails.CodeAPIKeyExpired: expiring.Key, promptrails.CodeAPIKeyRevoked: rotated.Key} {
			up := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Hour))
			down := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Second), promptrails.WithAuthMaxStale(time.Hour))
			checkAuth(t, up, key, promptrails.AuthRequest{}, "")
			checkAuth(t, down, key, promptrails.AuthRequest{}, "")
			checks = append(checks, func() {
				checkAuth(t, up, key, promptrails.AuthRequest{}, want)
				ks.takeDown()
				checkAuth(t, down, key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
				ks.bringUp()
			})
		}
		time.Sleep(time.Until(end))
		for _, check := range checks {
			check()
		}
	})
}

// At the cached expiry the key is verified again, however long the TTL is. The
// key stays valid if another client has extended it.
func TestAuthenticatorVerifiesAgainAtTheExpiry(t *testing.T) {
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

// Requests about unknown keys are limited by WithAuthUnknownKeyRate. Unknown keys
// do not evict a known key or delay its verification.
func TestAuthenticatorLimitsUnknownKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		a := ks.newAuthenticator(promptrails.WithAuthUnknownKeyRate(10, 20), promptrails.WithAuthUnknownKeyRatePerAddress(10, 20),
			promptrails.WithAuthCacheSize(1), promptrails.WithAuthCacheTTL(10*time.Second))
		known := ks.newKey().Key
		checkAuth(t, a, known, promptrails.AuthRequest{}, "")
		time.Sleep(9 * time.Second) // refills the burst
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
			t.Errorf("1000 unknown keys: got %d requests and %d ErrUnavailable, want 20 and 980", ks.requests(), n)
		}
		ks.resetRequests()
		checkAuth(t, a, known, promptrails.AuthRequest{}, "")
		if ks.requests() != 0 {
			t.Errorf("known key: got %d requests, want 0", ks.requests())
		}
		time.Sleep(time.Second) // past the TTL of the known key
		checkAuth(t, a, known, promptrails.AuthRequest{}, "")
		if flood(); ks.requests() != 1+10 {
			t.Errorf("next second: got %d requests, want 11", ks.requests())
		}
	})
}

// The size of the cache bounds the memory, regardless of the number of keys and
// addresses. The test is not parallel because it measures the heap.
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
		ip := netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i)}) // each in another /48
		_, _ = a.Authenticate(t.Context(), fmt.Sprintf("pr_live_%d", i), promptrails.AuthRequest{IP: ip})
	}
	if grown := int64(heap()) - int64(before); grown > size*10<<10 {
		t.Errorf("heap after %d keys: grew by %d bytes, want at most %d", keys, grown, size*10<<10)
	}
	runtime.KeepAlive(a)
}

// Cached keys are compared as a whole.
func TestAuthenticatorComparesWholeKeys(t *testing.T) {
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
