package service

import (
	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Members returns a page of the workspace's members.
func (x *Session) Members(p *promptrails.ListMembersParams) (*Page[*promptrails.Member], error) {
	if p.Role != "" {
		if fault := roleFault(p.Role); fault != "" {
			return nil, invalid("role", fault)
		}
	}
	l, err := newListing("members", x.workspaceID(), p.ListOptions, string(p.Role), p.Query)
	if err != nil {
		return nil, err
	}
	rows, total, err := x.tx.Members(string(p.Role), p.Query, l.store)
	if err != nil {
		return nil, err
	}
	for _, m := range rows {
		x.service.activity.overlay(m)
	}
	return finish(l, rows, total, func(m *promptrails.Member) store.Position {
		return store.Position{At: m.JoinedAt.UnixMicro(), ID: m.ID}
	}), nil
}

// Member returns one member.
func (x *Session) Member(id string) (*promptrails.Member, error) {
	m, err := x.tx.Member(id)
	if err != nil {
		return nil, orNotFound(err, "member")
	}
	x.service.activity.overlay(m)
	return m, nil
}

// Self returns the caller's own membership.
func (x *Session) Self() (*promptrails.Member, error) { return x.Member(x.member.ID) }

func (q *RevokeQuery) fault() error {
	if q.APIKeys != "" && q.APIKeys != "revoke" {
		return invalid("api_keys", "must be revoke or omitted")
	}
	return nil
}

// revokeKeysOf revokes the keys that a member created, if the query requests
// it.
func (x *Session) revokeKeysOf(m *promptrails.Member, q *RevokeQuery) error {
	if q.APIKeys == "" {
		return nil
	}
	keys, err := x.tx.LiveAPIKeysBy(m.UserID, x.now)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := x.revoke(k); err != nil {
			return err
		}
	}
	return nil
}

// UpdateMember changes a member's role. It requires the role admin, unless the
// caller is that member. Members cannot change their own role.
func (x *Session) UpdateMember(id string, q *RevokeQuery, p *promptrails.UpdateMemberParams) (*promptrails.Member, error) {
	if err := q.fault(); err != nil {
		return nil, err
	}
	self := x.isSelf(id)
	if !self && !policy.AtLeast(string(x.role()), policy.Admin) {
		return nil, insufficientRole(promptrails.RoleAdmin, x.role())
	}
	if p.Role != nil {
		if fault := roleFault(*p.Role); fault != "" {
			return nil, invalid("role", fault)
		}
	}
	m, err := x.Member(id)
	if err != nil {
		return nil, err
	}
	if p.Role != nil {
		if err := x.mayHaveRole(m, self, *p.Role); err != nil {
			return nil, err
		}
	}
	if err := x.match(m.Version); err != nil {
		return nil, err
	}
	if p.Role != nil {
		if err := x.setRole(m, *p.Role); err != nil {
			return nil, err
		}
	}
	return m, x.revokeKeysOf(m, q)
}

// mayHaveRole returns an error if the caller cannot assign a role to a member.
func (x *Session) mayHaveRole(m *promptrails.Member, self bool, role promptrails.Role) error {
	switch {
	case self:
		return forbidden("members cannot change their own role; ask another owner or admin")
	case role == promptrails.RoleOwner:
		return forbidden("the owner role can only be assigned by transferring the workspace")
	case m.Role == promptrails.RoleOwner:
		return forbidden("the owner's role can only be changed by transferring the workspace")
	case !policy.MayChangeRole(string(x.role()), string(m.Role), string(role)):
		return insufficientRole(promptrails.RoleOwner, x.role())
	default:
		return nil
	}
}

// setRole assigns a role to a member. It does nothing if the member has that
// role.
func (x *Session) setRole(m *promptrails.Member, role promptrails.Role) error {
	if m.Role == role {
		return nil
	}
	before := memberFields(m)
	m.Role = role
	m.Version++
	if err := x.tx.UpdateMember(m); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionUpdated, memberRef(m), before, memberFields(m))
}

// RemoveMember removes a member. It requires the role admin, unless the caller
// is that member. The owner cannot be removed.
func (x *Session) RemoveMember(id string, q *RevokeQuery) error {
	if err := q.fault(); err != nil {
		return err
	}
	self := x.isSelf(id)
	if !self && !policy.AtLeast(string(x.role()), policy.Admin) {
		return insufficientRole(promptrails.RoleAdmin, x.role())
	}
	m, err := x.tx.Member(id)
	switch {
	case err != nil:
		return orNotFound(err, "member")
	case self && m.Role == promptrails.RoleOwner:
		return conflict(promptrails.CodeOwnerRequired, "the owner cannot leave the workspace; transfer it first")
	case m.Role == promptrails.RoleOwner:
		return forbidden("the owner cannot be removed")
	}
	if err := x.match(m.Version); err != nil {
		return err
	}
	if err := x.tx.DeleteMember(m); err != nil {
		return err
	}
	x.endsRight = self
	if err := x.revokeKeysOf(m, q); err != nil {
		return err
	}
	if err := x.record(x.tx, promptrails.ActionDeleted, memberRef(m), memberFields(m), nil); err != nil {
		return err
	}
	return x.notify(x.tx, promptrails.EventMemberRemoved, memberEvent(m))
}

// Leave removes the caller from the workspace.
func (x *Session) Leave(q *RevokeQuery) error { return x.RemoveMember(x.member.ID, q) }

// join adds a user to the workspace of tx.
func (x *Session) join(tx *store.Tx, workspaceID string, u *promptrails.User, role promptrails.Role) (*promptrails.Member, error) {
	m := &promptrails.Member{
		ID: x.newID(), WorkspaceID: workspaceID, UserID: u.ID, Email: u.Email, Name: u.Name,
		Role: role, Version: 1, JoinedAt: x.now,
	}
	if err := tx.CreateMember(m); err != nil {
		return nil, err
	}
	if err := x.record(tx, promptrails.ActionCreated, memberRef(m), nil, memberFields(m)); err != nil {
		return nil, err
	}
	return m, x.notify(tx, promptrails.EventMemberJoined, memberEvent(m))
}

func memberEvent(m *promptrails.Member) *promptrails.MemberEvent {
	return &promptrails.MemberEvent{MemberID: m.ID, UserID: m.UserID, Email: m.Email, Name: m.Name, Role: m.Role}
}

func memberRef(m *promptrails.Member) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceMember), ID: m.ID, Name: m.Email}
}

func memberFields(m *promptrails.Member) map[string]any {
	return map[string]any{"user_id": m.UserID, "email": m.Email, "role": m.Role}
}
