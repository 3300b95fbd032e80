package store

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// The migrations of each database are in a folder. Migration 11 of SQLite and of
// PostgreSQL result in the same schema.
//
//go:embed migrations
var migrations embed.FS

// schemaVersions is the table of the migrations that were run.
const schemaVersions = "schema_versions"

// newProvider returns the migrations for a database.
func newProvider(d goose.Dialect, db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, folder(d))
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(d, db, files, goose.WithDisableGlobalRegistry(true), goose.WithTableName(schemaVersions))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// newestSchema returns the schema version after all migrations.
func newestSchema(d goose.Dialect) (int64, error) {
	files, err := fs.Glob(migrations, folder(d)+"/*.sql")
	if err != nil || len(files) == 0 {
		return 0, errors.Join(err, errors.New("the program has no migrations"))
	}
	return goose.NumericComponent(files[len(files)-1]) // Glob sorts them
}

func folder(d goose.Dialect) string {
	if d == goose.DialectPostgres {
		return "migrations/postgres"
	}
	return "migrations/sqlite"
}
