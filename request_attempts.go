package promptrails

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/promptrails-community/promptrails-go/internal/redact"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// exchange is one call: its attempts, and the outcome of the last one. Its
// methods are the hooks of go-retryablehttp, which runs the loop.
type exchange struct {
	conn        *connection
	credentials credentials
	op          operation
	ids         []string // the values of the path
	body        any      // payload before it was encoded
	payload     []byte   // of the request
	key         string   // Idempotency-Key; empty on a GET
	conditional bool     // the request carries If-Match
	out         receiver
	response    *Response // the caller's, or nil

	sent     []string // the secrets of the attempts so far
	renewed  bool     // the source was asked again after a 401
	attempts int
	started  time.Time // of the last attempt
	trace    attemptTrace
	reached  bool // an attempt may have been carried out by the server
	wait     time.Duration
	err      error // the outcome of the last attempt
}

// errRepeat tells go-retryablehttp to make another attempt.
var errRepeat = errors.New("repeat")

func (ex *exchange) run(ctx context.Context, r *http.Request) error {
	if err := ctx.Err(); err != nil {
		return &Error{Operation: ex.op.String(), Code: CodeUnavailable, Message: err.Error() + " (nothing was sent)", cause: err}
	}
	if err := ex.authorize(r); err != nil {
		return err
	}
	req, err := retryablehttp.FromRequest(r.WithContext(httptrace.WithClientTrace(ctx, ex.trace.hooks())))
	if err != nil {
		return err
	}
	if len(ex.payload) > 0 {
		if err := req.SetBody(ex.payload); err != nil {
			return err
		}
	}
	req.SetResponseHandler(func(r *http.Response) error { return ex.receive(ctx, r) })
	loop := retryablehttp.Client{
		HTTPClient:     ex.conn.http,
		RetryMax:       math.MaxInt, // checkRetry counts
		RequestLogHook: func(retryablehttp.Logger, *http.Request, int) { ex.begin() },
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

// authorize sets the key or token of one attempt.
func (ex *exchange) authorize(r *http.Request) error {
	creds := ex.credentials
	if creds.header == "" {
		return &Error{
			Operation: ex.op.String(), Code: CodeUnauthorized,
			Message: "the client has no API key or access token; use WithAPIKey (PROMPTRAILS_API_KEY) or WithAccessToken (PROMPTRAILS_ACCESS_TOKEN); nothing was sent",
		}
	}
	secret, err := creds.source(r.Context())
	if err == nil {
		err = creds.check(secret)
	}
	if err != nil {
		ex.fail(&Error{Code: CodeUnavailable, Message: creds.option + " gave no key or token: " + err.Error() + ex.outcomeNote(), cause: err}, nil)
		return ex.err
	}
	ex.sent = append(ex.sent, secret.Reveal())
	r.Header.Set(creds.header, creds.prefix+secret.Reveal())
	return nil
}

func (ex *exchange) prepareRetry(r *http.Request) error {
	if !ex.credentials.rotates {
		return nil
	}
	r.Header = r.Header.Clone() // the transport may still read the last attempt's
	return ex.authorize(r)
}

func (ex *exchange) begin() {
	ex.attempts++
	ex.started = time.Now()
	ex.trace.reset()
}

// checkRetry is called after each attempt, with the error of the transport or
// of receive.
func (ex *exchange) checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, errRepeat):
		return true, nil
	default:
		ex.log(ctx, nil, err)
		return ex.broken(ctx, err), nil
	}
}

