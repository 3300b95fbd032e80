package promptrails

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sentinel errors, for use with [errors.Is].
var (
	ErrUnauthorized       = errors.New("promptrails: unauthorized")           // 401
	ErrForbidden          = errors.New("promptrails: forbidden")              // 403
	ErrNotFound           = errors.New("promptrails: not found")              // 404
	ErrConflict           = errors.New("promptrails: conflict")               // 409
	ErrGone               = errors.New("promptrails: gone")                   // 410
	ErrPreconditionFailed = errors.New("promptrails: precondition failed")    // 412
	ErrQuotaExceeded      = errors.New("promptrails: quota exceeded")         // 402
	ErrRateLimited        = errors.New("promptrails: rate limited")           // 429
	ErrValidation         = errors.New("promptrails: invalid request")        // 400, 413, 415, 422, and requests that were invalid before they were sent
	ErrServer             = errors.New("promptrails: server error")           // 5xx
	ErrUnavailable        = errors.New("promptrails: service is unavailable") // 502, 503, 504, and no response
)

// ErrorCode is the code of an API error. Servers may send codes that this
// version does not know.
type ErrorCode string

// The codes of the API.
const (
	CodeValidation            ErrorCode = "validation_error"
	CodeBadRequest            ErrorCode = "bad_request" // like CodeValidation, without a field name
	CodeUnauthorized          ErrorCode = "unauthorized"
	CodeInvalidAPIKey         ErrorCode = "invalid_api_key"
	CodeAPIKeyExpired         ErrorCode = "api_key_expired"
	CodeAPIKeyRevoked         ErrorCode = "api_key_revoked"
	CodeQuotaExceeded         ErrorCode = "quota_exceeded"
	CodeInsufficientScope     ErrorCode = "insufficient_scope"
	CodeForbidden             ErrorCode = "forbidden"
	CodeUserTokenRequired     ErrorCode = "user_token_required"
	CodeInsufficientRole      ErrorCode = "insufficient_role"
	CodeIPNotAllowed          ErrorCode = "ip_not_allowed"
	CodeOriginNotAllowed      ErrorCode = "origin_not_allowed"
	CodeFeatureNotInPlan      ErrorCode = "feature_not_in_plan"
	CodeNotFound              ErrorCode = "not_found"
	CodeNotServed             ErrorCode = "not_served" // the embedded service does not implement this part of the API
	CodeInvalidState          ErrorCode = "invalid_state"
	CodeSlugTaken             ErrorCode = "slug_taken"
	CodeAlreadyMember         ErrorCode = "already_member"
	CodeAlreadyInvited        ErrorCode = "already_invited"
	CodeInUse                 ErrorCode = "in_use"
	CodeOverLimit             ErrorCode = "over_limit"
	CodeOwnerRequired         ErrorCode = "owner_required"
	CodeIdempotencyKeyReused  ErrorCode = "idempotency_key_reused"
	CodeIdempotencyInProgress ErrorCode = "idempotency_in_progress"
	CodeIdempotencyAnswerGone ErrorCode = "idempotency_answer_gone"
	CodeInvitationExpired     ErrorCode = "invitation_expired"
	CodeInvitationRevoked     ErrorCode = "invitation_revoked"
	CodeMethodNotAllowed      ErrorCode = "method_not_allowed"
	CodePreconditionFailed    ErrorCode = "precondition_failed"
	CodePayloadTooLarge       ErrorCode = "payload_too_large"
	CodeUnsupportedMediaType  ErrorCode = "unsupported_media_type"
	CodeUnprocessable         ErrorCode = "unprocessable"
	CodeRateLimited           ErrorCode = "rate_limited"
	CodeInternal              ErrorCode = "internal_error"
	CodeUnavailable           ErrorCode = "unavailable"
)

