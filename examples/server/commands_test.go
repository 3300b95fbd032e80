package main

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

// Users and tokens are administered while the server runs. Stdout has only the token.
func TestUsersAndTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	s.logs(t, "there are no users; to create one")
	admin := func(args ...string) string { t.Helper(); return processtest.Run(t, dir, nil, args...).Succeeds(t) }

	token := admin("user", "add", "ada@example.com", "Ada Lovelace")
	me, err := s.client(t, token).Me(t.Context())
	if err != nil || me.Email != "ada@example.com" {
		t.Fatalf("Me with the printed token: got %+v, %v, want ada@example.com", me, err)
	}
	if got, want := admin("user", "list"), me.ID+"\tada@example.com\tAda Lovelace"; got != want {
		t.Errorf("user list: got %q, want %q", got, want)
	}
	processtest.Run(t, dir, nil, "user", "add", "ADA@example.com").Fails(t, exitFailed, "run: server token issue ADA@example.com")

	second := admin("token", "issue", "ada@example.com", "-ttl", "1h")
	if _, err := s.client(t, second).Me(t.Context()); err != nil {
		t.Errorf("Me with the second token: got %v, want no error", err)
	}
	rows := strings.Split(admin("token", "list", "ada@example.com"), "\n")
	if len(rows) != 2 || strings.HasSuffix(rows[0], "\tnever") || !strings.HasSuffix(rows[1], "\tnever") || strings.Contains(rows[0], "pat_") {
		t.Fatalf("token list: got %q, want the token that expires, and the other, without the tokens themselves", rows)
	}
	id, _, _ := strings.Cut(rows[1], "\t")
	if got := admin("token", "revoke", id); got != "" {
		t.Errorf("token revoke: got output %q, want none", got)
	}
	if _, err := s.client(t, token).Me(t.Context()); !errors.Is(err, promptrails.ErrUnauthorized) {
		t.Errorf("Me with the revoked token: got %v, want ErrUnauthorized", err)
	}
	processtest.Run(t, dir, nil, "token", "revoke", id).Fails(t, exitFailed, "there is no token with the id")
	processtest.Run(t, dir, nil, "token", "issue", "grace@example.com").Fails(t, exitFailed, `there is no user "grace@example.com"`)
	s.stop(t)
}

// A backup has the mode 0600, opens with the same key, and overwrites no file. A check
// reports problems on stdout.
func TestBackupAndCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	token := processtest.Run(t, dir, nil, "user", "add", "ada@example.com").Succeeds(t)
	if _, err := s.client(t, token).Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"}); err != nil {
		t.Fatal(err)
	}
	if got := processtest.Run(t, dir, nil, "-backup", "backup.db"); got.Code != 0 || got.Stdout != "" {
		t.Fatalf("-backup: got %+v, want exit code 0", got)
	}
	s.stop(t)
	file := filepath.Join(dir, "backup.db")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("backup: got %v, %v, want a file with mode 0600", info, err)
	}
	before := read(t, file)
	processtest.Run(t, dir, nil, "-backup", "backup.db").Fails(t, exitFailed, "backup.db exists")
	if !bytes.Equal(read(t, file), before) {
		t.Error("backup after another backup to its file: got other content, want it unchanged")
	}
	processtest.Run(t, dir, nil, "-backup", filepath.Join("none", "backup.db")).Fails(t, exitFailed, "no such file")
	if drafts, err := filepath.Glob(filepath.Join(dir, "*backup*")); err != nil || len(drafts) != 1 {
		t.Errorf("files of backups: got %v, %v, want only the backup", drafts, err)
	}

	processtest.Run(t, dir, nil, "-check", "-dsn", "backup.db").Fails(t, exitFailed, "no key file: restore backup.db.key, or set -master-key-file (PROMPTRAILS_MASTER_KEY_FILE)")
	check := []string{"-check", "-dsn", "backup.db", "-master-key-file", "workspaces.db.key"}
	if got := processtest.Run(t, dir, nil, check...); got.Code != 0 || got.Stdout != "" || !strings.Contains(got.Stderr, `"msg":"checked","workspaces":1`) || strings.ContainsAny(got.Stderr, "\r\x1b") {
		t.Errorf("-check: got %+v, want exit code 0, no problem, the number of workspaces, and no progress in a pipe", got)
	}
	processtest.Run(t, dir, nil, append(check, "-log-level", "warn")...).Succeeds(t) // for cron
	db, err := sql.Open("sqlite", file)
	if err == nil {
		_, err = db.ExecContext(t.Context(), "DELETE FROM user_emails")
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if got := processtest.Run(t, dir, nil, check...); got.Code != exitFailed || !strings.HasPrefix(got.Stdout, "lookup\t") || !strings.Contains(got.Stderr, "problems") {
		t.Errorf("-check of a damaged database: got %+v, want exit code %d, and the problem on stdout", got, exitFailed)
	}
}

// publish does not replace a file that appears during a backup.
func TestPublish(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	draft, name := filepath.Join(dir, "draft"), filepath.Join(dir, "backup")
	for _, file := range []string{draft, name} {
		if err := os.WriteFile(file, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(draft, name); err == nil || string(read(t, name)) != name {
		t.Errorf("publish to an existing file: got %v, content %q, want an error, and it unchanged", err, read(t, name))
	}
}

// The error says if the database is a folder, or if it cannot be created in its own.
func TestUnusableFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	processtest.Run(t, dir, nil, "-addr", "127.0.0.1:0", "-dsn", dir).Fails(t, exitFailed, "is a folder, and must be a file")
	if _, err := os.Stat(dir + ".lock"); err == nil {
		t.Errorf("%s.lock: got a file, want none", dir)
	}
	got := processtest.Run(t, dir, nil, "user", "add", "ada@example.com", "-dsn", filepath.Join("none", "workspaces.db"))
	got.Fails(t, exitFailed, "the folder of the database must exist, and be writable")
	if strings.Contains(got.Stderr, "another process") {
		t.Errorf("stderr: got %q, want it without another process", got.Stderr)
	}
}

// A file that is not a database is reported as such, and a database without its key file
// by the name of that file. No file is changed.
func TestUnusableFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	processtest.Run(t, dir, nil, "user", "add", "ada@example.com")
	for _, c := range []struct {
		name, want string
		prepare    func(file string) error
	}{
		{"text", "not a database", func(file string) error { return os.WriteFile(file, bytes.Repeat([]byte("hello "), 1000), 0o600) }},
		{"database", "no key file: restore database.key, or set -master-key-file", func(file string) error {
			return os.WriteFile(file, read(t, filepath.Join(dir, "workspaces.db")), 0o600)
		}},
	} {
		file := filepath.Join(dir, c.name)
		if err := c.prepare(file); err != nil {
			t.Fatal(err)
		}
		before := read(t, file)
		for _, args := range [][]string{{}, {"-check"}, {"-backup", "b.db"}, {"user", "list"}, {"user", "add", "b@example.com"}} {
			got := processtest.Run(t, dir, nil, append([]string{"-addr", "127.0.0.1:0", "-dsn", c.name}, args...)...)
			got.Fails(t, exitFailed, c.want)
			if !strings.Contains(got.Stderr, `"`+c.name+`" of -dsn (PROMPTRAILS_DSN)`) {
				t.Errorf("stderr: got %q, want the name of the file and the flag", got.Stderr)
			}
		}
		if files, err := filepath.Glob(file + "*"); err != nil || len(files) != 1 || !bytes.Equal(read(t, file), before) {
			t.Errorf("%s: got the files %v, %v, want only it, unchanged", c.name, files, err)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
