// Gateway is an HTTP service that authenticates its callers by their
// PromptRails API keys. Each route lists the scopes it requires, and each
// handler can look up the caller's key.
//
//	go run ./examples/gateway -addr 127.0.0.1:8081
//
// It verifies keys with the API at PROMPTRAILS_API_URL, using the key in
// PROMPTRAILS_API_KEY, which must have the scope api_keys:verify. If
// PROMPTRAILS_API_URL is not set, it runs an embedded workspace service,
// creates two keys and prints curl commands that use them.
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
	"regexp"
	"strconv"
	"syscall"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Gateway is an HTTP service that authenticates its callers by their PromptRails API
keys, until SIGINT or SIGTERM.

Environment:
  PROMPTRAILS_API_URL  the API; if it is not set, a workspace service runs in the
                       program, which prints curl commands with keys of it
  PROMPTRAILS_API_KEY  a key with the scope api_keys:verify; required with
                       PROMPTRAILS_API_URL

Flags:
`)
	flag.PrintDefaults()
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8081", "address to listen on")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, os.Stdout); err != nil {
		log.Fatal(plain(err)) //nolint:gocritic // exiting also restores the signal handler
	}
}

// goOptions are the names of Go options in errors of the client. A person who
// runs this program can only set the variable next to them.
var goOptions = regexp.MustCompile(`With\w+, |; With\w+ allows it`)

func plain(err error) string { return goOptions.ReplaceAllString(err.Error(), "") }

// run serves until ctx is done. It then waits up to 10 seconds for running
// requests to finish.
func run(ctx context.Context, addr string, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	client, done, err := connect(ctx, listener.Addr(), out)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer done()
	handler, err := newGateway(client)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
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

// newGateway returns the handler of the service. Copy this function into your
// own program.
func newGateway(client *promptrails.Client) (http.Handler, error) {
	auth, err := promptrails.NewAuthenticator(client,
		promptrails.WithAuthCacheTTL(10*time.Second), // how long a revoked key may still be accepted
		promptrails.WithAuthMaxStale(time.Minute),    // the same, while PromptRails is unreachable
	)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /reports", auth.Middleware(promptrails.ScopeTracesRead)(http.HandlerFunc(listReports)))
	mux.Handle("POST /reports", auth.Middleware(promptrails.ScopeTracesRead, promptrails.ScopeAgentsExecute)(http.HandlerFunc(makeReport)))
	return mux, nil
}

func listReports(w http.ResponseWriter, r *http.Request) {
	key, _ := promptrails.PrincipalFromContext(r.Context())
	fmt.Fprintf(w, "the reports of the workspace %s, for %s\n", key.WorkspaceID, printable(key.Name))
}

func makeReport(w http.ResponseWriter, r *http.Request) {
	key, _ := promptrails.PrincipalFromContext(r.Context())
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "%s made a report\n", printable(key.Name))
}

// connect returns a client for verifying keys.
func connect(ctx context.Context, addr net.Addr, out io.Writer) (client *promptrails.Client, done func(), err error) {
	if url := os.Getenv("PROMPTRAILS_API_URL"); url != "" {
		key := os.Getenv("PROMPTRAILS_API_KEY")
		if key == "" {
			return nil, nil, errors.New("PROMPTRAILS_API_KEY is not set: it must be an API key with the scope api_keys:verify")
		}
		client, err = promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithBaseURL(url), promptrails.WithAPIKey(key), promptrails.WithLogger(slog.Default()))
		if err == nil {
			fmt.Fprintf(out, "listening on http://%s\n", addr)
		}
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
	client, err = prepare(ctx, service, addr, out)
	if err != nil {
		done()
	}
	return client, done, err
}

// prepare creates a workspace, a key for the gateway and two keys for its
// callers.
func prepare(ctx context.Context, service *embedded.Service, addr net.Addr, out io.Writer) (*promptrails.Client, error) {
	user, err := service.CreateUser(ctx, "ada@example.com", "Ada")
	if err != nil {
		return nil, err
	}
	ada, err := service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		return nil, err
	}
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		return nil, err
	}
	keys := ada.InWorkspace(workspace.ID).APIKeys
	issue := func(name string, scopes ...promptrails.Scope) (key *promptrails.CreatedAPIKey) {
		if err == nil {
			key, err = keys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: name, Scopes: scopes})
		}
		return key
	}
	own := issue("Gateway", promptrails.ScopeAPIKeysVerify)
	reader := issue("Reader", promptrails.ScopeTracesRead)
	writer := issue("Writer", promptrails.ScopeTracesRead, promptrails.ScopeAgentsExecute)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "listening on http://%s; try\n\n"+
		"curl -i -H 'X-API-Key: %s' http://%s/reports\n"+
		"curl -i -H 'X-API-Key: %[2]s' -X POST http://%[1]s/reports\n"+
		"curl -i -H 'Authorization: Bearer %[4]s' -X POST http://%[1]s/reports\n"+
		"curl -i http://%[1]s/reports\n\n", addr, reader.Key.Reveal(), addr, writer.Key.Reveal())
	return service.Client(promptrails.WithAPIKey(own.Key.Reveal()), promptrails.WithLogger(slog.Default()))
}

// printable escapes control and invisible characters in name, so that a name
// chosen by someone else cannot send control sequences to the terminal.
func printable(name string) string {
	quoted := strconv.QuoteToGraphic(name)
	return quoted[1 : len(quoted)-1]
}
