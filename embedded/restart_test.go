package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// balancer distributes requests over services, each of which can be replaced.
type balancer struct {
	next     atomic.Uint64
	backends []atomic.Pointer[embedded.Service]
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.backends[b.next.Add(1)%uint64(len(b.backends))].Load().ServeHTTP(w, r)
}

// worker creates credentials until it is stopped, and records those that were
// acknowledged.
type worker struct {
	mu    sync.Mutex
	ids   []string
	names int
	stop  atomic.Bool // no call is canceled, because it might be carried out later
}

func (w *worker) work(ctx context.Context, c *promptrails.Client, failed func(error)) {
	for !w.stop.Load() && ctx.Err() == nil {
		w.mu.Lock()
		w.names++
		name := fmt.Sprint("credential ", w.names)
		w.mu.Unlock()
		made, err := c.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: name, Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789")})
		if err != nil {
			failed(err)
			continue
		}
		w.mu.Lock()
		w.ids = append(w.ids, made.ID)
		w.mu.Unlock()
		if _, err = c.Credentials.Get(ctx, made.ID); err != nil {
			failed(fmt.Errorf("get of an acknowledged credential: %w", err))
		}
	}
}

func (w *worker) acknowledged() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ids)
}

// check compares the stored credentials with the acknowledged ones.
func (w *worker) check(t *testing.T, c *promptrails.Client) {
	t.Helper()
	names, ids := map[string]int{}, map[string]bool{}
	for credential, err := range c.Credentials.All(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		ids[credential.ID] = true
		if names[credential.Name]++; names[credential.Name] > 1 {
			t.Errorf("%s: got it twice, want it once", credential.Name)
		}
	}
	for _, id := range w.ids {
		if !ids[id] {
			t.Errorf("acknowledged credential %s: got none, want it stored", id)
		}
	}
	head, err := promptrails.VerifyChangelog(c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}), nil)
	if err != nil || head.Sequence != int64(2+len(ids)) {
		t.Errorf("VerifyChangelog: got %+v, %v, want %d entries", head, err, 2+len(ids))
	}
}

// While processes are replaced one after the other, no call of the client fails.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	shared(t, func(t *testing.T, cfg embedded.Config) {
		cfg.MasterKey, cfg.DefaultPlan = make([]byte, 32), promptrails.PlanEnterprise
		start := func() *embedded.Service { return must[*embedded.Service](t)(embedded.Open(t.Context(), cfg)) }
		b := &balancer{backends: make([]atomic.Pointer[embedded.Service], 3)}
		for i := range b.backends {
			b.backends[i].Store(start())
		}
		defer func() {
			for i := range b.backends {
				if err := b.backends[i].Load().Close(); err != nil {
					t.Errorf("Close: got %v, want no error", err)
				}
			}
		}()
		listener := httptest.NewServer(b)
		defer listener.Close()
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		owner := must[*embedded.User](t)(b.backends[0].Load().CreateUser(t.Context(), "ada@example.com", ""))
		c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithBaseURL(listener.URL), promptrails.WithAccessToken(owner.AccessToken.Reveal()),
			promptrails.WithHTTPClient(&http.Client{Transport: transport}), promptrails.WithIdempotentServer()))
		c = c.InWorkspace(must[*promptrails.Workspace](t)(c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "W", Slug: "w"})).ID)
		var w worker
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				w.work(t.Context(), c, func(err error) { t.Errorf("call during the restart: got %v, want no error", err) })
			})
		}
		for i := range b.backends {
			for before := w.acknowledged(); w.acknowledged() < before+20; { // under load
				if t.Context().Err() != nil {
					t.Fatal("no call succeeds")
				}
			}
			old := b.backends[i].Load()
			if err := old.Close(); err != nil {
				t.Errorf("Close under load: got %v, want no error", err)
			}
			b.backends[i].Store(start())
		}
		w.stop.Store(true)
		workers.Wait()
		w.check(t, c)
	})
}

// If PostgreSQL crashes under load, no acknowledged change is lost and none is made
// twice, and the service continues after the restart of the server.
func TestPostgresCrashes(t *testing.T) {
	t.Parallel()
	database, err := pgtest.Start(true)
	if errors.Is(err, pgtest.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(database.Stop)
	s := newServer(t, embedded.Config{DSN: database.URL, MasterKey: make([]byte, 32), DefaultPlan: promptrails.PlanEnterprise})
	c := ownerClient(t, s.Service)
	var w worker
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() { w.work(t.Context(), c, func(error) {}) }) // calls may fail during the crash
	}
	for range 3 {
		for before := w.acknowledged(); w.acknowledged() < before+50; {
			if t.Context().Err() != nil {
				t.Fatal("no call succeeds after a crash")
			}
		}
		if err := errors.Join(database.Kill(), database.Restart()); err != nil {
			t.Fatal(err)
		}
	}
	for before := w.acknowledged(); w.acknowledged() < before+50; {
		if t.Context().Err() != nil {
			t.Fatal("no call succeeds after the last crash")
		}
	}
	w.stop.Store(true)
	workers.Wait()
	w.check(t, c)
}
