package store

import (
	"context"
	"database/sql"
	_ "embed" // schemaSQL
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// applicationID identifies the SQLite files of this package ("PRTR" in ASCII).
const applicationID = 0x50525452

// oldestSQLite is the oldest supported version of SQLite. Earlier versions can
// corrupt a file when the write-ahead log is reset.
var oldestSQLite = [3]int{3, 51, 3}

// openSQLite opens the SQLite database in file. If file is "", the database is in
// memory.
func openSQLite(ctx context.Context, file string, admit func(masterKeyProof []byte) error, migrates func(from, to int64)) (_ *sqliteDB, err error) {
	s := &sqliteDB{queue: newQueue()}
	if file == "" {
		// Each connection to a database in memory has a separate database.
		s.writer = openPool("file::memory:", keepWrites)
		s.reader = s.writer
	} else {
		path := location(file)
		isNew, err := IsNew(file)
		if err == nil && isNew {
			err = create(file)
		} else if err == nil {
			err = inspect(ctx, path, admit)
		}
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		s.file = &identity{file, info}
		s.writer = openPool(path, keepWrites+"&_txlock=immediate")
		s.reader = openPool(path, readOnly)
		s.reader.SetMaxOpenConns(readers())
		s.reader.SetMaxIdleConns(readers())
	}
	s.writer.SetMaxOpenConns(1)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, migrates); err != nil {
		return nil, err
	}
	return s, s.tryWrite(ctx)
}

// location returns the URI of a file for SQLite.
func location(file string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(filepath.Clean(file))}).EscapedPath()}).String()
}

// Parameters of the driver for migrations, the writer and the readers.
const (
	keepAll    = "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	keepWrites = keepAll + "&_pragma=foreign_keys(1)"
	readOnly   = "&_pragma=query_only(1)"
)

// busyTimeout is the maximum wait for a lock of another process, in milliseconds.
const busyTimeout = 5000

func openPool(path, use string) *sql.DB {
	db := openDB(path + "?_pragma=busy_timeout(" + strconv.Itoa(busyTimeout) + ")&_pragma=trusted_schema(0)&_pragma=temp_store(MEMORY)" + use)
	db.SetConnMaxLifetime(0)
	db.SetConnMaxIdleTime(0)
	return db
}

// Inspect returns an error if a file is not a database of this package. It does not
// change the file.
func Inspect(ctx context.Context, file string) error {
	return inspect(ctx, location(file), func([]byte) error { return nil })
}

// inspect returns an error if a file cannot be used. It does not change the file.
func inspect(ctx context.Context, path string, admit func([]byte) error) (err error) {
	db := openPool(path, readOnly)
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	var id, tables, current int
	var proof []byte
	for _, q := range []struct {
		sql  string
		into any
	}{
		{"PRAGMA application_id", &id},
		{"SELECT count(*) FROM sqlite_schema", &tables},
	} {
		if err := db.QueryRowContext(ctx, q.sql).Scan(q.into); err != nil {
			return fmt.Errorf("the file is not a database that can be used: %w", translate(err))
		}
	}
	if id != applicationID {
		if tables > 0 {
			return errors.New("the file is the database of another program")
		}
		return admit(nil)
	}
	if tables == 0 {
		return admit(nil)
	}
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM schema_versions").Scan(&current)
	if err == nil {
		err = db.QueryRowContext(ctx, "SELECT value FROM settings WHERE name = $1", MasterKeyProof).Scan(&proof)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return admit(nil)
	case err != nil:
		return fmt.Errorf("the file is not a database that can be used: %w", translate(err))
	}
	known, err := newestSchema(goose.DialectSQLite3)
	if err != nil {
		return err
	}
	if int64(current) > known {
		return fmt.Errorf("the database has schema %d, this program knows %d: use the newer program that wrote it", current, known)
	}
	return admit(proof)
}

// check returns an error if the version of SQLite or the file system is not
// supported. It sets the application id of a new file.
func (s *sqliteDB) check(ctx context.Context) error {
	var version, journal string
	var foreignKeys, synchronous, id int
	for query, into := range map[string]any{
		"SELECT sqlite_version()": &version,
		"PRAGMA foreign_keys":     &foreignKeys,
		"PRAGMA synchronous":      &synchronous,
		"PRAGMA journal_mode":     &journal,
		"PRAGMA application_id":   &id,
	} {
		if err := s.writer.QueryRowContext(ctx, query).Scan(into); err != nil {
			return fmt.Errorf("the file is not a database that can be used: %w", translate(err))
		}
	}
	s.system = "SQLite " + version
	switch {
	case olderSQLite(version):
		return fmt.Errorf("SQLite %s can corrupt a file; %v or later is needed", version, oldestSQLite)
	case foreignKeys != 1 || synchronous != 2:
		return fmt.Errorf("SQLite does not keep its settings: foreign_keys=%d synchronous=%d", foreignKeys, synchronous)
	case journal != "wal" && journal != "memory":
		return fmt.Errorf("SQLite keeps the journal mode %s: the file system lacks what a write-ahead log needs", journal)
	case id == applicationID:
		return nil
	}
	_, err := s.writer.ExecContext(ctx, "PRAGMA application_id = "+strconv.Itoa(applicationID))
	return translate(err)
}

func olderSQLite(version string) bool {
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil || n < oldestSQLite[i] {
			return true
		}
		if n > oldestSQLite[i] {
			return false
		}
	}
	return false
}

// schemaSQL creates the schema that all migrations result in. Running them takes ten
// times as long. TestSchemaOfNewDatabases writes the file.
//
//go:embed migrations/sqlite_schema.sql
var schemaSQL string

// migrate creates the schema of a new database, or runs the migrations that the
// database lacks. Those of a file run without foreign keys, because SQLite changes a
// table's constraints by replacing the table, and would delete the rows that refer to
// it.
func (s *sqliteDB) migrate(ctx context.Context, migrates func(from, to int64)) error {
	var tables int
	if err := s.writer.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return translate(err)
	}
	if tables == 0 {
		return s.createSchema(ctx)
	}
	newest, err := newestSchema(goose.DialectSQLite3)
	if err != nil {
		return err
	}
	var current int64
	if err := s.writer.QueryRowContext(ctx, "SELECT max(version_id) FROM schema_versions").Scan(&current); err != nil {
		return translate(err)
	}
	if current > 0 && current < newest {
		migrates(current, newest)
	}
	return s.runMigrations(ctx)
}

// createSchema creates the schema in one transaction.
func (s *sqliteDB) createSchema(ctx context.Context) error {
	tx, end, err := begin(ctx, s.writer, nil)
	if err != nil {
		return translate(err)
	}
	defer end()
	if _, err := tx.ExecContext(ctx, schemaSQL); err != nil {
		return fmt.Errorf("create the schema: %w", translate(err))
	}
	return translate(tx.Commit())
}

func (s *sqliteDB) runMigrations(ctx context.Context) (err error) {
	db := s.writer
	if s.file != nil {
		db = openPool(location(s.file.name), keepAll+"&_txlock=immediate")
		db.SetMaxOpenConns(1)
		defer func() { err = errors.Join(err, db.Close()) }()
	}
	provider, err := newProvider(goose.DialectSQLite3, db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", translate(err))
	}
	return nil
}
