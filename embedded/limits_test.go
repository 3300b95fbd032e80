package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// listen serves a service by the server of NewServer, which change can modify.
func listen(t *testing.T, cfg embedded.Config, change func(*http.Server)) *server {
	t.Helper()
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), cfg))
	listener := must[net.Listener](t)((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))
	s := embedded.NewServer(service, "")
	// With the large buffers of the loopback, little of a response stays in the process.
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(4096)
		}
		return ctx
	}
	change(s)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := errors.Join(s.Close(), service.Close()); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: got %v, want %v", err, http.ErrServerClosed)
		}
	})
	return &server{service, t, "http://" + listener.Addr().String(), &http.Client{Transport: transport}}
}

// dial opens a connection with a small receive buffer.
func (s *server) dial() net.Conn {
	s.t.Helper()
	conn := must[net.Conn](s.t)((&net.Dialer{}).DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "http://")))
	s.t.Cleanup(func() { _ = conn.Close() })
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(4096); err != nil {
			s.t.Fatal(err)
		}
	}
	return conn
}

// statusOf sends a GET on a connection and reads no more than the status of the response.
func (p *person) statusOf(conn net.Conn, path string) (string, error) {
	_, err := fmt.Fprintf(conn, "GET /api/v1%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nX-Workspace-ID: %s\r\n\r\n", path, p.user.AccessToken.Reveal(), p.workspace)
	if err != nil {
		return "", err
	}
	line := make([]byte, len("HTTP/1.1 200"))
	_, err = io.ReadFull(conn, line)
	return string(line[len("HTTP/1.1 "):]), err
}

// createLarge creates n prompts of 900 KiB.
func (p *person) createLarge(n int) {
	p.s.t.Helper()
	content := strings.Repeat("a", 900<<10)
	for i := range n {
		p.do("POST", "/prompts", fmt.Sprintf(`{"name":"p%d","content":%q}`, i, content)).expect(201)
	}
}

// 20 clients that do not read their responses cost at most 64 MB. Each of them gets a
// response within the time of a request.
func TestClientsThatDoNotRead(t *testing.T) { // not parallel: it measures the memory of the process
	ada := listen(t, embedded.Config{
		DSN: filepath.Join(t.TempDir(), "workspaces.db"), DefaultPlan: promptrails.PlanEnterprise, Limits: embedded.Limits{RequestTime: 3 * time.Second},
	}, func(*http.Server) {}).owner("ada@example.com", "research")
	ada.createLarge(10)
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	statuses := make(chan string, 20)
	for range cap(statuses) {
		conn := ada.s.dial()
		go func() {
			status, err := ada.statusOf(conn, "/prompts?limit=100")
			if err != nil {
				status = err.Error()
			}
			statuses <- status
		}()
	}
	counts := map[string]int{}
	for range cap(statuses) {
		counts[<-statuses]++
	}
	if counts["200"] == 0 || counts["503"] == 0 || counts["200"]+counts["503"] != cap(statuses) {
		t.Errorf("20 clients that do not read: got statuses %v, want 200 and 503", counts)
	}
	used := inUse() - before
	if int64(used) > 64e6 {
		t.Errorf("20 clients that do not read: got %d bytes in use, want at most 64 MB", used)
	}
	ada.do("GET", "/me", "").expect(200) // small responses need no room
}

// A change whose response does not fit in memory is refused, and is not made. It can be
// repeated when there is room.
func TestChangesNeedRoom(t *testing.T) {
	t.Parallel()
	ada := listen(t, embedded.Config{
		DSN: filepath.Join(t.TempDir(), "workspaces.db"), DefaultPlan: promptrails.PlanEnterprise, Limits: embedded.Limits{ResponseBytes: 1},
	}, func(*http.Server) {}).owner("ada@example.com", "research")
	ada.createLarge(5)
	head := ada.do("GET", "/changelog/head", "").integer("sequence")
	conn := ada.s.dial()
	if status, err := ada.statusOf(conn, "/prompts?limit=100"); status != "200" || err != nil {
		t.Fatalf("client that does not read: got %s, %v, want 200", status, err)
	}
	large := `{"name":"n","content":"` + strings.Repeat("a", 100<<10) + `"}`
	if r := ada.do("POST", "/prompts", large).refused(503, "unavailable"); r.header.Get("Retry-After") == "" {
		t.Error("large change: got no Retry-After, want one")
	}
	if got := ada.do("GET", "/changelog/head", "").integer("sequence"); got != head {
		t.Errorf("after the refused change: got the changelog entry %d, want %d", got, head)
	}
	ada.do("POST", "/prompts", `{"name":"small"}`).expect(201)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for ada.do("POST", "/prompts", large).status != 201 {
		runtime.Gosched()
	}
}

