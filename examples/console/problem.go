package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// problem is an error for people: the reason, and how to continue.
type problem struct {
	Status    int
	Title     string
	Message   string
	Help      string            // what to do
	Fields    map[string]string // by the name of the field
	RequestID string            // for the people who operate the API
	Upgrade   bool              // a larger plan helps
	Changed   bool              // someone else has changed the object
	Unknown   bool              // it is not known whether the change was made, or will be
}

// The errors of this program, besides those of the API.
var (
	errNoPage      = errors.New("no such page")
	errCrossOrigin = errors.New("a form of another site")
	errTooLarge    = errors.New("form too large")
	errMalformed   = errors.New("malformed form")
	errNotSample   = errors.New("not a session of the sample data")
)

// describe returns the problem of an error.
func describe(err error) *problem {
	p := describeKind(err)
	if e, ok := errors.AsType[*promptrails.Error](err); ok {
		p.RequestID = e.RequestID
		describeCode(p, e)
	}
	if e, ok := errors.AsType[*promptrails.ValidationError](err); ok {
		p.Fields = map[string]string{}
		for name, reason := range e.Fields {
			p.Fields[name[strings.LastIndexByte(name, '.')+1:]] = reason // amount.amount is the field amount
		}
	}
	p.Unknown = p.Unknown || p.Status >= http.StatusInternalServerError
	if e, ok := errors.AsType[*promptrails.RateLimitError](err); ok && e.RetryAfter > 0 {
		p.Help = fmt.Sprintf("Try again in %s.", e.RetryAfter.Round(time.Second))
	}
	if e, ok := errors.AsType[*promptrails.QuotaError](err); ok {
		p.Message = fmt.Sprintf("The %s plan includes %d %s, and %d are in use.", e.Plan, e.Max, label(string(e.Limit)), e.Used)
		p.Help, p.Upgrade = "Remove one that is not needed, or change to a larger plan.", true
	}
	if e, ok := errors.AsType[*promptrails.FeatureError](err); ok {
		p.Message = fmt.Sprintf("The %s plan does not include %s.", e.Plan, label(string(e.Feature)))
		if len(e.AvailableIn) > 0 {
			p.Help, p.Upgrade = "Change to the plan "+join(e.AvailableIn, " or ")+".", true
		}
	}
	if e, ok := errors.AsType[*promptrails.RoleError](err); ok {
		p.Message = fmt.Sprintf("This needs the role %s, and yours is %s.", e.Required, e.Role)
		p.Help = "Ask an admin of the workspace."
	}
	if e, ok := errors.AsType[*promptrails.ScopeError](err); ok {
		p.Message = fmt.Sprintf("This needs the scope %s, which the API key lacks.", e.Required)
		p.Help = "Log in with another key, or as a person."
	}
	return p
}

// kinds are the problems by the kind of the error. The first that matches applies.
var kinds = []struct {
	err error
	problem
}{
	{errCrossOrigin, problem{Status: http.StatusForbidden, Title: "Not sent from this console", Message: "The form came from another site, and was refused.", Help: "Open the page in this console and send its form."}},
	{errNoPage, problem{Status: http.StatusNotFound, Title: "Page not found", Message: "The console has no page at this address."}},
	{errTooLarge, problem{Status: http.StatusRequestEntityTooLarge, Title: "Too large", Message: "The form is larger than the console accepts.", Help: "Go back, and enter less text."}},
	{errMalformed, problem{Status: http.StatusBadRequest, Title: "Not readable", Message: "The address or the form is malformed."}},
	{errNotSample, problem{Status: http.StatusForbidden, Title: "Not allowed", Message: "Only a session of the sample data can switch between people.", Help: "Log out, and log in as the other person."}},
	{errLoggedOut, problem{Status: http.StatusUnauthorized}}, // leads to the login
	{promptrails.ErrUnauthorized, problem{Status: http.StatusUnauthorized}},
	{promptrails.ErrValidation, problem{Status: http.StatusUnprocessableEntity, Title: "Not valid", Message: "Correct the values and send the form again."}},
	{promptrails.ErrForbidden, problem{Status: http.StatusForbidden, Title: "Not allowed", Message: "Your role does not permit this."}},
	{promptrails.ErrNotFound, problem{Status: http.StatusNotFound, Title: "Not found", Message: "It does not exist, or you are not a member of its workspace.", Help: "It may have been deleted since the page was shown."}},
	{promptrails.ErrPreconditionFailed, problem{Status: http.StatusConflict, Title: "Changed meanwhile", Changed: true, Message: "Someone else has changed it since this page was shown.", Help: "Compare the values, and send the form again to replace them."}},
	{promptrails.ErrQuotaExceeded, problem{Status: http.StatusPaymentRequired, Title: "Limit reached", Message: "A limit of the plan is reached."}},
	{promptrails.ErrRateLimited, problem{Status: http.StatusTooManyRequests, Title: "Too many requests", Message: "The API limits the rate of requests.", Help: "Wait a moment and try again."}},
	{promptrails.ErrConflict, problem{Status: http.StatusConflict, Title: "Not possible now", Message: "The state of the object does not permit this."}},
	{promptrails.ErrGone, problem{Status: http.StatusConflict, Title: "Not possible now", Message: "The state of the object does not permit this."}},
	{promptrails.ErrUnavailable, problem{Status: http.StatusServiceUnavailable, Title: "The API does not respond", Message: "It cannot be reached, or is too slow.", Help: "Try again in a moment."}},
	{promptrails.ErrServer, problem{Status: http.StatusBadGateway, Title: "The API failed", Message: "The API reports an internal error."}},
}

