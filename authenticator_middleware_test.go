package promptrails_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Responses follow RFC 6750 and use the API's error envelope.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a := ks.newAuthenticator(promptrails.WithAuthTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")))
	const realm = `Bearer realm="promptrails"`
	const invalidToken = realm + `, error="invalid_token", error_description="`
	const unknownKey = `{"error":{"code":"invalid_api_key","message":"unknown API key"}}`
	key := ks.newKey(promptrails.ScopeAgentsRead)
	listed := ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.9"}, AllowedOrigins: []string{"https://app.example.com"}})
	revoked := ks.newKey()
	if err := ks.owner.APIKeys.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	app := []string{"Origin", "https://app.example.com"}
	for _, c := range []struct {
		name      string
		scope     promptrails.Scope
		peer      string
		headers   []string
		status    int
		challenge string
		body      string
	}{
		{"API key", "agents:read", "", []string{"X-API-Key", key.Key.Reveal()}, 200, "", key.ID},
		{"bearer token", "agents:read", "", []string{"Authorization", "Bearer " + key.Key.Reveal()}, 200, "", key.ID},
		{"lower-case bearer", "", "", []string{"Authorization", "bearer  " + key.Key.Reveal() + " "}, 200, "", key.ID},
		{"API key and basic credentials", "", "", []string{"X-API-Key", key.Key.Reveal(), "Authorization", "Basic YTpi"}, 200, "", key.ID},
		{"no credentials", "agents:read", "", nil, 401, realm, `{"error":{"code":"unauthorized","message":"send an API key, as X-API-Key or as Authorization: Bearer"}}`},
		{"basic credentials", "agents:read", "", []string{"Authorization", "Basic " + key.Key.Reveal()}, 401, realm, `{"error":{"code":"unauthorized","message":"send an API key, as X-API-Key or as Authorization: Bearer"}}`},
		{"empty key", "", "", []string{"X-API-Key", ""}, 401, realm, `{"error":{"code":"unauthorized","message":"send an API key, as X-API-Key or as Authorization: Bearer"}}`},
		{"empty key and bearer token", "", "", []string{"X-API-Key", " ", "Authorization", "Bearer pr_live_unknown"}, 401, invalidToken + `unknown API key"`, unknownKey},
		{"unknown key", "", "", []string{"X-API-Key", "pr_live_unknown"}, 401, invalidToken + `unknown API key"`, unknownKey},
		{"other bearer token", "", "", []string{"Authorization", "Bearer eyJhbGciOi"}, 401, invalidToken + `unknown API key"`, unknownKey},
		{"revoked key", "", "", []string{"X-API-Key", revoked.Key.Reveal()}, 401, invalidToken + `the API key was revoked"`, `{"error":{"code":"api_key_revoked","message":"the API key was revoked"}}`},
		{
			"API key in both headers", "", "",
			[]string{"X-API-Key", key.Key.Reveal(), "Authorization", "Bearer " + key.Key.Reveal()},
			400,
			realm + `, error="invalid_request", error_description="send exactly one API key, as X-API-Key or as Authorization: Bearer"`,
			`{"error":{"code":"bad_request","message":"send exactly one API key, as X-API-Key or as Authorization: Bearer"}}`,
		},
		{"two API keys", "", "", []string{"X-API-Key", key.Key.Reveal(), "X-API-Key", key.Key.Reveal()}, 400, realm + `, error="invalid_request", error_description="send exactly one API key, as X-API-Key or as Authorization: Bearer"`, ""},
		{"two bearer tokens", "", "", []string{"Authorization", "Bearer " + key.Key.Reveal(), "Authorization", "Bearer pr_x"}, 400, realm + `, error="invalid_request", error_description="send exactly one API key, as X-API-Key or as Authorization: Bearer"`, ""},
		{
			"missing scope", "billing:write", "",
			[]string{"X-API-Key", key.Key.Reveal()},
			403, realm + `, error="insufficient_scope", scope="billing:write"`,
			`{"error":{"code":"insufficient_scope","message":"the API key lacks a scope","details":{"required":"billing:write","granted":["agents:read"]}}}`,
		},
		{"allowed address and origin", "", "203.0.113.9:1234", append(app, "X-API-Key", listed.Key.Reveal()), 200, "", listed.ID},
		{"allowed address through a trusted proxy", "", "10.1.2.3:1234", append(app, "X-API-Key", listed.Key.Reveal(), "X-Forwarded-For", "198.51.100.1, 203.0.113.9"), 200, "", listed.ID},
		{
			"forwarded address from an untrusted peer", "", "198.51.100.1:1234", append(app, "X-API-Key", listed.Key.Reveal(), "X-Forwarded-For", "203.0.113.9"), 403, realm,
			`{"error":{"code":"ip_not_allowed","message":"the API key is not allowed from this address","details":{"ip":"198.51.100.1"}}}`,
		},
		{"spoofed address through a trusted proxy", "", "10.1.2.3:1234", append(app, "X-API-Key", listed.Key.Reveal(), "X-Forwarded-For", "203.0.113.9, 198.51.100.1"), 403, realm, ""},
		{"unknown address", "", "@", append(app, "X-API-Key", listed.Key.Reveal()), 403, realm, ""},
		{
			"other origin", "", "203.0.113.9:1234",
			[]string{"X-API-Key", listed.Key.Reveal(), "Origin", "https://evil.example\u202e\""},
			403, realm,
			`{"error":{"code":"origin_not_allowed","message":"the API key is not allowed from this origin","details":{"origin":"https://evil.example` + "\ufffd" + `\""}}}`,
		},
		{"two origins", "", "203.0.113.9:1234", append(app, "X-API-Key", listed.Key.Reveal(), "Origin", "https://app.example.com"), 403, realm, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var scopes []promptrails.Scope
			if c.scope != "" {
				scopes = append(scopes, c.scope)
			}
			handler := a.Middleware(scopes...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				p, ok := promptrails.PrincipalFromContext(r.Context())
				if !ok {
					t.Error("PrincipalFromContext in the handler: got no principal, want one")
					return
				}
				_, _ = w.Write([]byte(p.KeyID))
			}))
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			if c.peer != "" {
				r.RemoteAddr = c.peer
			}
			for i := 0; i < len(c.headers); i += 2 {
				r.Header.Add(c.headers[i], c.headers[i+1])
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			got := w.Header().Get("WWW-Authenticate")
			if w.Code != c.status || got != c.challenge || c.body != "" && w.Body.String() != c.body {
				t.Errorf("Middleware: got status %d, want %d\nWWW-Authenticate (-want +got):\n%s\nbody (-want +got):\n%s", w.Code, c.status, cmp.Diff(c.challenge, got), cmp.Diff(c.body, w.Body.String()))
			}
			if c.status != 200 && (w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store") {
				t.Errorf("Middleware: got headers %v, want Content-Type application/json and Cache-Control no-store", w.Header())
			}
		})
	}
	if _, ok := promptrails.PrincipalFromContext(t.Context()); ok {
		t.Error("PrincipalFromContext outside a handler: got a principal, want none")
	}
}

