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

// What one run of the server keeps, the next one has; tokens are shown once.
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
		said := make(chan string, 1)
		done := make(chan error, 1)
		go func() {
			done <- serve(ctx, listener, embedded.Config{DSN: dsn}, writerFunc(func(p []byte) { said <- string(p) }))
		}()
		text := <-said
		found := regexp.MustCompile(`PROMPTRAILS_ACCESS_TOKEN=(pat_\w+)`).FindStringSubmatch(text)
		if run == 0 {
			token = found[1]
		} else if found != nil || !strings.Contains(text, "first start") {
			t.Errorf("the second start says %q", text)
		}
		c, err := promptrails.NewClient(promptrails.WithBaseURL("http://"+listener.Addr().String()), promptrails.WithAccessToken(token))
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			_, err = c.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Kept", Slug: "kept"})
		} else {
			_, err = c.Workspaces.Get(ctx, "kept")
		}
		if err != nil {
			t.Error(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(bytes.Clone(p))
	return len(p), nil
}
