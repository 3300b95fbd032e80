// Package promptrailstest runs a workspace service for tests of programs that use
// PromptRails.
//
// [New] starts a service with a workspace and its owner. The program under test
// gets a client of [Server.Client], or [Server.URL] and a key of [Server.NewKey]:
// its requests go over HTTP. The test prepares and checks the workspace with
// [Server.Owner], [Server.NewUser] and [Server.NewMember], which call the service
// in-process.
//
// Requests over HTTP are recorded ([Server.Requests]), and can be made to fail:
//
//   - [Server.Down] refuses connections, until [Server.Up].
//   - [Server.FailNext] returns an error status.
//   - [Server.RateLimitNext] returns 429 with Retry-After.
//   - [Server.CutNext] carries out a request, and closes the connection without a
//     response.
//   - [Server.Latency] delays responses.
//
// FailNext, RateLimitNext and CutNext apply in the order in which they were
// called, each to one request after the other; a retry is a request of its own.
// In-process clients are not affected.
//
// [Clock.Advance] moves the time of the service, so that keys and invitations
// expire. Webhooks of a test do not need a server: see [promptrails.SignWebhook].
//
// The methods of a [Server] are safe for concurrent use. Those that return a
// client or key fail the test if they cannot, and so must be called by the
// goroutine of the test. Servers are independent of each other.
package promptrailstest

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Server is a running service with a workspace and its owner.
type Server struct {
	URL       string // base URL on the loopback, without /api/v1
	Service   *embedded.Service
	Owner     *promptrails.Client // an in-process client in Workspace
	Workspace *promptrails.Workspace
	Clock     *Clock // of the service

	t          testing.TB
	ownerToken promptrails.Secret
	transport  *http.Transport // of the clients of Client
	port       *port
	faults     faults
	requests   requests
}

// Option changes the configuration of a [Server].
type Option func(*embedded.Config)

// WithConfig calls f with the service's configuration before the service is
// opened. f can set the database, or AllowLoopbackWebhooks to allow webhooks to
// the test's own server. If f sets Now, [Server.Clock] starts from it.
func WithConfig(f func(*embedded.Config)) Option { return f }

// WithPlan sets the plan of new workspaces. The default is
// [promptrails.PlanStarter], which has five seats.
func WithPlan(plan promptrails.PlanID) Option {
	return func(cfg *embedded.Config) { cfg.DefaultPlan = plan }
}

// New starts a service that is closed when the test ends. By default it is in
// memory, and its workspace is on the starter plan. If the service cannot start,
// New fails the test.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	cfg := embedded.Config{DefaultPlan: promptrails.PlanStarter}
	for _, opt := range opts {
		opt(&cfg)
	}
	s := &Server{t: t, Clock: newClock(t, cfg.Now), transport: &http.Transport{}}
	cfg.Now = s.Clock.Now
	var err error
	if s.Service, err = embedded.Open(t.Context(), cfg); err != nil {
		t.Fatalf("promptrailstest.New: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Service.Close(); err != nil {
			t.Errorf("promptrailstest: close the service: %v", err)
		}
	})
	s.listen()
	owner := s.newUser("owner@example.com")
	s.ownerToken = owner.AccessToken
	person := s.inProcess(owner)
	s.Workspace, err = person.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "Test", Slug: "test"})
	if err != nil {
		t.Fatalf("promptrailstest.New: %v", err)
	}
	s.Owner = person.InWorkspace(s.Workspace.ID)
	return s
}

// listen opens the port, until the test ends.
func (s *Server) listen() {
	s.t.Helper()
	handler := s.requests.record(s.faults.inject(s.Service))
	port, err := openPort(func() *http.Server {
		server := embedded.NewServer(s.Service, "")
		server.Handler = handler
		return server
	})
	if err != nil {
		s.t.Fatalf("promptrailstest.New: %v", err)
	}
	s.port, s.URL = port, "http://"+port.address
	s.t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		port.release()
	})
}

// Client returns a client that calls the server over HTTP. By default it is the
// owner's, in Workspace. opts can set another key or token, workspace,
// transport, or any other option. The environment is ignored.
//
// To call as another person, issue an access token with
// [embedded.Service.IssueAccessToken].
func (s *Server) Client(opts ...promptrails.Option) *promptrails.Client {
	s.t.Helper()
	common := []promptrails.Option{
		promptrails.WithoutEnvironment(), promptrails.WithBaseURL(s.URL), promptrails.WithWorkspace(s.Workspace.ID),
		promptrails.WithHTTPClient(&http.Client{Transport: s.transport}),
	}
	owner := []promptrails.Option{promptrails.WithAccessToken(s.ownerToken.Reveal())}
	client, err := promptrails.NewClient(slices.Concat(common, owner, opts)...)
	if v, ok := errors.AsType[*promptrails.ValidationError](err); ok && v.Fields["authentication"] != "" {
		client, err = promptrails.NewClient(slices.Concat(common, opts)...) // opts have a key or a source
	}
	if err != nil {
		s.t.Fatalf("Client: %v", err)
	}
	return client
}

// NewUser creates a user with the given email address and returns an in-process
// client for that user. The user is not a member of any workspace. After the user
// has joined one, call [promptrails.Client.InWorkspace].
func (s *Server) NewUser(email string) *promptrails.Client {
	s.t.Helper()
	return s.inProcess(s.newUser(email))
}

// NewMember creates a user with the given email address, who joins Workspace with
// the given role by an invitation of the owner. It returns an in-process client for
// that user in Workspace. The role is admin or user, and the plan must have a seat
// left; see [WithPlan].
func (s *Server) NewMember(email string, role promptrails.Role) *promptrails.Client {
	s.t.Helper()
	invitation, err := s.Owner.Invitations.Create(s.t.Context(), &promptrails.CreateInvitationParams{Email: email, Role: role})
	if err != nil {
		s.t.Fatalf("NewMember(%q, %q): %v", email, role, err)
	}
	person := s.NewUser(email)
	if _, err := person.Invitations.Accept(s.t.Context(), invitation.Token); err != nil {
		s.t.Fatalf("NewMember(%q, %q): %v", email, role, err)
	}
	return person.InWorkspace(s.Workspace.ID)
}

// NewKey creates an API key of Workspace with at least one scope. It does not
// expire. Its id, for example to revoke it, is in the result of
// [promptrails.APIKeysService.Current].
func (s *Server) NewKey(scopes ...promptrails.Scope) promptrails.Secret {
	s.t.Helper()
	key, err := s.Owner.APIKeys.Create(s.t.Context(), &promptrails.CreateAPIKeyParams{Name: "Test", Scopes: scopes})
	if err != nil {
		s.t.Fatalf("NewKey(%v): %v", scopes, err)
	}
	return key.Key
}

func (s *Server) newUser(email string) *embedded.User {
	s.t.Helper()
	user, err := s.Service.CreateUser(s.t.Context(), email, "")
	if err != nil {
		s.t.Fatalf("create the user %q: %v", email, err)
	}
	return user
}

func (s *Server) inProcess(user *embedded.User) *promptrails.Client {
	s.t.Helper()
	client, err := s.Service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}
