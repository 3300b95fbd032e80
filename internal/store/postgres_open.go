package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/semaphore"
)

// defaultConns is the maximum number of connections if the DSN does not set
// pool_max_conns. Half of them are for writers.
const defaultConns = 16

// serverParameters are set for each connection unless the DSN sets them. Timeouts are in
// milliseconds.
var serverParameters = map[string]string{
	"application_name":                    "promptrails",
	"lock_timeout":                        "100",   // then the connection is given to another writer
	"statement_timeout":                   "30000", // writeTimeout
	"idle_in_transaction_session_timeout": "10000", // of a process that has vanished
	"tcp_keepalives_idle":                 "10",    // in seconds
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
}

// IsServer reports whether dsn is the URL of a database server.
func IsServer(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// openPostgres opens a PostgreSQL database.
func openPostgres(ctx context.Context, dsn string, admit func(masterKeyProof []byte) error, migrates func(from, to int64)) (_ *postgresDB, err error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err // without the password
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = defaultConns
	}
	for name, value := range serverParameters {
		if _, ok := config.ConnConfig.RuntimeParams[name]; !ok {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	p := &postgresDB{pool: pool, writers: semaphore.NewWeighted(int64(max(1, config.MaxConns/2)))}
	p.LimitWriters(maxWriters)
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	if err := p.prepare(ctx, admit, migrates); err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", translatePostgres(err))
	}
	return p, p.tryWrite(ctx)
}

// prepare creates or migrates the schema, if necessary. One process does so at a time.
func (p *postgresDB) prepare(ctx context.Context, admit func([]byte) error, migrates func(from, to int64)) error {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	current, isNew, err := inspectPostgres(ctx, conn.Conn(), admit)
	if err != nil {
		return err
	}
	newest, err := newestSchema(goose.DialectPostgres)
	if err != nil {
		return err
	}
	switch {
	case current > newest:
		return fmt.Errorf("the database has schema %d, this program knows %d: use the newer program that wrote it", current, newest)
	case current < newest || isNew:
		if current > 0 && current < newest {
			migrates(current, newest)
		}
		if err := p.migrate(ctx, isNew); err != nil {
			return err
		}
	}
	p.fence, p.system, err = describe(ctx, conn.Conn())
	return err
}

// inspectPostgres returns the version of the schema, or 0 if there are no tables, and
// whether no process has used the database yet. It returns an error if the tables are
// those of another program.
func inspectPostgres(ctx context.Context, conn *pgx.Conn, admit func([]byte) error) (version int64, isNew bool, err error) {
	var tables int
	var exists, ours bool
	err = conn.QueryRow(ctx, `SELECT current_schema() IS NOT NULL, count(*), coalesce(bool_or(tablename = $1), false)
		FROM pg_tables WHERE schemaname = current_schema()`, schemaVersions).Scan(&exists, &tables, &ours)
	switch {
	case err != nil:
		return 0, false, err
	case !exists:
		return 0, false, errors.New("the schema of search_path does not exist, or the user has no right to use it")
	case tables == 0:
		return 0, true, admit(nil)
	case !ours:
		return 0, false, errors.New("the schema has the tables of another program: use an empty database, or a schema of its own with the parameter search_path")
	}
	if err := conn.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+schemaVersions).Scan(&version); err != nil || version == 0 {
		return 0, true, errors.Join(err, admit(nil))
	}
	var proof []byte
	err = conn.QueryRow(ctx, "SELECT value FROM settings WHERE name = $1", MasterKeyProof).Scan(&proof)
	if errors.Is(err, pgx.ErrNoRows) {
		return version, true, admit(nil)
	}
	return version, false, errors.Join(err, admit(proof))
}

// migrationLock is the key of the advisory lock of migrations ("PRTR" in ASCII).
const migrationLock = applicationID

// migrate runs the migrations that the database lacks. Other processes that open the
// database wait for it.
func (p *postgresDB) migrate(ctx context.Context, isNew bool) (err error) {
	config := p.pool.Config().ConnConfig
	config.RuntimeParams["lock_timeout"], config.RuntimeParams["statement_timeout"] = "0", "0"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }() // also unlocks
	wait, cancel := context.WithTimeout(ctx, createWait)
	defer cancel()
	if _, err := conn.Exec(wait, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("wait for another process that migrates the database: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(goose.DialectPostgres, db)
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	if !isNew {
		return nil
	}
	citus, err := citusVersion(ctx, conn)
	switch {
	case err != nil:
		return err
	case citus != "":
		return distribute(ctx, conn)
	default:
		return raiseFence(ctx, conn)
	}
}

// describe returns whether the rows have a fence, and a description of the server and
// of how it stores the rows.
func describe(ctx context.Context, conn *pgx.Conn) (fence bool, system string, err error) {
	if err := conn.QueryRow(ctx, "SELECT 'PostgreSQL ' || current_setting('server_version')").Scan(&system); err != nil {
		return false, "", err
	}
	citus, err := citusVersion(ctx, conn)
	if err != nil {
		return false, "", err
	}
	if citus == "" {
		fence, why, err := hasFence(ctx, conn)
		return fence, system + why, err
	}
	distributed, err := isDistributed(ctx, conn)
	if err != nil {
		return false, "", err
	}
	if !distributed {
		return false, fmt.Sprintf("%s with Citus %s, all tables on the coordinator", system, citus), nil
	}
	return false, fmt.Sprintf("%s with Citus %s, tables distributed by workspace", system, citus), nil
}