// Error is the error of a failed call. The call received a status other than
// 2xx, an unexpected response, or no response. Without a response, Status is 0.
// Unwrap returns the underlying error, if any. The message reports whether the call
// may have made the change. More specific error types wrap an Error.
type Error struct {
	Status    int       // 0 without a response
	Code      ErrorCode // empty if the server sent no code
	Message   string
	RequestID string
	Operation string          // method and path template: GET /members/{id}
	Details   json.RawMessage // as sent by the server, or nil
	Attempts  int             // number of attempts to send the request

	cause      error
	retryAfter time.Duration // set by an [Authenticator] that cannot verify a key
	json       bool          // the response was JSON
	enveloped  bool          // the response had the API's envelope, with a member error
	garbled    bool          // an unexpected 2xx response
}

// Error formats e like "promptrails: GET /members/{id}: 404 not_found: member
// not found (request 3MV…)". Empty parts are omitted.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("promptrails")
	if e.Operation != "" {
		b.WriteString(": " + e.Operation)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d", e.Status)
	}
	if e.Code != "" {
		if e.Status == 0 {
			b.WriteString(":")
		}
		b.WriteString(" " + string(e.Code))
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	var about []string
	if e.RequestID != "" {
		about = append(about, "request "+e.RequestID)
	}
	if e.Attempts > 1 {
		about = append(about, fmt.Sprintf("%d attempts", e.Attempts))
	}
	if len(about) > 0 {
		b.WriteString(" (" + strings.Join(about, ", ") + ")")
	}
	return b.String()
}

// Is reports whether e matches target, one of the sentinel errors, by status or
// code.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized || e.Code == CodeUnauthorized
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrGone:
		return e.Status == http.StatusGone
	case ErrPreconditionFailed:
		return e.Status == http.StatusPreconditionFailed
	case ErrQuotaExceeded:
		return e.Status == http.StatusPaymentRequired
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	case ErrValidation:
		return slices.Contains([]int{400, 413, 415, 422}, e.Status)
	case ErrServer:
		return e.Status >= 500
	case ErrUnavailable:
		return e.Code == CodeUnavailable || slices.Contains([]int{502, 503, 504}, e.Status)
	default:
		return false
	}
}

// Unwrap returns the reason why there was no response, or nil.
func (e *Error) Unwrap() error { return e.cause }

// LogValue implements [slog.LogValuer].
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", e.Operation),
		slog.Int("status", e.Status),
		slog.String("code", string(e.Code)),
		slog.String("message", e.Message),
		slog.String("request_id", e.RequestID),
		slog.Int("attempts", e.Attempts),
	)
}

// ScopeError is returned when the API key lacks a scope. It matches
// [ErrForbidden].
type ScopeError struct {
	Required Scope
	Granted  Scopes
	err      *Error // nil if the request was not sent

	method, path string // of the request that was not sent
}

func (e *ScopeError) Error() string {
	who, err := "the API key", e.err
	switch {
	case e.method != "":
		err = &Error{Operation: operation{method: e.method, path: e.path}.String(), Message: "request not sent"}
	case err != nil && strings.HasPrefix(err.Message, who):
		who = "it" // the server's message begins with "the API key"
	}
	return explain(err, fmt.Sprintf("%s requires the scope %s; it has %v", who, e.Required, e.Granted), string(e.Required))
}

// Is reports whether target is [ErrForbidden].
func (e *ScopeError) Is(target error) bool { return target == ErrForbidden }

// Unwrap returns the wrapped [*Error], or nil if the request was not sent.
func (e *ScopeError) Unwrap() error { return wrapped(e.err) }

// RoleError is returned when the caller's role does not permit the call. It
// matches [ErrForbidden].
type RoleError struct {
	Required Role
	Role     Role // the caller's
	err      *Error
}

func (e *RoleError) Error() string {
	return explain(e.err, fmt.Sprintf("the required role is %s; the caller's is %s", e.Required, e.Role), string(e.Required))
}

// Is reports whether target is [ErrForbidden].
func (e *RoleError) Is(target error) bool { return target == ErrForbidden }

// Unwrap returns the wrapped [*Error].
func (e *RoleError) Unwrap() error { return wrapped(e.err) }

