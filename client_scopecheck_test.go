package promptrails_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

const someKey = "pr_live_0123456789abcdef"

// keyServer is a transport that responds to GET /api-keys/current and to other
// requests, and counts both.
type keyServer struct {
	mu      sync.Mutex
	current http.HandlerFunc // GET /api-keys/current
	rest    http.HandlerFunc
	lookups int           // requests for /api-keys/current
	calls   int           // other requests
	last    *http.Request // the last lookup
}

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	next := s.rest
	if strings.HasSuffix(r.URL.Path, "/api-keys/current") {
		s.lookups++
		next, s.last = s.current, r
	} else {
		s.calls++
	}
	s.mu.Unlock()
	return (&scripted{script: []http.HandlerFunc{next}}).RoundTrip(r)
}

// checkCalls checks the numbers of lookups and of other requests.
func (s *keyServer) checkCalls(t *testing.T, lookups, calls int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lookups != lookups || s.calls != calls {
		t.Errorf("got %d lookups of the key and %d other requests, want %d and %d", s.lookups, s.calls, lookups, calls)
	}
}

func (s *keyServer) setCurrent(current http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = current
}

func currentKey(scopes ...string) http.HandlerFunc {
	return status(200, `{"data":{"id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","workspace_id":"w","scopes":["`+strings.Join(scopes, `","`)+`"]}}`)
}

func (s *keyServer) client(t *testing.T, opts ...promptrails.Option) *promptrails.Client {
	t.Helper()
	s.rest = status(200, `{"data":[],"meta":{"total":0,"page":1,"limit":20,"pages":0}}`)
	c, err := promptrails.NewClient(append([]promptrails.Option{
		promptrails.WithBaseURL("https://api.example.com"), promptrails.WithAPIKey(someKey), promptrails.WithWorkspace("w"),
		promptrails.WithHTTPClient(&http.Client{Transport: s}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readCredentials(ctx context.Context, c *promptrails.Client) error {
	_, err := c.Credentials.List(ctx, nil)
	return err
}

func readMembers(ctx context.Context, c *promptrails.Client) error {
	_, err := c.Members.List(ctx, nil)
	return err
}

// checkScopeRefused checks that err is a *ScopeError of the client itself, for
// the operation and the scope.
func checkScopeRefused(t *testing.T, err error, operation string, scope promptrails.Scope) {
	t.Helper()
	refused, ok := errors.AsType[*promptrails.ScopeError](err)
	if !ok || refused.Required != scope || !strings.Contains(err.Error(), operation) || !errors.Is(err, promptrails.ErrForbidden) {
		t.Fatalf("got %v, want a *ScopeError of %s that requires %s", err, operation, scope)
	}
	if _, sent := errors.AsType[*promptrails.Error](err); sent {
		t.Errorf("got %v with a response, want a *ScopeError without a request", err)
	}
}

func TestWithScopes(t *testing.T) {
	t.Parallel()
	s := &keyServer{current: currentKey("credentials:read")}
	c := s.client(t, promptrails.WithScopes(promptrails.ScopeCredentialsRead, "vendor:own"))
	if err := readCredentials(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	err := readMembers(t.Context(), c.InWorkspace("other"))
	checkScopeRefused(t, err, "GET /members", promptrails.ScopeMembersRead)
	if want := "promptrails: GET /members: request not sent: the API key requires the scope members:read; it has credentials:read vendor:own"; err.Error() != want {
		t.Errorf("Members.List: got error %q, want %q", err, want)
	}
	for _, err := range c.Members.All(t.Context(), nil) {
		checkScopeRefused(t, err, "GET /members", promptrails.ScopeMembersRead)
	}
	if _, err := c.APIKeys.Current(t.Context()); err != nil {
		t.Errorf("APIKeys.Current: got %v, want no error", err)
	}
	s.checkCalls(t, 1, 1)
}

// A call with invalid parameters returns their error, also without the scope.
func TestInvalidCallsWithoutScope(t *testing.T) {
	t.Parallel()
	s := &keyServer{}
	c := s.client(t, promptrails.WithScopes(promptrails.ScopeAgentsRead))
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"ctx":       func() error { return readMembers(nil, c) }, //nolint:staticcheck // a nil context is an error
		"workspace": func() error { return readMembers(ctx, c.InWorkspace("\n")) },
		"id":        func() error { _, err := c.Members.Get(ctx, ""); return err },
		"dots":      func() error { _, err := c.Members.Get(ctx, ".."); return err },
		"params":    func() error { _, err := c.Members.Update(ctx, "m", nil); return err },
		"option":    func() error { _, err := c.Members.Get(ctx, "m", promptrails.WithRequestID("")); return err },
		"query": func() error {
			_, err := c.Members.List(ctx, &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Page: -1}})
			return err
		},
		"body": func() error {
			_, err := c.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "\xff"})
			return err
		},
	} {
		if err := call(); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("%s: got %v, want ErrValidation", name, err)
		}
	}
	s.checkCalls(t, 0, 0)
}

