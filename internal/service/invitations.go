package service

import (
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// invitationLasts is the time after which an invitation expires.
const invitationLasts = 7 * 24 * time.Hour

// Invitations returns a page of the workspace's invitations.
func (x *Session) Invitations(p *promptrails.ListInvitationsParams) (*Page[*promptrails.Invitation], error) {
	switch p.Status {
	case "", promptrails.InvitationPending, promptrails.InvitationAccepted, promptrails.InvitationExpired, promptrails.InvitationRevoked:
	default:
		return nil, invalid("status", "must be pending, accepted, expired or revoked")
	}
	l, err := newListing("invitations", x.workspaceID(), p.ListOptions, string(p.Status))
	if err != nil {
		return nil, err
	}
	rows, total, err := x.tx.Invitations(p.Status, x.now, l.store)
	if err != nil {
		return nil, err
	}
	return finish(l, rows, total, func(i *promptrails.Invitation) store.Position {
		return store.Position{At: i.CreatedAt.UnixMicro(), ID: i.ID}
	}), nil
}

// Invitation returns one invitation, without its token.
func (x *Session) Invitation(id string) (*promptrails.Invitation, error) {
	i, err := x.tx.Invitation(id, x.now)
	return i, orNotFound(err, "invitation")
}

// CreateInvitation invites an email address.
func (x *Session) CreateInvitation(p *promptrails.CreateInvitationParams) (*promptrails.Invitation, error) {
	bad := faults{}
	bad.add("email", emailFault(p.Email))
	if p.Role != promptrails.RoleAdmin && p.Role != promptrails.RoleUser {
		bad.add("role", "must be admin or user")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if err := x.takeSeat(); err != nil {
		return nil, err
	}
	if err := x.mayInvite(p.Email); err != nil {
		return nil, err
	}
	i := &promptrails.Invitation{
		ID: x.newID(), WorkspaceID: x.workspaceID(), Email: p.Email, Role: p.Role, Status: promptrails.InvitationPending,
		InvitedBy: x.userID(), ExpiresAt: x.now.Add(invitationLasts), Version: 1, CreatedAt: x.now,
		Token: newToken(invitationPrefix),
	}
	if err := x.tx.CreateInvitation(i, hash(i.Token)); err != nil {
		return nil, err
	}
	return i, x.record(x.tx, promptrails.ActionCreated, invitationRef(i), nil, invitationFields(i))
}

// takeSeat returns an error if the plan has no seat left. Members and pending
// invitations occupy seats.
func (x *Session) takeSeat() error {
	w, err := x.tx.Workspace()
	if err != nil {
		return err
	}
	pending, err := x.tx.PendingInvitations("", x.now)
	if err != nil {
		return err
	}
	return x.takePlace(promptrails.LimitTeamMembers, int64(w.MemberCount)+pending, "seats; remove a member, revoke an invitation or change the plan")
}

// mayInvite returns an error if the address belongs to a member or has a
// pending invitation.
func (x *Session) mayInvite(email string) error {
	member, err := x.tx.IsMember(email)
	if err != nil {
		return err
	}
	if member {
		return conflict(promptrails.CodeAlreadyMember, "%s is already a member", email)
	}
	pending, err := x.tx.PendingInvitations(email, x.now)
	if err != nil {
		return err
	}
	if pending > 0 {
		return conflict(promptrails.CodeAlreadyInvited, "%s is already invited; resend that invitation instead", email)
	}
	return nil
}

// ResendInvitation replaces the token and restarts the expiry.
func (x *Session) ResendInvitation(id string) (*promptrails.Invitation, error) {
	i, err := x.Invitation(id)
	if err != nil {
		return nil, err
	}
	if i.Status == promptrails.InvitationExpired {
		if err := x.takeSeat(); err != nil {
			return nil, err
		}
		if err := x.mayInvite(i.Email); err != nil {
			return nil, err
		}
	} else if i.Status != promptrails.InvitationPending {
		return nil, over(i)
	}
	if err := x.match(i.Version); err != nil {
		return nil, err
	}
	before := invitationFields(i)
	i.Status, i.ExpiresAt = promptrails.InvitationPending, x.now.Add(invitationLasts)
	i.Token = newToken(invitationPrefix)
	if err := x.tx.SetInvitationToken(i.ID, hash(i.Token)); err != nil {
		return nil, err
	}
	return i, x.updateInvitation(i, before)
}

// RevokeInvitation revokes a pending invitation.
func (x *Session) RevokeInvitation(id string) error {
	i, err := x.Invitation(id)
	if err != nil {
		return err
	}
	if i.Status != promptrails.InvitationPending {
		return over(i)
	}
	if err := x.match(i.Version); err != nil {
		return err
	}
	before := invitationFields(i)
	i.Status = promptrails.InvitationRevoked
	return x.updateInvitation(i, before)
}

// AcceptInvitation makes the caller a member. The token determines the
// workspace of the session.
func (x *Session) AcceptInvitation(p *AcceptInvitationBody) (*promptrails.Member, error) {
	switch p.Token.Reveal() {
	case "":
		return nil, invalid("token", "must not be empty")
	case wire.Redacted:
		return nil, invalid("token", wire.ErrRedacted.Error())
	}
	workspaceID, id, err := x.global.InvitationByToken(hash(p.Token))
	if err != nil {
		return nil, orNotFound(err, "invitation")
	}
	x.tx = x.global.Workspace(workspaceID)
	i, err := x.tx.InvitationByToken(id, hash(p.Token), x.now)
	x.begin()
	switch {
	case err != nil:
		return nil, orNotFound(err, "invitation")
	case store.Fold(i.Email) != store.Fold(x.caller.User.Email):
		return nil, notFound("invitation")
	case i.Status == promptrails.InvitationExpired:
		return nil, refuse(http.StatusGone, promptrails.CodeInvitationExpired, "the invitation has expired; ask for it to be resent")
	case i.Status == promptrails.InvitationRevoked:
		return nil, refuse(http.StatusGone, promptrails.CodeInvitationRevoked, "the invitation was revoked")
	}
	if member, err := x.tx.IsMember(x.caller.User.Email); err != nil || member {
		return nil, orElse(err, conflict(promptrails.CodeAlreadyMember, "you are already a member"))
	}
	if i.Status != promptrails.InvitationPending {
		return nil, over(i)
	}
	before := invitationFields(i)
	i.Status = promptrails.InvitationAccepted
	if err := x.updateInvitation(i, before); err != nil {
		return nil, err
	}
	return x.join(x.tx, workspaceID, x.caller.User, i.Role)
}

// over is the error for an invitation that is no longer pending.
func over(i *promptrails.Invitation) error {
	return conflict(promptrails.CodeInvalidState, "the invitation is %s; create a new one", i.Status).With(map[string]any{"status": i.Status})
}

func (x *Session) updateInvitation(i *promptrails.Invitation, before map[string]any) error {
	i.Version++
	if err := x.tx.UpdateInvitation(i); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionUpdated, invitationRef(i), before, invitationFields(i))
}

func invitationRef(i *promptrails.Invitation) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceInvitation), ID: i.ID, Name: i.Email}
}

func invitationFields(i *promptrails.Invitation) map[string]any {
	status := i.Status
	if status == promptrails.InvitationExpired {
		status = promptrails.InvitationPending // expiry is not recorded as a change
	}
	return map[string]any{"email": i.Email, "role": i.Role, "status": status, "expires_at": i.ExpiresAt.Format(wire.TimeFormat), "token": wire.Redacted}
}
