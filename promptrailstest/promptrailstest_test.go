package promptrailstest_test

import (
	"errors"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

func TestNew(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	self, err := s.Owner.Members.Self(t.Context())
	if err != nil || self.Role != promptrails.RoleOwner || self.WorkspaceID != s.Workspace.ID {
		t.Fatalf("%+v, %v", self, err)
	}
	grace := s.NewUser("grace@example.com")
	if _, err := grace.InWorkspace(s.Workspace.ID).Members.Self(t.Context()); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("a new person sees the workspace: %v", err)
	}
	invitation, err := s.Owner.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grace.Invitations.Accept(t.Context(), invitation.Token); err != nil {
		t.Error(err)
	}

	user, err := s.Service.CreateUser(t.Context(), "joan@example.com", "Joan")
	if err != nil {
		t.Fatal(err)
	}
	overAPort, err := promptrails.NewClient(promptrails.WithBaseURL(s.URL), promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if me, err := overAPort.Me(t.Context()); err != nil || me.Name != "Joan" {
		t.Errorf("over a port: %+v, %v", me, err)
	}
}

func TestWithConfig(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) { c.DefaultPlan = promptrails.PlanFree }))
	if s.Workspace.Plan != promptrails.PlanFree {
		t.Errorf("the plan is %s", s.Workspace.Plan)
	}
}
