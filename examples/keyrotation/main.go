// Keyrotation rotates an API key while a program is using it.
//
// Rolling out a new secret takes time: here the new key reaches the program one
// second after the rotation. If the old key remains valid for longer than that
// (the overlap), no request fails. Without an overlap, many do.
//
// The example needs no key and no network, because it runs an embedded
// workspace service.
//
//	go run ./examples/keyrotation -overlap 2s
//	go run ./examples/keyrotation -overlap 0s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const (
	rotations = 3
	workers   = 4
	rollOut   = time.Second           // until the program has the new key
	pace      = 50 * time.Millisecond // between the requests of a worker
)

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Keyrotation rotates an API key three times while workers use it, and prints how many
requests have failed. It runs a workspace service, and reads no environment variables.

Flags:
`)
	flag.PrintDefaults()
}

func main() {
	overlap := flag.Duration("overlap", 2*time.Second, "how long the old key remains valid, in whole seconds")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Stdout, *overlap)
	if ctx.Err() != nil {
		err = context.Cause(ctx) // the signal, also if it has interrupted a request
	}
	if err != nil {
		log.Fatal(err) //nolint:gocritic // exiting also restores the signal handler
	}
}

func run(ctx context.Context, out io.Writer, overlap time.Duration) (err error) {
	service, err := embedded.Open(ctx, embedded.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	owner, err := newWorkspace(ctx, service)
	if err != nil {
		return err
	}
	key, err := owner.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Worker", Scopes: promptrails.Scopes{promptrails.ScopeCredentialsRead}})
	if err != nil {
		return err
	}

	// The client calls this function for each request. In production it would
	// read the key from a file or a secret manager.
	var current atomic.Pointer[promptrails.CreatedAPIKey]
	current.Store(key)
	client, err := service.Client(promptrails.WithAPIKeySource(func(context.Context) (promptrails.Secret, error) { return current.Load().Key, nil }))
	if err != nil {
		return err
	}
	load := start(ctx, client)
	defer load.stop()
	fmt.Fprintf(out, "%d workers use the key, which is rotated %d times\n", workers, rotations)
	for range rotations {
		old := current.Load()
		fresh, err := owner.APIKeys.Rotate(ctx, old.ID, overlap)
		if err != nil {
			return err
		}
		if err := pause(ctx, rollOut); err != nil {
			return err
		}
		current.Store(fresh)
		if err := pause(ctx, max(overlap, rollOut)); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s…%s replaced by %s…%s, overlap %s; the old key: %s\n", old.Prefix, old.Last4, fresh.Prefix, fresh.Last4, overlap, state(ctx, service, old.Key))
	}
	load.stop()
	fmt.Fprintf(out, "%d requests, %d failed\n", load.done.Load(), load.failed.Load())
	return nil
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// newWorkspace creates a user and a workspace, and returns a client of the
// user for that workspace.
func newWorkspace(ctx context.Context, service *embedded.Service) (*promptrails.Client, error) {
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
	return ada.InWorkspace(workspace.ID), nil
}

// state returns the status of a key, or the code of the error that the service
// returns for it.
func state(ctx context.Context, service *embedded.Service, key promptrails.Secret) string {
	client, err := service.Client(promptrails.WithAPIKey(key.Reveal()))
	if err != nil {
		return err.Error()
	}
	current, err := client.APIKeys.Current(ctx)
	if e, ok := errors.AsType[*promptrails.Error](err); ok {
		return string(e.Code)
	}
	return string(current.Status)
}

// load is a set of workers that send requests until stop is called.
type load struct {
	done, failed atomic.Int64
	stop         func()
}

// start starts the workers.
func start(ctx context.Context, client *promptrails.Client) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{}
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for ctx.Err() == nil {
				if _, err := client.Credentials.List(context.WithoutCancel(ctx), nil); err != nil {
					l.failed.Add(1)
				}
				l.done.Add(1)
				time.Sleep(pace)
			}
		})
	}
	l.stop = func() { cancel(); running.Wait() }
	return l
}
