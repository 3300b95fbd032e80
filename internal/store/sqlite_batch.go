package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
)

// maxBatch is the maximum number of writes in one transaction.
const maxBatch = 64

// write is a call of Write.
type write struct {
	ctx    context.Context //nolint:containedctx // of the caller
	fn     func(*Global) error
	result error         // of fn, before the transaction is committed
	err    error         // of Write
	panics any           // the value of a panic of fn, with its stack
	done   chan struct{} // closed after the transaction is committed or rolled back
}

// Write implements [engine]. Writes run in the order of their arrival and wait for at
// most 10 s. If the wait is longer, or if too many writes wait, Write returns ErrBusy.
//
// Waiting writes share a transaction, each in a savepoint, because one sync of the
// disk commits all of them. No write returns before the commit. This includes failed
// writes, which may have read uncommitted data of the others.
func (s *sqliteDB) Write(ctx context.Context, fn func(*Global) error) error {
	w := &write{ctx: ctx, fn: fn, done: make(chan struct{})}
	leads, err := s.queue.add(w)
	if err != nil {
		return err
	}
	if leads {
		s.lead(w) //nolint:contextcheck // the context of one caller does not end the writes of the others
	}
	<-w.done
	if w.panics != nil {
		panic(w.panics)
	}
	return w.err
}

// lead runs waiting writes until own is done. The caller has the writer. Each batch
// has a goroutine, so that a function that calls runtime.Goexit does not end the
// goroutine of another caller.
func (s *sqliteDB) lead(own *write) {
	defer s.queue.leave()
	for {
		select {
		case <-own.done:
			return
		default:
		}
		var batch sync.WaitGroup
		batch.Go(func() { s.commit(s.queue.take(maxBatch)) })
		batch.Wait()
	}
}

// commit runs writes in one transaction, or in one each if that fails. Their errors
// are errUnfinished until the outcome is known.
func (s *sqliteDB) commit(batch []*write) {
	for _, w := range batch {
		w.err = errUnfinished
	}
	defer func() {
		for _, w := range batch {
			s.fault.note(w.err)
			close(w.done)
		}
	}()
	err := s.runAll(batch)
	if err == nil {
		return
	}
	if begin, ok := errors.AsType[*beginError](err); ok {
		if errors.Is(err, ErrBusy) { // the waiting writes need the same lock
			batch = append(batch, s.queue.take(math.MaxInt)...)
		}
		fail(batch, begin.error)
		return
	}
	if len(batch) == 1 {
		batch[0].err = err
		return
	}
	for i, w := range batch {
		err := s.runAll([]*write{w})
		if begin, ok := errors.AsType[*beginError](err); ok {
			fail(batch[i:], begin.error)
			return
		}
		if err != nil {
			w.err = err
		}
	}
}

func fail(batch []*write, err error) {
	for _, w := range batch {
		w.err = err
	}
}

// beginError is an error before any write has run.
type beginError struct{ error }

func (e *beginError) Unwrap() error { return e.error }

// runAll runs writes in one transaction. It returns an error if the transaction is not
// committed.
func (s *sqliteDB) runAll(batch []*write) error {
	if err := s.file.check(); err != nil {
		return &beginError{err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	tx, end, err := begin(ctx, s.writer, nil)
	if err != nil {
		return &beginError{translate(err)}
	}
	defer end()
	g := newGlobal(ctx, ctx, sqliteTx{tx})
	for _, w := range batch {
		if len(batch) > 1 {
			err = w.runInSavepoint(g)
		} else if w.run(g); w.panics != nil {
			return nil // end rolls back
		} else {
			err = w.result
		}
		if err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return translate(err)
	}
	s.telemetry.Committed(ctx, len(batch))
	for _, w := range batch {
		w.err = w.result
	}
	return nil
}

// runInSavepoint runs a write so that its failure does not affect the others. It
// returns an error if the transaction cannot be continued.
func (w *write) runInSavepoint(g *Global) error {
	if _, err := g.exec("SAVEPOINT one"); err != nil {
		return err
	}
	w.run(g)
	if w.result != nil || w.panics != nil {
		if _, err := g.exec("ROLLBACK TO one"); err != nil {
			return err
		}
	}
	_, err := g.exec("RELEASE one")
	return err
}

// errUnfinished is the error of the writes of a transaction in which a function
// called runtime.Goexit.
var errUnfinished = errors.New("store: the transaction did not finish")

// run calls the function.
func (w *write) run(g *Global) {
	defer func() {
		if p := recover(); p != nil {
			w.panics = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
		}
	}()
	w.panics, w.result = nil, nil
	if runTwice {
		_, begin := g.exec("SAVEPOINT first")
		_ = w.fn(g)
		_, back := g.exec("ROLLBACK TO first")
		_, end := g.exec("RELEASE first")
		if w.result = errors.Join(begin, back, end); w.result != nil {
			return
		}
	}
	w.result = w.fn(g)
}
