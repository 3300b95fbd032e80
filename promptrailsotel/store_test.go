package promptrailsotel_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/promptrails-community/promptrails-go/internal/pgtest"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// openStore opens a database with the telemetry of r.
func openStore(t *testing.T, r *recorder, dsn string) *store.Store {
	t.Helper()
	instruments, err := telemetry.New(r.tracers, r.meters)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), dsn, func([]byte) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Observe(instruments); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Writes that wait are counted, and share a commit.
func TestSharedCommits(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	db := openStore(t, r, filepath.Join(t.TempDir(), "workspaces.db"))
	const waiting = 10
	entered, leave := make(chan struct{}), make(chan struct{})
	var writers sync.WaitGroup
	write := func(fn func()) {
		writers.Go(func() {
			if err := db.Write(t.Context(), func(*store.Global) error { fn(); return nil }); err != nil {
				t.Errorf("Write: got %v, want no error", err)
			}
		})
	}
	enter := sync.OnceFunc(func() { close(entered) })
	write(func() { enter(); <-leave })
	<-entered
	for range waiting {
		write(func() {})
	}
	const writes = "promptrails.transaction.mode=write"
	for r.points(t, "promptrails.transaction.waiting")[writes] < waiting {
		runtime.Gosched()
	}
	close(leave)
	writers.Wait()
	if got := r.points(t, "promptrails.transaction.waiting")[writes]; got != 0 {
		t.Errorf("promptrails.transaction.waiting after the writes: got %d, want 0", got)
	}
	commits, ok := r.metrics(t)["promptrails.commit.size"].(metricdata.Histogram[int64])
	if !ok || len(commits.DataPoints) != 1 {
		t.Fatalf("promptrails.commit.size: got %v, want one point", commits)
	}
	if p := commits.DataPoints[0]; p.Sum != 1+waiting || p.Count >= 1+waiting {
		t.Errorf("promptrails.commit.size: got %d commits of %d writes, want fewer commits, of %d writes", p.Count, p.Sum, 1+waiting)
	}
}

// The span of a transaction has an error only if the database is at fault.
func TestFailedTransactions(t *testing.T) {
	t.Parallel()
	planted := errors.New("planted")
	for _, tt := range []struct {
		name     string
		writers  int
		canceled bool
		want     map[string]string
		status   codes.Code
	}{
		{"refused write", 0, false, map[string]string{"error.type": "unavailable", "promptrails.transaction.attempts": "0"}, codes.Error},
		{"canceled", 8, true, map[string]string{"error.type": "canceled", "promptrails.transaction.attempts": "0"}, codes.Error},
		{"failed function", 8, false, map[string]string{"promptrails.transaction.attempts": "1"}, codes.Unset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRecorder()
			db := openStore(t, r, filepath.Join(t.TempDir(), "workspaces.db"))
			db.LimitWriters(tt.writers)
			ctx, parent := r.tracers.Tracer("test").Start(t.Context(), "request")
			defer parent.End()
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if tt.canceled {
				cancel()
			}
			if err := db.Write(ctx, func(*store.Global) error { return planted }); err == nil {
				t.Fatal("Write: got no error, want one")
			}
			span := r.spans.GetSpans()[0]
			got := valuesOf(span.Attributes)
			for _, known := range []string{"db.system.name", "promptrails.transaction.mode", "promptrails.transaction.wait"} {
				delete(got, known)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || span.Status.Code != tt.status {
				t.Errorf("span: got status %v, want %v (-want +got):\n%s", span.Status, tt.status, diff)
			}
			if got := r.points(t, "promptrails.transaction.waiting")["promptrails.transaction.mode=write"]; got != 0 {
				t.Errorf("promptrails.transaction.waiting after the write: got %d, want 0", got)
			}
		})
	}
}

// A transaction of PostgreSQL that waits too long for a lock is attempted again.
func TestRepeatedTransactions(t *testing.T) {
	t.Parallel()
	r := newRecorder()
	db := openStore(t, r, pgtest.DSN(t))
	entered, leave := make(chan struct{}), make(chan struct{})
	commit := sync.OnceFunc(func() { close(leave) })
	lock := func(g *store.Global) error { return g.CreateSetting("planted", []byte("v")) }
	var first sync.WaitGroup
	first.Go(func() {
		err := db.Write(t.Context(), func(g *store.Global) error {
			err := lock(g)
			close(entered)
			<-leave
			return err
		})
		if err != nil {
			t.Errorf("first Write: got %v, want no error", err)
		}
	})
	defer first.Wait()
	defer commit()
	<-entered
	ctx, parent := r.tracers.Tracer("test").Start(t.Context(), "request")
	defer parent.End()
	attempts := 0
	err := db.Write(ctx, func(g *store.Global) error {
		if attempts++; attempts == 2 {
			commit()
			first.Wait()
		}
		return lock(g)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := valuesOf(r.spans.GetSpans()[0].Attributes)["promptrails.transaction.attempts"]; got == "1" || got == "" {
		t.Errorf("promptrails.transaction.attempts: got %q, want more than 1", got)
	}
}
