package embedded_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// preflight asks as a browser does before a page of an origin sends a request with a
// key.
func (s *server) preflight(path, origin, method string) (status int, header http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodOptions, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Access-Control-Request-Method", method)
	req.Header.Set("Access-Control-Request-Headers", "content-type,idempotency-key,x-api-key")
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close() // of a preflight, it is empty
	return resp.StatusCode, resp.Header
}

// A page in a browser uses a key that its origin is allowed for: the preflight, which
// carries no key, allows the method and the headers, and the response can be read.
func TestBrowsersUseKeysWithOrigins(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	const page = "https://app.example.com"
	key := ada.key(`{"name":"page","scopes":["agents:read","agents:write"],"allowed_origins":["` + page + `"]}`)
	for _, path := range []string{"/api/v1/agents", "/api/v1/agents/some/execute", "/api/v1/nothing"} {
		status, header := s.preflight(path, page, "PATCH")
		allowed := strings.ToLower(header.Get("Access-Control-Allow-Headers"))
		if status != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(header.Get("Access-Control-Allow-Methods"), "PATCH") ||
			!strings.Contains(allowed, "x-api-key") || !strings.Contains(allowed, "idempotency-key") || header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %d %v, want 204 that allows PATCH with a key, without credentials", path, status, header)
		}
	}
	made := key.do("POST", "/agents", `{"name":"a"}`, "Origin", page).expect(201)
	exposed := made.header.Get("Access-Control-Expose-Headers")
	if made.header.Get("Access-Control-Allow-Origin") != "*" || made.header.Get("Vary") != "Origin" {
		t.Errorf("got %v, want a response that the page can read", made.header)
	}
	for _, name := range []string{"Etag", "X-Request-Id", "Retry-After", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Idempotency-Replayed"} {
		if !strings.Contains(exposed, name) {
			t.Errorf("got the exposed headers %q, want %s among them", exposed, name)
		}
	}
	// The page learns why it is refused, too.
	refused := key.do("GET", "/agents", "", "Origin", "https://evil.example.com").refused(403, "origin_not_allowed")
	if refused.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %v, want an error that the page can read", refused.header)
	}
	// An OPTIONS that is no preflight is a method like another.
	if r := ada.do("OPTIONS", "/agents", "", "Origin", page); r.status != http.StatusMethodNotAllowed {
		t.Errorf("got %d %s, want 405", r.status, r.body)
	}
}

// Config.CORSOrigins narrows the origins whose pages can read responses.
func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{CORSOrigins: []string{"https://*.example.com"}})
	for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "https://example.org": "", "http://app.example.com": "", "null": ""} {
		status, header := s.preflight("/api/v1/agents", origin, "GET")
		if got := header.Get("Access-Control-Allow-Origin"); got != want || status != http.StatusNoContent {
			t.Errorf("%s: got %d, Access-Control-Allow-Origin %q, want 204 and %q", origin, status, got, want)
		}
	}
	_, err := embedded.Open(t.Context(), embedded.Config{CORSOrigins: []string{"app.example.com"}})
	if err == nil || !strings.Contains(err.Error(), `Config.CORSOrigins: "app.example.com" must be an origin`) {
		t.Errorf("got %v, want an error that names the origin", err)
	}
}

// Calls that need a model, a tool or a data source are not served, and say so.
func TestNotServed(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	for _, call := range []string{
		"GET /media", "GET /media/m1", "POST /assets", "GET /chat/sessions/s/messages", "POST /chat/sessions/s/messages/stream", "POST /prompts/p/run", "POST /prompts/p/preview",
		"POST /data-sources/d/query", "POST /data-sources/d/test", "POST /mcp-tools/t/discover", "POST /mcp-tools/t/call", "GET /templates", "GET /costs/summary", "GET /dashboard",
		"GET /llm-models", "POST /a2a/agents/x", "GET /vfs/files/a", "POST /traces", "POST /traces/batch",
	} {
		method, path, _ := strings.Cut(call, " ")
		if r := ada.do(method, path, "").refused(404, "not_served"); !strings.Contains(r.body, "no model, tool or data source") {
			t.Errorf("%s: got %s, want the reason", call, r.body)
		}
	}
	for _, path := range []string{"/nothing", "/mediathek", "/prompts/p/nothing", "/traces/x/y"} {
		ada.do("GET", path, "").fails(404, "not_found")
	}
}
