package promptrails_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// listen serves each connection with the next of the scripts. The last one
// serves all further connections.
func listen(t *testing.T, scripts ...func(net.Conn)) (url string, connections *atomic.Int64) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	connections = new(atomic.Int64)
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			script := scripts[min(int(connections.Add(1)), len(scripts))-1]
			served.Go(func() {
				defer func() { _ = conn.Close() }()
				script(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); served.Wait() })
	return "http://" + l.Addr().String(), connections
}

// readHead reads the head of a request, and any part of the body that arrives
// with it.
func readHead(c net.Conn) string {
	buf := make([]byte, 64<<10)
	n, _ := c.Read(buf)
	return string(buf[:n])
}

// reset resets the connection after the request.
func reset(c net.Conn) {
	_ = readHead(c)
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close with a reset
	}
}

// hangUp closes the connection after the request.
func hangUp(c net.Conn) { _ = readHead(c) }

// halfABody closes the connection in the middle of the response body.
func halfABody(c net.Conn) {
	_ = readHead(c)
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"data\":{")
}

// respond responds with a status and a body.
func respond(code int, body string) func(net.Conn) {
	return func(c net.Conn) {
		_ = readHead(c)
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", code, len(body), body)
	}
}

// clientAt returns a client for the server at url, with a new transport.
func clientAt(t *testing.T, url string, opts ...promptrails.Option) *promptrails.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return clientOver(t, transport, append([]promptrails.Option{promptrails.WithBaseURL(url)}, opts...)...)
}

// If a connection breaks after the request was sent, the client retries only
// idempotent calls.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	bodies := map[string]func(net.Conn){
		"GET": respond(200, someUser), "POST": respond(201, someWorkspace), "PATCH": respond(200, someWorkspace), "DELETE": respond(204, ""),
	}
	for name, fault := range map[string]func(net.Conn){"reset": reset, "EOF": hangUp, "half a body": halfABody} {
		for method, call := range calls {
			for _, idempotent := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s idempotent=%t", name, method, idempotent), func(t *testing.T) {
					t.Parallel()
					url, connections := listen(t, fault, bodies[method])
					var opts []promptrails.Option
					if idempotent {
						opts = append(opts, promptrails.WithIdempotentServer())
					}
					err := call(t.Context(), clientAt(t, url, opts...))
					if idempotent || method == "GET" || method == "DELETE" {
						if err != nil || connections.Load() != 2 {
							t.Errorf("got %d connections and error %v, want success after 2 connections", connections.Load(), err)
						}
						return
					}
					if connections.Load() != 1 || !errors.Is(err, promptrails.ErrUnavailable) || !strings.Contains(err.Error(), "outcome is not known") {
						t.Errorf("got %d connections and error %v, want 1 and ErrUnavailable with an unknown outcome", connections.Load(), err)
					}
				})
			}
		}
	}
}

// If the connection is refused, no request was delivered: every call is retried.
func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for method, call := range calls {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			err := call(t.Context(), clientAt(t, url, promptrails.WithMaxRetries(1)))
			e, ok := errors.AsType[*promptrails.Error](err)
			if !ok || e.Attempts != 2 || strings.Contains(err.Error(), "outcome") {
				t.Errorf("got %v, want an *Error after 2 attempts with a known outcome", err)
			}
			if !strings.Contains(err.Error(), "2 attempts") || !strings.Contains(err.Error(), e.Operation) {
				t.Errorf("got %v, want an error that names the 2 attempts and the operation %s", err, e.Operation)
			}
		})
	}
}

// If a reused connection is closed, net/http resends a request that has an
// Idempotency-Key. The client prevents this for servers that do not honor it.
func TestReusedConnectionCloses(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int64{"POST": 1, "PATCH": 1} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			serve := func(c net.Conn) {
				if head := readHead(c); strings.HasPrefix(head, "GET") {
					_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(someUser), someUser)
					if head = readHead(c); head == "" {
						return
					}
				}
				requests.Add(1) // then the connection closes without a response
			}
			url, _ := listen(t, serve)
			c := clientAt(t, url)
			if _, err := c.Me(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := calls[method](t.Context(), c); err == nil || requests.Load() != want {
				t.Errorf("got %d requests and error %v, want %d requests and an error", requests.Load(), err, want)
			}
		})
	}
}

// A 404 on the retry of a DELETE means that the first attempt succeeded.
func TestNotFoundOnRetriedDelete(t *testing.T) {
	t.Parallel()
	notFound := respond(404, `{"error":{"code":"not_found"}}`)
	url, _ := listen(t, hangUp, notFound)
	if err := clientAt(t, url).Members.Remove(t.Context(), "m", nil); err != nil {
		t.Errorf("Members.Remove with a 404 on the retry: got %v, want no error", err)
	}
	url, _ = listen(t, notFound)
	if err := clientAt(t, url).Members.Remove(t.Context(), "m", nil); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("Members.Remove with a 404 on the first attempt: got %v, want ErrNotFound", err)
	}
}

// The maximum response size bounds the memory that a response allocates, whether
// it has a Content-Length, is chunked or is compressed. The test is not parallel
// because it measures the allocations of the process.
func TestHugeResponses(t *testing.T) {
	const size = 256 << 20
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	for range size / len(chunk) {
		if _, err := z.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Header.Get("X-Kind") {
		case "gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(compressed.Bytes())
		case "length":
			w.Header().Set("Content-Length", fmt.Sprint(size))
			fallthrough
		default:
			for range size / len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	}))
	defer server.Close()
	c := clientAt(t, server.URL, promptrails.WithMaxResponseSize(1<<20))
	for _, kind := range []string{"gzip", "length", "stream"} {
		t.Run(kind, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.Me(t.Context(), promptrails.WithHeader("X-Kind", kind))
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "larger than the limit") {
				t.Errorf("Me: got %v, want an error containing %q", err, "larger than the limit")
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
				t.Errorf("memory for a limit of 1 MiB: got %d MiB allocated, want at most 32 MiB", grown>>20)
			}
		})
	}
}

// The number of items in a page is bounded, because small items need much more memory than
// their JSON. The test is not parallel because it measures the allocations of the process.
func TestPagesOfManyItems(t *testing.T) {
	const want = "has more than 100000 items"
	for _, item := range []string{"{}", "null", `{"id":"k"}`} {
		t.Run(item, func(t *testing.T) {
			body := `{"data":[` + strings.Repeat(item+",", 1_000_000) + item + `]}`
			c := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, body)}}, promptrails.WithMaxRetries(0))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := c.APIKeys.List(t.Context(), nil)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("List: got %v, want an error containing %q", err, want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 400<<20 {
				t.Errorf("memory for %d bytes: got %d MiB allocated, want at most 400 MiB", len(body), grown>>20)
			}
		})
	}
}

// 1,000 goroutines share one client and its connections.
func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(status(200, someUser))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken(token))
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	gate := make(chan struct{}, 50)
	for range 1000 {
		callers.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			for range 3 {
				if _, err := c.InWorkspace("w").Me(t.Context()); err != nil {
					t.Errorf("Me: got %v, want no error", err)
				}
			}
		})
	}
	callers.Wait()
	if n := connections.Load(); n > 300 {
		t.Errorf("got %d connections for 3,000 calls, want at most 300", n)
	}
}
