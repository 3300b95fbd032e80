// Webhookreceiver receives the webhooks of a notification channel. It verifies
// the signature of each request, discards duplicates, and prints the events.
//
//	go run ./examples/webhookreceiver
//
// This runs an embedded workspace service with a channel for the receiver, and
// makes some changes that trigger events.
//
// To receive the webhooks of a real channel, set WEBHOOK_SECRETS to its secret,
// or to both secrets during a rotation, separated by a space. Put a proxy that
// terminates TLS in front of the listening address:
//
//	WEBHOOK_SECRETS="whsec_…" go run ./examples/webhookreceiver -addr 127.0.0.1:8082
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8082", "address to listen on for a real channel")
	flag.Parse()
	var err error
	if secrets := strings.Fields(os.Getenv("WEBHOOK_SECRETS")); len(secrets) > 0 {
		err = serve(*addr, secrets)
	} else {
		err = demo(context.Background(), os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve receives webhooks on addr until the program is stopped.
func serve(addr string, texts []string) error {
	secrets := make([]promptrails.Secret, len(texts))
	for i, text := range texts {
		secrets[i] = promptrails.NewSecret(text)
	}
	r, err := newReceiver(secrets...)
	if err != nil {
		return err
	}
	go func() {
		for event := range r.queue {
			fmt.Println(describe(event))
		}
	}()
	log.Print("receiving on http://", addr)
	server := &http.Server{Addr: addr, Handler: r, ReadTimeout: 15 * time.Second}
	return server.ListenAndServe()
}

// describe returns a one-line description of an event.
func describe(event *promptrails.Event) string {
	switch data := event.Data.(type) {
	case *promptrails.MemberEvent:
		return fmt.Sprintf("%s: %s, as %s", event.Type, printable(data.Email), data.Role)
	case *promptrails.UsageEvent:
		return fmt.Sprintf("%s: %d of %d %s", event.Type, data.Used, data.Max, data.Limit)
	case *promptrails.ChannelTestEvent:
		return fmt.Sprintf("%s: %s works", event.Type, printable(data.ChannelName))
	default: // any other type, including ones this version does not know
		return fmt.Sprintf("%s: %s", event.Type, event.Raw)
	}
}

// demo runs an embedded service and a receiver, creates a channel from one to
// the other, and triggers events.
func demo(ctx context.Context, out io.Writer) (err error) {
	service, err := embedded.Open(ctx, embedded.Config{DefaultPlan: promptrails.PlanStarter, AllowLoopbackWebhooks: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	ada, err := newClient(ctx, service, "ada@example.com")
	if err != nil {
		return err
	}
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		return err
	}
	ada = ada.InWorkspace(workspace.ID)

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	channel, err := ada.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
		Name: "Receiver", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret("http://" + listener.Addr().String() + "/hooks"),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	r, err := newReceiver(channel.Secret)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: r, ReadTimeout: 15 * time.Second}
	go func() { _ = server.Serve(listener) }() // returns after server.Close
	defer func() { err = errors.Join(err, server.Close()) }()
	return trigger(ctx, out, service, ada, channel, r.queue)
}

// trigger makes changes in the workspace, and prints the events received.
func trigger(ctx context.Context, out io.Writer, service *embedded.Service, ada *promptrails.Client, channel *promptrails.Channel, events <-chan *promptrails.Event) error {
	fmt.Fprintf(out, "channel %s delivers to %s\n", printable(channel.Name), printable(channel.URL))
	test, err := ada.Notifications.TestChannel(ctx, channel.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, describe(<-events))

	// With the owner, these members fill four of the plan's five seats.
	for _, email := range []string{"grace@example.com", "joan@example.com", "mary@example.com"} {
		invitation, err := ada.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleUser})
		if err != nil {
			return err
		}
		member, err := newClient(ctx, service, email)
		if err != nil {
			return err
		}
		if _, err := member.Invitations.Accept(ctx, invitation.Token); err != nil {
			return err
		}
	}
	for range 4 { // three members joined, and one usage threshold reached
		fmt.Fprintln(out, describe(<-events))
	}

	// A redelivery has the webhook-id of the original, so the receiver discards
	// it. Redeliver returns ErrConflict until the service has recorded the
	// first delivery.
	for {
		if _, err = ada.Notifications.Redeliver(ctx, test.ID); !errors.Is(err, promptrails.ErrConflict) {
			break
		}
	}
	if err != nil {
		return err
	}
	if _, err := ada.Notifications.TestChannel(ctx, channel.ID); err != nil {
		return err
	}
	next := <-events
	fmt.Fprintf(out, "the redelivery was discarded: %t\n", next.ID != test.WebhookID)
	for delivery, err := range ada.Notifications.AllDeliveries(ctx, channel.ID, &promptrails.ListDeliveriesParams{Status: promptrails.DeliveryFailed}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "failed:", delivery.Event)
	}
	return nil
}

// newClient creates a user and returns a client with their access token.
func newClient(ctx context.Context, service *embedded.Service, email string) (*promptrails.Client, error) {
	user, err := service.CreateUser(ctx, email, "")
	if err != nil {
		return nil, err
	}
	return service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
}

// printable escapes control and invisible characters in name, so that a name
// chosen by someone else cannot send control sequences to the terminal.
func printable(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	return quoted[1 : len(quoted)-1]
}
