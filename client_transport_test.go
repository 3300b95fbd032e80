package promptrails_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Clients without their own http.Client share connections.
func TestSharedTransport(t *testing.T) {
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(status(200, someUser))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	newClient := func() *promptrails.Client {
		return must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken(token)))
	}
	for range 3 {
		must[*promptrails.User](t)(newClient().Me(t.Context()))
	}
	if opened.Load() != 1 {
		t.Errorf("3 clients: got %d connections, want 1", opened.Load())
	}
	newClient().CloseIdleConnections()
	must[*promptrails.User](t)(newClient().Me(t.Context()))
	if opened.Load() != 2 {
		t.Errorf("after CloseIdleConnections: got %d connections in total, want 2", opened.Load())
	}
}

// A client uses the current http.DefaultTransport if a program has replaced it.
func TestReplacedDefaultTransport(t *testing.T) {
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	clients := map[string]*promptrails.Client{}
	for name, opt := range map[string]promptrails.Option{"without an option": nil, "with http.DefaultClient": promptrails.WithHTTPClient(http.DefaultClient)} {
		clients[name] = must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAccessToken(token), opt))
	}
	a := &scripted{script: []http.HandlerFunc{status(200, someUser)}}
	http.DefaultTransport = a
	for name, c := range clients {
		if _, err := c.Me(t.Context()); err != nil {
			t.Errorf("Me %s: got %v, want no error", name, err)
		}
	}
	if a.count() != 2 {
		t.Errorf("http.DefaultTransport: got %d requests, want 2", a.count())
	}
}

func TestResponseSizes(t *testing.T) {
	c := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, someUser)}}, promptrails.WithMaxResponseSize(math.MaxInt64))
	if _, err := c.Me(t.Context()); err != nil {
		t.Errorf("Me with the largest limit: got %v, want no error", err)
	}
	// WithResponse is set even if the body is too large.
	var r promptrails.Response
	c = clientOver(t, &scripted{script: []http.HandlerFunc{status(200, someUser, "X-Request-Id", "r1")}}, promptrails.WithMaxResponseSize(5))
	if _, err := c.Me(t.Context(), promptrails.WithResponse(&r)); err == nil || r.Status != 200 || r.RequestID != "r1" {
		t.Errorf("Me with a body that is too large: got %v and %+v, want an error, the status 200 and the request id r1", err, r)
	}
	// A false Content-Length does not determine the allocation.
	url, _ := listen(t, func(c net.Conn) {
		_ = readHead(c)
		_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n{")
	})
	c = clientAt(t, url, promptrails.WithMaxResponseSize(2<<30), promptrails.WithMaxRetries(0))
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	_, err := c.Me(t.Context())
	runtime.ReadMemStats(&m1)
	if grown := m1.TotalAlloc - m0.TotalAlloc; err == nil || grown > 16<<20 {
		t.Errorf("Me with a false Content-Length: got %v and %d MiB allocated, want an error and at most 16", err, grown>>20)
	}
}

// Redirects are followed within one origin. Host names are case-insensitive, and
// the default port is optional.
func TestRedirectsWithinTheOrigin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base, to string
		followed bool
	}{
		{"https://api.example.com", "https://API.example.com:443/x", true},
		{"https://api.example.com:443", "https://api.example.com/x", true},
		{"http://localhost", "http://LOCALHOST:80/x", true},
		{"https://api.example.com", "https://api.example.com:8443/x", false},
		{"https://api.example.com", "https://example.com/x", false},
		{"https://api.example.com", "http://api.example.com/x", false},
		{"http://localhost:443", "https://localhost/x", false},
	} {
		t.Run(c.base+" to "+c.to, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{status(302, "", "Location", c.to), status(200, someUser)}}
			_, err := clientOver(t, a, promptrails.WithBaseURL(c.base)).Me(t.Context())
			if (err == nil) != c.followed {
				t.Errorf("Me with a redirect to %s: got %v, want it followed: %t", c.to, err, c.followed)
			}
		})
	}
}

