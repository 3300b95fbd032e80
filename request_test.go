package promptrails_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// A malformed response is an error that describes the problem, never a zero
// value.
func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	for name, c := range map[string]struct {
		response http.HandlerFunc
		want     string // part of the error
	}{
		"an empty object":    {status(200, `{}`), "expected User in data"},
		"null":               {status(200, `null`), "expected User in data"},
		"null data":          {status(200, `{"data":null}`), "expected User in data"},
		"empty data":         {status(200, `{"data":{}}`), "expected User in data"},
		"a list":             {status(200, `{"data":[{"id":"u"}]}`), "malformed response"},
		"an array":           {status(200, `[]`), "malformed response"},
		"an empty body":      {status(200, ""), "empty response"},
		"204":                {status(204, ""), "empty response"},
		"HTML":               {status(200, "<html>\n<b>hello</b>", "Content-Type", "text/html"), "got text/html: <html> <b>hello</b>"},
		"HTML sent as JSON":  {status(200, "<html>"), ": <html>"},
		"half of a document": {status(200, `{"data":{"id":`), "malformed response"},
		"two documents":      {status(200, someUser+someUser), "malformed response"},
		"duplicate names":    {status(200, `{"data":{"id":"a","id":"b"}}`), "duplicate"},
		"invalid UTF-8":      {status(200, "{\"data\":{\"id\":\"\xff\"}}"), "UTF-8"},
		"a wrong type":       {status(200, `{"data":{"id":7}}`), "malformed response"},
		"20,000 levels deep": {status(200, `{"data":{"id":"u","x":`+deep+`}}`), "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := clientOver(t, &scripted{script: []http.HandlerFunc{c.response}}).Me(t.Context())
			e, ok := errors.AsType[*promptrails.Error](err)
			if u != nil || !ok || e.Status < 200 || e.Status > 299 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Me: got %+v and error %v, want an *Error with a 2xx status containing %q", u, err, c.want)
			}
			if len(err.Error()) > 2000 {
				t.Errorf("error text: got %d bytes, want at most 2000", len(err.Error()))
			}
		})
	}
}

// Large integers decode without loss, and a number out of range is an error.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{
		status(200, `{"data":{"id":"w","version":9007199254740993}}`),
		status(200, `{"data":{"id":"w","version":1e999}}`),
	}}
	c := clientOver(t, a)
	w, err := c.Workspaces.Get(t.Context(), "w")
	if err != nil || w.Version != 9007199254740993 {
		t.Errorf("Workspaces.Get: got %+v and error %v, want version 9007199254740993", w, err)
	}
	if w, err := c.Workspaces.Get(t.Context(), "w"); err == nil {
		t.Errorf("Workspaces.Get with version 1e999: got %+v and no error, want an error", w)
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	const html = "<html><body>502 Bad Gateway</body></html>"
	for name, c := range map[string]struct {
		response http.HandlerFunc
		want     string
	}{
		"the API's format":  {status(404, `{"error":{"code":"not_found","message":"member not found"}}`, "X-Request-Id", "r1"), "promptrails: GET /me: 404 not_found: member not found (request r1)"},
		"a bare string":     {status(404, `{"error":"no such thing"}`), "promptrails: GET /me: 404: no such thing"},
		"a list":            {status(404, `{"error":["a","b"]}`), `promptrails: GET /me: 404: ["a","b"]`},
		"a router's format": {status(404, `{"message":"Not Found"}`), "promptrails: GET /me: 404: Not Found"},
		"HTML":              {status(500, html, "Content-Type", "text/html"), "promptrails: GET /me: 500: Internal Server Error: " + html},
		"an empty body":     {status(500, ""), "promptrails: GET /me: 500: Internal Server Error"},
		"control bytes":     {status(500, `{"error":{"message":"a\u0007\nb"}}`), "promptrails: GET /me: 500: a\ufffd b"},
		"a redirect away":   {status(302, "", "Location", "https://evil.example.com/"), "promptrails: GET /me: 302: redirect not followed: only a GET to the same scheme, host and port is redirected; check the base URL"},
		"the sent token":    {status(401, `{"error":{"message":"bad token `+token+`"}}`), "promptrails: GET /me: 401: bad token [redacted]"},
		"another secret":    {status(401, `{"error":{"message":"bad key pr_live_abcdefghijkl"}}`), "promptrails: GET /me: 401: bad key [redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clientOver(t, &scripted{script: []http.HandlerFunc{c.response}}, promptrails.WithMaxRetries(0)).Me(t.Context())
			if err == nil || err.Error() != c.want {
				t.Errorf("Me:\ngot  %v\nwant %s", err, c.want)
			}
		})
	}
	_, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(400, `{"error":"`+strings.Repeat("x", 1<<20)+`"}`)}}).Me(t.Context())
	if err == nil || len(err.Error()) > 1000 {
		t.Errorf("Me with an error of 1 MiB: got error %.100v, want an error of at most 1000 bytes", err)
	}
}

func TestErrorTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code int
		body string
		is   error // a sentinel that errors.Is finds
		want any   // a value that errors.As finds; nil: not checked
	}{
		{
			403, `{"error":{"code":"insufficient_scope","message":"no","details":{"required":"members:write","granted":["members:read"]}}}`, promptrails.ErrForbidden,
			&promptrails.ScopeError{Required: "members:write", Granted: promptrails.Scopes{"members:read"}},
		},
		{
			403, `{"error":{"code":"insufficient_role","message":"no","details":{"required":"admin","role":"user"}}}`, promptrails.ErrForbidden,
			&promptrails.RoleError{Required: "admin", Role: "user"},
		},
		{
			403, `{"error":{"code":"feature_not_in_plan","message":"no","details":{"feature":"data_masking","plan":"free","available_in":["pro"]}}}`, promptrails.ErrForbidden,
			&promptrails.FeatureError{Feature: "data_masking", Plan: "free", AvailableIn: []promptrails.PlanID{"pro"}},
		},
		{
			402, `{"error":{"code":"quota_exceeded","message":"no","details":{"limit":"team_members","max":1,"used":1,"plan":"free"}}}`, promptrails.ErrQuotaExceeded,
			&promptrails.QuotaError{Limit: "team_members", Max: 1, Used: 1, Plan: "free"},
		},
		{
			400, `{"error":{"code":"validation_error","message":"no","details":{"fields":{"slug":"is bad"}}}}`, promptrails.ErrValidation,
			&promptrails.ValidationError{Fields: map[string]string{"slug": "is bad"}},
		},
		{400, `{"error":{"code":"bad_request","message":"name is required"}}`, promptrails.ErrValidation, &promptrails.ValidationError{}},
		{429, `{"error":{"code":"rate_limited","message":"slow"}}`, promptrails.ErrRateLimited, &promptrails.RateLimitError{}},
		{401, `{"error":{"code":"unauthorized"}}`, promptrails.ErrUnauthorized, nil},
		{404, `{}`, promptrails.ErrNotFound, nil},
		{409, `{}`, promptrails.ErrConflict, nil},
		{410, `{}`, promptrails.ErrGone, nil},
		{412, `{}`, promptrails.ErrPreconditionFailed, nil},
		{413, `{}`, promptrails.ErrValidation, nil},
		{500, `{}`, promptrails.ErrServer, nil},
		{503, `{}`, promptrails.ErrUnavailable, nil},
		{503, `{}`, promptrails.ErrServer, nil},
	} {
		t.Run(fmt.Sprintf("%d %v", c.code, c.is), func(t *testing.T) {
			t.Parallel()
			a := &scripted{script: []http.HandlerFunc{status(c.code, c.body)}}
			_, err := clientOver(t, a, promptrails.WithMaxRetries(0)).Me(t.Context())
			e, ok := errors.AsType[*promptrails.Error](err)
			if !errors.Is(err, c.is) || !ok || e.Status != c.code {
				t.Errorf("Me with %s: got %v, want %v and an *Error with status %d", c.body, err, c.is, c.code)
			}
			var got any
			switch c.want.(type) {
			case *promptrails.ScopeError:
				got, _ = errors.AsType[*promptrails.ScopeError](err)
			case *promptrails.RoleError:
				got, _ = errors.AsType[*promptrails.RoleError](err)
			case *promptrails.FeatureError:
				got, _ = errors.AsType[*promptrails.FeatureError](err)
			case *promptrails.QuotaError:
				got, _ = errors.AsType[*promptrails.QuotaError](err)
			case *promptrails.ValidationError:
				got, _ = errors.AsType[*promptrails.ValidationError](err)
			case *promptrails.RateLimitError:
				got, _ = errors.AsType[*promptrails.RateLimitError](err)
			default:
				return
			}
			ignoreCause := cmp.FilterPath(func(p cmp.Path) bool { return slices.Contains([]string{"err", "method", "path"}, p.String()) }, cmp.Ignore())
			if diff := cmp.Diff(c.want, got, ignoreCause); diff != "" {
				t.Errorf("Me with %s (-want +got):\n%s", c.body, diff)
			}
		})
	}
}

