// Keyrotation rotates an API key while a program works with it. The new key
// reaches the program a second after it was made, as it takes a while to roll
// out a secret: with an overlap longer than that no request fails, without one
// many do. It needs no key and no network: the workspace service runs inside.
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
	"sync"
	"sync/atomic"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const (
	rotations = 3
	workers   = 4
	rollOut   = time.Second           // until a new key has reached the program
	pace      = 50 * time.Millisecond // between two requests of a worker
)

func main() {
	overlap := flag.Duration("overlap", 2*time.Second, "how long the old key goes on, in whole seconds")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *overlap); err != nil {
		log.Fatal(err)
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

	// The program asks for its key at each request, wherever it keeps it.
	var current atomic.Pointer[promptrails.CreatedAPIKey]
	current.Store(key)
	client, err := service.Client(promptrails.WithAPIKeySource(func(context.Context) (promptrails.Secret, error) { return current.Load().Key, nil }))
	if err != nil {
		return err
	}
	load := start(ctx, client)
	for range rotations {
		old := current.Load()
		fresh, err := owner.APIKeys.Rotate(ctx, old.ID, overlap)
		if err != nil {
			load.stop()
			return err
		}
		time.Sleep(rollOut)
		current.Store(fresh)
		time.Sleep(max(overlap, rollOut))
		fmt.Fprintf(out, "%s…%s replaced by %s…%s, overlap %s; the old key: %s\n", old.Prefix, old.Last4, fresh.Prefix, fresh.Last4, overlap, state(ctx, service, old.Key))
	}
	load.stop()
	fmt.Fprintf(out, "%d requests, %d failed\n", load.done.Load(), load.failed.Load())
	return nil
}

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

// state says what the service answers to a key.
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

// load is a program at work.
type load struct {
	done, failed atomic.Int64
	stop         func()
}

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
