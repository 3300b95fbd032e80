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

// Of several that open one new file at once, one creates it and all open it.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	for _, key := range [][]byte{nil, bytes.Repeat([]byte("k"), 32)} {
		for range 3 {
			file := filepath.Join(t.TempDir(), "workspaces.db")
			var openers sync.WaitGroup
			for range 6 {
				openers.Go(func() {
					s, err := embedded.Open(t.Context(), embedded.Config{DSN: file, MasterKey: key})
					if err != nil {
						t.Errorf("got %v, want that each opens it", err)
						return
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			openers.Wait()
		}
	}
}

// What holds secrets is the owner's only, and a key that others can read is no
// secret.
func TestModesOfFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes of files")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "workspaces.db")
	s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
	must[*embedded.User](t)(s.CreateUser(t.Context(), "ada@example.com", ""))
	entries := must[[]os.DirEntry](t)(os.ReadDir(dir))
	for _, e := range entries {
		if info := must[fs.FileInfo](t)(e.Info()); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %o, want 600", e.Name(), info.Mode().Perm())
		}
	}
	if err := s.Close(); err != nil || len(entries) < 4 {
		t.Fatal(err, entries)
	}
	if err := os.Chmod(file+".key", 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), embedded.Config{DSN: file}); err == nil || !strings.Contains(err.Error(), "chmod 600 "+file+".key") {
		t.Errorf("a key that others can read: got %v, want the command that mends it", err)
	}
}

// A database that is gone is not replaced by an empty one.
func TestLostDatabase(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(file string) error{
		"missing": os.Remove,
		"empty":   func(file string) error { return os.Truncate(file, 0) },
	} {
		file := filepath.Join(t.TempDir(), "workspaces.db")
		s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := lose(file); err != nil {
			t.Fatal(err)
		}
		if _, err := embedded.Open(t.Context(), embedded.Config{DSN: file}); err == nil || !strings.Contains(err.Error(), "remove the key file") {
			t.Errorf("%s: got %v, want an error that says what to do", name, err)
		}
		if err := os.Remove(file + ".key"); err != nil {
			t.Fatalf("%s: the key file: %v", name, err)
		}
		s = must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A copy of the file alone, made while the service ran, lacks what is in its
// write-ahead log, and is refused.
func TestCopyWithoutTheLog(t *testing.T) {
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
		t.Errorf("without -wal: got %v, want an error that names it", err)
	}
	copied := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: whole}))
	defer func() { _ = copied.Close() }()
	if _, err := copied.UserByEmail(t.Context(), "ADA@example.com"); err != nil {
		t.Errorf("all of its files: %v", err)
	}
}

// An open that fails leaves nothing behind.
func TestFailedOpenLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]embedded.Config{
		"a bad previous key": {PreviousMasterKeys: [][]byte{{1}}},
		"no such plan":       {DefaultPlan: "gold"},
	} {
		dir := t.TempDir()
		cfg.DSN = filepath.Join(dir, "workspaces.db")
		if _, err := embedded.Open(t.Context(), cfg); err == nil {
			t.Fatalf("%s: it was opened", name)
		}
		for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
			if !strings.HasSuffix(e.Name(), ".lock") {
				t.Errorf("%s: %s is left behind", name, e.Name())
			}
		}
	}
	if _, err := embedded.Open(t.Context(), embedded.Config{DSN: filepath.Join(t.TempDir(), "no", "such", "folder.db")}); err == nil {
		t.Error("in a folder that does not exist: it was opened")
	}
	two := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: "/" + filepath.Join(t.TempDir(), "workspaces.db")}))
	if err := two.Close(); err != nil {
		t.Error(err)
	}
}

// ready returns what /readyz says.
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

// A file that is deleted or replaced under the service is noticed: nothing is
// acknowledged that is not kept.
func TestFileIsReplaced(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(file string) error{
		"deleted":  os.Remove,
		"replaced": func(file string) error { return copyOver(file) },
	} {
		file := filepath.Join(t.TempDir(), "workspaces.db")
		s := newServer(t, embedded.Config{DSN: file})
		ada := s.owner("ada@example.com", "research")
		if code, body := s.ready(); code != 200 {
			t.Fatal(code, body)
		}
		if err := replace(file); err != nil {
			t.Fatal(err)
		}
		r := ada.do("PATCH", "/workspaces/research", `{"name":"New"}`)
		r.fails(503, "unavailable")
		if code, body := s.ready(); code != 503 || !strings.Contains(body, "deleted or replaced") || strings.Contains(body, file) {
			t.Errorf("%s: /readyz says %d %s, want 503 with the reason and no path", name, code, body)
		}
	}
}

// copyOver puts a copy of a file in its place.
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

// disk is a file system of its own, of so many bytes. A test without the right
// to mount one is skipped.
func disk(t *testing.T, bytes int) (dir string, remount func(options string)) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("a disk of the test's own needs Linux and the right to mount")
	}
	dir = t.TempDir()
	mount := func(args ...string) error {
		return exec.CommandContext(context.WithoutCancel(t.Context()), "mount", args...).Run()
	}
	if err := mount("-t", "tmpfs", "-o", fmt.Sprintf("size=%d", bytes), "tmpfs", dir); err != nil {
		t.Skip("a disk of the test's own cannot be mounted here: ", err)
	}
	t.Cleanup(func() {
		if err := exec.CommandContext(context.WithoutCancel(t.Context()), "umount", "-l", dir).Run(); err != nil {
			t.Error(err)
		}
	})
	return dir, func(options string) {
		t.Helper()
		if err := mount("-o", "remount,"+options, dir); err != nil {
			t.Fatal(err)
		}
	}
}

// While the disk is full writes fail, /readyz says why, and all of it recovers.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir, remount := disk(t, 2<<20)
	s := newServer(t, embedded.Config{DSN: filepath.Join(dir, "workspaces.db")})
	ada := s.owner("ada@example.com", "research")
	kept := 0
	for _, size := range []int{100 << 10, 1000, 1} { // until not even a small one is written
		for range 10_000 {
			r := ada.do("POST", "/prompts", `{"name":"p","content":"`+strings.Repeat("a", size)+`"}`)
			if r.status == 503 {
				break
			}
			r.expect(201)
			kept++
		}
	}
	if code, body := s.ready(); code != 503 || !strings.Contains(body, "the disk is full") {
		t.Errorf("after %d writes /readyz says %d %s, want that the disk is full", kept, code, body)
	}
	remount(fmt.Sprintf("size=%d", 64<<20))
	if code, body := s.ready(); code != 200 {
		t.Errorf("with room again /readyz says %d %s", code, body)
	}
	if r := ada.do("GET", "/prompts?limit=1", "").expect(200); !strings.Contains(r.body, fmt.Sprintf(`"total":%d`, kept)) {
		t.Errorf("%s, want the %d prompts that were acknowledged", r.body, kept)
	}
	ada.do("POST", "/prompts", `{"name":"p"}`).expect(201)
}

// A disk that cannot be written opens nothing, and says so while it lasts.
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
		t.Error("a read-only file was opened")
	}
	remount("rw")
	s = must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A service that is closed is unavailable, and waits for what runs.
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
		if _, err := c.Me(t.Context()); err != nil { // once it is being closed
			if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Status != 503 {
				t.Errorf("while it is closed: got %v, want 503", err)
			}
			break
		}
		runtime.Gosched()
	}
	close(leave)
	if err := <-checked; err != nil {
		t.Errorf("the request that ran: got %v, want that it is finished", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := c.Me(t.Context()); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("after it was closed: got %v, want 503", err)
	}
}
