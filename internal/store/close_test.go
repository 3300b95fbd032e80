package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// A transaction with a canceled context returns its connection before Read returns. Otherwise Close would not wait for it.
func TestCanceledTransactionReturnsItsConnection(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "workspaces.db"), func([]byte) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	}()
	failed := errors.New("failed")
	for range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		err = s.Read(ctx, func(g *Global) error {
			cancel()
			for range 100 { // until a rollback in another goroutine begins
				if _, err := g.tx.(sqliteTx).Exec("SELECT 1"); err != nil {
					break
				}
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatalf("Read: got %v, want %v", err, failed)
		}
		if got := s.sqlite().reader.Stats().InUse; got != 0 {
			t.Fatalf("got %d connections in use after Read, want 0", got)
		}
	}
}
