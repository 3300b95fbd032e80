package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var keyColumns = []column[promptrails.APIKey]{
	text("NAME", func(k *promptrails.APIKey) string { return k.Name }),
	text("KEY", func(k *promptrails.APIKey) string { return k.Prefix + "…" + k.Last4 }),
	text("SCOPES", func(k *promptrails.APIKey) string { return k.Scopes.String() }),
	{"STATUS", func(k *promptrails.APIKey) cell { return cell{string(k.Status), keyColors[k.Status]} }},
	text("EXPIRES", func(k *promptrails.APIKey) string { return moment(k.ExpiresAt) }),
	text("LAST USED", func(k *promptrails.APIKey) string { return moment(k.LastUsedAt) }),
	text("RESTRICTED TO", func(k *promptrails.APIKey) string {
		return strings.Join(append(append([]string{}, k.AllowedIPs...), k.AllowedOrigins...), " ")
	}),
	text("ID", func(k *promptrails.APIKey) string { return k.ID }),
}

var keyColors = map[promptrails.APIKeyStatus]color{
	promptrails.APIKeyActive: green, promptrails.APIKeyRotating: yellow, promptrails.APIKeyExpired: red, promptrails.APIKeyRevoked: red,
}

func (a *app) keys() *cobra.Command {
	return group("keys", "List, create, change, verify, rotate and revoke API keys",
		a.listKeys(), a.getKey(), a.createKey(), a.updateKey(), a.verifyKey(), a.rotateKey(), a.revokeKey())
}

func (a *app) listKeys() *cobra.Command {
	params := &promptrails.ListAPIKeysParams{}
	var unused, expires time.Duration
	cmd := a.command("list", "List the API keys", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		if unused > 0 {
			params.UnusedSince = time.Now().Add(-unused)
		}
		if expires > 0 {
			params.ExpiresBefore = time.Now().Add(expires)
		}
		return list(a, c.APIKeys.All(ctx, params), keyColumns)
	})
	cmd.Flags().StringVar((*string)(&params.Status), "status", "", "only those with this `status`")
	cmd.Flags().DurationVar(&unused, "unused", 0, "only those that were not used for this `duration`, such as 720h")
	cmd.Flags().DurationVar(&expires, "expires-in", 0, "only those that expire within this `duration`")
	choices(cmd, "status", promptrails.APIKeyActive, promptrails.APIKeyRotating, promptrails.APIKeyExpired, promptrails.APIKeyRevoked)
	return cmd
}

func (a *app) getKey() *cobra.Command {
	cmd := a.command("get KEY", "Show an API key", func(ctx context.Context, c *promptrails.Client, args []string) error {
		key, err := c.APIKeys.Get(ctx, args[0])
		if err != nil {
			return err
		}
		return show(a, key, keyColumns)
	})
	return a.objects(cmd, keySuggestions)
}

// keyFlags are the flags of the settings of a key.
type keyFlags struct {
	name         string
	scopes       []string
	ips, origins []string
	expiresIn    time.Duration
	noExpiry     bool
}

func (f *keyFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "the name, of 1 to 100 `characters`")
	flags.StringSliceVar(&f.scopes, "scopes", nil, "the `scopes`, separated by commas, such as agents:read,executions:write")
	flags.StringSliceVar(&f.ips, "allowed-ips", nil, "the `addresses` from which it can be used, such as 192.0.2.7,10.0.0.0/8; the default is any")
	flags.StringSliceVar(&f.origins, "allowed-origins", nil, "the `origins` of browsers, such as https://app.example.com; the default is any")
	flags.DurationVar(&f.expiresIn, "expires-in", 0, "the key expires after this `duration`, such as 2160h")
	flags.BoolVar(&f.noExpiry, "no-expiry", false, "the key never expires")
	choices(cmd, "scopes", promptrails.KnownScopes()...)
}

func (f *keyFlags) expiry() (at time.Time) {
	if f.expiresIn > 0 {
		at = time.Now().Add(f.expiresIn)
	}
	return at
}

func (f *keyFlags) parsedScopes() (scopes promptrails.Scopes) {
	for _, scope := range f.scopes {
		scopes = append(scopes, promptrails.Scope(strings.TrimSpace(scope)))
	}
	return scopes
}

func (a *app) createKey() *cobra.Command {
	f := &keyFlags{}
	var file string
	cmd := a.command("create", "Create an API key, and print it", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		params := &promptrails.CreateAPIKeyParams{Name: f.name, Scopes: f.parsedScopes(), AllowedIPs: f.ips, AllowedOrigins: f.origins, ExpiresAt: f.expiry()}
		return mint(a, fmt.Sprintf("create the API key %q with the scopes %s", f.name, params.Scopes), file, keyColumns, func() (*promptrails.APIKey, promptrails.Secret, error) {
			created, err := c.APIKeys.Create(ctx, params)
			if err != nil {
				return nil, promptrails.Secret{}, err
			}
			return &created.APIKey, created.Key, nil
		})
	})
	f.add(cmd)
	secretFlag(cmd, &file, "key")
	require(cmd, "name", "scopes")
	return validate(cmd, func() error {
		if (f.expiresIn != 0) == f.noExpiry {
			return usagef("set either --expires-in, such as 2160h, or --no-expiry")
		}
		return nil
	})
}

