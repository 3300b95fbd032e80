package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	someUser      = `{"data":{"id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","email":"ada@example.com","name":"Ada"}}`
	someWorkspace = `{"data":{"id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","name":"Research","slug":"research"}}`
)

// scripted is a transport that responds to each request with the next handler of
// the script, and to all further requests with the last. It records the
// requests.
type scripted struct {
	script []http.HandlerFunc

	mu   sync.Mutex
	seen []*http.Request
	at   []time.Time // the time of each request
}

// RoundTrip implements [http.RoundTripper].
func (a *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	next := a.script[min(len(a.seen), len(a.script)-1)]
	a.seen = append(a.seen, r)
	a.at = append(a.at, time.Now())
	a.mu.Unlock()
	w := httptest.NewRecorder()
	next(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// sentKey returns the Idempotency-Key of a request. Like a server, it ignores the
// case of the header's name.
func sentKey(r *http.Request) string {
	for name, values := range r.Header {
		if strings.EqualFold(name, "Idempotency-Key") {
			return values[0]
		}
	}
	return ""
}

// count returns the number of requests.
func (a *scripted) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

// status responds with a status and a body. The headers are names and values in
// turn.
func status(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

const token = "pat_0123456789"

// clientOver returns a client that sends its requests through a transport.
func clientOver(t testing.TB, transport http.RoundTripper, opts ...promptrails.Option) *promptrails.Client {
	t.Helper()
	c, err := promptrails.NewClient(append([]promptrails.Option{
		promptrails.WithBaseURL("https://api.example.com"), promptrails.WithAccessToken(token), promptrails.WithWorkspace("w"),
		promptrails.WithHTTPClient(&http.Client{Transport: transport}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// calls has one call for each method that the retry rules distinguish.
var calls = map[string]func(context.Context, *promptrails.Client) error{
	"GET": func(ctx context.Context, c *promptrails.Client) error { _, err := c.Me(ctx); return err },
	"POST": func(ctx context.Context, c *promptrails.Client) error {
		_, err := c.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
		return err
	},
	"PATCH": func(ctx context.Context, c *promptrails.Client) error {
		_, err := c.Workspaces.Update(ctx, "w", &promptrails.UpdateWorkspaceParams{})
		return err
	},
	"DELETE": func(ctx context.Context, c *promptrails.Client) error { return c.Members.Leave(ctx) },
}

// success has the successful response to each of calls.
var success = map[string]http.HandlerFunc{
	"GET": status(200, someUser), "POST": status(201, someWorkspace), "PATCH": status(200, someWorkspace), "DELETE": status(204, ""),
}

// The method and the first response determine whether a call is retried.
func TestRetryRules(t *testing.T) {
	t.Parallel()
	honored := []string{"Idempotency-Key-Honored", "true"}
	inProgress := `{"error":{"code":"idempotency_in_progress","message":"running"}}`
	for _, c := range []struct {
		name     string
		methods  string
		first    http.HandlerFunc
		attempts int // a second attempt would succeed
	}{
		{"502", "GET DELETE", status(502, ""), 2},
		{"503", "GET DELETE", status(503, ""), 2},
		{"504", "GET DELETE", status(504, ""), 2},
		{"503 without Idempotency-Key-Honored", "POST PATCH", status(503, ""), 1},
		{"503 with Idempotency-Key-Honored", "POST PATCH", status(503, "", honored...), 2},
		{"408", "GET DELETE", status(408, ""), 2},
		{"408 without Idempotency-Key-Honored", "POST PATCH", status(408, ""), 1},
		{"425", "GET DELETE", status(425, ""), 2},
		{"425 with Idempotency-Key-Honored", "POST PATCH", status(425, "", honored...), 2},
		{"421", "GET POST", status(421, ""), 1},
		{"429", "GET POST PATCH DELETE", status(429, ""), 2},
		{"409 in progress", "POST PATCH DELETE", status(409, inProgress, honored...), 2},
		{"409 slug taken", "POST PATCH DELETE", status(409, `{"error":{"code":"slug_taken"}}`, honored...), 1},
		{"500", "GET POST PATCH DELETE", status(500, "", honored...), 1},
		{"404", "GET POST PATCH DELETE", status(404, "", honored...), 1},
		{"401 with a fixed token", "GET POST", status(401, "", honored...), 1},
	} {
		for method := range strings.FieldsSeq(c.methods) {
			t.Run(c.name+" "+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := &scripted{script: []http.HandlerFunc{c.first, success[method]}}
					err := calls[method](t.Context(), clientOver(t, a))
					if a.count() != c.attempts || (err == nil) != (c.attempts > 1) {
						t.Errorf("got %d attempts and error %v, want %d attempts", a.count(), err, c.attempts)
					}
					key := sentKey(a.seen[0])
					for _, r := range a.seen {
						if sentKey(r) != key || (key == "") != (method == "GET") {
							t.Errorf("Idempotency-Key of a retry: got %q, want %q (empty only for GET)", sentKey(r), key)
						}
					}
				})
			})
		}
	}
}

func TestMaxRetries(t *testing.T) {
	t.Parallel()
	for _, retries := range []int{-1, 0, 1, 5} {
		t.Run(fmt.Sprint(retries), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &scripted{script: []http.HandlerFunc{status(503, "")}}
				_, err := clientOver(t, a, promptrails.WithMaxRetries(retries)).Me(t.Context())
				e, ok := errors.AsType[*promptrails.Error](err)
				want := max(0, retries) + 1
				if !ok || a.count() != want || e.Attempts != want || !errors.Is(err, promptrails.ErrUnavailable) {
					t.Errorf("Me: got %d requests and error %v, want ErrUnavailable after %d", a.count(), err, want)
				}
			})
		})
	}
}

// A Retry-After of up to one minute replaces the pause. If it is longer, or would
// exceed the context's deadline, the error is returned immediately.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header   string
		deadline time.Duration
		wait     time.Duration // before the second attempt; -1: no retry; -2: the default pause
	}{
		{"2", time.Hour, 2 * time.Second},
		{"0", time.Hour, 0},
		{"60", time.Hour, time.Minute},
		{"61", time.Hour, -1},
		{"86400", time.Hour, -1},
		{"10000000000", time.Hour, -1},
		{"99999999999999999999999", time.Hour, -1},
		{"1.5", time.Hour, 2 * time.Second},
		{".2", time.Hour, time.Second},
		{"2.0", time.Hour, 2 * time.Second},
		{"1.2.3", time.Hour, -2},
		{".", time.Hour, -2},
		{"-5", time.Hour, -2},
		{"soon", time.Hour, -2},
		{"", time.Hour, -2},
		{"5", 4 * time.Second, -1},
		{"HTTP-date", time.Hour, 3 * time.Second},
		{"RFC 850", time.Hour, 3 * time.Second},
		{"asctime", time.Hour, 3 * time.Second},
		{"past", time.Hour, 0},
	} {
		t.Run(c.header, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				later := time.Now().Add(3 * time.Second).UTC()
				header := c.header
				switch header {
				case "HTTP-date":
					header = later.Format(http.TimeFormat)
				case "RFC 850":
					header = later.Format(time.RFC850)
				case "asctime":
					header = later.Format(time.ANSIC)
				case "past":
					header = later.Add(-time.Hour).Format(http.TimeFormat)
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.deadline)
				defer cancel()
				a := &scripted{script: []http.HandlerFunc{status(429, "", "Retry-After", header), success["GET"]}}
				started := time.Now()
				_, err := clientOver(t, a).Me(ctx)
				if c.wait == -1 {
					limited, ok := errors.AsType[*promptrails.RateLimitError](err)
					if !ok || a.count() != 1 || time.Since(started) != 0 || limited.RetryAfter == 0 || !errors.Is(err, promptrails.ErrRateLimited) {
						t.Fatalf("Me: got %d attempts in %s and error %v, want an immediate RateLimitError", a.count(), time.Since(started), err)
					}
					return
				}
				if err != nil || a.count() != 2 {
					t.Fatalf("Me: got %d attempts and error %v, want success after 2", a.count(), err)
				}
				wait := a.at[1].Sub(a.at[0])
				shortest, longest := c.wait, c.wait+max(c.wait/4, 100*time.Millisecond)
				if c.wait == -2 {
					shortest, longest = 0, time.Second
				}
				if wait < shortest || wait > longest {
					t.Errorf("pause: got %s, want %s to %s", wait, shortest, longest)
				}
			})
		})
	}
}

