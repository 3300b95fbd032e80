package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// sqliteDatabases is databases for those that Backup copies. Both have a master key.
func sqliteDatabases(t *testing.T, test func(t *testing.T, cfg embedded.Config)) {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		if os.Getenv(databaseVariable) != "" {
			t.Skip("the tests run with another database than that in memory")
		}
		test(t, embedded.Config{MasterKey: key})
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		test(t, embedded.Config{MasterKey: key, DSN: filepath.Join(t.TempDir(), "workspaces.db")})
	})
}

// A backup that is made while callers write has each write that was confirmed before.
// It opens with the same master key and no other one, and a check finds no problem.
func TestBackupWhileWriting(t *testing.T) {
	t.Parallel()
	sqliteDatabases(t, func(t *testing.T, cfg embedded.Config) {
		cfg.DefaultPlan = promptrails.PlanEnterprise
		s := newServer(t, cfg)
		ada := s.owner("ada@example.com", "research")
		ctx, cancel := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		var mu sync.Mutex
		var confirmed []string
		start := make(chan struct{})
		for range 4 {
			writers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					id := ada.credential("sk-value-0123456789")
					mu.Lock()
					confirmed = append(confirmed, id)
					if len(confirmed) == 50 {
						close(start)
					}
					mu.Unlock()
				}
			})
		}
		<-start
		for range 3 {
			mu.Lock()
			before := len(confirmed)
			mu.Unlock()
			var copied bytes.Buffer
			backup, err := s.Backup(t.Context(), &copied)
			if err != nil {
				t.Fatalf("Backup: got %v, want no error", err)
			}
			if backup.Bytes != int64(copied.Len()) || backup.At.IsZero() {
				t.Errorf("Backup: got %+v, want a time and %d bytes", backup, copied.Len())
			}
			restored := filepath.Join(t.TempDir(), "restored.db")
			write(t, restored, copied.String())
			if err := open(t, embedded.Config{DSN: restored, MasterKey: bytes.Repeat([]byte{8}, 32)}); err == nil || !strings.Contains(err.Error(), "master key") {
				t.Errorf("Open with another master key: got %v, want an error about the master key", err)
			}
			service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: restored, MasterKey: cfg.MasterKey}))
			if found := checked(t, service); len(found) > 0 {
				t.Errorf("Check of the restored database: got %q, want no problems", found)
			}
			client := must[*promptrails.Client](t)(service.Client(promptrails.WithAccessToken(ada.user.AccessToken.Reveal()), promptrails.WithWorkspace(ada.workspace)))
			have := map[string]bool{}
			for c, err := range client.Credentials.All(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				have[c.ID] = true
			}
			mu.Lock()
			for _, id := range confirmed[:before] {
				if !have[id] {
					t.Errorf("credential %s: got none in the backup, want it because it was confirmed before", id)
				}
			}
			mu.Unlock()
			if err := service.Close(); err != nil {
				t.Error(err)
			}
		}
		cancel()
		writers.Wait()
		noneLeft(t, cfg.DSN)
	})
}

// noneLeft checks that there is no temporary file next to a database.
func noneLeft(t *testing.T, file string) {
	t.Helper()
	if left := must[[]string](t)(filepath.Glob(file + ".backup-*")); file != "" && len(left) > 0 {
		t.Errorf("temporary files: got %q, want none", left)
	}
}

// A database with a key file is restored with a copy of the key file.
func TestBackupWithAKeyFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	s := newServer(t, embedded.Config{DSN: file})
	s.owner("ada@example.com", "research")
	var copied bytes.Buffer
	if _, err := s.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored.db")
	write(t, restored, copied.String())
	if err := open(t, embedded.Config{DSN: restored}); err == nil || !strings.Contains(err.Error(), "key file") {
		t.Errorf("Open without the key file: got %v, want an error about it", err)
	}
	write(t, restored+".key", string(read(t, file+".key")))
	if err := open(t, embedded.Config{DSN: restored}); err != nil {
		t.Errorf("Open with the key file: got %v, want no error", err)
	}
}

