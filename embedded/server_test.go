package embedded_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The server has all timeouts. That of writes has 90 seconds more than a request.
func TestServerTimeouts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ request, write time.Duration }{{0, 2 * time.Minute}, {time.Minute, 150 * time.Second}, {-1, 0}} {
		service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{Limits: embedded.Limits{RequestTime: tt.request}}))
		s := embedded.NewServer(service, "127.0.0.1:8080")
		if s.Addr != "127.0.0.1:8080" || s.ReadHeaderTimeout != 10*time.Second || s.ReadTimeout != 30*time.Second || s.IdleTimeout != 2*time.Minute || s.MaxHeaderBytes != 64<<10 {
			t.Errorf("got %+v, want the address, the timeouts and the limit of the documentation", s)
		}
		if s.WriteTimeout != tt.write {
			t.Errorf("RequestTime %s: got WriteTimeout %s, want %s", tt.request, s.WriteTimeout, tt.write)
		}
		if err := service.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	}
}

// A client that does not send its header in time is disconnected, and one with too large
// a header gets 431.
func TestSlowHeader(t *testing.T) {
	t.Parallel()
	s := listen(t, embedded.Config{}, func(s *http.Server) { s.ReadHeaderTimeout = 50 * time.Millisecond })
	conn := s.dial()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("slow header: got %q, %v, want the end of the connection", rest, err)
	}
	s = listen(t, embedded.Config{}, func(*http.Server) {})
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/healthz", nil))
	for i := range 10_000 {
		req.Header.Set(fmt.Sprint("X-Header-", i), "0123456789")
	}
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("10000 headers: got %d, want 431", resp.StatusCode)
	}
}

// A client that does not read a large response is disconnected by the WriteTimeout of the
// server. Then there is room for another response, and the log has the disconnected one.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	logger, lines := newLines()
	ada := listen(t, embedded.Config{
		DSN: filepath.Join(t.TempDir(), "workspaces.db"), DefaultPlan: promptrails.PlanEnterprise, Logger: logger, Limits: embedded.Limits{ResponseBytes: 1},
	}, func(s *http.Server) { s.WriteTimeout = 3 * time.Second }).owner("ada@example.com", "research")
	ada.createLarge(5)
	lines.take()
	if status, err := ada.statusOf(ada.s.dial(), "/prompts?limit=100"); status != "200" || err != nil {
		t.Fatalf("client that does not read: got %s, %v, want 200", status, err)
	}
	inProcess := ada.client() // waits for the room, longer than the WriteTimeout
	if page, err := inProcess.Resources.List(t.Context(), promptrails.KindPrompts, &promptrails.ListResourcesParams{ListOptions: promptrails.ListOptions{Limit: 100}}); err != nil || len(page.Items) == 0 {
		t.Fatalf("client that reads: got %v, %v, want prompts", page, err)
	}
	var slow, other map[string]any
	for len(lines.seen()) < 2 {
		lines.wait(t)
	}
	for _, line := range lines.take() {
		if line["disconnected"] == true {
			slow = line
		} else {
			other = line
		}
	}
	if slow == nil || other == nil || slow["bytes"].(float64) >= other["bytes"].(float64) {
		t.Errorf("got lines %v and %v, want one with disconnected and fewer bytes", slow, other)
	}
}

// 1000 idle connections cost at most 20 MB, with those of the clients.
func TestIdleConnections(t *testing.T) { // not parallel: it measures the memory of the process
	s := listen(t, embedded.Config{}, func(*http.Server) {})
	inUse := func() uint64 {
		var m runtime.MemStats
		for range 3 { // each halves the stacks that have become too large
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := inUse()
	for range 1000 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.url[len("http://"):])
		if errors.Is(err, syscall.EMFILE) {
			t.Skip("the process may open too few files: ", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("/healthz: got %v, %v, want 200", resp, err)
		}
		_ = resp.Body.Close()
	}
	if used := int64(inUse()) - int64(before); used > 20e6 {
		t.Errorf("1000 idle connections: got %d bytes in use, want at most 20 MB", used)
	}
}
