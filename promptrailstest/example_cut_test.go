package promptrailstest_test

import (
	"context"
	"fmt"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// issue is the program under test. It creates an API key for a build.
func issue(ctx context.Context, client *promptrails.Client) (*promptrails.CreatedAPIKey, error) {
	return client.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Build", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead}})
}

// A response is lost: the client sends the request again, and the service creates the
// key only the first time.
func ExampleServer_CutNext() {
	t := newT() // your test has a *testing.T
	defer t.done()
	s := promptrailstest.New(t)

	s.CutNext(1)
	if _, err := issue(t.Context(), s.Client(promptrails.WithIdempotentServer())); err != nil {
		t.Fatal(err)
	}
	fmt.Println("requests:", len(s.Requests()))
	keys, err := s.Owner.APIKeys.List(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("keys:", len(keys.Items))
	// Output:
	// requests: 2
	// keys: 1
}