// writer is an io.Writer.
type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// Backup returns the error of its writer and of its context, and leaves no file.
func TestBackupErrors(t *testing.T) {
	t.Parallel()
	sqliteDatabases(t, func(t *testing.T, cfg embedded.Config) {
		s := newServer(t, cfg)
		ada := s.owner("ada@example.com", "research")
		failed := errors.New("failed")
		if _, err := s.Backup(t.Context(), writer(func([]byte) (int, error) { return 0, failed })); !errors.Is(err, failed) {
			t.Errorf("Backup to a writer that fails: got %v, want %v", err, failed)
		}
		noneLeft(t, cfg.DSN)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Backup(ctx, writer(func(p []byte) (int, error) { cancel(); return len(p), nil }))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Backup that is canceled while it writes: got %v, want %v", err, context.Canceled)
		}
		noneLeft(t, cfg.DSN)
		if _, err := s.Backup(ctx, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("Backup with a canceled context: got %v, want %v", err, context.Canceled)
		}
		noneLeft(t, cfg.DSN)
		if cfg.DSN != "" && runtime.GOOS != "windows" {
			_, err := s.Backup(t.Context(), writer(func(p []byte) (int, error) {
				left := must[[]string](t)(filepath.Glob(cfg.DSN + ".backup-*"))
				if len(left) != 1 {
					t.Errorf("temporary files: got %q, want 1", left)
				}
				for _, name := range left {
					if info := must[os.FileInfo](t)(os.Stat(name)); info.Mode().Perm() != 0o600 {
						t.Errorf("temporary file: got mode %v, want 0600", info.Mode())
					}
				}
				return len(p), nil
			}))
			if err != nil {
				t.Errorf("Backup: got %v, want no error", err)
			}
		}
		// A writer that waits holds no lock.
		_, err = s.Backup(t.Context(), writer(func(p []byte) (int, error) {
			ada.do("PATCH", "/workspaces/research", `{"name":"New"}`).expect(200)
			return len(p), nil
		}))
		if err != nil {
			t.Errorf("Backup to a writer that writes to the service: got %v, want no error", err)
		}
	})
}

// On a disk without space for the copy, Backup says so, and leaves no file.
func TestBackupOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir, remount := disk(t, 8<<20)
	file := filepath.Join(dir, "workspaces.db")
	s := newServer(t, embedded.Config{DSN: file, DefaultPlan: promptrails.PlanEnterprise})
	ada := s.owner("ada@example.com", "research")
	for range 20 {
		ada.do("POST", "/prompts", `{"name":"p","content":"`+strings.Repeat("a", 100<<10)+`"}`).expect(201)
	}
	remount(fmt.Sprintf("size=%d", used(t, dir)+1<<20))
	_, err := s.Backup(t.Context(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "temporary file in "+dir) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("Backup: got %v, want an error that the disk is full", err)
	}
	noneLeft(t, file)
	ada.do("PATCH", "/workspaces/research", `{"name":"New"}`).expect(200)
	remount("size=32m")
	if _, err := s.Backup(t.Context(), io.Discard); err != nil {
		t.Errorf("Backup with space: got %v, want no error", err)
	}
}

// used returns the size of the files in a folder.
func used(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		bytes += must[os.FileInfo](t)(e.Info()).Size()
	}
	return bytes
}

// A database in memory with a random key cannot be backed up, because no one has the key.
func TestBackupWithoutAKey(t *testing.T) {
	t.Parallel()
	s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{}))
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Backup(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "Config.MasterKey") {
		t.Errorf("Backup: got %v, want an error about Config.MasterKey", err)
	}
}

// The file of another database is not backed up as that of the service.
func TestBackupOfAReplacedFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	s := newServer(t, embedded.Config{DSN: file})
	if err := copyOver(file); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "deleted or replaced") {
		t.Errorf("Backup: got %v, want an error that the file was replaced", err)
	}
}

// For PostgreSQL, Backup refers to pg_dump.
func TestBackupOfPostgreSQL(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DSN: pgtest.DSN(t)})
	_, err := s.Backup(t.Context(), io.Discard)
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "pg_dump --enable-row-security") {
		t.Errorf("Backup: got %v, want an error that names pg_dump", err)
	}
}
