package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// verifier is a function that implements [promptrails.KeyVerifier].
type verifier func(context.Context, promptrails.Secret) (*promptrails.APIKey, error)

func (v verifier) VerifyKey(ctx context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
	return v(ctx, key)
}

// If the response does not tell whether the key is valid, Authenticate returns
// ErrUnavailable. It neither accepts the key nor reports it as invalid.
func TestAuthenticatorUnexpectedResponses(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	key := ks.newKey().Key
	asTheKey := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.client(), promptrails.WithAuthAnyWorkspace()))
	for name, response := range map[string]http.HandlerFunc{
		"no endpoint":                   status(404, `{"message":"Not Found"}`),
		"not found":                     status(404, `{"error":{"code":"not_found","message":"no"}}`),
		"method not allowed":            status(405, ``),
		"500":                           status(500, ``),
		"429":                           status(429, ``, "Retry-After", "3"),
		"HTML":                          status(200, `<html>`, "Content-Type", "text/html"),
		"empty object":                  status(200, `{}`),
		"invalid without a code":        status(200, `{"data":{"valid":false}}`),
		"invalid key without a code":    status(200, `{"data":{"valid":false,"api_key":{"id":"k","workspace_id":"w"}}}`),
		"valid without a key":           status(200, `{"data":{"valid":true}}`),
		"key without an id":             status(200, `{"data":{"valid":true,"api_key":{"name":"x"},"name":"x"}}`),
		"401 from a proxy":              status(401, `<html>`),
		"forbidden":                     status(403, `{"error":{"code":"forbidden","message":"no"}}`),
		"missing scope api_keys:verify": status(403, `{"error":{"code":"insufficient_scope","message":"no","details":{"required":"api_keys:verify","granted":[]}}}`),
		"key in the message":            status(500, `{"error":{"code":"x","message":"`+key.Reveal()+`"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			ks.respondWith(response)
			for _, a := range []*promptrails.Authenticator{ks.newAuthenticator(), asTheKey} {
				_, err := a.Authenticate(t.Context(), key.Reveal(), promptrails.AuthRequest{})
				if !errors.Is(err, promptrails.ErrUnavailable) || errors.Is(err, promptrails.ErrUnauthorized) || errors.Is(err, promptrails.ErrForbidden) || errors.Is(err, promptrails.ErrNotFound) {
					t.Errorf("Authenticate: got %v, want only ErrUnavailable", err)
				}
				if err != nil && strings.Contains(err.Error(), key.Reveal()) {
					t.Errorf("Authenticate: got error %v, want an error without the key", err)
				}
			}
		})
	}
	// A code is sufficient, even if the response has a key too.
	ks.respondWith(status(200, `{"data":{"valid":false,"code":"api_key_expired","api_key":{"id":"k","workspace_id":"w"}}}`))
	checkAuth(t, ks.newAuthenticator(), key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyExpired)
	// If the authenticator's own credentials are rejected, the key is unverified.
	ks.bringUp()
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.client(promptrails.WithAPIKey("pr_live_unknown"))))
	checkAuth(t, a, key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
	checkAuth(t, asTheKey, key, promptrails.AuthRequest{}, "")
}

// Without credentials, the authenticator sends the verified key as its own
// credentials. It accepts keys of its workspace that have no address or origin
// restrictions, since the server sees the authenticator's address.
func TestAuthenticatorWithoutCredentials(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	here, there := ks.newKey(), must[*promptrails.CreatedAPIKey](t)(ks.workspace("other").APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "A key", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead},
	}))
	bare := ks.client(promptrails.WithWorkspace(here.WorkspaceID))
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(bare))
	anywhere := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(bare, promptrails.WithAuthAnyWorkspace()))
	for _, c := range []struct {
		name string
		a    *promptrails.Authenticator
		key  promptrails.Secret
		want promptrails.ErrorCode
	}{
		{"key of the workspace", a, here.Key, ""},
		{"key of another workspace", a, there.Key, promptrails.CodeInvalidAPIKey},
		{"key of another workspace with WithAuthAnyWorkspace", anywhere, there.Key, ""},
		{"unknown key", a, promptrails.NewSecret("pr_live_unknown"), promptrails.CodeInvalidAPIKey},
		{"allowed address", a, ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.9"}}).Key, promptrails.CodeIPNotAllowed},
		{"address of the authenticator", a, ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"127.0.0.1"}}).Key, promptrails.CodeIPNotAllowed},
		{"allowed origin", a, ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedOrigins: []string{"https://app.example.com"}}).Key, promptrails.CodeOriginNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkAuth(t, c.a, c.key, promptrails.AuthRequest{Origin: "https://app.example.com"}, c.want)
		})
	}
	ks.respondWith(status(200, `{"data":{"id":"k","workspace_id":"`+here.WorkspaceID+`","allowed_origins":["https://app.example.com"]}}`))
	checkAuth(t, a, promptrails.NewSecret("pr_live_listed"), promptrails.AuthRequest{Origin: "https://app.example.com"}, promptrails.CodeOriginNotAllowed)
	ks.bringUp()
	revoked := ks.newKey()
	if err := ks.owner.APIKeys.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	checkAuth(t, a, revoked.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
	// Other calls of such a client fail without a request.
	before := ks.requests()
	if _, err := bare.Credentials.List(t.Context(), nil); !errors.Is(err, promptrails.ErrUnauthorized) || ks.requests() != before {
		t.Errorf("Credentials.List without credentials: got %v after %d requests, want ErrUnauthorized after 0", err, ks.requests()-before)
	}
}

// With credentials, the authenticator accepts only keys of the client's workspace.
// It sends only the key.
func TestAuthenticatorWithCredentials(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	there := must[*promptrails.CreatedAPIKey](t)(ks.workspace("other").APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "A key", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead},
	}))
	checkAuth(t, ks.newAuthenticator(promptrails.WithAuthAnyWorkspace()), there.Key, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)

	here := ks.newKey().Key
	var sent string
	ks.respondWith(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
		status(200, `{"data":{"valid":true,"api_key":{"id":"k","workspace_id":"w"}}}`)(w, r)
	})
	checkAuth(t, ks.newAuthenticator(), here, promptrails.AuthRequest{Origin: "https://app.example.com"}, "")
	if sent != `{"key":"`+here.Reveal()+`"}` {
		t.Errorf("request body: got %d bytes, want only the key", len(sent))
	}
	// A key of another workspace is rejected even if the server accepts it.
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.verifier.InWorkspace("mine")))
	checkAuth(t, a, here, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
}

// The results of a custom verifier determine the error.
func TestAuthenticatorVerifierErrors(t *testing.T) {
	t.Parallel()
	const key = "pr_live_0123456789abcdef"
	for name, c := range map[string]struct {
		key  *promptrails.APIKey
		err  error
		want promptrails.ErrorCode
	}{
		"unauthorized":            {nil, promptrails.ErrUnauthorized, promptrails.CodeInvalidAPIKey},
		"forbidden":               {nil, fmt.Errorf("not here: %w", promptrails.ErrForbidden), promptrails.CodeForbidden},
		"error with a code":       {nil, &promptrails.Error{Status: 401, Code: promptrails.CodeAPIKeyRevoked, Message: "no " + key}, promptrails.CodeAPIKeyRevoked},
		"error without a code":    {nil, &promptrails.Error{Status: 401, Message: key}, promptrails.CodeInvalidAPIKey},
		"other error":             {nil, errors.New("no luck with " + key), promptrails.CodeUnavailable},
		"nil key":                 {nil, nil, promptrails.CodeUnavailable},
		"key without a workspace": {&promptrails.APIKey{ID: "k"}, nil, promptrails.CodeUnavailable},
		"status revoked":          {&promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyRevoked}, nil, promptrails.CodeAPIKeyRevoked},
		"status expired":          {&promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyExpired}, nil, promptrails.CodeAPIKeyExpired},
		"revocation time":         {&promptrails.APIKey{ID: "k", WorkspaceID: "w", RevokedAt: time.Now()}, nil, promptrails.CodeAPIKeyRevoked},
		"expiry time":             {&promptrails.APIKey{ID: "k", WorkspaceID: "w", ExpiresAt: time.Now()}, nil, promptrails.CodeAPIKeyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(
				func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
					calls.Add(1)
					return c.key, c.err
				}))))
			for range 2 {
				checkAuth(t, a, promptrails.NewSecret(key), promptrails.AuthRequest{}, c.want)
			}
			if e, ok := errors.AsType[*promptrails.Error](c.err); ok && !strings.HasSuffix(e.Message, key) {
				t.Errorf("error of the verifier after Authenticate: got %v, want it unchanged", e)
			}
			if cached := calls.Load() == 1; cached == (c.want == promptrails.CodeUnavailable) {
				t.Errorf("VerifyKey: got %d calls, want 1 unless the result is unavailable", calls.Load())
			}
		})
	}
}
