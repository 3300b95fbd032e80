package store

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// A migration of PostgreSQL that fails leaves the tables before it. After the cause is
// removed, the schema is created.
func TestPostgresFailedMigration(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	provider, conn := migrator(t, dsn)
	if _, err := provider.GetDBVersion(t.Context()); err != nil { // creates the table of versions
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE masked_values (a BIGINT)"); err != nil {
		t.Fatal(err)
	}
	admit := func([]byte) error { return nil }
	if _, err := Open(t.Context(), dsn, admit, nil); err == nil || !strings.Contains(err.Error(), "masked_values") {
		t.Errorf("Open: got %v, want an error about masked_values", err)
	}
	if got := columns(t, conn); !slices.Equal(got, []string{"masked_values.a bigint default"}) {
		t.Errorf("columns after a failed migration: got %q, want only that of before", got)
	}
	if _, err := conn.Exec(t.Context(), "DROP TABLE masked_values"); err != nil {
		t.Fatal(err)
	}
	s := opened(t, dsn)
	twins(t, s)
}

// Each migration of PostgreSQL after the first only adds tables, columns that have a
// default or may be NULL, and indexes: the statements of a program with the previous
// schema, which may run while another one migrates, find what they name.
func TestPostgresMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	provider, conn := migrator(t, pgtest.DSN(t))
	var before []string
	for _, m := range provider.ListSources() {
		if _, err := provider.UpTo(t.Context(), m.Version); err != nil {
			t.Fatal(err)
		}
		after := columns(t, conn)
		for _, c := range before {
			if !slices.Contains(after, c) {
				t.Errorf("column %s: got none after migration %d, want it as before", c, m.Version)
			}
		}
		for _, c := range after {
			table, _, _ := strings.Cut(c, ".")
			existed := slices.ContainsFunc(before, func(b string) bool { return strings.HasPrefix(b, table+".") })
			if existed && !slices.Contains(before, c) && !strings.HasSuffix(c, " default") {
				t.Errorf("column %s of migration %d: got no default, want one, because programs with the previous schema do not set it", c, m.Version)
			}
		}
		before = after
	}
	if len(before) < 200 {
		t.Errorf("columns after all migrations: got %d, want 200 or more", len(before))
	}
}

// migrator returns the migrations for a database, and a connection to it.
func migrator(t *testing.T, dsn string) (*goose.Provider, *pgx.Conn) {
	t.Helper()
	config, err := pgx.ParseConfig(strings.ReplaceAll(dsn, "&pool_max_conns=8", ""))
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := newProvider(goose.DialectPostgres, db)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return provider, conn
}

// columns returns the columns of the schema, except for the table of versions. Those that
// an INSERT may omit end with default.
func columns(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT table_name || '.' || column_name || ' ' || data_type || CASE WHEN is_nullable = 'YES' OR column_default IS NOT NULL THEN ' default' ELSE '' END
		FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> $1 ORDER BY 1`, schemaVersions)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return found
}
