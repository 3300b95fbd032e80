package review_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/review"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock starts at 2026-01-02 03:04:05 UTC and moves only by forward.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}
func (c *clock) forward(d time.Duration) { c.offset.Add(int64(d)) }

const day = 24 * time.Hour

// world is a service with a clock, and Ada with a workspace of hers.
type world struct {
	*embedded.Service
	t         *testing.T
	clock     *clock
	ada       *promptrails.Client // without a workspace
	workspace *promptrails.Workspace
	in        *promptrails.Client // Ada in the workspace
}

func newWorld(t *testing.T, plan promptrails.PlanID) *world {
	t.Helper()
	return openWorld(t, embedded.Config{DefaultPlan: plan})
}

func openWorld(t *testing.T, cfg embedded.Config) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}}
	cfg.Now, cfg.AllowLoopbackWebhooks = w.clock.now, true
	w.Service = must[*embedded.Service](t)(embedded.Open(t.Context(), cfg))
	t.Cleanup(func() { _ = w.Close() })
	w.ada = w.person("ada@example.com")
	w.workspace = w.create("research")
	w.in = w.ada.InWorkspace(w.workspace.ID)
	return w
}

func (w *world) create(slug string) *promptrails.Workspace {
	w.t.Helper()
	return must[*promptrails.Workspace](w.t)(w.ada.Workspaces.Create(w.t.Context(), &promptrails.CreateWorkspaceParams{Name: "The " + slug, Slug: slug}))
}

func (w *world) person(email string) *promptrails.Client {
	w.t.Helper()
	user := must[*embedded.User](w.t)(w.CreateUser(w.t.Context(), email, ""))
	return must[*promptrails.Client](w.t)(w.Client(promptrails.WithAccessToken(user.AccessToken.Reveal())))
}

// join adds a person to the workspace.
func (w *world) join(email string, role promptrails.Role) (client *promptrails.Client, member *promptrails.Member) {
	w.t.Helper()
	invitation := must[*promptrails.Invitation](w.t)(w.in.Invitations.Create(w.t.Context(), &promptrails.CreateInvitationParams{Email: email, Role: role}))
	client = w.person(email).InWorkspace(w.workspace.ID)
	return client, must[*promptrails.Member](w.t)(client.Invitations.Accept(w.t.Context(), invitation.Token))
}

// key creates an API key that expires after a year.
func (w *world) key(client *promptrails.Client, name string, scopes ...promptrails.Scope) *promptrails.CreatedAPIKey {
	w.t.Helper()
	return must[*promptrails.CreatedAPIKey](w.t)(client.APIKeys.Create(w.t.Context(), &promptrails.CreateAPIKeyParams{
		Name: name, Scopes: scopes, ExpiresAt: w.clock.now().Add(365 * day),
	}))
}

func (w *world) credential(name string, isDefault bool) *promptrails.Credential {
	w.t.Helper()
	return must[*promptrails.Credential](w.t)(w.in.Credentials.Create(w.t.Context(), &promptrails.CreateCredentialParams{
		Name: name, Type: "openai", Value: promptrails.NewSecret("sk-the-secret-value-of-" + name), IsDefault: isDefault,
	}))
}

func (w *world) channel(kind promptrails.ChannelType) *promptrails.Channel {
	w.t.Helper()
	return must[*promptrails.Channel](w.t)(w.in.Notifications.CreateChannel(w.t.Context(), &promptrails.CreateChannelParams{
		Name: "Alarms", Type: kind, URL: promptrails.NewSecret("https://127.0.0.1/a-secret-path"), Events: []promptrails.EventType{promptrails.EventMemberJoined},
	}))
}

// options returns options with the clock of the service.
func (w *world) options() *review.Options { return &review.Options{Now: w.clock.now} }

// optionsAfter returns options with the clock of the service, moved forward for the
// review only.
func (w *world) optionsAfter(d time.Duration) *review.Options {
	return &review.Options{Now: func() time.Time { return w.clock.now().Add(d) }}
}

// access reviews all workspaces of a client.
func (w *world) access(client *promptrails.Client, opts *review.Options) *review.Report {
	w.t.Helper()
	return must[*review.Report](w.t)(review.Access(w.t.Context(), client, opts))
}

// must returns v. It fails the test if err is not nil.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// roundTripper is a transport, for faults between a client and the service.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through returns a client of Ada that makes its requests through a transport,
// and does not retry.
func (w *world) through(transport roundTripper) *promptrails.Client {
	w.t.Helper()
	user := must[*embedded.User](w.t)(w.UserByEmail(w.t.Context(), "ada@example.com"))
	token := must[*embedded.AccessToken](w.t)(w.IssueAccessToken(w.t.Context(), user.ID, 0))
	return must[*promptrails.Client](w.t)(promptrails.NewClient(
		promptrails.WithoutEnvironment(), promptrails.WithBaseURL("http://localhost"), promptrails.WithAccessToken(token.Token.Reveal()),
		promptrails.WithMaxRetries(0), promptrails.WithHTTPClient(&http.Client{Transport: transport}),
	))
}

// serve makes a request to the service.
func (w *world) serve(r *http.Request) (*http.Response, error) {
	request := r.Clone(context.WithoutCancel(r.Context()))
	request.RemoteAddr, request.RequestURI = "127.0.0.1:0", r.URL.RequestURI()
	if request.Body == nil {
		request.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = r
	return response, nil
}