// The client follows a redirect only of a GET, and only within its scheme, host
// and port, so that no other origin receives its credentials or workspace id.
func TestRedirects(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another origin: got a request with headers %v, want no request", r.Header)
	}))
	defer other.Close()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/api/v1/me", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.Header.Get("X-To"), http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("X-To") == "" {
			t.Errorf("redirect within the origin: got headers %v, want Authorization and X-To of the first request", r.Header)
		}
		status(200, someUser)(w, r)
	})
	var loops atomic.Int64
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		loops.Add(1)
		http.Redirect(w, r, "/loop", http.StatusFound)
	})
	mux.HandleFunc("POST /api/v1/workspaces", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/user", http.StatusTemporaryRedirect)
	})
	c := clientAt(t, server.URL)
	if _, err := c.Me(t.Context(), promptrails.WithHeader("X-To", "/user")); err != nil {
		t.Errorf("Me with a redirect within the origin: got %v, want no error", err)
	}
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	for _, to := range []string{other.URL, "http://localhost" + port + "/user", "https://127.0.0.1" + port + "/user", "//evil.example.com/", "/loop"} {
		_, err := c.Me(t.Context(), promptrails.WithHeader("X-To", to))
		if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Status < 300 || e.Status > 399 {
			t.Errorf("Me with a redirect to %s: got %v, want an *Error with a 3xx status", to, err)
		}
	}
	if n := loops.Load(); n != 10 {
		t.Errorf("redirect loop: got %d requests, want 10", n)
	}
	if _, err := c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{}); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("Workspaces.Create with a redirect: got %v, want an error with status 307", err)
	}
}

// An id is escaped as one path element, or rejected.
func TestHostileIDs(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(200, `{"data":{"id":"m"}}`)}}
	c := clientOver(t, a)
	for _, id := range []string{"", ".", "..", "...", "a\r\nb", "a\x00b", "\x7f"} {
		t.Run(fmt.Sprintf("%q is rejected", id), func(t *testing.T) {
			_, err := c.Members.Get(t.Context(), id)
			v, ok := errors.AsType[*promptrails.ValidationError](err)
			if !ok || v.Fields["id"] == "" || errors.Unwrap(err) != nil {
				t.Errorf("Members.Get: got %v, want a ValidationError for id", err)
			}
		})
	}
	if a.count() != 0 {
		t.Errorf("rejected ids: got %d requests, want 0", a.count())
	}
	for _, id := range []string{"../agents/1?x=y", "a/b", "%2e%2e", "ä ö", "a#b", "a;b=c"} {
		t.Run(fmt.Sprintf("%q is escaped", id), func(t *testing.T) {
			if _, err := c.Members.Get(t.Context(), id); err != nil {
				t.Fatalf("Members.Get: got %v, want no error", err)
			}
			a.mu.Lock()
			u := a.seen[len(a.seen)-1].URL
			a.mu.Unlock()
			want := "/api/v1/members/" + url.PathEscape(id)
			if u.EscapedPath() != want || u.RawQuery != "" || u.Fragment != "" {
				t.Errorf("Members.Get: got URL %s, want path %s without query or fragment", u, want)
			}
		})
	}
}

