// Quickstart administers two workspaces: it shows that one cannot see the
// other, takes a member in, is refused what a member may not do, stores a
// credential, issues an API key that may only read and lets a service of its
// own in with it, runs an agent, runs into a limit, is told of it over a
// webhook, masks personal data, and proves the changelog. It needs no key and
// no network: the workspace service runs inside.
//
// Set PROMPTRAILS_API_URL, PROMPTRAILS_ACCESS_TOKEN and
// PROMPTRAILS_GUEST_ACCESS_TOKEN to do the same over a port: examples/server
// prints all three.
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

func run(ctx context.Context, out io.Writer) error {
	ada, grace, newClient, done, err := connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	return tour(ctx, out, ada, grace, newClient)
}

// clientFunc makes another client of the same server.
type clientFunc func(...promptrails.Option) (*promptrails.Client, error)

// connect returns two people's clients, and a way to make more: of the server
// that the environment names, or of a service in this program.
func connect(ctx context.Context) (ada, grace *promptrails.Client, newClient clientFunc, done func(), err error) {
	if os.Getenv("PROMPTRAILS_API_URL") != "" {
		if ada, err = promptrails.NewClient(); err != nil {
			return nil, nil, nil, nil, err
		}
		guest := os.Getenv("PROMPTRAILS_GUEST_ACCESS_TOKEN")
		if guest == "" {
			return nil, nil, nil, nil, errors.New("set PROMPTRAILS_GUEST_ACCESS_TOKEN to a second person's access token")
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
		return nil, nil, nil, nil, err
	}
	return ada, grace, service.Client, done, nil
}