// describeKind returns the problem of an error by its kind.
func describeKind(err error) *problem {
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			return &kind.problem
		}
	}
	if _, ok := errors.AsType[*promptrails.Error](err); ok {
		return &problem{Status: http.StatusBadGateway, Title: "Unexpected response", Message: "The console cannot use the response of the API. Its log has the reason."}
	}
	return &problem{Status: http.StatusInternalServerError, Title: "Internal error", Message: "The console failed. Its log has the reason."}
}

// describeCode adds to a problem what the code and the details of the API report.
func describeCode(p *problem, e *promptrails.Error) {
	at := func(field, reason string) {
		p.Title, p.Message, p.Fields = "Not valid", "Correct the value and send the form again.", map[string]string{field: reason}
	}
	switch e.Code { //nolint:exhaustive // of the other codes, the status is enough
	case promptrails.CodeSlugTaken:
		at("slug", "is taken by another workspace, or was less than 30 days ago")
	case promptrails.CodeAlreadyMember:
		at("email", "belongs to a member of this workspace")
	case promptrails.CodeAlreadyInvited:
		at("email", "has a pending invitation; send that again instead")
	case promptrails.CodeOwnerRequired:
		p.Message, p.Help = "A workspace needs an owner.", "Transfer the ownership to another member first."
	case promptrails.CodeInUse:
		p.Message, p.Help = "Agents or data sources use it.", "Change these first, or confirm that it is deleted nevertheless."
	case promptrails.CodeOverLimit:
		p.Message, p.Help = "The plan includes less than is in use: "+join(exceeded(e.Details), ", ")+".", "Remove some of it, or choose a larger plan."
	case promptrails.CodeInvitationExpired, promptrails.CodeInvitationRevoked:
		p.Message, p.Help = sentence(e.Message), "Ask an admin of the workspace for a new invitation."
	case promptrails.CodeIdempotencyKeyReused:
		p.Message, p.Help = "This form was sent before, with other values.", "The first values apply. Open the page again for another change."
	case promptrails.CodeIdempotencyInProgress:
		p.Message, p.Unknown = "This form was sent before, and the API still works on it.", true
	case promptrails.CodeIdempotencyAnswerGone:
		p.Message, p.Help = "This form was sent before. The secret that it made is not shown again.", "Open the page again, and make a new one."
	case promptrails.CodeInvalidState, promptrails.CodeForbidden:
		p.Message = sentence(e.Message)
	}
}

// exceeded returns the limits that prevent a change of the plan.
func exceeded(details json.RawMessage) (limits []string) {
	var d struct {
		Limits []struct {
			Limit string `json:"limit"`
			Used  int64  `json:"used"`
			Max   int64  `json:"max"`
		} `json:"limits"`
	}
	_ = json.Unmarshal(details, &d)
	for _, l := range d.Limits {
		limits = append(limits, fmt.Sprintf("%s %d of %d", label(l.Limit), l.Used, l.Max))
	}
	return limits
}

// sentence makes a sentence of a message of the API.
func sentence(message string) string {
	if message == "" {
		return ""
	}
	return capital(message) + "."
}

// join joins names.
func join[S ~string](names []S, separator string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, separator)
}

// optional returns nil for the error of a part of the API that the server does not have, so
// that the page is shown without that part.
func optional(err error) error {
	if errors.Is(err, promptrails.ErrNotFound) {
		return nil
	}
	return err
}

// failure is the data of the page about an error.
type failure struct {
	*problem
	Back, BackText string
}

// explain returns the problem of an error, and logs an error that people cannot correct.
func (c *console) explain(r *http.Request, err error) *problem {
	p := describe(err)
	if p.Status == http.StatusInternalServerError || p.Status == http.StatusBadGateway {
		c.log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err)
	}
	return p
}

// fail writes the page about an error. A session that the API no longer accepts leads to
// the login, and from there back to the page. A form that cannot be shown again is sent again,
// with its key, if the browser loads the page again.
func (c *console) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	p := c.explain(r, err)
	unsent := r.Method == http.MethodPost && (v == nil || v.failed == nil)
	switch {
	case p.Status == http.StatusUnauthorized:
		_ = c.sessions.Destroy(r.Context())
		query := url.Values{"next": {returnPath(r)}}
		if !errors.Is(err, errLoggedOut) {
			query.Set("expired", "1")
		}
		if unsent {
			query.Set("unsent", "1")
		}
		http.Redirect(w, r, "/login?"+query.Encode(), http.StatusSeeOther)
		return
	case p.Unknown && r.Method == http.MethodPost:
		p.Help = "Load this page again in a moment, to send the same form again."
		if unsent {
			p.Message += " Nothing was changed."
		}
	case p.Status == http.StatusServiceUnavailable:
		p.Message = "The page could not be read."
		w.Header().Set("Retry-After", "10")
	}
	if v == nil {
		v = &visit{Request: r, w: w, c: c}
	}
	view := &failure{p, "/workspaces", "All workspaces"}
	if v.Workspace != nil {
		view.Back, view.BackText = v.path(), "Overview of the workspace"
	}
	c.write(w, r, p.Status, "failure", &shown{visit: v, Title: p.Title, Screen: "failure", View: view})
}

// returnPath returns the page to return to after a login: the page of the request, or that
// of the form.
func returnPath(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	parts := strings.Split(r.URL.EscapedPath(), "/")
	return strings.Join(parts[:min(4, len(parts))], "/")
}
