package promptrails_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// request sends a request with headers, given as names and values in turn, to
// middleware around a handler that writes the id of the key.
func request(t *testing.T, middleware func(http.Handler) http.Handler, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	handler := middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := promptrails.PrincipalFromContext(r.Context())
		if !ok {
			_, _ = w.Write([]byte("no key"))
			return
		}
		_, _ = w.Write([]byte(p.KeyID))
	}))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// OptionalMiddleware accepts requests without a key. It refuses each request with a
// key that Middleware refuses.
func TestOptionalMiddleware(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	key := ks.newKey(promptrails.ScopeAgentsRead)
	a := ks.newAuthenticator()
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		body    string
	}{
		{"no key", nil, 200, "no key"},
		{"empty key", []string{"X-API-Key", ""}, 200, "no key"},
		{"basic credentials", []string{"Authorization", "Basic YTpi"}, 200, "no key"},
		{"a key", []string{"X-API-Key", key.Key.Reveal()}, 200, key.ID},
		{"unknown key", []string{"X-API-Key", "pr_live_unknown"}, 401, ""},
		{"malformed key", []string{"X-API-Key", "x"}, 401, ""},
		{"empty token", []string{"Authorization", "Bearer "}, 401, ""},
		{"missing scope", []string{"X-API-Key", ks.newKey(promptrails.ScopeBillingRead).Key.Reveal()}, 403, ""},
		{"two keys", []string{"X-API-Key", key.Key.Reveal(), "Authorization", "Bearer " + key.Key.Reveal()}, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := request(t, a.OptionalMiddleware(promptrails.ScopeAgentsRead), c.headers...)
			if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
				t.Errorf("OptionalMiddleware: got status %d and %q, want %d and %q", w.Code, w.Body, c.status, c.body)
			}
		})
	}
	ks.takeDown()
	if w := request(t, a.OptionalMiddleware(), "X-API-Key", "pr_live_new"); w.Code != 503 {
		t.Errorf("OptionalMiddleware while keys cannot be verified: got status %d, want 503", w.Code)
	}
	if w := request(t, a.OptionalMiddleware()); w.Code != 200 {
		t.Errorf("OptionalMiddleware without a key while keys cannot be verified: got status %d, want 200", w.Code)
	}
}

// WithAuthKeyFrom replaces both headers.
func TestAuthKeyFrom(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	key := ks.newKey(promptrails.ScopeAgentsRead)
	a := ks.newAuthenticator(promptrails.WithAuthKeyFrom(func(r *http.Request) string { return r.Header.Get("X-Service-Key") }))
	if w := request(t, a.Middleware(), "X-Service-Key", key.Key.Reveal(), "X-API-Key", "other"); w.Code != 200 || w.Body.String() != key.ID {
		t.Errorf("Middleware: got status %d and %q, want 200 and %s", w.Code, w.Body, key.ID)
	}
	const want = `{"error":{"code":"unauthorized","message":"send an API key"}}`
	if w := request(t, a.Middleware(), "X-API-Key", key.Key.Reveal()); w.Code != 401 || w.Body.String() != want {
		t.Errorf("Middleware with the key in X-API-Key: got status %d and %q, want 401 and %s", w.Code, w.Body, want)
	}
	if w := request(t, a.OptionalMiddleware(), "X-API-Key", key.Key.Reveal()); w.Code != 200 || w.Body.String() != "no key" {
		t.Errorf("OptionalMiddleware with the key in X-API-Key: got status %d and %q, want 200 without a principal", w.Code, w.Body)
	}
}

// The function of WithAuthErrorHandler writes the body. The headers are those of the
// middleware, and the error does not show why a key cannot be verified.
func TestAuthErrorHandler(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a := ks.newAuthenticator(promptrails.WithAuthErrorHandler(func(w http.ResponseWriter, r *http.Request, err error) {
		refusal, _ := errors.AsType[*promptrails.Error](err)
		w.WriteHeader(refusal.Status)
		_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "code": refusal.Code, "text": err.Error()})
	}))
	w := request(t, a.Middleware(promptrails.ScopeAgentsRead))
	if w.Code != 401 || !strings.HasPrefix(w.Body.String(), `{"code":"unauthorized","path":"/",`) || w.Header().Get("WWW-Authenticate") != `Bearer realm="promptrails"` || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("Middleware without a key: got status %d, headers %v and %q; want 401, WWW-Authenticate and the body of the function", w.Code, w.Header(), w.Body)
	}
	w = request(t, a.Middleware(promptrails.ScopeBillingRead), "X-API-Key", ks.newKey(promptrails.ScopeAgentsRead).Key.Reveal())
	if w.Code != 403 || !strings.Contains(w.Body.String(), "insufficient_scope") {
		t.Errorf("Middleware with a missing scope: got status %d and %q, want 403 insufficient_scope", w.Code, w.Body)
	}
	ks.respondWith(status(500, `{"error":{"code":"internal_error","message":"disk on fire"}}`))
	w = request(t, a.Middleware(), "X-API-Key", "pr_live_new")
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("Middleware while keys cannot be verified: got status %d, headers %v and %q; want 503, Retry-After and no cause", w.Code, w.Header(), w.Body)
	}
}

// A test of a handler sets the principal without a key.
func TestContextWithPrincipal(t *testing.T) {
	t.Parallel()
	want := &promptrails.Principal{KeyID: "k", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead}}
	if got, ok := promptrails.PrincipalFromContext(promptrails.ContextWithPrincipal(t.Context(), want)); !ok || got != want {
		t.Errorf("PrincipalFromContext: got %v, %t, want %v", got, ok, want)
	}
	if got, ok := promptrails.PrincipalFromContext(promptrails.ContextWithPrincipal(t.Context(), nil)); ok {
		t.Errorf("PrincipalFromContext of a nil principal: got %v, want none", got)
	}
}

func ExampleContextWithPrincipal() {
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := promptrails.PrincipalFromContext(r.Context())
		_, _ = fmt.Fprint(w, "reports of the workspace ", key.WorkspaceID)
	})
	r := httptest.NewRequest("GET", "/reports", nil)
	r = r.WithContext(promptrails.ContextWithPrincipal(r.Context(), &promptrails.Principal{WorkspaceID: "w1"}))
	w := httptest.NewRecorder()
	reports(w, r)
	fmt.Println(w.Body)
	// Output: reports of the workspace w1
}
