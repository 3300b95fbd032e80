package promptrails_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// watcher is an observer that records its calls. It adds its name and the number of
// the call or attempt to the context.
type watcher struct {
	name string
	log  *[]string // of all watchers, or nil

	mu       sync.Mutex
	calls    int
	attempts []promptrails.AttemptEnd
	ended    []promptrails.CallEnd
	text     strings.Builder // all events
}

type watchKey struct{ name string }

func (w *watcher) note(ctx context.Context, event string, v any) {
	if w.log != nil {
		*w.log = append(*w.log, fmt.Sprint(w.name, " ", event, " ", ctx.Value(watchKey{w.name})))
	}
	fmt.Fprintf(&w.text, "%s %v %+v\n", event, ctx, v)
}

func (w *watcher) StartCall(ctx context.Context, call promptrails.CallStart) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	w.note(ctx, "start call", call)
	return context.WithValue(ctx, watchKey{w.name}, fmt.Sprint("call ", w.calls))
}

func (w *watcher) StartAttempt(ctx context.Context, attempt promptrails.AttemptStart) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(ctx, "start attempt", attempt)
	return context.WithValue(ctx, watchKey{w.name}, fmt.Sprint(ctx.Value(watchKey{w.name}), ", attempt ", attempt.Attempt))
}

func (w *watcher) EndAttempt(ctx context.Context, attempt promptrails.AttemptEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(ctx, "end attempt", attempt)
	w.attempts = append(w.attempts, attempt)
}

func (w *watcher) EndCall(ctx context.Context, call promptrails.CallEnd) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(ctx, "end call", call)
	w.ended = append(w.ended, call)
}

// An observer receives each attempt of a call, with the response, the wait and the
// retry budget.
func TestObserver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var contexts []any
		second := func(h http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				contexts = append(contexts, r.Context().Value(watchKey{"a"}))
				time.Sleep(time.Second)
				h(w, r)
			}
		}
		const body = `{"data":{"id":"m","workspace_id":"w"}}`
		a := &scripted{script: []http.HandlerFunc{
			second(status(503, "out of order", "X-Request-ID", "r1", "Retry-After", "0", "Content-Type", "text/plain")),
			second(status(200, body, "X-Request-ID", "r2", "X-RateLimit-Limit", "50", "X-RateLimit-Remaining", "49", "X-RateLimit-Reset", "7")),
		}}
		w := &watcher{name: "a"}
		if _, err := clientOver(t, a, promptrails.WithObserver(w)).Members.Get(t.Context(), "m"); err != nil {
			t.Fatal(err)
		}
		wait := w.attempts[0].Wait
		if wait <= 0 {
			t.Errorf("wait after the first attempt: got %s, want more than 0", wait)
		}
		start := promptrails.CallStart{
			Operation: promptrails.Operation{Name: "Members.Get", Method: "GET", Path: "/members/{id}", Scope: promptrails.ScopeMembersRead},
			BaseURL:   "https://api.example.com/api/v1", Workspace: "w",
		}
		last := promptrails.Outcome{
			Duration: time.Second, Status: 200, RequestID: "r2", BytesRead: int64(len(body)), RetriesLeft: 100,
			RateLimit: promptrails.RateLimit{Limit: 50, Remaining: 49, Reset: 7 * time.Second},
		}
		want := []promptrails.AttemptEnd{
			{
				AttemptStart: promptrails.AttemptStart{CallStart: start, Attempt: 1},
				Outcome:      promptrails.Outcome{Duration: time.Second, Status: 503, Failure: promptrails.FailureStatus, RequestID: "r1", BytesRead: 12, RetriesLeft: 99},
				Retry:        true, Wait: wait,
			},
			{AttemptStart: promptrails.AttemptStart{CallStart: start, Attempt: 2}, Outcome: last},
		}
		if diff := cmp.Diff(want, w.attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		last.Duration += time.Second + wait
		if diff := cmp.Diff([]promptrails.CallEnd{{CallStart: start, Outcome: last, Attempts: 2}}, w.ended); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]any{"call 1, attempt 1", "call 1, attempt 2"}, contexts); diff != "" {
			t.Errorf("contexts of the attempts (-want +got):\n%s", diff)
		}
	})
}

