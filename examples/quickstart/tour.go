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

// tour is what a program does with the library; connect only finds a server.
func tour(ctx context.Context, out io.Writer, ada, grace *promptrails.Client, newClient clientFunc) error {
	fmt.Fprintln(out, "1. Ada creates two workspaces.")
	// Slugs are unique over the platform, so they carry a suffix here.
	suffix := strings.ToLower(rand.Text()[:8])
	research, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research-" + suffix})
	if err != nil {
		return err
	}
	support, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Support", Slug: "support-" + suffix})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s and %s, on the plan %s\n", printable(research.Name), printable(support.Name), research.Plan)

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
	fmt.Fprintf(out, "   the invitation's token prints as %v; it would reach Grace by mail\n", invitation.Token)
	member, err := grace.Invitations.Accept(ctx, invitation.Token)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s is in, with the role %s\n", printable(member.Email), member.Role)

	fmt.Fprintln(out, "3. One workspace cannot see the other.")
	if _, err := ada.InWorkspace(support.ID).Members.Get(ctx, member.ID); !errors.Is(err, promptrails.ErrNotFound) {
		return fmt.Errorf("a member of Research was seen from Support: %w", err)
	}
	fmt.Fprintln(out, "   from Support, the member of Research is not found")
	if _, err := grace.Workspaces.Get(ctx, support.ID); !errors.Is(err, promptrails.ErrNotFound) {
		return fmt.Errorf("somebody who is not in Support saw it: %w", err)
	}
	fmt.Fprintln(out, "   for Grace, Support does not exist")

	fmt.Fprintln(out, "4. Grace may not invite, and is told why.")
	_, err = grace.InWorkspace(research.ID).Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "joan@example.com", Role: promptrails.RoleUser})
	var refused *promptrails.RoleError
	if !errors.As(err, &refused) {
		return fmt.Errorf("expected a *RoleError: %w", err)
	}
	fmt.Fprintf(out, "   *promptrails.RoleError: needs %s, has %s\n   %v\n", refused.Required, refused.Role, err)

	fmt.Fprintln(out, "5. Ada makes her an admin; then she may.")
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
	fmt.Fprintln(out, "13. The changelog of Research tells it all, oldest first, and proves that nothing is missing.")
	return printChangelog(ctx, out, adaInResearch)
}

// keys stores a secret, and gives a program a key that may look at it.
func keys(ctx context.Context, out io.Writer, ada *promptrails.Client, newClient clientFunc) error {
	fmt.Fprintln(out, "6. Ada stores a credential; its value never comes back.")
	credential, err := ada.Credentials.Create(ctx, &promptrails.CreateCredentialParams{
		Name: "Production", Type: "openai", Value: promptrails.NewSecret("sk-proj-quickstart-0123456789"),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s, of the type %s: %s\n", printable(credential.Name), credential.Type, credential.MaskedContent)

	fmt.Fprintln(out, "7. She issues an API key that may read credentials, and nothing else.")
	key, err := ada.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Dashboard", Scopes: promptrails.Scopes{promptrails.ScopeCredentialsRead}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   %s…%s may %v; the key itself prints as %v\n", key.Prefix, key.Last4, key.Scopes, key.Key)
	plain, err := newClient(promptrails.WithAPIKey(key.Key.Reveal()))
	if err != nil {
		return err
	}
	for credential, err := range plain.Credentials.All(ctx, nil) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "   with it a program sees %s\n", printable(credential.Name))
	}

	fmt.Fprintln(out, "8. What the key may not do is refused: by the server, or before anything is sent.")
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

// guard lets callers of a service of Ada's own in by their keys.
func guard(ctx context.Context, out io.Writer, ada *promptrails.Client) error {
	fmt.Fprintln(out, "9. A service of her own lets callers in by their keys.")
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
		fmt.Fprintf(out, "   for %s: let in, as the key %s\n", scope, printable(principal.Name))
	}
	return nil
}

// limits runs an agent, and into a limit of the plan, of which a webhook tells.
func limits(ctx context.Context, out io.Writer, ada *promptrails.Client) error {
	fmt.Fprintln(out, "10. Ada makes an agent and runs it.")
	agent, err := ada.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Scout"})
	if err != nil {
		return err
	}
	execution, err := ada.Resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: "Will it rain?"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   the execution is %s (its output is simulated: no model was asked)\n", execution.Status)

	fmt.Fprintln(out, "11. She makes data sources until the plan is full, and a webhook tells of it.")
	events, err := listen(ctx, ada)
	if err != nil {
		return err
	}
	defer events.close()
	for {
		_, err := ada.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "Warehouse"})
		if full, ok := errors.AsType[*promptrails.QuotaError](err); ok {
			fmt.Fprintf(out, "   *promptrails.QuotaError: %s, %d of %d used on the plan %s\n   %v\n", full.Limit, full.Used, full.Max, full.Plan, err)
			break
		}
		if err != nil {
			return err
		}
	}
	events.print(out)
	usage, err := ada.Billing.Usage(ctx)
	if err != nil {
		return err
	}
	nearest := usage.Headroom()[0]
	fmt.Fprintf(out, "   nearest to its end: %s, %d left\n", nearest.Key, nearest.Left)
	return nil
}

// mask takes personal data out of what the agents are given.
func mask(ctx context.Context, out io.Writer, ada *promptrails.Client) error {
	fmt.Fprintln(out, "12. On the plan pro, personal data is masked before anything is stored.")
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
	fmt.Fprintf(out, "   for %s a month: %s\n", subscription.Price, preview.Masked)
	return nil
}

// printChangelog verifies the chain of hashes as it prints it.
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
	fmt.Fprintf(table, "   verified up to entry %d: keep its hash, %.12s…, and a later check finds whatever was cut off\n", head.Sequence, head.Hash)
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

// printable writes a name that somebody else chose so that it cannot steer a
// terminal: control and invisible characters are escaped.
func printable(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	return quoted[1 : len(quoted)-1]
}