func TestScopeCheckOptions(t *testing.T) {
	t.Parallel()
	key, check := promptrails.WithAPIKey(someKey), promptrails.WithScopeCheck()
	source := func(context.Context) (promptrails.Secret, error) { return promptrails.NewSecret(token), nil }
	for name, opts := range map[string][]promptrails.Option{
		"access token and check":        {promptrails.WithAccessToken(token), check},
		"access token source and check": {promptrails.WithAccessTokenSource(source), check},
		"access token and scopes":       {promptrails.WithAccessToken(token), promptrails.WithScopes(promptrails.ScopeAll)},
		"scopes and check":              {key, check, promptrails.WithScopes(promptrails.ScopeAll)},
		"no scopes":                     {key, promptrails.WithScopes()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := promptrails.NewClient(opts...); !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("NewClient: got %v, want ErrValidation", err)
			}
		})
	}
}

// The first call looks the scopes up, without a workspace. Concurrent calls share
// the lookup.
func TestScopeCheckSharesLookups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{current: currentKey("credentials:read")}
		c := s.client(t, promptrails.WithScopeCheck())
		s.checkCalls(t, 0, 0)
		inner, held := s.current, make(chan struct{})
		s.setCurrent(func(w http.ResponseWriter, r *http.Request) { <-held; inner(w, r) })
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if err := readCredentials(t.Context(), c); err != nil {
					t.Errorf("Credentials.List with the scope: got %v, want no error", err)
				}
			})
		}
		synctest.Wait()
		s.checkCalls(t, 1, 0)
		close(held)
		callers.Wait()
		s.checkCalls(t, 1, 100)
		if got := s.last.Header.Get("X-Workspace-ID"); got != "" || s.last.Header.Get("X-API-Key") != someKey {
			t.Errorf("lookup: got X-Workspace-ID %q and X-API-Key %q, want none and the client's key", got, s.last.Header.Get("X-API-Key"))
		}
	})
}

// A call that arrives while a lookup is being stored starts no second one.
func TestScopeCheckSharesLookupsWithLateCalls(t *testing.T) {
	t.Parallel()
	for range 100 {
		s := &keyServer{current: currentKey("credentials:read")}
		c := s.client(t, promptrails.WithScopeCheck())
		start := make(chan struct{})
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				<-start
				if err := readCredentials(t.Context(), c); err != nil {
					t.Errorf("Credentials.List with the scope: got %v, want no error", err)
				}
			})
		}
		close(start)
		callers.Wait()
		if s.checkCalls(t, 1, 200); t.Failed() {
			return
		}
	}
}

// A shared lookup continues after the caller that started it is canceled.
func TestScopeCheckLookupOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		c := s.client(t, promptrails.WithScopeCheck())
		held := make(chan struct{})
		s.setCurrent(func(w http.ResponseWriter, r *http.Request) { <-held; currentKey("credentials:read")(w, r) })
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if err := readCredentials(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled Credentials.List: got %v, want context.Canceled", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(held)
		callers.Wait()
		s.checkCalls(t, 1, 0)
	})
}

// Cached scopes can be out of date. They are looked up again before a call is
// rejected, at most once a minute.
func TestScopeCheckLooksUpAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{current: currentKey("credentials:read")}
		c := s.client(t, promptrails.WithScopeCheck())
		checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		s.checkCalls(t, 1, 0) // the scopes are new
		for range 5 {
			checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		}
		s.checkCalls(t, 2, 0)
		s.setCurrent(currentKey("credentials:read", "members:read"))
		time.Sleep(time.Minute - time.Nanosecond)
		checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		time.Sleep(time.Nanosecond)
		if err := readMembers(t.Context(), c); err != nil {
			t.Errorf("Members.List after a minute: got %v, want no error", err)
		}
		s.checkCalls(t, 3, 1)
	})
}

