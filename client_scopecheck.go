package promptrails

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	scopePause      = time.Minute      // minimum interval between two requests for the scopes
	scopeAskTimeout = 30 * time.Second // for one request, including retries
)

// scopeCheck holds the API key's scopes, shared by the clients of a connection.
type scopeCheck struct {
	asks    bool // set by [WithScopeCheck]: the scopes are requested from the server
	flights singleflight.Group

	mu        sync.Mutex
	granted   Scopes    // nil if unknown; calls are then not checked
	round     int       // incremented when granted changes
	off       bool      // the server does not report scopes
	notBefore time.Time // after a failure: the earliest time to ask again
	again     time.Time // the earliest time to refresh scopes before a rejection
}

func (cfg *config) scopeCheck(creds credentials) (*scopeCheck, error) {
	switch {
	case cfg.scopes == nil && !cfg.checkScopes:
		return &scopeCheck{}, nil
	case creds.person():
		return nil, invalid("WithScopes, WithScopeCheck", "are for API keys: an access token has no scopes")
	case cfg.scopes != nil && cfg.checkScopes:
		return nil, invalid("WithScopes, WithScopeCheck", "are mutually exclusive; use one of them")
	case cfg.scopes != nil && len(cfg.scopes) == 0:
		return nil, invalid("WithScopes", "must name at least one scope")
	default:
		return &scopeCheck{asks: cfg.checkScopes, granted: cfg.scopes}, nil
	}
}

// checkScope returns a *ScopeError if the key lacks the scope of op. It returns
// nil if the key's scopes are unknown.
func (c *Client) checkScope(ctx context.Context, op operation) (err error) {
	if op.scope == "" {
		return nil
	}
	s := c.conn.scopes
	granted, round := s.known()
	if s.asks && !granted.Covers(op.scope) {
		if granted, err = s.ask(ctx, c, op, round); err != nil {
			return err
		}
	}
	if granted == nil || granted.Covers(op.scope) {
		return nil
	}
	var refused struct { // one allocation for both
		ScopeError
		granted [8]Scope // more scopes are allocated separately
	}
	refused.ScopeError = ScopeError{Required: op.scope, Granted: append(refused.granted[:0], granted...), method: op.method, path: op.path}
	return &refused.ScopeError
}

func (s *scopeCheck) known() (granted Scopes, round int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted, s.round
}

// forget drops scopes that were requested from the server, after the server
// contradicted them.
func (s *scopeCheck) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asks {
		s.granted, s.notBefore = nil, time.Time{}
		s.round++
	}
}

// ask returns the key's scopes, or nil if they are currently unknown.
// Concurrent callers share one request, which continues if a caller's context
// is canceled.
func (s *scopeCheck) ask(ctx context.Context, c *Client, op operation, round int) (Scopes, error) {
	result := s.flights.DoChan("", func() (any, error) {
		if !s.due(round) {
			granted, _ := s.known()
			return granted, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scopeAskTimeout)
		defer cancel()
		var key *APIKey
		err := recovered(func() (err error) {
			key, err = c.APIKeys.Current(ctx)
			return err
		})
		if errors.Is(err, ErrUnauthorized) {
			return nil, err
		}
		return s.learn(key, err, c.conn.logger), nil
	})
	select {
	case <-ctx.Done():
		return nil, &Error{Operation: op.String(), Code: CodeUnavailable, Message: "cannot get the scopes of the API key: " + ctx.Err().Error(), cause: ctx.Err()}
	case r := <-result:
		granted, _ := r.Val.(Scopes)
		return granted, r.Err
	}
}

// due reports whether to request the scopes. It reports false if they have
// changed since round. After a failure, and for scopes that are known but
// insufficient, it reports true at most once per scopePause.
func (s *scopeCheck) due(round int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case s.off || s.round != round:
		return false
	case s.granted == nil:
		return !now.Before(s.notBefore)
	case now.Before(s.again):
		return false
	default:
		s.again = now.Add(scopePause)
		return true
	}
}

func (s *scopeCheck) learn(key *APIKey, err error, logger *slog.Logger) Scopes {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.round++
	failed, _ := errors.AsType[*Error](err)
	switch {
	case err == nil && len(key.Scopes) > 0:
		s.granted = key.Scopes
	case failed != nil && (failed.Status == http.StatusNotFound || failed.Status == http.StatusMethodNotAllowed):
		s.granted, s.off = nil, true
		logger.Warn("promptrails: scope check disabled: the server does not report the scopes of API keys", "operation", opAPIKeysCurrent.String())
	default:
		s.granted, s.notBefore = nil, time.Now().Add(scopePause)
	}
	return s.granted
}
