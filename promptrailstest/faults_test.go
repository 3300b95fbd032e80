package promptrailstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

func TestFailNext(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	s.FailNext(2, http.StatusServiceUnavailable)
	if _, err := s.Client().Members.Self(t.Context()); err != nil {
		t.Errorf("Members.Self with two failures: got %v, want no error after two retries", err)
	}
	if got, want := statuses(s, "GET /api/v1/members/me"), []int{503, 503, 200}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}

	// A request that fails is not carried out.
	once := s.Client(promptrails.WithMaxRetries(0))
	for status, want := range map[int]error{
		400: promptrails.ErrValidation, 401: promptrails.ErrUnauthorized, 403: promptrails.ErrForbidden, 404: promptrails.ErrNotFound,
		409: promptrails.ErrConflict, 500: promptrails.ErrServer, 502: promptrails.ErrUnavailable, 599: promptrails.ErrServer,
	} {
		s.FailNext(1, status)
		if err := invite(t, once, "grace@example.com"); !errors.Is(err, want) {
			t.Errorf("Invitations.Create with status %d: got %v, want %v", status, err, want)
		}
	}
	if got := invited(t, s); got != 0 {
		t.Errorf("invitations: got %d, want 0", got)
	}
}

// A client honours the Retry-After of RateLimitNext.
func TestRateLimitNext(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	var log bytes.Buffer
	client := s.Client(promptrails.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	s.RateLimitNext(1, time.Second)
	if err := invite(t, client, "grace@example.com"); err != nil {
		t.Errorf("Invitations.Create with one rate limit: got %v, want no error after a retry", err)
	}
	if got, want := statuses(s, "POST /api/v1/invitations"), []int{429, 201}; !slices.Equal(got, want) {
		t.Errorf("statuses: got %v, want %v", got, want)
	}
	if waits := waitsIn(t, &log); len(waits) != 1 || waits[0] < time.Second {
		t.Errorf("waits: got %v, want one of 1 s or more", waits)
	}

	s.RateLimitNext(1, 1500*time.Millisecond)
	_, err := s.Client(promptrails.WithMaxRetries(0)).Members.Self(t.Context())
	if limited, ok := errors.AsType[*promptrails.RateLimitError](err); !ok || limited.RetryAfter != 2*time.Second {
		t.Errorf("Members.Self with a rate limit of 1.5 s: got %v, want a RateLimitError of 2 s", err)
	}
}

// waitsIn returns the pauses before the retries in a log.
func waitsIn(t *testing.T, log *bytes.Buffer) (waits []time.Duration) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var entry struct{ Wait time.Duration }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Wait > 0 {
			waits = append(waits, entry.Wait)
		}
	}
	return waits
}

// The retry of a request without a response has the same idempotency key, and makes
// no second change.
func TestCutNext(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	client := s.Client(promptrails.WithIdempotentServer())
	s.CutNext(1)
	if err := invite(t, client, "grace@example.com"); err != nil {
		t.Errorf("Invitations.Create with a cut response: got %v, want no error after a retry", err)
	}
	requests := s.Requests()
	if len(requests) != 2 || statusOf(requests[0]) != 0 || statusOf(requests[1]) != 201 {
		t.Fatalf("requests: got %+v, want one without a status and one with 201", requests)
	}
	if a, b := requests[0].Header.Get("Idempotency-Key"), requests[1].Header.Get("Idempotency-Key"); a == "" || a != b {
		t.Errorf("idempotency keys: got %q and %q, want the same", a, b)
	}
	if got := invited(t, s); got != 1 {
		t.Errorf("invitations: got %d, want 1", got)
	}

	// The change was committed before the connection was closed.
	s.CutNext(1)
	err := invite(t, s.Client(promptrails.WithMaxRetries(0)), "joan@example.com")
	if !errors.Is(err, promptrails.ErrUnavailable) || !strings.Contains(err.Error(), "outcome") {
		t.Errorf("Invitations.Create with a cut response and no retries: got %v, want ErrUnavailable with an unknown outcome", err)
	}
	if got := invited(t, s); got != 2 {
		t.Errorf("invitations: got %d, want 2", got)
	}
}

// Faults apply in the order in which they were set, each to one request.
func TestFaultsInOrder(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	client := s.Client(promptrails.WithMaxRetries(0))
	s.FailNext(1, 500)
	s.CutNext(0)
	s.RateLimitNext(1, 0)
	s.CutNext(1)
	s.FailNext(1, 404)
	for i, want := range []error{promptrails.ErrServer, promptrails.ErrRateLimited, promptrails.ErrUnavailable, promptrails.ErrNotFound, nil, nil} {
		if _, err := client.Members.Self(t.Context()); !errors.Is(err, want) {
			t.Errorf("call %d: got %v, want %v", i, err, want)
		}
	}
}