// Pauses are random, and their upper bound doubles with each attempt, so that
// callers that failed together do not retry together.
func TestBackoffJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pauses := map[time.Duration]bool{}
		for range 20 {
			a := &scripted{script: []http.HandlerFunc{status(503, "")}}
			_, _ = clientOver(t, a, promptrails.WithMaxRetries(8)).Me(t.Context())
			for i := 1; i < len(a.at); i++ {
				pause := a.at[i].Sub(a.at[i-1])
				if limit := min(250*time.Millisecond<<(i-1), 8*time.Second); pause > limit {
					t.Errorf("pause %d: got %s, want at most %s", i, pause, limit)
				}
				pauses[pause] = true
			}
		}
		if len(pauses) < 100 {
			t.Errorf("got %d different pauses of 160, want at least 100", len(pauses))
		}
	})
}

// The retry budget bounds the requests during an outage. After it is exhausted, a
// call sends one request.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{script: []http.HandlerFunc{status(503, "")}}
		c := clientOver(t, a)
		var callers sync.WaitGroup
		const calls = 1000
		for range calls {
			callers.Go(func() { _, _ = c.Me(t.Context()) })
		}
		callers.Wait()
		if a.count() > calls*11/10 {
			t.Errorf("got %d requests for %d calls, want at most %d", a.count(), calls, calls*11/10)
		}
		before := a.count()
		_, _ = c.Me(t.Context())
		if a.count() != before+1 {
			t.Errorf("call with an exhausted budget: got %d requests, want 1", a.count()-before)
		}
		a.script = []http.HandlerFunc{status(200, someUser)}
		for range 20 { // successes refill the budget
			if _, err := c.Me(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		before = a.count()
		a.script = []http.HandlerFunc{status(503, "")}
		_, _ = c.Me(t.Context())
		if a.count() == before+1 {
			t.Error("call after 20 successes: got 1 request, want a retry")
		}
	})
}

