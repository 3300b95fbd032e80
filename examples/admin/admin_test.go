package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"admin": main}) }

// admin runs the program in this process, with a server and its owner.
type admin struct {
	t           testing.TB
	s           *promptrailstest.Server
	credentials []string // the flags of the server and the token
	pause       func(context.Context, time.Duration) error
}

func newAdmin(t testing.TB) *admin {
	t.Helper()
	s := promptrailstest.New(t, promptrailstest.WithPlan(promptrails.PlanEnterprise), promptrailstest.WithConfig(func(cfg *embedded.Config) { cfg.AllowLoopbackWebhooks = true }))
	return &admin{t: t, s: s, credentials: []string{"--url", s.URL, "--token-file", tokenFile(t, s)}, pause: pause}
}

// tokenFile returns a file with an access token of the owner.
func tokenFile(t testing.TB, s *promptrailstest.Server) string {
	t.Helper()
	me, err := s.Owner.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Service.IssueAccessToken(t.Context(), me.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(token.Token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// outcome is what a run of the program has printed and returned.
type outcome struct {
	stdout, stderr string
	err            error
}

func (x *admin) run(ctx context.Context, stdin string, args ...string) outcome {
	x.t.Helper()
	return x.runTo(ctx, nil, stdin, args...)
}

// runTo is like run, with a stdout that is not recorded, unless it is nil.
func (x *admin) runTo(ctx context.Context, stdout *os.File, stdin string, args ...string) outcome {
	x.t.Helper()
	file := func(name string) *os.File {
		f, err := os.Create(filepath.Join(x.t.TempDir(), name))
		if err != nil {
			x.t.Fatal(err)
		}
		x.t.Cleanup(func() { _ = f.Close() })
		return f
	}
	a := &app{stdin: strings.NewReader(stdin), stdout: stdout, stderr: file("stderr"), pause: x.pause}
	if stdout == nil {
		a.stdout = file("stdout")
	}
	root := a.root()
	root.SetArgs(append(slices.Clone(x.credentials), args...))
	root.SetOut(a.stdout)
	err := root.ExecuteContext(ctx)
	got := outcome{stderr: content(x.t, a.stderr), err: err}
	if stdout == nil {
		got.stdout = content(x.t, a.stdout)
	}
	return got
}

func content(t testing.TB, f *os.File) string {
	t.Helper()
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// succeeds runs the program and returns its stdout.
func (x *admin) succeeds(stdin string, args ...string) string {
	x.t.Helper()
	got := x.run(x.t.Context(), stdin, args...)
	if got.err != nil {
		x.t.Fatalf("admin %s: got error %v, stderr %q; want error nil", strings.Join(args, " "), got.err, got.stderr)
	}
	return got.stdout
}

// item runs the program with --json and decodes its only line.
func item[T any](x *admin, stdin string, args ...string) T {
	x.t.Helper()
	var v T
	text := x.succeeds(stdin, append(args, "--json")...)
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&v); err != nil || decoder.More() {
		x.t.Fatalf("admin %s --json: got %q, error %v; want one object", strings.Join(args, " "), text, err)
	}
	return v
}

// mintedItem is an item with its secret, as --json prints them.
type mintedItem[T any] struct {
	Secret string
	Item   T
}
