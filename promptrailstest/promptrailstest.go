// Package promptrailstest runs a workspace service for tests.
package promptrailstest

import (
	"net/http/httptest"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Server is a running service with a workspace and its owner.
type Server struct {
	URL       string // base URL on the loopback, without /api/v1
	Service   *embedded.Service
	Owner     *promptrails.Client // a client in Workspace
	Workspace *promptrails.Workspace

	t testing.TB
}

// Option changes the configuration of a [Server].
type Option func(*embedded.Config)

// WithConfig calls f with the service's configuration before the service is
// opened. f can set the clock, the database, the default plan, or
// AllowLoopbackWebhooks to allow webhooks to the test's own server.
func WithConfig(f func(*embedded.Config)) Option { return f }

// New starts a service that is closed when the test ends. By default it is in
// memory, and its workspace is on the starter plan, which has five seats. If
// the service cannot start, New fails the test.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	cfg := embedded.Config{DefaultPlan: promptrails.PlanStarter}
	for _, opt := range opts {
		opt(&cfg)
	}
	service, err := embedded.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(service)
	t.Cleanup(func() {
		listener.Close()
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &Server{URL: listener.URL, Service: service, t: t}
	person := s.NewUser("owner@example.com")
	s.Workspace, err = person.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "Test", Slug: "test"})
	if err != nil {
		t.Fatal(err)
	}
	s.Owner = person.InWorkspace(s.Workspace.ID)
	return s
}

// NewUser creates a user with the given email address and returns a client for
// that user. The user is not a member of any workspace. After the user has
// joined one, call [promptrails.Client.InWorkspace].
func (s *Server) NewUser(email string) *promptrails.Client {
	s.t.Helper()
	user, err := s.Service.CreateUser(s.t.Context(), email, "")
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := s.Service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}
