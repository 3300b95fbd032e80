package promptrails_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// eavesdropper is a transport that keeps every answer, and a logger's text.
type eavesdropper struct {
	next http.RoundTripper

	mu   sync.Mutex
	text bytes.Buffer
}

func (e *eavesdropper) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.Write(p)
}

func (e *eavesdropper) note(format string, args ...any) { _, _ = fmt.Fprintf(e, format, args...) }

// RoundTrip keeps an answer, but for the one place where a secret may stand.
func (e *eavesdropper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	kept := string(body)
	if makesSecret(r) && resp.StatusCode/100 == 2 {
		for _, field := range []string{`"token":"`, `"key":"`, `"secret":"`} {
			if before, after, ok := strings.Cut(kept, field); ok {
				_, after, _ = strings.Cut(after, `"`)
				kept = before + after
			}
		}
	}
	e.note("%s %d %v\n%s\n", r.URL.Path, resp.StatusCode, resp.Header, kept)
	return resp, err
}

// makesSecret reports whether the answer to r shows a secret, once.
func makesSecret(r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	return r.Method == http.MethodPost && (path == "/invitations" || path == "/api-keys" || path == "/notification-channels" || strings.HasSuffix(path, "/rotate-secret") || strings.HasSuffix(path, "/resend") || strings.HasSuffix(path, "/rotate"))
}

