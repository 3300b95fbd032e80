package promptrails

import (
	"context"
	"iter"
	"time"
)

// WorkspacesService creates and administers workspaces. A workspace is the
// top-level container: everything else belongs to exactly one.
type WorkspacesService struct{ client *Client }

var (
	opWorkspacesList     = operation{"Workspaces.List", "GET", "/workspaces", ScopeWorkspacesRead, acrossWorkspaces}
	opWorkspacesGet      = operation{"Workspaces.Get", "GET", "/workspaces/{id}", ScopeWorkspacesRead, acrossWorkspaces}
	opWorkspacesCreate   = operation{"Workspaces.Create", "POST", "/workspaces", "", acrossWorkspaces | personOnly}
	opWorkspacesUpdate   = operation{"Workspaces.Update", "PATCH", "/workspaces/{id}", ScopeWorkspacesWrite, acrossWorkspaces}
	opWorkspacesDelete   = operation{"Workspaces.Delete", "DELETE", "/workspaces/{id}", "", acrossWorkspaces | personOnly | changesKeys}
	opWorkspacesTransfer = operation{"Workspaces.TransferOwnership", "POST", "/workspaces/{id}/transfer", "", acrossWorkspaces | personOnly}
)

// List returns one page of the workspaces that the caller is a member of, the
// newest first. An API key sees its own workspace alone. It needs the scope
// workspaces:read.
func (s *WorkspacesService) List(ctx context.Context, params *ListWorkspacesParams, opts ...RequestOption) (*Page[Workspace], error) {
	return list[Workspace](ctx, s.client, call{op: opWorkspacesList, query: params, opts: opts})
}

// All returns every workspace that the caller is a member of, the newest
// first. It needs the scope workspaces:read.
func (s *WorkspacesService) All(ctx context.Context, params *ListWorkspacesParams, opts ...RequestOption) iter.Seq2[*Workspace, error] {
	return all[Workspace](ctx, s.client, call{op: opWorkspacesList, opts: opts}, params)
}

// Get returns the workspace with that id or slug. It needs the scope
// workspaces:read. A workspace that the caller is not a member of is
// [ErrNotFound], like one that does not exist.
func (s *WorkspacesService) Get(ctx context.Context, idOrSlug string, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesGet, ids: []string{idOrSlug}, opts: opts})
}

// Create makes a workspace that the caller owns. It needs an access token. A
// slug that is taken, or was within the 30 days since its workspace was
// deleted, is [ErrConflict] with the code [CodeSlugTaken].
func (s *WorkspacesService) Create(ctx context.Context, params *CreateWorkspaceParams, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesCreate, body: required(params), opts: opts})
}

// Update changes the workspace's name; its slug never changes. It needs the
// scope workspaces:write, or the role admin.
func (s *WorkspacesService) Update(ctx context.Context, id string, params *UpdateWorkspaceParams, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// Delete deletes the workspace and all that is in it, at once and for
// everyone. It needs the access token of the owner, and the workspace's slug
// as confirmation.
func (s *WorkspacesService) Delete(ctx context.Context, id string, params *DeleteWorkspaceParams, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opWorkspacesDelete, ids: []string{id}, query: params, opts: opts})
}

// TransferOwnership makes the member with that id the owner; the owner until
// then becomes an admin. It needs the access token of the owner.
func (s *WorkspacesService) TransferOwnership(ctx context.Context, id, memberID string, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesTransfer, ids: []string{id}, body: &transferOwnershipBody{MemberID: memberID}, opts: opts})
}

// ListWorkspacesParams narrows a list of workspaces.
type ListWorkspacesParams struct {
	ListOptions
	Query string `url:"q,omitempty"`    // in the name or slug, whatever the case
	Role  Role   `url:"role,omitempty"` // the caller's role
}

// CreateWorkspaceParams describes a new workspace.
type CreateWorkspaceParams struct {
	Name string `json:"name"` // 1 to 100 characters
	// Slug is 1 to 63 lower-case letters and digits, with single hyphens
	// between them; it is unique over the platform and never changes.
	Slug string `json:"slug"`
}

// UpdateWorkspaceParams changes a workspace; nil leaves a field as it is.
type UpdateWorkspaceParams struct {
	Name *string `json:"name,omitzero"` // 1 to 100 characters
}

// DeleteWorkspaceParams confirms that a workspace is to be deleted.
type DeleteWorkspaceParams struct {
	ConfirmSlug string `url:"confirm_slug,omitempty"` // the slug of the workspace
}

// transferOwnershipBody is the body of [WorkspacesService.TransferOwnership].
type transferOwnershipBody struct {
	MemberID string `json:"member_id"`
}

// Workspace is the top-level container of everything else.
type Workspace struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Slug        string    `json:"slug"`
	Plan        PlanID    `json:"plan"`
	Role        Role      `json:"role,omitzero"` // the calling person's; empty for an API key
	OwnerID     string    `json:"owner_id"`      // the user id of the owner
	MemberCount int       `json:"member_count"`
	Version     int64     `json:"version"` // counted up by each change; see [WithIfMatch]
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}
