package promptrails

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

const (
	verifyTimeout = 10 * time.Second // for one verification, including retries
	stalePause    = time.Second      // between two verifications of a stale key
)

// keyCache caches accepted and rejected keys, by hash. It does not store the
// keys themselves. Accepted and rejected keys are in separate LRU caches, so
// that a flood of invalid keys cannot evict valid ones.
type keyCache struct {
	verify                     func(context.Context, Secret) (*APIKey, *Error)
	ttl, negativeTTL, maxStale time.Duration
	staleWait                  time.Duration
	unknown                    *unknownKeyRate
	logger                     *slog.Logger
	// epoch counts the calls that may have revoked or restricted a key. Keys
	// accepted in an earlier epoch are verified again.
	epoch   *atomic.Uint64
	flights singleflight.Group
	counts  authCounts

	mu       sync.Mutex
	held     *simplelru.LRU[keyHash, *heldKey]
	refusals *simplelru.LRU[keyHash, *refusal]
}

type keyHash [32]byte

// heldKey is an accepted key. It is immutable.
type heldKey struct {
	principal  Principal
	rules      *policy.Key[Scope]
	epoch      uint64
	freshUntil time.Time
	staleUntil time.Time // the limit while the key cannot be verified
	retryAt    time.Time // after a failed verification: when to verify again; else zero
}

// refusal is the error of a rejected key. It is immutable.
type refusal struct {
	err   *Error
	epoch uint64
	until time.Time
}

func newKeyCache(cfg *authenticatorConfig) *keyCache {
	// NewLRU fails only for sizes below 1, which cfg.check rejects.
	held, _ := simplelru.NewLRU[keyHash, *heldKey](cfg.size, nil)
	refusals, _ := simplelru.NewLRU[keyHash, *refusal](cfg.size, nil)
	return &keyCache{
		ttl: cfg.ttl, negativeTTL: cfg.negativeTTL, maxStale: cfg.maxStale, staleWait: cfg.staleWait,
		unknown: newUnknownKeyRate(cfg),
		held:    held, refusals: refusals,
	}
}

// get returns a key from the cache or verifies it. It also returns the time at
// which to check the key. Concurrent callers share one verification, which
// continues if a caller's context is canceled. The verification of an unknown key
// uses the rate of the address ip of the caller that starts it.
func (r *keyCache) get(ctx context.Context, key string, ip netip.Addr) (*heldKey, time.Time, error) {
	hash, epoch, now := keyHash(apikey.Hash(key)), r.epoch.Load(), time.Now()
	k, refused := r.remembered(hash, epoch, now)
	if refused != nil {
		r.counts.hits.Add(1)
		return nil, now, refused
	}
	if k.usable(epoch, now) {
		r.counts.cached(k, now)
		return k, now, nil
	}
	r.counts.misses.Add(1)
	verification := r.flights.DoChan(fmt.Sprintf("%x %d", hash, epoch), func() (any, error) {
		return r.refresh(context.WithoutCancel(ctx), key, ip, hash, epoch), nil
	})
	if k.usableStale(epoch, now) && !k.retryAt.IsZero() {
		r.counts.stale.Add(1)
		return k, now, nil // the last verification failed; do not wait
	}
	var waited <-chan time.Time // nil unless the stale key can be used
	if k.usableStale(epoch, now) {
		timer := time.NewTimer(r.staleWait)
		defer timer.Stop()
		waited = timer.C
	}
	select {
	case <-waited:
		if now = time.Now(); !k.usableStale(epoch, now) {
			return nil, now, cannotVerify("the API did not respond in time", 0)
		}
		r.failed(hash) // the API hangs; other requests do not wait for it
		r.counts.stale.Add(1)
		return k, now, nil
	case <-ctx.Done():
		return nil, now, &Error{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: "cannot verify the API key: " + ctx.Err().Error(), cause: ctx.Err()}
	case result := <-verification:
		now = time.Now()
		v, _ := result.Val.(verified)
		switch {
		case v.err == nil:
			return v.key, now, nil
		case v.err.Code == CodeUnavailable && k.usableStale(epoch, now):
			r.counts.stale.Add(1)
			return k, now, nil
		default:
			return nil, now, new(*v.err)
		}
	}
}

// usable reports whether k can be used without a verification.
func (k *heldKey) usable(epoch uint64, now time.Time) bool {
	return k != nil && k.epoch == epoch && (now.Before(k.freshUntil) || now.Before(k.retryAt) && now.Before(k.staleUntil))
}

