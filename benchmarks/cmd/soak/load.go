package main

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	attemptTimeout = 10 * time.Second      // the machine may be busy
	meanPause      = 40 * time.Millisecond // of a worker between two calls
	maxObjects     = 12                    // of a kind in a workspace
	maxRepeats     = 3                     // of a call with the same key, by the caller
)

// worker changes the objects of a kind in a workspace, one after another.
type worker struct {
	*soaker
	room   *room
	kind   *kind
	random *rand.Rand
	number int // of the next value
}

// work makes changes until ctx is done. While a check runs, it waits.
func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		w.gate.RLock()
		w.step(context.WithoutCancel(ctx)) // the load stops between two changes
		w.gate.RUnlock()
		sleep(ctx, time.Duration(w.random.Int64N(int64(2*meanPause))))
	}
}

// step makes a change.
func (w *worker) step(ctx context.Context) {
	w.number++
	value := w.kind.value(w.number)
	o, n := w.room.ledger.pick(w.kind, w.random)
	switch chance := w.random.IntN(10); {
	case n < maxObjects && (o == nil || chance < 4):
		w.create(ctx, value)
	case o == nil: // all have an unknown outcome
	case w.kind.update != nil && n < maxObjects && chance < 8:
		if value == o.values[0] { // would change nothing
			w.number++
			value = w.kind.value(w.number)
		}
		was := w.change(func(key string) error {
			return w.kind.update(ctx, w.room.client, o.id, value, promptrails.WithIdempotencyKey(key))
		})
		w.room.ledger.updated(o, value, was)
	default:
		if w.kind == w.approvals {
			if !w.receiver.has(o.id) {
				return
			}
			w.receiver.retire(o.id)
		}
		was := w.change(func(key string) error {
			return w.kind.delete(ctx, w.room.client, o.id, promptrails.WithIdempotencyKey(key))
		})
		w.room.ledger.deleted(o, was)
	}
}

// create creates an object.
func (w *worker) create(ctx context.Context, value string) {
	name := strings.ToLower(cryptorand.Text()) + "@example.com"
	var id string
	was := w.change(func(key string) (err error) {
		id, err = w.kind.create(ctx, w.room, name, value, key)
		return err
	})
	w.room.ledger.created(w.kind, name, id, value, was)
}

// change makes a change, and counts its errors. In half of the cases, it repeats the
// change with the same key if the outcome is unknown.
func (w *worker) change(f func(key string) error) outcome {
	key, was := cryptorand.Text(), failed
	repeats := w.random.IntN(2) * maxRepeats
	begun := time.Now()
	for n := 0; ; n++ {
		err := f(key)
		if err == nil {
			return done
		}
		if isUnknown(err) {
			was = unknown
		}
		w.counts.failed(err, begun, was)
		if was == failed || n >= repeats {
			return was
		}
		w.counts.repeat()
	}
}

// isUnknown reports whether an error says that the change may have been made.
func isUnknown(err error) bool {
	if _, ok := errors.AsType[*partialError](err); ok {
		return true
	}
	e, ok := asError(err)
	return ok && strings.Contains(e.Message, "the outcome is not known")
}

func asError(err error) (*promptrails.Error, bool) { return errors.AsType[*promptrails.Error](err) }

// read reads lists and objects of a workspace until ctx is done.
func (w *worker) read(ctx context.Context) {
	for ctx.Err() == nil {
		w.gate.RLock()
		begun := time.Now()
		if err := w.readOne(context.WithoutCancel(ctx)); err != nil {
			w.counts.failed(err, begun, failed)
		}
		w.gate.RUnlock()
		sleep(ctx, time.Duration(w.random.Int64N(int64(2*meanPause))))
	}
}

// readOne makes one of several reads.
func (w *worker) readOne(ctx context.Context) error {
	c := w.room.client
	switch w.random.IntN(5) {
	case 0:
		_, err := c.Credentials.List(ctx, &promptrails.ListCredentialsParams{ListOptions: promptrails.ListOptions{Limit: 5}})
		return err
	case 1:
		_, err := c.Changelog.List(ctx, nil)
		return err
	case 2:
		_, err := c.Resources.Inventory(ctx)
		return err
	case 3:
		_, err := c.Members.Self(ctx)
		return err
	default:
		return w.iterate(ctx, w.kinds[w.random.IntN(len(w.kinds))])
	}
}

// iterate reads a list. An object that it yields twice is an error.
func (w *worker) iterate(ctx context.Context, k *kind) error {
	seen := map[string]bool{}
	for f, err := range k.list(ctx, w.room.client) {
		if err != nil {
			return err
		}
		if seen[f.id] {
			return fmt.Errorf("the iterator yields the %s %s twice", k.name, f.id)
		}
		seen[f.id] = true
	}
	return nil
}
