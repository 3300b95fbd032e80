package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// TestServer starts the server twice on the same database. Workspaces survive
// the restart, and tokens are printed only on the first start.
func TestServer(t *testing.T) {
	t.Setenv("PROMPTRAILS_WORKSPACE_ID", "")
	dsn := filepath.Join(t.TempDir(), "workspaces.db")
	var token string
	for run := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		output := make(chan string, 1)
		done := make(chan error, 1)
		go func() {
			done <- serve(ctx, listener, embedded.Config{DSN: dsn}, writerFunc(func(p []byte) { output <- string(p) }))
		}()
		text := <-output
		found := regexp.MustCompile(`PROMPTRAILS_ACCESS_TOKEN=(pat_\w+)`).FindStringSubmatch(text)
		if run == 0 {
			if found == nil {
				t.Fatalf("first start: got output %q, want an access token", text)
			}
			token = found[1]
		} else if found != nil || !strings.Contains(text, "first start") {
			t.Errorf("second start: got output %q, want no token and the words %q", text, "first start")
		}
		c, err := promptrails.NewClient(promptrails.WithBaseURL("http://"+listener.Addr().String()), promptrails.WithAccessToken(token))
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			_, err = c.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Stored", Slug: "stored"})
		} else {
			_, err = c.Workspaces.Get(ctx, "stored")
		}
		if err != nil {
			t.Errorf("start %d: workspace: got error %v, want nil", run+1, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("start %d: serve: got error %v, want nil", run+1, err)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(bytes.Clone(p))
	return len(p), nil
}
