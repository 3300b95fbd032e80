package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// together runs n calls of fn concurrently. It returns the number of calls that
// succeeded, and the errors of the others.
func together(n int, fn func(i int) error) (succeeded int, failures []error) {
	var mu sync.Mutex
	var callers sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		callers.Go(func() {
			<-start
			err := fn(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				succeeded++
			} else {
				failures = append(failures, err)
			}
		})
	}
	close(start)
	callers.Wait()
	return succeeded, failures
}

// client creates a user and returns a client for it.
func (s *server) client(email string) *promptrails.Client {
	s.t.Helper()
	c, err := s.Client(promptrails.WithAccessToken(s.person(email).user.AccessToken.Reveal()))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Concurrent requests for the same slug, the last seats or the same version
// succeed only as often as the rules allow.
func TestRaces(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		ctx := t.Context()
		s := newServer(t, cfg)
		ada := s.client("ada@example.com")
		n, failures := together(16, func(int) error {
			_, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "W", Slug: "wanted"})
			return err
		})
		if n != 1 {
			t.Errorf("Workspaces.Create with the same slug: got %d successes, want 1", n)
		}
		for _, err := range failures {
			if !errors.Is(err, promptrails.ErrConflict) {
				t.Errorf("Workspaces.Create with the same slug: got %v, want ErrConflict", err)
			}
		}
		w, err := ada.Workspaces.Get(ctx, "wanted")
		if err != nil {
			t.Fatal(err)
		}
		in := ada.InWorkspace(w.ID)
		n, failures = together(20, func(i int) error {
			_, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: fmt.Sprintf("%d@example.com", i), Role: promptrails.RoleUser})
			return err
		})
		if n != 4 {
			t.Errorf("Invitations.Create with 4 free seats: got %d successes, want 4", n)
		}
		for _, err := range failures {
			if !errors.Is(err, promptrails.ErrQuotaExceeded) {
				t.Errorf("Invitations.Create with 4 free seats: got %v, want ErrQuotaExceeded", err)
			}
		}
		n, failures = together(10, func(i int) error {
			_, err := ada.Workspaces.Update(ctx, w.ID, &promptrails.UpdateWorkspaceParams{Name: new(fmt.Sprint("Name ", i))}, promptrails.WithIfMatch(1))
			return err
		})
		if n != 1 {
			t.Errorf("Workspaces.Update of version 1: got %d successes, want 1", n)
		}
		for _, err := range failures {
			if !errors.Is(err, promptrails.ErrPreconditionFailed) {
				t.Errorf("Workspaces.Update of version 1: got %v, want ErrPreconditionFailed", err)
			}
		}
		var sequence int64
		for e, err := range in.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}) {
			if err != nil {
				t.Fatal(err)
			}
			if sequence++; e.Sequence != sequence {
				t.Fatalf("sequence of a changelog entry: got %d, want %d", e.Sequence, sequence)
			}
		}
		if sequence != 2+4+1 {
			t.Errorf("changelog: got %d entries, want 7: workspace, member, four invitations, one change", sequence)
		}
	})
}

// cutter is a proxy that drops responses. For each idempotency key, it closes the
// connection instead of returning the first zero, one or two successful responses.
type cutter struct {
	proxy *httputil.ReverseProxy
	cuts  atomic.Int64
	mu    sync.Mutex
	seen  map[string]int
}

func newCutter(target *url.URL, transport http.RoundTripper) *cutter {
	c := &cutter{seen: map[string]int{}, proxy: httputil.NewSingleHostReverseProxy(target)}
	c.proxy.Transport = transport
	c.proxy.ModifyResponse = func(r *http.Response) error {
		key := r.Request.Header.Get("Idempotency-Key")
		if key == "" || r.StatusCode >= 300 {
			return nil
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.seen[key]++; c.seen[key] <= len(c.seen)%3 { // zero, one or two
			c.cuts.Add(1)
			_ = r.Body.Close()
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	return c
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.proxy.ServeHTTP(w, r) }

// 32 callers retry changes whose responses were lost. Each object is created only
// once, and each change is made only once.
func TestRetriedChangesAreMadeOnce(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		ctx := t.Context()
		cfg.DefaultPlan = promptrails.PlanEnterprise
		s := newServer(t, cfg)
		target, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		upstream, transport := &http.Transport{}, &http.Transport{}
		cut := newCutter(target, upstream)
		proxy := httptest.NewServer(cut)
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			upstream.CloseIdleConnections()
			proxy.Close()
		})
		const callers, rounds = 32, 4
		work := func(ctx context.Context, i int) error {
			user, err := s.CreateUser(ctx, fmt.Sprintf("%d@example.com", i), "")
			if err != nil {
				return err
			}
			c, err := promptrails.NewClient(promptrails.WithBaseURL(proxy.URL), promptrails.WithAccessToken(user.AccessToken.Reveal()),
				promptrails.WithHTTPClient(&http.Client{Transport: transport}), promptrails.WithIdempotentServer())
			if err != nil {
				return err
			}
			for round := range rounds {
				w, err := c.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "W", Slug: fmt.Sprintf("w-%d-%d", i, round)})
				if err != nil {
					return err
				}
				in := c.InWorkspace(w.ID)
				invitation, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "guest@example.com", Role: promptrails.RoleUser})
				if err != nil {
					return err
				}
				// If the change were made twice, the second would fail at version 2.
				if _, err := c.Workspaces.Update(ctx, w.ID, &promptrails.UpdateWorkspaceParams{Name: new("Renamed")}, promptrails.WithIfMatch(1)); err != nil {
					return err
				}
				if err := in.Invitations.Revoke(ctx, invitation.ID); err != nil {
					return err
				}
				head, err := in.Changelog.Head(ctx)
				if err != nil {
					return err
				}
				if head.Sequence != 5 {
					return fmt.Errorf("changelog: got %d entries, want 5", head.Sequence)
				}
			}
			page, err := c.Workspaces.List(ctx, nil)
			if err == nil && page.Meta.Total != rounds {
				err = fmt.Errorf("workspaces: got %d, want %d", page.Meta.Total, rounds)
			}
			return err
		}
		if _, failures := together(callers, func(i int) error { return work(ctx, i) }); len(failures) > 0 {
			t.Errorf("callers: got %d failures, want none; the first is: %v", len(failures), failures[0])
		}
		if cut.cuts.Load() < 100 {
			t.Errorf("dropped responses: got %d, want at least 100", cut.cuts.Load())
		}
	})
}
