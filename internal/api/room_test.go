package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// A small body needs no room, and one that is larger than the room needs all of it. A
// place can be extended, resized and left.
func TestRoom(t *testing.T) {
	t.Parallel()
	r := newRoom(1 << 20)
	large, other, small := place{room: r}, place{room: r}, place{room: r}
	check := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %t, want %t", what, got, want)
		}
	}
	check("half the room", large.fit(512<<10), true)
	check("the same response again", large.fit(512<<10), true)
	check("all the room", other.fit(2<<20), false)
	check("small body", small.fit(smallBody), true)
	check("the whole response", large.fit(1<<20), true)
	check("room of others", other.fit(smallBody+1), false)
	check("less", large.resize(256<<10), true)
	check("room that has become free", other.fit(768<<10), true)
	request := func(ctx context.Context) *http.Request { return new(http.Request).WithContext(ctx) }
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if refusal, ok := errors.AsType[*policy.Refusal](large.wait(request(canceled), 1<<20)); !ok || refusal.Status != 503 || refusal.RetryAfter == 0 {
		t.Errorf("wait with a canceled context: got %v, want 503 with Retry-After", refusal)
	}
	other.leave()
	if err := large.wait(request(t.Context()), 1<<20); err != nil {
		t.Errorf("wait for all the room: got %v, want no error", err)
	}
	unbounded := place{}
	check("no bound", unbounded.fit(1<<40), true)
	unbounded.leave()
}

// A client that stops reading a body is disconnected after partTime, or by the
// WriteTimeout of the server if that is earlier. A client that reads slowly receives the
// whole body, and can send another request.
func TestSend(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("a"), 10*partBytes)
	for name, tt := range map[string]struct {
		timeout, pause time.Duration // of the server, of the client between two parts
		end            time.Duration // of the connection; 0: all is read
		size           int           // of the first body
	}{
		"does not read":               {0, time.Hour, partTime, len(body)},
		"does not read a small body":  {0, time.Hour, partTime, 2 * tinyBody},
		"reads slowly":                {0, partTime / 3, 0, len(body)},
		"does not read, with timeout": {time.Second, time.Hour, time.Second, len(body)},
		"reads, with timeout":         {time.Minute, time.Second, 0, len(body)},
		"too slow for the timeout":    {time.Minute, 7 * time.Second, time.Minute, len(body)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan time.Duration, 2)
				client, conn := net.Pipe()
				responses := bufio.NewReader(client)
				server := &http.Server{WriteTimeout: tt.timeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					x := &exchange{ResponseWriter: w, started: time.Now()}
					size, err := strconv.Atoi(r.URL.Path[1:])
					if err != nil {
						t.Error(err)
					}
					send(x, r, http.StatusOK, body[:size])
					if r.Context().Err() != nil {
						ended <- time.Since(x.started)
					} else {
						ended <- 0
					}
				})}
				served := make(chan error, 1)
				go func() { served <- server.Serve(&oneConn{conn: conn}) }()
				for _, size := range []int{tt.size, 1} { // a deadline of the first response must not end the second
					if _, err := fmt.Fprintf(client, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", size); err != nil {
						t.Fatal(err)
					}
					time.Sleep(tt.pause)
					resp, err := http.ReadResponse(responses, nil) //nolint:bodyclose // the connection is closed
					for err == nil {
						time.Sleep(tt.pause)
						_, err = io.CopyN(io.Discard, resp.Body, partBytes)
					}
					if got := <-ended; got != tt.end {
						t.Errorf("got the end of the response after %s, want %s", got, tt.end)
					}
					if tt.end > 0 {
						break
					}
					if !errors.Is(err, io.EOF) {
						t.Errorf("%d bytes: got %v, want the end of the body", size, err)
					}
					time.Sleep(2 * partTime)
				}
				_ = client.Close()
				_ = server.Close()
				if err := <-served; !errors.Is(err, io.EOF) && !errors.Is(err, http.ErrServerClosed) {
					t.Errorf("Serve: got %v, want the end of the listener", err)
				}
			})
		})
	}
}

// oneConn is a listener with one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
