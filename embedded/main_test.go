package embedded_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(resealVariable); file != "" {
		os.Exit(resealAndExit(file)) // a test kills this process
	}
	if file := os.Getenv(deliverVariable); file != "" {
		os.Exit(workUntilKilled(file))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pgtest.Stop()
		os.Exit(code)
	}))
}

// server is a service that listens on a port. Tests call it over plain HTTP.
type server struct {
	*embedded.Service
	t    *testing.T
	url  string
	http *http.Client
}

// newServer starts a service. Each exchange is validated against openapi.yaml.
func newServer(t *testing.T, cfg embedded.Config) *server {
	t.Helper()
	return serve(t, cfg, func(h http.Handler) http.Handler { return apicheck.Handler(t, h) })
}

// databaseVariable names the database of tests that do not name one: empty for memory,
// or one of testDatabases. .ci/run tests the service with memory and postgres.
const databaseVariable = "PROMPTRAILS_TEST_DATABASE"

// processesVariable is the number of services over each database that is not in memory.
// Requests are distributed over them.
const processesVariable = "PROMPTRAILS_TEST_PROCESSES"

var testDatabases = map[string]func(testing.TB) string{
	"file":      func(t testing.TB) string { t.Helper(); return filepath.Join(t.TempDir(), "workspaces.db") },
	"postgres":  pgtest.DSN,
	"superuser": pgtest.AdminDSN, // without row-level security
	"citus":     pgtest.Citus,
}

// serve starts a service inside the handler that wrap returns. The default plan is
// Starter. Cleanup closes the service.
func serve(t *testing.T, cfg embedded.Config, wrap func(http.Handler) http.Handler) *server {
	t.Helper()
	if cfg.DefaultPlan == "" {
		cfg.DefaultPlan = promptrails.PlanStarter
	}
	if server := os.Getenv(databaseVariable); cfg.DSN == "" && server != "" {
		cfg.DSN = testDatabases[server](t)
	}
	if cfg.MasterKey == nil && strings.HasPrefix(cfg.DSN, "postgres://") {
		cfg.MasterKey = make([]byte, 32)
	}
	services := 1
	if n, err := strconv.Atoi(os.Getenv(processesVariable)); err == nil && cfg.DSN != "" {
		services = n
	}
	b := &balancer{backends: make([]atomic.Pointer[embedded.Service], services)}
	for i := range b.backends {
		b.backends[i].Store(must[*embedded.Service](t)(embedded.Open(t.Context(), cfg)))
	}
	listener := httptest.NewServer(wrap(b))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		listener.Close()
		for i := range b.backends {
			if err := b.backends[i].Load().Close(); err != nil {
				t.Errorf("Close: got %v, want no error", err)
			}
		}
	})
	return &server{b.backends[0].Load(), t, listener.URL, &http.Client{Transport: transport}}
}

// oneProcess skips a test of something that several processes do not share.
func oneProcess(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv(processesVariable) != "" {
		t.Skip("several processes: " + reason)
	}
}

// databases runs test with a database in memory, with a file, with PostgreSQL and
// with Citus.
func databases(t *testing.T, test func(t *testing.T, cfg embedded.Config)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, embedded.Config{}) })
	shared(t, test)
}

// shared is databases for those that several processes can open.
func shared(t *testing.T, test func(t *testing.T, cfg embedded.Config)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		test(t, embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, embedded.Config{DSN: pgtest.DSN(t)})
	})
	t.Run("citus", func(t *testing.T) {
		t.Parallel()
		test(t, embedded.Config{DSN: pgtest.Citus(t)})
	})
}

// person is a user who calls the API with an access token.
type person struct {
	s         *server
	user      *embedded.User
	workspace string // the value of X-Workspace-ID, if any
}

