package store

import (
	"context"
	"sync/atomic"
	"time"
)

// Bounds of the wait for the writer.
const (
	maxWriteWait = 10 * time.Second
	maxWriters   = 4096 // that wait at once
)

// queue hands the writer to those that wait for it in the order of their
// arrival: database/sql hands a connection to any of them.
type queue struct {
	turn    chan struct{} // holds one value while the writer is free; receivers are served in order
	waiting atomic.Int64
	locked  atomic.Pointer[time.Time] // when another process was last seen to hold the database
}

func newQueue() *queue {
	q := &queue{turn: make(chan struct{}, 1)}
	q.turn <- struct{}{}
	return q
}

// enter waits for a turn, which leave ends. It fails with ErrBusy if the wait
// would be too long, or if the database was found locked meanwhile: what waits
// together fails together, and not each of them a lock's timeout after the last.
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

// foundLocked notes that another process holds the database.
func (q *queue) foundLocked() { q.locked.Store(new(time.Now())) }
