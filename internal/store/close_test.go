package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

// A caller that goes away in the middle of a transaction leaves no connection in
// use, which Close would not wait for.
func TestCanceledTransactionReturnsItsConnection(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "workspaces.db"), func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	gone := errors.New("the caller is gone")
	for range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		err = s.Read(ctx, func(g *Global) error {
			cancel()
			for range 100 { // long enough for a rollback in another goroutine to begin
				if _, err := g.tx.Exec("SELECT 1"); err != nil {
					break
				}
			}
			return gone
		})
		if !errors.Is(err, gone) {
			t.Fatalf("got %v, want %v", err, gone)
		}
		if got := s.reader.Stats().InUse; got != 0 {
			t.Fatalf("got %d connections in use after Read, want 0", got)
		}
	}
}
