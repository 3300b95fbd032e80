package promptrails_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Stats counts hits, misses, refusals, stale uses and keys that the rate limit
// refuses.
func TestAuthenticatorStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		key := ks.newKey(promptrails.ScopeAgentsRead)
		a := ks.newAuthenticator(promptrails.WithAuthMaxStale(time.Hour), promptrails.WithAuthUnknownKeyRate(1e-9, 4), promptrails.WithAuthNegativeTTL(time.Hour))
		var want promptrails.AuthenticatorStats
		check := func(after string) {
			t.Helper()
			if diff := cmp.Diff(want, a.Stats()); diff != "" {
				t.Errorf("Stats after %s (-want +got):\n%s", after, diff)
			}
		}
		use := func(key string, scopes ...promptrails.Scope) {
			_, _ = a.Authenticate(t.Context(), key, promptrails.AuthRequest{Scopes: scopes})
		}
		check("no use")

		use(key.Key.Reveal())
		want.Misses, want.Verifications, want.Accepted = 1, 1, 1
		check("a new key")

		use(key.Key.Reveal())
		want.Hits = 1
		check("a key in the cache")

		use(key.Key.Reveal(), promptrails.ScopeBillingWrite)
		want.Hits, want.Refusals = 2, 1
		check("a missing scope")

		use("not a key")
		want.Refusals = 2
		check("a malformed key")

		use("pr_live_unknown")
		want.Misses, want.Verifications, want.Refusals, want.Rejected = 2, 2, 3, 1
		check("an unknown key")

		use("pr_live_unknown")
		want.Hits, want.Refusals = 3, 4
		check("a rejected key in the cache")

		use("pr_live_other")
		want.Misses, want.RateRefusals, want.AddressRateRefusals, want.Unavailable = 3, 1, 1, 1
		check("an unknown key beyond the rate")

		ks.takeDown()
		time.Sleep(time.Minute)
		use(key.Key.Reveal())
		want.Misses, want.Verifications, want.VerificationFailures, want.StaleUses = 4, 3, 1, 1
		check("a stale key")

		use(key.Key.Reveal())
		want.StaleUses = 2
		check("a stale key that was not verified again")
	})
}

// Concurrent uses are counted exactly.
func TestAuthenticatorStatsConcurrently(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	key := ks.newKey(promptrails.ScopeAgentsRead)
	a := ks.newAuthenticator()
	var users sync.WaitGroup
	for range 20 {
		users.Go(func() {
			for range 50 {
				_, _ = a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{})
				a.Stats()
			}
		})
	}
	users.Wait()
	if s := a.Stats(); s.Hits+s.Misses != 1000 || s.Verifications != 1 || s.Misses > 20 {
		t.Errorf("Stats after 1000 uses: got %d hits, %d misses and %d verifications; want 1000 in all, at most 20 misses, and 1 verification", s.Hits, s.Misses, s.Verifications)
	}
}
