package promptrails

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/redact"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// refused handles a response that is not 2xx.
func (ex *exchange) refused(ctx context.Context, r *http.Response, body []byte) {
	e := &Error{Status: r.StatusCode}
	e.decodeError(body, ex.clean)
	if e.Status < 500 && !isTransient(e.Status) && e.Status != http.StatusTooManyRequests {
		ex.conn.budget.refill(ex.attempts)
	}
	if ex.doneBefore(e) {
		ex.err = nil
		return
	}
	ex.reached = ex.reached || mayBeDone(e.Status)
	after := parseRetryAfter(r.Header, time.Now())
	ex.fail(e, r)
	if ex.again = ex.repeat(ctx, e, after); ex.again {
		return
	}
	if note := ex.outcomeNote(); note != "" {
		if e.Status == http.StatusPreconditionFailed && ex.conditional {
			e.Message += "; the newer version may be this call's own change, made by an earlier attempt"
		}
		e.Message += note
	}
	ex.err = e.typed(after)
}

// doneBefore reports whether the response confirms that an earlier attempt of
// this DELETE has succeeded.
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

// broken handles an attempt without a complete response.
func (ex *exchange) broken(ctx context.Context, err error) {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the URL, as its query may contain a secret
	}
	ex.reached = ex.reached || ex.trace.mayHaveReached(err)
	e := &Error{Code: CodeUnavailable, Message: "no response: " + err.Error() + ex.outcomeNote(), cause: err}
	if text := err.Error(); ex.clean(text) != text { // net/http quotes malformed responses
		e.cause = errors.New(ex.clean(text))
	}
	ex.fail(e, nil)
	switch {
	case ctx.Err() != nil:
		ex.err = ex.interrupted(ctx.Err())
	case !isPermanent(err):
		ex.again = ex.repeat(ctx, e, retryAfter{})
	}
}

// repeat reports whether the retry rules allow another attempt, and sets the wait
// for it.
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

// fail sets the outcome of the attempt.
func (ex *exchange) fail(e *Error, r *http.Response) {
	e.Operation, e.Attempts = ex.op.String(), ex.attempts
	e.Message = ex.clean(e.Message)
	if r != nil {
		e.RequestID = quote([]byte(ex.clean(r.Header.Get("X-Request-ID"))))
	}
	ex.err = e
}

// clean removes the secrets of the call, and text that looks like one, from text
// of a server or proxy.
func (ex *exchange) clean(text string) string {
	secrets := append(wire.Secrets(ex.body), ex.sent...)
	return keys.ReplaceAllString(redact.New(secrets...).Clean(text), wire.Redacted)
}

// interrupted returns the error of a call whose context ended.
func (ex *exchange) interrupted(ctxErr error) error {
	e := &Error{Operation: ex.op.String(), Attempts: ex.attempts, Code: CodeUnavailable, Message: ctxErr.Error(), cause: ctxErr}
	if last, ok := errors.AsType[*Error](ex.err); ok && last.cause == nil {
		e.Message += ", while waiting to try again after " + last.Error()
	}
	e.Message += ex.outcomeNote()
	return e
}

// outcomeNote returns advice for a change that the server may have made.
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

// tooLarge returns the message for a response that exceeds the limit.
func (ex *exchange) tooLarge() string {
	advice := "raise it"
	if _, ok := ex.out.(interface{ isPage() }); ok {
		advice = "ask for fewer items with Limit, or raise it"
	}
	return fmt.Sprintf("the response is larger than the limit of WithMaxResponseSize (%d bytes); %s", ex.conn.maxResponse, advice)
}
