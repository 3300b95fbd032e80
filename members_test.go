package promptrails_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestMembers(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada, grace := p.person("ada@example.com", "Ada"), p.person("grace@example.com", "Grace")
		in, w := newWorkspace(t, ada, "research")
		member := join(t, in, grace, "grace@example.com", promptrails.RoleUser)

		want := &promptrails.Member{
			ID: member.ID, WorkspaceID: w.ID, UserID: member.UserID, Email: "grace@example.com", Name: "Grace",
			Role: promptrails.RoleUser, Version: 1, JoinedAt: member.JoinedAt,
		}
		if diff := cmp.Diff(want, member); diff != "" {
			t.Errorf("Invitations.Accept (-want +got):\n%s", diff)
		}
		got, err := in.Members.Get(ctx, member.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(member, got); diff != "" {
			t.Errorf("Members.Get (-want +got):\n%s", diff)
		}
		self, err := grace.InWorkspace(w.ID).Members.Self(ctx)
		if err != nil || self.ID != member.ID || self.LastActiveAt.IsZero() || self.LastActiveAt.Second() != 0 {
			t.Errorf("Members.Self: got %+v and error %v, want member %s with LastActiveAt set to a whole minute", self, err, member.ID)
		}

		page, err := in.Members.List(ctx, &promptrails.ListMembersParams{Role: promptrails.RoleOwner})
		if err != nil || len(page.Items) != 1 || page.Items[0].Email != "ada@example.com" || page.Meta.Total != 1 {
			t.Errorf("Members.List of owners: got %+v and error %v, want only ada@example.com", page, err)
		}
		page, err = in.Members.List(ctx, &promptrails.ListMembersParams{Query: "gRaCe"})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != member.ID {
			t.Errorf("Members.List with Query gRaCe: got %+v and error %v, want only member %s", page, err, member.ID)
		}
		var all []string
		for m, err := range in.Members.All(ctx, nil) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m.Name)
		}
		if diff := cmp.Diff([]string{"Grace", "Ada"}, all); diff != "" {
			t.Errorf("Members.All, newest first (-want +got):\n%s", diff)
		}

		promoted, err := in.Members.UpdateRole(ctx, member.ID, promptrails.RoleAdmin, promptrails.WithIfMatch(1))
		if err != nil || promoted.Role != promptrails.RoleAdmin || promoted.Version != 2 {
			t.Errorf("Members.UpdateRole: got %+v and error %v, want an admin at version 2", promoted, err)
		}
		if _, err := in.Members.UpdateRole(ctx, member.ID, promptrails.RoleUser, promptrails.WithIfMatch(1)); !errors.Is(err, promptrails.ErrPreconditionFailed) {
			t.Errorf("Members.UpdateRole with an outdated version: got %v, want ErrPreconditionFailed", err)
		}
		if err := in.Members.Remove(ctx, member.ID, &promptrails.RemoveMemberParams{RevokeAPIKeys: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := grace.InWorkspace(w.ID).Members.Self(ctx); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Members.Self of a removed member: got %v, want ErrNotFound", err)
		}
	})
}

// TestRoles checks the table of roles in the API's documentation: which roles
// can change or remove which members.
func TestRoles(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		clients := map[string]*promptrails.Client{}
		members := map[string]string{}
		in, w := newWorkspace(t, p.person("owner@example.com", "owner"), "research")
		clients["owner"] = in
		self, err := in.Members.Self(ctx)
		if err != nil {
			t.Fatal(err)
		}
		members["owner"] = self.ID
		for _, user := range []struct {
			name string
			role promptrails.Role
		}{{"admin", promptrails.RoleAdmin}, {"admin2", promptrails.RoleAdmin}, {"user", promptrails.RoleUser}, {"user2", promptrails.RoleUser}} {
			client := p.person(user.name+"@example.com", user.name)
			members[user.name] = join(t, in, client, user.name+"@example.com", user.role).ID
			clients[user.name] = client.InWorkspace(w.ID)
		}
		role := func(actor, target string, to promptrails.Role) error {
			_, err := clients[actor].Members.UpdateRole(ctx, members[target], to)
			return err
		}
		remove := func(actor, target string) error { return clients[actor].Members.Remove(ctx, members[target], nil) }
		invite := func(actor string, as promptrails.Role) error {
			_, err := clients[actor].Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "new@example.com", Role: as})
			return err
		}
		for _, c := range []struct {
			name string
			err  error
			want promptrails.ErrorCode
		}{
			{"a user changes a user", role("user", "user2", promptrails.RoleAdmin), promptrails.CodeInsufficientRole},
			{"an admin changes an admin", role("admin", "admin2", promptrails.RoleUser), promptrails.CodeInsufficientRole},
			{"an admin changes the owner", role("admin", "owner", promptrails.RoleUser), promptrails.CodeForbidden},
			{"an admin changes themselves", role("admin", "admin", promptrails.RoleUser), promptrails.CodeForbidden},
			{"a user changes themselves", role("user", "user", promptrails.RoleAdmin), promptrails.CodeForbidden},
			{"the owner assigns the owner role", role("owner", "admin", promptrails.RoleOwner), promptrails.CodeForbidden},
			{"an unknown role", role("owner", "admin", "king"), promptrails.CodeValidation},
			{"an admin promotes a user to admin", role("admin", "user2", promptrails.RoleAdmin), ""},
			{"the owner demotes an admin", role("owner", "user2", promptrails.RoleUser), ""},
			{"a user removes a user", remove("user", "user2"), promptrails.CodeInsufficientRole},
			{"an admin removes the owner", remove("admin", "owner"), promptrails.CodeForbidden},
			{"the owner removes themselves", remove("owner", "owner"), promptrails.CodeOwnerRequired},
			{"a user invites", invite("user", promptrails.RoleUser), promptrails.CodeInsufficientRole},
			{"an admin removes an admin", remove("admin", "admin2"), ""},
			{"an admin invites an owner", invite("admin", promptrails.RoleOwner), promptrails.CodeValidation},
			{"an admin invites an admin", invite("admin", promptrails.RoleAdmin), ""},
			{"a user removes themselves", remove("user", "user"), ""},
			{"an admin deletes the workspace", clients["admin"].Workspaces.Delete(ctx, w.ID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: w.Slug}), promptrails.CodeInsufficientRole},
		} {
			t.Run(c.name, func(t *testing.T) {
				if got := codeOf(c.err); got != c.want {
					t.Errorf("got code %q (error %v), want %q", got, c.err, c.want)
				}
			})
		}
	})
}

// codeOf returns the API error code of err, or "" if err is nil.
func codeOf(err error) promptrails.ErrorCode {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*promptrails.Error](err); ok {
		return e.Code
	}
	return "no API error"
}
