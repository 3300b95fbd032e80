package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

// SIGTERM and SIGINT stop the gateway with the exit code 0.
func TestProcess(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "-addr", "PROMPTRAILS_API_URL", "PROMPTRAILS_API_KEY")
	for _, env := range [][]string{nil, {"PROMPTRAILS_API_URL=https://127.0.0.1:1", "PROMPTRAILS_API_KEY=pr_live_" + strings.Repeat("a", 43)}} {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			p := processtest.Start(t, t.TempDir(), env, "-addr", "127.0.0.1:0")
			p.Until(t, "listening on http://127.0.0.1:")
			p.Signal(t, signal)
			p.End(t, 0)
		}
	}
	for _, c := range []struct{ url, key, want string }{
		{"https://127.0.0.1:1", "", "PROMPTRAILS_API_KEY is not set"},
		{"https://127.0.0.1:1", "pat_x", "API key (PROMPTRAILS_API_KEY) must"},
		{"http://192.0.2.1", "pr_x", "base URL (PROMPTRAILS_API_URL) must begin with https://"},
	} {
		got := processtest.Run(t, t.TempDir(), []string{"PROMPTRAILS_API_URL=" + c.url, "PROMPTRAILS_API_KEY=" + c.key}, "-addr", "127.0.0.1:0")
		got.Fails(t, 1, c.want)
		if strings.Contains(got.Stderr, "With") {
			t.Errorf("stderr: got %q, want no names of Go options", got.Stderr)
		}
	}
}

// TestGateway runs the curl commands that the gateway prints.
func TestGateway(t *testing.T) {
	t.Setenv("PROMPTRAILS_API_URL", "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	greeting, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", out) }()
	curl := regexp.MustCompile(`^curl -i (?:-H '([^:]+): ([^']+)' )?(?:-X (POST) )?(http://\S+)$`)
	want := []struct {
		status          int
		body, challenge string
	}{
		{200, "for Reader\n", ""},
		{403, `"required":"agents:execute","granted":["traces:read"]`, `error="insufficient_scope", scope="traces:read agents:execute"`},
		{201, "Writer made a report\n", ""},
		{401, `"code":"unauthorized"`, `Bearer realm="promptrails"`},
	}
	lines := bufio.NewScanner(greeting)
	for i := 0; i < len(want) && lines.Scan(); {
		call := curl.FindStringSubmatch(lines.Text())
		if call == nil {
			continue
		}
		method := "GET"
		if call[3] != "" {
			method = call[3]
		}
		r, err := http.NewRequestWithContext(ctx, method, call[4], nil)
		if err != nil {
			t.Fatal(err)
		}
		if call[1] != "" {
			r.Header.Set(call[1], call[2])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != want[i].status || !strings.Contains(string(body), want[i].body) || !strings.Contains(resp.Header.Get("WWW-Authenticate"), want[i].challenge) {
			t.Errorf("call %d: got status %d, header %v, body %s, error %v; want status %d, body with %q, WWW-Authenticate with %q", i+1, resp.StatusCode, resp.Header, body, err, want[i].status, want[i].body, want[i].challenge)
		}
		i++
		if i == len(want) {
			stop()
			if err := <-done; err != nil {
				t.Errorf("run: got error %v, want nil", err)
			}
			return
		}
	}
	t.Errorf("greeting: got fewer than %d curl commands", len(want))
}