// Invalid request options are rejected before a request is sent.
func TestInvalidRequestOptions(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(200, someUser)}}
	c := clientOver(t, a)
	for name, opt := range map[string]promptrails.RequestOption{
		"an authentication header": promptrails.WithHeader("x-api-key", "pr_live_1234567890"),
		"a workspace header":       promptrails.WithHeader("X-Workspace-ID", "w"),
		"a framing header":         promptrails.WithHeader("Content-Length", "7"),
		"a line break":             promptrails.WithHeader("X-A", "a\r\nX-B: b"),
		"a name with a space":      promptrails.WithHeader("X A", "a"),
		"a key with a line break":  promptrails.WithIdempotencyKey("secret\r\nX-B: b"),
		"a long request id":        promptrails.WithRequestID(strings.Repeat("a", 129)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.Me(t.Context(), opt); !errors.Is(err, promptrails.ErrValidation) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "pr_live") {
				t.Errorf("Me: got %v, want ErrValidation without the option's value", err)
			}
		})
	}
	if a.count() != 0 {
		t.Errorf("got %d requests, want 0", a.count())
	}
}

func TestRequestOptions(t *testing.T) {
	t.Parallel()
	a := &scripted{}
	c := clientOver(t, a)
	var r promptrails.Response
	a.script = []http.HandlerFunc{status(503, ""), status(200, someUser, "X-Request-Id", "r", "X-RateLimit-Limit", "10", "X-RateLimit-Remaining", "9", "X-RateLimit-Reset", "60", "Idempotency-Replayed", "true")}
	if _, err := c.Me(t.Context(), promptrails.WithResponse(&r), promptrails.WithHeader("X-Extra", "yes"), promptrails.WithRequestID("mine")); err != nil {
		t.Fatal(err)
	}
	if r.Status != 200 || r.RequestID != "r" || r.Attempts != 2 || !r.Replayed || r.RateLimit != (promptrails.RateLimit{Limit: 10, Remaining: 9, Reset: 60e9}) {
		t.Errorf("WithResponse: got %+v, want a replayed 200 with request id r after 2 attempts, and a rate limit of 10", r)
	}
	if h := a.seen[1].Header; h.Get("X-Extra") != "yes" || h.Get("X-Request-ID") != "mine" || h.Get("Content-Type") != "" || !strings.Contains(h.Get("User-Agent"), "promptrails-go/") {
		t.Errorf("headers of the retry: got %v, want X-Extra, X-Request-ID and User-Agent, but no Content-Type", h)
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(201, `{"data":{"id":"a1","name":"agent"}}`)}}
	c := clientOver(t, a)
	var out struct {
		ID   string          `json:"id"`
		Name json.RawMessage `json:"name"`
	}
	if err := c.Do(t.Context(), "POST", "/agents?dry=1", map[string]any{"name": "agent"}, &out); err != nil || out.ID != "a1" || string(out.Name) != `"agent"` {
		t.Errorf("Do: got %+v and error %v, want id a1 and name agent", out, err)
	}
	if r := a.seen[0]; r.URL.String() != "https://api.example.com/api/v1/agents?dry=1" || sentKey(r) == "" || r.Header.Get("X-Workspace-ID") != "w" {
		t.Errorf("Do: got request to %s with headers %v, want /api/v1/agents?dry=1 with an Idempotency-Key and workspace w", r.URL, r.Header)
	}
	for _, path := range []string{"", "agents", "//evil.example.com/x", "https://evil.example.com/x", "/a/../b", "/a/%2e%2e/b", "/a\r\nb", "/a#b"} {
		t.Run(fmt.Sprintf("invalid path %q", path), func(t *testing.T) {
			if err := c.Do(t.Context(), "GET", path, nil, nil); !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("Do: got %v, want ErrValidation", err)
			}
		})
	}
	if a.count() != 1 {
		t.Errorf("Do: got %d requests, want 1", a.count())
	}
}
