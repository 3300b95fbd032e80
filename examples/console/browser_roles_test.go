package main

import (
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/browsertest"
)

// The owner, an admin and a user see different parts of the same workspace.
func TestRolesInBrowser(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	root := c.url + c.root(t, "halden-robotics")
	first := browsertest.New(t)
	for name, see := range map[string]struct {
		shows, hides []string
	}{
		owner: {[]string{"Save", "Transfer the ownership", "Delete the workspace"}, []string{"Leave", "for admins"}},
		admin: {[]string{"Save", "Leave the workspace"}, []string{"Delete the workspace", "Transfer the ownership", "for admins"}},
		user:  {[]string{"Admins can change it.", "Leave the workspace", "API Keys for admins", "Changelog for admins"}, []string{"Save", "Delete the workspace"}},
	} {
		p := first.Another()
		c.enter(p, name)
		p.Open(root + "/settings")
		p.Shows(append(see.shows, "Settings")...)
		p.Hides(see.hides...)
		p.Follow("Billing")
		p.Follow("Members")
		if name == user {
			p.Hides("Invite a member", "Remove", "Pending invitations")
			continue
		}
		p.Shows("Invite a member", "Remove", "Pending invitations")
		p.Follow("Changelog")
		p.Shows("Each entry has a hash")
	}
}
