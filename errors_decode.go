package promptrails

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// What an error keeps of a response, in bytes.
const (
	maxMessage   = 512
	maxDetails   = 64 << 10
	maxErrorBody = 256 << 10
)

// errorBody is a response that is not 2xx: the API's own {"error": {…}} or
// {"error": "…"}, a router's {"message": "…"}, or what gateways send, RFC 9457
// included.
type errorBody struct {
	Error        jsontext.Value `json:"error"`
	Message      jsontext.Value `json:"message"`
	MessageUpper jsontext.Value `json:"Message"`
	Title        jsontext.Value `json:"title"`
	Detail       jsontext.Value `json:"detail"`
	Errors       jsontext.Value `json:"errors"`
	Description  jsontext.Value `json:"error_description"` // RFC 6749
}

type errorObject struct {
	Code    ErrorCode       `json:"code"`
	Message string          `json:"message"`
	Details json.RawMessage `json:"details"`
}

// decodeError fills in e from the body of a response, as far as it can be read.
// clean removes secrets from it first.
func (e *Error) decodeError(body []byte, clean func(string) string) {
	text := clean(string(body[:min(len(body), maxErrorBody)]))
	var outer errorBody
	if wire.Decode([]byte(text), &outer) != nil {
		e.Message = http.StatusText(e.Status)
		if e.Status == http.StatusNotModified {
			e.Message = "not modified"
		}
		if line := quote([]byte(text)); line != "" {
			e.Message += ": " + line
		}
		e.explainRedirect()
		return
	}
	e.json, e.enveloped = true, len(outer.Error) > 0 && outer.Error.Kind() != 'n'
	var inner errorObject
	switch kind := outer.Error.Kind(); {
	case kind == '{' && wire.Decode(outer.Error, &inner) == nil:
		e.Code, e.Message = ErrorCode(quote([]byte(inner.Code))), inner.Message
		if len(inner.Details) <= maxDetails {
			e.Details = inner.Details
		}
	case kind == '[':
		e.Message = string(outer.Error)
	default:
		e.Message = joinWords(words(outer.Error), words(outer.Description))
	}
	if e.Message == "" {
		e.Message = joinWords(words(outer.Message), words(outer.MessageUpper), words(outer.Title), words(outer.Detail), words(outer.Errors))
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.Status)
		if e.Code == "" && len(outer.Error) == 0 && text != "{}" {
			e.Message += ": " + text
		}
	}
	e.Message = quote([]byte(e.Message))
	e.explainRedirect()
}

// explainRedirect replaces the message of a redirect that was not followed.
func (e *Error) explainRedirect() {
	switch e.Status {
	case http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.Message = "the server redirects, and only a GET within its own scheme, host and port is followed; check the base URL"
	}
}

// words returns what a JSON value says to a person: a string as it is, of an
// object its message, and of a list what its items say.
func words(v jsontext.Value) string {
	var text string
	var items []jsontext.Value
	var o errorBody
	switch kind := v.Kind(); {
	case kind == '"' && wire.Decode(v, &text) == nil:
		return text
	case kind == '[' && wire.Decode(v, &items) == nil:
		said := make([]string, len(items))
		for i, item := range items {
			said[i] = words(item)
		}
		return joinWords(said...)
	case kind == '{' && wire.Decode(v, &o) == nil:
		if said := joinWords(words(o.Message), words(o.MessageUpper), words(o.Title), words(o.Detail)); said != "" {
			return said
		}
		return string(v)
	default:
		return ""
	}
}

func joinWords(said ...string) string {
	said = slices.DeleteFunc(said, func(s string) bool { return s == "" })
	return strings.Join(said, ": ")
}

// isAbout reports whether the API's message says that the object of an operation
// was not found, or names no object at all. A 404 also says that the workspace is
// unknown, or the route: a message with any other word is about something else.
func (e *Error) isAbout(op operation, ids []string) bool {
	said := strings.TrimRight(strings.ToLower(e.Message), ".")
	for _, place := range []string{" in this workspace", " in the workspace"} {
		said = strings.TrimSuffix(said, place)
	}
	said, ok := strings.CutSuffix(said, "not found")
	if !ok {
		return false
	}
	var last string // of the literal elements of the path
	for element := range strings.SplitSeq(op.path, "/") {
		if !strings.HasPrefix(element, "{") && element != "me" {
			last = element
		}
	}
	apart := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	noun := strings.FieldsFunc(last, apart)
	for i, word := range noun {
		if stem, ok := strings.CutSuffix(word, "ies"); ok {
			noun[i] = stem + "y"
		} else {
			noun[i] = strings.TrimSuffix(word, "s")
		}
	}
	for _, id := range ids {
		noun = append(noun, strings.FieldsFunc(strings.ToLower(id), apart)...)
	}
	for word := range strings.FieldsFuncSeq(said, apart) {
		if !slices.Contains(noun, word) && !slices.Contains([]string{"the", "this", "a", "no", "such", "with", "id", "was", "is", "could", "be"}, word) {
			return false
		}
	}
	return true
}

// typed returns the type of error for the code, with its details. If the details
// do not fit, it returns e.
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
