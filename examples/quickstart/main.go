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
// and PROMPTRAILS_GUEST_ACCESS_TOKEN. The program examples/server prints all
// three.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

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
	if os.Getenv("PROMPTRAILS_API_URL") != "" {
		if ada, err = promptrails.NewClient(); err != nil {
			return nil, nil, nil, nil, err
		}
		guest := os.Getenv("PROMPTRAILS_GUEST_ACCESS_TOKEN")
		if guest == "" {
			return nil, nil, nil, nil, errors.New("PROMPTRAILS_GUEST_ACCESS_TOKEN is not set: it must be the access token of a second user")
		}
		grace, err = promptrails.NewClient(promptrails.WithAccessToken(guest))
		return ada, grace, promptrails.NewClient, func() {}, err
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