func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{script: []http.HandlerFunc{status(503, "", "Retry-After", "30")}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		started := time.Now()
		_, err := clientOver(t, a).Me(ctx)
		if !errors.Is(err, context.Canceled) || time.Since(started) != time.Second {
			t.Errorf("Me: got %v after %s, want context.Canceled after 1s", err, time.Since(started))
		}
		if !strings.Contains(err.Error(), "503") {
			t.Errorf("Me: got %v, want an error that mentions the status 503", err)
		}
	})
}

// The timeout of an attempt includes reading the response body.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			attempts.Add(1)
			return &http.Response{
				StatusCode: 200, ContentLength: -1, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(drip{r.Context()}),
			}, nil
		})
		started := time.Now()
		_, err := clientOver(t, slow, promptrails.WithTimeout(5*time.Second), promptrails.WithMaxRetries(1)).Me(t.Context())
		if attempts.Load() != 2 || time.Since(started) > 11*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Me: got %d attempts in %s and error %v, want DeadlineExceeded after 2 attempts within 11s", attempts.Load(), time.Since(started), err)
		}
	})
}

// drip is a response body that yields one byte per second.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The token source is called for each attempt. A 401 is retried one time with a
// new token.
func TestTokenSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		source := promptrails.WithAccessTokenSource(func(context.Context) (promptrails.Secret, error) {
			calls++
			return promptrails.NewSecret(fmt.Sprintf("token-%d", calls)), nil
		})
		newClient := func(a *scripted) *promptrails.Client {
			c, err := promptrails.NewClient(source, promptrails.WithHTTPClient(&http.Client{Transport: a}))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		a := &scripted{script: []http.HandlerFunc{status(401, ""), status(503, ""), success["GET"]}}
		if _, err := newClient(a).Me(t.Context()); err != nil {
			t.Fatal(err)
		}
		var sent []string
		for _, r := range a.seen {
			sent = append(sent, r.Header.Get("Authorization"))
		}
		if diff := cmp.Diff([]string{"Bearer token-1", "Bearer token-2", "Bearer token-3"}, sent); diff != "" {
			t.Errorf("Authorization headers (-want +got):\n%s", diff)
		}
		a = &scripted{script: []http.HandlerFunc{status(401, "")}}
		if _, err := newClient(a).Me(t.Context()); !errors.Is(err, promptrails.ErrUnauthorized) || a.count() != 2 {
			t.Errorf("Me with repeated 401s: got %d attempts and error %v, want ErrUnauthorized after 2", a.count(), err)
		}
	})
}

