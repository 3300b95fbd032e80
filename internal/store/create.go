package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// createWait bounds the wait for another process that creates or migrates the
// same database.
const createWait = time.Minute

// Lock keeps other processes from creating or migrating the file of that name
// until release is called. A file that is up to date needs no lock.
func Lock(ctx context.Context, file string) (release func() error, err error) {
	nothing := func() error { return nil }
	if file == "" || upToDate(ctx, file) {
		return nothing, nil
	}
	ctx, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	lock := flock.New(file+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return nothing, fmt.Errorf("wait for another process that makes the database (%s.lock): %w", file, err)
	}
	return lock.Unlock, nil
}

// IsNew reports whether there is no database in the file of that name: it does
// not exist or is empty.
func IsNew(file string) (bool, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return info.Size() == 0, nil
}

// upToDate reports whether a file has the newest schema, or is none that this
// program would change.
func upToDate(ctx context.Context, file string) bool {
	if isNew, err := IsNew(file); isNew || err != nil {
		return false
	}
	db := openSQLite(location(file), readOnly)
	defer func() { _ = db.Close() }() // nothing was written
	var tables, current int64
	if db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables) != nil {
		return true // it is no database: inspect says so
	}
	newest, err := newestSchema()
	if tables == 0 || err != nil {
		return false
	}
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM schema_versions").Scan(&current)
	return err == nil && current >= newest
}

// create makes the file that does not exist, for its owner only: SQLite gives
// its other files the same mode.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the program names its own file
	if err != nil {
		return err
	}
	return f.Close()
}
