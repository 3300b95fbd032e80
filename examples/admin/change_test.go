package main

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// leaves are the paths of the commands that have no other commands.
func leaves(cmd *cobra.Command, path ...string) (all []string) {
	for _, c := range cmd.Commands() {
		if c.Runnable() && !c.HasSubCommands() {
			all = append(all, strings.Join(append(path, c.Name()), " "))
		}
		all = append(all, leaves(c, append(path, c.Name())...)...)
	}
	return all
}

// fixture has an object of each kind.
type fixture struct {
	member, invitation, key, credential, channel, delivery string // ids
}

func newFixture(x *admin) fixture {
	var f fixture
	x.s.NewMember("grace@example.com", promptrails.RoleUser)
	f.member = "grace@example.com"
	f.invitation = item[mintedItem[promptrails.Invitation]](x, "", "invitations", "create", "--email", "hopper@example.com").Item.ID
	f.key = item[mintedItem[promptrails.APIKey]](x, "", "keys", "create", "--name", "Worker", "--scopes", "agents:read,credentials:read", "--expires-in", "24h").Item.ID
	f.credential = item[promptrails.Credential](x, "sk-the-value-of-it\n", "credentials", "create", "--name", "Model", "--type", "openai").ID
	f.channel = item[mintedItem[promptrails.Channel]](x, "http://127.0.0.1:9/hook", "channels", "create", "--name", "Alarms").Item.ID
	f.delivery = item[promptrails.Delivery](x, "", "channels", "test", f.channel).ID
	return f
}

// With --dry-run, no command changes anything: it sends only GET requests, and those that
// do not change anything by definition. A new command must be in the list.
func TestDryRun(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	f := newFixture(x)
	changing := map[string]string{
		"workspaces create": "--name N --slug n", "workspaces rename": "New", "workspaces plan": "pro", "workspaces transfer": f.member, "workspaces delete": "",
		"members role": f.member + " admin", "members remove": f.member,
		"invitations create": "--email x@example.com", "invitations resend": f.invitation, "invitations revoke": f.invitation, "invitations accept": "",
		"keys create": "--name N --scopes agents:read --no-expiry", "keys update": f.key + " --name N", "keys rotate": f.key, "keys revoke": f.key,
		"credentials create": "--name N --type openai", "credentials update": f.credential + " --name N", "credentials check": f.credential, "credentials delete": f.credential,
		"channels create": "--name N", "channels pause": f.channel, "channels resume": f.channel, "channels test": f.channel, "channels rotate-secret": f.channel,
		"channels redeliver": f.delivery, "channels delete": f.channel,
		"masking set": "--enabled",
	}
	reading := []string{
		"workspaces list", "workspaces get", "members list", "invitations list", "keys list", "keys get", "keys verify", "credentials list", "credentials usage",
		"channels list", "channels deliveries", "masking get", "masking preview", "changelog list", "changelog tail", "changelog export", "changelog verify",
		"usage", "review rules", "review diff", "review forecast",
	}
	want := slices.Sorted(maps.Keys(changing))
	var got []string
	for _, leaf := range leaves(new(app).root()) {
		if !slices.Contains(reading, leaf) {
			got = append(got, leaf)
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("commands that change something: got %q, want %q", got, want)
	}
	before := len(x.s.Requests())
	for command, args := range changing {
		out := x.succeeds("a-secret-of-stdin", append(strings.Fields(command+" "+args), "--dry-run")...)
		if !strings.HasPrefix(out, "would ") {
			t.Errorf("admin %s %s --dry-run: got %q, want it to begin with would", command, args, out)
		}
		if strings.Contains(out, "a-secret-of-stdin") {
			t.Errorf("admin %s --dry-run: got %q, want no secret", command, out)
		}
	}
	out := x.succeeds("", "keys", "update", f.key, "--scopes", "agents:read,members:read", "--no-expiry", "--dry-run")
	if want := "no-expiry true, scopes [agents:read,members:read]\n"; !strings.HasSuffix(out, want) {
		t.Errorf("keys update --dry-run: got %q, want %q at its end", out, want)
	}
	for _, r := range x.s.Requests()[before:] {
		if r.Method != http.MethodGet {
			t.Errorf("request: got %s %s, want only GET", r.Method, r.URL.Path)
		}
	}
}

// Without a terminal, what cannot be undone requires --yes.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	f := newFixture(x)
	x.s.NewMember("linus@example.com", promptrails.RoleUser)
	for _, args := range [][]string{
		{"members", "remove", "linus@example.com"},
		{"invitations", "revoke", f.invitation},
		{"keys", "revoke", f.key},
		{"credentials", "delete", f.credential},
		{"channels", "delete", f.channel},
		{"workspaces", "plan", "pro"},
		{"workspaces", "transfer", f.member},
		{"workspaces", "delete"},
	} {
		got := x.run(t.Context(), "y\n", args...)
		if _, ok := errors.AsType[usageError](got.err); !ok {
			t.Errorf("admin %s: got error %v, want a usage error", strings.Join(args, " "), got.err)
		}
		if args[1] != "delete" || args[0] != "workspaces" {
			x.succeeds("", append(args, "--yes")...)
		}
	}
	x.succeeds("", "workspaces", "create", "--name", "Other", "--slug", "other")
	if got := x.run(t.Context(), "", "-w", "other", "workspaces", "delete", "--confirm", "wrong", "--yes"); got.err == nil {
		t.Error("workspaces delete --confirm wrong: got error nil, want an error")
	}
	x.succeeds("", "-w", "other", "workspaces", "delete", "--confirm", "other")
}

// A credential in use is deleted only with --force, also in a dry run.
func TestDeleteCredentialInUse(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	f := newFixture(x)
	document := map[string]any{"name": "Answers", "credential_id": f.credential}
	if _, err := x.s.Owner.Resources.Create(t.Context(), promptrails.KindAgents, document); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--yes", "--dry-run"} {
		got := x.run(t.Context(), "", "credentials", "delete", f.credential, flag)
		if got.err == nil || !strings.Contains(got.err.Error(), "1 resource uses the credential") || !strings.Contains(got.err.Error(), "--force") {
			t.Errorf("credentials delete %s: got stdout %q, error %v; want that it is in use", flag, got.stdout, got.err)
		}
	}
	x.succeeds("", "credentials", "delete", f.credential, "--force", "--yes")
}
