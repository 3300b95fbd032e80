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

// verifier is a KeyVerifier of a test's own.
type verifier func(context.Context, promptrails.Secret) (*promptrails.APIKey, error)

func (v verifier) VerifyKey(ctx context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
	return v(ctx, key)
}

// An answer that is not the contract's says nothing about the key: nobody is
// let in, and nobody is told that the key is bad.
func TestAuthenticatorWhenNobodyCanTell(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	key := ks.newKey().Key
	asTheKey := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.client(), promptrails.WithAuthAnyWorkspace()))
	for name, answer := range map[string]http.HandlerFunc{
		"no endpoint":              status(404, `{"message":"Not Found"}`),
		"not found":                status(404, `{"error":{"code":"not_found","message":"no"}}`),
		"method":                   status(405, ``),
		"500":                      status(500, ``),
		"429":                      status(429, ``, "Retry-After", "3"),
		"HTML":                     status(200, `<html>`, "Content-Type", "text/html"),
		"nothing":                  status(200, `{}`),
		"no verdict":               status(200, `{"data":{"valid":false}}`),
		"no reason":                status(200, `{"data":{"valid":false,"api_key":{"id":"k","workspace_id":"w"}}}`),
		"valid, but no key":        status(200, `{"data":{"valid":true}}`),
		"a key without an id":      status(200, `{"data":{"valid":true,"api_key":{"name":"x"},"name":"x"}}`),
		"a proxy's 401":            status(401, `<html>`),
		"forbidden":                status(403, `{"error":{"code":"forbidden","message":"no"}}`),
		"not in this workspace":    status(403, `{"error":{"code":"insufficient_scope","message":"no","details":{"required":"api_keys:verify","granted":[]}}}`),
		"a key shown in the fault": status(500, `{"error":{"code":"x","message":"`+key.Reveal()+`"}}`),
	} {
		ks.respondWith(answer)
		for _, a := range []*promptrails.Authenticator{ks.newAuthenticator(), asTheKey} {
			_, err := a.Authenticate(t.Context(), key.Reveal(), promptrails.AuthRequest{})
			if !errors.Is(err, promptrails.ErrUnavailable) || errors.Is(err, promptrails.ErrUnauthorized) || errors.Is(err, promptrails.ErrForbidden) || errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && strings.Contains(err.Error(), key.Reveal()) {
				t.Errorf("%s: the key shows", name)
			}
		}
	}
	// A reason is a reason, whatever stands beside it.
	ks.respondWith(status(200, `{"data":{"valid":false,"code":"api_key_expired","api_key":{"id":"k","workspace_id":"w"}}}`))
	checkAuth(t, ks.newAuthenticator(), key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyExpired)
	// Its own credentials are refused: that is no word about the caller's key.
	ks.bringUp()
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.client(promptrails.WithAPIKey("pr_live_nobody"))))
	checkAuth(t, a, key, promptrails.AuthRequest{}, promptrails.CodeUnavailable)
	checkAuth(t, asTheKey, key, promptrails.AuthRequest{}, "")
}

