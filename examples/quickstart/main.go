// Quickstart is a tour of the library. It
//
//   - creates two workspaces and shows that they are isolated from each other,
//   - invites a member and handles a role that does not permit an action,
//   - stores a credential and creates a read-only API key,
//   - authenticates callers of a service by their API keys,
//   - runs an agent, reaches a plan limit and receives a webhook about it,
//   - masks personal data, and
//   - verifies the changelog.
//
// It needs no key and no network, because it runs an embedded workspace
// service:
//
//	go run ./examples/quickstart
//
// To use a server instead, set PROMPTRAILS_API_URL, PROMPTRAILS_ACCESS_TOKEN
// and PROMPTRAILS_GUEST_ACCESS_TOKEN, the tokens of two users. The README of
// examples/server has the commands.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Quickstart is a tour of the library: workspaces, members, credentials, API keys, agents,
limits, webhooks, masking and the changelog.

Environment:
  PROMPTRAILS_API_URL             the API; if it is not set, a workspace service runs
                                  in the program
  PROMPTRAILS_ACCESS_TOKEN        the access token of a user, and
  PROMPTRAILS_GUEST_ACCESS_TOKEN  that of a second user; both are required with
                                  PROMPTRAILS_API_URL
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
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(plain(err)) //nolint:gocritic // exiting also restores the signal handler
	}
}

// goOptions are the names of Go options in errors of the client. A person who
// runs this program can only set the variable next to them.
var goOptions = regexp.MustCompile(`With\w+, |; With\w+ allows it`)

func plain(err error) string { return goOptions.ReplaceAllString(err.Error(), "") }

// run connects to a server and runs the tour.
func run(ctx context.Context, out io.Writer) error {
	ada, grace, newClient, done, err := connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	return tour(ctx, out, ada, grace, newClient)
}

// clientFunc returns a new client for the server of the tour.
type clientFunc func(...promptrails.Option) (*promptrails.Client, error)

// connect returns the clients of two users, and a function that makes more
// clients. They use the server at PROMPTRAILS_API_URL, or an embedded service
// if that is not set. The caller must call done at the end.
func connect(ctx context.Context) (ada, grace *promptrails.Client, newClient clientFunc, done func(), err error) {
	if url := os.Getenv("PROMPTRAILS_API_URL"); url != "" {
		newClient = func(opts ...promptrails.Option) (*promptrails.Client, error) {
			return promptrails.NewClient(append(opts, promptrails.WithoutEnvironment(), promptrails.WithBaseURL(url))...)
		}
		ada, err = userOf(newClient, "PROMPTRAILS_ACCESS_TOKEN")
		if err == nil {
			grace, err = userOf(newClient, "PROMPTRAILS_GUEST_ACCESS_TOKEN")
		}
		return ada, grace, newClient, func() {}, err
	}
	service, err := embedded.Open(ctx, embedded.Config{DefaultPlan: promptrails.PlanStarter, AllowLoopbackWebhooks: true})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	done = func() {
		if err := service.Close(); err != nil {
			log.Print(err)
		}
	}
	newUser := func(email, name string) *promptrails.Client {
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
	ada, grace = newUser("ada@example.com", "Ada"), newUser("grace@example.com", "Grace")
	if err != nil {
		done()
		return nil, nil, nil, nil, err
	}
	return ada, grace, service.Client, done, nil
}

// userOf returns the client of a user, with the access token in a variable.
func userOf(newClient clientFunc, variable string) (*promptrails.Client, error) {
	token := os.Getenv(variable)
	if token == "" {
		return nil, fmt.Errorf("%s is not set: it must be the access token of a user", variable)
	}
	return newClient(promptrails.WithAccessToken(token))
}
