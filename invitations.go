package promptrails

import (
	"context"
	"iter"
	"time"
)

// InvitationsService invites people to a workspace by email address.
type InvitationsService struct{ client *Client }

var (
	opInvitationsList   = operation{"Invitations.List", "GET", "/invitations", ScopeMembersRead, 0}
	opInvitationsGet    = operation{"Invitations.Get", "GET", "/invitations/{id}", ScopeMembersRead, 0}
	opInvitationsCreate = operation{"Invitations.Create", "POST", "/invitations", ScopeMembersWrite, 0}
	opInvitationsResend = operation{"Invitations.Resend", "POST", "/invitations/{id}/resend", ScopeMembersWrite, 0}
	opInvitationsRevoke = operation{"Invitations.Revoke", "DELETE", "/invitations/{id}", ScopeMembersWrite, revokes}
	opInvitationsAccept = operation{"Invitations.Accept", "POST", "/invitations/accept", "", acrossWorkspaces | personOnly}
)

// List returns one page of invitations, newest first. It requires the
// members:read scope, or the admin role.
func (s *InvitationsService) List(ctx context.Context, params *ListInvitationsParams, opts ...RequestOption) (*Page[Invitation], error) {
	return list[Invitation](ctx, s.client, call{op: opInvitationsList, query: params, opts: opts})
}

// All returns an iterator over all invitations, newest first. It requires the
// members:read scope, or the admin role.
func (s *InvitationsService) All(ctx context.Context, params *ListInvitationsParams, opts ...RequestOption) iter.Seq2[*Invitation, error] {
	return all[Invitation](ctx, s.client, call{op: opInvitationsList, opts: opts}, params)
}

// Get returns an invitation without its token. It requires the members:read
// scope, or the admin role.
func (s *InvitationsService) Get(ctx context.Context, id string, opts ...RequestOption) (*Invitation, error) {
	return one[Invitation](ctx, s.client, call{op: opInvitationsGet, ids: []string{id}, opts: opts})
}

// Create invites an email address for 7 days. Only this response and that of
// Resend contain the Token with which the person accepts. It requires the
// members:write scope, or the admin role. If no seat is left, Create returns a
// [*QuotaError]. If the address belongs to a member or has a pending
// invitation, it returns [ErrConflict].
func (s *InvitationsService) Create(ctx context.Context, params *CreateInvitationParams, opts ...RequestOption) (*Invitation, error) {
	return one[Invitation](ctx, s.client, call{op: opInvitationsCreate, body: required(params), opts: opts})
}

// Resend issues a new Token, valid for 7 days, and invalidates the previous
// one. Only this response contains the token. It requires the members:write
// scope, or the admin role. An expired invitation occupies a seat again, so
// Resend returns a [*QuotaError] if no seat is left. If the invitation was
// accepted or revoked, it returns [ErrConflict].
func (s *InvitationsService) Resend(ctx context.Context, id string, opts ...RequestOption) (*Invitation, error) {
	return one[Invitation](ctx, s.client, call{op: opInvitationsResend, ids: []string{id}, opts: opts})
}

// Revoke revokes an invitation and invalidates its token. It requires the
// members:write scope, or the admin role. If the invitation is no longer
// pending, Revoke returns [ErrConflict].
func (s *InvitationsService) Revoke(ctx context.Context, id string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opInvitationsRevoke, ids: []string{id}, opts: opts})
}

// Accept makes the calling user a member of the workspace. The token must
// belong to an invitation to the user's address. It requires an access token. A
// token for another address is [ErrNotFound]; an expired or revoked token is
// [ErrGone].
func (s *InvitationsService) Accept(ctx context.Context, token Secret, opts ...RequestOption) (*Member, error) {
	return one[Member](ctx, s.client, call{op: opInvitationsAccept, body: &acceptInvitationBody{Token: token}, opts: opts})
}

// ListInvitationsParams filters a list of invitations.
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

// InvitationStatus is the state of an invitation. Servers may return other
// values.
type InvitationStatus string

// The states of an invitation. Accepted and revoked are final; an expired
// invitation can be sent again.
const (
	InvitationPending  InvitationStatus = "pending"
	InvitationAccepted InvitationStatus = "accepted"
	InvitationExpired  InvitationStatus = "expired"
	InvitationRevoked  InvitationStatus = "revoked"
)

// Invitation is an offer to join a workspace.
type Invitation struct {
	ID          string           `json:"id"`
	WorkspaceID string           `json:"workspace_id"`
	Email       string           `json:"email"`
	Role        Role             `json:"role"`
	Status      InvitationStatus `json:"status"`
	InvitedBy   string           `json:"invited_by"` // the user id of the inviter
	ExpiresAt   time.Time        `json:"expires_at"` // the invitation is expired from this time on
	Version     int64            `json:"version"`    // incremented by each change; see [WithIfMatch]
	CreatedAt   time.Time        `json:"created_at"`
	Token       Secret           `json:"token,omitzero"` // returned by Create and Resend only
}
