package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// openFile opens a new file for a test.
func openFile(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "workspaces.db"), func([]byte) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// settings returns how many settings with a prefix are committed.
func settings(t *testing.T, s *Store, prefix string) (n int) {
	t.Helper()
	err := s.Read(context.Background(), func(g *Global) error {
		return g.row("SELECT count(*) FROM settings WHERE name LIKE $1", []any{prefix + "%"}, &n)
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// errNotReturned is the error of a call of Write that ended with its goroutine.
var errNotReturned = errors.New("Write did not return")

// together runs writes that all wait before the first one runs, and returns their
// errors. A panic of a write is returned as an error.
func together(t *testing.T, s *Store, writes ...func(*Global) error) []error {
	t.Helper()
	errs := make([]error, len(writes))
	for i := range errs {
		errs[i] = errNotReturned
	}
	if err := s.sqlite().queue.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for i, fn := range writes {
		running.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			errs[i] = s.Write(t.Context(), fn)
		})
		for waitingWrites(s.sqlite().queue) <= i {
			runtime.Gosched()
		}
	}
	s.sqlite().queue.leave()
	running.Wait()
	return errs
}

func waitingWrites(q *queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.writes)
}

// set returns a write of one setting.
func set(name string) func(*Global) error {
	return func(g *Global) error { return g.CreateSetting(name, []byte("x")) }
}

