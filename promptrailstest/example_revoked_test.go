package promptrailstest_test

import (
	"context"
	"errors"
	"fmt"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// countAgents is the program under test. It has an API key.
func countAgents(ctx context.Context, client *promptrails.Client) string {
	agents, err := client.Resources.List(ctx, promptrails.KindAgents, nil)
	if refused, ok := errors.AsType[*promptrails.Error](err); ok && refused.Code == promptrails.CodeAPIKeyRevoked {
		return "the key was revoked: ask an admin for another one"
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d agents", len(agents.Items))
}

// The key is revoked while the program runs.
func ExampleServer_NewKey() {
	t := newT() // your test has a *testing.T
	defer t.done()
	s := promptrailstest.New(t)
	client := s.Client(promptrails.WithAPIKey(s.NewKey(promptrails.ScopeAgentsRead).Reveal()))

	fmt.Println(countAgents(t.Context(), client))
	key, err := client.APIKeys.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	fmt.Println(countAgents(t.Context(), client))
	// Output:
	// 0 agents
	// the key was revoked: ask an admin for another one
}
