package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// The names of the limits in metrics: those of embedded.Limits, and the limits of plans.
const (
	limitRequests = "requests"
	limitWriters  = "writers"
	limitBytes    = "response_bytes"
	limitTime     = "request_time"
	limitRate     = "rate"
	limitPlan     = "plan"
)

// refuse returns an error response.
func refuse(status int, code promptrails.ErrorCode, format string, args ...any) *policy.Refusal {
	return &policy.Refusal{Status: status, Code: string(code), Message: fmt.Sprintf(format, args...)}
}

// Invalid is the response to a request with invalid fields, parameters or
// headers. The map holds the fault of each.
func Invalid(fields map[string]string) *policy.Refusal {
	r := refuse(http.StatusBadRequest, promptrails.CodeValidation, "the request is invalid; see details.fields")
	return r.With(map[string]any{"fields": fields})
}

func invalid(field, fault string) *policy.Refusal { return Invalid(map[string]string{field: fault}) }

// BadRequest is the response to a malformed request if no single field is at
// fault.
func BadRequest(format string, args ...any) *policy.Refusal {
	return refuse(http.StatusBadRequest, promptrails.CodeBadRequest, format, args...)
}

// Unauthorized is the response to a request that cannot be authenticated.
func Unauthorized(format string, args ...any) *policy.Refusal {
	return refuse(http.StatusUnauthorized, promptrails.CodeUnauthorized, format, args...)
}

// UnknownAPIKey is the response to an unknown API key.
func UnknownAPIKey() *policy.Refusal { return policy.KeyUnknown }

// NoRoute is the response to a path without a route.
func NoRoute() *policy.Refusal {
	return refuse(http.StatusNotFound, promptrails.CodeNotFound, "no such route")
}

// NotServed is the response to a route of the vendor's API that this service
// does not implement.
func NotServed() *policy.Refusal {
	return refuse(http.StatusNotFound, promptrails.CodeNotServed, "this service does not implement this route: it is not connected to models, tools or data sources; see /openapi.json for the supported routes")
}

// NoMethod is the response to a method that the path does not support.
func NoMethod() *policy.Refusal {
	return refuse(http.StatusMethodNotAllowed, promptrails.CodeMethodNotAllowed, "method not allowed; the Allow header lists the allowed methods")
}

// TooLarge is the response to a body of more than limit bytes.
func TooLarge(limit int) *policy.Refusal {
	return refuse(http.StatusRequestEntityTooLarge, promptrails.CodePayloadTooLarge, "the body must be at most %d bytes", limit)
}

// UnsupportedMediaType is the response to a body that is compressed or not
// JSON.
func UnsupportedMediaType(advice string) *policy.Refusal {
	return refuse(http.StatusUnsupportedMediaType, promptrails.CodeUnsupportedMediaType, "%s", advice)
}

// notFound is the response if an object does not exist or the caller has no
// access to it. The two cases are indistinguishable.
func notFound(what string) *policy.Refusal {
	return refuse(http.StatusNotFound, promptrails.CodeNotFound, "%s not found", what)
}

func forbidden(message string) *policy.Refusal {
	return refuse(http.StatusForbidden, promptrails.CodeForbidden, "%s", message)
}

func insufficientRole(required, role promptrails.Role) *policy.Refusal {
	return refuse(http.StatusForbidden, promptrails.CodeInsufficientRole, "your role does not allow this").
		With(map[string]any{"required": required, "role": role})
}

func insufficientScope(required promptrails.Scope, granted promptrails.Scopes) *policy.Refusal {
	return policy.ScopeMissing.With(map[string]any{"required": required, "granted": granted})
}

func conflict(code promptrails.ErrorCode, format string, args ...any) *policy.Refusal {
	return refuse(http.StatusConflict, code, format, args...)
}

// Unavailable is the response to a temporary failure of the service.
func Unavailable(cause error) *policy.Refusal {
	message := "the service is temporarily unavailable; try again"
	if reason := store.Reason(cause); reason != "" {
		message = "the service is temporarily unavailable: " + reason
	}
	r := refuse(http.StatusServiceUnavailable, promptrails.CodeUnavailable, "%s", message)
	r.RetryAfter, r.Cause = time.Second, cause
	switch {
	case errors.Is(cause, errRequests):
		r.Limit = limitRequests
	case store.IsWaiting(cause):
		r.Limit = limitWriters
	}
	return r
}

// TooLong is the response to a request that was given up after the maximum time. It
// changed nothing.
func TooLong(cause error) *policy.Refusal {
	r := Unavailable(cause)
	r.Message, r.Limit = "the request took too long and was given up; try again", limitTime
	return r
}

// Crowded is the response to a request whose response does not fit in memory with
// those of the other requests. It changed nothing.
func Crowded(cause error) *policy.Refusal {
	r := Unavailable(cause)
	r.Message, r.Limit = "the service has too many large responses to send; try again", limitBytes
	return r
}

// AsRefusal converts err to an error response. An error that is not a Refusal
// becomes an internal error, which does not reveal its cause.
func AsRefusal(err error) *policy.Refusal {
	if r, ok := errors.AsType[*policy.Refusal](err); ok {
		return r
	}
	if errors.Is(err, store.ErrUnknown) {
		r := refuse(http.StatusInternalServerError, promptrails.CodeInternal, "the connection to the database was lost during the commit, so that it is not known whether the request was carried out; read the object before you send the request again")
		r.Cause = err
		return r
	}
	if errors.Is(err, store.ErrBusy) {
		return Unavailable(err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return TooLong(err)
	}
	if errors.Is(err, store.ErrTooFar) {
		return invalid("page", "is too far from the start of this list; use after with meta.next_cursor")
	}
	r := refuse(http.StatusInternalServerError, promptrails.CodeInternal, "internal error; the server's log has the cause under the request ID")
	r.Cause = err
	return r
}

// orNotFound converts [store.ErrNotFound] to a 404 response.
func orNotFound(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(what)
	}
	return err
}
