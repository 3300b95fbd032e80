package store

import (
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	invitationColumns        = "i.id, i.workspace_id, i.email, i.role, i.status, i.invited_by, i.expires_at, i.version, i.created_at"
	invitationRows    scoped = "FROM invitations i WHERE i.workspace_id = $1"
)

func invitationFields(i *promptrails.Invitation) []any {
	return []any{&i.ID, &i.WorkspaceID, &i.Email, &i.Role, &i.Status, &i.InvitedBy, stamp{&i.ExpiresAt}, &i.Version, stamp{&i.CreatedAt}}
}

// stored returns the stored form of a status. Expired invitations are stored as
// pending, because expiry depends on the time.
func stored(s promptrails.InvitationStatus) string {
	if s == promptrails.InvitationExpired {
		s = promptrails.InvitationPending
	}
	return string(s)
}

// at changes the stored status of an invitation to its status at now.
func at(i *promptrails.Invitation, now time.Time) {
	if i.Status == promptrails.InvitationPending && !now.Before(i.ExpiresAt) {
		i.Status = promptrails.InvitationExpired
	}
}

// Invitations returns a page of the invitations, with their status at now, and
// the number of matching invitations. The number is 0 if p has a cursor.
func (t *Tx) Invitations(status promptrails.InvitationStatus, now time.Time, p Paging) (page []*promptrails.Invitation, total int, err error) {
	f := filter{base: 1}
	f.equal("i.status", stored(status))
	switch status {
	case promptrails.InvitationPending:
		f.scan("i.expires_at > ?", micros(now))
	case promptrails.InvitationExpired:
		f.scan("i.expires_at <= ?", micros(now))
	case promptrails.InvitationAccepted, promptrails.InvitationRevoked:
	}
	from, total, err := t.pageOf(&list{rows: string(invitationRows), at: "i.created_at", id: "i.id", total: t.total(countInvitations)}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + invitationColumns + " " + from
	err = t.rows(query, f.args, func(r scanner) error {
		i := new(promptrails.Invitation)
		page = append(page, i)
		if err := r.Scan(invitationFields(i)...); err != nil {
			return err
		}
		at(i, now)
		return nil
	})
	return page, total, err
}

// Invitation returns the invitation with that id, with its status at now.
func (t *Tx) Invitation(id string, now time.Time) (*promptrails.Invitation, error) {
	i := new(promptrails.Invitation)
	err := t.row("SELECT "+invitationColumns+" "+invitationRows+" AND i.id = $2", []any{id}, invitationFields(i)...)
	at(i, now)
	return i, err
}

// InvitationByToken returns the invitation with that id, with its status at now. It
// returns [ErrNotFound] if the invitation has another token.
func (t *Tx) InvitationByToken(id string, tokenHash []byte, now time.Time) (*promptrails.Invitation, error) {
	i := new(promptrails.Invitation)
	err := t.row("SELECT "+invitationColumns+" "+invitationRows+" AND i.id = $2 AND i.token_hash = $3", []any{id, tokenHash}, invitationFields(i)...)
	at(i, now)
	return i, err
}

// PendingInvitations returns the number of invitations that are pending at now,
// for one email address or, if email is empty, for all.
func (t *Tx) PendingInvitations(email string, now time.Time) (n int64, err error) {
	f := filter{base: 1}
	f.and("i.expires_at > ?", micros(now))
	f.andText("i.email_key = ?", Fold(email))
	err = t.row("SELECT count(*) "+invitationRows+" AND i.status = 'pending'"+scoped(f.sql.String()), f.args, &n)
	return n, err
}

// CreateInvitation adds an invitation. Only the hash of its token is stored.
func (t *Tx) CreateInvitation(i *promptrails.Invitation, tokenHash []byte) error {
	_, err := t.exec(`INSERT INTO invitations (workspace_id, id, email, email_key, role, status, invited_by, token_hash, expires_at, version, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		i.ID, i.Email, Fold(i.Email), string(i.Role), stored(i.Status), i.InvitedBy, tokenHash, micros(i.ExpiresAt), i.Version, micros(i.CreatedAt))
	if err != nil {
		return err
	}
	if err := t.findInvitation(i.ID, tokenHash); err != nil {
		return err
	}
	return t.count(countInvitations, 1)
}

// UpdateInvitation stores an invitation's status, expiry and version.
func (t *Tx) UpdateInvitation(i *promptrails.Invitation) error {
	return affected(t.exec("UPDATE invitations SET status = $3, expires_at = $4, version = $5 WHERE workspace_id = $1 AND id = $2",
		i.ID, stored(i.Status), micros(i.ExpiresAt), i.Version))
}

// SetInvitationToken replaces the token of an invitation.
func (t *Tx) SetInvitationToken(id string, tokenHash []byte) error {
	var previous []byte
	if err := t.row("SELECT i.token_hash "+invitationRows+" AND i.id = $2", []any{id}, &previous); err != nil {
		return err
	}
	if err := t.global.later("DELETE FROM invitation_tokens WHERE hash = $1", previous); err != nil {
		return err
	}
	if err := t.findInvitation(id, tokenHash); err != nil {
		return err
	}
	return affected(t.exec("UPDATE invitations SET token_hash = $3 WHERE workspace_id = $1 AND id = $2", id, tokenHash))
}

// findInvitation makes an invitation the one that a token finds.
func (t *Tx) findInvitation(id string, tokenHash []byte) error {
	return t.later("INSERT INTO invitation_tokens (workspace_id, invitation_id, hash) VALUES ($1, $2, $3)", id, tokenHash)
}
