package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func TestUsage(t *testing.T) {
	t.Setenv("PROMPTRAILS_API_URL", "")
	var out bytes.Buffer
	full, err := run(t.Context(), &out, true)
	if want := []string{"team_members of Support", "active_agents of Support"}; err != nil || !slices.Equal(full, want) {
		t.Errorf("run: got %q, error %v; want %q, error nil", full, err, want)
	}
	for _, part := range []string{"Support, plan free", "Research, plan starter", "  active_agents          ████████████████████  3 of 3    100 %\n", "monthly_executions     ░░░░░░░░░░░░░░░░░░░░  0 of 500  0 %"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("output: got\n%s\nwant it to contain %q", &out, part)
		}
	}
}

// In a pipe there are no bars, and stderr has the reason for the exit status.
func TestProcess(t *testing.T) {
	t.Parallel()
	got := processtest.Run(t, t.TempDir(), nil)
	if got.Code != 1 || !strings.Contains(got.Stderr, "more than 90 % used: team_members of Support, active_agents of Support\n") || strings.ContainsAny(got.Stdout, "█░") || !strings.Contains(got.Stdout, "  active_agents          3 of 3    100 %\n") {
		t.Errorf("got %+v, want exit code 1 with its reason, and a table without bars", got)
	}
	processtest.CheckUsage(t, "PROMPTRAILS_API_URL", "PROMPTRAILS_ACCESS_TOKEN")
}

// Errors in the environment are reported by the names of the variables.
func TestEnvironmentErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, token, want string }{
		{"https://127.0.0.1:1", "", "PROMPTRAILS_ACCESS_TOKEN is not set"},
		{"https://127.0.0.1:1", "pr_live_x", "access token (PROMPTRAILS_ACCESS_TOKEN) must"},
		{"127.0.0.1", "pat_x", "base URL (PROMPTRAILS_API_URL) must be an absolute URL"},
		{"http://192.0.2.1", "pat_x", "base URL (PROMPTRAILS_API_URL) must begin with https://"},
	} {
		got := processtest.Run(t, t.TempDir(), []string{"PROMPTRAILS_API_URL=" + c.url, "PROMPTRAILS_ACCESS_TOKEN=" + c.token})
		got.Fails(t, 1, c.want)
		if strings.Contains(got.Stderr, "With") {
			t.Errorf("stderr: got %q, want no names of Go options", got.Stderr)
		}
	}
}

// SIGTERM stops the program during a request.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	requests := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- struct{}{}
		<-r.Context().Done()
	}))
	defer api.Close()
	p := processtest.Start(t, t.TempDir(), []string{"PROMPTRAILS_API_URL=" + api.URL, "PROMPTRAILS_ACCESS_TOKEN=pat_x"})
	<-requests
	p.Signal(t, syscall.SIGTERM)
	p.End(t, 1)
}
