package promptrails_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// A transport and a source of tokens get the operation of the call.
func TestOperationFromContext(t *testing.T) {
	t.Parallel()
	var got []promptrails.Operation
	add := func(ctx context.Context) {
		op, ok := promptrails.OperationFromContext(ctx)
		if !ok {
			t.Error("OperationFromContext: got no operation, want one")
		}
		got = append(got, op)
	}
	transport := transportFunc(func(r *http.Request) (*http.Response, error) {
		add(r.Context())
		return nil, http.ErrUseLastResponse
	})
	client := must[*promptrails.Client](t)(promptrails.NewClient(
		promptrails.WithBaseURL("https://api.example.com"), promptrails.WithWorkspace("w"), promptrails.WithMaxRetries(0),
		promptrails.WithHTTPClient(&http.Client{Transport: transport}),
		promptrails.WithAccessTokenSource(func(ctx context.Context) (promptrails.Secret, error) {
			add(ctx)
			return promptrails.NewSecret(token), nil
		}),
	))
	_, _ = client.Members.Get(t.Context(), "m")
	_ = client.Do(t.Context(), "GET", "/agents?limit=5", nil, nil)
	get := promptrails.Operation{Name: "Members.Get", Method: "GET", Path: "/members/{id}", Scope: promptrails.ScopeMembersRead}
	do := promptrails.Operation{Name: "Do", Method: "GET", Path: "/agents"}
	if diff := cmp.Diff([]promptrails.Operation{get, get, do, do}, got); diff != "" {
		t.Errorf("operations in the source and the transport (-want +got):\n%s", diff)
	}
	if op, ok := promptrails.OperationFromContext(t.Context()); ok {
		t.Errorf("OperationFromContext of another context: got %v, want no operation", op)
	}
}
