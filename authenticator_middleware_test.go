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

// Each answer is what RFC 6750 and the API's own envelope say.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a := g.authenticator(promptrails.WithAuthTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")))
	const realm = `Bearer realm="promptrails"`
	const invalidToken = realm + `, error="invalid_token", error_description="`
	const known = `{"error":{"code":"invalid_api_key","message":"unknown API key"}}`
	key := g.key(promptrails.ScopeAgentsRead)
	listed := g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.9"}, AllowedOrigins: []string{"https://app.example.com"}})
	revoked := g.key()
	if err := g.owner.APIKeys.Revoke(t.Context(), revoked.ID); err != nil {
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
		{"a key", "agents:read", "", []string{"X-API-Key", key.Key.Reveal()}, 200, "", key.ID},
		{"a bearer", "agents:read", "", []string{"Authorization", "Bearer " + key.Key.Reveal()}, 200, "", key.ID},
		{"a bearer in small letters", "", "", []string{"Authorization", "bearer  " + key.Key.Reveal() + " "}, 200, "", key.ID},
		{"a key beside a password", "", "", []string{"X-API-Key", key.Key.Reveal(), "Authorization", "Basic YTpi"}, 200, "", key.ID},
		{"nothing", "agents:read", "", nil, 401, realm, `{"error":{"code":"unauthorized","message":"send an API key, as X-API-Key or as Authorization: Bearer"}}`},
		{"a password", "agents:read", "", []string{"Authorization", "Basic " + key.Key.Reveal()}, 401, realm, `{"error":{"code":"unauthorized","message":"send an API key, as X-API-Key or as Authorization: Bearer"}}`},
		{"an empty key", "", "", []string{"X-API-Key", ""}, 401, realm, `{"error":{"code":"unauthorized","message":"send an API key, as X-API-Key or as Authorization: Bearer"}}`},
		{"an empty key next to a token", "", "", []string{"X-API-Key", " ", "Authorization", "Bearer pr_live_nobody"}, 401, invalidToken + `unknown API key"`, known},
		{"an unknown key", "", "", []string{"X-API-Key", "pr_live_nobody"}, 401, invalidToken + `unknown API key"`, known},
		{"somebody's token", "", "", []string{"Authorization", "Bearer eyJhbGciOi"}, 401, invalidToken + `unknown API key"`, known},
		{"a revoked key", "", "", []string{"X-API-Key", revoked.Key.Reveal()}, 401, invalidToken + `the API key was revoked"`, `{"error":{"code":"api_key_revoked","message":"the API key was revoked"}}`},
		{
			"both", "", "",
			[]string{"X-API-Key", key.Key.Reveal(), "Authorization", "Bearer " + key.Key.Reveal()},
			400,
			realm + `, error="invalid_request", error_description="send one API key, once: as X-API-Key or as Authorization: Bearer"`,
			`{"error":{"code":"bad_request","message":"send one API key, once: as X-API-Key or as Authorization: Bearer"}}`,
		},
		{"two keys", "", "", []string{"X-API-Key", key.Key.Reveal(), "X-API-Key", key.Key.Reveal()}, 400, realm + `, error="invalid_request", error_description="send one API key, once: as X-API-Key or as Authorization: Bearer"`, ""},
		{"two bearers", "", "", []string{"Authorization", "Bearer " + key.Key.Reveal(), "Authorization", "Bearer pr_x"}, 400, realm + `, error="invalid_request", error_description="send one API key, once: as X-API-Key or as Authorization: Bearer"`, ""},
		{
			"a missing scope", "billing:write", "",
			[]string{"X-API-Key", key.Key.Reveal()},
			403, realm + `, error="insufficient_scope", scope="billing:write"`,
			`{"error":{"code":"insufficient_scope","message":"the API key lacks a scope","details":{"required":"billing:write","granted":["agents:read"]}}}`,
		},
		{"the right place", "", "203.0.113.9:1234", append(app, "X-API-Key", listed.Key.Reveal()), 200, "", listed.ID},
		{"behind a proxy", "", "10.1.2.3:1234", append(app, "X-API-Key", listed.Key.Reveal(), "X-Forwarded-For", "198.51.100.1, 203.0.113.9"), 200, "", listed.ID},
		{
			"a claim of nobody's", "", "198.51.100.1:1234", append(app, "X-API-Key", listed.Key.Reveal(), "X-Forwarded-For", "203.0.113.9"), 403, realm,
			`{"error":{"code":"ip_not_allowed","message":"the API key is not allowed from this address","details":{"ip":"198.51.100.1"}}}`,
		},
		{"a claim through a proxy", "", "10.1.2.3:1234", append(app, "X-API-Key", listed.Key.Reveal(), "X-Forwarded-For", "203.0.113.9, 198.51.100.1"), 403, realm, ""},
		{"no address", "", "@", append(app, "X-API-Key", listed.Key.Reveal()), 403, realm, ""},
		{
			"another origin", "", "203.0.113.9:1234",
			[]string{"X-API-Key", listed.Key.Reveal(), "Origin", "https://evil.example\u202e\""},
			403, realm,
			`{"error":{"code":"origin_not_allowed","message":"the API key is not allowed from this origin","details":{"origin":"https://evil.example` + "\ufffd" + `\""}}}`,
		},
		{"two origins", "", "203.0.113.9:1234", append(app, "X-API-Key", listed.Key.Reveal(), "Origin", "https://app.example.com"), 403, realm, ""},
	} {
		var scopes []promptrails.Scope
		if c.scope != "" {
			scopes = append(scopes, c.scope)
		}
		handler := a.Middleware(scopes...)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, ok := promptrails.PrincipalFromContext(r.Context())
			if !ok {
				t.Errorf("%s: nobody is there", c.name)
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
			t.Errorf("%s:\n%d %s\n%s", c.name, w.Code, cmp.Diff(c.challenge, got), cmp.Diff(c.body, w.Body.String()))
		}
		if c.status != 200 && (w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%s: headers %v", c.name, w.Header())
		}
	}
	if _, ok := promptrails.PrincipalFromContext(t.Context()); ok {
		t.Error("somebody is there where nobody was let in")
	}
}

// Where nobody can tell, nobody is let in: they are told to come again, and not
// why.
func TestMiddlewareWhileTheAPIIsDown(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	handler := g.authenticator().Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
	for retryAfter, answer := range map[string]http.HandlerFunc{
		"1": status(500, `{"error":{"code":"internal_error","message":"disk on fire"}}`),
		"7": status(429, ``, "Retry-After", "7"),
	} {
		g.answersWith(answer)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("X-API-Key", "pr_live_x"+retryAfter)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		const want = `{"error":{"code":"unavailable","message":"the API key cannot be verified now; try again"}}`
		if w.Code != 503 || w.Header().Get("Retry-After") != retryAfter || w.Body.String() != want || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	}
}

// The scopes of a middleware are those that it was made with.
func TestMiddlewareKeepsItsScopes(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	scopes := []promptrails.Scope{promptrails.ScopeBillingWrite}
	middleware := g.authenticator().Middleware(scopes...)
	scopes[0] = promptrails.ScopeAgentsRead
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader(""))
	r.Header.Set("X-API-Key", g.key(promptrails.ScopeAgentsRead).Key.Reveal())
	w := httptest.NewRecorder()
	middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("got %d", w.Code)
	}
}
