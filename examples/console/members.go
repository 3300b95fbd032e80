package main

import (
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

type membersView struct {
	Query       string
	Role        promptrails.Role
	Items       []*promptrails.Member
	Pager       pager
	Seats       *limitView                // nil: not known
	Invitations []*promptrails.Invitation // that can be accepted, for admins
	More        bool                      // more invitations than are shown
}

// members lists the members, and for admins the pending invitations.
func (c *console) members(v *visit) error {
	query := v.URL.Query()
	view := &membersView{Query: query.Get("q"), Role: promptrails.Role(query.Get("role"))}
	list, err := v.client.Members.List(v.Context(), &promptrails.ListMembersParams{ListOptions: listOptions(v), Query: view.Query, Role: view.Role})
	if err != nil {
		return err
	}
	view.Items, view.Pager = list.Items, pages(v, v.path("members"), list)
	if v.MayRead(promptrails.ScopeBillingRead) {
		if view.Seats, err = seats(v); err != nil {
			return err
		}
	}
	if v.May(promptrails.ScopeMembersRead) {
		pending, err := v.client.Invitations.List(v.Context(), &promptrails.ListInvitationsParams{ListOptions: promptrails.ListOptions{Limit: 50}, Status: promptrails.InvitationPending})
		if optional(err) != nil {
			return err
		}
		if pending != nil {
			view.Invitations, view.More = pending.Items, hasMore(pending)
		}
	}
	return v.render("members", "Members", view)
}

// seats returns how many members the plan includes, or nil if that is not known.
func seats(v *visit) (*limitView, error) {
	usage, err := v.client.Billing.Usage(v.Context())
	if err != nil {
		return nil, optional(err)
	}
	for _, l := range limits(usage) {
		if l.Key() == promptrails.LimitTeamMembers {
			return &l, nil
		}
	}
	return nil, nil //nolint:nilnil // a server without this limit
}

// MayChange reports whether the person can change the role of a member: it must be below
// their own, and must not be their own.
func (v *visit) MayChange(m *promptrails.Member) bool {
	switch {
	case m.Role == promptrails.RoleOwner || v.IsSelf(m) || !v.May(promptrails.ScopeMembersWrite):
		return false
	case v.IsOwner():
		return true
	}
	return m.Role != promptrails.RoleAdmin
}

// MayRemove reports whether the person can remove a member.
func (v *visit) MayRemove(m *promptrails.Member) bool {
	return v.May(promptrails.ScopeMembersWrite) && m.Role != promptrails.RoleOwner && !v.IsSelf(m)
}

func (v *visit) IsSelf(m *promptrails.Member) bool {
	return v.IsPerson() && strings.EqualFold(m.Email, v.Email)
}

func (c *console) changeRole(v *visit) (*next, error) {
	role := promptrails.Role(v.PostFormValue("role"))
	m, err := v.client.Members.UpdateRole(v.Context(), v.PathValue("id"), role, v.once(), v.version())
	if err != nil {
		return nil, err
	}
	return then(v.path("members"), m.Email+" now has the role "+string(m.Role)+"."), nil
}

func (c *console) removeMember(v *visit) (*next, error) {
	params := &promptrails.RemoveMemberParams{RevokeAPIKeys: v.PostFormValue("revoke") != ""}
	if err := v.client.Members.Remove(v.Context(), v.PathValue("id"), params, v.once()); err != nil {
		return nil, err
	}
	return then(v.path("members"), "The member was removed."), nil
}

func (c *console) invite(v *visit) (*next, error) {
	i, err := v.client.Invitations.Create(v.Context(), &promptrails.CreateInvitationParams{Email: strings.TrimSpace(v.PostFormValue("email")), Role: promptrails.Role(v.PostFormValue("role"))}, v.once())
	if err != nil {
		return nil, err
	}
	return v.invited(i), nil
}

// invited shows the token of an invitation. This is the only time that the API returns it.
func (v *visit) invited(i *promptrails.Invitation) *next {
	return &next{v.path("members"), flash{Message: "Send this token to " + i.Email + ", who enters it at Workspaces. It is valid for 7 days.", SecretLabel: "Invitation token", Secret: i.Token.Reveal()}}
}

func (c *console) resendInvitation(v *visit) (*next, error) {
	i, err := v.client.Invitations.Resend(v.Context(), v.PathValue("id"), v.once())
	if err != nil {
		return nil, err
	}
	return v.invited(i), nil
}

func (c *console) revokeInvitation(v *visit) (*next, error) {
	if err := v.client.Invitations.Revoke(v.Context(), v.PathValue("id"), v.once()); err != nil {
		return nil, err
	}
	return then(v.path("members"), "The invitation was revoked. Its token is no longer valid."), nil
}
