package promptrails

import (
	"context"
	"errors"
	"log/slog"
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
	round     int       // counted up by all that is learned or forgotten
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
	unsent := &Error{Operation: op.String(), Message: "refused before anything was sent"}
	return &ScopeError{Required: op.scope, Granted: slices.Clone(granted), err: unsent}
}

func (s *scopeCheck) known() (granted Scopes, round int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted, s.round
}

// forget drops what was asked for, since the server has said otherwise.
func (s *scopeCheck) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asks {
		s.granted, s.notBefore = nil, time.Time{}
		s.round++
	}
}

// ask returns the key's scopes, or nil where they cannot be known now.
// Concurrent callers share one question, which outlives a caller that leaves.
func (s *scopeCheck) ask(ctx context.Context, c *Client, op operation, round int) (Scopes, error) {
	answer := s.flights.DoChan("", func() (any, error) {
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
		return nil, &Error{Operation: op.String(), Code: CodeUnavailable, Message: "while asking for the scopes of the key: " + ctx.Err().Error(), cause: ctx.Err()}
	case r := <-answer:
		granted, _ := r.Val.(Scopes)
		return granted, r.Err
	}
}

// due reports whether to ask, for a caller that has seen a round: not if more
// has been learned since, and once a minute if the last answer was a failure,
// or scopes that refuse.
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
		logger.Warn("promptrails: the server does not tell the scopes of a key; calls go unchecked", "operation", opAPIKeysCurrent.String())
	default:
		s.granted, s.notBefore = nil, time.Now().Add(scopePause)
	}
	return s.granted
}
