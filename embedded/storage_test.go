package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// open opens a service and closes it. It returns the error of either.
func open(t *testing.T, cfg embedded.Config) error {
	t.Helper()
	s, err := embedded.Open(t.Context(), cfg)
	if err != nil {
		return err
	}
	return s.Close()
}

func TestReopen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "works paces%?#.db")
	var ada *person
	t.Run("first", func(t *testing.T) {
		ada = newServer(t, embedded.Config{DSN: file}).owner("ada@example.com", "research")
	})
	t.Run("second", func(t *testing.T) {
		p := *ada
		p.s = newServer(t, embedded.Config{DSN: file})
		if got := p.do("GET", "/workspaces/research", "").expect(200).text("id"); got != ada.workspace {
			t.Errorf("workspace ID after reopening: got %s, want %s", got, ada.workspace)
		}
	})
	info, err := os.Stat(file + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: got %v, %v, want mode 0600", info, err)
	}
	leftovers, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.key.*"))
	if err != nil || len(leftovers) > 0 {
		t.Errorf("temporary key files: got %v, %v, want none", leftovers, err)
	}
}

// If a database cannot be opened, the error names the reason and the file is not
// changed.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	key, other := make([]byte, 32), bytes.Repeat([]byte{1}, 32)
	for name, c := range map[string]struct {
		damage func(t *testing.T, file string)
		cfg    embedded.Config
		want   string // in the error
	}{
		"no key file":         {func(t *testing.T, file string) { t.Helper(); remove(t, file+".key") }, embedded.Config{}, "restore"},
		"another key":         {func(*testing.T, string) {}, embedded.Config{MasterKey: other}, "master key"},
		"a short key":         {func(*testing.T, string) {}, embedded.Config{MasterKey: key[:31]}, "32 bytes"},
		"an invalid key file": {func(t *testing.T, file string) { t.Helper(); write(t, file+".key", "zz") }, embedded.Config{}, "must contain 32 bytes"},
		"a file of text":      {func(t *testing.T, file string) { t.Helper(); write(t, file, strings.Repeat("hello ", 1000)) }, embedded.Config{}, "not a database"},
		"a file of text without a key file": {func(t *testing.T, file string) {
			t.Helper()
			remove(t, file+".key")
			write(t, file, strings.Repeat("hello ", 1000))
		}, embedded.Config{}, "not a database"},
		"a truncated file":          {func(t *testing.T, file string) { t.Helper(); truncate(t, file) }, embedded.Config{}, ""},
		"a file of another program": {func(t *testing.T, file string) { t.Helper(); remove(t, file); execute(t, file, "CREATE TABLE a (b)") }, embedded.Config{}, "another program"},
		"a newer schema": {func(t *testing.T, file string) {
			t.Helper()
			execute(t, file, "INSERT INTO schema_versions (version_id, is_applied) VALUES (99999, 1)")
		}, embedded.Config{}, "newer program"},
		"an unknown plan": {func(*testing.T, string) {}, embedded.Config{DefaultPlan: "gold"}, "no plan"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "workspaces.db")
			if err := open(t, embedded.Config{DSN: file}); err != nil {
				t.Fatal(err)
			}
			c.damage(t, file)
			before := read(t, file)
			c.cfg.DSN = file
			err := open(t, c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open: got %v, want an error that contains %q", err, c.want)
			}
			if !bytes.Equal(before, read(t, file)) {
				t.Error("file after Open: got other content, want it unchanged")
			}
		})
	}
	for _, dsn := range []string{":memory:", "file:x", "postgres://localhost/x", "mysql://localhost/x", "postgres:/u:pw@h/x", "host=h user=u password=pw dbname=x"} {
		t.Run("DSN "+dsn, func(t *testing.T) {
			t.Parallel()
			if err := open(t, embedded.Config{DSN: dsn}); err == nil || strings.Contains(err.Error(), "pw") {
				t.Errorf("Open of %s: got %v, want an error without the password", dsn, err)
			}
		})
	}
}

// If another process holds a lock on the database, writes return 503 with a
// Retry-After header, and reads succeed.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	ada := newServer(t, embedded.Config{DSN: file}).owner("ada@example.com", "research")
	release := lock(t, file)
	r := ada.do("PATCH", "/workspaces/research", `{"name":"New"}`)
	r.fails(503, "unavailable")
	if r.header.Get("Retry-After") == "" {
		t.Error("Retry-After: got none, want one")
	}
	ada.do("GET", "/workspaces/research", "").expect(200) // reads do not wait
	release()
	ada.do("PATCH", "/workspaces/research", `{"name":"New"}`).expect(200)
}

// lock acquires the write lock of a database as another process would, and holds
// it until release is called.
func lock(t *testing.T, file string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		_, err := conn.ExecContext(t.Context(), "ROLLBACK")
		if err := errors.Join(err, conn.Close(), db.Close()); err != nil {
			t.Errorf("release of the lock: got %v, want no error", err)
		}
	}
}

// A call with a canceled context returns an error, and later calls succeed.
func TestCanceledCalls(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		s := newServer(t, cfg)
		user, err := s.CreateUser(t.Context(), "ada@example.com", "Ada")
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 {
			if _, err := c.Me(ctx); err == nil {
				t.Fatal("Me with a canceled context: got no error, want one")
			}
		}
		if _, err := c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "W", Slug: "w"}); err != nil {
			t.Errorf("Workspaces.Create: got %v, want no error", err)
		}
	})
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, file string) {
	t.Helper()
	if err := os.Truncate(file, 5000); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
