package promptrails_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// guarded is a workspace whose keys guard something, and the way by which an
// authenticator asks about them.
type guarded struct {
	t       *testing.T
	service *embedded.Service
	owner   *promptrails.Client
	asker   *promptrails.Client // with a key that may verify
	calls   atomic.Int64        // of the asker's transport
	answer  atomic.Pointer[http.HandlerFunc]
}

// newGuarded opens a service without a port, so that it runs by a test's clock.
func newGuarded(t *testing.T) *guarded {
	t.Helper()
	return newGuardedBy(t, embedded.Config{DefaultPlan: promptrails.PlanStarter})
}

func newGuardedBy(t *testing.T, cfg embedded.Config) *guarded {
	t.Helper()
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), cfg))
	t.Cleanup(func() {
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &guarded{t: t, service: service}
	g.owner = g.workspace("research")
	key := g.key(promptrails.ScopeAPIKeysVerify)
	g.asker = g.client(promptrails.WithAPIKey(key.Key.Reveal()))
	return g
}

// workspace returns the owner of a new one.
func (g *guarded) workspace(slug string) *promptrails.Client {
	g.t.Helper()
	user := must[*embedded.User](g.t)(g.service.CreateUser(g.t.Context(), slug+"@example.com", ""))
	person := must[*promptrails.Client](g.t)(g.service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal())))
	made := must[*promptrails.Workspace](g.t)(person.Workspaces.Create(g.t.Context(), &promptrails.CreateWorkspaceParams{Name: slug, Slug: slug}))
	return person.InWorkspace(made.ID)
}

// member returns an admin of the owner's workspace.
func (g *guarded) member(email string) *promptrails.Client {
	g.t.Helper()
	user := must[*embedded.User](g.t)(g.service.CreateUser(g.t.Context(), email, ""))
	person := must[*promptrails.Client](g.t)(g.service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal())))
	invitation := must[*promptrails.Invitation](g.t)(g.owner.Invitations.Create(g.t.Context(), &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleAdmin}))
	member := must[*promptrails.Member](g.t)(person.Invitations.Accept(g.t.Context(), invitation.Token))
	return person.InWorkspace(member.WorkspaceID)
}

// client returns one that reaches the service through g.
func (g *guarded) client(opts ...promptrails.Option) *promptrails.Client {
	g.t.Helper()
	return must[*promptrails.Client](g.t)(promptrails.NewClient(append(opts,
		promptrails.WithBaseURL("https://api.example.com"), promptrails.WithHTTPClient(&http.Client{Transport: g}),
		promptrails.WithIdempotentServer(), promptrails.WithMaxRetries(0))...))
}

// RoundTrip lets the service answer, or what was set to answer in its place.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	g.calls.Add(1)
	if instead := g.answer.Load(); instead != nil {
		return handlerTransport{instead}.RoundTrip(r)
	}
	return handlerTransport{g.service}.RoundTrip(r)
}

// answersWith puts something else in the service's place.
func (g *guarded) answersWith(h http.HandlerFunc) { g.answer.Store(&h) }

func (g *guarded) goesDown()    { g.answersWith(status(503, "")) }
func (g *guarded) isUp()        { g.answer.Store(nil) }
func (g *guarded) forgets()     { g.calls.Store(0) }
func (g *guarded) asked() int64 { return g.calls.Load() }

func (g *guarded) key(scopes ...promptrails.Scope) *promptrails.CreatedAPIKey {
	g.t.Helper()
	return g.keyOf(&promptrails.CreateAPIKeyParams{Scopes: scopes})
}

func (g *guarded) keyOf(p *promptrails.CreateAPIKeyParams) *promptrails.CreatedAPIKey {
	g.t.Helper()
	p.Name = "A key"
	if p.Scopes == nil {
		p.Scopes = promptrails.Scopes{promptrails.ScopeAgentsRead}
	}
	return must[*promptrails.CreatedAPIKey](g.t)(g.owner.APIKeys.Create(g.t.Context(), p))
}

func (g *guarded) authenticator(opts ...promptrails.AuthenticatorOption) *promptrails.Authenticator {
	g.t.Helper()
	return must[*promptrails.Authenticator](g.t)(promptrails.NewAuthenticator(g.asker, opts...))
}