// If a key cannot be verified, the middleware responds with 503 and Retry-After,
// without the cause.
func TestMiddlewareWhileTheAPIIsDown(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	handler := ks.newAuthenticator().Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("handler was called for an unverified key") }))
	for retryAfter, response := range map[string]http.HandlerFunc{
		"1": status(500, `{"error":{"code":"internal_error","message":"disk on fire"}}`),
		"7": status(429, ``, "Retry-After", "7"),
	} {
		ks.respondWith(response)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("X-API-Key", "pr_live_x"+retryAfter)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		const want = `{"error":{"code":"unavailable","message":"the API key cannot be verified now; try again"}}`
		if w.Code != 503 || w.Header().Get("Retry-After") != retryAfter || w.Body.String() != want || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("Middleware: got status %d, headers %v and body %s; want 503, Retry-After %s, no WWW-Authenticate and %s", w.Code, w.Header(), w.Body, retryAfter, want)
		}
	}
}

// Middleware copies its scopes.
func TestMiddlewareCopiesItsScopes(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	scopes := []promptrails.Scope{promptrails.ScopeBillingWrite}
	middleware := ks.newAuthenticator().Middleware(scopes...)
	scopes[0] = promptrails.ScopeAgentsRead
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader(""))
	r.Header.Set("X-API-Key", ks.newKey(promptrails.ScopeAgentsRead).Key.Reveal())
	w := httptest.NewRecorder()
	middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("Middleware after the scopes were modified: got status %d, want 403", w.Code)
	}
}
