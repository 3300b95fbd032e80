package review

import (
	"fmt"
	"slices"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// hasActivity reports whether the server reports the activity of members.
func (w *Workspace) hasActivity() bool {
	return slices.ContainsFunc(w.Members, func(m *promptrails.Member) bool { return !m.LastActiveAt.IsZero() })
}

// lastActive returns when a member was last active, or joined.
func lastActive(m *promptrails.Member) time.Time {
	if m.LastActiveAt.Before(m.JoinedAt) {
		return m.JoinedAt
	}
	return m.LastActiveAt
}

// inactive returns the members of a role who have been inactive for too long, and
// whether all of that role have.
func (w *Workspace) inactive(role promptrails.Role, p Params) (members []*promptrails.Member, all bool) {
	all = true
	for _, m := range w.Members {
		switch {
		case m.Role != role:
		case w.hasActivity() && w.ReadAt.Sub(lastActive(m)) > p.AdminInactive:
			members = append(members, m)
		default:
			all = false
		}
	}
	return members, all
}

func memberFinding(m *promptrails.Member, problem, mend string) Finding {
	since := "was never active since joining on " + date(m.JoinedAt)
	if !m.LastActiveAt.IsZero() {
		since = "was last active on " + date(m.LastActiveAt)
	}
	return Finding{
		Object:  promptrails.ResourceRef{Type: promptrails.ResourceMember, ID: m.ID, Name: m.Email},
		Message: fmt.Sprintf("The %s %q %s. %s", m.Role, m.Email, since, problem), Mend: mend,
	}
}

func adminInactive(w *Workspace, p Params) (found []Finding) {
	members, _ := w.inactive(promptrails.RoleAdmin, p)
	for _, m := range members {
		found = append(found, memberFinding(m, "An account that no one watches should not have the rights of an admin.",
			w.mend("Members.UpdateRole(ctx, %q, promptrails.RoleUser)", m.ID)))
	}
	return found
}

// ownerInactive finds owners if none of them is active. Only an owner can transfer
// a workspace, so the call is one of the owner.
func ownerInactive(w *Workspace, p Params) (found []Finding) {
	owners, all := w.inactive(promptrails.RoleOwner, p)
	if !all {
		return nil
	}
	successor := "memberID"
	if admin := w.activeAdmin(); admin != nil {
		successor = fmt.Sprintf("%q", admin.ID)
	}
	for _, m := range owners {
		found = append(found, memberFinding(m, "Only the owner can transfer or delete the workspace: ask the owner to transfer it while that is possible.",
			fmt.Sprintf("client.Workspaces.TransferOwnership(ctx, %q, %s)", w.Info.ID, successor)))
	}
	return found
}

// activeAdmin returns the admin who was active last, or nil.
func (w *Workspace) activeAdmin() (last *promptrails.Member) {
	for _, m := range w.Members {
		if m.Role == promptrails.RoleAdmin && (last == nil || lastActive(m).After(lastActive(last))) {
			last = m
		}
	}
	return last
}
