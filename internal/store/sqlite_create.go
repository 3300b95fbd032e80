package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// createWait is the maximum wait for another process that creates or migrates
// the same database.
const createWait = time.Minute

// Lock prevents other processes from creating or migrating the database in file
// until release is called. It waits for at most a minute. It does not lock a file
// that is up to date.
func Lock(ctx context.Context, file string) (release func() error, err error) {
	nothing := func() error { return nil }
	if file == "" || IsServer(file) {
		return nothing, nil
	}
	if _, err := IsNew(file); err != nil {
		return nothing, err
	}
	if upToDate(ctx, file) {
		return nothing, nil
	}
	ctx, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	lock := flock.New(file+".lock", flock.SetPermissions(0o600))
	_, err = lock.TryLockContext(ctx, 10*time.Millisecond)
	if _, ok := errors.AsType[*fs.PathError](err); ok { // of the file, and not of the wait
		return nothing, fmt.Errorf("the folder of the database must exist, and be writable: %w", err)
	}
	if err != nil {
		return nothing, fmt.Errorf("wait for another process that makes the database (%s.lock): %w", file, err)
	}
	return lock.Unlock, nil
}

// IsNew reports whether the file does not exist or is empty. It returns false for the
// URL of a server.
func IsNew(file string) (bool, error) {
	if IsServer(file) {
		return false, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return false, fmt.Errorf("%s is a folder, and must be a file", file)
	}
	return info.Size() == 0, nil
}

// upToDate reports whether this program would not change the file: it has the
// newest schema or is not a database. It returns false for a file that cannot be read
// now, because another process may be creating it.
func upToDate(ctx context.Context, file string) bool {
	if isNew, err := IsNew(file); isNew || err != nil {
		return false
	}
	db := openPool(location(file), readOnly)
	defer func() { _ = db.Close() }() // the database is read-only
	var tables, current int64
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables)
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code() == sqlite3.SQLITE_NOTADB {
		return true // inspect returns the error
	}
	newest, unknown := newestSchema(goose.DialectSQLite3)
	if err != nil || unknown != nil || tables == 0 {
		return false
	}
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM schema_versions").Scan(&current)
	return err == nil && current >= newest
}

// create creates a file with mode 0600. SQLite uses the same mode for the files
// that it creates next to it.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the program names its own file
	if err != nil {
		return err
	}
	return f.Close()
}
