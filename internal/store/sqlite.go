package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// sqliteDB is a SQLite database.
type sqliteDB struct {
	writer, reader *sql.DB // equal for a database in memory
	queue          *queue  // of the writers
	file           *identity
	fault          fault
	system         string
	telemetry      *telemetry.Telemetry
}

// Close closes the database. Read and Write finish their transaction and release
// its connection before they return.
func (s *sqliteDB) Close() error {
	err := s.reader.Close()
	if s.reader != s.writer {
		err = errors.Join(err, s.writer.Close())
	}
	return err
}

// Ping checks that the database can be read. If the last write failed, Ping also
// tries a write.
func (s *sqliteDB) Ping(ctx context.Context) error {
	if err := s.file.check(); err != nil {
		return err
	}
	if s.fault.exists() {
		return s.tryWrite(ctx)
	}
	return s.Read(ctx, func(g *Global) error {
		var one int
		return g.row("SELECT 1", nil, &one)
	})
}

// tryWrite overwrites a setting with the same value. It first checks that the
// disk has space for more, because a small write may succeed on a full disk.
func (s *sqliteDB) tryWrite(ctx context.Context) error {
	if err := s.file.room(); err != nil {
		return err
	}
	return s.Write(ctx, func(g *Global) error {
		_, err := g.exec("UPDATE settings SET value = value WHERE name = $1", MasterKeyProof)
		return err
	})
}

// LimitWriters implements [engine]. In memory, reads wait in the same queue.
func (s *sqliteDB) LimitWriters(n int) { s.queue.limit(n) }

// Observe implements [engine].
func (s *sqliteDB) Observe(t *telemetry.Telemetry) { s.telemetry = t }

// Size implements [engine]. It is the size without the write-ahead log.
func (s *sqliteDB) Size(ctx context.Context) (bytes int64, err error) {
	err = s.Read(ctx, func(g *Global) error {
		return g.row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", nil, &bytes)
	})
	return bytes, err
}

// checkpointWait is the maximum wait of a checkpoint for the end of read transactions,
// in milliseconds. Writers wait for it too, and a backup is a long read transaction.
const checkpointWait = 100

// Checkpoint moves the contents of the write-ahead log into the database file, so
// that the log stays small.
func (s *sqliteDB) Checkpoint(ctx context.Context) error {
	if s.file == nil {
		return nil
	}
	if err := s.queue.enter(ctx); err != nil {
		return err
	}
	defer s.queue.leave()
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = conn.Close() }() // only releases the connection
	_, limited := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout(%d)", checkpointWait))
	_, err = conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	_, restored := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout(%d)", busyTimeout))
	return translate(errors.Join(limited, err, restored))
}

// Read runs fn in a read-only transaction, which sees one snapshot.
func (s *sqliteDB) Read(ctx context.Context, fn func(*Global) error) error {
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
	return fn(newGlobal(ctx, context.WithoutCancel(ctx), sqliteTx{tx}))
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

// sqliteTx is a transaction.
type sqliteTx struct{ *sql.Tx }

func (t sqliteTx) exec(ctx context.Context, query string, args []any) (int64, error) {
	result, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}

func (t sqliteTx) later(ctx context.Context, query string, args []any) error {
	_, err := t.exec(ctx, query, args)
	return err
}

func (t sqliteTx) row(ctx context.Context, query string, args, into []any) error {
	return translate(t.QueryRowContext(ctx, query, args...).Scan(into...))
}

func (t sqliteTx) rows(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	rows, err := t.QueryContext(ctx, query, args...)
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

// enter does nothing: a write transaction locks the whole database.
func (t sqliteTx) enter(string) {}

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
	switch code := e.Code(); {
	case code == sqlite3.SQLITE_INTERRUPT: // only the context of an interruptible statement does that
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", ErrExists, err)
	case code&0xff == sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// System implements [engine].
func (s *sqliteDB) System() string { return s.system }

// Kind implements [engine].
func (s *sqliteDB) Kind() string { return "sqlite" }

// readers returns the maximum number of concurrent read transactions.
func readers() int { return max(4, 2*runtime.GOMAXPROCS(0)) }