// A day's work plants a secret of each kind. None is in a file of the database,
// in the log of either side, in an error, or in any answer but the one that
// shows it.
func TestPlantedSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	heard := &eavesdropper{}
	logger := slog.New(slog.NewTextHandler(heard, &slog.HandlerOptions{Level: slog.LevelDebug}))
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{
		DSN: filepath.Join(dir, "workspaces.db"), DefaultPlan: promptrails.PlanStarter, Logger: logger, AllowLoopbackWebhooks: true,
		CheckCredential: func(_ context.Context, _ *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
			return nil, errors.New("the provider does not know " + value.String())
		},
	}))
	closed := false
	defer func() {
		if !closed {
			_ = service.Close()
		}
	}()
	heard.next = handlerTransport{service}
	client := func(opts ...promptrails.Option) *promptrails.Client {
		return must[*promptrails.Client](t)(promptrails.NewClient(append(opts, promptrails.WithBaseURL("https://api.example.com"), promptrails.WithLogger(logger),
			promptrails.WithHTTPClient(&http.Client{Transport: heard}), promptrails.WithIdempotentServer(), promptrails.WithMaxRetries(0))...))
	}
	planted := map[string]string{}
	person := func(email string) *promptrails.Client {
		user := must[*embedded.User](t)(service.CreateUser(t.Context(), email, ""))
		planted["the access token of "+email] = user.AccessToken.Reveal()
		return client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	}
	// What fails is part of a day's work, and its error is read too.
	fails := func(err error) {
		if err == nil {
			t.Error("it did not fail")
		}
		heard.note("%v %+v\n", err, err)
	}

	ada, grace := person("ada@example.com"), person("grace@example.com")
	workspace := must[*promptrails.Workspace](t)(ada.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"}))
	ada = ada.InWorkspace(workspace.ID)
	var invitation *promptrails.Invitation
	for range 2 { // the second is a replay
		invitation = must[*promptrails.Invitation](t)(ada.Invitations.Create(t.Context(),
			&promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser}, promptrails.WithIdempotencyKey("k")))
	}
	planted["the first token"] = invitation.Token.Reveal()
	invitation = must[*promptrails.Invitation](t)(ada.Invitations.Resend(t.Context(), invitation.ID))
	planted["the second token"] = invitation.Token.Reveal()
	_, err := ada.Invitations.Accept(t.Context(), invitation.Token)
	fails(err)
	must[*promptrails.Member](t)(grace.Invitations.Accept(t.Context(), invitation.Token))

	planted["the first value"], planted["the second value"] = "sk-planted0planted0planted-1", "sk-planted0planted0planted-2"
	credential := must[*promptrails.Credential](t)(ada.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "n", Type: "openai", Value: promptrails.NewSecret(planted["the first value"])}))
	must[*promptrails.Credential](t)(ada.Credentials.Update(t.Context(), credential.ID, &promptrails.UpdateCredentialParams{Value: new(promptrails.NewSecret(planted["the second value"]))}))
	_, err = ada.Credentials.CheckConnection(t.Context(), credential.ID)
	fails(err)
	_, err = ada.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Type: "openai", Value: promptrails.NewSecret(planted["the second value"])})
	fails(err)

	key := must[*promptrails.CreatedAPIKey](t)(ada.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "n", Scopes: promptrails.Scopes{promptrails.ScopeAPIKeysVerify}}))
	planted["the first key"] = key.Key.Reveal()
	fresh := must[*promptrails.CreatedAPIKey](t)(ada.APIKeys.Rotate(t.Context(), key.ID, 0))
	planted["the second key"] = fresh.Key.Reveal()
	must[*promptrails.APIKeyVerification](t)(ada.APIKeys.Verify(t.Context(), &promptrails.VerifyAPIKeyParams{Key: fresh.Key}))
	auth := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(client(promptrails.WithAPIKey(fresh.Key.Reveal()))))
	for _, k := range []promptrails.Secret{key.Key, fresh.Key} {
		_, err := client(promptrails.WithAPIKey(k.Reveal())).Members.List(t.Context(), nil)
		fails(err)
		p, err := auth.Authenticate(t.Context(), k.Reveal(), promptrails.AuthRequest{})
		heard.note("%+v %v %+v\n", p, err, auth)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("X-API-Key", k.Reveal())
		w := httptest.NewRecorder()
		auth.Middleware(promptrails.ScopeAll)(http.NotFoundHandler()).ServeHTTP(w, r)
		heard.note("%v %s\n", w.Header(), w.Body)
	}
	// Deliveries go out over the machine's own loopback, from nobody who listens.
	planted["the path of a channel"], planted["the second path"] = "planted0path0planted0one", "planted0path0planted0two"
	hook := "http://127.0.0.1:1/" + planted["the path of a channel"]
	channel := must[*promptrails.Channel](t)(ada.Notifications.CreateChannel(t.Context(), &promptrails.CreateChannelParams{Name: "n", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(hook)}))
	planted["the first webhook secret"] = channel.Secret.Reveal()
	rotated := must[*promptrails.Channel](t)(ada.Notifications.RotateSecret(t.Context(), channel.ID))
	planted["the second webhook secret"] = rotated.Secret.Reveal()
	must[*promptrails.Delivery](t)(ada.Notifications.TestChannel(t.Context(), channel.ID))
	for tried := false; !tried; {
		page := must[*promptrails.Page[promptrails.Delivery]](t)(ada.Notifications.ListDeliveries(t.Context(), channel.ID, nil))
		tried = len(page.Items[0].Attempts) > 0
	}
	must[*promptrails.Channel](t)(ada.Notifications.UpdateChannel(t.Context(), channel.ID, &promptrails.UpdateChannelParams{URL: new(promptrails.NewSecret("http://127.0.0.1:1/" + planted["the second path"]))}))
	_, err = ada.Notifications.UpdateChannel(t.Context(), channel.ID, &promptrails.UpdateChannelParams{URL: new(promptrails.NewSecret("https://10.0.0.1/" + planted["the second path"]))})
	fails(err)
	must[*promptrails.Channel](t)(ada.Notifications.GetChannel(t.Context(), channel.ID))
	_, err = promptrails.ParseWebhook(http.Header{}, nil, channel.Secret, promptrails.NewSecret(planted["the second path"]))
	fails(err)
	unknown := "pr_live_planted0planted0planted"
	planted["a key that nobody knows"] = unknown
	_, err = auth.Authenticate(t.Context(), unknown, promptrails.AuthRequest{})
	fails(err)
	for _, list := range []func() error{
		func() error { _, err := ada.Changelog.List(t.Context(), nil); return err },
		func() error { _, err := ada.APIKeys.List(t.Context(), nil); return err },
		func() error { _, err := ada.Invitations.List(t.Context(), nil); return err },
		func() error { _, err := ada.Credentials.List(t.Context(), nil); return err },
	} {
		if err := list(); err != nil {
			t.Error(err)
		}
	}
	search(t, "answers, logs and errors", heard.text.String(), planted)
	for name, text := range files(t, dir) { // with what is not checkpointed yet
		search(t, name, text, planted)
	}
	closed = true
	if err := service.Close(); err != nil {
		t.Error(err)
	}
	found := false
	for name, text := range files(t, dir) {
		search(t, name, text, planted)
		found = found || strings.Contains(text, "grace@example.com")
	}
	if !found || !strings.Contains(heard.text.String(), "grace@example.com") || !strings.Contains(heard.text.String(), "the provider does not know [redacted]") {
		t.Error("the search would find nothing")
	}
}

// search looks for secrets in a text, as they are and as they would be encoded.
func search(t *testing.T, where, text string, planted map[string]string) {
	t.Helper()
	for name, secret := range planted {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret))[:len(secret)]} {
			if strings.Contains(text, form) {
				t.Errorf("%s: %s shows", where, name)
			}
		}
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(dir, "*"))) {
		found[filepath.Base(name)] = string(must[[]byte](t)(os.ReadFile(name)))
	}
	return found
}

// handlerTransport is a transport to a handler in this process.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr, r.RequestURI, r.Host = "127.0.0.1:1", r.URL.RequestURI(), r.URL.Host
	return (&answers{script: []http.HandlerFunc{h.ServeHTTP}}).RoundTrip(r)
}