// A search of memories has at most 5 MiB, with the best memories first.
func TestLargeMemories(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}).owner("ada@example.com", "research")
	agent := "/agents/" + ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	best := ada.do("POST", agent+"/memories", `{"content":"red green"}`).expect(201).text("id")
	for range 10 {
		ada.do("POST", agent+"/memories", `{"content":"red `+strings.Repeat("a", 900<<10)+`"}`).expect(201)
	}
	r := ada.do("POST", agent+"/memories/search", `{"query":"red green","limit":100}`)
	if ids, _ := r.listed(); len(ids) < 2 || ids[0] != best || len(r.body) > 5<<20 {
		t.Errorf("search: got %d memories in %d bytes, want at least 2, the best first, in at most 5 MiB", len(ids), len(r.body))
	}
}

// 2000 changes at once are all made or refused with Retry-After, and no refused change is
// made.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	writers := 2000
	if testing.Short() {
		writers = 500
	}
	for name, limits := range map[string]embedded.Limits{"default": {}, "8 waiting writers": {Writers: 8}, "100 requests": {Requests: 100}} {
		t.Run(name, func(t *testing.T) {
			cfg := embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), Limits: limits}
			ada := listen(t, cfg, func(*http.Server) {}).owner("ada@example.com", "research")
			var made atomic.Int64
			var callers sync.WaitGroup
			for range writers {
				callers.Go(func() {
					r := ada.do("POST", "/prompts", `{"name":"p"}`)
					switch {
					case r.status == 201:
						made.Add(1)
					case r.refused(503, "unavailable").header.Get("Retry-After") == "":
						t.Errorf("refused change: got no Retry-After, want one")
					}
				})
			}
			callers.Wait()
			if _, total := ada.do("GET", "/prompts", "").listed(); int64(total) != made.Load() || total == 0 {
				t.Errorf("got %d prompts and %d responses 201, want the same number, and not 0", total, made.Load())
			}
		})
	}
}

// A request beyond Limits.Requests returns 503 with Retry-After. Probes are served.
func TestMaxRequests(t *testing.T) {
	t.Parallel()
	oneProcess(t, "each has the limit")
	entered, leave := make(chan struct{}), make(chan struct{})
	s := newServer(t, embedded.Config{
		Limits: embedded.Limits{Requests: 1},
		CheckCredential: func(context.Context, *promptrails.Credential, promptrails.Secret) (*promptrails.CredentialCheck, error) {
			close(entered)
			<-leave
			return &promptrails.CredentialCheck{}, nil
		},
	})
	ada := s.owner("ada@example.com", "research")
	id := ada.do("POST", "/credentials", `{"name":"c","type":"openai","value":"sk-0123456789"}`).expect(201).text("id")
	var running sync.WaitGroup
	running.Go(func() { ada.do("POST", "/credentials/"+id+"/check", "").expect(200) })
	<-entered
	if r := ada.do("GET", "/me", "").refused(503, "unavailable"); r.header.Get("Retry-After") == "" {
		t.Error("second request: got no Retry-After, want one")
	}
	if status, _ := s.ready(); status != 200 {
		t.Errorf("/readyz: got %d, want 200", status)
	}
	close(leave)
	running.Wait()
	ada.do("GET", "/me", "").expect(200)
}

