package promptrails

import (
	"context"
	"slices"
	"time"
)

// Observer observes the calls of a client, for traces and metrics. See
// [WithObserver].
//
// A call is one request of a method, with its retries; an iterator makes a call
// for each page. A call with invalid arguments, which returns a
// [*ValidationError] without sending a request, is not observed. The methods
// of an Observer receive no secrets, bodies, queries or values of paths.
//
// The methods run in the goroutine of the call, which waits for them. They must
// be safe for concurrent use. If one of them panics, the panic is that of the
// call, and the further methods may not be called.
type Observer interface {
	// StartCall is called before a call. The call uses the returned context,
	// which must be ctx or derived from it.
	StartCall(ctx context.Context, call CallStart) context.Context

	// StartAttempt is called before each attempt, with the context that StartCall
	// returned. The attempt uses the returned context, which must be ctx or
	// derived from it.
	StartAttempt(ctx context.Context, attempt AttemptStart) context.Context

	// EndAttempt is called after each attempt, with the context that
	// StartAttempt returned.
	EndAttempt(ctx context.Context, attempt AttemptEnd)

	// EndCall is called after a call, with the context that StartCall returned.
	EndCall(ctx context.Context, call CallEnd)
}

// CallStart describes a call before its first attempt.
type CallStart struct {
	Operation Operation
	BaseURL   string // of the API, with /api/v1, to which the path is relative
	Workspace string // sent as X-Workspace-ID, or empty
}

// AttemptStart describes an attempt before it is sent.
type AttemptStart struct {
	CallStart
	Attempt int // 1 for the first attempt of the call
}

// AttemptEnd describes an attempt and its outcome.
type AttemptEnd struct {
	AttemptStart
	Outcome
	Retry bool          // another attempt follows, unless the context of the call ends during the wait
	Wait  time.Duration // before the next attempt
}

// CallEnd describes a call and its outcome. The fields of its response are those
// of the last attempt.
type CallEnd struct {
	CallStart
	Outcome
	Attempts int // 0 if no request was sent
}

// Outcome is the outcome of a call or an attempt.
type Outcome struct {
	Duration    time.Duration // of a call: with the waits
	Status      int           // 0 without a response
	Failure     Failure       // empty after a success
	Code        ErrorCode     // of the error, or empty
	RequestID   string        // from the response, or empty
	BytesRead   int64         // of the response body, uncompressed
	RateLimit   RateLimit     // from the response
	RetriesLeft int           // number of retries that the client's retry budget allows now, at most 100
}

// Failure is a kind of error. A status is not always a failure: a 404 can
// confirm an earlier attempt of a DELETE.
type Failure string

// The kinds of errors.
const (
	FailureStatus      Failure = "status"      // a response other than 2xx
	FailureResponse    Failure = "response"    // a response that is not of the API, too large or malformed
	FailureConnection  Failure = "connection"  // no complete response
	FailureTimeout     Failure = "timeout"     // no complete response in time, by WithTimeout or the context
	FailureCanceled    Failure = "canceled"    // the context was canceled
	FailureCredentials Failure = "credentials" // no key or token for an attempt
	FailureScope       Failure = "scope"       // the key lacks the scope, or is refused when its scopes are requested; not sent
)

// WithObserver calls o at the start and the end of each call and of each attempt.
// If the option is given more than once, all observers are called: at a start in
// the order of the options, at an end in reverse. A nil o has no effect.
func WithObserver(o Observer) Option {
	return func(c *config) {
		switch others := c.observer.(type) {
		case nil:
			c.observer = o
		case observers:
			if o != nil {
				c.observer = append(slices.Clip(others), o)
			}
		default:
			if o != nil {
				c.observer = observers{others, o}
			}
		}
	}
}

// observers is several observers as one.
type observers []Observer

func (all observers) StartCall(ctx context.Context, call CallStart) context.Context {
	for _, o := range all {
		ctx = o.StartCall(ctx, call)
	}
	return ctx
}

func (all observers) StartAttempt(ctx context.Context, attempt AttemptStart) context.Context {
	for _, o := range all {
		ctx = o.StartAttempt(ctx, attempt)
	}
	return ctx
}

func (all observers) EndAttempt(ctx context.Context, attempt AttemptEnd) {
	for _, o := range slices.Backward(all) {
		o.EndAttempt(ctx, attempt)
	}
}

func (all observers) EndCall(ctx context.Context, call CallEnd) {
	for _, o := range slices.Backward(all) {
		o.EndCall(ctx, call)
	}
}
