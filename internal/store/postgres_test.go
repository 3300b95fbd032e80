package store

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// Row-level security limits a statement without its condition to the workspace of the
// transaction. Statements that are in no workspace find all rows.
func TestFence(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.DSN(t))
	if !strings.HasSuffix(s.System(), ", with row-level security") {
		t.Fatalf("System: got %s, want row-level security", s.System())
	}
	twins(t, s)
	list := func(rows func(string, func(scanner) error) error) (workspaces []string) {
		err := rows("SELECT DISTINCT workspace_id FROM members WHERE '' <> $1 ORDER BY 1", func(r scanner) error {
			var id string
			err := r.Scan(&id)
			workspaces = append(workspaces, id)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return workspaces
	}
	err := s.Read(t.Context(), func(g *Global) error {
		for _, in := range []string{"a", "b", "a"} {
			x := g.Workspace(in)
			got := list(func(query string, scan func(scanner) error) error { return x.rows(scoped(query), nil, scan) })
			if !slices.Equal(got, []string{in}) {
				t.Errorf("members without a condition in %s: got those of %v, want only its own", in, got)
			}
			got = list(func(query string, scan func(scanner) error) error { return g.rows(query, []any{"x"}, scan) })
			if !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("members without a condition in no workspace: got those of %v, want all", got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other := rows(t, s, "b")
	err = s.Write(t.Context(), func(g *Global) error {
		_, err := g.Workspace("a").exec("UPDATE credentials SET name = 'changed' WHERE '' <> $1")
		return err
	})
	if err != nil || rows(t, s, "b") != other {
		t.Errorf("update without a condition: got %v and %s in b, want it unchanged", err, rows(t, s, "b"))
	}
	err = s.Write(t.Context(), func(g *Global) error {
		_, err := g.Workspace("a").exec("INSERT INTO counters (workspace_id, kind, n) SELECT 'b', 'k', 1 WHERE '' <> $1")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "row-level security") {
		t.Errorf("insert into another workspace: got %v, want an error of row-level security", err)
	}
}

// A write waits for another one in the same workspace, and for no other.
func TestPostgresLocksOneWorkspace(t *testing.T) {
	t.Parallel()
	s := opened(t, pgtest.AdminDSN(t)) // row-level security would hide the other workspace
	twins(t, s)
	enter := func(in string, then func()) error {
		return s.Write(t.Context(), func(g *Global) error {
			_, err := g.Workspace(in).Workspace()
			then()
			return err
		})
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var writes sync.WaitGroup
	var order []string
	writes.Go(func() {
		err := enter("a", func() {
			close(entered)
			<-release
			order = append(order, "first")
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-entered
	if err := enter("b", func() {}); err != nil { // does not wait
		t.Error(err)
	}
	second := make(chan struct{})
	writes.Go(func() {
		if err := enter("a", func() { order = append(order, "second") }); err != nil {
			t.Error(err)
		}
		close(second)
	})
	waiting := func() (n int) {
		err := s.Read(t.Context(), func(g *Global) error {
			return g.row("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'", nil, &n)
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for waiting() == 0 && !closed(second) {
		runtime.Gosched()
	}
	close(release)
	writes.Wait()
	if !slices.Equal(order, []string{"first", "second"}) {
		t.Errorf("order of two writes in one workspace: got %v, want first, second", order)
	}
}

// A transaction uses another connection if that of the pool turns out to be lost.
func TestPostgresReplacesLostConnections(t *testing.T) {
	t.Parallel()
	dsn := pgtest.AdminDSN(t)
	s, other := opened(t, dsn+"&application_name=lost"), opened(t, dsn)
	for name, run := range map[string]func(context.Context, func(*Global) error) error{"read": s.Read, "write": s.Write} {
		for range 3 {
			err := other.Write(t.Context(), func(g *Global) error {
				return g.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lost'", nil, func(scanner) error { return nil })
			})
			if err != nil {
				t.Fatal(err)
			}
			err = run(t.Context(), func(g *Global) error { _, err := g.WorkspaceID("w"); return err })
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s after the connections were terminated: got %v, want %v", name, err, ErrNotFound)
			}
		}
	}
}

// A proxy between the service and the server may send errors of any form.
func TestPostgresErrorsOfProxies(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"", "0", "08", "08006", "57", "57P01", "XX000"} {
		for _, severity := range []string{"", "ERROR", "FATAL"} {
			err := translatePostgres(&pgconn.PgError{Code: code, SeverityUnlocalized: severity})
			if unavailable := errors.Is(err, ErrBusy); unavailable != (len(code) >= 2 && code[:2] != "XX") {
				t.Errorf("error %q with the code %q: got unavailable %t, want it for the classes 08 and 57", severity, code, unavailable)
			}
			if unknown := isUnknown(err); unknown != (severity != "ERROR" || len(code) >= 2) {
				t.Errorf("COMMIT with the error %q with the code %q: got an unknown outcome %t", severity, code, unknown)
			}
			_ = runsAgain(err) // does not panic
		}
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
