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

// keyServer is a transport that answers for the calling key, and counts.
type keyServer struct {
	mu      sync.Mutex
	current http.HandlerFunc // GET /api-keys/current
	rest    http.HandlerFunc
	asked   int
	calls   int
	last    *http.Request // of those that asked
}

func (s *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	next := s.rest
	if strings.HasSuffix(r.URL.Path, "/api-keys/current") {
		s.asked++
		next, s.last = s.current, r
	} else {
		s.calls++
	}
	s.mu.Unlock()
	return (&answers{script: []http.HandlerFunc{next}}).RoundTrip(r)
}

// wants fails the test unless the key was asked about, and called with, so
// often.
func (s *keyServer) wants(t *testing.T, asked, calls int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != asked || s.calls != calls {
		t.Errorf("asked %d times and called %d times, want %d and %d", s.asked, s.calls, asked, calls)
	}
}

func (s *keyServer) answers(current http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = current
}

func keyWith(scopes ...string) http.HandlerFunc {
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

// lacks fails the test unless err refuses a scope before the wire.
func lacks(t *testing.T, err error, operation string, scope promptrails.Scope) {
	t.Helper()
	refused, ok := errors.AsType[*promptrails.ScopeError](err)
	if !ok || refused.Required != scope || !strings.Contains(err.Error(), operation) || !errors.Is(err, promptrails.ErrForbidden) {
		t.Fatalf("got %v", err)
	}
	if _, sent := errors.AsType[*promptrails.Error](err); sent {
		t.Errorf("an answer stands behind %v", err)
	}
}

func TestWithScopes(t *testing.T) {
	t.Parallel()
	s := &keyServer{current: keyWith("credentials:read")}
	c := s.client(t, promptrails.WithScopes(promptrails.ScopeCredentialsRead, "vendor:own"))
	if err := readCredentials(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	err := readMembers(t.Context(), c.InWorkspace("other"))
	lacks(t, err, "GET /members", promptrails.ScopeMembersRead)
	if want := "promptrails: GET /members: request not sent: the API key requires the scope members:read; it has credentials:read vendor:own"; err.Error() != want {
		t.Errorf("reads %q", err)
	}
	for _, err := range c.Members.All(t.Context(), nil) {
		lacks(t, err, "GET /members", promptrails.ScopeMembersRead)
	}
	if _, err := c.APIKeys.Current(t.Context()); err != nil {
		t.Errorf("any key may ask for itself: %v", err)
	}
	s.wants(t, 1, 1)
}

func TestScopeCheckOptions(t *testing.T) {
	t.Parallel()
	key, check := promptrails.WithAPIKey(someKey), promptrails.WithScopeCheck()
	source := func(context.Context) (promptrails.Secret, error) { return promptrails.NewSecret(token), nil }
	for name, opts := range map[string][]promptrails.Option{
		"a token and a check":        {promptrails.WithAccessToken(token), check},
		"a token source and a check": {promptrails.WithAccessTokenSource(source), check},
		"a token and scopes":         {promptrails.WithAccessToken(token), promptrails.WithScopes(promptrails.ScopeAll)},
		"both":                       {key, check, promptrails.WithScopes(promptrails.ScopeAll)},
		"no scope":                   {key, promptrails.WithScopes()},
	} {
		if _, err := promptrails.NewClient(opts...); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The scopes are asked for once, by whoever comes first, and without a
// workspace; what they do not cover never leaves.
func TestScopeCheckAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{current: keyWith("credentials:read")}
		c := s.client(t, promptrails.WithScopeCheck())
		s.wants(t, 0, 0)
		inner, held := s.current, make(chan struct{})
		s.answers(func(w http.ResponseWriter, r *http.Request) { <-held; inner(w, r) })
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if err := readCredentials(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		s.wants(t, 1, 0)
		close(held)
		callers.Wait()
		s.wants(t, 1, 100)
		if got := s.last.Header.Get("X-Workspace-ID"); got != "" || s.last.Header.Get("X-API-Key") != someKey {
			t.Errorf("asked in the workspace %q", got)
		}
	})
}

// Whoever comes while the answer is landing does not ask a second time.
func TestScopeCheckAsksOnceForStragglers(t *testing.T) {
	t.Parallel()
	for range 100 {
		s := &keyServer{current: keyWith("credentials:read")}
		c := s.client(t, promptrails.WithScopeCheck())
		start := make(chan struct{})
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				<-start
				if err := readCredentials(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		callers.Wait()
		if s.wants(t, 1, 200); t.Failed() {
			return
		}
	}
}

// A caller that leaves does not take the question with it.
func TestScopeCheckOutlivesACaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{}
		c := s.client(t, promptrails.WithScopeCheck())
		held := make(chan struct{})
		s.answers(func(w http.ResponseWriter, r *http.Request) { <-held; keyWith("credentials:read")(w, r) })
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if err := readCredentials(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller that left: %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(held)
		callers.Wait()
		s.wants(t, 1, 0)
	})
}

// Scopes that were asked for earlier may be out of date: one more question
// before a refusal, at most once a minute.
func TestScopeCheckAsksAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{current: keyWith("credentials:read")}
		c := s.client(t, promptrails.WithScopeCheck())
		lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		s.wants(t, 1, 0) // the answer is as new as it can be
		for range 5 {
			lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		}
		s.wants(t, 2, 0)
		s.answers(keyWith("credentials:read", "members:read"))
		time.Sleep(time.Minute - time.Nanosecond)
		lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
		time.Sleep(time.Nanosecond)
		if err := readMembers(t.Context(), c); err != nil {
			t.Error(err)
		}
		s.wants(t, 3, 1)
	})
}

