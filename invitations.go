package promptrails

import (
	"context"
	"iter"
	"time"
)

// InvitationsService invites people into a workspace by their address.
type InvitationsService struct{ client *Client }

var (
	opInvitationsList   = operation{"Invitations.List", "GET", "/invitations", ScopeMembersRead, 0}
	opInvitationsGet    = operation{"Invitations.Get", "GET", "/invitations/{id}", ScopeMembersRead, 0}
	opInvitationsCreate = operation{"Invitations.Create", "POST", "/invitations", ScopeMembersWrite, 0}
	opInvitationsResend = operation{"Invitations.Resend", "POST", "/invitations/{id}/resend", ScopeMembersWrite, 0}
	opInvitationsRevoke = operation{"Invitations.Revoke", "DELETE", "/invitations/{id}", ScopeMembersWrite, revokes}
	opInvitationsAccept = operation{"Invitations.Accept", "POST", "/invitations/accept", "", acrossWorkspaces | personOnly}
)

// List returns one page of the invitations, the newest first. It needs the
// scope members:read, or the role admin.
func (s *InvitationsService) List(ctx context.Context, params *ListInvitationsParams, opts ...RequestOption) (*Page[Invitation], error) {
	return list[Invitation](ctx, s.client, call{op: opInvitationsList, query: params, opts: opts})
}

// All returns every invitation, the newest first. It needs the scope
// members:read, or the role admin.
func (s *InvitationsService) All(ctx context.Context, params *ListInvitationsParams, opts ...RequestOption) iter.Seq2[*Invitation, error] {
	return all[Invitation](ctx, s.client, call{op: opInvitationsList, opts: opts}, params)
}

// Get returns one invitation, without its token. It needs the scope
// members:read, or the role admin.
func (s *InvitationsService) Get(ctx context.Context, id string, opts ...RequestOption) (*Invitation, error) {
	return one[Invitation](ctx, s.client, call{op: opInvitationsGet, ids: []string{id}, opts: opts})
}

// Create invites an address, for 7 days; the answer alone holds the Token that
// the person accepts with. It needs the scope members:write, or the role admin.
// No seat left is a [*QuotaError]; an address that is a member or invited
// already is [ErrConflict].
func (s *InvitationsService) Create(ctx context.Context, params *CreateInvitationParams, opts ...RequestOption) (*Invitation, error) {
	return one[Invitation](ctx, s.client, call{op: opInvitationsCreate, body: required(params), opts: opts})
}

// Resend makes a new Token for 7 more days, in the answer alone; the earlier
// token ends. It needs the scope members:write, or the role admin. For an
// invitation that has expired it takes a seat again, so that it may be a
// [*QuotaError]; one that is accepted or revoked is [ErrConflict].
func (s *InvitationsService) Resend(ctx context.Context, id string, opts ...RequestOption) (*Invitation, error) {
	return one[Invitation](ctx, s.client, call{op: opInvitationsResend, ids: []string{id}, opts: opts})
}

// Revoke ends an invitation, and its token with it. It needs the scope
// members:write, or the role admin. One that is over is [ErrConflict].
func (s *InvitationsService) Revoke(ctx context.Context, id string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opInvitationsRevoke, ids: []string{id}, opts: opts})
}

// Accept makes the calling person a member by the token of an invitation to
// their address. It needs an access token. A token for another address is
// [ErrNotFound], one that has expired or was revoked [ErrGone].
func (s *InvitationsService) Accept(ctx context.Context, token Secret, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opInvitationsAccept, body: &acceptInvitationBody{Token: token}, opts: opts})
}

// ListInvitationsParams narrows a list of invitations.
type ListInvitationsParams struct {
	ListOptions
	Status InvitationStatus `url:"status,omitempty"`
}

// CreateInvitationParams describes a new invitation.
type CreateInvitationParams struct {
	Email string `json:"email"`
	Role  Role   `json:"role"` // RoleAdmin or RoleUser
}

// acceptInvitationBody is the body of [InvitationsService.Accept].
type acceptInvitationBody struct {
	Token Secret `json:"token"`
}

// InvitationStatus is the state of an invitation. The type is open.
type InvitationStatus string

// The states of an invitation; all but the first are final, save that an
// expired one can be sent again.
const (
	InvitationPending  InvitationStatus = "pending"
	InvitationAccepted InvitationStatus = "accepted"
	InvitationExpired  InvitationStatus = "expired"
	InvitationRevoked  InvitationStatus = "revoked"
)

// Invitation asks a person into a workspace.
type Invitation struct {
	ID          string           `json:"id"`
	WorkspaceID string           `json:"workspace_id"`
	Email       string           `json:"email"`
	Role        Role             `json:"role"`
	Status      InvitationStatus `json:"status"`
	InvitedBy   string           `json:"invited_by"` // the user id of who invited
	ExpiresAt   time.Time        `json:"expires_at"` // at this moment it is expired
	Version     int64            `json:"version"`    // counted up by each change; see [WithIfMatch]
	CreatedAt   time.Time        `json:"created_at"`
	Token       Secret           `json:"token,omitzero"` // after Create and Resend alone
}