func TestWritesThatWaitAreCommittedTogether(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	var uncommitted, committed int
	errs := together(t, s, set("a1"), set("a2"), set("a3"), func(g *Global) error {
		committed = settings(t, s, "a")
		return g.row("SELECT count(*) FROM settings WHERE name LIKE 'a%'", nil, &uncommitted)
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if uncommitted != 3 || committed != 0 {
		t.Errorf("during the last write: got %d settings in the transaction and %d committed, want 3 and 0", uncommitted, committed)
	}
	if got := settings(t, s, "a"); got != 3 {
		t.Errorf("after the writes: got %d settings, want 3", got)
	}
}

func TestFailedWriteLeavesTheOthers(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, fail := range map[string]func(*Global) error{
		"an error": func(g *Global) error { return errors.Join(set("bad")(g), refused) },
		"a panic":  func(g *Global) error { _ = set("bad")(g); panic(refused) },
		"a lost transaction": func(g *Global) error {
			_, err := g.tx.(sqliteTx).Exec("ROLLBACK") // as SQLite does when the disk is full
			return errors.Join(err, refused)
		},
		"an unavailable database": func(g *Global) error {
			return errors.Join(set("bad")(g), refused, &unavailableError{reason: "the disk fails"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openFile(t)
			errs := together(t, s, set("good1"), fail, set("good2"))
			if errs[0] != nil || errs[2] != nil {
				t.Errorf("the writes next to the failed one: got %v and %v, want no error", errs[0], errs[2])
			}
			if errs[1] == nil || !strings.Contains(errs[1].Error(), refused.Error()) {
				t.Errorf("the failed write: got %v, want %v", errs[1], refused)
			}
			if good, bad := settings(t, s, "good"), settings(t, s, "bad"); good != 2 || bad != 0 {
				t.Errorf("got %d settings of the good writes and %d of the failed one, want 2 and 0", good, bad)
			}
			if err := s.Write(t.Context(), set("good3")); err != nil {
				t.Errorf("a write after it: %v", err)
			}
		})
	}
}

func TestCanceledWriteDoesNotRun(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		err := s.Write(ctx, func(*Global) error {
			t.Error("the write ran")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	}
	if err := s.Write(t.Context(), set("next")); err != nil {
		t.Error(err)
	}
}

// If another process has locked the database, all waiting writes fail together. None
// waits for the lock again.
func TestLockedDatabaseFailsAllWaitingWrites(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	other := openPool(location(s.sqlite().file.name), "")
	defer func() { _ = other.Close() }()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.sqlite().queue.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for i := range maxBatch + 20 {
		go func() { errs <- s.Write(context.Background(), set("name")) }()
		for waitingWrites(s.sqlite().queue) <= i {
			runtime.Gosched()
		}
	}
	s.sqlite().queue.leave()
	failed := 0
	for i := range maxBatch + 20 {
		if err := <-errs; errors.Is(err, ErrBusy) {
			failed++
		}
		if i == 0 {
			if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Error(err)
			}
		}
	}
	if failed != maxBatch+20 {
		t.Errorf("got %d writes that failed with ErrBusy, want all %d", failed, maxBatch+20)
	}
	if err := s.Write(t.Context(), set("next")); err != nil {
		t.Errorf("a write after the lock is released: got %v, want no error", err)
	}
}

// A write that has begun is not canceled, and returns no error after the commit.
func TestCanceledContextDoesNotStopARunningWrite(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	if err := s.sqlite().queue.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var leader, follower error
	var running sync.WaitGroup
	running.Go(func() {
		leader = s.Write(t.Context(), func(*Global) error {
			cancel()
			for waiting(s.sqlite().queue) > 0 { // the follower has seen it
				runtime.Gosched()
			}
			return nil
		})
	})
	for waitingWrites(s.sqlite().queue) < 1 {
		runtime.Gosched()
	}
	running.Go(func() { follower = s.Write(ctx, set("follower")) })
	for waitingWrites(s.sqlite().queue) < 2 {
		runtime.Gosched()
	}
	s.sqlite().queue.leave()
	running.Wait()
	if got := settings(t, s, "follower"); leader != nil || follower != nil || got != 1 {
		t.Errorf("got errors %v and %v and %d settings, want no errors and 1 setting", leader, follower, got)
	}
}

func waiting(q *queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// A leader runs batches until its own write is done, even if all of the first batch
// are other writes: their callers may wait no longer for the writer.
func TestLeaderRunsItsOwnWrite(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	if err := s.sqlite().queue.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range maxBatch {
		s.sqlite().queue.arrive(&write{ctx: t.Context(), fn: set("other"), done: make(chan struct{})})
	}
	own := &write{ctx: t.Context(), fn: set("own"), done: make(chan struct{})}
	s.sqlite().queue.arrive(own)
	s.sqlite().lead(own)
	select {
	case <-own.done:
	default:
		t.Error("the leader's write: got it waiting, want it done")
	}
	if got := settings(t, s, "own"); got != 1 || own.err != nil {
		t.Errorf("the leader's write: got %d settings and %v, want 1 and no error", got, own.err)
	}
}

// A function that ends its goroutine fails its transaction. No write returns success
// without being applied, and no other caller's goroutine ends.
func TestGoexitFailsTheTransaction(t *testing.T) {
	t.Parallel()
	for ends := range 3 {
		t.Run(fmt.Sprintf("write %d ends", ends), func(t *testing.T) {
			t.Parallel()
			s := openFile(t)
			writes := []func(*Global) error{set("k0"), set("k1"), set("k2")}
			writes[ends] = func(*Global) error { runtime.Goexit(); return nil }
			errs := together(t, s, writes...)
			for i, err := range errs {
				if errors.Is(err, errNotReturned) || err == nil && settings(t, s, fmt.Sprint("k", i)) == 0 {
					t.Errorf("write %d: got %v and no setting, want an error", i, err)
				}
				if i == ends && err == nil {
					t.Errorf("write %d, which ends its goroutine: got no error, want one", i)
				}
			}
		})
	}
}

// If another process takes the lock after a batch has failed, its writes fail together.
func TestLockedDatabaseFailsTheBatch(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	other := openPool(location(s.sqlite().file.name), "")
	defer func() { _ = other.Close() }()
	other.SetMaxOpenConns(1)
	var attempts atomic.Int64
	lost := func(g *Global) error {
		_, err := g.tx.(sqliteTx).Exec("ROLLBACK")
		if attempts.Add(1) == 1 {
			_, lockErr := other.Exec("BEGIN IMMEDIATE")
			err = errors.Join(err, lockErr)
		}
		return errors.Join(err, errors.New("refused"))
	}
	release := func() { // after the first write has failed
		if _, err := other.Exec("ROLLBACK"); err != nil {
			t.Error(err)
		}
	}
	var once sync.Once
	errs := make([]error, 4)
	if err := s.sqlite().queue.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for i, fn := range []func(*Global) error{set("a"), lost, set("b"), set("c")} {
		running.Go(func() {
			errs[i] = s.Write(t.Context(), fn)
			once.Do(release)
		})
		for waitingWrites(s.sqlite().queue) <= i {
			runtime.Gosched()
		}
	}
	s.sqlite().queue.leave()
	running.Wait()
	for i, err := range errs {
		if begin, ok := errors.AsType[*beginError](err); !errors.Is(err, ErrBusy) || ok {
			t.Errorf("write %d: got %v, %v; want ErrBusy", i, err, begin)
		}
	}
	if got := attempts.Load(); got != 1 {
		t.Errorf("runs of the write that lost the transaction: got %d, want 1", got)
	}
}

func TestWriteAfterGoexit(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	var ended sync.WaitGroup
	ended.Go(func() {
		_ = s.Write(t.Context(), func(*Global) error {
			runtime.Goexit()
			return nil
		})
	})
	ended.Wait()
	if err := s.Write(t.Context(), set("next")); err != nil {
		t.Errorf("a write after it: got %v, want no error", err)
	}
}
