package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// applicationID marks a SQLite file as ours ("PRTR" in ASCII).
const applicationID = 0x50525452

// oldestSQLite is the first release without a bug that could corrupt a file
// when the write-ahead log was reset.
var oldestSQLite = [3]int{3, 51, 3}

// Open opens the SQLite file of that name, which need not exist, or a database
// in memory for "".
func Open(ctx context.Context, file string) (_ *Store, err error) {
	s := &Store{fresh: true}
	if file == "" {
		// Every connection to a memory database has one of its own.
		s.writer = openSQLite("file::memory:", "")
		s.reader = s.writer
	} else {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			s.fresh = false
		}
		path := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath()}).String()
		s.writer = openSQLite(path, "_txlock=immediate")
		s.reader = openSQLite(path, "_pragma=query_only(1)")
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
	return s, s.migrate(ctx)
}

func openSQLite(path, options string) *sql.DB {
	dsn := path + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=trusted_schema(0)"
	if options != "" {
		dsn += "&" + options
	}
	// The driver's name is registered by its package: this cannot fail.
	db, _ := sql.Open("sqlite", dsn)
	db.SetConnMaxLifetime(0)
	db.SetConnMaxIdleTime(0)
	return db
}

// check refuses a library or file that the service cannot rely on, before it
// changes anything.
func (s *Store) check(ctx context.Context) error {
	var version, journal string
	var foreignKeys, synchronous, id, tables int
	for query, into := range map[string]any{
		"SELECT sqlite_version()":            &version,
		"PRAGMA foreign_keys":                &foreignKeys,
		"PRAGMA synchronous":                 &synchronous,
		"PRAGMA journal_mode":                &journal,
		"PRAGMA application_id":              &id,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := s.writer.QueryRowContext(ctx, query).Scan(into); err != nil {
			return fmt.Errorf("the file is not a database that can be used: %w", translate(err))
		}
	}
	switch {
	case olderSQLite(version):
		return fmt.Errorf("SQLite %s can corrupt a file; %v or later is needed", version, oldestSQLite)
	case foreignKeys != 1 || synchronous != 2:
		return fmt.Errorf("SQLite does not keep its settings: foreign_keys=%d synchronous=%d", foreignKeys, synchronous)
	case journal != "wal" && journal != "memory":
		return fmt.Errorf("SQLite keeps the journal mode %s: the file system lacks what a write-ahead log needs", journal)
	case id != applicationID && tables > 0:
		return errors.New("the file is the database of another program")
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

func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files, goose.WithDisableGlobalRegistry(true), goose.WithTableName("schema_versions"))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", translate(err))
	}
	if current > target {
		return fmt.Errorf("the database has schema %d, this program knows %d: use the newer program that wrote it", current, target)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", translate(err))
	}
	return nil
}