// If the server rejects a cached scope, the scopes are looked up again.
func TestScopeCheckAfterServerRejection(t *testing.T) {
	t.Parallel()
	s := &keyServer{current: currentKey("members:read")}
	c := s.client(t, promptrails.WithScopeCheck())
	s.rest = status(403, `{"error":{"code":"insufficient_scope","message":"no","details":{"required":"members:read","granted":["agents:read"]}}}`)
	err := readMembers(t.Context(), c)
	_, ok := errors.AsType[*promptrails.ScopeError](err)
	if e, responded := errors.AsType[*promptrails.Error](err); !ok || !responded || e.Operation != "GET /members" || e.Status != 403 {
		t.Fatalf("Members.List: got %v, want the *ScopeError of a 403 response", err)
	}
	s.setCurrent(currentKey("agents:read"))
	checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
	s.checkCalls(t, 2, 1)
}

// If the server has no such endpoint, calls are not checked. This is logged once.
func TestScopeCheckWithoutServerSupport(t *testing.T) {
	t.Parallel()
	for _, code := range []int{404, 405} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := &keyServer{current: status(code, `{"message":"Not Found"}`)}
			c := s.client(t, promptrails.WithScopeCheck(), promptrails.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
			for range 3 {
				if err := readMembers(t.Context(), c); err != nil {
					t.Errorf("Members.List after a lookup with %d: got %v, want no error", code, err)
				}
				time.Sleep(time.Hour)
			}
			s.checkCalls(t, 1, 3)
			if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "disabled") {
				t.Errorf("log after a lookup with %d: got %d lines, want 1 that contains \"disabled\":\n%s", code, lines, &log)
			}
		})
	}
}

// While lookups fail, calls are not checked. The lookup is repeated after a minute.
func TestScopeCheckWhileLookupsFail(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"500": status(500, ``), "503": status(503, ``), "403": status(403, `{"error":{"code":"ip_not_allowed","message":"no"}}`),
		"no key": status(200, `{"data":{}}`), "no scopes": status(200, `{"data":{"id":"k","workspace_id":"w"}}`), "HTML": status(200, "<html>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &keyServer{current: failure}
				c := s.client(t, promptrails.WithScopeCheck(), promptrails.WithMaxRetries(0))
				for range 2 {
					if err := readMembers(t.Context(), c); err != nil {
						t.Errorf("Members.List after a failed lookup: got %v, want no error", err)
					}
				}
				s.checkCalls(t, 1, 2)
				s.setCurrent(currentKey("agents:read"))
				time.Sleep(time.Minute)
				checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
				s.checkCalls(t, 2, 2)
			})
		})
	}
}

func TestScopeCheckReturnsInvalidKeyErrors(t *testing.T) {
	t.Parallel()
	s := &keyServer{current: status(401, `{"error":{"code":"api_key_revoked","message":"the API key was revoked"}}`)}
	c := s.client(t, promptrails.WithScopeCheck())
	for range 2 {
		err := readMembers(t.Context(), c)
		if e, ok := errors.AsType[*promptrails.Error](err); !ok || !errors.Is(err, promptrails.ErrUnauthorized) || e.Code != promptrails.CodeAPIKeyRevoked {
			t.Errorf("Members.List: got %v, want ErrUnauthorized with the code api_key_revoked", err)
		}
	}
	s.checkCalls(t, 2, 0)
}

// After a key loses a scope, the service rejects one call. Later calls are
// rejected by the client.
func TestScopeCheckWithEmbeddedService(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	key := must[*promptrails.CreatedAPIKey](t)(s.Owner.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "Reader", Scopes: promptrails.Scopes{promptrails.ScopeMembersRead, promptrails.ScopeAgentTriggersRead},
	}))
	c := must[*promptrails.Client](t)(s.Service.Client(promptrails.WithAPIKey(key.Key.Reveal()), promptrails.WithScopeCheck()))
	if err := readMembers(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	checkScopeRefused(t, readCredentials(t.Context(), c), "GET /credentials", promptrails.ScopeCredentialsRead)
	must[*promptrails.APIKey](t)(s.Owner.APIKeys.Update(t.Context(), key.ID, &promptrails.UpdateAPIKeyParams{Scopes: &promptrails.Scopes{promptrails.ScopeCredentialsRead}}))
	if err := readMembers(t.Context(), c); !errors.Is(err, promptrails.ErrForbidden) {
		t.Fatalf("Members.List after the scope was removed: got %v, want ErrForbidden", err)
	}
	checkScopeRefused(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
	if err := readCredentials(t.Context(), c); err != nil {
		t.Errorf("Credentials.List after the scope was added: got %v, want no error", err)
	}
}