func TestBaseURLs(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://example.com/team%2Fa":         "https://example.com/team%2Fa/api/v1/me",
		"https://example.com/team%2Fa/api/v1/": "https://example.com/team%2Fa/api/v1/me",
		"http://LOCALHOST:1":                   "http://LOCALHOST:1/api/v1/me",
		"http://api.localhost":                 "http://api.localhost/api/v1/me",
		"http://localhost.":                    "http://localhost./api/v1/me",
	} {
		t.Run(base, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{status(200, someUser)}}
			c, err := promptrails.NewClient(promptrails.WithBaseURL(base), promptrails.WithAccessToken(token), promptrails.WithHTTPClient(&http.Client{Transport: a}))
			if err != nil {
				t.Fatalf("NewClient: got %v, want no error", err)
			}
			if _, err := c.Me(t.Context()); err != nil || a.seen[0].URL.String() != want {
				t.Errorf("Me: got a request for %s, %v; want %s", a.seen[0].URL, err, want)
			}
		})
	}
	for _, base := range []string{"http://localhost.example.com", "http://notlocalhost"} {
		if _, err := promptrails.NewClient(promptrails.WithBaseURL(base)); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("NewClient with the base URL %s: got %v, want ErrValidation", base, err)
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for name, response := range map[string]http.HandlerFunc{
		"parameter":           status(200, someUser, "Content-Type", "application/json; charset=utf-8"),
		"malformed parameter": status(200, someUser, "Content-Type", "application/json; charset"),
		"repeated parameter":  status(200, someUser, "Content-Type", "application/json; a=1; a=2"),
		"upper case":          status(200, someUser, "Content-Type", "APPLICATION/JSON"),
		"suffix +json":        status(200, someUser, "Content-Type", "application/vnd.api+json"),
		"text/json":           status(200, someUser, "Content-Type", "text/json"),
		"byte order mark":     status(200, "\ufeff"+someUser),
	} {
		t.Run(name, func(t *testing.T) {
			if u, err := clientOver(t, &scripted{script: []http.HandlerFunc{response}}).Me(t.Context()); err != nil || u.Name != "Ada" {
				t.Errorf("Me: got %+v, %v; want the user Ada", u, err)
			}
		})
	}
	_, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(404, "\ufeff"+`{"error":{"code":"not_found","message":"no"}}`)}}).Me(t.Context())
	if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Code != promptrails.CodeNotFound {
		t.Errorf("Me with an error after a byte order mark: got %v, want the code not_found", err)
	}
}

// Every attempt is logged, including attempts without a response, and every wait.
func TestLoggerHasEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		_, err := clientOver(t, refusing{}, promptrails.WithLogger(logger), promptrails.WithMaxRetries(2)).Me(t.Context())
		log := out.String()
		if attempts, waits := strings.Count(log, "promptrails: attempt"), strings.Count(log, "wait="); attempts != 3 || waits != 2 || !strings.Contains(log, "refused") || strings.Contains(log, token) {
			t.Errorf("log of Me that failed with %v: got %d attempts and %d waits, want 3 and 2, with the reason and without the token:\n%s", err, attempts, waits, log)
		}
	})
}

// The retry budget refills unless the server fails.
func TestRetryBudgetRefills(t *testing.T) {
	t.Parallel()
	for code, refills := range map[int]bool{200: true, 404: true, 409: true, 429: false, 500: false, 408: false} {
		synctest.Test(t, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{status(503, "")}}
			c := clientOver(t, a)
			for range 200 {
				_, _ = c.Me(t.Context())
			}
			a.script = []http.HandlerFunc{status(code, someUser, "Retry-After", "3600")} // too long for a retry
			for range 20 {
				_, _ = c.Me(t.Context())
			}
			a.script = []http.HandlerFunc{status(503, "")}
			before := a.count()
			_, _ = c.Me(t.Context())
			if got := a.count() > before+1; got != refills {
				t.Errorf("call after 20 responses with %d: got retried: %t, want %t", code, got, refills)
			}
		})
	}
}

// An HTTP date in Retry-After is relative to the Date header of the response.
func TestRetryAfterDate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		theirs := time.Now().Add(-24 * time.Hour).UTC()
		a := &scripted{script: []http.HandlerFunc{
			status(429, "", "Date", theirs.Format(http.TimeFormat), "Retry-After", theirs.Add(20*time.Second).Format(http.TimeFormat)), status(200, someUser),
		}}
		started := time.Now()
		_, err := clientOver(t, a).Me(t.Context())
		if waited := time.Since(started); err != nil || waited < 20*time.Second || waited > 25*time.Second {
			t.Errorf("Me: got %v after %s, want no error after 20s to 25s", err, waited)
		}
	})
}

// Callers with the same Retry-After retry at different times.
func TestRetryAfterIsJittered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for range 40 {
			a := &scripted{script: []http.HandlerFunc{status(429, "", "Retry-After", "1"), status(200, someUser)}}
			must[*promptrails.User](t)(clientOver(t, a).Me(t.Context()))
			waits[a.at[1].Sub(a.at[0])] = true
		}
		if len(waits) < 30 {
			t.Errorf("40 callers: got %d different waits, want at least 30", len(waits))
		}
	})
}
