package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// tour runs the steps. Everything a program does with the library is in here and
// in the functions it calls.
func tour(ctx context.Context, out io.Writer, ada, grace *promptrails.Client, newClient clientFunc) error {
	fmt.Fprintln(out, "1. Ada creates two workspaces.")
	// Slugs are unique across all workspaces, so add a random suffix.
	suffix := strings.ToLower(rand.Text()[:8])
	research, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research-" + suffix})
	if err != nil {
		return err
	}
	support, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Support", Slug: "support-" + suffix})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s and %s, on the %s plan\n", printable(research.Name), printable(support.Name), research.Plan)

	fmt.Fprintln(out, "2. She invites Grace to Research, and Grace accepts.")
	me, err := grace.Me(ctx)
	if err != nil {
		return err
	}
	adaInResearch := ada.InWorkspace(research.ID)
	invitation, err := adaInResearch.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: me.Email, Role: promptrails.RoleUser})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   the invitation token prints as %v; in production, Grace receives it by email\n", invitation.Token)
	member, err := grace.Invitations.Accept(ctx, invitation.Token)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s joined with the role %s\n", printable(member.Email), member.Role)

	fmt.Fprintln(out, "3. The workspaces are isolated from each other.")
	if _, err := ada.InWorkspace(support.ID).Members.Get(ctx, member.ID); !errors.Is(err, promptrails.ErrNotFound) {
		return fmt.Errorf("got a member of Research from Support: %w", err)
	}
	fmt.Fprintln(out, "   in Support, the member of Research is not found")
	if _, err := grace.Workspaces.Get(ctx, support.ID); !errors.Is(err, promptrails.ErrNotFound) {
		return fmt.Errorf("the member Grace got Support without being a member: %w", err)
	}
	fmt.Fprintln(out, "   for Grace, Support does not exist")

	fmt.Fprintln(out, "4. Grace cannot invite members, and the error reports why.")
	_, err = grace.InWorkspace(research.ID).Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "joan@example.com", Role: promptrails.RoleUser})
	var refused *promptrails.RoleError
	if !errors.As(err, &refused) {
		return fmt.Errorf("expected a *RoleError: %w", err)
	}
	fmt.Fprintf(out, "   *promptrails.RoleError: needs %s, has %s\n   %v\n", refused.Required, refused.Role, err)

	fmt.Fprintln(out, "5. Ada makes Grace an admin, and now she can.")
	if _, err := adaInResearch.Members.UpdateRole(ctx, member.ID, promptrails.RoleAdmin); err != nil {
		return err
	}
	if _, err := grace.InWorkspace(research.ID).Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "joan@example.com", Role: promptrails.RoleUser}); err != nil {
		return err
	}

	if err := keys(ctx, out, adaInResearch, newClient); err != nil {
		return err
	}

	if err := guard(ctx, out, adaInResearch); err != nil {
		return err
	}
	if err := limits(ctx, out, adaInResearch); err != nil {
		return err
	}
	if err := mask(ctx, out, adaInResearch); err != nil {
		return err
	}
	fmt.Fprintln(out, "13. The changelog of Research lists the changes, oldest first. Its hash chain verifies that no entry up to the newest is missing.")
	return printChangelog(ctx, out, adaInResearch)
}

// keys stores a credential, and creates an API key that can only read
// credentials.
func keys(ctx context.Context, out io.Writer, ada *promptrails.Client, newClient clientFunc) error {
	fmt.Fprintln(out, "6. Ada stores a credential. The API never returns its value.")
	credential, err := ada.Credentials.Create(ctx, &promptrails.CreateCredentialParams{
		Name: "Production", Type: "openai", Value: promptrails.NewSecret("sk-proj-quickstart-0123456789"),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s, type %s: %s\n", printable(credential.Name), credential.Type, credential.MaskedContent)

	fmt.Fprintln(out, "7. She creates an API key that can only read credentials.")
	key, err := ada.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Dashboard", Scopes: promptrails.Scopes{promptrails.ScopeCredentialsRead}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s…%s has the scopes %v; the key itself prints as %v\n", key.Prefix, key.Last4, key.Scopes, key.Key)
	plain, err := newClient(promptrails.WithAPIKey(key.Key.Reveal()))
	if err != nil {
		return err
	}
	for credential, err := range plain.Credentials.All(ctx, nil) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "   the key can list %s\n", printable(credential.Name))
	}

	fmt.Fprintln(out, "8. The key cannot delete credentials. The server refuses the request. With WithScopeCheck, the client returns the error without sending it.")
	checked, err := newClient(promptrails.WithAPIKey(key.Key.Reveal()), promptrails.WithScopeCheck())
	if err != nil {
		return err
	}
	for _, client := range []*promptrails.Client{plain, checked} {
		err := client.Credentials.Delete(ctx, credential.ID, nil)
		var refused *promptrails.ScopeError
		if !errors.As(err, &refused) {
			return fmt.Errorf("expected a *ScopeError: %w", err)
		}
		fmt.Fprintf(out, "   *promptrails.ScopeError: needs %s, has %v\n   %v\n", refused.Required, refused.Granted, err)
	}
	return nil
}

