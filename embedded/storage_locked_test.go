package embedded_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// While another program holds a write lock on the database, writes fail with
// 503 and Retry-After.
func TestWritesToLockedDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	ada := newServer(t, embedded.Config{DSN: file}).owner("ada@example.com", "research")
	release := lock(t, file)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			r := ada.do("PATCH", "/workspaces/research", `{"name":"n"}`)
			if r.status != 503 || r.header.Get("Retry-After") == "" {
				t.Errorf("write to a locked database: got %d %s, Retry-After %q, want 503 with Retry-After", r.status, r.body, r.header.Get("Retry-After"))
			}
		})
	}
	callers.Wait()
	release()
	ada.do("PATCH", "/workspaces/research", `{"name":"n"}`).expect(200)
}
