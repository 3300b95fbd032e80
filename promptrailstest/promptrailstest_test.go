package promptrailstest_test

import (
	"errors"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// New starts a service with an owner and a workspace, and NewUser adds users.
func TestNew(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	self, err := s.Owner.Members.Self(t.Context())
	if err != nil || self.Role != promptrails.RoleOwner || self.WorkspaceID != s.Workspace.ID {
		t.Fatalf("Members.Self: got %+v, %v, want the owner of workspace %s", self, err, s.Workspace.ID)
	}
	grace := s.NewUser("grace@example.com")
	if _, err := grace.InWorkspace(s.Workspace.ID).Members.Self(t.Context()); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("Members.Self of a new user: got %v, want ErrNotFound", err)
	}
	invitation, err := s.Owner.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grace.Invitations.Accept(t.Context(), invitation.Token); err != nil {
		t.Errorf("Invitations.Accept: got %v, want no error", err)
	}

	user, err := s.Service.CreateUser(t.Context(), "joan@example.com", "Joan")
	if err != nil {
		t.Fatal(err)
	}
	overNetwork, err := promptrails.NewClient(promptrails.WithBaseURL(s.URL), promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if me, err := overNetwork.Me(t.Context()); err != nil || me.Name != "Joan" {
		t.Errorf("Me over the network: got %+v, %v, want the user Joan", me, err)
	}
}

func TestWithConfig(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) { c.DefaultPlan = promptrails.PlanFree }))
	if s.Workspace.Plan != promptrails.PlanFree {
		t.Errorf("plan: got %s, want %s", s.Workspace.Plan, promptrails.PlanFree)
	}
}
