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
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Webhookreceiver receives the webhooks of a notification channel, and prints each event
once, until SIGINT or SIGTERM.

Environment:
  WEBHOOK_SECRETS  the secret of the channel, or both during a rotation, separated by
                   a space; if it is not set, a workspace service runs in the program,
                   and sends a few events

Flags:
`)
	flag.PrintDefaults()
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8082", "address to listen on for a real channel")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if secrets := strings.Fields(os.Getenv("WEBHOOK_SECRETS")); len(secrets) > 0 {
		err = serve(ctx, *addr, secrets, os.Stdout)
	} else {
		err = demo(ctx, os.Stdout)
	}
	if err != nil {
		log.Fatal(err) //nolint:gocritic // exiting also restores the signal handler
	}
}

// serve receives webhooks on addr until ctx is done. It then waits up to 10
// seconds for running requests, and prints the events that it has accepted.
func serve(ctx context.Context, addr string, texts []string, out io.Writer) error {
	secrets := make([]promptrails.Secret, len(texts))
	for i, text := range texts {
		secrets[i] = promptrails.NewSecret(text)
		// ParseWebhook ignores an unusable secret if there is another.
		if _, err := promptrails.ParseWebhook(http.Header{}, nil, secrets[i]); errors.Is(err, promptrails.ErrValidation) {
			return fmt.Errorf("WEBHOOK_SECRETS: secret %d is invalid: must be whsec_ followed by 24 to 64 bytes in base64", i+1)
		}
	}
	r, err := newReceiver(secrets...)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	log.Print("receiving on http://", listener.Addr())
	server := &http.Server{Handler: r, ReadTimeout: 15 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	for {
		select {
		case event := <-r.queue:
			fmt.Fprintln(out, describe(event))
		case err := <-served:
			return err
		case <-ctx.Done():
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			err := server.Shutdown(grace)
			for len(r.queue) > 0 {
				fmt.Fprintln(out, describe(<-r.queue))
			}
			return err
		}
	}
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
	if err := printNext(ctx, out, events); err != nil {
		return err
	}

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
		if err := printNext(ctx, out, events); err != nil {
			return err
		}
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
	next, err := receive(ctx, events)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the redelivery was discarded: %t\n", next.ID != test.WebhookID)
	for delivery, err := range ada.Notifications.AllDeliveries(ctx, channel.ID, &promptrails.ListDeliveriesParams{Status: promptrails.DeliveryFailed}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "failed:", delivery.Event)
	}
	return nil
}

// receive returns the next event.
func receive(ctx context.Context, events <-chan *promptrails.Event) (*promptrails.Event, error) {
	select {
	case event := <-events:
		return event, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// printNext prints the next event.
func printNext(ctx context.Context, out io.Writer, events <-chan *promptrails.Event) error {
	event, err := receive(ctx, events)
	if err == nil {
		fmt.Fprintln(out, describe(event))
	}
	return err
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
