package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Concurrent calls of Open for a new file all succeed.
func TestConcurrentOpen(t *testing.T) {
	t.Parallel()
	for _, key := range [][]byte{nil, bytes.Repeat([]byte("k"), 32)} {
		for range 3 {
			file := filepath.Join(t.TempDir(), "workspaces.db")
			var openers sync.WaitGroup
			for range 6 {
				openers.Go(func() {
					s, err := embedded.Open(t.Context(), embedded.Config{DSN: file, MasterKey: key})
					if err != nil {
						t.Errorf("Open: got %v, want no error", err)
						return
					}
					if err := s.Close(); err != nil {
						t.Errorf("Close: got %v, want no error", err)
					}
				})
			}
			openers.Wait()
		}
	}
}

// Files with secrets have the mode 0600. A key file that others can read is
// rejected.
func TestFileModes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "workspaces.db")
	s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
	must[*embedded.User](t)(s.CreateUser(t.Context(), "ada@example.com", ""))
	entries := must[[]os.DirEntry](t)(os.ReadDir(dir))
	for _, e := range entries {
		if info := must[fs.FileInfo](t)(e.Info()); info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: got %o, want 600", e.Name(), info.Mode().Perm())
		}
	}
	if err := s.Close(); err != nil || len(entries) < 4 {
		t.Fatalf("Close: got %v and the files %v, want no error and at least 4 files", err, entries)
	}
	if err := os.Chmod(file+".key", 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), embedded.Config{DSN: file}); err == nil || !strings.Contains(err.Error(), "chmod 600 "+file+".key") {
		t.Errorf("Open with a key file that others can read: got %v, want the command that fixes it", err)
	}
}

// Open fails if a key file exists and its database is missing or empty.
func TestLostDatabase(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(file string) error{
		"missing": os.Remove,
		"empty":   func(file string) error { return os.Truncate(file, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "workspaces.db")
			s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := lose(file); err != nil {
				t.Fatal(err)
			}
			if _, err := embedded.Open(t.Context(), embedded.Config{DSN: file}); err == nil || !strings.Contains(err.Error(), "remove the key file") {
				t.Errorf("Open: got %v, want an error that says how to start with an empty database", err)
			}
			if err := os.Remove(file + ".key"); err != nil {
				t.Fatal(err)
			}
			s = must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
			if err := s.Close(); err != nil {
				t.Errorf("Close: got %v, want no error", err)
			}
		})
	}
}

// A copy of a running service's database without its write-ahead log is
// incomplete, and is rejected.
func TestCopyWithoutLog(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
	defer func() { _ = s.Close() }()
	must[*embedded.User](t)(s.CreateUser(t.Context(), "ada@example.com", ""))
	whole, part := filepath.Join(t.TempDir(), "workspaces.db"), filepath.Join(t.TempDir(), "workspaces.db")
	for _, suffix := range []string{"", "-wal", "-shm", ".key"} {
		text := must[[]byte](t)(os.ReadFile(file + suffix))
		if err := os.WriteFile(whole+suffix, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if suffix == "" || suffix == ".key" {
			if err := os.WriteFile(part+suffix, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := embedded.Open(t.Context(), embedded.Config{DSN: part}); err == nil || !strings.Contains(err.Error(), "-wal") {
		t.Errorf("Open of a copy without -wal: got %v, want an error that names it", err)
	}
	copied := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: whole}))
	defer func() { _ = copied.Close() }()
	if _, err := copied.UserByEmail(t.Context(), "ADA@example.com"); err != nil {
		t.Errorf("user in a copy of all files: got %v, want no error", err)
	}
}

// A failed Open leaves no files, except for the lock file.
func TestFailedOpenLeavesNoFiles(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]embedded.Config{
		"invalid previous key": {PreviousMasterKeys: [][]byte{{1}}},
		"unknown plan":         {DefaultPlan: "gold"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg.DSN = filepath.Join(dir, "workspaces.db")
			if _, err := embedded.Open(t.Context(), cfg); err == nil {
				t.Fatal("Open: got no error, want one")
			}
			for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
				if !strings.HasSuffix(e.Name(), ".lock") {
					t.Errorf("files after a failed Open: got %s, want only the lock file", e.Name())
				}
			}
		})
	}
	if _, err := embedded.Open(t.Context(), embedded.Config{DSN: filepath.Join(t.TempDir(), "no", "such", "folder.db")}); err == nil {
		t.Error("Open in a folder that does not exist: got no error, want one")
	}
	slashes := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: "/" + filepath.Join(t.TempDir(), "workspaces.db")})) // a path that begins with //
	if err := slashes.Close(); err != nil {
		t.Errorf("Close: got %v, want no error", err)
	}
}

// ready returns the status and body of /readyz.
func (s *server) ready() (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/readyz", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body := must[[]byte](s.t)(io.ReadAll(resp.Body))
	return resp.StatusCode, string(body)
}

