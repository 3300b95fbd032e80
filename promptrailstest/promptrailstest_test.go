package promptrailstest_test

import (
	"context"
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

// A person that NewMember returns is a member with the role.
func TestNewMember(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithPlan(promptrails.PlanEnterprise))
	if s.Workspace.Plan != promptrails.PlanEnterprise {
		t.Errorf("plan: got %s, want %s", s.Workspace.Plan, promptrails.PlanEnterprise)
	}
	for email, role := range map[string]promptrails.Role{"ada@example.com": promptrails.RoleAdmin, "grace@example.com": promptrails.RoleUser} {
		self, err := s.NewMember(email, role).Members.Self(t.Context())
		if err != nil || self.Email != email || self.Role != role || self.WorkspaceID != s.Workspace.ID {
			t.Errorf("Members.Self: got %+v and error %v, want %s with role %s in workspace %s", self, err, email, role, s.Workspace.ID)
		}
	}
}

// Client calls the server over HTTP, as the owner or with the key or token of the
// options.
func TestClient(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	if self, err := s.Client().Members.Self(t.Context()); err != nil || self.Role != promptrails.RoleOwner {
		t.Errorf("Members.Self: got %+v and error %v, want the owner", self, err)
	}
	key := s.NewKey(promptrails.ScopeMembersRead, promptrails.ScopeAPIKeysVerify)
	for name, opt := range map[string]promptrails.Option{
		"a key":             promptrails.WithAPIKey(key.Reveal()),
		"a source of a key": promptrails.WithAPIKeySource(func(context.Context) (promptrails.Secret, error) { return key, nil }),
	} {
		current, err := s.Client(opt).APIKeys.Current(t.Context())
		if err != nil || len(current.Scopes) != 2 || current.WorkspaceID != s.Workspace.ID || !current.ExpiresAt.IsZero() {
			t.Errorf("APIKeys.Current with %s: got %+v and error %v, want the key with two scopes and without expiry", name, current, err)
		}
	}
	s.NewMember("grace@example.com", promptrails.RoleUser)
	grace, err := s.Service.UserByEmail(t.Context(), "grace@example.com")
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Service.IssueAccessToken(t.Context(), grace.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if self, err := s.Client(promptrails.WithAccessToken(token.Token.Reveal())).Members.Self(t.Context()); err != nil || self.Role != promptrails.RoleUser {
		t.Errorf("Members.Self with a token: got %+v and error %v, want a user", self, err)
	}
	if got := len(s.Requests()); got != 4 {
		t.Errorf("requests over HTTP: got %d, want 4", got)
	}
}