// Each kind of error has a Failure.
func TestObserverFailures(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	type opts = []promptrails.Option
	key := func(more ...promptrails.Option) opts {
		return append(opts{
			promptrails.WithBaseURL("https://api.example.com"), promptrails.WithoutEnvironment(), promptrails.WithWorkspace("w"), promptrails.WithAPIKey("pr_live_0123456789"),
		}, more...)
	}
	for _, c := range []struct {
		name     string
		opts     opts
		respond  http.HandlerFunc
		want     promptrails.Failure
		code     promptrails.ErrorCode
		status   int
		attempts int
	}{
		{"success", key(), status(200, `{"data":{"id":"m"}}`), "", "", 200, 1},
		{"404", key(), status(404, `{"error":{"code":"not_found","message":"member not found"}}`), promptrails.FailureStatus, "not_found", 404, 1},
		{"429", key(), status(429, ``, "Retry-After", "600"), promptrails.FailureStatus, "", 429, 1},
		{"HTML", key(), status(200, "<html>", "Content-Type", "text/html"), promptrails.FailureResponse, "", 200, 1},
		{"too large", key(promptrails.WithMaxResponseSize(8)), status(200, `{"data":{"id":"m"}}`), promptrails.FailureResponse, "", 200, 1},
		{"attempts without a response", key(promptrails.WithTimeout(time.Second), promptrails.WithMaxRetries(2)), hang, promptrails.FailureTimeout, "unavailable", 0, 3},
		{"deadline", key(), func(w http.ResponseWriter, r *http.Request) { hang(w, r) }, promptrails.FailureTimeout, "unavailable", 0, 1},
		{"canceled", key(), func(w http.ResponseWriter, r *http.Request) { hang(w, r) }, promptrails.FailureCanceled, "unavailable", 0, 1},
		{"canceled during a wait", key(), status(503, "", "Retry-After", "30"), promptrails.FailureCanceled, "unavailable", 503, 1},
		{"canceled before", key(), nil, promptrails.FailureCanceled, "unavailable", 0, 0},
		{"broken body", key(promptrails.WithMaxRetries(0)), nil, promptrails.FailureConnection, "unavailable", 200, 1},
		{"no credentials", key()[:3], nil, promptrails.FailureCredentials, "unauthorized", 0, 0},
		{"no credentials to check scopes", append(key()[:3], promptrails.WithScopeCheck()), nil, promptrails.FailureCredentials, "unauthorized", 0, 0},
		{
			"source fails", append(key()[:3], promptrails.WithAPIKeySource(func(context.Context) (promptrails.Secret, error) {
				return promptrails.Secret{}, errors.New("vault is sealed")
			})), nil, promptrails.FailureCredentials, "unavailable", 0, 0,
		},
		{"missing scope", key(promptrails.WithScopes(promptrails.ScopeAgentsRead)), nil, promptrails.FailureScope, "", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				transport := http.RoundTripper(&scripted{script: []http.HandlerFunc{c.respond}})
				switch c.name {
				case "deadline":
					ctx, cancel = context.WithTimeout(ctx, time.Second)
					defer cancel()
				case "canceled", "canceled during a wait":
					time.AfterFunc(time.Second, cancel)
				case "canceled before":
					cancel()
				case "broken body":
					transport = transportFunc(func(r *http.Request) (*http.Response, error) {
						body := io.MultiReader(strings.NewReader("123"), failingReader{})
						return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(body), Request: r}, nil
					})
				}
				w, log := &watcher{name: "a"}, new(bytes.Buffer)
				client := must[*promptrails.Client](t)(promptrails.NewClient(append(c.opts,
					promptrails.WithObserver(w), promptrails.WithLogger(slog.New(slog.NewTextHandler(log, nil))),
					promptrails.WithHTTPClient(&http.Client{Transport: transport}))...))
				_, err := client.Members.Get(ctx, "m")
				if (err != nil) != (c.want != "") {
					t.Fatalf("Members.Get: got %v, want failure %q", err, c.want)
				}
				got := w.ended[len(w.ended)-1]
				if got.Failure != c.want || got.Code != c.code || got.Status != c.status || got.Attempts != c.attempts {
					t.Errorf("EndCall: got failure %q, code %q, status %d after %d attempts; want %q, %q, %d after %d", got.Failure, got.Code, got.Status, got.Attempts, c.want, c.code, c.status, c.attempts)
				}
				if len(w.attempts) != c.attempts {
					t.Errorf("EndAttempt: got %d calls, want %d", len(w.attempts), c.attempts)
				}
				if n := len(w.attempts); n > 0 && w.attempts[n-1].Failure != c.want && c.name != "canceled during a wait" {
					t.Errorf("failure of the last attempt: got %q, want %q", w.attempts[n-1].Failure, c.want)
				}
				if c.name == "broken body" && w.attempts[0].BytesRead != 3 {
					t.Errorf("BytesRead: got %d, want 3", w.attempts[0].BytesRead)
				}
				// A canceled call is logged at debug level.
				wantLines := strings.Count(log.String(), "msg=\"promptrails: call failed\" operation=\"GET /members/{id}\" attempts="+fmt.Sprint(c.attempts))
				if logged := c.want != "" && c.want != promptrails.FailureCanceled; logged && (wantLines != 1 || !strings.Contains(log.String(), "failure="+string(c.want))) || !logged && log.Len() != 0 {
					t.Errorf("log: got %q, want one line for a failure, and no line otherwise", log)
				}
			})
		})
	}
}

