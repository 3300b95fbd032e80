package benchmarks

import (
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// owner opens a service for the benchmark, and returns a client of the owner of a
// workspace.
func owner(b *testing.B, cfg embedded.Config) (*promptrails.Client, *promptrails.Workspace) {
	b.Helper()
	service, err := embedded.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Close() })
	return ownerOf(b, service)
}

// ownerOf returns a client of the owner of a new workspace in a service.
func ownerOf(b *testing.B, service *embedded.Service) (*promptrails.Client, *promptrails.Workspace) {
	b.Helper()
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
