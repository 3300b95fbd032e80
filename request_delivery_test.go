package promptrails_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The outcome of a call is known if no byte of the request reached a server.
func TestUndeliveredRequests(t *testing.T) {
	t.Parallel()
	dead := func() string {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}
	quiet := func(s *httptest.Server) string {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(s.Close)
		return s.URL
	}
	secure := quiet(httptest.NewTLSServer(status(201, someWorkspace)))
	plain := quiet(httptest.NewServer(status(201, someWorkspace)))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	over := func(transport *http.Transport) promptrails.Option {
		t.Cleanup(transport.CloseIdleConnections)
		return promptrails.WithHTTPClient(&http.Client{Transport: transport})
	}
	for name, c := range map[string]struct {
		ctx      context.Context
		opts     []promptrails.Option
		attempts int
	}{
		"a dead server":   {t.Context(), []promptrails.Option{promptrails.WithBaseURL("http://" + dead())}, 2},
		"a dead proxy":    {t.Context(), []promptrails.Option{promptrails.WithBaseURL("https://api.example.test"), over(&http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: dead()})})}, 2},
		"an unknown CA":   {t.Context(), []promptrails.Option{promptrails.WithBaseURL(secure), over(&http.Transport{})}, 1},
		"no TLS":          {t.Context(), []promptrails.Option{promptrails.WithBaseURL(strings.Replace(plain, "http:", "https:", 1)), over(&http.Transport{})}, 1},
		"a canceled call": {canceled, []promptrails.Option{promptrails.WithBaseURL(plain), over(&http.Transport{})}, 0},
		"no httptrace":    {t.Context(), []promptrails.Option{promptrails.WithBaseURL(plain), promptrails.WithHTTPClient(&http.Client{Transport: refusing{}})}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := must[*promptrails.Client](t)(promptrails.NewClient(append(c.opts, promptrails.WithAccessToken(token), promptrails.WithMaxRetries(1))...))
			_, err := client.Workspaces.Create(c.ctx, &promptrails.CreateWorkspaceParams{Name: "a", Slug: "a"})
			e, ok := errors.AsType[*promptrails.Error](err)
			if !ok || strings.Contains(err.Error(), "outcome") || e.Attempts != c.attempts || !errors.Is(err, promptrails.ErrUnavailable) {
				t.Errorf("Workspaces.Create: got %v, want ErrUnavailable after %d attempts with a known outcome", err, c.attempts)
			}
		})
	}
}

// refusing is a transport that cannot connect. Unlike [http.Transport], it does
// not support httptrace.
type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
}

// An HTTP/2 GOAWAY frame means that later streams were not processed (RFC 9113,
// section 6.8). The client sends such a POST again.
func TestGoAway(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]promptrails.Option{nil, {promptrails.WithIdempotentServer()}} {
		t.Run(fmt.Sprintf("idempotent=%t", opts != nil), func(t *testing.T) {
			url, requests := goAwayServer(t)
			transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			t.Cleanup(transport.CloseIdleConnections)
			c := clientOver(t, transport, append(opts, promptrails.WithBaseURL(url))...)
			_, err := c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "a", Slug: "a"})
			if err != nil || requests.Load() != 2 {
				t.Errorf("Workspaces.Create: got %v after %d requests, want success after 2", err, requests.Load())
			}
		})
	}
}

// goAwayServer responds to its first request with a GOAWAY whose last stream is
// 0, and to all others with a workspace.
func goAwayServer(t *testing.T) (url string, requests *atomic.Int32) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.EnableHTTP2 = true
	s.StartTLS()
	cfg := s.TLS.Clone()
	s.Close()
	cfg.NextProtos = []string{"h2"}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int32)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer func() { _ = conn.Close() }()
				serveHTTP2(tls.Server(conn, cfg), requests)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); served.Wait() })
	return "https://" + l.Addr().String(), requests
}

// serveHTTP2 serves one connection of a goAwayServer.
func serveHTTP2(c net.Conn, requests *atomic.Int32) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(c, c)
	_ = framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			ended = f.StreamEnded()
		case *http2.DataFrame:
			ended = f.StreamEnded()
		}
		if !ended {
			continue
		}
		if requests.Add(1) == 1 {
			_ = framer.WriteGoAway(0, http2.ErrCodeNo, nil)
			continue // until the client closes the connection
		}
		var head bytes.Buffer
		encoder := hpack.NewEncoder(&head)
		_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		_ = encoder.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/json"})
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.Header().StreamID, BlockFragment: head.Bytes(), EndHeaders: true})
		_ = framer.WriteData(frame.Header().StreamID, true, []byte(someWorkspace))
	}
}

// Requests are sent with a Content-Length, not chunked. It is 0 if a POST has no
// body.
func TestContentLength(t *testing.T) {
	t.Parallel()
	type seen struct {
		length   int64
		encoding []string
	}
	var got []seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, seen{r.ContentLength, r.TransferEncoding})
		status(200, `{"data":{"id":"d"}}`)(w, r)
	}))
	defer server.Close()
	c := clientAt(t, server.URL)
	if _, err := c.Notifications.TestChannel(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "n", Slug: "s"}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].length != 0 || got[0].encoding != nil || got[1].length != int64(len(`{"name":"n","slug":"s"}`)) {
		t.Errorf("requests: got %+v, want lengths 0 and 23, and no transfer encoding", got)
	}
}
