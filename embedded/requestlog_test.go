package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// lines are the lines of requests in a log.
type lines struct {
	mu    sync.Mutex
	all   []map[string]any
	added chan struct{} // holds a value after a line was added
}

// newLines returns a logger at level debug, and its lines of requests.
func newLines() (*slog.Logger, *lines) {
	l := &lines{added: make(chan struct{}, 1)}
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})), l
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	var line map[string]any
	if err := json.Unmarshal(p, &line); err != nil {
		return 0, err
	}
	if line["msg"] == "promptrails: request" {
		l.mu.Lock()
		l.all = append(l.all, line)
		l.mu.Unlock()
		select {
		case l.added <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// seen returns the lines.
func (l *lines) seen() []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// take returns the lines and removes them.
func (l *lines) take() []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// wait waits for another line.
func (l *lines) wait(t *testing.T) {
	t.Helper()
	select {
	case <-l.added:
	case <-t.Context().Done():
		t.Fatal("got no further line in the log")
	}
}

// Each request has one line in the log, without the parts of its URL and its secrets.
func TestRequestLog(t *testing.T) {
	t.Parallel()
	oneProcess(t, "the test reads the lines in order")
	logger, lines := newLines()
	s := serve(t, embedded.Config{Logger: logger}, func(h http.Handler) http.Handler { return h })
	ada := s.owner("ada@example.com", "research")
	key := ada.key(`{"name":"k","scopes":["agents:read"]}`)
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	for _, tt := range []struct {
		name, route, principal string
		status                 float64
		request                func() *reply
	}{
		{"user", "/api/v1/agents/{id}", "user:" + ada.user.ID, 200, func() *reply { return ada.do("GET", "/agents/"+agent, "") }},
		{"key", "/api/v1/agents", "api_key:" + key.id, 200, func() *reply { return key.do("GET", "/agents?q=canary-q", "") }},
		{"refused", "/api/v1/agents", "user:" + ada.user.ID, 400, func() *reply { return ada.do("POST", "/agents", `{"canary-b":1}`) }},
		{"unknown caller", "/api/v1/me", "", 401, func() *reply { return ada.do("GET", "/me", "", "Authorization", "Bearer pat_canary-t") }},
		{"no route", "", "", 404, func() *reply { return ada.do("GET", "/canary-p", "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines.take()
			r := tt.request()
			for len(lines.seen()) == 0 { // the line is written after the response
				lines.wait(t)
			}
			got := lines.take()
			text := must[[]byte](t)(json.Marshal(got))
			if len(got) != 1 {
				t.Fatalf("got lines %s, want one", text)
			}
			line := got[0]
			if line["level"] != "INFO" || line["route"] != tt.route || line["principal"] != tt.principal || line["status"] != tt.status ||
				line["bytes"] != float64(len(r.body)) || line["request_id"] != r.header.Get("X-Request-ID") || line["duration"].(float64) <= 0 || line["method"] == "" || line["disconnected"] != nil {
				t.Errorf("got line %s, want level INFO, status %v, route %q, principal %q, %d bytes and the request id", text, tt.status, tt.route, tt.principal, len(r.body))
			}
			for _, secret := range []string{"canary", ada.user.AccessToken.Reveal(), key.secret, agent} {
				if bytes.Contains(text, []byte(secret)) {
					t.Errorf("got line %s, want it without %q", text, secret)
				}
			}
		})
	}
}

// The line of a request whose client has disconnected reports that.
func TestLogOfDisconnectedClients(t *testing.T) {
	t.Parallel()
	logger, lines := newLines()
	entered := make(chan struct{})
	s := serve(t, embedded.Config{Logger: logger, AuthenticateUser: func(ctx context.Context, _ string) (email, name string, err error) {
		close(entered)
		<-ctx.Done()
		return "", "", ctx.Err()
	}}, func(h http.Handler) http.Handler { return h })
	ctx, cancel := context.WithCancel(t.Context())
	req := must[*http.Request](t)(http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/me", nil))
	req.Header.Set("Authorization", "Bearer t")
	go func() {
		<-entered
		cancel()
	}()
	if resp, err := s.http.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("canceled request: got %d, want an error", resp.StatusCode)
	}
	for len(lines.seen()) == 0 {
		lines.wait(t)
	}
	if line := lines.take()[0]; line["disconnected"] != true {
		t.Errorf("got line %v, want disconnected", line)
	}
}

// A logger at level warn has no lines of requests.
func TestNoRequestLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(t, embedded.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	s.person("ada@example.com").do("GET", "/me", "").expect(200)
	if log.Len() > 0 {
		t.Errorf("got log %q, want none", strings.TrimSpace(log.String()))
	}
}
