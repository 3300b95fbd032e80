// Server serves the API over HTTP and stores workspaces in a file:
//
//	go run ./examples/server -addr 127.0.0.1:8080 -dsn workspaces.db
//
// On its first start it creates two users and prints their access tokens as
// environment variables for examples/quickstart.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	dsn := flag.String("dsn", "workspaces.db", "database file; empty for an in-memory database")
	loopback := flag.Bool("loopback-webhooks", false, "also deliver webhooks to loopback addresses over plain HTTP, for local testing")
	issue := flag.String("issue-token", "", "print a new access token for the user with this email address, and exit")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *issue != "" {
		if err := issueToken(ctx, *dsn, *issue, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err == nil {
		err = serve(ctx, listener, embedded.Config{DSN: *dsn, AllowLoopbackWebhooks: *loopback}, os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// serve serves the API until ctx is done. It then shuts down, and waits up to
// 10 seconds for running requests to finish.
func serve(ctx context.Context, listener net.Listener, cfg embedded.Config, out io.Writer) (err error) {
	cfg.DefaultPlan, cfg.Logger = promptrails.PlanStarter, slog.Default()
	service, err := embedded.Open(ctx, cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := greet(ctx, service, listener.Addr(), out); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := embedded.NewServer(service, "")
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return server.Shutdown(grace)
	}
}

// issueToken prints a new access token for a user who lost theirs. It can run
// while the server is running.
func issueToken(ctx context.Context, dsn, email string, out io.Writer) (err error) {
	service, err := embedded.Open(ctx, embedded.Config{DSN: dsn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	user, err := service.UserByEmail(ctx, email)
	if err != nil {
		return err
	}
	token, err := service.IssueAccessToken(ctx, user.ID, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, token.Token.Reveal())
	return err
}

// greet creates an owner and a guest if the database is new, and prints the
// environment variables for examples/quickstart. The tokens cannot be read
// later.
func greet(ctx context.Context, service *embedded.Service, addr net.Addr, out io.Writer) error {
	owner, err := service.CreateUser(ctx, "owner@example.com", "Owner")
	if errors.Is(err, promptrails.ErrConflict) {
		_, err = fmt.Fprintf(out, "listening on http://%s; the access tokens were printed on the first start; use -issue-token EMAIL to print a new one\n", addr)
		return err
	}
	if err != nil {
		return err
	}
	guest, err := service.CreateUser(ctx, "guest@example.com", "Guest")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "listening on http://%s; to use this server from examples/quickstart, run in another terminal\n\n"+
		"export PROMPTRAILS_API_URL=http://%s\nexport PROMPTRAILS_ACCESS_TOKEN=%s\nexport PROMPTRAILS_GUEST_ACCESS_TOKEN=%s\n\n",
		addr, addr, owner.AccessToken.Reveal(), guest.AccessToken.Reveal())
	return err
}
