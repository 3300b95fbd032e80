// Usage prints how much of each plan limit is used, for every workspace of a
// user. The limits closest to exhaustion come first. The exit status is 1 if
// any limit is more than 90 % used, so that a cron job can send an alert.
//
//	go run ./examples/usage
//
// It calls the API at PROMPTRAILS_API_URL with the token in
// PROMPTRAILS_ACCESS_TOKEN. If PROMPTRAILS_API_URL is not set, it runs an
// embedded workspace service with two workspaces.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const alarm = 0.9 // exit with status 1 if a larger share of any limit is used

func main() {
	full, err := run(context.Background(), os.Stdout)
	switch {
	case err != nil:
		log.Fatal(err)
	case full:
		os.Exit(1)
	}
}

// run prints the usage of every workspace. It reports whether the used share
// of any limit exceeds alarm.
func run(ctx context.Context, out io.Writer) (full bool, err error) {
	client, done, err := connect(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	for workspace, err := range client.Workspaces.All(ctx, nil) {
		if err != nil {
			return false, err
		}
		usage, err := client.InWorkspace(workspace.ID).Billing.Usage(ctx)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(out, "%s, plan %s, period until %s\n", printable(workspace.Name), workspace.Plan, usage.PeriodEnd.Format("2006-01-02"))
		if err := table(out, usage, &full); err != nil {
			return false, err
		}
	}
	return full, nil
}

// table prints one row for each limit. It sets *full if the used share of any
// limit exceeds alarm.
func table(out io.Writer, usage *promptrails.Usage, full *bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, h := range usage.Headroom() {
		limit, _ := usage.Limit(h.Key)
		if h.Unlimited {
			fmt.Fprintf(w, "  %s\t\t%d used\tunlimited\n", h.Key, limit.Used)
			continue
		}
		fmt.Fprintf(w, "  %s\t%s\t%d of %d\t%.0f %%\n", h.Key, bar(h.Share), limit.Used, *limit.Max, 100*h.Share)
		*full = *full || h.Share > alarm
	}
	return w.Flush()
}

// bar returns a bar of 20 characters for a share between 0 and 1.
func bar(share float64) string {
	const width = 20
	filled := int(min(1, share)*width + 0.5)
	return strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
}

// connect returns a client of the API, or of an embedded service if
// PROMPTRAILS_API_URL is not set.
func connect(ctx context.Context) (client *promptrails.Client, done func(), err error) {
	if os.Getenv("PROMPTRAILS_API_URL") != "" {
		client, err = promptrails.NewClient()
		return client, func() {}, err
	}
	service, err := embedded.Open(ctx, embedded.Config{})
	if err != nil {
		return nil, nil, err
	}
	done = func() {
		if err := service.Close(); err != nil {
			log.Print(err)
		}
	}
	client, err = prepare(ctx, service)
	if err != nil {
		done()
	}
	return client, done, err
}

// prepare creates a workspace with free capacity, and one that has reached its
// limit of agents.
func prepare(ctx context.Context, service *embedded.Service) (*promptrails.Client, error) {
	user, err := service.CreateUser(ctx, "ada@example.com", "Ada")
	if err != nil {
		return nil, err
	}
	ada, err := service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		return nil, err
	}
	for _, w := range []struct {
		name, slug string
		plan       promptrails.PlanID
		agents     int
	}{{"Research", "research", promptrails.PlanStarter, 1}, {"Support", "support", promptrails.PlanFree, 3}} {
		workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: w.name, Slug: w.slug})
		if err != nil {
			return nil, err
		}
		in := ada.InWorkspace(workspace.ID)
		if _, err := in.Billing.ChangePlan(ctx, w.plan); err != nil {
			return nil, err
		}
		for range w.agents {
			if _, err := in.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Agent"}); err != nil {
				return nil, err
			}
		}
	}
	return ada, nil
}

// printable escapes control and invisible characters in name, so that a name
// chosen by someone else cannot send control sequences to the terminal.
func printable(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	return quoted[1 : len(quoted)-1]
}
