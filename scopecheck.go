package promptrails

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	scopePause      = time.Minute      // between two questions about scopes that were asked for before
	scopeAskTimeout = 30 * time.Second // for one question, its retries included
)

// scopeCheck is what the clients of one connection know of their key's scopes.
type scopeCheck struct {
	asks    bool // [WithScopeCheck]; else they were given, or are never known
	flights singleflight.Group

	mu        sync.Mutex
	granted   Scopes    // nil: not known, so that nothing is refused
	off       bool      // the server cannot tell
	notBefore time.Time // after a failure: when to ask the next time
	again     time.Time // when scopes that refuse may be asked for once more
}

func (cfg *config) scopeCheck(creds credentials) (*scopeCheck, error) {
	switch {
	case cfg.scopes == nil && !cfg.checkScopes:
		return &scopeCheck{}, nil
	case creds.person():
		return nil, invalid("WithScopes, WithScopeCheck", "are for API keys: an access token has no scopes")
	case cfg.scopes != nil && cfg.checkScopes:
		return nil, invalid("WithScopes, WithScopeCheck", "give the scopes or have them asked for, not both")
	case cfg.scopes != nil && len(cfg.scopes) == 0:
		return nil, invalid("WithScopes", "must name at least one scope")
	default:
		return &scopeCheck{asks: cfg.checkScopes, granted: cfg.scopes}, nil
	}
}

// checkScope refuses an operation that the key cannot do, before a byte of it
// is sent. What is not known is not refused.
func (c *Client) checkScope(ctx context.Context, op operation) (err error) {
	s := c.conn.scopes
	if op.scope == "" {
		return nil
	}
	granted := s.known()
	switch {
	case granted == nil && s.mayAsk(), granted != nil && !granted.Covers(op.scope) && s.mayAskAgain():
		if granted, err = s.ask(ctx, c, op); err != nil {
			return err
		}
	}
	if granted == nil || granted.Covers(op.scope) {
		return nil
	}
	unsent := &Error{Operation: op.String(), Message: "refused before anything was sent"}
	return &ScopeError{Required: op.scope, Granted: slices.Clone(granted), err: unsent}
}

func (s *scopeCheck) known() Scopes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted
}

func (s *scopeCheck) mayAsk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks && !s.off && !time.Now().Before(s.notBefore)
}

// mayAskAgain reports whether scopes that refuse a call may be out of date. It
// says so to one caller a minute.
func (s *scopeCheck) mayAskAgain() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.asks || now.Before(s.again) {
		return false
	}
	s.again = now.Add(scopePause)
	return true
}

// forget drops what was asked for, since the server has said otherwise.
func (s *scopeCheck) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asks {
		s.granted, s.notBefore = nil, time.Time{}
	}
}

// ask returns the key's scopes, or nil where they cannot be known now.
// Concurrent callers share one question, which outlives a caller that leaves.
func (s *scopeCheck) ask(ctx context.Context, c *Client, op operation) (Scopes, error) {
	answer := s.flights.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scopeAskTimeout)
		defer cancel()
		return s.learn(ctx, c)
	})
	select {
	case <-ctx.Done():
		return nil, &Error{Operation: op.String(), Code: CodeUnavailable, Message: "while asking for the scopes of the key: " + ctx.Err().Error(), cause: ctx.Err()}
	case r := <-answer:
		granted, _ := r.Val.(Scopes)
		return granted, r.Err
	}
}

func (s *scopeCheck) learn(ctx context.Context, c *Client) (Scopes, error) {
	key, err := c.APIKeys.Current(ctx)
	if errors.Is(err, ErrUnauthorized) {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	failed, _ := errors.AsType[*Error](err)
	switch {
	case err == nil && len(key.Scopes) > 0:
		s.granted = key.Scopes
	case failed != nil && (failed.Status == http.StatusNotFound || failed.Status == http.StatusMethodNotAllowed):
		s.granted, s.off = nil, true
		c.conn.logger.WarnContext(ctx, "promptrails: the server does not tell the scopes of a key; calls go unchecked", "operation", opAPIKeysCurrent.String())
	default:
		s.granted, s.notBefore = nil, time.Now().Add(scopePause)
	}
	return s.granted, nil
}