// Of concurrent requests, exactly as many fail as were set to.
func TestFaultsConcurrent(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	client := s.Client(promptrails.WithMaxRetries(0))
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() { s.FailNext(2, 500); s.Latency(time.Millisecond); s.Clock.Advance(time.Second) })
	}
	calls.Wait()
	var failed atomic.Int32
	for range 20 {
		calls.Go(func() {
			if _, err := client.Members.Self(t.Context()); errors.Is(err, promptrails.ErrServer) {
				failed.Add(1)
			} else if err != nil {
				t.Errorf("Members.Self: got %v, want no error or status 500", err)
			}
			s.Requests()
		})
	}
	calls.Wait()
	if got := failed.Load(); got != 10 {
		t.Errorf("failed requests: got %d, want 10", got)
	}
}

// A call is not carried out if its context is done during the latency. If its handler
// did not return, [TestMain] would find it.
func TestLatency(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	client := s.Client()
	s.Latency(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := client.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Invitations.Create with a deadline: got %v, want DeadlineExceeded", err)
	}
	if got := invited(t, s); got != 0 {
		t.Errorf("invitations: got %d, want 0", got)
	}
	// A delayed request is complete.
	s.Latency(time.Millisecond)
	if err := invite(t, client, "ada@example.com"); err != nil {
		t.Errorf("Invitations.Create with latency: got %v, want no error", err)
	}
}

// The faults of a server do not affect another one.
func TestServersAreIndependent(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken, other := promptrailstest.New(t), promptrailstest.New(t)
			broken.FailNext(1000, 500)
			broken.Latency(time.Hour)
			broken.Clock.Advance(365 * 24 * time.Hour)
			broken.Down()
			client := other.Client(promptrails.WithMaxRetries(0))
			for range 10 {
				if _, err := client.Members.Self(t.Context()); err != nil {
					t.Errorf("Members.Self of the other server: got %v, want no error", err)
				}
			}
			if got := len(other.Requests()); got != 10 {
				t.Errorf("requests of the other server: got %d, want 10", got)
			}
			if got := time.Until(other.Clock.Now()).Abs(); got > time.Hour {
				t.Errorf("clock of the other server: got %s from the real time, want less than 1 h", got)
			}
		})
	}
}

// Invalid arguments fail the test and have no effect.
func TestInvalidFaults(t *testing.T) {
	t.Parallel()
	f := &failures{TB: t}
	s := promptrailstest.New(f)
	for want, call := range map[string]func(){
		"FailNext: got status 200, want 400 to 599":          func() { s.FailNext(1, 200) },
		"FailNext: got status 600, want 400 to 599":          func() { s.FailNext(1, 600) },
		"FailNext: got -1 requests, want 0 or more":          func() { s.FailNext(-1, 500) },
		"CutNext: got -1 requests, want 0 or more":           func() { s.CutNext(-1) },
		"RateLimitNext: got -2 requests, want 0 or more":     func() { s.RateLimitNext(-2, 0) },
		"RateLimitNext: got Retry-After -1s, want 0 or more": func() { s.RateLimitNext(1, -time.Second) },
		"Latency: got -1s, want 0 or more":                   func() { s.Latency(-time.Second) },
		"Clock.Advance: got -1s, want 0 to ":                 func() { s.Clock.Advance(-time.Second) },
		"Clock.Advance: got 301h0m0s, want 0 to 300h0m0s": func() {
			s.Clock.Advance(math.MaxInt64 - 300*time.Hour)
			s.Clock.Advance(301 * time.Hour)
		},
		`NewKey([no:such]): `:                               func() { s.NewKey("no:such") },
		`NewMember("a@example.com", "owner"): `:             func() { s.NewMember("a@example.com", promptrails.RoleOwner) },
		`create the user "owner@example.com": `:             func() { s.NewUser("owner@example.com") },
		"Client: promptrails: WithAPIKey must not be empty": func() { s.Client(promptrails.WithAPIKey("")) },
		"Client: promptrails: WithScopes":                   func() { s.Client(promptrails.WithScopes(promptrails.ScopeAgentsRead)) },
	} {
		if got := f.of(call); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("failures: got %q, want one that begins with %q", got, want)
		}
	}
	if _, err := s.Client(promptrails.WithMaxRetries(0)).Members.Self(t.Context()); err != nil {
		t.Errorf("Members.Self after invalid faults: got %v, want no error", err)
	}
}
