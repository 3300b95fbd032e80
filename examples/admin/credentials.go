package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var credentialColumns = []column[promptrails.Credential]{
	text("NAME", func(c *promptrails.Credential) string { return c.Name }),
	text("TYPE", func(c *promptrails.Credential) string { return string(c.Type) }),
	text("CATEGORY", func(c *promptrails.Credential) string { return string(c.Category) }),
	text("DEFAULT", func(c *promptrails.Credential) string { return optional(&c.IsDefault) }),
	{"VALID", func(c *promptrails.Credential) cell { return validity(c.IsValid) }},
	text("VALUE", func(c *promptrails.Credential) string { return c.MaskedContent }),
	text("ID", func(c *promptrails.Credential) string { return c.ID }),
}

func validity(valid *bool) cell {
	switch {
	case valid == nil:
		return cell{optional(valid), yellow}
	case *valid:
		return cell{optional(valid), green}
	default:
		return cell{optional(valid), red}
	}
}

var usageColumns = []column[promptrails.ResourceRef]{
	text("TYPE", func(r *promptrails.ResourceRef) string { return string(r.Type) }),
	text("NAME", func(r *promptrails.ResourceRef) string { return r.Name }),
	text("ID", func(r *promptrails.ResourceRef) string { return r.ID }),
}

func (a *app) credentials() *cobra.Command {
	return group("credentials", "List, create, change, check and delete credentials",
		a.listCredentials(), a.createCredential(), a.updateCredential(), a.checkCredential(), a.credentialUsage(), a.deleteCredential())
}

func (a *app) listCredentials() *cobra.Command {
	params := &promptrails.ListCredentialsParams{}
	cmd := a.command("list", "List the credentials", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return list(a, c.Credentials.All(ctx, params), credentialColumns)
	})
	cmd.Flags().StringVar(&params.Query, "query", "", "only those with this `text` in their name")
	cmd.Flags().StringVar((*string)(&params.Type), "type", "", "only those of this `type`, such as openai")
	cmd.Flags().StringVar((*string)(&params.Category), "category", "", "only those of this `category`")
	choices(cmd, "category", categories...)
	return cmd
}

var categories = []promptrails.CredentialCategory{
	promptrails.CategoryLLM, promptrails.CategorySpeech, promptrails.CategoryImage, promptrails.CategoryVideo, promptrails.CategoryDataWarehouse, promptrails.CategoryTools,
}

func (a *app) createCredential() *cobra.Command {
	params := &promptrails.CreateCredentialParams{}
	var file string
	cmd := a.command("create", "Create a credential, with its value from stdin", func(ctx context.Context, c *promptrails.Client, _ []string) (err error) {
		if params.Value, err = a.readSecret(file); err != nil {
			return err
		}
		return a.change(fmt.Sprintf("create the credential %q of type %s", params.Name, params.Type), func() error {
			created, err := c.Credentials.Create(ctx, params)
			if err != nil {
				return err
			}
			return show(a, created, credentialColumns)
		})
	})
	flags := cmd.Flags()
	flags.StringVar(&params.Name, "name", "", "the name, of 1 to 100 `characters`")
	flags.StringVar((*string)(&params.Type), "type", "", "the `type`, such as openai or postgresql")
	flags.StringVar((*string)(&params.Category), "category", "", "the `category`; the default is that of the type")
	flags.StringVar(&params.Description, "description", "", "a `text` for people")
	flags.BoolVar(&params.IsDefault, "default", false, "make it the default of its type")
	flags.StringVar(&file, "value-file", "-", "the `file` with the value, or - for stdin")
	choices(cmd, "category", categories...)
	return require(cmd, "name", "type")
}

