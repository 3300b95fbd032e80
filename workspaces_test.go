package promptrails_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// newWorkspace creates a workspace and returns it with a client for it.
func newWorkspace(t *testing.T, c *promptrails.Client, slug string) (*promptrails.Client, *promptrails.Workspace) {
	t.Helper()
	w, err := c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "The " + slug, Slug: slug})
	if err != nil {
		t.Fatal(err)
	}
	return c.InWorkspace(w.ID), w
}

func TestWorkspaces(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada := p.person("ada@example.com", "Ada")
		me, err := ada.Me(ctx)
		if err != nil || me.Email != "ada@example.com" || me.Name != "Ada" {
			t.Fatalf("Me: got %+v and error %v, want Ada", me, err)
		}

		w, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "  Research  ", Slug: "research"})
		if err != nil {
			t.Fatal(err)
		}
		want := &promptrails.Workspace{
			ID: w.ID, Name: "Research", Slug: "research", Plan: promptrails.PlanStarter, Role: promptrails.RoleOwner,
			OwnerID: me.ID, MemberCount: 1, Version: 1, CreatedAt: w.CreatedAt, UpdatedAt: w.CreatedAt,
		}
		if diff := cmp.Diff(want, w); diff != "" || len(w.ID) != 27 || w.CreatedAt.IsZero() {
			t.Errorf("Workspaces.Create: got id %q and CreatedAt %s, want 27 bytes and a time (-want +got):\n%s", w.ID, w.CreatedAt, diff)
		}

		for _, id := range []string{w.ID, w.Slug} {
			got, err := ada.Workspaces.Get(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(w, got); diff != "" {
				t.Errorf("Workspaces.Get of %s (-want +got):\n%s", id, diff)
			}
		}

		var response promptrails.Response
		renamed, err := ada.Workspaces.Update(ctx, w.ID, &promptrails.UpdateWorkspaceParams{Name: new("Labor für Ähren")}, promptrails.WithResponse(&response))
		if err != nil {
			t.Fatal(err)
		}
		if renamed.Name != "Labor für Ähren" || renamed.Version != 2 || !renamed.UpdatedAt.After(w.UpdatedAt) || response.Header.Get("ETag") != `"2"` {
			t.Errorf("Workspaces.Update: got %+v and ETag %s, want the new name, a later UpdatedAt and version 2", renamed, response.Header.Get("ETag"))
		}
		same, err := ada.Workspaces.Update(ctx, w.ID, &promptrails.UpdateWorkspaceParams{})
		if err != nil || same.Version != 2 {
			t.Errorf("Workspaces.Update without changes: got %+v and error %v, want version 2", same, err)
		}

		if err := ada.Workspaces.Delete(ctx, w.ID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "other"}); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("Workspaces.Delete with another slug: got %v, want ErrValidation", err)
		}
		if err := ada.Workspaces.Delete(ctx, w.ID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "research"}); err != nil {
			t.Fatal(err)
		}
		if _, err := ada.Workspaces.Get(ctx, w.ID); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Workspaces.Get of a deleted workspace: got %v, want ErrNotFound", err)
		}
		_, err = ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Again", Slug: "research"})
		if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Code != promptrails.CodeSlugTaken || !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("Workspaces.Create with the slug of a deleted workspace: got %v, want ErrConflict with code slug_taken", err)
		}
	})
}

func TestWorkspacesList(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada := p.person("ada@example.com", "Ada")
		for _, slug := range []string{"one", "two", "three"} {
			newWorkspace(t, ada, slug)
		}
		page, err := ada.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{ListOptions: promptrails.ListOptions{Limit: 2}})
		if err != nil {
			t.Fatal(err)
		}
		want := promptrails.Meta{Total: 3, Page: 1, Limit: 2, Pages: 2, NextCursor: page.Meta.NextCursor}
		if diff := cmp.Diff(want, page.Meta); diff != "" || page.Meta.NextCursor == "" {
			t.Errorf("meta of page 1: got next cursor %q, want one (-want +got):\n%s", page.Meta.NextCursor, diff)
		}
		if got := []string{page.Items[0].Slug, page.Items[1].Slug}; got[0] != "three" || got[1] != "two" {
			t.Errorf("page 1: got %v, want [three two]", got)
		}
		second, err := ada.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{ListOptions: promptrails.ListOptions{Page: 2, Limit: 2}})
		if err != nil || len(second.Items) != 1 || second.Items[0].Slug != "one" || second.Meta.NextCursor != "" {
			t.Errorf("page 2: got %+v and error %v, want only one, without a next cursor", second, err)
		}

		var slugs []string
		params := &promptrails.ListWorkspacesParams{ListOptions: promptrails.ListOptions{Limit: 1}}
		for w, err := range ada.Workspaces.All(ctx, params, promptrails.WithPrefetch(0)) {
			if err != nil {
				t.Fatal(err)
			}
			slugs = append(slugs, w.Slug)
		}
		if diff := cmp.Diff([]string{"three", "two", "one"}, slugs); diff != "" {
			t.Errorf("Workspaces.All (-want +got):\n%s", diff)
		}
		found, err := ada.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{Query: "THE T", Role: promptrails.RoleOwner})
		if err != nil || len(found.Items) != 2 || found.Meta.Total != 2 {
			t.Errorf("Workspaces.List with Query THE T: got %+v and error %v, want two and three", found, err)
		}
	})
}

func TestTransferOwnership(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada, grace := p.person("ada@example.com", "Ada"), p.person("grace@example.com", "Grace")
		adaIn, w := newWorkspace(t, ada, "research")
		member := join(t, adaIn, grace, "grace@example.com", promptrails.RoleUser)

		transferred, err := ada.Workspaces.TransferOwnership(ctx, w.ID, member.ID)
		if err != nil {
			t.Fatal(err)
		}
		if transferred.OwnerID != member.UserID || transferred.Role != promptrails.RoleAdmin || transferred.MemberCount != 2 {
			t.Errorf("Workspaces.TransferOwnership: got %+v, want owner %s, role admin and 2 members", transferred, member.UserID)
		}
		self, err := grace.InWorkspace(w.ID).Members.Self(ctx)
		if err != nil || self.Role != promptrails.RoleOwner {
			t.Errorf("Members.Self of the new owner: got %+v and error %v, want role owner", self, err)
		}
		_, err = ada.Workspaces.TransferOwnership(ctx, w.ID, member.ID)
		if e, ok := errors.AsType[*promptrails.RoleError](err); !ok || e.Required != promptrails.RoleOwner || e.Role != promptrails.RoleAdmin {
			t.Errorf("Workspaces.TransferOwnership by the former owner: got %v, want a RoleError that requires owner", err)
		}
		if err := adaIn.Members.Leave(ctx); err != nil {
			t.Errorf("Members.Leave of the former owner: got %v, want no error", err)
		}
		err = grace.InWorkspace(w.ID).Members.Leave(ctx)
		if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Code != promptrails.CodeOwnerRequired {
			t.Errorf("Members.Leave of the owner: got %v, want code owner_required", err)
		}
	})
}

// join invites a user, accepts the invitation as that user, and returns the new
// member.
func join(t *testing.T, in, user *promptrails.Client, email string, role promptrails.Role) *promptrails.Member {
	t.Helper()
	i, err := in.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	m, err := user.Invitations.Accept(t.Context(), i.Token)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
