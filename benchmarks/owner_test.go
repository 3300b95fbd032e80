package benchmarks

import (
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// owner opens a service, which is closed at the end of the benchmark, and creates a
// workspace. It returns a client of the owner for the workspace.
func owner(b *testing.B, cfg embedded.Config) (*promptrails.Client, *promptrails.Workspace) {
	b.Helper()
	service, err := embedded.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Close() })
	user, err := service.CreateUser(b.Context(), "ada@example.com", "Ada")
	if err != nil {
		b.Fatal(err)
	}
	ada, err := service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		b.Fatal(err)
	}
	workspace, err := ada.Workspaces.Create(b.Context(), &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		b.Fatal(err)
	}
	return ada.InWorkspace(workspace.ID), workspace
}
