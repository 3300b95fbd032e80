// Usage prints how much of each plan limit is used, for every workspace of a
// user. The limits closest to exhaustion come first. If any limit is more than
// 90 % used, the exit status is 1 and stderr has the limits, so that a cron job
// can send an alert.
//
//	go run ./examples/usage
//
// It calls the API at PROMPTRAILS_API_URL with the token in
// PROMPTRAILS_ACCESS_TOKEN. If PROMPTRAILS_API_URL is not set, it runs an
// embedded workspace service with two workspaces.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"golang.org/x/term"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const alarm = 0.9 // exit with status 1 if a larger share of any limit is used

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Usage prints how much of each plan limit is used, for every workspace of a user.
If a limit is more than 90 % used, the exit status is 1.

Environment:
  PROMPTRAILS_API_URL       the API; if it is not set, a workspace service runs in
                            the program, with two workspaces
  PROMPTRAILS_ACCESS_TOKEN  the user's access token; required with PROMPTRAILS_API_URL
`)
}

func main() {
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	full, err := run(ctx, os.Stdout, term.IsTerminal(int(os.Stdout.Fd())))
	if err != nil {
		log.Fatal(plain(err)) //nolint:gocritic // exiting also restores the signal handler
	}
	if len(full) > 0 {
		log.Fatalf("more than %.0f %% used: %s", 100*alarm, strings.Join(full, ", "))
	}
}

// goOptions are the names of Go options in errors of the client. A person who
// runs this program can only set the variable next to them.
var goOptions = regexp.MustCompile(`With\w+, |; With\w+ allows it`)

func plain(err error) string { return goOptions.ReplaceAllString(err.Error(), "") }

// run prints the usage of every workspace, with bars for a terminal. It returns
// the limits of which a larger share than alarm is used.
func run(ctx context.Context, out io.Writer, bars bool) (full []string, err error) {
	client, done, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	for workspace, err := range client.Workspaces.All(ctx, nil) {
		if err != nil {
			return nil, err
		}
		usage, err := client.InWorkspace(workspace.ID).Billing.Usage(ctx)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "%s, plan %s, period until %s\n", printable(workspace.Name), workspace.Plan, usage.PeriodEnd.Format("2006-01-02"))
		over, err := table(out, usage, bars)
		if err != nil {
			return nil, err
		}
		for _, limit := range over {
			full = append(full, fmt.Sprintf("%s of %s", limit, printable(workspace.Name)))
		}
	}
	return full, nil
}

// table prints one row for each limit. It returns the limits of which a larger
// share than alarm is used.
func table(out io.Writer, usage *promptrails.Usage, bars bool) (full []string, err error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, h := range usage.Headroom() {
		limit, _ := usage.Limit(h.Key)
		amount := fmt.Sprintf("%d used\tunlimited", limit.Used)
		filled := ""
		if !h.Unlimited {
			amount = fmt.Sprintf("%d of %d\t%.0f %%", limit.Used, *limit.Max, 100*h.Share)
			filled = bar(h.Share)
		}
		if bars {
			amount = filled + "\t" + amount
		}
		fmt.Fprintf(w, "  %s\t%s\n", h.Key, amount)
		if h.Share > alarm {
			full = append(full, string(h.Key))
		}
	}
	return full, w.Flush()
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
	if url := os.Getenv("PROMPTRAILS_API_URL"); url != "" {
		token := os.Getenv("PROMPTRAILS_ACCESS_TOKEN")
		if token == "" {
			return nil, nil, errors.New("PROMPTRAILS_ACCESS_TOKEN is not set: it must be the access token of a user")
		}
		client, err = promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithBaseURL(url), promptrails.WithAccessToken(token))
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
