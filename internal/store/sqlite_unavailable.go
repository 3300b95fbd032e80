package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// unavailable returns the reason for an error of SQLite, or nil.
func unavailable(e *sqlite.Error) error {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &unavailableError{errLocked.reason, false, e}
	case sqlite3.SQLITE_FULL:
		return &unavailableError{"the disk is full", true, e}
	case sqlite3.SQLITE_READONLY:
		return &unavailableError{"the database is read-only", true, e}
	case sqlite3.SQLITE_IOERR:
		return &unavailableError{"the disk fails", true, e}
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return &unavailableError{"the database cannot be opened: look at the permissions of its file and folder", true, e}
	default:
		return nil
	}
}

var (
	errGone   = &unavailableError{"the database's file was deleted or replaced: restore it and restart the service", true, nil}
	errLocked = &unavailableError{"the database is locked by another process", false, nil}
)

// identity is the file that a store has opened, or nil for a database in memory.
type identity struct {
	name string
	info os.FileInfo
}

// check returns an error if the file was deleted or replaced.
func (i *identity) check() error {
	if i == nil {
		return nil
	}
	info, err := os.Stat(i.name)
	if err != nil || !os.SameFile(info, i.info) {
		return errGone
	}
	return nil
}

// room returns an error if the disk has no space for another 128 KiB. On a full
// disk, a write of a page or two may still succeed in the space of an earlier
// one.
func (i *identity) room() (err error) {
	if i == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(i.name), filepath.Base(i.name)+"-room-*")
	if err == nil {
		_, err = f.Write(make([]byte, 128<<10))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &unavailableError{"the disk is full", true, err}
	}
	return nil // other errors are reported by the database
}
