package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The end of a request stops a read between two statements, and within one that is
// interruptible. The database can be used after it.
func TestReadsEndWithTheirRequest(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := open(t)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := s.Read(ctx, func(g *Global) error {
			for {
				if _, err := g.Setting(MasterKeyProof); err != nil && !errors.Is(err, ErrNotFound) {
					return err
				}
			}
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("many statements: got %v, want context.DeadlineExceeded", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err = s.Read(ctx, func(g *Global) error {
			var n int64
			return g.Workspace("w").interruptible().row("WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT count(*) FROM c WHERE $1 <> ''", nil, &n)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("endless statement: got %v, want context.DeadlineExceeded", err)
		}
		if err := s.Read(t.Context(), func(g *Global) error { _, err := g.Setting("s"); return err }); !errors.Is(err, ErrNotFound) {
			t.Errorf("read after it: got %v, want ErrNotFound", err)
		}
	})
}

// A write beyond the limit of waiting writers returns ErrBusy, and the others are done.
func TestLimitWriters(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := open(t)
		s.LimitWriters(1)
		running, leave := make(chan struct{}), make(chan struct{})
		write := func(fn func(*Global) error) <-chan error {
			done := make(chan error, 1)
			go func() { done <- s.Write(t.Context(), fn) }()
			return done
		}
		first := write(func(*Global) error { close(running); <-leave; return nil })
		<-running
		refused := 0
		results := make(chan error, 2)
		ctx, cancel := context.WithTimeout(t.Context(), maxWriteWait/2) // later, any write that waits returns ErrBusy
		defer cancel()
		for range cap(results) {
			go func() { results <- s.Write(ctx, func(*Global) error { return nil }) }()
		}
		count := func(err error) {
			if errors.Is(err, ErrBusy) {
				refused++
			} else if err != nil {
				t.Errorf("write: got %v, want ErrBusy or no error", err)
			}
		}
		count(<-results) // one is refused while the first runs
		close(leave)
		count(<-results)
		if err := <-first; err != nil || refused == 0 {
			t.Errorf("got %v, and %d of 2 writes refused, want no error and at least 1", err, refused)
		}
	})
}
