package promptrails

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// exchange is one call on its way: its attempts, and what became of the last.
// Its methods are the hooks of go-retryablehttp, which runs the loop.
type exchange struct {
	conn        *connection
	credentials credentials
	op          operation
	body        any    // what payload was made from
	payload     []byte // of the request
	key         string // Idempotency-Key; empty on a GET
	out         receiver
	response    *Response // the caller's, or nil

	secret    Secret // what the last attempt authenticated with
	renewed   bool   // the source was asked again after a 401
	attempts  int
	started   time.Time // the last attempt
	delivered bool      // an earlier attempt may have reached the server
	wait      time.Duration
	err       error // what became of the last attempt
}

// errRepeat tells go-retryablehttp that the answer calls for another attempt.
var errRepeat = errors.New("repeat")

func (ex *exchange) run(ctx context.Context, r *http.Request) error {
	if err := ex.authorize(r); err != nil {
		return err
	}
	req, err := retryablehttp.FromRequest(r)
	if err != nil {
		return err
	}
	if ex.op.mutates() {
		// A body that net/http cannot rewind keeps it from repeating the
		// request by itself, where the server might not know it again.
		if err := req.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return bytes.NewReader(ex.payload), nil })); err != nil {
			return err
		}
		req.GetBody = nil
	}
	req.SetResponseHandler(func(r *http.Response) error { return ex.receive(ctx, r) })
	loop := retryablehttp.Client{
		HTTPClient:     ex.conn.http,
		RetryMax:       math.MaxInt, // checkRetry counts
		RequestLogHook: func(retryablehttp.Logger, *http.Request, int) { ex.attempts++; ex.started = time.Now() },
		CheckRetry:     ex.checkRetry,
		Backoff:        func(time.Duration, time.Duration, int, *http.Response) time.Duration { return ex.wait },
		PrepareRetry:   ex.prepareRetry,
	}
	resp, err := loop.Do(req) //nolint:bodyclose // receive has read and closed it
	_ = resp
	if ctxErr := ctx.Err(); err != nil && ctxErr != nil {
		return ex.interrupted(ctxErr)
	}
	return ex.err
}

// authorize puts the key or token on a request, at each attempt anew.
func (ex *exchange) authorize(r *http.Request) error {
	creds := ex.credentials
	if creds.header == "" {
		return &Error{
			Operation: ex.op.String(), Code: CodeUnauthorized,
			Message: "the client has no API key or access token; use WithAPIKey, WithAccessToken or the environment (nothing was sent)",
		}
	}
	secret, err := creds.source(r.Context())
	if err == nil {
		err = creds.check(secret)
	}
	if err != nil {
		return &Error{Operation: ex.op.String(), Code: CodeUnauthorized, Message: "no key or token to send: " + err.Error(), cause: err}
	}
	ex.secret = secret
	r.Header.Set(creds.header, creds.prefix+secret.Reveal())
	return nil
}

func (ex *exchange) prepareRetry(r *http.Request) error {
	if !ex.credentials.rotates {
		return nil
	}
	r.Header = r.Header.Clone() // the transport may still read the last attempt's
	if err := ex.authorize(r); err != nil {
		ex.err = err
		return err
	}
	return nil
}

// checkRetry is asked after each attempt, with the error of the transport or
// of receive.
func (ex *exchange) checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, errRepeat):
		return true, nil
	default:
		return ex.broken(ctx, err), nil
	}
}

// receive reads an answer and decodes it, while the attempt's time runs.
func (ex *exchange) receive(ctx context.Context, r *http.Response) error {
	defer func() { _ = r.Body.Close() }() // it was read, or is given up
	if r.Header.Get("Idempotency-Key-Honored") == "true" {
		ex.conn.idempotent.Store(true)
	}
	body, err := readBody(r, ex.conn.maxResponse)
	ex.log(ctx, r, err)
	if errors.Is(err, errTooLarge) {
		ex.fail(&Error{Status: r.StatusCode, Message: fmt.Sprintf("%v (%d bytes)", err, ex.conn.maxResponse), cause: err}, r)
		return nil
	}
	if err != nil {
		if ex.broken(ctx, err) {
			return errRepeat
		}
		return nil
	}
	defer release(body)
	if ex.response != nil {
		*ex.response = *newResponse(r, ex.attempts)
	}
	if ok := r.StatusCode >= 200 && r.StatusCode < 300; ok || ex.deletedBefore(r) {
		ex.conn.budget.succeeded(ex.attempts)
		ex.err = nil
		if ok && ex.out != nil {
			if err := decodeAnswer(r, body.Bytes(), ex.out); err != nil {
				ex.fail(&Error{Status: r.StatusCode, Message: err.Error()}, r)
			}
		}
		return nil
	}
	e := &Error{Status: r.StatusCode}
	e.decodeError(body.Bytes())
	if e.Status >= 300 && e.Status < 400 {
		e.Message = "the server redirects, and only a GET within its own scheme, host and port is followed; check the base URL"
	}
	after := parseRetryAfter(r.Header.Get("Retry-After"), time.Now())
	ex.fail(e, r)
	if ex.repeat(ctx, e, after) {
		return errRepeat
	}
	if isGateway(e.Status) {
		e.Message += ex.outcomeNote()
	}
	ex.err = e.typed(after)
	return nil
}