// receive reads a response and decodes it, within the attempt's timeout. It
// returns errRepeat to ask for another attempt.
func (ex *exchange) receive(ctx context.Context, r *http.Response) error {
	defer func() { _ = r.Body.Close() }() // it was read, or is given up
	if r.Header.Get("Idempotency-Key-Honored") == "true" {
		ex.conn.idempotent.Store(true)
	}
	if ex.response != nil {
		*ex.response = *newResponse(r, ex.attempts)
	}
	if r.StatusCode == http.StatusSwitchingProtocols { // its body does not end, not even with the context
		ex.reached = true
		ex.fail(&Error{Status: r.StatusCode, Message: "the server switched to a protocol that was not asked for" + ex.outcomeNote(), garbled: true}, r)
		return nil
	}
	isSuccess := r.StatusCode >= 200 && r.StatusCode < 300
	body, err := readBody(r, ex.conn.maxResponse)
	ex.log(ctx, r, err)
	switch {
	case errors.Is(err, errTooLarge) && !isSuccess: // a proxy's page: the status says enough
		return ex.refused(ctx, r, nil)
	case errors.Is(err, errTooLarge):
		ex.reached = true
		ex.fail(&Error{Status: r.StatusCode, Message: ex.tooLarge() + ex.outcomeNote(), cause: err}, r)
		return nil
	case err != nil:
		if ex.broken(ctx, err) {
			return errRepeat
		}
		return nil
	}
	defer release(body)
	if isSuccess {
		ex.succeed(r, body.Bytes())
		return nil
	}
	return ex.refused(ctx, r, body.Bytes())
}

// succeed decodes a 2xx response.
func (ex *exchange) succeed(r *http.Response, body []byte) {
	ex.conn.budget.refill(ex.attempts)
	ex.err = nil
	if err := ex.decode(r, body); err != nil {
		ex.reached = true
		ex.fail(&Error{Status: r.StatusCode, Message: err.Error() + ex.outcomeNote(), garbled: true}, r)
		return
	}
	ex.learnOwnKey()
}

// refused handles a response that is not 2xx.
func (ex *exchange) refused(ctx context.Context, r *http.Response, body []byte) error {
	e := &Error{Status: r.StatusCode}
	e.decodeError(body, ex.clean)
	if e.Status < 500 && !isTransient(e.Status) && e.Status != http.StatusTooManyRequests {
		ex.conn.budget.refill(ex.attempts)
	}
	if ex.doneBefore(e) {
		ex.err = nil
		return nil
	}
	ex.reached = ex.reached || mayBeDone(e.Status)
	after := parseRetryAfter(r.Header, time.Now())
	ex.fail(e, r)
	if ex.repeat(ctx, e, after) {
		return errRepeat
	}
	if note := ex.outcomeNote(); note != "" {
		if e.Status == http.StatusPreconditionFailed && ex.conditional {
			e.Message += "; the newer version may be this call's own change, made by an earlier attempt"
		}
		e.Message += note
	}
	ex.err = e.typed(after)
	return nil
}

// doneBefore reports whether the API says that what this DELETE asks for is
// done, after an attempt that may have done it.
func (ex *exchange) doneBefore(e *Error) bool {
	if !ex.reached || ex.op.method != http.MethodDelete {
		return false
	}
	switch {
	case e.Status == http.StatusNotFound && e.Code == CodeNotFound:
		// A server that repeats its responses would have repeated the 204.
		return !ex.conn.idempotent.Load() && e.isAbout(ex.op, ex.ids)
	case e.Status == http.StatusConflict && e.Code == CodeInvalidState && ex.op.has(revokes):
		var d struct {
			Status string `json:"status"`
		}
		return wire.Decode(e.Details, &d) == nil && d.Status == string(APIKeyRevoked)
	case e.Status == http.StatusUnauthorized && e.Code == CodeAPIKeyRevoked && ex.op.has(revokes):
		return !ex.credentials.person() && ex.isOwnKey(ex.ids[0], e)
	default:
		return false
	}
}

// broken records an attempt without a complete response, and reports whether to
// make another.
func (ex *exchange) broken(ctx context.Context, err error) bool {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL, whose query may hold a secret
	}
	ex.reached = ex.reached || ex.trace.mayHaveReached(err)
	e := &Error{Code: CodeUnavailable, Message: "no response: " + err.Error() + ex.outcomeNote(), cause: err}
	if text := err.Error(); ex.clean(text) != text { // net/http quotes what is not HTTP
		e.cause = errors.New(ex.clean(text))
	}
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
	case isTransient(e.Status), e.Status == 0:
		if ex.reached && !ex.op.repeatsByItself() && !ex.conn.idempotent.Load() {
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
		if after.wait > maxRetryAfter {
			return false
		}
		ex.wait = after.wait + jitter(after.wait)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= ex.wait {
		if !after.given || time.Until(deadline) <= after.wait {
			return false
		}
		ex.wait = after.wait // there is no time for the jitter
	}
	if !ex.conn.budget.take() {
		return false
	}
	ex.logWait(ctx)
	return true
}

