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

// Writers enter in the order of their arrival.
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
					t.Errorf("enter: got %v, want no error", err)
				}
				mu.Lock()
				served = append(served, i)
				mu.Unlock()
				q.leave()
			})
			synctest.Wait() // until it is in the queue
		}
		q.leave()
		waiting.Wait()
		if !slices.IsSorted(served) || len(served) != 100 {
			t.Errorf("order: got %v, want all 100 in the order of arrival", served)
		}
	})
}

// At most maxWriters wait, each for at most maxWriteWait.
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
					t.Errorf("enter: got %v after %s, want ErrBusy after %s", err, time.Since(started), maxWriteWait)
				}
			})
		}
		synctest.Wait()
		if err := q.enter(t.Context()); !errors.Is(err, ErrBusy) || time.Since(started) != 0 {
			t.Errorf("enter with a full queue: got %v after %s, want ErrBusy immediately", err, time.Since(started))
		}
		waiting.Wait()
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.enter(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("enter with a canceled context: got %v, want context.Canceled", err)
		}
		q.leave()
		if err := q.enter(t.Context()); err != nil {
			t.Errorf("enter after leave: got %v, want no error", err)
		}
	})
}
