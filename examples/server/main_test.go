package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

// running is a server that is running.
type running struct {
	*processtest.Process

	url, metrics string
}

// start starts a server on a free port. Its log is JSON, because it is in a pipe.
func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	s := &running{Process: processtest.Start(t, dir, nil, append([]string{"-addr", "127.0.0.1:0"}, args...)...)}
	record := s.logs(t, "listening")
	s.url, _ = record["url"].(string)
	s.metrics, _ = record["metrics"].(string)
	return s
}

// logs reads the log until a record has a message that begins with text.
func (s *running) logs(t *testing.T, text string) (record map[string]any) {
	t.Helper()
	line := s.Until(t, `"msg":"`+text)
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		t.Fatalf("log: got %q, want JSON", line)
	}
	return record
}

// stop stops the server.
func (s *running) stop(t *testing.T) {
	t.Helper()
	s.Signal(t, syscall.SIGTERM)
	s.end(t)
}

// end expects the exit code 0 after a signal.
func (s *running) end(t *testing.T) {
	t.Helper()
	if rest := s.End(t, 0); !strings.Contains(rest, `"msg":"stopped"`) {
		t.Errorf("log: got %q, want that the server has stopped", rest)
	}
}

// client returns a client of the server for a token.
func (s *running) client(t *testing.T, token string) *promptrails.Client {
	t.Helper()
	c, err := promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithBaseURL(s.url), promptrails.WithAccessToken(token))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
