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

// The gateway is called as its own greeting says, over its port.
func TestGateway(t *testing.T) {
	t.Setenv("PROMPTRAILS_API_URL", "")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	greeting, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", out) }()
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
			t.Errorf("call %d: %v %d %s %v", i+1, err, resp.StatusCode, body, resp.Header)
		}
		i++
		if i == len(want) {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the greeting is too short")
}
