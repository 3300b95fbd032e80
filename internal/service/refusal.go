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

// Problem is an answer that is an error.
type Problem struct {
	Status     int
	Code       promptrails.ErrorCode
	Message    string
	Details    map[string]any
	RetryAfter time.Duration
	cause      error // for the log
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Message)
}

// Unwrap returns what is behind a problem that the caller is not told of.
func (p *Problem) Unwrap() error { return p.cause }

func problem(status int, code promptrails.ErrorCode, format string, args ...any) *Problem {
	return &Problem{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (p *Problem) with(details map[string]any) *Problem {
	p.Details = details
	return p
}

// Invalid names the fields, parameters or headers that are wrong.
func Invalid(fields map[string]string) *Problem {
	p := problem(http.StatusBadRequest, promptrails.CodeValidation, "the request is not valid; see details.fields")
	return p.with(map[string]any{"fields": fields})
}

func invalid(field, fault string) *Problem { return Invalid(map[string]string{field: fault}) }

// BadRequest is a request in which no field can be named.
func BadRequest(format string, args ...any) *Problem {
	return problem(http.StatusBadRequest, promptrails.CodeBadRequest, format, args...)
}

// Unauthorized says that nobody knows who is calling.
func Unauthorized(format string, args ...any) *Problem {
	return problem(http.StatusUnauthorized, promptrails.CodeUnauthorized, format, args...)
}

// refused is the answer to a key that the policy refuses.
func refused(r *policy.Refusal) *Problem {
	return problem(r.Status, promptrails.ErrorCode(r.Code), "%s", r.Message)
}

// UnknownAPIKey is the answer to a key that this service never made.
func UnknownAPIKey() *Problem { return refused(policy.KeyUnknown) }

// NoRoute is the answer to a path that names nothing.
func NoRoute() *Problem {
	return problem(http.StatusNotFound, promptrails.CodeNotFound, "the path names nothing here")
}

// NotServed is the response to a part of the vendor's API that this service lacks.
func NotServed() *Problem {
	return problem(http.StatusNotFound, promptrails.CodeNotServed, "this is not served here: there is no model, tool or data source behind this service; its README says what is served")
}

// NoMethod is the answer to a method that a path does not take.
func NoMethod() *Problem {
	return problem(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not take that method; the Allow header names those that it does")
}

// TooLarge is a body of more than limit bytes.
func TooLarge(limit int) *Problem {
	return problem(http.StatusRequestEntityTooLarge, promptrails.CodePayloadTooLarge, "a body has at most %d bytes", limit)
}

// UnsupportedMediaType is a body that is no JSON, or is packed.
func UnsupportedMediaType(advice string) *Problem {
	return problem(http.StatusUnsupportedMediaType, promptrails.CodeUnsupportedMediaType, "%s", advice)
}

// notFound is the answer for what does not exist and for what is not the
// caller's: the two cannot be told apart.
func notFound(what string) *Problem {
	return problem(http.StatusNotFound, promptrails.CodeNotFound, "%s not found", what)
}

func forbidden(message string) *Problem {
	return problem(http.StatusForbidden, promptrails.CodeForbidden, "%s", message)
}

func insufficientRole(required, role promptrails.Role) *Problem {
	return problem(http.StatusForbidden, promptrails.CodeInsufficientRole, "your role does not allow this").
		with(map[string]any{"required": required, "role": role})
}

func insufficientScope(required promptrails.Scope, granted promptrails.Scopes) *Problem {
	return refused(policy.ScopeMissing).with(map[string]any{"required": required, "granted": granted})
}

func conflict(code promptrails.ErrorCode, format string, args ...any) *Problem {
	return problem(http.StatusConflict, code, format, args...)
}

// Unavailable is a fault of the service's own that will pass.
func Unavailable(cause error) *Problem {
	message := "the service cannot answer now; try again"
	if reason := store.Reason(cause); reason != "" {
		message = "the service cannot answer now: " + reason
	}
	p := problem(http.StatusServiceUnavailable, promptrails.CodeUnavailable, "%s", message)
	p.RetryAfter, p.cause = time.Second, cause
	return p
}

// AsProblem returns err as an answer. What is no problem of the caller's is an
// internal error, which tells nothing but is logged.
func AsProblem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, store.ErrBusy) {
		return Unavailable(err)
	}
	p := problem(http.StatusInternalServerError, promptrails.CodeInternal, "something went wrong here; the request id finds it in the log")
	p.cause = err
	return p
}

// missing turns a row that is not there into a 404.
func missing(err error, what string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(what)
	}
	return err
}
