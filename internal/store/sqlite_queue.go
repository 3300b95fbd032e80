package store

import (
	"context"
	"slices"
	"sync"
	"time"
)

// The limits of the queue.
const (
	maxWriteWait = 10 * time.Second
	maxWriters   = 4096 // waiting at the same time, unless LimitWriters sets another number
)

// queue hands the writer to its users in the order of their arrival, which
// database/sql does not guarantee.
type queue struct {
	turn chan struct{} // holds one value while the writer is free; receivers are served in order

	mu      sync.Mutex
	max     int // waiting at the same time
	waiting int
	writes  []*write // waiting, in the order of their arrival
}

func newQueue() *queue {
	q := &queue{turn: make(chan struct{}, 1), max: maxWriters}
	q.turn <- struct{}{}
	return q
}

// enter waits for the writer. The caller must call leave after it. enter returns
// ErrBusy if the wait is too long, or if too many wait.
func (q *queue) enter(ctx context.Context) error {
	if !q.arrive(nil) {
		return errWaiting
	}
	defer q.depart()
	_, err := q.wait(ctx, nil)
	return err
}

// add adds a write and waits until it is done, or until the caller leads: then the
// caller has the writer, and must run the waiting writes and call leave. If add
// returns an error, the write does not run.
func (q *queue) add(w *write) (leads bool, err error) {
	if !q.arrive(w) {
		return false, errWaiting
	}
	defer q.depart()
	leads, err = q.wait(w.ctx, w.done)
	if err != nil && !q.withdraw(w) { // it is running
		return false, nil
	}
	return leads, err
}

// wait waits for the writer or for done.
func (q *queue) wait(ctx context.Context, done <-chan struct{}) (entered bool, err error) {
	if err := ctx.Err(); err != nil { // even if the writer is free
		return false, err
	}
	timeout := time.NewTimer(maxWriteWait)
	defer timeout.Stop()
	select {
	case <-q.turn:
		return true, nil
	case <-done:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-timeout.C:
		return false, errWaiting
	}
}

func (q *queue) arrive(w *write) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting >= q.max {
		return false
	}
	q.waiting++
	if w != nil {
		q.writes = append(q.writes, w)
	}
	return true
}

// limit sets the maximum number of waiting users.
func (q *queue) limit(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.max = n
}

func (q *queue) depart() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting--
}

func (q *queue) leave() { q.turn <- struct{}{} }

// take removes and returns the first n waiting writes.
func (q *queue) take(n int) []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, len(q.writes))
	taken := slices.Clone(q.writes[:n])
	q.writes = slices.Delete(q.writes, 0, n)
	return taken
}

// withdraw removes a write, unless it was taken.
func (q *queue) withdraw(w *write) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.writes, w)
	if i < 0 {
		return false
	}
	q.writes = slices.Delete(q.writes, i, i+1)
	return true
}