// person creates a user without a workspace.
func (s *server) person(email string) *person {
	s.t.Helper()
	user, err := s.CreateUser(s.t.Context(), email, strings.ToUpper(email[:1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return &person{s: s, user: user}
}

// owner creates a user and a workspace with the given slug. The user owns it.
func (s *server) owner(email, slug string) *person {
	s.t.Helper()
	p := s.person(email)
	p.workspace = p.do("POST", "/workspaces", `{"name":"W","slug":"`+slug+`"}`).expect(201).text("id")
	return p
}

// ownerClient creates a user and a workspace in service, and returns the user's
// client for that workspace. The user is its owner.
func ownerClient(t testing.TB, service *embedded.Service, opts ...promptrails.Option) *promptrails.Client {
	t.Helper()
	owner := must[*embedded.User](t)(service.CreateUser(t.Context(), "ada@example.com", ""))
	opts = append([]promptrails.Option{promptrails.WithAccessToken(owner.AccessToken.Reveal())}, opts...)
	c := must[*promptrails.Client](t)(service.Client(opts...))
	w := must[*promptrails.Workspace](t)(c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "W", Slug: "w"}))
	return c.InWorkspace(w.ID)
}

// client returns p's client for their workspace.
func (p *person) client() *promptrails.Client {
	p.s.t.Helper()
	return must[*promptrails.Client](p.s.t)(p.s.Client(promptrails.WithAccessToken(p.user.AccessToken.Reveal()), promptrails.WithWorkspace(p.workspace)))
}

// member creates a user, whom p invites to the workspace with the given role.
func (p *person) member(email, role string) *person {
	p.s.t.Helper()
	m := p.s.person(email)
	token := p.do("POST", "/invitations", `{"email":"`+email+`","role":"`+role+`"}`).expect(201).text("token")
	m.do("POST", "/invitations/accept", `{"token":"`+token+`"}`).expect(200)
	m.workspace = p.workspace
	return m
}

// with returns a copy of p that reports failures to t, for use in subtests.
func (p *person) with(t *testing.T) *person {
	s, other := *p.s, *p
	s.t, other.s = t, &s
	return &other
}

// in returns a copy of p that calls the API in another workspace.
func (p *person) in(workspace string) *person {
	other := *p
	other.workspace = workspace
	return &other
}

// do sends a request. The headers are pairs of name and value; an empty value
// removes the header.
func (p *person) do(method, path, body string, headers ...string) *reply {
	t := p.s.t
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.s.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.user.AccessToken.Reveal())
	if p.workspace != "" {
		req.Header.Set("X-Workspace-ID", p.workspace)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := p.s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Request-ID") == "" || resp.Header.Get("Idempotency-Key-Honored") != "true" {
		t.Errorf("%s %s: got headers %v, want X-Request-ID and Idempotency-Key-Honored: true", method, path, resp.Header)
	}
	return &reply{t: t, what: method + " " + path, status: resp.StatusCode, header: resp.Header, body: string(text)}
}

// reply is a response.
type reply struct {
	t      *testing.T
	what   string // the request's method and path
	status int
	header http.Header
	body   string
}

// expect stops the test if the status differs.
func (r *reply) expect(status int) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: got %d %s, want %d", r.what, r.status, r.body, status)
	}
	return r
}

// fails checks the status and code of an error, and returns details.fields.
func (r *reply) fails(status int, code string) map[string]string {
	r.t.Helper()
	var e struct {
		Error struct {
			Code    string
			Details struct{ Fields map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.status != status || e.Error.Code != code {
		r.t.Errorf("%s: got %d %s, want %d %s", r.what, r.status, r.body, status, code)
	}
	return maps.Clone(e.Error.Details.Fields)
}

// refused is like fails, but returns the response.
func (r *reply) refused(status int, code string) *reply {
	r.t.Helper()
	r.fails(status, code)
	return r
}

// listed returns the ids on a page and the list's total.
func (r *reply) listed() (ids []string, total int) {
	r.t.Helper()
	var page struct {
		Data []struct{ ID string }
		Meta struct{ Total int }
	}
	if err := json.Unmarshal([]byte(r.expect(200).body), &page); err != nil {
		r.t.Fatalf("%s: decoding %s: %v", r.what, r.body, err)
	}
	for _, item := range page.Data {
		ids = append(ids, item.ID)
	}
	return ids, page.Meta.Total
}

// decode decodes the body.
func (r *reply) decode(into any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		r.t.Fatalf("%s: decoding %s: %v", r.what, r.body, err)
	}
}

// text returns a string field of the object in data.
func (r *reply) text(field string) string {
	r.t.Helper()
	var e struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		r.t.Fatalf("%s: decoding %s: %v", r.what, r.body, err)
	}
	s, ok := e.Data[field].(string)
	if !ok {
		r.t.Fatalf("%s: got %d %s, want the string %s in data", r.what, r.status, r.body, field)
	}
	return s
}

// integer returns an integer field of the object in data.
func (r *reply) integer(field string) int64 {
	r.t.Helper()
	dec := json.NewDecoder(strings.NewReader(r.body))
	dec.UseNumber()
	var fields struct{ Data map[string]any }
	if err := dec.Decode(&fields); err != nil {
		r.t.Fatalf("%s: decoding %s: %v", r.what, r.body, err)
	}
	number, ok := fields.Data[field].(json.Number)
	n, err := number.Int64()
	if !ok || err != nil {
		r.t.Fatalf("%s: got %d %s, want the integer %s in data", r.what, r.status, r.body, field)
	}
	return n
}

// replayed reports whether the response is an idempotent replay.
func (r *reply) replayed() bool { return r.header.Get("Idempotency-Replayed") == "true" }

// clock starts at 2026-01-02 03:04:05 UTC and moves only by forward.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}
func (c *clock) forward(d time.Duration) { c.offset.Add(int64(d)) }

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
