package api

import (
	"net/http"
	"net/url"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/service"
)

// checkRefusal fails the test unless err is nil or a refusal with status 400 and a
// message.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if p := service.AsRefusal(err); err != nil && (p.Status != http.StatusBadRequest || p.Message == "") {
		t.Errorf("error for invalid input: got %v, want a refusal with status 400 and a message", err)
	}
}

// An invalid body never causes an internal error.
func FuzzBody(f *testing.F) {
	for _, body := range []string{`{"email":"a@b.c","role":"user"}`, `{`, `null`, `{"email":7}`, `{"a":{"b":[]}}`, `{"email":"a","email":"b"}`, "{\"email\":\"\xff\"}", `{}{}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkRefusal(t, decodeBody(body, new(promptrails.CreateInvitationParams)))
		checkRefusal(t, decodeBody(body, new(service.AcceptInvitationBody)))
		checkRefusal(t, decodeBody(body, new(promptrails.UpdateWorkspaceParams)))
	})
}

// An invalid query never causes an internal error.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"limit=5&page=2", "after=abc", "since=2026-01-02T03:04:05Z", "limit=x", "%zz", "q=%00", "limit=1&limit=2", "resource_type.x=1", "ListOptions.Page=1"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var p promptrails.ListChangelogParams
		err := decodeQuery(query, &p)
		checkRefusal(t, err)
		if values, parseErr := url.ParseQuery(query); err == nil && parseErr == nil && len(values["resource_id"]) == 1 && p.ResourceID != values.Get("resource_id") {
			t.Errorf("resource_id of %q: got %q, want %q", query, p.ResourceID, values.Get("resource_id"))
		}
	})
}
