package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var workspaceColumns = []column[promptrails.Workspace]{
	text("SLUG", func(w *promptrails.Workspace) string { return w.Slug }),
	text("NAME", func(w *promptrails.Workspace) string { return w.Name }),
	text("PLAN", func(w *promptrails.Workspace) string { return string(w.Plan) }),
	text("ROLE", func(w *promptrails.Workspace) string { return string(w.Role) }),
	text("MEMBERS", func(w *promptrails.Workspace) string { return fmt.Sprint(w.MemberCount) }),
	text("ID", func(w *promptrails.Workspace) string { return w.ID }),
}

func (a *app) workspaces() *cobra.Command {
	return group("workspaces", "List, create, rename, transfer and delete workspaces, and change plans",
		a.listWorkspaces(), a.getWorkspace(), a.createWorkspace(), a.renameWorkspace(), a.changePlan(), a.transferWorkspace(), a.deleteWorkspace())
}

func (a *app) listWorkspaces() *cobra.Command {
	params := &promptrails.ListWorkspacesParams{}
	cmd := a.global("list", "List your workspaces", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return list(a, c.Workspaces.All(ctx, params), workspaceColumns)
	})
	cmd.Flags().StringVar(&params.Query, "query", "", "only those with this `text` in their name or slug")
	cmd.Flags().StringVar((*string)(&params.Role), "role", "", "only those in which you have this `role`")
	choices(cmd, "role", roles...)
	return cmd
}

func (a *app) getWorkspace() *cobra.Command {
	return a.global("get", "Show the workspace", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		w, err := a.target(ctx, c)
		if err != nil {
			return err
		}
		return show(a, w, workspaceColumns)
	})
}

func (a *app) createWorkspace() *cobra.Command {
	params := &promptrails.CreateWorkspaceParams{}
	cmd := a.global("create", "Create a workspace, which you own", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return a.change(fmt.Sprintf("create the workspace %q with the slug %q", params.Name, params.Slug), func() error {
			w, err := c.Workspaces.Create(ctx, params)
			if err != nil {
				return err
			}
			return show(a, w, workspaceColumns)
		})
	})
	cmd.Flags().StringVar(&params.Name, "name", "", "the name, of 1 to 100 `characters`")
	cmd.Flags().StringVar(&params.Slug, "slug", "", "lowercase letters, digits and single hyphens; the `slug` cannot be changed")
	return require(cmd, "name", "slug")
}

func (a *app) renameWorkspace() *cobra.Command {
	return a.global("rename NAME", "Change the name of the workspace", func(ctx context.Context, c *promptrails.Client, args []string) error {
		w, err := a.target(ctx, c)
		if err != nil {
			return err
		}
		return a.change(fmt.Sprintf("rename the workspace %s from %q to %q", w.Slug, w.Name, args[0]), func() error {
			_, err := c.Workspaces.Update(ctx, w.ID, &promptrails.UpdateWorkspaceParams{Name: &args[0]})
			return err
		})
	})
}

func (a *app) transferWorkspace() *cobra.Command {
	cmd := a.global("transfer MEMBER", "Make a member the owner of the workspace, and yourself an admin", func(ctx context.Context, c *promptrails.Client, args []string) error {
		w, err := a.target(ctx, c)
		if err != nil {
			return err
		}
		member, err := findMember(ctx, c.InWorkspace(w.ID), args[0])
		if err != nil {
			return err
		}
		return a.destroy(fmt.Sprintf("transfer the workspace %s to %s", w.Slug, member.Email), func() error {
			_, err := c.Workspaces.TransferOwnership(ctx, w.ID, member.ID)
			return err
		})
	})
	return a.objects(cmd, memberSuggestions)
}

func (a *app) deleteWorkspace() *cobra.Command {
	var confirmed string
	cmd := a.global("delete", "Delete the workspace and everything in it", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		w, err := a.target(ctx, c)
		if err != nil {
			return err
		}
		if confirmed != w.Slug && (confirmed != "" || !a.dryRun) {
			return usagef("--confirm %q is not the slug of the workspace, %q", confirmed, w.Slug)
		}
		return a.change(fmt.Sprintf("delete the workspace %s (%q, %d members) and everything in it", w.Slug, w.Name, w.MemberCount), func() error {
			return c.Workspaces.Delete(ctx, w.ID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: w.Slug})
		})
	})
	cmd.Flags().StringVar(&confirmed, "confirm", "", "the `slug` of the workspace, because this cannot be undone")
	return cmd
}

func (a *app) changePlan() *cobra.Command {
	cmd := a.global("plan PLAN", "Change the plan of the workspace", func(ctx context.Context, c *promptrails.Client, args []string) error {
		w, err := a.target(ctx, c)
		if err != nil {
			return err
		}
		return a.destroy(fmt.Sprintf("change the plan of the workspace %s from %s to %s", w.Slug, w.Plan, args[0]), func() error {
			_, err := c.InWorkspace(w.ID).Billing.ChangePlan(ctx, promptrails.PlanID(args[0]))
			return err
		})
	})
	cmd.ValidArgsFunction = cobra.FixedCompletions([]cobra.Completion{
		string(promptrails.PlanFree), string(promptrails.PlanStarter), string(promptrails.PlanPro), string(promptrails.PlanEnterprise),
	}, cobra.ShellCompDirectiveNoFileComp)
	return cmd
}
