package main

import (
	"errors"
	"regexp"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

type workspacesView struct {
	Query string
	Items []*promptrails.Workspace
	Pager pager
}

// workspaces lists the workspaces of the person.
func (c *console) workspaces(v *visit) error {
	view := &workspacesView{Query: v.URL.Query().Get("q")}
	if !v.MayRead(promptrails.ScopeWorkspacesRead) { // a key, which knows only the id of its workspace
		view.Items = v.Workspaces
		return v.render("workspaces", "Workspaces", view)
	}
	list, err := v.client.Workspaces.List(v.Context(), &promptrails.ListWorkspacesParams{ListOptions: listOptions(v), Query: view.Query})
	if err != nil {
		return err
	}
	view.Items, view.Pager = list.Items, pages(v, "/workspaces", list)
	return v.render("workspaces", "Workspaces", view)
}

type newWorkspaceView struct {
	Name, Slug string
	Check      slugCheck
}

// slugCheck is what is known about a slug before the workspace is created.
type slugCheck struct {
	Text string // empty: not checked
	OK   bool
}

// newWorkspace shows the form for a workspace. With a slug in the query it also checks that.
func (c *console) newWorkspace(v *visit) error {
	view := &newWorkspaceView{Name: v.FormValue("name"), Slug: v.FormValue("slug")}
	if v.failed == nil && view.Slug != "" {
		view.Check = c.checkSlug(v, view.Slug)
	}
	return v.render("new-workspace", "Create workspace", view)
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// checkSlug checks the form of a slug, and whether a workspace of the person has it. The API
// only reports the slugs of other people's workspaces when a workspace is created.
func (c *console) checkSlug(v *visit, slug string) slugCheck {
	if !slugForm.MatchString(slug) || len(slug) > 63 {
		return slugCheck{Text: "Use 1 to 63 lowercase letters and digits, separated by single hyphens."}
	}
	switch w, err := v.client.Workspaces.Get(v.Context(), slug); {
	case err == nil:
		return slugCheck{Text: "Your workspace " + w.Name + " has this slug."}
	case errors.Is(err, promptrails.ErrNotFound):
		return slugCheck{Text: "The form is valid, and none of your workspaces has it.", OK: true}
	}
	return slugCheck{Text: "The slug could not be checked. Try again in a moment."}
}

func (c *console) createWorkspace(v *visit) (*next, error) {
	w, err := v.client.Workspaces.Create(v.Context(), &promptrails.CreateWorkspaceParams{Name: v.PostFormValue("name"), Slug: strings.TrimSpace(v.PostFormValue("slug"))}, v.once())
	if err != nil {
		return nil, err
	}
	return then("/workspaces/"+w.ID, "The workspace "+w.Name+" was created. You are its owner. Invite members next."), nil
}

func (c *console) acceptInvitation(v *visit) (*next, error) {
	member, err := v.client.Invitations.Accept(v.Context(), v.secret("token"), v.once())
	if err != nil {
		return nil, err
	}
	return then("/workspaces/"+member.WorkspaceID, "You joined the workspace with the role "+string(member.Role)+"."), nil
}

type overviewView struct {
	Usage   *promptrails.Usage
	Limits  []limitView
	Changes []*promptrails.ChangelogEntry
}

// overview shows how much of the plan is used, and the latest changes.
func (c *console) overview(v *visit) (err error) {
	view := &overviewView{}
	if v.MayRead(promptrails.ScopeBillingRead) {
		if view.Usage, err = v.client.Billing.Usage(v.Context()); optional(err) != nil {
			return err
		}
		if view.Usage != nil {
			view.Limits = c.forecast(v, view.Usage)
		}
	}
	if v.May(promptrails.ScopeChangelogRead) {
		list, err := v.client.Changelog.List(v.Context(), &promptrails.ListChangelogParams{ListOptions: promptrails.ListOptions{Limit: 6}})
		if optional(err) != nil {
			return err
		}
		if list != nil {
			view.Changes = list.Items
		}
	}
	return v.render("overview", v.Workspace.Name, view)
}

type settingsView struct {
	Members []*promptrails.Member // who can become the owner; for the owner only
	More    bool                  // there are further members
}

// settings shows the name of the workspace, and how to leave or delete it.
func (c *console) settings(v *visit) error {
	view := &settingsView{}
	if v.IsOwner() {
		list, err := v.client.Members.List(v.Context(), &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Limit: 100}})
		if err != nil {
			return err
		}
		view.More = hasMore(list)
		for _, m := range list.Items {
			if m.Role != promptrails.RoleOwner {
				view.Members = append(view.Members, m)
			}
		}
	}
	return v.render("settings", "Settings", view)
}

func (c *console) renameWorkspace(v *visit) (*next, error) {
	w, err := v.client.Workspaces.Update(v.Context(), v.Workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new(v.PostFormValue("name"))}, v.once(), v.version())
	if err != nil {
		return nil, err
	}
	return then(v.path("settings"), "The workspace is now named "+w.Name+"."), nil
}

func (c *console) transferWorkspace(v *visit) (*next, error) {
	member := v.PostFormValue("member")
	if member == "" {
		return nil, invalid("member", "must be a member of the workspace")
	}
	if _, err := v.client.Workspaces.TransferOwnership(v.Context(), v.Workspace.ID, member, v.once()); err != nil {
		return nil, err
	}
	return then(v.path("settings"), "The ownership was transferred. You are now an admin."), nil
}

func (c *console) leaveWorkspace(v *visit) (*next, error) {
	if err := v.client.Members.Leave(v.Context(), v.once()); err != nil {
		return nil, err
	}
	return then("/workspaces", "You left "+v.Workspace.Name+"."), nil
}

func (c *console) deleteWorkspace(v *visit) (*next, error) {
	confirm := strings.TrimSpace(v.PostFormValue("confirm_slug"))
	if err := v.client.Workspaces.Delete(v.Context(), v.Workspace.ID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: confirm}, v.once()); err != nil {
		return nil, err
	}
	return then("/workspaces", "The workspace "+v.Workspace.Name+" was deleted."), nil
}
