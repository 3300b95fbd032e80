// Package promptrailstest runs the workspace service for a test.
package promptrailstest

import (
	"net/http/httptest"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Server is a running service with an owner and a workspace in it.
type Server struct {
	URL       string // where it listens on the loopback, without /api/v1
	Service   *embedded.Service
	Owner     *promptrails.Client // in Workspace
	Workspace *promptrails.Workspace

	t testing.TB
}

// Option changes the service's configuration before it is opened.
type Option func(*embedded.Config)

// WithConfig changes the service's configuration as f says: its clock, its
// database, the plan that workspaces start on, whether webhooks may go to the
// test's own server (AllowLoopbackWebhooks).
func WithConfig(f func(*embedded.Config)) Option { return f }

// New starts a service, in memory unless told otherwise, that ends with the
// test. Its workspace is on the plan starter, which has five seats. What keeps
// it from starting fails the test.
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

// NewUser returns a client that is a new person with that address, a member of
// no workspace yet: use [promptrails.Client.InWorkspace] once they are.
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
