// Package store stores the data of the workspace service in a SQLite database.
//
// A [Tx] is bound to one workspace: it passes the workspace's id as $1 to every
// statement. Queries that are not limited to one workspace are methods of
// [Global] and are all in one file.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors returned by the store.
var (
	ErrNotFound = errors.New("store: no such row")
	ErrExists   = errors.New("store: such a row exists")
	ErrBusy     = errors.New("store: the database cannot be written now")
)

// writeTimeout is the timeout of a write transaction. It replaces the deadline
// and cancellation of the request.
const writeTimeout = 30 * time.Second

// Store is a database. It is safe for concurrent use.
type Store struct {
	writer, reader *sql.DB // equal for a database in memory
	queue          *queue  // of the writers
	file           *identity
	fault          atomic.Pointer[unavailableError] // why writes fail, until one succeeds
}

// Close closes the database. Read and Write finish their transaction and release
// its connection before they return.
func (s *Store) Close() error {
	err := s.reader.Close()
	if s.reader != s.writer {
		err = errors.Join(err, s.writer.Close())
	}
	return err
}

// Ping checks that the database can be read. If the last write failed, Ping also
// tries a write.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.file.check(); err != nil {
		return err
	}
	if s.fault.Load() != nil {
		return s.tryWrite(ctx)
	}
	return s.Read(ctx, func(g *Global) error {
		var one int
		return g.row("SELECT 1", nil, &one)
	})
}

// tryWrite overwrites a setting with the same value. It first checks that the
// disk has space for more, because a small write may succeed on a full disk.
func (s *Store) tryWrite(ctx context.Context) error {
	if err := s.file.room(); err != nil {
		return err
	}
	return s.Write(ctx, func(g *Global) error {
		_, err := g.exec("UPDATE settings SET value = value WHERE name = $1", MasterKeyProof)
		return err
	})
}

// Checkpoint moves the contents of the write-ahead log into the database file, so
// that the log stays small.
func (s *Store) Checkpoint(ctx context.Context) error {
	if s.file == nil {
		return nil
	}
	if err := s.queue.enter(ctx); err != nil {
		return err
	}
	defer s.queue.leave()
	_, err := s.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return translate(err)
}

// Read runs fn in a read-only transaction, which sees one snapshot.
func (s *Store) Read(ctx context.Context, fn func(*Global) error) error {
	if s.reader == s.writer {
		if err := s.queue.enter(ctx); err != nil {
			return err
		}
		defer s.queue.leave()
	}
	tx, end, err := begin(ctx, s.reader, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return translate(err)
	}
	defer end()
	return fn(newGlobal(ctx, tx))
}

// begin begins a transaction. The function end rolls it back, unless it was
// committed, and releases the connection. The cancellation of ctx does not end the
// transaction, because database/sql would roll it back in a goroutine that may
// outlive the caller.
func begin(ctx context.Context, db *sql.DB, options *sql.TxOptions) (tx *sql.Tx, end func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err = conn.BeginTx(context.WithoutCancel(ctx), options)
	if err != nil {
		_ = conn.Close() // only releases the connection
		return nil, nil, err
	}
	return tx, func() {
		_ = tx.Rollback() // sql.ErrTxDone after a commit; on other errors the connection is dropped
		_ = conn.Close()
	}, nil
}

// Global is a transaction that is not limited to one workspace.
type Global struct {
	caller, ctx context.Context //nolint:containedctx // a transaction has one, as sql.Tx does
	tx          *sql.Tx
}

// newGlobal returns a transaction that runs no statement after ctx has ended. A
// running statement is not canceled: the driver would start a goroutine for each
// statement to do so.
func newGlobal(ctx context.Context, tx *sql.Tx) *Global {
	return &Global{caller: ctx, ctx: context.WithoutCancel(ctx), tx: tx}
}

// Tx is a transaction over the rows of one workspace.
type Tx struct {
	global    *Global
	workspace string
}

// scanner is the current row of a result.
type scanner interface{ Scan(into ...any) error }

// scoped is SQL that is limited to the workspace whose id is $1.
type scoped string

func (t *Tx) exec(query scoped, args ...any) (int64, error) {
	return t.global.exec(string(query), append([]any{t.workspace}, args...)...)
}

func (t *Tx) row(query scoped, args []any, into ...any) error {
	return t.global.row(string(query), append([]any{t.workspace}, args...), into...)
}

func (t *Tx) rows(query scoped, args []any, scan func(scanner) error) error {
	return t.global.rows(string(query), append([]any{t.workspace}, args...), scan)
}

func (g *Global) exec(query string, args ...any) (int64, error) {
	if err := g.caller.Err(); err != nil {
		return 0, err
	}
	result, err := g.tx.ExecContext(g.ctx, query, args...)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}

func (g *Global) row(query string, args []any, into ...any) error {
	if err := g.caller.Err(); err != nil {
		return err
	}
	return translate(g.tx.QueryRowContext(g.ctx, query, args...).Scan(into...))
}

func (g *Global) rows(query string, args []any, scan func(scanner) error) error {
	if err := g.caller.Err(); err != nil {
		return err
	}
	rows, err := g.tx.QueryContext(g.ctx, query, args...)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err reports the error
	for rows.Next() {
		switch err := scan(rows); {
		case errors.Is(err, errPageFull):
			return nil
		case err != nil:
			return err
		}
	}
	return translate(rows.Err())
}

// affected returns ErrNotFound if a statement changed no rows.
func affected(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// translate maps the errors of the database to those of the package.
func translate(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	if busy := unavailable(e); busy != nil {
		return busy
	}
	if code := e.Code(); code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return fmt.Errorf("%w: %w", ErrExists, err)
	}
	return err
}

// readers returns the maximum number of concurrent read transactions.
func readers() int { return max(4, 2*runtime.GOMAXPROCS(0)) }
