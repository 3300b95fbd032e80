package promptrails

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// observation is the state of an observed call. An exchange has one if the client
// has an observer.
type observation struct {
	start    CallStart
	response Outcome // the parts of the last response
}

// observe runs a call with the observer, and logs its failure.
func (c *Client) observe(ctx context.Context, ex *exchange, run func(context.Context) error) error {
	started := time.Now()
	if o := c.conn.observer; o != nil {
		ex.observed = &observation{start: CallStart{Operation: ex.op.exported(), BaseURL: c.conn.base.String(), Workspace: c.workspace}}
		if ex.op.has(acrossWorkspaces) {
			ex.observed.start.Workspace = ""
		}
		ctx = o.StartCall(ctx, ex.observed.start)
	}
	err := run(ctx)
	if o := c.conn.observer; o != nil {
		o.EndCall(ctx, CallEnd{CallStart: ex.observed.start, Outcome: ex.outcome(started, err), Attempts: ex.attempts})
	}
	if err != nil {
		ex.logFailure(ctx, started, err)
	}
	return err
}

// logFailure logs a failed call. An iteration that stops early cancels the call
// for the next page, so a canceled call is logged at debug level.
func (ex *exchange) logFailure(ctx context.Context, started time.Time, err error) {
	level, failure := slog.LevelInfo, ex.failure(err)
	if failure == FailureCanceled {
		level = slog.LevelDebug
	}
	if !ex.conn.logger.Enabled(ctx, level) {
		return
	}
	attrs := []any{"operation", ex.op.String(), "attempts", ex.attempts, "duration", time.Since(started), "failure", string(failure)}
	if e, ok := errors.AsType[*Error](err); ok {
		attrs = append(attrs, "status", e.Status, "code", string(e.Code), "request_id", e.RequestID)
	}
	ex.conn.logger.Log(ctx, level, "promptrails: call failed", attrs...)
}

// startAttempt returns the request of an attempt, with the context of the observer.
func (ex *exchange) startAttempt(r *http.Request) *http.Request {
	ex.observed.response = Outcome{}
	return r.WithContext(ex.conn.observer.StartAttempt(r.Context(), AttemptStart{CallStart: ex.observed.start, Attempt: ex.attempts}))
}

// endAttempt passes the outcome of an attempt to the observer.
func (ex *exchange) endAttempt(r *http.Request) {
	end := AttemptEnd{
		AttemptStart: AttemptStart{CallStart: ex.observed.start, Attempt: ex.attempts},
		Outcome:      ex.outcome(ex.started, ex.err),
	}
	if ex.again {
		end.Retry, end.Wait = true, ex.wait
	}
	ex.conn.observer.EndAttempt(r.Context(), end)
}

// responded records a response, and counts the bytes that are read from it.
func (ex *exchange) responded(r *http.Response) {
	described := newResponse(r, ex.attempts)
	ex.observed.response = Outcome{
		Status:    r.StatusCode,
		RequestID: quote([]byte(ex.clean(described.RequestID))),
		RateLimit: described.RateLimit,
	}
	r.Body = &countedBody{r.Body, &ex.observed.response.BytesRead}
}

// countedBody counts the bytes of a body.
type countedBody struct {
	io.ReadCloser
	n *int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	*b.n += int64(n)
	return n, err
}

// outcome returns the outcome of a call or an attempt that began at started.
func (ex *exchange) outcome(started time.Time, err error) Outcome {
	o := ex.observed.response
	o.Duration, o.Failure, o.RetriesLeft = time.Since(started), ex.failure(err), ex.conn.budget.left()
	if e, ok := errors.AsType[*Error](err); ok {
		o.Code = e.Code
	}
	return o
}

// failure returns the kind of err.
func (ex *exchange) failure(err error) Failure {
	var e *Error
	var scope *ScopeError
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &scope) && scope.Unwrap() == nil:
		return FailureScope
	case errors.As(err, &e) && e.Status != 0:
		switch {
		case ex.attempts == 0: // the status is that of the request for the scopes
			return FailureScope
		case e.Status < 300:
			return FailureResponse
		default:
			return FailureStatus
		}
	case errors.Is(err, context.Canceled):
		return FailureCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return FailureTimeout
	case ex.unauthorized, errors.Is(err, ErrUnauthorized):
		return FailureCredentials
	default:
		return FailureConnection
	}
}
