package promptrails

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is one call: its attempts, and the outcome of the last one.
type exchange struct {
	conn        *connection
	credentials credentials
	op          operation
	ids         []string // the values of the path
	body        any      // the payload before it is encoded
	payload     []byte   // of the request
	key         string   // Idempotency-Key; empty for GET
	conditional bool     // the request has If-Match
	out         receiver
	response    *Response // the caller's, or nil

	sent     []string // the secrets of the attempts so far
	renewed  bool     // the source was called again after a 401
	attempts int
	started  time.Time // of the last attempt
	trace    attemptTrace
	reached  bool  // the server may have carried out an attempt
	err      error // the outcome of the last attempt
	again    bool  // another attempt follows
	wait     time.Duration

	observed     *observation // nil without an observer
	unauthorized bool         // there was no key or token for an attempt
}

// run makes attempts until one is final.
func (ex *exchange) run(ctx context.Context, r *http.Request) error {
	if err := ctx.Err(); err != nil {
		return &Error{Operation: ex.op.String(), Code: CodeUnavailable, Message: err.Error() + " (nothing was sent)", cause: err}
	}
	r = r.WithContext(httptrace.WithClientTrace(ctx, ex.trace.hooks()))
	r.Body = http.NoBody
	if len(ex.payload) > 0 {
		r.ContentLength = int64(len(ex.payload))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(ex.payload)), nil }
		r.Body, _ = r.GetBody()
	}
	if ex.attempt(r); !ex.again {
		return ex.err
	}
	return ex.retry(ctx, r)
}

// retry makes further attempts, of which go-retryablehttp runs the loop: it waits
// between attempts and rewinds the body. Its transport is attempt, except for the
// attempt that has been made.
func (ex *exchange) retry(ctx context.Context, r *http.Request) error {
	another := *r // net/http may still use the body of the first attempt
	another.Body = nil
	req, err := retryablehttp.FromRequest(&another)
	if err != nil {
		return err
	}
	req.Body = http.NoBody
	if len(ex.payload) > 0 {
		if err := req.SetBody(ex.payload); err != nil {
			return err
		}
	}
	isFirst := true
	loop := retryablehttp.Client{
		HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) {
			if !isFirst {
				ex.attempt(r)
			}
			isFirst = false
		})},
		RetryMax:   math.MaxInt, // repeat counts
		CheckRetry: func(context.Context, *http.Response, error) (bool, error) { return ex.again, nil },
		Backoff:    func(time.Duration, time.Duration, int, *http.Response) time.Duration { return ex.wait },
	}
	if _, err := loop.Do(req); err != nil { //nolint:bodyclose // attempt has read and closed it
		return ex.interrupted(cmp.Or(ctx.Err(), err)) // the context ended during a wait
	}
	return ex.err
}

// roundTripper calls a function that keeps the outcome itself.
type roundTripper func(*http.Request)

// RoundTrip implements [http.RoundTripper].
func (attempt roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	attempt(r)
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

// errTimeout is the error of an attempt that was too slow, from net/http.
var errTimeout = fmt.Errorf("it took longer than the timeout of WithTimeout: %w", context.DeadlineExceeded)

// attempt sends the request once, reads the response, and sets the outcome and
// whether another attempt follows.
func (ex *exchange) attempt(r *http.Request) {
	ex.again = false
	if err := ex.authorize(r); err != nil {
		ex.err, ex.unauthorized = err, true
		return
	}
	ex.attempts++
	ex.started = time.Now()
	ex.trace.reset()
	if ex.observed != nil {
		r = ex.startAttempt(r)
		defer ex.endAttempt(r)
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), ex.conn.timeout, errTimeout)
	defer cancel()
	resp, err := ex.conn.http.Do(r.WithContext(ctx))
	if err != nil {
		ex.log(r.Context(), nil, err)
		ex.broken(r.Context(), err)
		return
	}
	defer func() { _ = resp.Body.Close() }() // the body was read, or is dropped
	ex.receive(r.Context(), resp)
}

