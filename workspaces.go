package promptrails

import (
	"context"
	"iter"
	"time"
)

// WorkspacesService manages workspaces. Every other object belongs to exactly
// one workspace.
type WorkspacesService struct{ client *Client }

var (
	opWorkspacesList     = operation{"Workspaces.List", "GET", "/workspaces", ScopeWorkspacesRead, acrossWorkspaces}
	opWorkspacesGet      = operation{"Workspaces.Get", "GET", "/workspaces/{id}", ScopeWorkspacesRead, acrossWorkspaces}
	opWorkspacesCreate   = operation{"Workspaces.Create", "POST", "/workspaces", "", acrossWorkspaces | personOnly}
	opWorkspacesUpdate   = operation{"Workspaces.Update", "PATCH", "/workspaces/{id}", ScopeWorkspacesWrite, acrossWorkspaces}
	opWorkspacesDelete   = operation{"Workspaces.Delete", "DELETE", "/workspaces/{id}", "", acrossWorkspaces | personOnly | changesKeys}
	opWorkspacesTransfer = operation{"Workspaces.TransferOwnership", "POST", "/workspaces/{id}/transfer", "", acrossWorkspaces | personOnly}
)

// List returns one page of the workspaces that the caller is a member of,
// newest first. For an API key, that is only its own workspace. It requires the
// workspaces:read scope.
func (s *WorkspacesService) List(ctx context.Context, params *ListWorkspacesParams, opts ...RequestOption) (*Page[Workspace], error) {
	return list[Workspace](ctx, s.client, call{op: opWorkspacesList, query: params, opts: opts})
}

// All returns an iterator over all workspaces that the caller is a member of,
// newest first. It requires the workspaces:read scope.
func (s *WorkspacesService) All(ctx context.Context, params *ListWorkspacesParams, opts ...RequestOption) iter.Seq2[*Workspace, error] {
	return all[Workspace](ctx, s.client, call{op: opWorkspacesList, opts: opts}, params)
}

// Get returns the workspace with that id or slug. It requires the
// workspaces:read scope, or the user role. A workspace that does not exist, or
// that the caller is not a member of, is [ErrNotFound].
func (s *WorkspacesService) Get(ctx context.Context, idOrSlug string, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesGet, ids: []string{idOrSlug}, opts: opts})
}

// Create creates a workspace owned by the caller. It requires an access token.
// If the slug is taken, or belonged to a workspace deleted less than 30 days
// ago, Create returns [ErrConflict] with the code [CodeSlugTaken].
func (s *WorkspacesService) Create(ctx context.Context, params *CreateWorkspaceParams, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesCreate, body: required(params), opts: opts})
}

// Update changes the workspace's name. The slug cannot be changed. It requires
// the workspaces:write scope, or the admin role.
func (s *WorkspacesService) Update(ctx context.Context, id string, params *UpdateWorkspaceParams, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// Delete deletes the workspace and all its objects immediately, for all
// members. It requires an access token with the owner role, and the workspace's
// slug as confirmation.
func (s *WorkspacesService) Delete(ctx context.Context, id string, params *DeleteWorkspaceParams, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opWorkspacesDelete, ids: []string{id}, query: params, opts: opts})
}

// TransferOwnership makes the member with id memberID the owner. The previous
// owner becomes an admin. It requires an access token with the owner role.
func (s *WorkspacesService) TransferOwnership(ctx context.Context, id, memberID string, opts ...RequestOption) (*Workspace, error) {
	return one[Workspace](ctx, s.client, call{op: opWorkspacesTransfer, ids: []string{id}, body: &transferOwnershipBody{MemberID: memberID}, opts: opts})
}

// ListWorkspacesParams filters a list of workspaces.
type ListWorkspacesParams struct {
	ListOptions
	Query string `url:"q,omitempty"`    // part of the name or slug, case-insensitive
	Role  Role   `url:"role,omitempty"` // the caller's role
}

// CreateWorkspaceParams describes a new workspace.
type CreateWorkspaceParams struct {
	Name string `json:"name"` // 1 to 100 characters
	// Slug is 1 to 63 lowercase letters and digits, separated by single
	// hyphens. It is unique across all workspaces and cannot be changed.
	Slug string `json:"slug"`
}

// UpdateWorkspaceParams changes a workspace. Nil fields are unchanged.
type UpdateWorkspaceParams struct {
	Name *string `json:"name,omitzero"` // 1 to 100 characters
}

// DeleteWorkspaceParams confirms the deletion of a workspace.
type DeleteWorkspaceParams struct {
	ConfirmSlug string `url:"confirm_slug,omitempty"` // the slug of the workspace
}

// transferOwnershipBody is the body of [WorkspacesService.TransferOwnership].
type transferOwnershipBody struct {
	MemberID string `json:"member_id"`
}

// Workspace is the container of all other objects.
type Workspace struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Slug        string    `json:"slug"`
	Plan        PlanID    `json:"plan"`
	Role        Role      `json:"role,omitzero"` // the calling user's role; empty for an API key
	OwnerID     string    `json:"owner_id"`      // the user id of the owner
	MemberCount int       `json:"member_count"`
	Version     int64     `json:"version"` // incremented by each change; see [WithIfMatch]
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}
