// Webhookreceiver receives the notifications of a workspace: it checks who
// signed them, takes each once, and prints them.
//
//	go run ./examples/webhookreceiver
//
// runs the workspace service inside, with a channel that leads to the receiver,
// and lets something happen. To receive those of a real channel, give its
// secret (or two, while it is rotated), and let a proxy with a certificate lead
// to the address:
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
	addr := flag.String("addr", "127.0.0.1:8082", "where to listen for a real channel")
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

// serve receives until the program is stopped.
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

// describe says what happened.
func describe(event *promptrails.Event) string {
	switch data := event.Data.(type) {
	case *promptrails.MemberEvent:
		return fmt.Sprintf("%s: %s, as %s", event.Type, printable(data.Email), data.Role)
	case *promptrails.UsageEvent:
		return fmt.Sprintf("%s: %d of %d %s", event.Type, data.Used, data.Max, data.Limit)
	case *promptrails.ChannelTestEvent:
		return fmt.Sprintf("%s: %s works", event.Type, printable(data.ChannelName))
	default: // of a type that this program does not care for, or does not know
		return fmt.Sprintf("%s: %s", event.Type, event.Raw)
	}
}

// demo opens a channel to a receiver, and lets things happen.
func demo(ctx context.Context, out io.Writer) (err error) {
	service, err := embedded.Open(ctx, embedded.Config{DefaultPlan: promptrails.PlanStarter, AllowLoopbackWebhooks: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	ada, err := newPerson(ctx, service, "ada@example.com")
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
	go func() { _ = server.Serve(listener) }() // until it is closed
	defer func() { err = errors.Join(err, server.Close()) }()
	return happen(ctx, out, service, ada, channel, r.queue)
}

// happen lets things happen, and prints what comes of them.
func happen(ctx context.Context, out io.Writer, service *embedded.Service, ada *promptrails.Client, channel *promptrails.Channel, came <-chan *promptrails.Event) error {
	fmt.Fprintf(out, "The channel %s leads to %s\n", printable(channel.Name), printable(channel.URL))
	test, err := ada.Notifications.TestChannel(ctx, channel.ID)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, describe(<-came))

	for _, email := range []string{"grace@example.com", "joan@example.com", "mary@example.com"} { // four of five seats
		invitation, err := ada.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleUser})
		if err != nil {
			return err
		}
		person, err := newPerson(ctx, service, email)
		if err != nil {
			return err
		}
		if _, err := person.Invitations.Accept(ctx, invitation.Token); err != nil {
			return err
		}
	}
	for range 4 { // three who joined, and a limit that comes near to its end
		fmt.Fprintln(out, describe(<-came))
	}

	// What is sent again has the same webhook-id, so that it is dealt with once.
	for {
		if _, err = ada.Notifications.Redeliver(ctx, test.ID); !errors.Is(err, promptrails.ErrConflict) {
			break // it is delivered, and the service has noted that
		}
	}
	if err != nil {
		return err
	}
	if _, err := ada.Notifications.TestChannel(ctx, channel.ID); err != nil {
		return err
	}
	again := <-came
	fmt.Fprintf(out, "sent again, and taken once: the next event is another test: %t\n", again.ID != test.WebhookID)
	for delivery, err := range ada.Notifications.AllDeliveries(ctx, channel.ID, &promptrails.ListDeliveriesParams{Status: promptrails.DeliveryFailed}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "failed:", delivery.Event)
	}
	return nil
}

func newPerson(ctx context.Context, service *embedded.Service, email string) (*promptrails.Client, error) {
	user, err := service.CreateUser(ctx, email, "")
	if err != nil {
		return nil, err
	}
	return service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
}

// printable writes a name that somebody else chose so that it cannot steer a
// terminal: control and invisible characters are escaped.
func printable(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	return quoted[1 : len(quoted)-1]
}
