package promptrails_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// A key that was refused is asked about again after a change to keys through the
// authenticator's own client.
func TestRefusedKeyIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	known := false
	c := clientOver(t, &answers{script: []http.HandlerFunc{status(200, `{"data":{"id":"k"}}`)}})
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(c, promptrails.WithAuthNegativeTTL(time.Hour), promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		if !known {
			return nil, promptrails.ErrUnauthorized
		}
		return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
	}))))
	key := promptrails.NewSecret("pr_live_0123456789")
	wants(t, code(t, a, key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	known = true
	wants(t, code(t, a, key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey) // remembered
	if _, err := c.APIKeys.Update(t.Context(), "k", &promptrails.UpdateAPIKeyParams{}); err != nil {
		t.Fatal(err)
	}
	wants(t, code(t, a, key, promptrails.AuthRequest{}), "")
}

// What a verifier returns is its own to change, and a status that this version
// does not know opens nothing.
func TestVerifiersKeyIsCopied(t *testing.T) {
	t.Parallel()
	own := &promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyActive, Scopes: promptrails.Scopes{"agents:read"}, AllowedIPs: []string{"203.0.113.9"}, AllowedOrigins: []string{"https://a.example.com"}}
	newAuthenticator := func() *promptrails.Authenticator {
		return must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) { return own, nil }))))
	}
	a, key := newAuthenticator(), promptrails.NewSecret("pr_live_0123456789")
	use := promptrails.AuthRequest{IP: netip.MustParseAddr("203.0.113.9"), Origin: "https://a.example.com", Scopes: []promptrails.Scope{"agents:read"}}
	wants(t, code(t, a, key, use), "")
	own.Scopes[0], own.AllowedIPs[0], own.AllowedOrigins[0] = "*", "0.0.0.0/0", "https://evil.example.com"
	wants(t, code(t, a, key, use), "")
	use.Scopes = []promptrails.Scope{"agents:write"}
	wants(t, code(t, a, key, use), promptrails.CodeInsufficientScope)
	own.Status = "suspended"
	wants(t, code(t, newAuthenticator(), key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
}

// A verifier that panics fails that request only.
func TestVerifierThatPanics(t *testing.T) {
	t.Parallel()
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) { panic("of the verifier") }))))
	wants(t, code(t, a, promptrails.NewSecret("pr_live_0123456789"), promptrails.AuthRequest{}), promptrails.CodeUnavailable)
	if _, err := promptrails.NewAuthenticator(clientOver(t, &answers{}), promptrails.WithAuthVerifier(nil)); err == nil {
		t.Error("a nil verifier: got no error")
	}
}

// With its workspace a key is gone, whoever asks about it.
func TestKeyOfADeletedWorkspace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		key := g.key()
		person := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(g.owner, promptrails.WithAuthCacheTTL(time.Second)))
		asker := g.authenticator(promptrails.WithAuthCacheTTL(time.Second), promptrails.WithAuthMaxStale(time.Hour))
		wants(t, code(t, person, key.Key, promptrails.AuthRequest{}), "")
		wants(t, code(t, asker, key.Key, promptrails.AuthRequest{}), "")
		if err := g.owner.Workspaces.Delete(t.Context(), key.WorkspaceID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "research"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		wants(t, code(t, person, key.Key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
		wants(t, code(t, asker, key.Key, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	})
	// Credentials that were never accepted say nothing about a key.
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey("pr_live_mistyped"), promptrails.WithHTTPClient(&http.Client{Transport: &answers{script: []http.HandlerFunc{
		status(401, `{"error":{"code":"invalid_api_key","message":"unknown API key"}}`),
	}}})))
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(c))
	wants(t, code(t, a, promptrails.NewSecret("pr_live_0123456789"), promptrails.AuthRequest{}), promptrails.CodeUnavailable)
}

// The middleware reads the header that it was told to, from the peers that it
// was told to trust.
func TestForwardedHeaderOfTheMiddleware(t *testing.T) {
	t.Parallel()
	listed := verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		return &promptrails.APIKey{ID: "k", WorkspaceID: "w", AllowedIPs: []string{"203.0.113.9"}}, nil
	})
	for name, c := range map[string]struct {
		opts   []promptrails.AuthenticatorOption
		peer   string
		header [2]string
		status int
	}{
		"a socket that is trusted":     {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedUnixSocket()}, "@", [2]string{"X-Forwarded-For", "203.0.113.9"}, 200},
		"a socket that is not trusted": {nil, "@", [2]string{"X-Forwarded-For", "203.0.113.9"}, 403},
		"Forwarded":                    {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedUnixSocket(), promptrails.WithAuthForwardedHeader("forwarded")}, "", [2]string{"Forwarded", "for=203.0.113.9"}, 200},
		"Forwarded, the other sent":    {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedUnixSocket(), promptrails.WithAuthForwardedHeader("Forwarded")}, "", [2]string{"X-Forwarded-For", "203.0.113.9"}, 403},
		"X-Real-IP":                    {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")), promptrails.WithAuthForwardedHeader("X-Real-IP")}, "10.0.0.1:7", [2]string{"X-Real-IP", "203.0.113.9"}, 200},
	} {
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, append(c.opts, promptrails.WithAuthVerifier(listed), nil)...))
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-API-Key", "pr_live_0123456789")
		r.Header.Set(c.header[0], c.header[1])
		w := httptest.NewRecorder()
		a.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: got %d, want %d", name, w.Code, c.status)
		}
	}
	if _, err := promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(listed), promptrails.WithAuthForwardedHeader("X-Mine")); err == nil {
		t.Error("another header: got no error")
	}
}
