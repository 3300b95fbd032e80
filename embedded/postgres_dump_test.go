package embedded_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// program runs a program of PostgreSQL and returns its output.
func program(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), pgtest.Program(t, name), args...).CombinedOutput()
	return string(output), err
}

// A dump that is made while callers write has each write that was confirmed before. The
// owner of the tables makes it with --enable-row-security and without it a superuser. The
// restored database opens with the same master key and no other one, and has row-level
// security.
func TestDumpAndRestore(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]struct {
		user  func(testing.TB) string
		flags []string
	}{
		"owner":     {pgtest.DSN, []string{"--enable-row-security"}},
		"superuser": {pgtest.AdminDSN, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fenced := name == "owner" && os.Getenv(pgtest.Variable) == "" // the user of the variable may be a superuser
			user, _, _ := strings.Cut(as.user(t), "?")
			dsn := pgtest.DSN(t)
			owner, _, _ := strings.Cut(dsn, "?")
			schema := must[*url.URL](t)(url.Parse(dsn)).Query().Get("search_path")
			dumped := filepath.Join(t.TempDir(), "dump")
			cfg := embedded.Config{DSN: dsn, DefaultPlan: promptrails.PlanEnterprise, MasterKey: bytes.Repeat([]byte{7}, 32)}
			var ada *person
			var confirmed []string
			t.Run("dump", func(t *testing.T) {
				s := newServer(t, cfg)
				ada = inhabit(t, s, "ada@example.com", "research")
				confirmed = append(confirmed, ada.credential("sk-value-0123456789"))
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for ctx.Err() == nil {
						ada.credential("sk-value-0123456789")
					}
				}()
				output, err := program(t, "pg_dump", append([]string{"--no-owner", "--format=custom", "--schema=" + schema, "--file=" + dumped, user}, as.flags...)...)
				cancel()
				<-ended
				if err != nil {
					t.Fatalf("pg_dump: got %v %s, want no error", err, output)
				}
				if fenced {
					output, err := program(t, "pg_dump", "--schema="+schema, "--file="+dumped+"2", user)
					if err == nil || !strings.Contains(output, "row-level security") {
						t.Errorf("pg_dump without --enable-row-security: got %v %s, want an error about row-level security", err, output)
					}
				}
			})
			run := func(statement string) {
				t.Helper()
				conn := must[*pgx.Conn](t)(pgx.Connect(context.WithoutCancel(t.Context()), owner))
				defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
				if _, err := conn.Exec(context.WithoutCancel(t.Context()), statement); err != nil {
					t.Fatal(err)
				}
			}
			run("ALTER SCHEMA " + schema + " RENAME TO " + schema + "_old")
			t.Cleanup(func() { run("DROP SCHEMA " + schema + "_old CASCADE") })
			if output, err := program(t, "pg_restore", "--no-owner", "--exit-on-error", "--dbname="+owner, dumped); err != nil {
				t.Fatalf("pg_restore: got %v %s, want no error", err, output)
			}
			wrong := cfg
			wrong.MasterKey = bytes.Repeat([]byte{8}, 32)
			if err := open(t, wrong); err == nil || !strings.Contains(err.Error(), "master key") {
				t.Errorf("Open with another master key: got %v, want an error about the master key", err)
			}
			var log bytes.Buffer
			cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			s := must[*embedded.Service](t)(embedded.Open(t.Context(), cfg))
			t.Cleanup(func() { _ = s.Close() })
			if !strings.Contains(log.String(), "with row-level security") && fenced {
				t.Errorf("log: got %s, want row-level security", log.String())
			}
			if found := checked(t, s); len(found) > 0 {
				t.Errorf("Check of the restored database: got %q, want no problems", found)
			}
			client := must[*promptrails.Client](t)(s.Client(promptrails.WithAccessToken(ada.user.AccessToken.Reveal()), promptrails.WithWorkspace(ada.workspace)))
			for _, id := range confirmed {
				must[*promptrails.Credential](t)(client.Credentials.Get(t.Context(), id))
			}
		})
	}
}