// If the database file is deleted or replaced, writes fail with 503, and /readyz
// reports the reason.
func TestReplacedFile(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(file string) error{
		"deleted":  os.Remove,
		"replaced": func(file string) error { return copyOver(file) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "workspaces.db")
			s := newServer(t, embedded.Config{DSN: file})
			ada := s.owner("ada@example.com", "research")
			if code, body := s.ready(); code != 200 {
				t.Fatalf("/readyz: got %d %s, want 200", code, body)
			}
			if err := replace(file); err != nil {
				t.Fatal(err)
			}
			ada.do("PATCH", "/workspaces/research", `{"name":"New"}`).fails(503, "unavailable")
			if code, body := s.ready(); code != 503 || !strings.Contains(body, "deleted or replaced") || strings.Contains(body, file) {
				t.Errorf("/readyz: got %d %s, want 503 with the reason and without the path", code, body)
			}
		})
	}
}

// copyOver replaces a file with a copy of itself.
func copyOver(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// disk mounts a file system of the given size in bytes. It skips the test if it
// cannot mount one.
func disk(t *testing.T, bytes int) (dir string, remount func(options string)) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("mounting a file system requires Linux and root")
	}
	dir = t.TempDir()
	mount := func(args ...string) error {
		return exec.CommandContext(context.WithoutCancel(t.Context()), "mount", args...).Run()
	}
	if err := mount("-t", "tmpfs", "-o", fmt.Sprintf("size=%d", bytes), "tmpfs", dir); err != nil {
		t.Skip("cannot mount a file system: ", err)
	}
	t.Cleanup(func() {
		if err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", "-l", dir).Run(); err != nil {
			t.Errorf("umount: got %v, want no error", err)
		}
	})
	return dir, func(options string) {
		t.Helper()
		if err := mount("-o", "remount,"+options, dir); err != nil {
			t.Fatal(err)
		}
	}
}

// While the disk is full, writes fail with 503, and /readyz reports the reason.
// Both recover when there is space again.
func TestFullDisk(t *testing.T) {
	oneProcess(t, "a process is ready until one of its own writes fails")
	t.Parallel()
	dir, remount := disk(t, 2<<20)
	s := newServer(t, embedded.Config{DSN: filepath.Join(dir, "workspaces.db")})
	ada := s.owner("ada@example.com", "research")
	written := 0
	for _, size := range []int{100 << 10, 1000, 1} { // until not even a small prompt can be written
		for range 10_000 {
			r := ada.do("POST", "/prompts", `{"name":"p","content":"`+strings.Repeat("a", size)+`"}`)
			if r.status == 503 {
				break
			}
			r.expect(201)
			written++
		}
	}
	if code, body := s.ready(); code != 503 || !strings.Contains(body, "the disk is full") {
		t.Errorf("/readyz after %d writes: got %d %s, want 503: the disk is full", written, code, body)
	}
	remount(fmt.Sprintf("size=%d", 64<<20))
	if code, body := s.ready(); code != 200 {
		t.Errorf("/readyz with space again: got %d %s, want 200", code, body)
	}
	if r := ada.do("GET", "/prompts?limit=1", "").expect(200); !strings.Contains(r.body, fmt.Sprintf(`"total":%d`, written)) {
		t.Errorf("prompts: got %s, want a total of %d, the acknowledged ones", r.body, written)
	}
	ada.do("POST", "/prompts", `{"name":"p"}`).expect(201)
}

// Open fails while the disk is read-only.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir, remount := disk(t, 16<<20)
	file := filepath.Join(dir, "workspaces.db")
	s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	remount("ro")
	if opened, err := embedded.Open(t.Context(), embedded.Config{DSN: file}); err == nil {
		_ = opened.Close()
		t.Error("Open on a read-only disk: got no error, want one")
	}
	remount("rw")
	s = must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
	if err := s.Close(); err != nil {
		t.Errorf("Close: got %v, want no error", err)
	}
}

// Close waits for running requests. New requests fail with 503 as soon as it is
// called.
func TestClosedService(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{
		CheckCredential: func(context.Context, *promptrails.Credential, promptrails.Secret) (*promptrails.CredentialCheck, error) {
			close(entered)
			<-leave
			return &promptrails.CredentialCheck{}, nil
		},
	}))
	c := ownerClient(t, service, promptrails.WithMaxRetries(0))
	credential := must[*promptrails.Credential](t)(c.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-value")}))
	checked := make(chan error, 1)
	go func() {
		_, err := c.Credentials.CheckConnection(t.Context(), credential.ID)
		checked <- err
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- service.Close() }()
	for {
		if _, err := c.Me(t.Context()); err != nil { // Close has begun
			if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Status != 503 {
				t.Errorf("Me during Close: got %v, want 503", err)
			}
			break
		}
		runtime.Gosched()
	}
	close(leave)
	if err := <-checked; err != nil {
		t.Errorf("request that was running: got %v, want no error", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: got %v, want no error", err)
	}
	if _, err := c.Me(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("Me after Close: got %v, want 503", err)
	}
}