// failingReader fails.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// Several observers are nested: the contexts of the first are known to the second.
func TestObservers(t *testing.T) {
	t.Parallel()
	var log []string
	add := func(name string) promptrails.Option {
		return promptrails.WithObserver(&watcher{name: name, log: &log})
	}
	a := &scripted{script: []http.HandlerFunc{status(200, someUser)}}
	if _, err := clientOver(t, a, add("a"), promptrails.WithObserver(nil), add("b"), add("c")).Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a start call <nil>", "b start call <nil>", "c start call <nil>",
		"a start attempt call 1", "b start attempt call 1", "c start attempt call 1",
		"c end attempt call 1, attempt 1", "b end attempt call 1, attempt 1", "a end attempt call 1, attempt 1",
		"c end call call 1", "b end call call 1", "a end call call 1",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("calls of the observers (-want +got):\n%s", diff)
	}
}

// A call with invalid arguments is not observed.
func TestObserverOfInvalidCalls(t *testing.T) {
	t.Parallel()
	w := &watcher{name: "a"}
	client := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, someUser)}}, promptrails.WithObserver(w), promptrails.WithObserver(nil))
	if _, err := client.Members.Get(t.Context(), ""); err == nil || w.calls != 0 {
		t.Errorf("Members.Get of an empty id: got error %v and %d observed calls, want an error and 0", err, w.calls)
	}
}

// Observers receive no secrets, even if the server repeats them.
func TestObserverReceivesNoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watcher{name: "a"}
		a := &scripted{script: []http.HandlerFunc{
			status(503, testSecret, "X-Request-ID", testSecret, "Retry-After", "0"),
			status(400, `{"error":{"code":"`+testSecret+`","message":"`+token+`"}}`, "X-Request-ID", "id of "+token),
		}}
		_, err := clientOver(t, a, promptrails.WithObserver(w), promptrails.WithIdempotentServer()).Invitations.Accept(t.Context(), promptrails.NewSecret(testSecret))
		if err == nil || len(w.attempts) != 2 {
			t.Fatalf("Invitations.Accept: got error %v after %d attempts, want an error after 2", err, len(w.attempts))
		}
		for _, secret := range []string{testSecret, token} {
			if strings.Contains(w.text.String(), secret) {
				t.Errorf("events: got the secret %s in them:\n%s", secret, &w.text)
			}
		}
	})
}

// Concurrent calls, with retries and cancelation, have a start and an end each.
func TestObserverConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		sometimes := func(w http.ResponseWriter, r *http.Request) {
			if n := requests.Add(1); n%3 == 0 {
				status(503, "")(w, r)
			} else {
				status(200, someUser)(w, r)
			}
		}
		w := &watcher{name: "a"}
		client := clientOver(t, &scripted{script: []http.HandlerFunc{sometimes}}, promptrails.WithObserver(w))
		var callers sync.WaitGroup
		const calls = 200
		for i := range calls {
			callers.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%7 == 0 {
					time.AfterFunc(time.Millisecond, cancel)
				}
				_, _ = client.Me(ctx)
			})
		}
		callers.Wait()
		if w.calls != calls || len(w.ended) != calls || len(w.attempts) != int(requests.Load()) {
			t.Errorf("observer: got %d starts, %d ends and %d attempts; want %d, %d and %d", w.calls, len(w.ended), len(w.attempts), calls, calls, requests.Load())
		}
	})
}
