package store

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
)

// connection returns a connection of a database in memory, and the prepared
// statements that it keeps.
func connection(t *testing.T) (*sql.Conn, map[string]*preparedStmt) {
	t.Helper()
	db := openPool("file::memory:", "")
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var idle map[string]*preparedStmt
	err = conn.Raw(func(c any) error {
		prepared, ok := c.(*preparedConn)
		if !ok {
			return fmt.Errorf("got a %T, want a *preparedConn", c)
		}
		idle = prepared.idle
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn, idle
}

func TestStatementsAreReused(t *testing.T) {
	t.Parallel()
	conn, idle := connection(t)
	const query = "SELECT $1 + 1"
	var prepared *preparedStmt
	for i := range 3 {
		rows, err := conn.QueryContext(t.Context(), query, i)
		if err != nil {
			t.Fatal(err)
		}
		if idle[query] != nil {
			t.Errorf("run %d: got an idle statement during the query, want it in use", i)
		}
		var n int
		if !rows.Next() || rows.Scan(&n) != nil || n != i+1 {
			t.Errorf("run %d: got %d, want %d", i, n, i+1)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		if i > 0 && idle[query] != prepared {
			t.Errorf("run %d: got the statement %p, want %p again", i, idle[query], prepared)
		}
		prepared = idle[query]
	}
}

// A statement that is still in use is prepared a second time.
func TestStatementsCanBeNested(t *testing.T) {
	t.Parallel()
	conn, _ := connection(t)
	const query = "SELECT value FROM json_each('[1, 2, 3]')"
	outer, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = outer.Close() }()
	sum := 0
	for outer.Next() {
		var a int
		if err := outer.Scan(&a); err != nil {
			t.Fatal(err)
		}
		inner, err := conn.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for inner.Next() {
			var b int
			if err := inner.Scan(&b); err != nil {
				t.Fatal(err)
			}
			sum += a * b
		}
		if err := inner.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := outer.Err(); err != nil || sum != 36 {
		t.Errorf("got the sum %d, %v, want 36", sum, err)
	}
}

func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	conn, idle := connection(t)
	for i := range 2 * maxStatements {
		var n int
		if err := conn.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %d", i)).Scan(&n); err != nil || n != i {
			t.Fatalf("got %d, %v, want %d", n, err, i)
		}
	}
	if len(idle) > maxStatements {
		t.Errorf("got %d idle statements, want at most %d", len(idle), maxStatements)
	}
}

// A statement that was prepared before a change of the schema sees the new schema.
func TestStatementsFollowTheSchema(t *testing.T) {
	t.Parallel()
	conn, _ := connection(t)
	for i, statement := range []string{"CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN b DEFAULT 2"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		rows, err := conn.QueryContext(t.Context(), "SELECT * FROM t")
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil || len(columns) != i || !rows.Next() {
			t.Errorf("after %s: got the columns %v, %v, want %d and a row", statement, columns, err, i)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}
