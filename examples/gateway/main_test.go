package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

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