func TestTokenSourceFails(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{success["GET"]}}
	broken := errors.New("the vault is sealed")
	c, err := promptrails.NewClient(promptrails.WithAPIKeySource(func(context.Context) (promptrails.Secret, error) { return promptrails.Secret{}, broken }),
		promptrails.WithHTTPClient(&http.Client{Transport: a}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Me(t.Context()); !errors.Is(err, broken) || !errors.Is(err, promptrails.ErrUnavailable) || errors.Is(err, promptrails.ErrUnauthorized) || a.count() != 0 {
		t.Errorf("Me: got %v after %d requests, want ErrUnavailable with the source's error before any request", err, a.count())
	}
}

// If a change may have been made, the error reports an unknown outcome and what
// to do. It suggests the idempotency key only if the server honors it.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	honored := []string{"Idempotency-Key-Honored", "true"}
	for name, c := range map[string]struct {
		response http.HandlerFunc
		want     string // part of the error; empty: no mention of the outcome
	}{
		"502":                              {status(502, ""), "the outcome is not known: read the object"},
		"502 with Idempotency-Key-Honored": {status(502, "", honored...), `the outcome is not known: repeat the call with WithIdempotencyKey("mine")`},
		"500":                              {status(500, ""), "the outcome is not known"},
		"408":                              {status(408, ""), "the outcome is not known"},
		"302":                              {status(302, ""), "the outcome is not known"},
		"303":                              {status(303, ""), "the outcome is not known"},
		"200 in HTML":                      {status(200, "<html>", "Content-Type", "text/html"), "the outcome is not known"},
		"half of a document":               {status(201, `{"data":{"id":"w`), "the outcome is not known"},
		"an empty body":                    {status(200, ""), "the outcome is not known"},
		"429":                              {status(429, ""), ""},
		"301":                              {status(301, ""), ""},
		"409 slug taken":                   {status(409, `{"error":{"code":"slug_taken","message":"the slug is taken"}}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c1 := clientOver(t, &scripted{script: []http.HandlerFunc{c.response}}, promptrails.WithMaxRetries(0))
			_, err := c1.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{}, promptrails.WithIdempotencyKey("mine"))
			if err == nil || c.want != "" && !strings.Contains(err.Error(), c.want) || c.want == "" && strings.Contains(err.Error(), "outcome") {
				t.Errorf("Workspaces.Create: got %v, want an error containing %q (empty: no mention of the outcome)", err, c.want)
			}
		})
	}
}
