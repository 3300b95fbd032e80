package store

import (
	"context"
	"sync/atomic"
	"time"
)

// The limits of the queue.
const (
	maxWriteWait = 10 * time.Second
	maxWriters   = 4096 // waiting at the same time
)

// queue serves writers in the order of their arrival, which database/sql does
// not guarantee.
type queue struct {
	turn    chan struct{} // holds one value while the writer is free; receivers are served in order
	waiting atomic.Int64
	locked  atomic.Pointer[time.Time] // when the database was last found locked by another process
}

func newQueue() *queue {
	q := &queue{turn: make(chan struct{}, 1)}
	q.turn <- struct{}{}
	return q
}

// enter waits for a turn. The caller must call leave after it. enter returns
// ErrBusy if too many writers wait, if the wait is too long, or if the database
// was found locked during the wait. In the last case all the waiting writers fail
// at once, instead of one after another with a lock timeout each.
func (q *queue) enter(ctx context.Context) error {
	arrived := time.Now()
	if q.waiting.Add(1) > maxWriters {
		q.waiting.Add(-1)
		return errWaiting
	}
	defer q.waiting.Add(-1)
	timeout := time.NewTimer(maxWriteWait)
	defer timeout.Stop()
	select {
	case <-q.turn:
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return errWaiting
	}
	if at := q.locked.Load(); at != nil && at.After(arrived) {
		q.leave()
		return errLocked
	}
	return nil
}

func (q *queue) leave() { q.turn <- struct{}{} }

// foundLocked records that another process has locked the database.
func (q *queue) foundLocked() { q.locked.Store(new(time.Now())) }