func (a *app) updateKey() *cobra.Command {
	f := &keyFlags{}
	var cmd *cobra.Command
	cmd = a.command("update KEY", "Change the name, scopes, restrictions or expiry of an API key", func(ctx context.Context, c *promptrails.Client, args []string) error {
		key, err := c.APIKeys.Get(ctx, args[0])
		if err != nil {
			return err
		}
		params := &promptrails.UpdateAPIKeyParams{}
		changed := cmd.Flags().Changed
		if changed("name") {
			params.Name = &f.name
		}
		if changed("scopes") {
			params.Scopes = new(f.parsedScopes())
		}
		if changed("allowed-ips") {
			params.AllowedIPs = orNull(f.ips)
		}
		if changed("allowed-origins") {
			params.AllowedOrigins = orNull(f.origins)
		}
		if f.expiresIn > 0 || f.noExpiry {
			params.ExpiresAt = new(f.expiry())
		}
		return a.change("change "+describeKey(key)+": "+settings(cmd), func() error {
			updated, err := c.APIKeys.Update(ctx, key.ID, params)
			if err != nil {
				return err
			}
			return show(a, updated, keyColumns)
		})
	})
	f.add(cmd)
	requireAny(cmd, "name", "scopes", "allowed-ips", "allowed-origins", "expires-in", "no-expiry")
	validate(cmd, func() error {
		if f.expiresIn != 0 && f.noExpiry || cmd.Flags().Changed("no-expiry") && !f.noExpiry {
			return usagef("set either --expires-in, such as 2160h, or --no-expiry")
		}
		return nil
	})
	cmd.Long = capital(cmd.Short) + `.

An empty --allowed-ips or --allowed-origins removes the restriction.`
	allowEmpty(cmd, "allowed-ips", "allowed-origins")
	return a.objects(cmd, keySuggestions)
}

// orNull returns the value of a list, which is null for no restriction.
func orNull(list []string) *[]string {
	if len(list) == 0 {
		list = nil
	}
	return &list
}

func (a *app) verifyKey() *cobra.Command {
	params := &promptrails.VerifyAPIKeyParams{}
	var file string
	var scopes []string
	cmd := a.command("verify", "Check an API key, which is read from stdin", func(ctx context.Context, c *promptrails.Client, _ []string) (err error) {
		if params.Key, err = a.readSecret(file); err != nil {
			return err
		}
		for _, scope := range scopes {
			params.Scopes = append(params.Scopes, promptrails.Scope(scope))
		}
		result, err := c.APIKeys.Verify(ctx, params)
		if err != nil {
			return err
		}
		if a.json {
			err = a.encode(result)
		} else if result.APIKey != nil {
			err = show(a, result.APIKey, keyColumns)
		}
		if err == nil && !result.Valid {
			err = fmt.Errorf("the key is not valid: %s", result.Code)
		}
		return err
	})
	cmd.Flags().StringVar(&file, "file", "-", "the `file` with the key, or - for stdin")
	cmd.Flags().StringVar(&params.IP, "ip", "", "check whether it can be used from this `address`")
	cmd.Flags().StringSliceVar(&scopes, "scopes", nil, "check whether it has these `scopes`")
	choices(cmd, "scopes", promptrails.KnownScopes()...)
	return cmd
}

func (a *app) revokeKey() *cobra.Command {
	cmd := a.command("revoke KEY", "Revoke an API key immediately", func(ctx context.Context, c *promptrails.Client, args []string) error {
		key, err := c.APIKeys.Get(ctx, args[0])
		if err != nil {
			return err
		}
		return a.destroy("revoke "+describeKey(key), func() error { return c.APIKeys.Revoke(ctx, key.ID) })
	})
	return a.objects(cmd, keySuggestions)
}

// describeKey returns a key as it is named in a change.
func describeKey(k *promptrails.APIKey) string {
	return fmt.Sprintf("the API key %q (%s…%s, last used %s)", k.Name, k.Prefix, k.Last4, moment(k.LastUsedAt))
}

func keySuggestions(ctx context.Context, c *promptrails.Client) suggestions {
	params := &promptrails.ListAPIKeysParams{Status: promptrails.APIKeyActive}
	return suggest(c.APIKeys.All(ctx, params), func(k *promptrails.APIKey) (string, string) { return k.ID, k.Name })
}
