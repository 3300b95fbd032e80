package embedded_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// preflight sends the CORS preflight of a request with a key.
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
	_ = resp.Body.Close() // the body is empty
	return resp.StatusCode, resp.Header
}

// A web page can use a key that allows its origin: the preflight, which has no
// key, allows the method and the headers, and the page can read the response.
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
			t.Errorf("preflight of %s: got %d %v, want 204 that allows PATCH with a key, without credentials", path, status, header)
		}
	}
	created := key.do("POST", "/agents", `{"name":"a"}`, "Origin", page).expect(201)
	exposed := created.header.Get("Access-Control-Expose-Headers")
	if created.header.Get("Access-Control-Allow-Origin") != "*" || created.header.Get("Vary") != "Origin" {
		t.Errorf("response: got headers %v, want Access-Control-Allow-Origin: * and Vary: Origin", created.header)
	}
	for _, name := range []string{"Etag", "X-Request-Id", "Retry-After", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Idempotency-Replayed"} {
		if !strings.Contains(exposed, name) {
			t.Errorf("Access-Control-Expose-Headers: got %q, want %s in it", exposed, name)
		}
	}
	// The page can read errors, too.
	refused := key.do("GET", "/agents", "", "Origin", "https://evil.example.com").refused(403, "origin_not_allowed")
	if refused.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("error: got headers %v, want Access-Control-Allow-Origin: *", refused.header)
	}
	// OPTIONS without Access-Control-Request-Method is not a preflight.
	if r := ada.do("OPTIONS", "/agents", "", "Origin", page); r.status != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS: got %d %s, want 405", r.status, r.body)
	}
}

// Config.CORSOrigins limits the origins that can read responses.
func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{CORSOrigins: []string{"https://*.example.com"}})
	for origin, want := range map[string]string{"https://app.example.com": "https://app.example.com", "https://example.org": "", "http://app.example.com": "", "null": ""} {
		t.Run(origin, func(t *testing.T) {
			status, header := s.preflight("/api/v1/agents", origin, "GET")
			if got := header.Get("Access-Control-Allow-Origin"); got != want || status != http.StatusNoContent {
				t.Errorf("preflight from %s: got %d, Access-Control-Allow-Origin %q, want 204 and %q", origin, status, got, want)
			}
		})
	}
	_, err := embedded.Open(t.Context(), embedded.Config{CORSOrigins: []string{"app.example.com"}})
	if err == nil || !strings.Contains(err.Error(), `Config.CORSOrigins: "app.example.com" must be an origin`) {
		t.Errorf("Open with an invalid origin: got %v, want an error that names it", err)
	}
}

// Routes that require a model, a tool or a data source fail with not_served.
func TestNotServed(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	for _, call := range []string{
		"GET /media", "GET /media/m1", "POST /assets", "GET /chat/sessions/s/messages", "POST /chat/sessions/s/messages/stream", "POST /prompts/p/run", "POST /prompts/p/preview",
		"POST /data-sources/d/query", "POST /data-sources/d/test", "POST /mcp-tools/t/discover", "POST /mcp-tools/t/call", "GET /templates", "GET /costs/summary", "GET /dashboard",
		"GET /llm-models", "POST /a2a/agents/x", "GET /vfs/files/a", "POST /traces", "POST /traces/batch",
	} {
		t.Run(call, func(t *testing.T) {
			method, path, _ := strings.Cut(call, " ")
			if r := ada.with(t).do(method, path, "").refused(404, "not_served"); !strings.Contains(r.body, "not connected to models, tools or data sources") {
				t.Errorf("%s: got %s, want the reason", call, r.body)
			}
		})
	}
	for _, path := range []string{"/nothing", "/mediathek", "/prompts/p/nothing", "/traces/x/y"} {
		ada.do("GET", path, "").fails(404, "not_found")
	}
}
