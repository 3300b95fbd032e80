package promptrails_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// keyService is an embedded service with one workspace. It is the transport of
// the clients that its authenticators verify keys with.
type keyService struct {
	t        *testing.T
	service  *embedded.Service
	owner    *promptrails.Client
	verifier *promptrails.Client // uses a key with the scope api_keys:verify
	calls    atomic.Int64        // requests through RoundTrip
	instead  atomic.Pointer[http.HandlerFunc]
}

// newKeyService opens a service without a network listener, so that it can run
// under the fake clock of testing/synctest.
func newKeyService(t *testing.T) *keyService {
	t.Helper()
	return newKeyServiceWith(t, embedded.Config{DefaultPlan: promptrails.PlanStarter})
}

func newKeyServiceWith(t *testing.T, cfg embedded.Config) *keyService {
	t.Helper()
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), cfg))
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	ks := &keyService{t: t, service: service}
	ks.owner = ks.workspace("research")
	key := ks.newKey(promptrails.ScopeAPIKeysVerify)
	ks.verifier = ks.client(promptrails.WithAPIKey(key.Key.Reveal()))
	return ks
}

// workspace creates a workspace and returns a client of its owner.
func (ks *keyService) workspace(slug string) *promptrails.Client {
	ks.t.Helper()
	user := must[*embedded.User](ks.t)(ks.service.CreateUser(ks.t.Context(), slug+"@example.com", ""))
	person := must[*promptrails.Client](ks.t)(ks.service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal())))
	made := must[*promptrails.Workspace](ks.t)(person.Workspaces.Create(ks.t.Context(), &promptrails.CreateWorkspaceParams{Name: slug, Slug: slug}))
	return person.InWorkspace(made.ID)
}

// member returns a client of a new admin of the owner's workspace.
func (ks *keyService) member(email string) *promptrails.Client {
	ks.t.Helper()
	user := must[*embedded.User](ks.t)(ks.service.CreateUser(ks.t.Context(), email, ""))
	person := must[*promptrails.Client](ks.t)(ks.service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal())))
	invitation := must[*promptrails.Invitation](ks.t)(ks.owner.Invitations.Create(ks.t.Context(), &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleAdmin}))
	member := must[*promptrails.Member](ks.t)(person.Invitations.Accept(ks.t.Context(), invitation.Token))
	return person.InWorkspace(member.WorkspaceID)
}

// client returns a client that uses ks as its transport.
func (ks *keyService) client(opts ...promptrails.Option) *promptrails.Client {
	ks.t.Helper()
	return must[*promptrails.Client](ks.t)(promptrails.NewClient(append(opts,
		promptrails.WithBaseURL("https://api.example.com"), promptrails.WithHTTPClient(&http.Client{Transport: ks}),
		promptrails.WithIdempotentServer(), promptrails.WithMaxRetries(0))...))
}

// RoundTrip serves the request with the handler set by respondWith, or with the
// service by default.
func (ks *keyService) RoundTrip(r *http.Request) (*http.Response, error) {
	ks.calls.Add(1)
	if instead := ks.instead.Load(); instead != nil {
		return handlerTransport{instead}.RoundTrip(r)
	}
	return handlerTransport{ks.service}.RoundTrip(r)
}

// respondWith replaces the service with h until bringUp is called.
func (ks *keyService) respondWith(h http.HandlerFunc) { ks.instead.Store(&h) }

func (ks *keyService) takeDown()       { ks.respondWith(status(503, "")) }
func (ks *keyService) bringUp()        { ks.instead.Store(nil) }
func (ks *keyService) resetRequests()  { ks.calls.Store(0) }
func (ks *keyService) requests() int64 { return ks.calls.Load() }

func (ks *keyService) newKey(scopes ...promptrails.Scope) *promptrails.CreatedAPIKey {
	ks.t.Helper()
	return ks.newKeyWith(&promptrails.CreateAPIKeyParams{Scopes: scopes})
}

func (ks *keyService) newKeyWith(p *promptrails.CreateAPIKeyParams) *promptrails.CreatedAPIKey {
	ks.t.Helper()
	p.Name = "A key"
	if p.Scopes == nil {
		p.Scopes = promptrails.Scopes{promptrails.ScopeAgentsRead}
	}
	return must[*promptrails.CreatedAPIKey](ks.t)(ks.owner.APIKeys.Create(ks.t.Context(), p))
}

func (ks *keyService) newAuthenticator(opts ...promptrails.AuthenticatorOption) *promptrails.Authenticator {
	ks.t.Helper()
	return must[*promptrails.Authenticator](ks.t)(promptrails.NewAuthenticator(ks.verifier, opts...))
}
