package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const nothingNew = `{"data":[],"meta":{"limit":100}}`

// follow ranges over a tail for at most d. It returns the sequences of the
// entries and the error that ended the iteration.
func follow(t *testing.T, c *promptrails.Client, p *promptrails.TailParams, d time.Duration) (sequences []int64, ended error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	for e, err := range c.Changelog.Tail(ctx, p) {
		if err != nil {
			return sequences, err
		}
		sequences = append(sequences, e.Sequence)
	}
	return sequences, errors.New("tail ended without an error")
}

// Tail retries temporary errors with growing pauses. It returns an error if the
// API rejects the request, the workspace is deleted or the chain is broken.
func TestTailRetriesTemporaryErrors(t *testing.T) {
	t.Parallel()
	api := func(code int, name, message string) http.HandlerFunc {
		return status(code, fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, name, message))
	}
	page := func(code int) http.HandlerFunc { return status(code, "<html>", "Content-Type", "text/html") }
	for name, c := range map[string]struct {
		response http.HandlerFunc
		retried  bool
	}{
		"408": {page(408), true}, "421": {page(421), true}, "425": {page(425), true}, "429": {page(429), true}, "500": {page(500), true}, "503": {page(503), true},
		"401 in HTML": {page(401), true}, "403 in HTML": {page(403), true}, "404 in HTML": {page(404), true}, "302": {page(302), true},
		"200 in HTML": {page(200), true}, "truncated JSON": {status(200, `{"data":[`), true}, "empty body": {status(200, ""), true}, "object instead of a list": {status(200, `{"data":{}}`), true},
		"500 from the API":  {api(500, "internal_error", "no"), true},
		"expired token":     {api(401, "unauthorized", "expired"), false},
		"insufficient role": {api(403, "insufficient_role", "no"), false},
		"deleted workspace": {api(404, "not_found", "workspace not found"), false},
		"no such route":     {status(404, `{"message":"Not Found"}`), false},
		"missing entry":     {status(200, `{"data":[{"id":"e","sequence":4}],"meta":{"limit":100}}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &scripted{script: []http.HandlerFunc{c.response, c.response, c.response, c.response, status(200, nothingNew)}}
				_, err := follow(t, clientOver(t, a, promptrails.WithMaxRetries(0)), &promptrails.TailParams{}, time.Hour)
				if retried := errors.Is(err, context.DeadlineExceeded); retried != c.retried {
					t.Fatalf("Tail: got %v, want retries until the deadline: %t", err, c.retried)
				}
				if !c.retried {
					return
				}
				for i, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
					if pause := a.at[i+1].Sub(a.at[i]); pause < want && !strings.HasPrefix(name, "429") {
						t.Errorf("pause %d: got %s, want at least %s", i, pause, want)
					}
				}
			})
		})
	}
}

// Tail retries errors of the token source, but not a missing token.
func TestTailRetriesTokenSourceErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{script: []http.HandlerFunc{status(200, nothingNew)}}
		var calls atomic.Int32
		c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithWorkspace("w"), promptrails.WithHTTPClient(&http.Client{Transport: a}),
			promptrails.WithAccessTokenSource(func(context.Context) (promptrails.Secret, error) {
				if calls.Add(1)%2 == 0 {
					return promptrails.Secret{}, errors.New("vault is sealed")
				}
				return promptrails.NewSecret(token), nil
			})))
		if _, err := follow(t, c, nil, time.Minute); !errors.Is(err, context.DeadlineExceeded) || a.count() < 5 {
			t.Errorf("Tail: got %v after %d requests, want context.DeadlineExceeded after at least 5", err, a.count())
		}
	})
	anonymous := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithWorkspace("w")))
	if _, err := follow(t, anonymous, nil, time.Minute); !errors.Is(err, promptrails.ErrUnauthorized) {
		t.Errorf("Tail without a token: got %v, want ErrUnauthorized", err)
	}
}

// Tail waits for the interval after an empty page, even if it has a cursor.
func TestTailDoesNotSpin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{script: []http.HandlerFunc{status(200, `{"data":[],"meta":{"next_cursor":"c"}}`)}}
		if _, err := follow(t, clientOver(t, a), &promptrails.TailParams{Interval: time.Second}, time.Minute); !errors.Is(err, context.DeadlineExceeded) || a.count() > 61 {
			t.Errorf("Tail: got %v after %d requests in a minute, want context.DeadlineExceeded after at most 61", err, a.count())
		}
	})
}

// A head before the last seen entry is a *ChainError. It occurs if an older copy
// of the database is restored.
func TestTailAfterTheHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[int64]string{94: "deadline", 95: "deadline", 96: "ends at 95"} {
			_, err := follow(t, clientOver(t, &scripted{script: []http.HandlerFunc{shortChangelog(95, 100, "cursors")}}), &promptrails.TailParams{After: after}, time.Minute)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Tail after %d: got %v, want %q in it", after, err, want)
			}
			if _, chain := errors.AsType[*promptrails.ChainError](err); chain != (after > 95) {
				t.Errorf("Tail after %d: got a *ChainError: %t, want %t", after, chain, after > 95)
			}
		}
		// The database is restored during an outage.
		var down, restored atomic.Bool
		a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			switch {
			case down.Load():
				status(503, "")(w, r)
			case restored.Load():
				shortChangelog(50, 100, "cursors")(w, r)
			default:
				shortChangelog(95, 100, "cursors")(w, r)
			}
		}}}
		time.AfterFunc(time.Minute, func() { down.Store(true); restored.Store(true) })
		time.AfterFunc(2*time.Minute, func() { down.Store(false) })
		got, err := follow(t, clientOver(t, a, promptrails.WithMaxRetries(0)), nil, time.Hour)
		if chain, ok := errors.AsType[*promptrails.ChainError](err); !ok || chain.Sequence != 51 || len(got) != 95 {
			t.Errorf("Tail after a restore: got %d entries and %v, want 95 and a *ChainError at 51", len(got), err)
		}
	})
}

func TestTailLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{script: []http.HandlerFunc{shortChangelog(95, 100, "cursors")}}
		got, _ := follow(t, clientOver(t, a), &promptrails.TailParams{Limit: 10}, time.Minute)
		if q := a.seen[0].URL.Query(); len(got) != 95 || q.Get("limit") != "10" {
			t.Errorf("Tail: got %d entries with limit %s, want 95 with 10", len(got), q.Get("limit"))
		}
		if started := a.at[0]; a.at[9].Sub(started) != 0 {
			t.Errorf("10 full pages: took %s, want 0s", a.at[9].Sub(started))
		}
	})
}