// fail makes e the outcome of the call, unless another attempt changes it.
func (ex *exchange) fail(e *Error, r *http.Response) {
	e.Operation, e.Attempts = ex.op.String(), ex.attempts
	e.Message = ex.clean(e.Message)
	if r != nil {
		e.RequestID = quote([]byte(ex.clean(r.Header.Get("X-Request-ID"))))
	}
	ex.err = e
}

// clean removes the call's own secrets, and what looks like one, from text that
// a server or proxy wrote.
func (ex *exchange) clean(text string) string {
	secrets := append(wire.Secrets(ex.body), ex.sent...)
	return keys.ReplaceAllString(redact.New(secrets...).Clean(text), wire.Redacted)
}

// interrupted is the outcome of a call whose context ended.
func (ex *exchange) interrupted(ctxErr error) error {
	e := &Error{Operation: ex.op.String(), Attempts: ex.attempts, Code: CodeUnavailable, Message: ctxErr.Error(), cause: ctxErr}
	if last, ok := errors.AsType[*Error](ex.err); ok && last.cause == nil {
		e.Message += ", while waiting to try again after " + last.Error()
	}
	e.Message += ex.outcomeNote()
	return e
}

// outcomeNote says what to do about a change that may have been made.
func (ex *exchange) outcomeNote() string {
	switch {
	case !ex.reached || !ex.op.mutates():
		return ""
	case ex.conn.idempotent.Load():
		return fmt.Sprintf("; the outcome is not known: repeat the call with WithIdempotencyKey(%q), and it is done once", ex.key)
	default:
		return "; the outcome is not known: read the object before you repeat the call"
	}
}

// tooLarge says how to read a response that exceeds the limit.
func (ex *exchange) tooLarge() string {
	advice := "raise it"
	if _, ok := ex.out.(interface{ isPage() }); ok {
		advice = "ask for fewer items with Limit, or raise it"
	}
	return fmt.Sprintf("the response is larger than the limit of WithMaxResponseSize (%d bytes); %s", ex.conn.maxResponse, advice)
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

// attemptTrace follows one attempt through net/http: whether it got a connection
// on which its bytes may have left. Its hooks may run in other goroutines.
type attemptTrace struct{ asked, connected, reused atomic.Bool }

func (t *attemptTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			t.asked.Store(true)
			// net/http asks again when the connection that it reused was dead
			// before the server did anything; a transport around it for any reason.
			if t.reused.Swap(false) {
				t.connected.Store(false)
			}
		},
		GotConn: func(c httptrace.GotConnInfo) { t.connected.Store(true); t.reused.Store(c.Reused) },
	}
}

func (t *attemptTrace) reset() { t.asked.Store(false); t.connected.Store(false); t.reused.Store(false) }

// mayHaveReached reports whether the server may have seen an attempt that ended
// with err.
func (t *attemptTrace) mayHaveReached(err error) bool {
	if t.asked.Load() {
		return t.connected.Load()
	}
	// The transport is not net/http's, or it does not pass the context on.
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return false
	}
	_, ok := errors.AsType[*net.DNSError](err)
	return !ok && !isPermanent(err)
}

// isTransient reports whether a status says that the same request may succeed
// later. A proxy may have sent it after the server did its work.
func isTransient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// mayBeDone reports whether the server may have carried out a request in spite
// of the status.
func mayBeDone(status int) bool {
	switch status {
	case http.StatusFound, http.StatusSeeOther: // to where the result is, perhaps
		return true
	default:
		return status >= 500 || isTransient(status)
	}
}

// isPermanent reports whether another attempt would fail in the same way,
// before anything is sent.
func isPermanent(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok || errors.Is(err, http.ErrSchemeMismatch)
}
