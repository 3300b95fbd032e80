package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// A long read transaction, such as a backup, does not let writers wait for a checkpoint
// that waits for it: eight checkpoints in a row end long before the limit of a lock.
func TestCheckpointDoesNotWaitForReaders(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "workspaces.db"))
	change := func(g *Global) error { return g.CreateSetting("s", []byte("v")) }
	reading, release := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- s.Read(context.WithoutCancel(t.Context()), func(g *Global) error {
			var n int
			err := g.row("SELECT count(*) FROM settings", nil, &n)
			close(reading)
			<-release
			return err
		})
	}()
	<-reading
	if err := s.Write(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*busyTimeout/2*time.Millisecond)
	defer cancel()
	for range 8 {
		if err := s.Checkpoint(ctx); err != nil {
			t.Fatalf("Checkpoint: got %v, want no error", err)
		}
	}
	if err := s.Write(ctx, change); err != nil {
		t.Errorf("Write after checkpoints: got %v, want no error", err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var wait int
	if err := s.sqlite().writer.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&wait); err != nil || wait != busyTimeout {
		t.Errorf("wait for locks after a checkpoint: got %d ms, %v, want %d ms", wait, err, busyTimeout)
	}
}