// A server that refuses a scope knows better than what is remembered.
func TestScopeCheckAfterARefusal(t *testing.T) {
	t.Parallel()
	s := &keyServer{current: keyWith("members:read")}
	c := s.client(t, promptrails.WithScopeCheck())
	s.rest = status(403, `{"error":{"code":"insufficient_scope","message":"no","details":{"required":"members:read","granted":["agents:read"]}}}`)
	err := readMembers(t.Context(), c)
	_, ok := errors.AsType[*promptrails.ScopeError](err)
	if e, answered := errors.AsType[*promptrails.Error](err); !ok || !answered || e.Operation != "GET /members" || e.Status != 403 {
		t.Fatalf("got %v", err)
	}
	s.answers(keyWith("agents:read"))
	lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
	s.wants(t, 2, 1)
}

func TestScopeCheckAtAServerThatCannotTell(t *testing.T) {
	t.Parallel()
	for _, code := range []int{404, 405} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := &keyServer{current: status(code, `{"message":"Not Found"}`)}
			c := s.client(t, promptrails.WithScopeCheck(), promptrails.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			for range 3 {
				if err := readMembers(t.Context(), c); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Hour)
			}
			s.wants(t, 1, 3)
			if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "scope check disabled") {
				t.Errorf("%d lines: %s", lines, &log)
			}
		})
	}
}

func TestScopeCheckWhileTheQuestionFails(t *testing.T) {
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
						t.Error(err)
					}
				}
				s.wants(t, 1, 2)
				s.answers(keyWith("agents:read"))
				time.Sleep(time.Minute)
				lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
				s.wants(t, 2, 2)
			})
		})
	}
}

func TestScopeCheckReturnsThatTheKeyIsNotKnown(t *testing.T) {
	t.Parallel()
	s := &keyServer{current: status(401, `{"error":{"code":"api_key_revoked","message":"the API key was revoked"}}`)}
	c := s.client(t, promptrails.WithScopeCheck())
	for range 2 {
		err := readMembers(t.Context(), c)
		if e, ok := errors.AsType[*promptrails.Error](err); !ok || !errors.Is(err, promptrails.ErrUnauthorized) || e.Code != promptrails.CodeAPIKeyRevoked {
			t.Errorf("got %v", err)
		}
	}
	s.wants(t, 2, 0)
}

// Against the service itself: a key that loses a scope is refused there, once,
// and from then on before the wire.
func TestScopeCheckAgainstTheService(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	key := must[*promptrails.CreatedAPIKey](t)(s.Owner.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "Reader", Scopes: promptrails.Scopes{promptrails.ScopeMembersRead, promptrails.ScopeAgentTriggersRead},
	}))
	c := must[*promptrails.Client](t)(s.Service.Client(promptrails.WithAPIKey(key.Key.Reveal()), promptrails.WithScopeCheck()))
	if err := readMembers(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	lacks(t, readCredentials(t.Context(), c), "GET /credentials", promptrails.ScopeCredentialsRead)
	must[*promptrails.APIKey](t)(s.Owner.APIKeys.Update(t.Context(), key.ID, &promptrails.UpdateAPIKeyParams{Scopes: &promptrails.Scopes{promptrails.ScopeCredentialsRead}}))
	if err := readMembers(t.Context(), c); !errors.Is(err, promptrails.ErrForbidden) {
		t.Fatal(err)
	}
	lacks(t, readMembers(t.Context(), c), "GET /members", promptrails.ScopeMembersRead)
	if err := readCredentials(t.Context(), c); err != nil {
		t.Error(err)
	}
}
