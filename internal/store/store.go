// Package store stores the data of the workspace service in SQLite or PostgreSQL.
//
// A [Tx] is bound to one workspace: it passes the workspace's id as $1 to every
// statement. Queries that are not limited to one workspace are methods of
// [Global]: they are in global.go, and those of a check of the data in the files that
// begin with check. The statements are the same for all databases;
// the differences between them are in the files that begin with sqlite and postgres.
package store

import (
	"context"
	"errors"
	"io"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// Errors returned by the store.
var (
	ErrNotFound = errors.New("store: no such row")
	ErrExists   = errors.New("store: such a row exists")
	ErrBusy     = errors.New("store: the database cannot be written now")
	ErrDamaged  = errors.New("store: the database is damaged")
)

// writeTimeout is the timeout of a write transaction. It replaces the deadline
// and cancellation of the request.
const writeTimeout = 30 * time.Second

// Store is a database. It is safe for concurrent use.
type Store struct {
	engine

	keys      *lru.Cache[string, keyPlace]
	telemetry *telemetry.Telemetry
	unobserve func() error
}

// keyPlace is the API key that a hash finds.
type keyPlace struct{ workspace, id string }

// maxKeyPlaces is the maximum number of hashes that are looked up only the first time.
const maxKeyPlaces = 10_000

func newStore(e engine) (*Store, error) {
	keys, err := lru.New[string, keyPlace](maxKeyPlaces)
	return &Store{engine: e, keys: keys, unobserve: func() error { return nil }}, err
}

// Read implements [engine].
func (s *Store) Read(ctx context.Context, fn func(*Global) error) error {
	return s.run(ctx, telemetry.Read, s.engine.Read, fn)
}

// Write implements [engine].
func (s *Store) Write(ctx context.Context, fn func(*Global) error) error {
	return s.run(ctx, telemetry.Write, s.engine.Write, fn)
}

// run runs a transaction of the engine.
func (s *Store) run(ctx context.Context, mode telemetry.Mode, transact func(context.Context, func(*Global) error) error, fn func(*Global) error) (err error) {
	ctx, span := s.telemetry.StartTransaction(ctx, s.Kind(), mode)
	defer func() { span.End(errorType(err)) }()
	return transact(ctx, func(g *Global) error {
		span.Attempt()
		g.keys = s.keys
		return fn(g)
	})
}

// errorType returns the type of an error of the database, or "" for the errors of a
// transaction's function.
func errorType(err error) string {
	switch {
	case errors.Is(err, ErrBusy):
		return "unavailable"
	case errors.Is(err, ErrUnknown):
		return "unknown_outcome"
	case errors.Is(err, ErrDamaged):
		return "damaged"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return ""
	}
}

// Observe makes spans and metrics of the store, until it is closed. It must be called
// before the store is used.
func (s *Store) Observe(t *telemetry.Telemetry) error {
	stop, err := t.ObserveSize(s.Size)
	if err != nil {
		return err
	}
	s.telemetry, s.unobserve = t, stop
	s.engine.Observe(t)
	return nil
}

// Close implements [engine].
func (s *Store) Close() error { return errors.Join(s.unobserve(), s.engine.Close()) }

// engine is a database system.
type engine interface {
	// Read runs fn in a read-only transaction, which sees one snapshot. fn runs again
	// if its first statement fails because the connection was lost.
	Read(ctx context.Context, fn func(*Global) error) error
	// Write runs fn in a transaction. It commits the transaction if fn returns nil
	// and rolls it back otherwise. fn may be run more than once, so it must only
	// change the database. The cancellation of ctx stops the wait for the
	// transaction, but not fn.
	Write(ctx context.Context, fn func(*Global) error) error
	// LimitWriters sets the maximum number of writes that wait at the same time. A
	// further write returns ErrBusy.
	LimitWriters(n int)
	// Observe sets the telemetry of commits that several writes share.
	Observe(t *telemetry.Telemetry)
	// Size returns the size of the database in bytes.
	Size(ctx context.Context) (int64, error)
	// Ping checks that the database can be read. If the last write failed, Ping
	// also tries a write.
	Ping(ctx context.Context) error
	// Checkpoint bounds the size of the files that the database writes to before
	// the main file, if it has any.
	Checkpoint(ctx context.Context) error
	// Backup writes a copy of one snapshot of the database to w, and returns its size.
	Backup(ctx context.Context, w io.Writer) (int64, error)
	// CheckPages returns a description of each fault of the database's file.
	CheckPages(ctx context.Context) (faults []string, err error)
	// Close closes the database. Read and Write finish their transaction before
	// they return.
	Close() error
	// System returns the name and version of the database system.
	System() string
	// Kind returns the name of the database system in the semantic conventions of
	// OpenTelemetry.
	Kind() string
}

// Open opens a database: the PostgreSQL database with that URL, the SQLite file with
// that name, or a SQLite database in memory if dsn is "". It creates the schema, and
// the file, if they do not exist. For an existing database, Open calls admit before it
// changes anything, with the value of the setting [MasterKeyProof], or nil if it is
// not set. If admit returns an error, Open returns it. Before Open migrates a database
// with an earlier schema, it calls migrates with the versions of the schema, if migrates
// is not nil. Each migration is a transaction: if one fails, the schema is the one before
// it.
func Open(ctx context.Context, dsn string, admit func(masterKeyProof []byte) error, migrates func(from, to int64)) (*Store, error) {
	if migrates == nil {
		migrates = func(int64, int64) {}
	}
	if IsServer(dsn) {
		p, err := openPostgres(ctx, dsn, admit, migrates)
		if err != nil {
			return nil, err
		}
		return newStore(p)
	}
	s, err := openSQLite(ctx, dsn, admit, migrates)
	if err != nil {
		return nil, err
	}
	return newStore(s)
}

// Global is a transaction that is not limited to one workspace.
type Global struct {
	caller, ctx context.Context //nolint:containedctx // a transaction has one, as sql.Tx does
	tx          transaction
	keys        *lru.Cache[string, keyPlace]
}

// newGlobal returns a transaction that runs no statement after ctx has ended. A
// running statement is not canceled: the driver of SQLite would start a goroutine
// for each statement to do so, and that of PostgreSQL close the connection.
func newGlobal(ctx, running context.Context, tx transaction) *Global {
	return &Global{caller: ctx, ctx: running, tx: tx}
}

// transaction runs the statements of a transaction. It returns the errors of this
// package.
type transaction interface {
	exec(ctx context.Context, query string, args []any) (affected int64, err error)
	row(ctx context.Context, query string, args []any, into []any) error
	rows(ctx context.Context, query string, args []any, scan func(scanner) error) error
	// later runs a statement before the next one, or before the commit, and then
	// returns its error.
	later(ctx context.Context, query string, args []any) error
	// enter is called before a statement on the rows of a workspace, or of any if
	// workspace is "". A write transaction locks the workspace until its commit.
	enter(workspace string)
}

// scanner is the current row of a result.
type scanner interface{ Scan(into ...any) error }

// Tx is a transaction over the rows of one workspace.
type Tx struct {
	global    *Global
	workspace string
}

// scoped is SQL that is limited to the workspace whose id is $1.
type scoped string

func (t *Tx) exec(query scoped, args ...any) (int64, error) {
	return t.global.execIn(t.workspace, string(query), t.with(args))
}

// later is exec for a statement if the transaction does not need its result.
func (t *Tx) later(query scoped, args ...any) error {
	return t.global.laterIn(t.workspace, string(query), t.with(args))
}

func (t *Tx) row(query scoped, args []any, into ...any) error {
	return t.global.rowIn(t.workspace, string(query), t.with(args), into)
}

func (t *Tx) rows(query scoped, args []any, scan func(scanner) error) error {
	return t.global.rowsIn(t.workspace, string(query), t.with(args), scan)
}

// with returns the arguments of a statement: the workspace is the first.
func (t *Tx) with(args []any) []any { return append([]any{t.workspace}, args...) }

func (g *Global) exec(query string, args ...any) (int64, error) { return g.execIn("", query, args) }

func (g *Global) later(query string, args ...any) error { return g.laterIn("", query, args) }

func (g *Global) row(query string, args []any, into ...any) error {
	return g.rowIn("", query, args, into)
}

func (g *Global) rows(query string, args []any, scan func(scanner) error) error {
	return g.rowsIn("", query, args, scan)
}

func (g *Global) execIn(workspace, query string, args []any) (int64, error) {
	if err := g.enter(workspace); err != nil {
		return 0, err
	}
	return g.tx.exec(g.ctx, query, args)
}

func (g *Global) laterIn(workspace, query string, args []any) error {
	if err := g.enter(workspace); err != nil {
		return err
	}
	return g.tx.later(g.ctx, query, args)
}

func (g *Global) rowIn(workspace, query string, args, into []any) error {
	if err := g.enter(workspace); err != nil {
		return err
	}
	return g.tx.row(g.ctx, query, args, into)
}

func (g *Global) rowsIn(workspace, query string, args []any, scan func(scanner) error) error {
	if err := g.enter(workspace); err != nil {
		return err
	}
	return g.tx.rows(g.ctx, query, args, scan)
}

// interruptible returns the transaction for a statement whose rows are not bounded. It
// is canceled when the context of the caller is done.
func (t *Tx) interruptible() *Tx {
	g := *t.global
	g.ctx = g.caller
	return &Tx{&g, t.workspace}
}

// enter prepares a statement on the rows of a workspace, or of any if workspace is "".
func (g *Global) enter(workspace string) error {
	if err := g.caller.Err(); err != nil { // the request has ended or takes too long
		return err
	}
	g.tx.enter(workspace)
	return nil
}

// affected returns ErrNotFound if a statement changed no rows.
func affected(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
