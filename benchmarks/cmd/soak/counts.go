package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// counts counts calls, and is the observer of the clients.
type counts struct {
	windows *windows

	mu       sync.Mutex
	attempts int
	calls    int
	failures map[string]*failure // by kind
	last     time.Time           // of the latest success; zero while there is no load
	calm     time.Duration       // the longest time without a success and without a fault
	faulty   time.Duration       // the longest time without a success and with a fault
	repeated int                 // calls that were repeated with the same key
}

// failure counts the failures of a kind.
type failure struct {
	attempts, calls, unknown int
	unexpected               []string
}

func newCounts(w *windows) *counts { return &counts{windows: w, failures: map[string]*failure{}} }

// StartCall implements [promptrails.Observer].
func (c *counts) StartCall(ctx context.Context, _ promptrails.CallStart) context.Context { return ctx }

// StartAttempt implements [promptrails.Observer].
func (c *counts) StartAttempt(ctx context.Context, _ promptrails.AttemptStart) context.Context {
	return ctx
}

// EndAttempt implements [promptrails.Observer].
func (c *counts) EndAttempt(_ context.Context, a promptrails.AttemptEnd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts++
	if a.Failure == "" {
		c.advance(time.Now())
		return
	}
	c.failure(kindOf(a.Status, a.Code)).attempts++
}

// EndCall implements [promptrails.Observer].
func (c *counts) EndCall(context.Context, promptrails.CallEnd) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
}

// pause stops the measurement of the time without a success.
func (c *counts) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(time.Now())
	c.last = time.Time{}
}

// resume starts the measurement of the time without a success.
func (c *counts) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Now()
}

// advance measures the time since the last success. c.mu is held.
func (c *counts) advance(now time.Time) {
	if c.last.IsZero() {
		return
	}
	longest := &c.calm
	if len(c.windows.since(c.last)) > 0 {
		longest = &c.faulty
	}
	*longest = max(*longest, now.Sub(c.last))
	c.last = now
}

// maxUnexpected bounds the texts of unexpected errors of a kind.
const maxUnexpected = 5

// failed counts the error of a call, and reports it unless a fault since begun explains it.
func (c *counts) failed(err error, begun time.Time, was outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind, explained := "of the client", false
	on := c.windows.since(begun)
	if e, ok := asError(err); ok {
		kind, explained = kindOf(e.Status, e.Code), expected(e, on)
	}
	f := c.failure(kind)
	f.calls++
	if was == unknown {
		f.unknown++
	}
	if !explained && len(f.unexpected) < maxUnexpected {
		f.unexpected = append(f.unexpected, fmt.Sprintf("with the faults %q: %v", on, err))
	}
}

// repeat counts a call that is repeated.
func (c *counts) repeat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.repeated++
}

// failure returns the counts of a kind. c.mu is held.
func (c *counts) failure(kind string) *failure {
	if c.failures[kind] == nil {
		c.failures[kind] = new(failure)
	}
	return c.failures[kind]
}

func kindOf(status int, code promptrails.ErrorCode) string {
	switch {
	case status == 0:
		return "no response"
	case status < http.StatusMultipleChoices:
		return "incomplete response"
	}
	return fmt.Sprintf("%d %s", status, code)
}

// expected reports whether a fault explains an error.
func expected(e *promptrails.Error, on []string) bool {
	for _, fault := range on {
		switch fault {
		case killFault, networkFault:
			// After a lost connection, the first request may still run in the service.
			if e.Status < http.StatusMultipleChoices || e.Code == promptrails.CodeIdempotencyInProgress {
				return true
			}
		case diskFault:
			if e.Status == http.StatusServiceUnavailable && e.Code == promptrails.CodeUnavailable {
				return true
			}
		case clockFault:
			// A response with a secret is kept for 10 minutes.
			if e.Code == promptrails.CodeIdempotencyAnswerGone {
				return true
			}
		}
	}
	return false
}
