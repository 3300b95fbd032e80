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

// leakRecorder is a transport and a log that records all responses and log lines.
type leakRecorder struct {
	next http.RoundTripper

	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *leakRecorder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *leakRecorder) record(format string, args ...any) { _, _ = fmt.Fprintf(l, format, args...) }

// RoundTrip records the response, without the field that may contain a secret.
func (l *leakRecorder) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	text := string(body)
	if returnsSecret(r) && resp.StatusCode/100 == 2 {
		for _, field := range []string{`"token":"`, `"key":"`, `"secret":"`} {
			if before, after, ok := strings.Cut(text, field); ok {
				_, after, _ = strings.Cut(after, `"`)
				text = before + after
			}
		}
	}
	l.record("%s %d %v\n%s\n", r.URL.Path, resp.StatusCode, resp.Header, text)
	return resp, err
}

// returnsSecret reports whether the response to r contains a new secret.
func returnsSecret(r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.Path, "/api/v1")
	return r.Method == http.MethodPost && (path == "/invitations" || path == "/api-keys" || path == "/notification-channels" || strings.HasSuffix(path, "/rotate-secret") || strings.HasSuffix(path, "/resend") || strings.HasSuffix(path, "/rotate"))
}

// TestSecretsNeverLeak creates and uses secrets of each kind. They must not
// appear in the database files, the logs of the client and the service, errors,
// or any response except the one that returns the new secret.
func TestSecretsNeverLeak(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	recorder := &leakRecorder{}
	logger := slog.New(slog.NewTextHandler(recorder, &slog.HandlerOptions{Level: slog.LevelDebug}))
	service := must[*embedded.Service](t)(embedded.Open(ctx, embedded.Config{
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
	recorder.next = handlerTransport{service}
	client := func(opts ...promptrails.Option) *promptrails.Client {
		return must[*promptrails.Client](t)(promptrails.NewClient(append(opts, promptrails.WithBaseURL("https://api.example.com"), promptrails.WithLogger(logger),
			promptrails.WithHTTPClient(&http.Client{Transport: recorder}), promptrails.WithIdempotentServer(), promptrails.WithMaxRetries(0))...))
	}
	secrets := map[string]string{} // by description
	newUser := func(email string) *promptrails.Client {
		user := must[*embedded.User](t)(service.CreateUser(ctx, email, ""))
		secrets["the access token of "+email] = user.AccessToken.Reveal()
		return client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	}
	wantError := func(t *testing.T, call string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: got no error, want one", call)
		}
		recorder.record("%v %+v\n", err, err)
	}
	step := func(name string, body func(t *testing.T)) {
		if !t.Run(name, body) {
			t.FailNow()
		}
	}

	ada, grace := newUser("ada@example.com"), newUser("grace@example.com")
	workspace := must[*promptrails.Workspace](t)(ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"}))
	ada = ada.InWorkspace(workspace.ID)

	step("invitations", func(t *testing.T) {
		var invitation *promptrails.Invitation
		for range 2 { // the second response is a replay
			invitation = must[*promptrails.Invitation](t)(ada.Invitations.Create(ctx,
				&promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser}, promptrails.WithIdempotencyKey("k")))
		}
		secrets["the first token"] = invitation.Token.Reveal()
		invitation = must[*promptrails.Invitation](t)(ada.Invitations.Resend(ctx, invitation.ID))
		secrets["the second token"] = invitation.Token.Reveal()
		_, err := ada.Invitations.Accept(ctx, invitation.Token)
		wantError(t, "Invitations.Accept by another user", err)
		must[*promptrails.Member](t)(grace.Invitations.Accept(ctx, invitation.Token))
	})

	step("credentials", func(t *testing.T) {
		secrets["the first value"], secrets["the second value"] = "sk-secret0secret0secret-1", "sk-secret0secret0secret-2"
		credential := must[*promptrails.Credential](t)(ada.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "n", Type: "openai", Value: promptrails.NewSecret(secrets["the first value"])}))
		must[*promptrails.Credential](t)(ada.Credentials.Update(ctx, credential.ID, &promptrails.UpdateCredentialParams{Value: new(promptrails.NewSecret(secrets["the second value"]))}))
		_, err := ada.Credentials.CheckConnection(ctx, credential.ID)
		wantError(t, "Credentials.CheckConnection", err)
		_, err = ada.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Type: "openai", Value: promptrails.NewSecret(secrets["the second value"])})
		wantError(t, "Credentials.Create without a name", err)
	})

	step("API keys", func(t *testing.T) {
		first := must[*promptrails.CreatedAPIKey](t)(ada.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "n", Scopes: promptrails.Scopes{promptrails.ScopeAPIKeysVerify}}))
		secrets["the first key"] = first.Key.Reveal()
		second := must[*promptrails.CreatedAPIKey](t)(ada.APIKeys.Rotate(ctx, first.ID, 0))
		secrets["the second key"] = second.Key.Reveal()
		must[*promptrails.APIKeyVerification](t)(ada.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: second.Key}))
		auth := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(client(promptrails.WithAPIKey(second.Key.Reveal()))))
		for _, key := range []promptrails.Secret{first.Key, second.Key} {
			_, err := client(promptrails.WithAPIKey(key.Reveal())).Members.List(ctx, nil)
			wantError(t, "Members.List without the scope", err)
			p, err := auth.Authenticate(ctx, key.Reveal(), promptrails.AuthRequest{})
			recorder.record("%+v %v %+v\n", p, err, auth)
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			r.Header.Set("X-API-Key", key.Reveal())
			w := httptest.NewRecorder()
			auth.Middleware(promptrails.ScopeAll)(http.NotFoundHandler()).ServeHTTP(w, r)
			recorder.record("%v %s\n", w.Header(), w.Body)
		}
		unknown := "pr_live_secret0secret0secret"
		secrets["an unknown key"] = unknown
		_, err := auth.Authenticate(ctx, unknown, promptrails.AuthRequest{})
		wantError(t, "Authenticate with an unknown key", err)
	})

	step("channels", func(t *testing.T) {
		// No one listens at port 1, so that deliveries fail.
		secrets["the first path"], secrets["the second path"] = "secret0path0secret0one", "secret0path0secret0two"
		channel := must[*promptrails.Channel](t)(ada.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "n", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret("http://127.0.0.1:1/" + secrets["the first path"])}))
		secrets["the first webhook secret"] = channel.Secret.Reveal()
		rotated := must[*promptrails.Channel](t)(ada.Notifications.RotateSecret(ctx, channel.ID))
		secrets["the second webhook secret"] = rotated.Secret.Reveal()
		must[*promptrails.Delivery](t)(ada.Notifications.TestChannel(ctx, channel.ID))
		for attempted := false; !attempted; {
			page := must[*promptrails.Page[promptrails.Delivery]](t)(ada.Notifications.ListDeliveries(ctx, channel.ID, nil))
			attempted = len(page.Items[0].Attempts) > 0
		}
		must[*promptrails.Channel](t)(ada.Notifications.UpdateChannel(ctx, channel.ID, &promptrails.UpdateChannelParams{URL: new(promptrails.NewSecret("http://127.0.0.1:1/" + secrets["the second path"]))}))
		_, err := ada.Notifications.UpdateChannel(ctx, channel.ID, &promptrails.UpdateChannelParams{URL: new(promptrails.NewSecret("https://10.0.0.1/" + secrets["the second path"]))})
		wantError(t, "Notifications.UpdateChannel with a private address", err)
		must[*promptrails.Channel](t)(ada.Notifications.GetChannel(ctx, channel.ID))
		_, err = promptrails.ParseWebhook(http.Header{}, nil, channel.Secret, promptrails.NewSecret(secrets["the second path"]))
		wantError(t, "ParseWebhook without headers", err)
	})

	step("lists", func(t *testing.T) {
		for name, list := range map[string]func() error{
			"Changelog.List":   func() error { _, err := ada.Changelog.List(ctx, nil); return err },
			"APIKeys.List":     func() error { _, err := ada.APIKeys.List(ctx, nil); return err },
			"Invitations.List": func() error { _, err := ada.Invitations.List(ctx, nil); return err },
			"Credentials.List": func() error { _, err := ada.Credentials.List(ctx, nil); return err },
		} {
			if err := list(); err != nil {
				t.Errorf("%s: got %v, want no error", name, err)
			}
		}
	})

	step("search", func(t *testing.T) {
		checkNoSecrets(t, "responses, logs and errors", recorder.text.String(), secrets)
		for name, text := range readFiles(t, dir) { // includes the write-ahead log
			checkNoSecrets(t, name, text, secrets)
		}
		closed = true
		if err := service.Close(); err != nil {
			t.Errorf("Service.Close: got %v, want no error", err)
		}
		found := false
		for name, text := range readFiles(t, dir) {
			checkNoSecrets(t, name, text, secrets)
			found = found || strings.Contains(text, "grace@example.com")
		}
		// The search must be able to find a text that is not secret.
		if !found {
			t.Error("database files: got no grace@example.com, want it")
		}
		for _, want := range []string{"grace@example.com", "the provider does not know [redacted]"} {
			if !strings.Contains(recorder.text.String(), want) {
				t.Errorf("responses, logs and errors: got no %q, want it", want)
			}
		}
	})
}

// checkNoSecrets reports each secret that text contains, as it is, in hex or in
// base64.
func checkNoSecrets(t *testing.T, source, text string, secrets map[string]string) {
	t.Helper()
	for name, secret := range secrets {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret))[:len(secret)]} {
			if strings.Contains(text, form) {
				t.Errorf("%s: got %s in it, want no secret", source, name)
			}
		}
	}
}

// readFiles returns the contents of the files in dir by name.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(dir, "*"))) {
		found[filepath.Base(name)] = string(must[[]byte](t)(os.ReadFile(name)))
	}
	return found
}

// handlerTransport is a transport to a handler in this process.
type handlerTransport struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (h handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr, r.RequestURI, r.Host = "127.0.0.1:1", r.URL.RequestURI(), r.URL.Host
	return (&scripted{script: []http.HandlerFunc{h.ServeHTTP}}).RoundTrip(r)
}