// deletedBefore reports whether a 404 says that an earlier attempt of this
// call, at a server that does not repeat its answers, deleted the object.
func (ex *exchange) deletedBefore(r *http.Response) bool {
	if r.StatusCode == http.StatusUnauthorized && ex.delivered && ex.op.has(endsOwnRight) {
		return true // the key revoked itself
	}
	return r.StatusCode == http.StatusNotFound && ex.op.method == http.MethodDelete && ex.delivered && !ex.conn.idempotent.Load()
}

// broken records an attempt that got no answer, or half of one, and reports
// whether to make another.
func (ex *exchange) broken(ctx context.Context, err error) bool {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL, whose query may tell too much
	}
	reached := !neverDelivered(err)
	ex.delivered = ex.delivered || reached
	e := &Error{Code: CodeUnavailable, Message: "no answer: " + err.Error() + ex.outcomeNote(), cause: err}
	ex.fail(e, nil)
	if ctx.Err() != nil || isPermanent(err) {
		return false
	}
	return ex.repeat(ctx, e, retryAfter{})
}

// repeat reports whether the retry rules ask for another attempt, and sets how
// long to wait for it.
func (ex *exchange) repeat(ctx context.Context, e *Error, after retryAfter) bool {
	if e.Status == http.StatusUnauthorized && ex.credentials.rotates && !ex.renewed {
		ex.renewed, ex.wait = true, 0
		return true
	}
	switch {
	case e.Status == http.StatusTooManyRequests, e.Code == CodeIdempotencyInProgress && e.Status == http.StatusConflict:
	case isGateway(e.Status), e.Status == 0:
		ex.delivered = ex.delivered || e.Status != 0
		if ex.delivered && !ex.op.repeatsByItself() && !ex.conn.idempotent.Load() {
			return false
		}
	default:
		return false
	}
	if ex.attempts > ex.conn.maxRetries {
		return false
	}
	ex.wait = backoff(ex.attempts)
	if after.given {
		ex.wait = after.wait
	}
	if ex.wait > maxRetryAfter {
		return false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= ex.wait {
		return false
	}
	return ex.conn.budget.take()
}

// fail makes e the outcome of the call, unless another attempt changes it.
func (ex *exchange) fail(e *Error, r *http.Response) {
	e.Operation, e.Attempts = ex.op.String(), ex.attempts
	if r != nil {
		e.RequestID = quote([]byte(r.Header.Get("X-Request-ID")))
	}
	e.withoutSecrets(append(wire.Secrets(ex.body), ex.secret.Reveal()))
	ex.err = e
}

// interrupted is the outcome of a call whose context ended.
func (ex *exchange) interrupted(ctxErr error) error {
	e := &Error{Operation: ex.op.String(), Attempts: ex.attempts, Code: CodeUnavailable, Message: ctxErr.Error(), cause: ctxErr}
	if last, ok := errors.AsType[*Error](ex.err); ok && last.cause == nil {
		e.Message += ", while waiting to try again after " + last.Error()
	} else {
		e.Message += ex.outcomeNote()
	}
	return e
}

// outcomeNote says what to do about a change that may have been made.
func (ex *exchange) outcomeNote() string {
	if !ex.delivered || !ex.op.mutates() {
		return ""
	}
	return fmt.Sprintf("; the outcome is not known: repeat the call with WithIdempotencyKey(%q), or look", ex.key)
}

func (ex *exchange) log(ctx context.Context, r *http.Response, err error) {
	if !ex.conn.logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	ex.conn.logger.DebugContext(ctx, "promptrails: attempt",
		"operation", ex.op.String(), "attempt", ex.attempts, "status", r.StatusCode,
		"duration", time.Since(ex.started), "request_id", keys.ReplaceAllString(r.Header.Get("X-Request-ID"), wire.Redacted), "complete", err == nil)
}

// isGateway reports whether a status may come from a proxy in front of the
// server, so that nobody knows whether the server did anything.
func isGateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// neverDelivered reports whether the server cannot have seen the request: the
// connection was refused or timed out, or the name was not resolved.
func neverDelivered(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// isPermanent reports whether another attempt would fail in the same way.
func isPermanent(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}
