package api

import (
	"net/http"
	"net/url"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/service"
)

// refusal fails the test for an error that a caller's own fault must not be.
func refusal(t *testing.T, err error) {
	t.Helper()
	if p := service.AsRefusal(err); err != nil && (p.Status != http.StatusBadRequest || p.Message == "") {
		t.Errorf("a fault of the caller's is %v", err)
	}
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{`{"email":"a@b.c","role":"user"}`, `{`, `null`, `{"email":7}`, `{"a":{"b":[]}}`, `{"email":"a","email":"b"}`, "{\"email\":\"\xff\"}", `{}{}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		refusal(t, decodeBody(body, new(promptrails.CreateInvitationParams)))
		refusal(t, decodeBody(body, new(service.AcceptInvitationBody)))
		refusal(t, decodeBody(body, new(promptrails.UpdateWorkspaceParams)))
	})
}

func FuzzQuery(f *testing.F) {
	for _, query := range []string{"limit=5&page=2", "after=abc", "since=2026-01-02T03:04:05Z", "limit=x", "%zz", "q=%00", "limit=1&limit=2", "resource_type.x=1", "ListOptions.Page=1"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var p promptrails.ListChangelogParams
		err := decodeQuery(query, &p)
		refusal(t, err)
		if values, parseErr := url.ParseQuery(query); err == nil && parseErr == nil && len(values["resource_id"]) == 1 && p.ResourceID != values.Get("resource_id") {
			t.Errorf("resource_id of %q is %q", query, p.ResourceID)
		}
	})
}