// QuotaError is returned when a limit of the plan is reached. It matches
// [ErrQuotaExceeded].
type QuotaError struct {
	Limit     LimitKey
	Max, Used int64
	Plan      PlanID
	err       *Error
}

func (e *QuotaError) Error() string {
	return explain(e.err, fmt.Sprintf("%s: %d of %d used on the plan %s", e.Limit, e.Used, e.Max, e.Plan), string(e.Plan), strconv.FormatInt(e.Max, 10))
}

// Is reports whether target is [ErrQuotaExceeded].
func (e *QuotaError) Is(target error) bool { return target == ErrQuotaExceeded }

// Unwrap returns the wrapped [*Error].
func (e *QuotaError) Unwrap() error { return wrapped(e.err) }

// FeatureError is returned when the plan lacks a feature. AvailableIn lists the
// plans that have it. It matches [ErrForbidden].
type FeatureError struct {
	Feature     Feature
	Plan        PlanID
	AvailableIn []PlanID
	err         *Error
}

func (e *FeatureError) Error() string {
	known := fmt.Sprintf("available in %v", e.AvailableIn)
	if e.err == nil || !strings.Contains(e.err.Message, string(e.Feature)) {
		known = fmt.Sprintf("%s is not in the plan %s; %s", e.Feature, e.Plan, known)
	}
	return explain(e.err, known)
}

// Is reports whether target is [ErrForbidden].
func (e *FeatureError) Is(target error) bool { return target == ErrForbidden }

// Unwrap returns the wrapped [*Error].
func (e *FeatureError) Unwrap() error { return wrapped(e.err) }

// ValidationError reports invalid fields. It matches [ErrValidation]. If the
// request was not sent, it wraps no [*Error].
type ValidationError struct {
	Fields map[string]string // problem by name of the field, parameter or header
	err    *Error
}

func (e *ValidationError) Error() string {
	problems := make([]string, 0, len(e.Fields))
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		problems = append(problems, field+" "+e.Fields[field])
	}
	return explain(e.err, strings.Join(problems, "; "), slices.Collect(maps.Values(e.Fields))...)
}

// Is reports whether target is [ErrValidation].
func (e *ValidationError) Is(target error) bool { return target == ErrValidation }

// Unwrap returns the wrapped [*Error], or nil if the request was not sent.
func (e *ValidationError) Unwrap() error { return wrapped(e.err) }

// RateLimitError is returned when the server limits the rate of requests. It
// matches [ErrRateLimited].
type RateLimitError struct {
	RetryAfter time.Duration // how long to wait; 0 if the server did not specify it
	err        *Error
}

func (e *RateLimitError) Error() string {
	if e.RetryAfter == 0 {
		return explain(e.err, "wait before you try again")
	}
	return explain(e.err, fmt.Sprintf("try again in %s", e.RetryAfter))
}

// Is reports whether target is [ErrRateLimited].
func (e *RateLimitError) Is(target error) bool { return target == ErrRateLimited }

// Unwrap returns the wrapped [*Error].
func (e *RateLimitError) Unwrap() error { return wrapped(e.err) }

// explain appends known to the text of err, unless the message of err contains
// all of facts.
func explain(err *Error, known string, facts ...string) string {
	known = quote([]byte(known)) // it may contain text from the server
	said := func(fact string) bool { return strings.Contains(err.Message, fact) }
	switch {
	case err == nil:
		return "promptrails: " + known
	case known == "", len(facts) > 0 && !slices.ContainsFunc(facts, func(fact string) bool { return !said(fact) }):
		return err.Error()
	default:
		return err.Error() + ": " + known
	}
}

// wrapped returns err as an error. It returns the nil interface for a nil
// *Error.
func wrapped(err *Error) error {
	if err == nil {
		return nil
	}
	return err
}

// invalid returns the error for an invalid argument.
func invalid(field, problem string) *ValidationError {
	return &ValidationError{Fields: map[string]string{field: problem}}
}
