package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// postgresDB is a PostgreSQL database.
type postgresDB struct {
	pool    *pgxpool.Pool
	writers *semaphore.Weighted // leaves connections to the readers; serves writers in order
	queue   writeCount
	fault   fault
	system  string
	fence   bool // row-level security
}

// ErrUnknown is returned by Write if the connection was lost during the commit: the
// transaction may have been committed.
var ErrUnknown = errors.New("store: the connection to the database was lost during the commit")

// The limits of the repetition of a transaction.
const (
	maxAttempts = 10
	firstPause  = 2 * time.Millisecond // doubles with each attempt
	maxPause    = 100 * time.Millisecond
)

// Read implements [engine]. If the connection turns out to be lost before anything was
// read, fn runs again with another one.
func (p *postgresDB) Read(ctx context.Context, fn func(*Global) error) error {
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		began, err := p.tryRead(ctx, running, fn)
		if ctx.Err() != nil && errors.Is(err, errWaiting) {
			return ctx.Err()
		}
		if began || attempt == maxAttempts || !p.runsAgain(err) || ctx.Err() != nil || running.Err() != nil {
			return err
		}
	}
}

// tryRead runs fn in a transaction. It reports whether the transaction began.
func (p *postgresDB) tryRead(ctx, running context.Context, fn func(*Global) error) (began bool, err error) {
	tx, end, err := p.begin(ctx, running, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", false)
	if err != nil {
		return false, err
	}
	defer end()
	err = fn(newGlobal(ctx, running, tx))
	return tx.began, err
}

// Write implements [engine]. If the transaction conflicts with another one, or if the
// connection is lost before the commit, it runs again. A write waits at most 10 s for
// a connection, and for other writes in the same workspace. It gives its connection to
// others while it waits for a workspace.
func (p *postgresDB) Write(ctx context.Context, fn func(*Global) error) error {
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if !p.queue.arrive() {
		return errWaiting
	}
	defer p.queue.depart()
	waiting, stop := context.WithTimeout(ctx, maxWriteWait)
	defer stop()
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := p.try(waiting, running, fn)
		switch {
		case ctx.Err() != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errWaiting)) && !errors.Is(err, ErrUnknown):
			return ctx.Err()
		case !p.runsAgain(err), waiting.Err() != nil, attempt >= maxAttempts && !isLocked(err):
			p.fault.note(err)
			return err
		}
		time.Sleep(time.Duration(rand.Int64N(int64(pause)))) //nolint:gosec // not used for secrets
		pause = min(2*pause, maxPause)
	}
}

// try runs fn in a transaction.
func (p *postgresDB) try(waiting, running context.Context, fn func(*Global) error) error {
	if err := p.writers.Acquire(waiting, 1); err != nil {
		return orWaiting(err)
	}
	defer p.writers.Release(1)
	tx, end, err := p.begin(waiting, running, "BEGIN ISOLATION LEVEL READ COMMITTED", true)
	if err != nil {
		return err
	}
	defer end()
	// As in SQLite, the caller's cancellation does not stop fn.
	if err := fn(newGlobal(running, running, tx)); err != nil {
		return err
	}
	return tx.commit(running)
}

// begin returns a transaction. Its statements run in the context running. The function
// end rolls it back, unless it was committed, and releases the connection.
func (p *postgresDB) begin(waiting, running context.Context, statement string, writes bool) (_ *postgresTx, end func(), err error) {
	wait, cancel := context.WithTimeout(waiting, maxWriteWait)
	defer cancel()
	conn, err := p.pool.Acquire(wait)
	if err != nil {
		return nil, nil, orWaiting(translatePostgres(err))
	}
	tx := &postgresTx{conn: conn.Conn(), begin: statement, writes: writes, fence: p.fence}
	return tx, func() {
		tx.rollback(running)
		conn.Release()
	}, nil
}

// runsAgain reports whether a transaction that failed can succeed if it runs again. It
// was not committed. If a connection was lost, the others of the pool are replaced.
func (p *postgresDB) runsAgain(err error) bool {
	if err != nil && isDisconnected(err) && !errors.Is(err, context.DeadlineExceeded) {
		p.pool.Reset()
	}
	return runsAgain(err)
}

// LimitWriters implements [engine].
func (p *postgresDB) LimitWriters(n int) { p.queue.most.Store(int64(n)) }

// Observe implements [engine]. A commit has one write.
func (p *postgresDB) Observe(*telemetry.Telemetry) {}

// Size implements [engine]. It is the size of the tables in the schema, with their
// indexes, and in a Citus cluster of those on the coordinator.
func (p *postgresDB) Size(ctx context.Context) (bytes int64, err error) {
	err = p.Read(ctx, func(g *Global) error {
		return g.row("SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace", nil, &bytes)
	})
	return bytes, err
}

// writeCount is the number of writes that wait or run.
type writeCount struct{ now, most atomic.Int64 }

// arrive adds a write, unless there are too many.
func (c *writeCount) arrive() bool {
	if c.now.Add(1) > c.most.Load() {
		c.depart()
		return false
	}
	return true
}

func (c *writeCount) depart() { c.now.Add(-1) }

// orWaiting returns the error of a wait for a connection.
func orWaiting(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errWaiting
	}
	return err
}

// pingTimeout is less than the usual timeout of a probe.
const pingTimeout = 3 * time.Second

// Ping implements [engine].
func (p *postgresDB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := p.pool.Ping(ctx); err != nil {
		return translatePostgres(err)
	}
	if p.fault.exists() {
		return p.tryWrite(ctx)
	}
	return nil
}

// tryWrite overwrites a setting with the same value.
func (p *postgresDB) tryWrite(ctx context.Context) error {
	return p.Write(ctx, func(g *Global) error {
		_, err := g.exec("UPDATE settings SET value = value WHERE name = $1", MasterKeyProof)
		return err
	})
}

// Checkpoint implements [engine]. It does nothing, because the server bounds the size
// of its log.
func (p *postgresDB) Checkpoint(context.Context) error { return nil }

// Backup implements [engine]. It returns an error, because the server has programs for it.
func (p *postgresDB) Backup(context.Context, io.Writer) (int64, error) {
	return 0, fmt.Errorf("back up a PostgreSQL database with pg_dump --enable-row-security: %w by the service", errors.ErrUnsupported)
}

// CheckPages implements [engine]. The server has a check of its own, pg_amcheck.
func (p *postgresDB) CheckPages(context.Context) ([]string, error) { return nil, nil }

// Close implements [engine].
func (p *postgresDB) Close() error {
	p.pool.Close()
	return nil
}

// System implements [engine].
func (p *postgresDB) System() string { return p.system }

// Kind implements [engine].
func (p *postgresDB) Kind() string { return "postgresql" }
