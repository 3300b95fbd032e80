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

// Limits on the parts of a response that an error contains, in bytes.
const (
	maxMessage   = 512
	maxDetails   = 64 << 10
	maxErrorBody = 256 << 10
)

// errorBody is the body of a response other than 2xx: {"error": {…}} or
// {"error": "…"} from the API, {"message": "…"} from a router, or the formats
// of gateways, including RFC 9457.
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

// decodeError sets the fields of e from the body of a response. It uses clean
// to remove secrets from the body first.
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

// explainRedirect sets the message for a redirect that was not followed.
func (e *Error) explainRedirect() {
	switch e.Status {
	case http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.Message = "redirect not followed: only a GET to the same scheme, host and port is redirected; check the base URL"
	}
}

// words returns the human-readable text in a JSON value: a string, the message
// of an object, or the texts of the items of an array.
func words(v jsontext.Value) string {
	var text string
	var items []jsontext.Value
	var o errorBody
	switch kind := v.Kind(); {
	case kind == '"' && wire.Decode(v, &text) == nil:
		return text
	case kind == '[' && wire.Decode(v, &items) == nil:
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = words(item)
		}
		return joinWords(texts...)
	case kind == '{' && wire.Decode(v, &o) == nil:
		if text := joinWords(words(o.Message), words(o.MessageUpper), words(o.Title), words(o.Detail)); text != "" {
			return text
		}
		return string(v)
	default:
		return ""
	}
}

func joinWords(texts ...string) string {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	return strings.Join(texts, ": ")
}

// isAbout reports whether the message of a 404 is about the object of op, or
// names no object. A 404 can also mean that the workspace or the route does not
// exist: isAbout reports false if the message contains any other word.
func (e *Error) isAbout(op operation, ids []string) bool {
	message := strings.TrimRight(strings.ToLower(e.Message), ".")
	for _, place := range []string{" in this workspace", " in the workspace"} {
		message = strings.TrimSuffix(message, place)
	}
	message, ok := strings.CutSuffix(message, "not found")
	if !ok {
		return false
	}
	var last string // the last literal element of the path
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
	for word := range strings.FieldsFuncSeq(message, apart) {
		if !slices.Contains(noun, word) && !slices.Contains([]string{"the", "this", "a", "no", "such", "with", "id", "was", "is", "could", "be"}, word) {
			return false
		}
	}
	return true
}

// typed returns the specific error for the code of e, with its details. It
// returns e if there is no specific type or the details are malformed.
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

// keys matches PromptRails keys and tokens.
var keys = regexp.MustCompile(`\b(pr|pat|inv|whsec)_[A-Za-z0-9_+/=-]{8,}`)

// quote returns text on one line, without control characters, truncated to
// maxMessage bytes.
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
