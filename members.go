package promptrails

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// MembersService administers the people of a workspace.
type MembersService struct{ client *Client }

var (
	opMembersList   = operation{"Members.List", "GET", "/members", ScopeMembersRead, 0}
	opMembersGet    = operation{"Members.Get", "GET", "/members/{id}", ScopeMembersRead, 0}
	opMembersSelf   = operation{"Members.Self", "GET", "/members/me", "", personOnly}
	opMembersUpdate = operation{"Members.UpdateRole", "PATCH", "/members/{id}", ScopeMembersWrite, changesKeys}
	opMembersRemove = operation{"Members.Remove", "DELETE", "/members/{id}", ScopeMembersWrite, changesKeys}
	opMembersLeave  = operation{"Members.Leave", "DELETE", "/members/me", "", personOnly}
)

// List returns one page of the members, the newest first. It needs the scope
// members:read.
func (s *MembersService) List(ctx context.Context, params *ListMembersParams, opts ...RequestOption) (*Page[Member], error) {
	return list[Member](ctx, s.client, call{op: opMembersList, query: params, opts: opts})
}

// All returns every member, the newest first. It needs the scope members:read.
func (s *MembersService) All(ctx context.Context, params *ListMembersParams, opts ...RequestOption) iter.Seq2[*Member, error] {
	return all[Member](ctx, s.client, call{op: opMembersList, opts: opts}, params)
}

// Get returns one member. It needs the scope members:read.
func (s *MembersService) Get(ctx context.Context, id string, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opMembersGet, ids: []string{id}, opts: opts})
}

// Self returns the calling person's own membership. It needs an access token.
func (s *MembersService) Self(ctx context.Context, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opMembersSelf, opts: opts})
}

// UpdateRole changes a member's role. It needs the scope members:write, or the
// role admin; the member's role must be below the caller's, and the new one not
// above it. A caller's own role and the role owner are [ErrForbidden]: see
// [WorkspacesService.TransferOwnership].
func (s *MembersService) UpdateRole(ctx context.Context, id string, role Role, opts ...RequestOption) (*Member, error) {
	return s.Update(ctx, id, &UpdateMemberParams{Role: &role}, opts...)
}

// Update changes a member's role like [MembersService.UpdateRole], and can revoke
// the API keys that the member made: they keep their scopes otherwise, whatever
// the new role is. It needs the scope members:write, or the role admin.
func (s *MembersService) Update(ctx context.Context, id string, params *UpdateMemberParams, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opMembersUpdate, ids: []string{id}, query: revokeQuery(params != nil && params.RevokeAPIKeys), body: required(params), opts: opts})
}

// revokeQuery is the query that revokes the keys that a member made.
func revokeQuery(revoke bool) url.Values {
	if !revoke {
		return nil
	}
	return url.Values{"api_keys": {"revoke"}}
}

// Remove removes a member; params may be nil. It needs the scope members:write,
// or the role admin. An owner cannot be removed: [ErrForbidden], or
// [ErrConflict] with the code [CodeOwnerRequired] where it is the caller.
func (s *MembersService) Remove(ctx context.Context, id string, params *RemoveMemberParams, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opMembersRemove, ids: []string{id}, query: revokeQuery(params != nil && params.RevokeAPIKeys), opts: opts})
}

// Leave ends the calling person's own membership. It needs an access token. An
// owner cannot leave: [ErrConflict] with the code [CodeOwnerRequired].
func (s *MembersService) Leave(ctx context.Context, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opMembersLeave, opts: opts})
}

// ListMembersParams narrows a list of members.
type ListMembersParams struct {
	ListOptions
	Role  Role   `url:"role,omitempty"`
	Query string `url:"q,omitempty"` // in the name or address, whatever the case
}

// UpdateMemberParams changes a member; nil leaves a field as it is.
type UpdateMemberParams struct {
	Role          *Role `json:"role,omitzero"`
	RevokeAPIKeys bool  `json:"-"` // also revoke the API keys that the member made
}

// RemoveMemberParams says what goes with a member.
type RemoveMemberParams struct {
	RevokeAPIKeys bool // also revoke the API keys that the member made
}

// Role is what a member may do: [RoleOwner] more than [RoleAdmin] more than
// [RoleUser]. The type is open.
type Role string

// The roles of a workspace. Exactly one member is the owner.
const (
	RoleOwner Role = "owner"
	RoleAdmin Role = "admin"
	RoleUser  Role = "user"
)

// Member is a person's membership of one workspace.
type Member struct {
	ID           string    `json:"id"`
	WorkspaceID  string    `json:"workspace_id"`
	UserID       string    `json:"user_id"`
	Email        string    `json:"email"`
	Name         string    `json:"name"`
	Role         Role      `json:"role"`
	LastActiveAt time.Time `json:"last_active_at"` // to the minute; zero: never
	Version      int64     `json:"version"`        // counted up by each change; see [WithIfMatch]
	JoinedAt     time.Time `json:"joined_at"`
}