// A request that takes longer than Limits.RequestTime returns 503 with Retry-After.
func TestRequestTime(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{
		Limits: embedded.Limits{RequestTime: 50 * time.Millisecond},
		AuthenticateUser: func(ctx context.Context, _ string) (email, name string, err error) {
			<-ctx.Done()
			return "ada@example.com", "", nil // the database is read after the end of the request
		},
	})
	slow := &person{s: s, user: &embedded.User{AccessToken: promptrails.NewSecret("slow")}}
	if r := slow.do("GET", "/me", "").refused(503, "unavailable"); r.header.Get("Retry-After") == "" || !strings.Contains(r.body, "took too long") {
		t.Errorf("slow request: got %s, Retry-After %q, want the reason, and Retry-After", r.body, r.header.Get("Retry-After"))
	}
}

// A change that is running at the end of its time is committed, and reported as made.
func TestCommittedAfterRequestTime(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		const requestTime = 3 * time.Second
		var started atomic.Bool // the body is read, so that the next time is that of the transaction
		cfg.Now = func() time.Time {
			if started.Swap(false) {
				ended, cancel := context.WithTimeout(context.Background(), requestTime)
				defer cancel()
				<-ended.Done() // as the request, which began before
			}
			return time.Now()
		}
		cfg.Limits.RequestTime = requestTime
		s := serve(t, cfg, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Slow") != "" {
					r.Body = &body{ReadCloser: r.Body, end: func() { started.Store(true) }}
				}
				next.ServeHTTP(w, r)
			})
		})
		ada := s.owner("ada@example.com", "research")
		id := ada.do("POST", "/prompts", `{"name":"slow"}`, "Slow", "true").expect(201).text("id")
		ada.do("GET", "/prompts/"+id, "").expect(200)
		if started.Load() {
			t.Error("got no slow transaction, want one")
		}
	})
}

// body is the body of a request. It calls end when it has been read.
type body struct {
	io.ReadCloser
	end func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

// Limits.Rate limits the requests of each key and of each user.
func TestRate(t *testing.T) {
	t.Parallel()
	oneProcess(t, "each has counts of its own")
	var now clock
	ada := newServer(t, embedded.Config{Now: now.now, Limits: embedded.Limits{Rate: 0.5, Burst: 4}}).owner("ada@example.com", "research")
	limits := func(r *reply) string {
		h := r.header
		return strings.Join([]string{h.Get("X-RateLimit-Limit"), h.Get("X-RateLimit-Remaining"), h.Get("X-RateLimit-Reset"), h.Get("Retry-After")}, " ")
	}
	key := ada.key(`{"name":"k","scopes":["agents:read"]}`)
	for _, tt := range []struct {
		method, path, body string
		status             int
		limits             string
	}{
		{"GET", "/me", "", 200, "4 1 6 "},
		{"POST", "/agents", `{"name":"a"}`, 201, "4 0 8 "},
		{"GET", "/me", "", 429, "4 0 8 2"},
		{"POST", "/agents", `{"name":"b"}`, 429, "4 0 8 2"},
	} {
		r := ada.do(tt.method, tt.path, tt.body).expect(tt.status)
		if tt.status == 429 {
			r.fails(429, "rate_limited")
		}
		if got := limits(r); got != tt.limits {
			t.Errorf("%s: got limit, remaining, reset and Retry-After %q, want %q", r.what, got, tt.limits)
		}
	}
	if got, want := limits(key.do("GET", "/agents", "").expect(200)), "4 3 2 "; got != want {
		t.Errorf("key of the same user: got limit, remaining and reset %q, want %q", got, want)
	}
	now.forward(2 * time.Second)
	if ids, _ := ada.do("GET", "/agents", "").listed(); len(ids) != 1 {
		t.Errorf("after 2 seconds: got %d agents, want that of the request within the limit", len(ids))
	}
	if r := ada.do("GET", "/me", "", "Authorization", "Bearer pat_x").expect(401); limits(r) != "   " {
		t.Errorf("unknown caller: got %q, want no limits", limits(r))
	}
}

// Without Limits.Rate, responses have no limits.
func TestNoRate(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{Limits: embedded.Limits{Rate: -1}}).owner("ada@example.com", "research")
	for range 200 {
		if r := ada.do("GET", "/me", "").expect(200); r.header.Get("X-RateLimit-Limit") != "" {
			t.Fatalf("got X-RateLimit-Limit %q, want none", r.header.Get("X-RateLimit-Limit"))
		}
	}
}
