package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// The schema of SQLite after all migrations and that of PostgreSQL have the same
// columns and indexes.
func TestSchemasAgree(t *testing.T) {
	t.Parallel()
	sqlite := schema(t, opened(t, ""), `
		SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type || CASE WHEN c."notnull" = 1 OR c.pk > 0 THEN ' NOT NULL' ELSE '' END
		FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'
		UNION ALL
		SELECT CASE i."unique" WHEN 1 THEN 'unique' ELSE 'index' END || ' ' || CASE i.origin WHEN 'c' THEN i.name ELSE t.name || ' ' || i.origin END
			|| ' of ' || (SELECT count(*) FROM pragma_index_info(i.name)) || CASE i.partial WHEN 1 THEN ' in part' ELSE '' END
		FROM sqlite_schema t JOIN pragma_index_list(t.name) i WHERE t.type = 'table'`)
	postgres := schema(t, opened(t, pgtest.DSN(t)), `
		SELECT 'column ' || table_name || '.' || column_name || ' ' || CASE data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' ELSE upper(data_type) END
			|| CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
		FROM information_schema.columns WHERE table_schema = current_schema()
		UNION ALL
		SELECT CASE WHEN i.indisunique THEN 'unique' ELSE 'index' END || ' '
			|| CASE WHEN i.indisprimary THEN t.relname || ' pk' WHEN c.conname IS NOT NULL THEN t.relname || ' u' ELSE x.relname END
			|| ' of ' || i.indnkeyatts || CASE WHEN i.indpred IS NULL THEN '' ELSE ' in part' END
		FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'u'
		WHERE t.relnamespace = current_schema()::regnamespace`)
	if diff := cmp.Diff(postgres, sqlite); diff != "" {
		t.Errorf("schema of SQLite (-want, of PostgreSQL, +got):\n%s", diff)
	}
	if len(sqlite) < 300 {
		t.Errorf("schema: got %d columns and indexes, want at least 300", len(sqlite))
	}
}

// updateVariable makes the test write migrations/sqlite_schema.sql.
const updateVariable = "PROMPTRAILS_UPDATE_SCHEMA"

// The schema of a new SQLite database is the one that all migrations result in.
func TestSchemaOfNewDatabases(t *testing.T) {
	t.Parallel()
	db := openPool("file::memory:", keepWrites)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	migrated := &sqliteDB{writer: db, reader: db, queue: newQueue()}
	if err := migrated.runMigrations(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "-- Written by: " + updateVariable + "=1 go test ./internal/store -run TestSchemaOfNewDatabases\n"
	err := migrated.Read(t.Context(), func(g *Global) error {
		statement := func(r scanner) error {
			var text string
			err := r.Scan(&text)
			want += "\n" + text + ";\n"
			return err
		}
		return errors.Join(
			g.rows("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid", nil, statement),
			g.rows("SELECT 'INSERT INTO schema_versions (version_id, is_applied) VALUES (' || version_id || ', ' || is_applied || ')' FROM schema_versions ORDER BY id", nil, statement),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	update := os.Getenv(updateVariable) != ""
	if update {
		if err := os.WriteFile("migrations/sqlite_schema.sql", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, schemaSQL); diff != "" && !update {
		t.Errorf("migrations/sqlite_schema.sql differs from the result of the migrations; to update it, run the command in its first line (-want +got):\n%s", diff)
	}
}

// schema returns the result of a query, sorted and without the table of migrations.
func schema(t *testing.T, s *Store, query string) (lines []string) {
	t.Helper()
	err := s.Read(t.Context(), func(g *Global) error {
		return g.rows(query, nil, func(r scanner) error {
			var line string
			err := r.Scan(&line)
			if !strings.Contains(line, schemaVersions) && !strings.Contains(line, "sqlite_") {
				lines = append(lines, line)
			}
			return err
		})
	})
	if err != nil {
		t.Fatal(fmt.Errorf("read the schema: %w", err))
	}
	slices.Sort(lines)
	return lines
}