// guard authenticates the callers of Ada's own service by their API keys.
func guard(ctx context.Context, out io.Writer, ada *promptrails.Client) error {
	fmt.Fprintln(out, "9. Her own service authenticates its callers by their API keys.")
	key, err := ada.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Caller", Scopes: promptrails.Scopes{promptrails.ScopeTracesRead}})
	if err != nil {
		return err
	}
	auth, err := promptrails.NewAuthenticator(ada)
	if err != nil {
		return err
	}
	for _, scope := range []promptrails.Scope{promptrails.ScopeTracesRead, promptrails.ScopeTracesWrite} {
		principal, err := auth.Authenticate(ctx, key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{scope}})
		if err != nil {
			fmt.Fprintf(out, "   for %s: %v\n", scope, err)
			continue
		}
		fmt.Fprintf(out, "   for %s: authenticated as the key %s\n", scope, printable(principal.Name))
	}
	return nil
}

// limits runs an agent, and then creates data sources up to the limit of the
// plan. A webhook reports the threshold and the limit.
func limits(ctx context.Context, out io.Writer, ada *promptrails.Client) error {
	fmt.Fprintln(out, "10. Ada creates an agent and runs it.")
	agent, err := ada.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Scout"})
	if err != nil {
		return err
	}
	execution, err := ada.Resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: "Will it rain?"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   the execution is %s (the output is simulated; no model was called)\n", execution.Status)

	fmt.Fprintln(out, "11. She creates data sources up to the limit of the plan, and receives webhooks about it.")
	events, err := listen(ctx, ada)
	if err != nil {
		return err
	}
	defer events.close()
	for {
		_, err := ada.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "Warehouse"})
		if full, ok := errors.AsType[*promptrails.QuotaError](err); ok {
			fmt.Fprintf(out, "   *promptrails.QuotaError: %s, %d of %d used on the %s plan\n   %v\n", full.Limit, full.Used, full.Max, full.Plan, err)
			break
		}
		if err != nil {
			return err
		}
	}
	events.print(ctx, out)
	usage, err := ada.Billing.Usage(ctx)
	if err != nil {
		return err
	}
	nearest := usage.Headroom()[0]
	fmt.Fprintf(out, "   closest to its limit: %s, %d left\n", nearest.Key, nearest.Left)
	return nil
}

// mask enables masking, and previews it on a text.
func mask(ctx context.Context, out io.Writer, ada *promptrails.Client) error {
	fmt.Fprintln(out, "12. On the pro plan, personal data is masked before a model receives it.")
	subscription, err := ada.Billing.ChangePlan(ctx, promptrails.PlanPro)
	if err != nil {
		return err
	}
	if _, err := ada.Masking.Update(ctx, &promptrails.UpdateMaskingParams{Enabled: new(true)}); err != nil {
		return err
	}
	preview, err := ada.Masking.Preview(ctx, "Mail grace@example.com, or pay with 4111 1111 1111 1111.", nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   the pro plan costs %s a month\n   masked text: %s\n", subscription.Price, preview.Masked)
	return nil
}

// printChangelog prints the changelog, and verifies its hash chain while reading.
func printChangelog(ctx context.Context, out io.Writer, client *promptrails.Client) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "   #\tACTOR\tACTION\tRESOURCE\tCHANGES")
	oldestFirst := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}
	head, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for entry, err := range client.Changelog.All(ctx, oldestFirst) {
			if err == nil {
				printEntry(table, entry)
			}
			if !yield(entry, err) {
				return
			}
		}
	}, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(table, "   verified up to entry %d: store its hash, %.12s…, so that a later check detects removed entries\n", head.Sequence, head.Hash)
	return table.Flush()
}

func printEntry(table io.Writer, entry *promptrails.ChangelogEntry) {
	var changes []string
	for field, change := range entry.Changes.All() {
		if entry.Action == promptrails.ActionUpdated && len(change.To) < 50 {
			field += fmt.Sprintf(" %s → %s", change.From, change.To)
		}
		changes = append(changes, field)
	}
	fmt.Fprintf(table, "   %d\t%s\t%s\t%s %s\t%s\n", entry.Sequence, printable(entry.Actor.Name), entry.Action, entry.Resource.Type, printable(entry.Resource.Name), strings.Join(changes, ", "))
}

// printable escapes control and invisible characters in name, so that a name
// chosen by someone else cannot send control sequences to the terminal.
func printable(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	return quoted[1 : len(quoted)-1]
}
