package promptrails

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

const (
	verifyTimeout = 10 * time.Second // for one verification, its retries included
	stalePause    = time.Second      // between two verifications of a key that is served stale
)

// keyCache remembers what keys are: a set number of them, under their hashes
// and never the keys, and as many refusals apart from them, so that no flood of
// bad keys puts out a good one.
type keyCache struct {
	verify                     func(context.Context, Secret) (*APIKey, *Error)
	ttl, negativeTTL, maxStale time.Duration
	staleWait                  time.Duration
	unknown                    *rate.Limiter // of verifications of keys that are not held
	logger                     *slog.Logger
	// epoch counts the changes that may have ended a key. A key that was accepted
	// in an earlier one is asked about anew.
	epoch   *atomic.Uint64
	flights singleflight.Group

	mu       sync.Mutex
	held     *simplelru.LRU[keyHash, *heldKey]
	refusals *simplelru.LRU[keyHash, *refusal]
}

type keyHash [32]byte

// heldKey is a key that a verification accepted. It does not change.
type heldKey struct {
	principal  Principal
	rules      *policy.Key[Scope]
	epoch      uint64
	freshUntil time.Time
	staleUntil time.Time // while it cannot be verified
	retryAt    time.Time // not zero: the last verification failed
}

// refusal is a key that a verification refused. It does not change.
type refusal struct {
	err   *Error
	epoch uint64
	until time.Time
}

func newKeyCache(cfg *authenticatorConfig) *keyCache {
	// An error would be a size below 1, which cfg.check refuses.
	held, _ := simplelru.NewLRU[keyHash, *heldKey](cfg.size, nil)
	refusals, _ := simplelru.NewLRU[keyHash, *refusal](cfg.size, nil)
	return &keyCache{
		ttl: cfg.ttl, negativeTTL: cfg.negativeTTL, maxStale: cfg.maxStale, staleWait: cfg.staleWait,
		unknown: rate.NewLimiter(rate.Limit(min(cfg.rate, math.MaxFloat64)), cfg.burst),
		held:    held, refusals: refusals,
	}
}

// get returns what a key is, and the moment to judge it at: from memory, or by
// a verification that concurrent callers share and that outlives one that
// leaves.
func (r *keyCache) get(ctx context.Context, key string) (*heldKey, time.Time, error) {
	hash, epoch, now := keyHash(apikey.Hash(key)), r.epoch.Load(), time.Now()
	k, refused := r.remembered(hash, epoch, now)
	if refused != nil {
		return nil, now, refused
	}
	if k.usable(epoch, now) {
		return k, now, nil
	}
	answer := r.flights.DoChan(fmt.Sprintf("%x %d", hash, epoch), func() (any, error) {
		return r.refresh(context.WithoutCancel(ctx), key, hash, epoch), nil
	})
	if k.usableStale(epoch, now) && !k.retryAt.IsZero() {
		return k, now, nil // it is known to fail: nobody waits for it
	}
	var waited <-chan time.Time // never, unless the key can be served stale
	if k.usableStale(epoch, now) {
		timer := time.NewTimer(r.staleWait)
		defer timer.Stop()
		waited = timer.C
	}
	select {
	case <-waited:
		if now = time.Now(); !k.usableStale(epoch, now) {
			return nil, now, cannotVerify("the API has not answered in time", 0)
		}
		r.failed(hash) // the API hangs: for a while nobody else waits for it
		return k, now, nil
	case <-ctx.Done():
		return nil, now, &Error{Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: "while an API key was verified: " + ctx.Err().Error(), cause: ctx.Err()}
	case result := <-answer:
		now = time.Now()
		landed, _ := result.Val.(verified)
		switch {
		case landed.err == nil:
			return landed.key, now, nil
		case landed.err.Code == CodeUnavailable && k.usableStale(epoch, now):
			return k, now, nil
		default:
			return nil, now, new(*landed.err)
		}
	}
}

// usable reports whether a key can be judged by what is remembered of it.
func (k *heldKey) usable(epoch uint64, now time.Time) bool {
	return k != nil && k.epoch == epoch && (now.Before(k.freshUntil) || now.Before(k.retryAt) && now.Before(k.staleUntil))
}

// usableStale is usable for a key that cannot be verified.
func (k *heldKey) usableStale(epoch uint64, now time.Time) bool {
	return k != nil && k.epoch == epoch && now.Before(k.staleUntil)
}

// remembered returns a key that is held, fresh or not, or why it is refused. A
// refusal from before a change to keys may no longer hold.
func (r *keyCache) remembered(hash keyHash, epoch uint64, now time.Time) (*heldKey, *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.held.Get(hash); ok {
		return k, nil
	}
	if x, ok := r.refusals.Get(hash); ok && x.epoch == epoch && now.Before(x.until) {
		return nil, new(*x.err) // the caller's own
	}
	return nil, nil
}

// verified is how a verification ended.
type verified struct {
	key *heldKey
	err *Error
}

// refresh verifies a key, unless somebody has just done so, and remembers what
// came of it.
func (r *keyCache) refresh(ctx context.Context, key string, hash keyHash, epoch uint64) verified {
	asked := time.Now()
	k, refused := r.remembered(hash, epoch, asked)
	switch {
	case refused != nil:
		return verified{err: refused}
	case k.usable(epoch, asked):
		return verified{key: k}
	case k == nil && !r.unknown.AllowN(asked, 1):
		pause := time.Duration(float64(time.Second) / float64(r.unknown.Limit()))
		return verified{err: cannotVerify("more unknown keys are used than WithAuthUnknownKeyRate allows to ask about", pause)}
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	answer, err := r.verify(ctx, NewSecret(key))
	if err == nil {
		k = r.newHeldKey(answer, epoch, asked)
		if refusal, _ := k.rules.Judge(policy.Use{At: time.Now()}); refusal != nil {
			err = refusedKey(refusal, nil)
		}
	}
	switch {
	case err == nil:
		r.hold(hash, k)
		return verified{key: k}
	case err.Code == CodeUnavailable:
		r.logger.WarnContext(ctx, "promptrails: an API key cannot be verified", "error", err)
		r.failed(hash)
	default:
		r.refuse(hash, &refusal{err: err, epoch: epoch, until: time.Now().Add(r.negativeTTL)})
	}
	return verified{err: err}
}

// newHeldKey counts from the moment that the verification began: it may be as
// old as that.
func (r *keyCache) newHeldKey(k *APIKey, epoch uint64, asked time.Time) *heldKey {
	end := asked.Add(r.ttl).Add(r.maxStale) // their sum may be more than a Duration holds
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

// hold remembers a key, unless what is remembered is younger.
func (r *keyCache) hold(hash keyHash, k *heldKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.younger(hash, k.epoch) {
		r.held.Add(hash, k)
	}
}

// refuse remembers a refusal, unless what is remembered is younger.
func (r *keyCache) refuse(hash keyHash, x *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.younger(hash, x.epoch) {
		r.refusals.Add(hash, x)
		r.held.Remove(hash)
	}
}

// younger reports whether what is remembered was asked in a later epoch: an
// answer that was long in flight must not bring a revoked key back.
func (r *keyCache) younger(hash keyHash, epoch uint64) bool {
	k, held := r.held.Peek(hash)
	x, refused := r.refusals.Peek(hash)
	return held && k.epoch > epoch || refused && x.epoch > epoch
}

// failed marks a key that could not be verified.
func (r *keyCache) failed(hash keyHash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.held.Peek(hash); ok {
		marked := *k
		marked.retryAt = time.Now().Add(stalePause)
		r.held.Add(hash, &marked)
	}
}
