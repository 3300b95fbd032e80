package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Writers are served in the order of their arrival.
func TestQueueIsFair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		if err := q.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var served []int
		var waiting sync.WaitGroup
		for i := range 100 {
			waiting.Go(func() {
				if err := q.enter(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				served = append(served, i)
				mu.Unlock()
				q.leave()
			})
			synctest.Wait() // it waits now
		}
		q.leave()
		waiting.Wait()
		if !slices.IsSorted(served) || len(served) != 100 {
			t.Errorf("served %v, want the order of arrival", served)
		}
	})
}

// Nobody waits for longer than the bound, nor more than a set number.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		if err := q.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		var waiting sync.WaitGroup
		for range maxWriters {
			waiting.Go(func() {
				if err := q.enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(started) != maxWriteWait {
					t.Errorf("got %v after %s, want ErrBusy after %s", err, time.Since(started), maxWriteWait)
				}
			})
		}
		synctest.Wait()
		if err := q.enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(started) != 0 {
			t.Errorf("one too many: got %v after %s, want ErrBusy at once", err, time.Since(started))
		}
		waiting.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.enter(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context: got %v", err)
		}
		q.leave()
		if err := q.enter(t.Context()); err != nil {
			t.Errorf("once it is free: %v", err)
		}
	})
}

// A database that is found locked fails all that waited for it, and not each of
// them after a lock's timeout of its own.
func TestLockedDatabaseFailsTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		if err := q.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		var waiting sync.WaitGroup
		for range 50 {
			waiting.Go(func() {
				if err := q.enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(started) != 5*time.Second {
					t.Errorf("got %v after %s, want ErrBusy after 5s", err, time.Since(started))
				}
			})
		}
		time.Sleep(5 * time.Second) // as the first one waits for the lock
		q.foundLocked()
		q.leave()
		waiting.Wait()
		if err := q.enter(t.Context()); err != nil {
			t.Errorf("who comes later tries again: got %v", err)
		}
	})
}
