package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var invitationColumns = []column[promptrails.Invitation]{
	text("EMAIL", func(i *promptrails.Invitation) string { return i.Email }),
	text("ROLE", func(i *promptrails.Invitation) string { return string(i.Role) }),
	text("STATUS", func(i *promptrails.Invitation) string { return string(i.Status) }),
	text("EXPIRES", func(i *promptrails.Invitation) string { return moment(i.ExpiresAt) }),
	text("ID", func(i *promptrails.Invitation) string { return i.ID }),
}

func (a *app) invitations() *cobra.Command {
	return group("invitations", "List, create, resend, revoke and accept invitations",
		a.listInvitations(), a.createInvitation(), a.resendInvitation(), a.revokeInvitation(), a.acceptInvitation())
}

func (a *app) listInvitations() *cobra.Command {
	params := &promptrails.ListInvitationsParams{}
	cmd := a.command("list", "List the invitations", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return list(a, c.Invitations.All(ctx, params), invitationColumns)
	})
	cmd.Flags().StringVar((*string)(&params.Status), "status", "", "only those with this `status`")
	choices(cmd, "status", promptrails.InvitationPending, promptrails.InvitationAccepted, promptrails.InvitationExpired, promptrails.InvitationRevoked)
	return cmd
}

func (a *app) createInvitation() *cobra.Command {
	params := &promptrails.CreateInvitationParams{}
	var file string
	cmd := a.command("create", "Invite a person, and print the token of the invitation", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return mint(a, fmt.Sprintf("invite %s as %s", params.Email, params.Role), file, invitationColumns, func() (*promptrails.Invitation, promptrails.Secret, error) {
			return withToken(c.Invitations.Create(ctx, params))
		})
	})
	cmd.Flags().StringVar(&params.Email, "email", "", "the `address` of the person")
	cmd.Flags().StringVar((*string)(&params.Role), "role", string(promptrails.RoleUser), "the `role`: admin or user")
	choices(cmd, "role", promptrails.RoleAdmin, promptrails.RoleUser)
	secretFlag(cmd, &file, "token")
	return require(cmd, "email")
}

func (a *app) resendInvitation() *cobra.Command {
	var file string
	cmd := a.command("resend INVITATION", "Extend an invitation, and print its new token", func(ctx context.Context, c *promptrails.Client, args []string) error {
		invitation, err := c.Invitations.Get(ctx, args[0])
		if err != nil {
			return err
		}
		return mint(a, "resend the invitation of "+invitation.Email, file, invitationColumns, func() (*promptrails.Invitation, promptrails.Secret, error) {
			return withToken(c.Invitations.Resend(ctx, invitation.ID))
		})
	})
	secretFlag(cmd, &file, "token")
	return a.objects(cmd, invitationSuggestions)
}

// withToken separates the token from its invitation.
func withToken(i *promptrails.Invitation, err error) (*promptrails.Invitation, promptrails.Secret, error) {
	if err != nil {
		return nil, promptrails.Secret{}, err
	}
	token := i.Token
	i.Token = promptrails.Secret{}
	return i, token, nil
}

func (a *app) revokeInvitation() *cobra.Command {
	cmd := a.command("revoke INVITATION", "Revoke a pending invitation", func(ctx context.Context, c *promptrails.Client, args []string) error {
		invitation, err := c.Invitations.Get(ctx, args[0])
		if err != nil {
			return err
		}
		return a.destroy(fmt.Sprintf("revoke the invitation of %s as %s", invitation.Email, invitation.Role), func() error {
			return c.Invitations.Revoke(ctx, invitation.ID)
		})
	})
	return a.objects(cmd, invitationSuggestions)
}

func (a *app) acceptInvitation() *cobra.Command {
	file := "-"
	cmd := a.global("accept", "Accept an invitation with its token", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		token, err := a.readSecret(file)
		if err != nil {
			return err
		}
		return a.change("accept the invitation", func() error {
			member, err := c.Invitations.Accept(ctx, token)
			if err != nil {
				return err
			}
			return show(a, member, memberColumns)
		})
	})
	cmd.Flags().StringVar(&file, "invitation-file", "-", "a `file` with the token, or - for stdin")
	return cmd
}

func invitationSuggestions(ctx context.Context, c *promptrails.Client) suggestions {
	params := &promptrails.ListInvitationsParams{Status: promptrails.InvitationPending}
	return suggest(c.Invitations.All(ctx, params), func(i *promptrails.Invitation) (string, string) { return i.ID, i.Email })
}
