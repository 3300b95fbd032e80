package store

import (
	"errors"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	memberColumns        = "m.id, m.workspace_id, m.user_id, m.email, m.name, m.role, m.last_active_at, m.version, m.joined_at"
	memberRows    scoped = "FROM members m WHERE m.workspace_id = $1"
)

func memberFields(m *promptrails.Member) []any {
	return []any{&m.ID, &m.WorkspaceID, &m.UserID, &m.Email, &m.Name, &m.Role, stamp{&m.LastActiveAt}, &m.Version, stamp{&m.JoinedAt}}
}

// Members returns a page of the members and the number of matching members. The
// number is 0 if p has a cursor.
func (t *Tx) Members(role, q string, p Paging) (page []*promptrails.Member, total int, err error) {
	f := filter{base: 1}
	f.equal("m.role", role)
	f.scanSearch("m.search", q)
	from, total, err := t.pageOf(&list{rows: string(memberRows), at: "m.joined_at", id: "m.id", total: t.total(countMembers)}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + memberColumns + " " + from
	err = t.rows(query, f.args, func(r scanner) error {
		m := new(promptrails.Member)
		page = append(page, m)
		return r.Scan(memberFields(m)...)
	})
	return page, total, err
}

// Member returns the member with that id.
func (t *Tx) Member(id string) (*promptrails.Member, error) {
	m := new(promptrails.Member)
	return m, t.row("SELECT "+memberColumns+" "+memberRows+" AND m.id = $2", []any{id}, memberFields(m)...)
}

// MemberByUser returns the member with that user id.
func (t *Tx) MemberByUser(userID string) (*promptrails.Member, error) {
	m := new(promptrails.Member)
	return m, t.row("SELECT "+memberColumns+" "+memberRows+" AND m.user_id = $2", []any{userID}, memberFields(m)...)
}

// IsMember reports whether a user with that email address is a member.
func (t *Tx) IsMember(email string) (bool, error) {
	user, err := t.global.UserByEmail(email)
	if err == nil {
		_, err = t.MemberByUser(user.ID)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CreateMember adds a member. It sets the email address and name of the user.
func (t *Tx) CreateMember(m *promptrails.Member) error {
	var workspaceCreatedAt int64
	if err := t.row("SELECT w.created_at FROM workspaces w WHERE w.id = $1", nil, &workspaceCreatedAt); err != nil {
		return err
	}
	// Locks the user, so that the name cannot change.
	err := t.global.row("UPDATE users SET workspace_count = workspace_count + 1 WHERE id = $1 RETURNING email, name", []any{m.UserID}, &m.Email, &m.Name)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO members (workspace_id, id, user_id, email, name, search, role, version, joined_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		m.ID, m.UserID, m.Email, m.Name, searchable(m.Name, m.Email), string(m.Role), m.Version, micros(m.JoinedAt))
	if err != nil {
		return err
	}
	if err := t.later("INSERT INTO user_workspaces (workspace_id, user_id, workspace_created_at, role) VALUES ($1, $2, $3, $4)", m.UserID, workspaceCreatedAt, string(m.Role)); err != nil {
		return err
	}
	return t.count(countMembers, 1)
}

// UpdateMember stores a member's role and version.
func (t *Tx) UpdateMember(m *promptrails.Member) error {
	if err := t.countWorkspace(m, 0); err != nil {
		return err
	}
	err := affected(t.exec("UPDATE members SET role = $3, version = $4 WHERE workspace_id = $1 AND id = $2", m.ID, string(m.Role), m.Version))
	if err != nil {
		return err
	}
	return t.later("UPDATE user_workspaces SET role = $3 WHERE workspace_id = $1 AND user_id = $2", m.UserID, string(m.Role))
}

// DeleteMember deletes a member.
func (t *Tx) DeleteMember(m *promptrails.Member) error {
	if err := t.countWorkspace(m, -1); err != nil {
		return err
	}
	if err := affected(t.exec("DELETE FROM members WHERE workspace_id = $1 AND id = $2", m.ID)); err != nil {
		return err
	}
	if err := t.later("DELETE FROM user_workspaces WHERE workspace_id = $1 AND user_id = $2", m.UserID); err != nil {
		return err
	}
	return t.count(countMembers, -1)
}

// countWorkspace adds to the number of a member's workspaces, and locks the user. It
// is called before the membership is changed, as [Global.RenameUser] does. On another
// node of Citus, an earlier transaction of the user may not be visible yet: the lock
// waits for it.
func (t *Tx) countWorkspace(m *promptrails.Member, by int) error {
	return affected(t.global.exec("UPDATE users SET workspace_count = workspace_count + $2 WHERE id = $1", m.UserID, by))
}