// Without credentials it asks as the key: for keys of its workspace, and such
// that the server does not judge by where they come from.
func TestAuthenticatorAskingAsTheKey(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	here, there := ks.newKey(), must[*promptrails.CreatedAPIKey](t)(ks.workspace("other").APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "A key", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead},
	}))
	bare := ks.client(promptrails.WithWorkspace(here.WorkspaceID))
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(bare))
	anywhere := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(bare, promptrails.WithAuthAnyWorkspace()))
	for _, c := range []struct {
		a    *promptrails.Authenticator
		key  promptrails.Secret
		want promptrails.ErrorCode
	}{
		{a, here.Key, ""},
		{a, there.Key, promptrails.CodeInvalidAPIKey},
		{anywhere, there.Key, ""},
		{a, promptrails.NewSecret("pr_live_nobody"), promptrails.CodeInvalidAPIKey},
		{a, ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.9"}}).Key, promptrails.CodeIPNotAllowed},
		{a, ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"127.0.0.1"}}).Key, promptrails.CodeIPNotAllowed}, // it is us that the server sees
		{a, ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedOrigins: []string{"https://app.example.com"}}).Key, promptrails.CodeOriginNotAllowed},
	} {
		checkAuth(t, c.a, c.key, promptrails.AuthRequest{Origin: "https://app.example.com"}, c.want)
	}
	ks.respondWith(status(200, `{"data":{"id":"k","workspace_id":"`+here.WorkspaceID+`","allowed_origins":["https://app.example.com"]}}`))
	checkAuth(t, a, promptrails.NewSecret("pr_live_listed"), promptrails.AuthRequest{Origin: "https://app.example.com"}, promptrails.CodeOriginNotAllowed)
	ks.bringUp()
	revoked := ks.newKey()
	if err := ks.owner.APIKeys.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	checkAuth(t, a, revoked.Key, promptrails.AuthRequest{}, promptrails.CodeAPIKeyRevoked)
	// Such a client does nothing else.
	before := ks.requests()
	if _, err := bare.Credentials.List(t.Context(), nil); !errors.Is(err, promptrails.ErrUnauthorized) || ks.requests() != before {
		t.Errorf("a call without credentials: %v", err)
	}
}

// A client with credentials of its own sees the keys of its workspace alone,
// and sends nothing but the key.
func TestAuthenticatorAskingUnderCredentials(t *testing.T) {
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
		t.Error("more was sent than the key")
	}
	// A verifier that answers for another workspace is not believed.
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(ks.verifier.InWorkspace("mine")))
	checkAuth(t, a, here, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
}

// What a verifier of one's own may say.
func TestAuthenticatorVerifierErrors(t *testing.T) {
	t.Parallel()
	const key = "pr_live_0123456789abcdef"
	for name, c := range map[string]struct {
		key  *promptrails.APIKey
		err  error
		want promptrails.ErrorCode
	}{
		"unauthorized":         {nil, promptrails.ErrUnauthorized, promptrails.CodeInvalidAPIKey},
		"forbidden":            {nil, fmt.Errorf("not here: %w", promptrails.ErrForbidden), promptrails.CodeForbidden},
		"with a code":          {nil, &promptrails.Error{Status: 401, Code: promptrails.CodeAPIKeyRevoked, Message: "no " + key}, promptrails.CodeAPIKeyRevoked},
		"without a code":       {nil, &promptrails.Error{Status: 401, Message: key}, promptrails.CodeInvalidAPIKey},
		"anything else":        {nil, errors.New("no luck with " + key), promptrails.CodeUnavailable},
		"no key":               {nil, nil, promptrails.CodeUnavailable},
		"a key that is nobody": {&promptrails.APIKey{ID: "k"}, nil, promptrails.CodeUnavailable},
		"revoked, it says":     {&promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyRevoked}, nil, promptrails.CodeAPIKeyRevoked},
		"expired, it says":     {&promptrails.APIKey{ID: "k", WorkspaceID: "w", Status: promptrails.APIKeyExpired}, nil, promptrails.CodeAPIKeyExpired},
		"revoked at a time":    {&promptrails.APIKey{ID: "k", WorkspaceID: "w", RevokedAt: time.Now()}, nil, promptrails.CodeAPIKeyRevoked},
		"expired":              {&promptrails.APIKey{ID: "k", WorkspaceID: "w", ExpiresAt: time.Now()}, nil, promptrails.CodeAPIKeyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(
				func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
					asked.Add(1)
					return c.key, c.err
				}))))
			for range 2 {
				checkAuth(t, a, promptrails.NewSecret(key), promptrails.AuthRequest{}, c.want)
			}
			if e, ok := errors.AsType[*promptrails.Error](c.err); ok && !strings.HasSuffix(e.Message, key) {
				t.Errorf("the verifier's own error was changed to %v", e)
			}
			if kept := asked.Load() == 1; kept == (c.want == promptrails.CodeUnavailable) {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}
