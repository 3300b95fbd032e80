// Server keeps workspaces in a file and answers the API over a port:
//
//	go run ./examples/server -addr 127.0.0.1:8080 -dsn workspaces.db
//
// At its first start it makes two people and prints their access tokens, as
// the quick start wants them.
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
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	dsn := flag.String("dsn", "workspaces.db", "the database's file; empty keeps it in memory")
	loopback := flag.Bool("loopback-webhooks", false, "let notifications go to this machine too, by http: to try them")
	issue := flag.String("issue-token", "", "print another access token for the person with this address, and end")
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

// serve answers until ctx ends, then lets running requests finish.
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
	server := &http.Server{
		Handler: service, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
	}
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

// issueToken prints an access token for a person who has lost theirs. The server
// may run meanwhile.
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

// greet makes an owner and a guest where the database is new, and prints what
// the quick start needs. Their tokens are shown this once.
func greet(ctx context.Context, service *embedded.Service, addr net.Addr, out io.Writer) error {
	owner, err := service.CreateUser(ctx, "owner@example.com", "Owner")
	if errors.Is(err, promptrails.ErrConflict) {
		_, err = fmt.Fprintf(out, "listening on http://%s; the access tokens were printed at the first start; -issue-token ADDRESS prints another\n", addr)
		return err
	}
	if err != nil {
		return err
	}
	guest, err := service.CreateUser(ctx, "guest@example.com", "Guest")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "listening on http://%s; run the quick start in another terminal with\n\n"+
		"export PROMPTRAILS_API_URL=http://%s\nexport PROMPTRAILS_ACCESS_TOKEN=%s\nexport PROMPTRAILS_GUEST_ACCESS_TOKEN=%s\n\n",
		addr, addr, owner.AccessToken.Reveal(), guest.AccessToken.Reveal())
	return err
}
