// Quickstart administers two workspaces: it shows that one cannot see the
// other, takes a member in, is refused what a member may not do, and reads the
// changelog. It needs no key and no network: the workspace service runs inside.
//
// Set PROMPTRAILS_API_URL, PROMPTRAILS_ACCESS_TOKEN and
// PROMPTRAILS_GUEST_ACCESS_TOKEN to do the same over a port: examples/server
// prints all three.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"text/tabwriter"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ada, grace, done, err := connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	return tour(ctx, out, ada, grace)
}

// tour is what a program does with the library; connect only finds a server.
func tour(ctx context.Context, out io.Writer, ada, grace *promptrails.Client) error {
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
	fmt.Fprintf(out, "   %s and %s, on the plan %s\n", research.Name, support.Name, research.Plan)

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
	fmt.Fprintf(out, "   %s is in, with the role %s\n", member.Email, member.Role)

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

	fmt.Fprintln(out, "6. The changelog of Research tells it all, oldest first.")
	return printChangelog(ctx, out, adaInResearch)
}

func printChangelog(ctx context.Context, out io.Writer, client *promptrails.Client) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "   #\tACTOR\tACTION\tRESOURCE\tCHANGES")
	for entry, err := range client.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}) {
		if err != nil {
			return err
		}
		var changes []string
		for field, change := range entry.Changes.All() {
			if entry.Action == promptrails.ActionUpdated {
				field += fmt.Sprintf(" %s → %s", change.From, change.To)
			}
			changes = append(changes, field)
		}
		fmt.Fprintf(table, "   %d\t%s\t%s\t%s %s\t%s\n", entry.Sequence, entry.Actor.Name, entry.Action, entry.Resource.Type, entry.Resource.Name, strings.Join(changes, ", "))
	}
	return table.Flush()
}

// connect returns two people's clients: of the server that the environment
// names, or of a service in this program.
func connect(ctx context.Context) (ada, grace *promptrails.Client, done func(), err error) {
	if os.Getenv("PROMPTRAILS_API_URL") != "" {
		if ada, err = promptrails.NewClient(); err != nil {
			return nil, nil, nil, err
		}
		guest := os.Getenv("PROMPTRAILS_GUEST_ACCESS_TOKEN")
		if guest == "" {
			return nil, nil, nil, errors.New("set PROMPTRAILS_GUEST_ACCESS_TOKEN to a second person's access token")
		}
		grace, err = promptrails.NewClient(promptrails.WithAccessToken(guest))
		return ada, grace, func() {}, err
	}
	service, err := embedded.Open(ctx, embedded.Config{DefaultPlan: promptrails.PlanStarter})
	if err != nil {
		return nil, nil, nil, err
	}
	done = func() {
		if err := service.Close(); err != nil {
			log.Print(err)
		}
	}
	person := func(email, name string) *promptrails.Client {
		if err != nil {
			return nil
		}
		var user *embedded.User
		if user, err = service.CreateUser(ctx, email, name); err != nil {
			return nil
		}
		var client *promptrails.Client
		client, err = service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
		return client
	}
	ada, grace = person("ada@example.com", "Ada"), person("grace@example.com", "Grace")
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	return ada, grace, done, nil
}
