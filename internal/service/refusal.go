package service

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// refuse returns an error response.
func refuse(status int, code promptrails.ErrorCode, format string, args ...any) *policy.Refusal {
	return &policy.Refusal{Status: status, Code: string(code), Message: fmt.Sprintf(format, args...)}
}

// Invalid names the fields, parameters or headers that are wrong.
func Invalid(fields map[string]string) *policy.Refusal {
	r := refuse(http.StatusBadRequest, promptrails.CodeValidation, "the request is not valid; see details.fields")
	return r.With(map[string]any{"fields": fields})
}

func invalid(field, fault string) *policy.Refusal { return Invalid(map[string]string{field: fault}) }

// BadRequest is a request in which no field can be named.
func BadRequest(format string, args ...any) *policy.Refusal {
	return refuse(http.StatusBadRequest, promptrails.CodeBadRequest, format, args...)
}

// Unauthorized says that nobody knows who is calling.
func Unauthorized(format string, args ...any) *policy.Refusal {
	return refuse(http.StatusUnauthorized, promptrails.CodeUnauthorized, format, args...)
}

// UnknownAPIKey is the answer to a key that this service never made.
func UnknownAPIKey() *policy.Refusal { return policy.KeyUnknown }

// NoRoute is the answer to a path that names nothing.
func NoRoute() *policy.Refusal {
	return refuse(http.StatusNotFound, promptrails.CodeNotFound, "the path names nothing here")
}

// NotServed is the response to a part of the vendor's API that this service lacks.
func NotServed() *policy.Refusal {
	return refuse(http.StatusNotFound, promptrails.CodeNotServed, "this is not served here: there is no model, tool or data source behind this service; its README says what is served")
}

// NoMethod is the answer to a method that a path does not take.
func NoMethod() *policy.Refusal {
	return refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take that method; the Allow header names those that it does")
}

// TooLarge is a body of more than limit bytes.
func TooLarge(limit int) *policy.Refusal {
	return refuse(http.StatusRequestEntityTooLarge, promptrails.CodePayloadTooLarge, "a body has at most %d bytes", limit)
}

// UnsupportedMediaType is a body that is no JSON, or is packed.
func UnsupportedMediaType(advice string) *policy.Refusal {
	return refuse(http.StatusUnsupportedMediaType, promptrails.CodeUnsupportedMediaType, "%s", advice)
}

// notFound is the answer for what does not exist and for what is not the
// caller's: the two cannot be told apart.
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

// Unavailable is a fault of the service's own that will pass.
func Unavailable(cause error) *policy.Refusal {
	message := "the service cannot answer now; try again"
	if reason := store.Reason(cause); reason != "" {
		message = "the service cannot answer now: " + reason
	}
	r := refuse(http.StatusServiceUnavailable, promptrails.CodeUnavailable, "%s", message)
	r.RetryAfter, r.Cause = time.Second, cause
	return r
}

// AsRefusal returns err as an answer. What is no problem of the caller's is an
// internal error, which tells nothing but is logged.
func AsRefusal(err error) *policy.Refusal {
	if r, ok := errors.AsType[*policy.Refusal](err); ok {
		return r
	}
	if errors.Is(err, store.ErrBusy) {
		return Unavailable(err)
	}
	r := refuse(http.StatusInternalServerError, promptrails.CodeInternal, "something went wrong here; the request id finds it in the log")
	r.Cause = err
	return r
}

// orNotFound turns a row that is not there into a 404.
func orNotFound(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(what)
	}
	return err
}
