package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// backupPages is the number of pages that are copied between two looks at the context.
const backupPages = 256

// backedUp is the driver's connection.
type backedUp interface {
	NewBackup(destination string) (*sqlite.Backup, error)
	Serialize() ([]byte, error)
}

// Backup implements [engine]. The temporary file limits the time during which the
// write-ahead log cannot be reused to that of a copy on the same disk.
func (s *sqliteDB) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	if s.file == nil {
		return s.serialize(ctx, w)
	}
	if err := s.file.check(); err != nil {
		return 0, err
	}
	// CreateTemp creates the file with mode 0600.
	copied, err := os.CreateTemp(filepath.Dir(s.file.name), filepath.Base(s.file.name)+".backup-*")
	if err != nil {
		return 0, fmt.Errorf("create a temporary file: %w", err)
	}
	defer func() { err = errors.Join(err, copied.Close(), os.Remove(copied.Name())) }()
	if err := s.copyTo(ctx, copied.Name()); err != nil {
		return 0, fmt.Errorf("copy the database to a temporary file in %s: %w", filepath.Dir(copied.Name()), err)
	}
	return io.Copy(w, &contextReader{ctx, copied})
}

// copyTo copies one snapshot of the database to an empty file. The transaction around
// the steps keeps SQLite from beginning again after each write.
func (s *sqliteDB) copyTo(ctx context.Context, file string) error {
	return s.inSnapshot(ctx, func(c backedUp) (err error) {
		b, err := c.NewBackup(location(file) + "?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Finish()) }()
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if more, err = b.Step(backupPages); err != nil {
				return err
			}
		}
		return nil
	})
}

// serialize writes a copy of a database in memory, which has one connection.
func (s *sqliteDB) serialize(ctx context.Context, w io.Writer) (int64, error) {
	var content []byte
	err := func() error {
		if err := s.queue.enter(ctx); err != nil {
			return err
		}
		defer s.queue.leave()
		return s.inSnapshot(ctx, func(c backedUp) (err error) {
			content, err = c.Serialize()
			return err
		})
	}()
	if err != nil {
		return 0, err
	}
	return io.Copy(w, &contextReader{ctx, bytes.NewReader(content)})
}

// inSnapshot calls fn with a connection in a read transaction.
func (s *sqliteDB) inSnapshot(ctx context.Context, fn func(backedUp) error) error {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = conn.Close() }() // only releases the connection
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return translate(err)
	}
	defer func() { _ = tx.Rollback() }()
	var tables int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil { // the snapshot begins
		return translate(err)
	}
	return translate(conn.Raw(func(c any) error {
		prepared, ok := c.(*preparedConn)
		if !ok {
			return fmt.Errorf("store: the connection is a %T", c)
		}
		driver, ok := prepared.sqliteConn.(backedUp)
		if !ok {
			return fmt.Errorf("store: the driver's connection is a %T", prepared.sqliteConn)
		}
		return fn(driver)
	}))
}

// contextReader reads until the context has ended.
type contextReader struct {
	ctx  context.Context //nolint:containedctx // of one call
	from io.Reader
}

// Read implements [io.Reader].
func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