// usableStale reports whether k can be used if it cannot be verified.
func (k *heldKey) usableStale(epoch uint64, now time.Time) bool {
	return k != nil && k.epoch == epoch && now.Before(k.staleUntil)
}

// remembered returns the cached key, fresh or stale, or the cached refusal. It
// ignores refusals from an earlier epoch.
func (r *keyCache) remembered(hash keyHash, epoch uint64, now time.Time) (*heldKey, *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.held.Get(hash); ok {
		return k, nil
	}
	if x, ok := r.refusals.Get(hash); ok && x.epoch == epoch && now.Before(x.until) {
		return nil, new(*x.err) // a copy, which the caller may change
	}
	return nil, nil
}

// verified is the result of a verification: a key or an error.
type verified struct {
	key *heldKey
	err *Error
}

// refresh verifies a key and caches the result. It returns the cached result if
// another caller has just verified the key.
func (r *keyCache) refresh(ctx context.Context, key string, ip netip.Addr, hash keyHash, epoch uint64) verified {
	asked := time.Now()
	k, refused := r.remembered(hash, epoch, asked)
	switch {
	case refused != nil:
		return verified{err: refused}
	case k.usable(epoch, asked):
		return verified{key: k}
	case k == nil:
		if x := r.unknown.take(ip, asked); x != nil {
			r.counts.limited(x)
			return verified{err: cannotVerify(x.reason(), x.wait)}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	r.counts.verifications.Add(1)
	found, err := r.verify(ctx, NewSecret(key))
	if err == nil {
		k = r.newHeldKey(found, epoch, asked)
		if refusal, _ := k.rules.Judge(policy.Use{At: time.Now()}); refusal != nil {
			err = refusedKey(refusal, nil)
		}
	}
	switch {
	case err == nil:
		r.hold(hash, k)
		return verified{key: k}
	case err.Code == CodeUnavailable:
		r.counts.failures.Add(1)
		r.logger.WarnContext(ctx, "promptrails: an API key cannot be verified", "error", err)
		r.failed(hash)
	default:
		r.refuse(hash, &refusal{err: err, epoch: epoch, until: time.Now().Add(r.negativeTTL)})
	}
	return verified{err: err}
}

// newHeldKey returns the cache entry for k. The TTL starts at asked, the time
// when the verification began.
func (r *keyCache) newHeldKey(k *APIKey, epoch uint64, asked time.Time) *heldKey {
	end := asked.Add(r.ttl).Add(r.maxStale) // the sum of both could overflow a Duration
	for _, at := range []time.Time{k.ExpiresAt, k.OverlapEndsAt} {
		if !at.IsZero() && at.Before(end) {
			end = at
		}
	}
	fresh := asked.Add(r.ttl)
	if end.Before(fresh) {
		fresh = end
	}
	return &heldKey{
		principal:  Principal{KeyID: k.ID, WorkspaceID: k.WorkspaceID, Name: k.Name, CreatedBy: k.CreatedBy, Scopes: k.Scopes, ExpiresAt: k.ExpiresAt},
		rules:      policy.NewKey(k.Scopes, k.AllowedIPs, k.AllowedOrigins, policy.Lifetime{ExpiresAt: k.ExpiresAt, OverlapEndsAt: k.OverlapEndsAt, RevokedAt: k.RevokedAt}),
		epoch:      epoch,
		freshUntil: fresh,
		staleUntil: end,
	}
}

// hold caches an accepted key, unless the cache has a newer result.
func (r *keyCache) hold(hash keyHash, k *heldKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.younger(hash, k.epoch) {
		r.held.Add(hash, k)
	}
}

// refuse caches a refusal, unless the cache has a newer result.
func (r *keyCache) refuse(hash keyHash, x *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.younger(hash, x.epoch) {
		r.refusals.Add(hash, x)
		r.held.Remove(hash)
	}
}

// younger reports whether the cached result is from a later epoch. It prevents
// a slow verification from restoring a revoked key.
func (r *keyCache) younger(hash keyHash, epoch uint64) bool {
	k, held := r.held.Peek(hash)
	x, refused := r.refusals.Peek(hash)
	return held && k.epoch > epoch || refused && x.epoch > epoch
}

// failed records that the verification of a cached key failed.
func (r *keyCache) failed(hash keyHash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.held.Peek(hash); ok {
		marked := *k
		marked.retryAt = time.Now().Add(stalePause)
		r.held.Add(hash, &marked)
	}
}
