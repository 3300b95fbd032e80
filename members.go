package promptrails

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// MembersService manages the members of a workspace.
type MembersService struct{ client *Client }

var (
	opMembersList   = operation{"Members.List", "GET", "/members", ScopeMembersRead, 0}
	opMembersGet    = operation{"Members.Get", "GET", "/members/{id}", ScopeMembersRead, 0}
	opMembersSelf   = operation{"Members.Self", "GET", "/members/me", "", personOnly}
	opMembersUpdate = operation{"Members.UpdateRole", "PATCH", "/members/{id}", ScopeMembersWrite, changesKeys}
	opMembersRemove = operation{"Members.Remove", "DELETE", "/members/{id}", ScopeMembersWrite, changesKeys}
	opMembersLeave  = operation{"Members.Leave", "DELETE", "/members/me", "", personOnly}
)

// List returns one page of members, newest first. It requires the members:read
// scope, or the user role.
func (s *MembersService) List(ctx context.Context, params *ListMembersParams, opts ...RequestOption) (*Page[Member], error) {
	return list[Member](ctx, s.client, call{op: opMembersList, query: params, opts: opts})
}

// All returns an iterator over all members, newest first. It requires the
// members:read scope, or the user role.
func (s *MembersService) All(ctx context.Context, params *ListMembersParams, opts ...RequestOption) iter.Seq2[*Member, error] {
	return all[Member](ctx, s.client, call{op: opMembersList, opts: opts}, params)
}

// Get returns a member. It requires the members:read scope, or the user role.
func (s *MembersService) Get(ctx context.Context, id string, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opMembersGet, ids: []string{id}, opts: opts})
}

// Self returns the calling user's own membership. It requires an access token.
func (s *MembersService) Self(ctx context.Context, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opMembersSelf, opts: opts})
}

// UpdateRole changes a member's role. It requires the members:write scope, or
// the admin role. The member's current role must be lower than the caller's,
// and the new role must not be higher. Changing one's own role, or assigning
// the owner role, is [ErrForbidden]; see [WorkspacesService.TransferOwnership].
func (s *MembersService) UpdateRole(ctx context.Context, id string, role Role, opts ...RequestOption) (*Member, error) {
	return s.Update(ctx, id, &UpdateMemberParams{Role: &role}, opts...)
}

// Update changes a member's role like [MembersService.UpdateRole]. If
// RevokeAPIKeys is set, it also revokes the API keys that the member created;
// otherwise the keys retain their scopes regardless of the new role. It
// requires the members:write scope, or the admin role.
func (s *MembersService) Update(ctx context.Context, id string, params *UpdateMemberParams, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opMembersUpdate, ids: []string{id}, query: revokeQuery(params != nil && params.RevokeAPIKeys), body: required(params), opts: opts})
}

// revokeQuery returns the query parameter that revokes the API keys created by
// a member.
func revokeQuery(revoke bool) url.Values {
	if !revoke {
		return nil
	}
	return url.Values{"api_keys": {"revoke"}}
}

// Remove removes a member; params may be nil. It requires the members:write
// scope, or the admin role. The owner cannot be removed: Remove returns
// [ErrForbidden], or [ErrConflict] with the code [CodeOwnerRequired] if the
// owner is the caller.
func (s *MembersService) Remove(ctx context.Context, id string, params *RemoveMemberParams, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opMembersRemove, ids: []string{id}, query: revokeQuery(params != nil && params.RevokeAPIKeys), opts: opts})
}

// Leave removes the calling user from the workspace. It requires an access
// token. The owner cannot leave: Leave returns [ErrConflict] with the code
// [CodeOwnerRequired].
func (s *MembersService) Leave(ctx context.Context, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opMembersLeave, opts: opts})
}

// ListMembersParams filters a list of members.
type ListMembersParams struct {
	ListOptions
	Role  Role   `url:"role,omitempty"`
	Query string `url:"q,omitempty"` // part of the name or address, case-insensitive
}

// UpdateMemberParams changes a member. Nil fields are unchanged.
type UpdateMemberParams struct {
	Role          *Role `json:"role,omitzero"`
	RevokeAPIKeys bool  `json:"-"` // also revoke the API keys that the member created
}

// RemoveMemberParams controls the removal of a member.
type RemoveMemberParams struct {
	RevokeAPIKeys bool // also revoke the API keys that the member created
}

// Role is a member's set of permissions. [RoleOwner] includes [RoleAdmin],
// which includes [RoleUser]. Servers may return other values.
type Role string

// The roles of a workspace. Exactly one member is the owner.
const (
	RoleOwner Role = "owner"
	RoleAdmin Role = "admin"
	RoleUser  Role = "user"
)

// Member is a user's membership in a workspace.
type Member struct {
	ID           string    `json:"id"`
	WorkspaceID  string    `json:"workspace_id"`
	UserID       string    `json:"user_id"`
	Email        string    `json:"email"`
	Name         string    `json:"name"`
	Role         Role      `json:"role"`
	LastActiveAt time.Time `json:"last_active_at"` // to the minute; zero: never
	Version      int64     `json:"version"`        // incremented by each change; see [WithIfMatch]
	JoinedAt     time.Time `json:"joined_at"`
}
