package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// roles are the roles of a workspace.
var roles = []promptrails.Role{promptrails.RoleOwner, promptrails.RoleAdmin, promptrails.RoleUser}

var memberColumns = []column[promptrails.Member]{
	text("EMAIL", func(m *promptrails.Member) string { return m.Email }),
	text("NAME", func(m *promptrails.Member) string { return m.Name }),
	text("ROLE", func(m *promptrails.Member) string { return string(m.Role) }),
	text("LAST ACTIVE", func(m *promptrails.Member) string { return moment(m.LastActiveAt) }),
	text("ID", func(m *promptrails.Member) string { return m.ID }),
}

func (a *app) members() *cobra.Command {
	return group("members", "List members, change their roles, and remove them", a.listMembers(), a.setRole(), a.removeMember())
}

func (a *app) listMembers() *cobra.Command {
	params := &promptrails.ListMembersParams{}
	cmd := a.command("list", "List the members", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return list(a, c.Members.All(ctx, params), memberColumns)
	})
	cmd.Flags().StringVar(&params.Query, "query", "", "only those with this `text` in their name or address")
	cmd.Flags().StringVar((*string)(&params.Role), "role", "", "only those with this `role`")
	choices(cmd, "role", roles...)
	return cmd
}

func (a *app) setRole() *cobra.Command {
	params := &promptrails.UpdateMemberParams{}
	cmd := a.command("role MEMBER ROLE", "Change the role of a member to admin or user", func(ctx context.Context, c *promptrails.Client, args []string) error {
		role := promptrails.Role(args[1])
		switch role {
		case promptrails.RoleAdmin, promptrails.RoleUser:
			params.Role = &role
		case promptrails.RoleOwner:
			return usagef("a workspace has a single owner: admin workspaces transfer makes a member the owner")
		default:
			return usagef("ROLE must be admin or user, not %q", role)
		}
		member, err := findMember(ctx, c, args[0])
		if err != nil {
			return err
		}
		return a.change(fmt.Sprintf("change the role of %s from %s to %s", member.Email, member.Role, role)+alsoRevoke(params.RevokeAPIKeys), func() error {
			_, err := c.Members.Update(ctx, member.ID, params)
			return err
		})
	})
	cmd.Flags().BoolVar(&params.RevokeAPIKeys, "revoke-keys", false, "also revoke the API keys that the member created")
	return a.objects(cmd, memberSuggestions)
}

func (a *app) removeMember() *cobra.Command {
	params := &promptrails.RemoveMemberParams{}
	cmd := a.command("remove MEMBER", "Remove a member from the workspace", func(ctx context.Context, c *promptrails.Client, args []string) error {
		member, err := findMember(ctx, c, args[0])
		if err != nil {
			return err
		}
		return a.destroy(fmt.Sprintf("remove the %s %s from the workspace", member.Role, member.Email)+alsoRevoke(params.RevokeAPIKeys), func() error {
			return c.Members.Remove(ctx, member.ID, params)
		})
	})
	cmd.Flags().BoolVar(&params.RevokeAPIKeys, "revoke-keys", false, "also revoke the API keys that the member created")
	return a.objects(cmd, memberSuggestions)
}

func alsoRevoke(keys bool) string {
	if keys {
		return ", and revoke the API keys that the member created"
	}
	return ""
}

// findMember returns the member with an id or an email address.
func findMember(ctx context.Context, c *promptrails.Client, name string) (*promptrails.Member, error) {
	if !strings.Contains(name, "@") {
		return c.Members.Get(ctx, name)
	}
	for member, err := range c.Members.All(ctx, &promptrails.ListMembersParams{Query: name}) {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(member.Email, name) {
			return member, nil
		}
	}
	return nil, fmt.Errorf("no member has the address %s; admin members list shows them", name)
}

func memberSuggestions(ctx context.Context, c *promptrails.Client) suggestions {
	return suggest(c.Members.All(ctx, nil), func(m *promptrails.Member) (string, string) { return m.Email, string(m.Role) + " " + m.Name })
}
