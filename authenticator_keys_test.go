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

// After any key is changed through the authenticator's own client, a rejected key
// is verified again.
func TestRejectedKeyIsVerifiedAgain(t *testing.T) {
	t.Parallel()
	known := false
	c := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, `{"data":{"id":"k"}}`)}})
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(c, promptrails.WithAuthNegativeTTL(time.Hour), promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		if !known {
			return nil, promptrails.ErrUnauthorized
		}
		return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
	}))))
	key := promptrails.NewSecret("pr_live_0123456789")
	checkAuth(t, a, key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	known = true
	checkAuth(t, a, key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey) // cached
	if _, err := c.APIKeys.Update(t.Context(), "k", &promptrails.UpdateAPIKeyParams{}); err != nil {
		t.Fatal(err)
	}
	checkAuth(t, a, key, promptrails.AuthRequest{}, "")
}

// The authenticator copies the key that a verifier returns, and rejects a key with
// an unknown status.
func TestAuthenticatorCopiesVerifiedKeys(t *testing.T) {
	t.Parallel()
	own := &promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyActive, Scopes: promptrails.Scopes{"agents:read"}, AllowedIPs: []string{"203.0.113.9"}, AllowedOrigins: []string{"https://a.example.com"}}
	newAuthenticator := func() *promptrails.Authenticator {
		return must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) { return own, nil }))))
	}
	a, key := newAuthenticator(), promptrails.NewSecret("pr_live_0123456789")
	use := promptrails.AuthRequest{IP: netip.MustParseAddr("203.0.113.9"), Origin: "https://a.example.com", Scopes: []promptrails.Scope{"agents:read"}}
	checkAuth(t, a, key, use, "")
	own.Scopes[0], own.AllowedIPs[0], own.AllowedOrigins[0] = "*", "0.0.0.0/0", "https://evil.example.com"
	checkAuth(t, a, key, use, "")
	use.Scopes = []promptrails.Scope{"agents:write"}
	checkAuth(t, a, key, use, promptrails.CodeInsufficientScope)
	own.Status = "suspended"
	checkAuth(t, newAuthenticator(), key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
}

// A panic in a verifier is an error of that call.
func TestVerifierPanics(t *testing.T) {
	t.Parallel()
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) { panic("of the verifier") }))))
	checkAuth(t, a, promptrails.NewSecret("pr_live_0123456789"), promptrails.AuthRequest{}, promptrails.CodeUnavailable)
	if _, err := promptrails.NewAuthenticator(clientOver(t, &scripted{}), promptrails.WithAuthVerifier(nil)); err == nil {
		t.Error("NewAuthenticator with a nil verifier: got no error, want one")
	}
}

// A key is rejected after its workspace is deleted, although the credentials that
// verify it are then rejected too.
func TestKeyOfADeletedWorkspace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ks := newKeyService(t)
		key := ks.newKey()
		owner := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.owner, promptrails.WithAuthCacheTTL(time.Second)))
		withKey := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Second), promptrails.WithAuthMaxStale(time.Hour))
		checkAuth(t, owner, key.Key, promptrails.AuthRequest{}, "")
		checkAuth(t, withKey, key.Key, promptrails.AuthRequest{}, "")
		if err := ks.owner.Workspaces.Delete(t.Context(), key.WorkspaceID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "research"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		checkAuth(t, owner, key.Key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
		checkAuth(t, withKey, key.Key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	})
	// If the client's credentials were never accepted, the key may still be valid.
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey("pr_live_mistyped"), promptrails.WithHTTPClient(&http.Client{Transport: &scripted{script: []http.HandlerFunc{
		status(401, `{"error":{"code":"invalid_api_key","message":"unknown API key"}}`),
	}}})))
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(c))
	checkAuth(t, a, promptrails.NewSecret("pr_live_0123456789"), promptrails.AuthRequest{}, promptrails.CodeUnavailable)
}

// The middleware reads the client's address from the configured header, and only
// from trusted peers.
func TestMiddlewareForwardedHeader(t *testing.T) {
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
		"trusted socket":                       {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedUnixSocket()}, "@", [2]string{"X-Forwarded-For", "203.0.113.9"}, 200},
		"untrusted socket":                     {nil, "@", [2]string{"X-Forwarded-For", "203.0.113.9"}, 403},
		"Forwarded":                            {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedUnixSocket(), promptrails.WithAuthForwardedHeader("forwarded")}, "", [2]string{"Forwarded", "for=203.0.113.9"}, 200},
		"X-Forwarded-For instead of Forwarded": {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedUnixSocket(), promptrails.WithAuthForwardedHeader("Forwarded")}, "", [2]string{"X-Forwarded-For", "203.0.113.9"}, 403},
		"X-Real-IP":                            {[]promptrails.AuthenticatorOption{promptrails.WithAuthTrustedProxies(netip.MustParsePrefix("10.0.0.0/8")), promptrails.WithAuthForwardedHeader("X-Real-IP")}, "10.0.0.1:7", [2]string{"X-Real-IP", "203.0.113.9"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, append(c.opts, promptrails.WithAuthVerifier(listed), nil)...))
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.RemoteAddr = c.peer
			r.Header.Set("X-API-Key", "pr_live_0123456789")
			r.Header.Set(c.header[0], c.header[1])
			w := httptest.NewRecorder()
			a.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("Middleware: got status %d, want %d", w.Code, c.status)
			}
		})
	}
	if _, err := promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(listed), promptrails.WithAuthForwardedHeader("X-Mine")); err == nil {
		t.Error("NewAuthenticator with the header X-Mine: got no error, want one")
	}
}
