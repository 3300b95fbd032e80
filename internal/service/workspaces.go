package service

import (
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Me returns the caller.
func (x *Session) Me() (*promptrails.User, error) { return x.caller.User, nil }

// Workspaces returns a page of the caller's workspaces.
func (x *Session) Workspaces(p *promptrails.ListWorkspacesParams) (*Page[*promptrails.Workspace], error) {
	if p.Role != "" {
		if fault := roleFault(p.Role); fault != "" {
			return nil, invalid("role", fault)
		}
	}
	if x.key != nil {
		return x.ownWorkspace(p)
	}
	l, err := newListing("workspaces", x.caller.User.ID, p.ListOptions, p.Query, string(p.Role))
	if err != nil {
		return nil, err
	}
	rows, total, err := x.global.UserWorkspaces(x.caller.User.ID, string(p.Role), p.Query, l.store)
	if err != nil {
		return nil, err
	}
	return finish(l, rows, total, func(w *promptrails.Workspace) store.Position {
		return store.Position{At: w.CreatedAt.UnixMicro(), ID: w.ID}
	}), nil
}

// Workspace returns the workspace of the session.
func (x *Session) Workspace() (*promptrails.Workspace, error) {
	w, err := x.tx.Workspace()
	if err != nil {
		return nil, err
	}
	if x.member != nil {
		w.Role = x.member.Role
	}
	return w, nil
}

// ownWorkspace returns the list of workspaces for a key: its own workspace. The
// list is empty if the query filters by role, since keys have no role.
func (x *Session) ownWorkspace(p *promptrails.ListWorkspacesParams) (*Page[*promptrails.Workspace], error) {
	l, err := newListing("workspaces", x.workspaceID(), p.ListOptions, p.Query, string(p.Role))
	if err != nil {
		return nil, err
	}
	w, err := x.Workspace()
	if err != nil {
		return nil, err
	}
	rows := []*promptrails.Workspace{w}
	q := strings.ToLower(p.Query)
	if p.Role != "" || !strings.Contains(strings.ToLower(w.Name+"\n"+w.Slug), q) {
		rows = nil
	}
	total := len(rows)
	if l.store.Offset > 0 || l.store.After != nil {
		rows = nil
	}
	return finish(l, rows, total, func(w *promptrails.Workspace) store.Position {
		return store.Position{At: w.CreatedAt.UnixMicro(), ID: w.ID}
	}), nil
}

// CreateWorkspace creates a workspace with the caller as its owner.
func (x *Session) CreateWorkspace(p *promptrails.CreateWorkspaceParams) (*promptrails.Workspace, error) {
	bad := faults{}
	name := strings.TrimSpace(p.Name)
	bad.add("name", nameFault(name))
	bad.add("slug", slugFault(p.Slug))
	if err := bad.err(); err != nil {
		return nil, err
	}
	w := &promptrails.Workspace{
		ID: x.newID(), Name: name, Slug: p.Slug, Plan: x.service.DefaultPlan, OwnerID: x.caller.User.ID,
		Version: 1, CreatedAt: x.now, UpdatedAt: x.now,
	}
	tx, err := x.global.CreateWorkspace(w, changelog.Genesis(w.ID), x.now.Add(-slugsKept))
	if isExists(err) {
		return nil, conflict(promptrails.CodeSlugTaken, "the slug %s is in use, or was released less than 30 days ago; choose another", p.Slug)
	}
	if err != nil {
		return nil, err
	}
	if err := x.record(tx, promptrails.ActionCreated, workspaceRef(w), nil, workspaceFields(w)); err != nil {
		return nil, err
	}
	if x.member, err = x.join(tx, w.ID, x.caller.User, promptrails.RoleOwner); err != nil {
		return nil, err
	}
	x.tx = tx
	return x.Workspace()
}

// orElse returns err, or refusal if err is nil.
func orElse(err error, refusal *policy.Refusal) error {
	if err != nil {
		return err
	}
	return refusal
}

// UpdateWorkspace changes the workspace's name.
func (x *Session) UpdateWorkspace(p *promptrails.UpdateWorkspaceParams) (*promptrails.Workspace, error) {
	return x.changeWorkspace(func(w *promptrails.Workspace) error {
		if p.Name == nil {
			return nil
		}
		w.Name = strings.TrimSpace(*p.Name)
		if fault := nameFault(w.Name); fault != "" {
			return invalid("name", fault)
		}
		return nil
	})
}

// changeWorkspace applies a change to the workspace. If no field changes, the
// version stays the same and nothing is recorded.
func (x *Session) changeWorkspace(change func(*promptrails.Workspace) error) (*promptrails.Workspace, error) {
	w, err := x.Workspace()
	if err != nil {
		return nil, err
	}
	before := workspaceFields(w)
	was := *w
	if err := change(w); err != nil {
		return nil, err
	}
	if err := x.match(w.Version); err != nil {
		return nil, err
	}
	if *w == was {
		return w, nil
	}
	w.Version++
	w.UpdatedAt = x.now
	if err := x.tx.UpdateWorkspace(w); err != nil {
		return nil, err
	}
	return w, x.record(x.tx, promptrails.ActionUpdated, workspaceRef(w), before, workspaceFields(w))
}

// DeleteWorkspace deletes the workspace and its contents. Its slug stays
// reserved for 30 days.
func (x *Session) DeleteWorkspace(_ string, p *promptrails.DeleteWorkspaceParams) error {
	w, err := x.Workspace()
	if err != nil {
		return err
	}
	if p.ConfirmSlug != w.Slug {
		return invalid("confirm_slug", "must be the slug of the workspace")
	}
	if err := x.match(w.Version); err != nil {
		return err
	}
	x.endsRight = true
	return x.tx.DeleteWorkspace(w.Slug, x.now)
}

// TransferOwnership makes another member the owner and the current owner an
// admin.
func (x *Session) TransferOwnership(p *TransferOwnershipBody) (*promptrails.Workspace, error) {
	if p.MemberID == "" {
		return nil, invalid("member_id", "must not be empty")
	}
	next, err := x.tx.Member(p.MemberID)
	if err != nil {
		return nil, orNotFound(err, "member")
	}
	if next.ID == x.member.ID {
		return nil, conflict(promptrails.CodeInvalidState, "you already own the workspace").With(map[string]any{"status": next.Role})
	}
	w, err := x.changeWorkspace(func(w *promptrails.Workspace) error { w.OwnerID = next.UserID; return nil })
	if err != nil {
		return nil, err
	}
	// Demote first: the store allows only one owner.
	if err := x.setRole(x.member, promptrails.RoleAdmin); err != nil {
		return nil, err
	}
	if err := x.setRole(next, promptrails.RoleOwner); err != nil {
		return nil, err
	}
	w.Role = x.member.Role
	x.endsRight = true
	return w, nil
}

func workspaceRef(w *promptrails.Workspace) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceWorkspace), ID: w.ID, Name: w.Name}
}

func workspaceFields(w *promptrails.Workspace) map[string]any {
	return map[string]any{"name": w.Name, "slug": w.Slug, "plan": w.Plan, "owner_id": w.OwnerID}
}
