package promptrails

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// What an error keeps of an answer, in bytes.
const (
	maxMessage = 512
	maxDetails = 64 << 10
)

// errorBody is what a server sends with a status that is not 2xx: its own
// {"error": {…}} or {"error": "…"}, or a router's {"message": "…"}.
type errorBody struct {
	Error   json.RawMessage `json:"error"`
	Message string          `json:"message"`
}

type errorObject struct {
	Code    ErrorCode       `json:"code"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details"`
}

// decodeError fills in e from the body of an answer, as far as it can be read.
func (e *Error) decodeError(body []byte) {
	var outer errorBody
	if wire.Decode(body, &outer) != nil {
		e.Message = http.StatusText(e.Status)
		if text := quote(body); text != "" {
			e.Message += ": " + text
		}
		return
	}
	var inner errorObject
	if wire.Decode(outer.Error, &inner) != nil {
		// The contract allows a bare string; a list is quoted as it came.
		if wire.Decode(outer.Error, &inner.Message) != nil {
			inner.Message = quote(outer.Error)
		}
	}
	e.Code, e.Message = ErrorCode(quote([]byte(inner.Code))), inner.Message
	if len(inner.Details) <= maxDetails {
		e.Details = inner.Details
	}
	if e.Message == "" {
		e.Message = outer.Message
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.Status)
	}
	e.Message = quote([]byte(e.Message))
}

// typed returns the kind of error that the code stands for, with what its
// details say. Details that do not fit leave the plain error.
func (e *Error) typed(retryAfter retryAfter) error {
	switch {
	case e.Status == http.StatusTooManyRequests:
		return &RateLimitError{RetryAfter: retryAfter.wait, err: e}
	case e.Code == CodeInsufficientScope:
		var d struct {
			Required Scope  `json:"required"`
			Granted  Scopes `json:"granted"`
		}
		if wire.Decode(e.Details, &d) == nil {
			return &ScopeError{Required: d.Required, Granted: d.Granted, err: e}
		}
	case e.Code == CodeInsufficientRole:
		var d struct {
			Required Role `json:"required"`
			Role     Role `json:"role"`
		}
		if wire.Decode(e.Details, &d) == nil {
			return &RoleError{Required: d.Required, Role: d.Role, err: e}
		}
	case e.Code == CodeQuotaExceeded:
		var d struct {
			Limit LimitKey `json:"limit"`
			Max   int64    `json:"max"`
			Used  int64    `json:"used"`
			Plan  PlanID   `json:"plan"`
		}
		if wire.Decode(e.Details, &d) == nil {
			return &QuotaError{Limit: d.Limit, Max: d.Max, Used: d.Used, Plan: d.Plan, err: e}
		}
	case e.Code == CodeFeatureNotInPlan:
		var d struct {
			Feature     Feature  `json:"feature"`
			Plan        PlanID   `json:"plan"`
			AvailableIn []PlanID `json:"available_in"`
		}
		if wire.Decode(e.Details, &d) == nil {
			return &FeatureError{Feature: d.Feature, Plan: d.Plan, AvailableIn: d.AvailableIn, err: e}
		}
	case e.Code == CodeValidation, e.Code == CodeBadRequest && e.Status == http.StatusBadRequest:
		var d struct {
			Fields map[string]string `json:"fields"`
		}
		if len(e.Details) == 0 || wire.Decode(e.Details, &d) == nil {
			return &ValidationError{Fields: d.Fields, err: e}
		}
	}
	return e
}

// keys matches what looks like a key or token of PromptRails.
var keys = regexp.MustCompile(`\b(pr|pat|inv|whsec)_[A-Za-z0-9_+/=-]{8,}`)

// withoutSecrets takes the call's own secrets, and what looks like one, out of
// the parts of an error that a server wrote.
func (e *Error) withoutSecrets(secrets []string) {
	clean := func(s string) string {
		for _, secret := range secrets {
			if len(secret) > 3 {
				s = strings.ReplaceAll(s, secret, wire.Redacted)
			}
		}
		return keys.ReplaceAllString(s, wire.Redacted)
	}
	e.Message, e.Code, e.RequestID = clean(e.Message), ErrorCode(clean(string(e.Code))), clean(e.RequestID)
	if len(e.Details) > 0 {
		e.Details = json.RawMessage(clean(string(e.Details)))
	}
}

// quote returns the beginning of text on one line, without control characters.
func quote(text []byte) string {
	cut := len(text) > maxMessage
	if cut {
		text = text[:maxMessage]
		for len(text) > 0 && !utf8.RuneStart(text[len(text)-1]) {
			text = text[:len(text)-1]
		}
	}
	line := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r), r == utf8.RuneError:
			return '\ufffd'
		default:
			return r
		}
	}, string(text))
	line = strings.TrimSpace(line)
	if cut {
		line += "…"
	}
	return line
}