func (a *app) updateCredential() *cobra.Command {
	var name, description, file string
	var isDefault bool
	var cmd *cobra.Command
	cmd = a.command("update CREDENTIAL", "Change the name, description, value or default of a credential", func(ctx context.Context, c *promptrails.Client, args []string) error {
		params := &promptrails.UpdateCredentialParams{}
		changed := cmd.Flags().Changed
		if changed("name") {
			params.Name = &name
		}
		if changed("description") {
			params.Description = &description
		}
		if changed("default") {
			params.IsDefault = &isDefault
		}
		if changed("value-file") {
			value, err := a.readSecret(file)
			if err != nil {
				return err
			}
			params.Value = &value
		}
		credential, err := c.Credentials.Get(ctx, args[0])
		if err != nil {
			return err
		}
		return a.change(fmt.Sprintf("change the credential %q: %s", credential.Name, settings(cmd)), func() error {
			updated, err := c.Credentials.Update(ctx, credential.ID, params)
			if err != nil {
				return err
			}
			return show(a, updated, credentialColumns)
		})
	})
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "the name, of 1 to 100 `characters`")
	flags.StringVar(&description, "description", "", "a `text` for people")
	flags.BoolVar(&isDefault, "default", false, "make it the default of its type; --default=false for none")
	flags.StringVar(&file, "value-file", "", "the `file` with a new value, or - for stdin")
	allowEmpty(cmd, "description")
	requireAny(cmd, "name", "description", "default", "value-file")
	return a.objects(cmd, credentialSuggestions)
}

func (a *app) checkCredential() *cobra.Command {
	cmd := a.command("check CREDENTIAL", "Check whether the provider accepts a credential", func(ctx context.Context, c *promptrails.Client, args []string) error {
		return a.change("check the credential "+args[0], func() error {
			check, err := c.Credentials.CheckConnection(ctx, args[0])
			if err != nil {
				return err
			}
			err = show(a, check, []column[promptrails.CredentialCheck]{
				{"VALID", func(c *promptrails.CredentialCheck) cell { return validity(c.IsValid) }},
				text("REASON", func(c *promptrails.CredentialCheck) string { return c.Reason }),
			})
			if err == nil && check.IsValid != nil && !*check.IsValid {
				err = fmt.Errorf("the credential is not valid: %s", check.Reason)
			}
			return err
		})
	})
	return a.objects(cmd, credentialSuggestions)
}

func (a *app) credentialUsage() *cobra.Command {
	cmd := a.command("usage CREDENTIAL", "List the resources that use a credential", func(ctx context.Context, c *promptrails.Client, args []string) error {
		used, err := c.Credentials.Usage(ctx, args[0])
		if err != nil {
			return err
		}
		return list(a, each(used), usageColumns)
	})
	return a.objects(cmd, credentialSuggestions)
}

// each yields items that are in memory.
func each[T any](items []*T) func(func(*T, error) bool) {
	return func(yield func(*T, error) bool) {
		slices.Values(items)(func(item *T) bool { return yield(item, nil) })
	}
}

func (a *app) deleteCredential() *cobra.Command {
	params := &promptrails.DeleteCredentialParams{}
	cmd := a.command("delete CREDENTIAL", "Delete a credential", func(ctx context.Context, c *promptrails.Client, args []string) error {
		credential, err := c.Credentials.Get(ctx, args[0])
		if err != nil {
			return err
		}
		used, err := c.Credentials.Usage(ctx, credential.ID)
		if err != nil {
			return err
		}
		if len(used) > 0 && !params.Force {
			uses := plural(len(used), "resource") + " use"
			if len(used) == 1 {
				uses += "s"
			}
			return fmt.Errorf("%s the credential %q. %s", uses, credential.Name, steps[promptrails.CodeInUse])
		}
		return a.destroy(fmt.Sprintf("delete the credential %q of type %s, which %d resources use", credential.Name, credential.Type, len(used)), func() error {
			return c.Credentials.Delete(ctx, credential.ID, params)
		})
	})
	cmd.Flags().BoolVar(&params.Force, "force", false, "delete it also if it is in use")
	return a.objects(cmd, credentialSuggestions)
}

func credentialSuggestions(ctx context.Context, c *promptrails.Client) suggestions {
	return suggest(c.Credentials.All(ctx, nil), func(c *promptrails.Credential) (string, string) { return c.ID, c.Name })
}