// authorize sets the key or token of an attempt.
func (ex *exchange) authorize(r *http.Request) error {
	creds := ex.credentials
	if creds.header == "" {
		return &Error{
			Operation: ex.op.String(), Code: CodeUnauthorized,
			Message: "the client has no API key or access token; use WithAPIKey (PROMPTRAILS_API_KEY) or WithAccessToken (PROMPTRAILS_ACCESS_TOKEN); nothing was sent",
		}
	}
	if ex.attempts > 0 {
		if !creds.rotates {
			return nil // the header has it
		}
		r.Header = r.Header.Clone() // the transport may still read that of the last attempt
	}
	secret, err := creds.source(r.Context())
	if err == nil {
		err = creds.check(secret)
	}
	if err != nil {
		ex.fail(&Error{Code: CodeUnavailable, Message: creds.option + " returned no key or token: " + err.Error() + ex.outcomeNote(), cause: err}, nil)
		return ex.err
	}
	ex.sent = append(ex.sent, secret.Reveal())
	r.Header.Set(creds.header, creds.prefix+secret.Reveal())
	return nil
}

// receive reads a response, within the attempt's timeout.
func (ex *exchange) receive(ctx context.Context, r *http.Response) {
	if r.Header.Get("Idempotency-Key-Honored") == "true" {
		ex.conn.idempotent.Store(true)
	}
	if ex.observed != nil {
		ex.responded(r)
	}
	if ex.response != nil {
		*ex.response = *newResponse(r, ex.attempts)
	}
	if r.StatusCode == http.StatusSwitchingProtocols { // its body does not end, even if the context does
		ex.invalid(r, "the server switched to a protocol that was not requested", nil)
		return
	}
	isSuccess := r.StatusCode >= 200 && r.StatusCode < 300
	body, err := readBody(r, ex.conn.maxResponse)
	ex.log(ctx, r, err)
	switch {
	case errors.Is(err, errTooLarge) && isSuccess:
		ex.invalid(r, ex.tooLarge(), err)
	case errors.Is(err, errTooLarge): // the page of a proxy; its status is enough
		ex.refused(ctx, r, nil)
	case err != nil:
		ex.broken(ctx, err)
	case isSuccess:
		ex.succeed(r, body.Bytes())
	default:
		ex.refused(ctx, r, body.Bytes())
	}
	if body != nil {
		release(body)
	}
}

// succeed decodes a 2xx response.
func (ex *exchange) succeed(r *http.Response, body []byte) {
	ex.conn.budget.refill(ex.attempts)
	ex.err = nil
	if err := ex.decode(r, body); err != nil {
		ex.invalid(r, err.Error(), nil)
		return
	}
	ex.learnOwnKey()
}

// invalid sets the outcome for a response that the client cannot use.
func (ex *exchange) invalid(r *http.Response, problem string, cause error) {
	ex.reached = true
	ex.fail(&Error{Status: r.StatusCode, Message: problem + ex.outcomeNote(), cause: cause, garbled: cause == nil}, r)
}

func (ex *exchange) log(ctx context.Context, r *http.Response, err error) {
	if !ex.conn.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []any{"operation", ex.op.String(), "attempt", ex.attempts, "duration", time.Since(ex.started), "complete", r != nil && err == nil}
	if r != nil {
		attrs = append(attrs, "status", r.StatusCode, "request_id", ex.clean(r.Header.Get("X-Request-ID")))
	}
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		attrs = append(attrs, "error", ex.clean(err.Error()))
	}
	ex.conn.logger.DebugContext(ctx, "promptrails: attempt", attrs...)
}

func (ex *exchange) logWait(ctx context.Context) {
	ex.conn.logger.DebugContext(ctx, "promptrails: retry", "operation", ex.op.String(), "attempt", ex.attempts+1, "wait", ex.wait)
}
