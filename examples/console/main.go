// Console is a web console for workspaces: members, credentials, API keys, notifications,
// data masking, the changelog and billing. It is built on the public client, and so works
// with any server.
//
//	go run ./examples/console                          # sample data, and a link that logs in
//	go run ./examples/console -url https://api.promptrails.ai
//
// README.md describes how it is built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The exit codes.
const (
	exitFailed = 1
	exitUsage  = 2 // invalid arguments
)

const (
	defaultAddr = "127.0.0.1:8080"
	grace       = 10 * time.Second // for running requests, after a signal
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the values of the flags.
type settings struct {
	addr            string
	addrSet         bool
	url             string
	tlsCert, tlsKey string
	https           bool // people reach the console over HTTPS
	logLevel        slog.Level
}

func (s *settings) flags() *flag.FlagSet {
	f := flag.NewFlagSet("console", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.addr, "addr", defaultAddr, "listen on this `address`; if the default cannot be used, on a free port")
	f.StringVar(&s.url, "url", "", "administer the workspaces of the API at this `URL`; people log in with an access token or an API key. Without it, the console runs a service in memory, with sample data")
	f.StringVar(&s.tlsCert, "tls-cert", "", "serve HTTPS with the certificate chain in this `file`, in PEM format")
	f.StringVar(&s.tlsKey, "tls-key", "", "the `file` with the private key of the certificate")
	f.BoolVar(&s.https, "https", false, "people reach the console over HTTPS, through a proxy: cookies are sent over HTTPS only")
	f.TextVar(&s.logLevel, "log-level", slog.LevelWarn, "the lowest `level` of the log on stderr: debug, info (a line for each request), warn or error")
	return f
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Console is a web console for workspaces. Without flags it serves sample data, and prints
a link that logs in.

Flags:
`)
	f := new(settings).flags()
	f.SetOutput(w)
	f.PrintDefaults()
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	f := s.flags()
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	f.Visit(func(f *flag.Flag) { s.addrSet = s.addrSet || f.Name == "addr" })
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return nil, errors.New("-tls-cert and -tls-key belong together")
	}
	s.https = s.https || s.tlsCert != ""
	if _, _, err := net.SplitHostPort(s.addr); err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	if !s.https && !isLoopback(s.addr) {
		return nil, fmt.Errorf("-addr %s: other machines would send access tokens without encryption; set -tls-cert and -tls-key, or -https if a proxy encrypts", s.addr)
	}
	if s.url != "" {
		if _, err := connectTo(s.url, nil)(); err != nil {
			return nil, fmt.Errorf("-url: %w", err)
		}
	}
	return s, nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip, notIP := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || notIP == nil && ip.IsLoopback())
}

func run(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "console: %v\nRun console -h for the flags.\n", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal has its default effect
	if err := serve(ctx, s, stdout, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: s.logLevel}))); err != nil {
		fmt.Fprintln(stderr, "console:", err)
		return exitFailed
	}
	return 0
}

// serve serves the console until ctx is done. It then waits for running requests.
func serve(ctx context.Context, s *settings, stdout io.Writer, log *slog.Logger) (err error) {
	c := newConsole(connectTo(s.url, log), log, s.https)
	if s.url == "" {
		sample, err := openSample(ctx, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, sample.Close()) }()
		c.useSample(sample)
	}
	listener, err := listen(ctx, s)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	if s.tlsCert != "" {
		url = "https://" + listener.Addr().String()
	}
	fmt.Fprintf(stdout, "The console is at %s\n", url)
	if c.sample != nil {
		fmt.Fprintln(stdout, "Its data is a sample, in memory. Press Ctrl+C to stop.")
		c.links.announce = func(path string) {
			fmt.Fprintf(stdout, "Log in with this link, which works one time: %s%s\n", url, path)
		}
		c.links.renew()
	}
	server := c.server()
	served := make(chan error, 1)
	go func() {
		if s.tlsCert != "" {
			served <- server.ServeTLS(listener, s.tlsCert, s.tlsKey)
		} else {
			served <- server.Serve(listener)
		}
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were interrupted after %s", grace), server.Close())
	}
	return nil
}

// listen listens on -addr, or on a free port if the default one cannot be used. Systems differ
// in the error for a port that is in use.
func listen(ctx context.Context, s *settings) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.addr)
	if err != nil && !s.addrSet {
		listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	return listener, nil
}

// connectFunc returns a client for the API. The options authenticate it.
type connectFunc func(...promptrails.Option) (*promptrails.Client, error)

// connectTo returns a function that connects to the API at url.
func connectTo(url string, log *slog.Logger) connectFunc {
	return func(opts ...promptrails.Option) (*promptrails.Client, error) {
		opts = append(opts, promptrails.WithoutEnvironment(), promptrails.WithBaseURL(url), promptrails.WithUserAgent(userAgent))
		if log != nil {
			opts = append(opts, promptrails.WithLogger(log))
		}
		return promptrails.NewClient(opts...)
	}
}
