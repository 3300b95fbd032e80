package promptrails

import (
	"errors"
	"sync/atomic"
	"time"
)

// AuthenticatorStats counts the uses of keys since the [Authenticator] was created.
// A use is a call of [Authenticator.Authenticate], or a request through a
// middleware that has one key.
type AuthenticatorStats struct {
	Hits         uint64 // uses of a key in the cache, accepted or rejected, without a verification
	Misses       uint64 // uses that required a verification, which concurrent uses share
	StaleUses    uint64 // uses of a key after its TTL, which [WithAuthMaxStale] allows
	Refusals     uint64 // uses that were refused: status 401 or 403
	Unavailable  uint64 // uses of keys that could not be verified: status 503
	RateRefusals uint64 // keys that were not verified because of [WithAuthUnknownKeyRate]

	// AddressRateRefusals counts the RateRefusals of addresses that exceeded
	// [WithAuthUnknownKeyRatePerAddress]. The others exceeded the overall rate.
	AddressRateRefusals uint64

	Verifications        uint64 // calls of the [KeyVerifier]
	VerificationFailures uint64 // calls that neither accepted nor rejected the key

	Accepted int // keys in the cache now
	Rejected int // rejected keys in the cache now
}

// Stats returns the counts of a. Each count is exact, but uses at the same time may
// appear in some of the counts only.
func (a *Authenticator) Stats() AuthenticatorStats {
	c := &a.keys.counts
	s := AuthenticatorStats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), StaleUses: c.stale.Load(),
		Refusals: c.refusals.Load(), Unavailable: c.unavailable.Load(), RateRefusals: c.rateRefusals.Load(),
		AddressRateRefusals: c.addressRefusals.Load(),
		Verifications:       c.verifications.Load(), VerificationFailures: c.failures.Load(),
	}
	a.keys.mu.Lock()
	defer a.keys.mu.Unlock()
	s.Accepted, s.Rejected = a.keys.held.Len(), a.keys.refusals.Len()
	return s
}

// authCounts has the counters of [AuthenticatorStats]. A use of a fresh key in the
// cache increments one of them.
type authCounts struct {
	hits, misses, stale, refusals, unavailable, rateRefusals, addressRefusals, verifications, failures atomic.Uint64
}

// cached counts a use of a key in the cache.
func (c *authCounts) cached(k *heldKey, now time.Time) {
	if now.Before(k.freshUntil) {
		c.hits.Add(1)
	} else {
		c.stale.Add(1)
	}
}

// limited counts a refusal to verify a key.
func (c *authCounts) limited(x *rateRefusal) {
	c.rateRefusals.Add(1)
	if x.byAddress {
		c.addressRefusals.Add(1)
	}
}

// outcome counts a use that was refused.
func (c *authCounts) outcome(p *Principal, err error) (*Principal, error) {
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			c.unavailable.Add(1)
		} else {
			c.refusals.Add(1)
		}
	}
	return p, err
}
