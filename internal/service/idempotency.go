package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Once is an idempotency key and the request that it is bound to.
type Once struct {
	Key, Method, Target string // Target is the path with the query
	Body                []byte
}

func (o *Once) parts() [][]byte { return [][]byte{[]byte(o.Method), []byte(o.Target), o.Body} }

// Response is an encoded response, ready to be sent and stored.
type Response struct {
	Status   int
	ETag     string
	Body     []byte
	Secret   bool // Body contains a token or key
	Replayed bool
}

// Act authorizes a request and runs fn in a transaction. With an idempotency
// key, it stores the response in the same transaction. If the key already has a
// stored response, Act returns it and does not run fn.
func (s *Service) Act(ctx context.Context, r *Request, fn func(*Session) (*Response, error)) (*Response, error) {
	if r.Fault != nil {
		// The request fails, so it does not wait for the write lock.
		return nil, s.Read(ctx, r, func(*Session) error { return nil })
	}
	key := r.outcomeKey()
	var fingerprint []byte
	if r.Once != nil {
		fingerprint = s.Ring.MAC(r.Once.parts()...)
		if !s.running.begin(key) {
			p := conflict(promptrails.CodeIdempotencyInProgress, "the first request with this Idempotency-Key is still running")
			p.RetryAfter = time.Second
			return nil, p
		}
		defer s.running.end(key)
	}
	var response *Response
	var notified bool
	act := func(g *store.Global) error {
		kept, err := s.reserve(g, r, key, fingerprint)
		if err != nil {
			return err
		}
		if kept == nil || !kept.EndsRight {
			x, err := s.admit(g, r)
			if err != nil {
				return err
			}
			if kept == nil {
				if response, err = fn(x); err != nil {
					return err
				}
				if !x.matched {
					if err := r.Preconditions.doNotApply(); err != nil {
						return err
					}
				}
				notified = x.notified
				return s.keep(g, r, key, response, x)
			}
		}
		response, err = s.replay(r, key, kept)
		return err
	}
	err := s.Store.Write(ctx, act)
	for attempt := 1; errors.Is(err, store.ErrUnknown) && r.Once != nil && attempt < maxUnknown; attempt++ {
		err = s.Store.Write(ctx, act) // the stored outcome tells whether the request was carried out
	}
	if errors.Is(err, store.ErrUnknown) && r.Once != nil {
		return nil, Unavailable(err) // a repetition with the same key is carried out only once
	}
	if err != nil {
		return nil, err
	}
	if notified {
		s.dispatcher.wake()
	}
	return response, nil
}

// maxUnknown is the maximum number of attempts with an unknown outcome.
const maxUnknown = 2

func (r *Request) outcomeKey() store.OutcomeKey {
	if r.Once == nil {
		return store.OutcomeKey{}
	}
	hash := sha256.Sum256([]byte(r.Once.Key))
	return store.OutcomeKey{Principal: r.Caller.principal(), Workspace: r.Workspace, Hash: hash[:]}
}

// reserve returns the stored outcome of an idempotency key. If the key is new or its
// outcome is older than 24 hours, it reserves the key and returns nil.
func (s *Service) reserve(g *store.Global, r *Request, key store.OutcomeKey, fingerprint []byte) (*store.Outcome, error) {
	if r.Once == nil {
		return nil, nil //nolint:nilnil // no outcome, no error
	}
	now := s.Now()
	return g.Reserve(key, fingerprint, now, now.Add(-outcomesKept))
}

// replay returns the stored response. The request must be the same as the first
// one.
func (s *Service) replay(r *Request, key store.OutcomeKey, o *store.Outcome) (*Response, error) {
	if !s.Ring.CheckMAC(o.Fingerprint, r.Once.parts()...) {
		return nil, conflict(promptrails.CodeIdempotencyKeyReused, "this Idempotency-Key was used for another request; use a new key for a new request")
	}
	response := &Response{Status: o.Status, ETag: o.ETag, Body: o.Body, Secret: o.Secret, Replayed: true}
	if !o.Secret {
		return response, nil
	}
	if s.Now().Sub(o.CreatedAt) >= secretsKept || o.Body == nil {
		return nil, conflict(promptrails.CodeIdempotencyAnswerGone, "the request succeeded, but its response contained a secret and was stored for only %s", secretsKept)
	}
	var err error
	response.Body, err = s.Ring.Open(outcomePlace(key), o.Body)
	return response, err
}

// keep stores the response under its idempotency key. Only successful responses
// are stored; errors roll the transaction back.
func (s *Service) keep(g *store.Global, r *Request, key store.OutcomeKey, a *Response, x *Session) error {
	if r.Once == nil {
		return nil
	}
	body := a.Body
	if a.Secret {
		body = s.Ring.Seal(outcomePlace(key), body)
	}
	return g.Finish(key, &store.Outcome{Status: a.Status, ETag: a.ETag, Body: body, Secret: a.Secret, EndsRight: x.endsRight})
}

func outcomePlace(k store.OutcomeKey) seal.Place {
	return seal.Place{Workspace: k.Workspace, Table: "outcomes", Column: "body", Row: k.Principal + "/" + hex.EncodeToString(k.Hash)}
}

// running is the set of idempotency keys that have a request in progress.
type running struct {
	mu   sync.Mutex
	keys map[[sha256.Size]byte]struct{}
}

func fold(k store.OutcomeKey) [sha256.Size]byte {
	return sha256.Sum256([]byte(k.Principal + "\x00" + k.Workspace + "\x00" + string(k.Hash)))
}

func (r *running) begin(k store.OutcomeKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := fold(k)
	if _, ok := r.keys[id]; ok {
		return false
	}
	if r.keys == nil {
		r.keys = map[[sha256.Size]byte]struct{}{}
	}
	r.keys[id] = struct{}{}
	return true
}

func (r *running) end(k store.OutcomeKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, fold(k))
}
