package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"
)

// postgresDB is a PostgreSQL database.
type postgresDB struct {
	pool    *pgxpool.Pool
	writers *semaphore.Weighted // leaves connections to the readers; serves writers in order
	fault   fault
	system  string
	fence   bool // row-level security
}

// ErrUnknown is returned by Write if the connection was lost during the commit: the
// transaction may have been committed.
var ErrUnknown = errors.New("store: the connection to the database was lost during the commit")

// Read implements [engine]. If the connection turns out to be lost before anything was
// read, fn runs again with another one.
func (p *postgresDB) Read(ctx context.Context, fn func(*Global) error) error {
	for attempt := 1; ; attempt++ {
		began, err := p.tryRead(ctx, fn)
		if began || attempt == maxReadAttempts || !runsAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}

// maxReadAttempts is one more than the number of lost connections that are replaced.
const maxReadAttempts = 3

// tryRead runs fn in a transaction. It reports whether the transaction began.
func (p *postgresDB) tryRead(ctx context.Context, fn func(*Global) error) (began bool, err error) {
	tx, running, end, err := p.begin(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", false)
	if err != nil {
		return false, err
	}
	defer end()
	err = fn(newGlobal(ctx, running, tx))
	return tx.began, err
}

// The limits of the repetition of a transaction.
const (
	maxAttempts = 10
	firstPause  = 2 * time.Millisecond // doubles with each attempt
)

// Write implements [engine]. If the transaction conflicts with another one, or if the
// connection is lost before the commit, it runs again. A write waits at most 10 s for
// a connection, and for another write in the same workspace.
func (p *postgresDB) Write(ctx context.Context, fn func(*Global) error) error {
	wait, cancel := context.WithTimeout(ctx, maxWriteWait)
	defer cancel()
	if err := p.writers.Acquire(wait, 1); err != nil {
		return orWaiting(ctx, err)
	}
	defer p.writers.Release(1)
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := p.try(ctx, fn)
		if attempt == maxAttempts || !runsAgain(err) || ctx.Err() != nil {
			p.fault.note(err)
			return err
		}
		time.Sleep(time.Duration(rand.Int64N(int64(pause)))) //nolint:gosec // not used for secrets
		pause *= 2
	}
}

// try runs fn in a transaction.
func (p *postgresDB) try(ctx context.Context, fn func(*Global) error) error {
	tx, running, end, err := p.begin(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", true)
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
func (p *postgresDB) begin(ctx context.Context, statement string, writes bool) (_ *postgresTx, running context.Context, end func(), err error) {
	wait, cancelWait := context.WithTimeout(ctx, maxWriteWait)
	defer cancelWait()
	conn, err := p.pool.Acquire(wait)
	if err != nil {
		return nil, nil, nil, orWaiting(ctx, translatePostgres(err))
	}
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	tx := &postgresTx{conn: conn.Conn(), begin: statement, writes: writes, fence: p.fence}
	return tx, running, func() {
		tx.rollback(running)
		cancel()
		conn.Release()
	}, nil
}

// orWaiting returns the error of a wait that did not end because of ctx.
func orWaiting(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errWaiting
	}
	return err
}

// Ping implements [engine].
func (p *postgresDB) Ping(ctx context.Context) error {
	if p.fault.exists() {
		return p.tryWrite(ctx)
	}
	return p.Read(ctx, func(g *Global) error {
		var one int
		return g.row("SELECT 1", nil, &one)
	})
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

// Close implements [engine].
func (p *postgresDB) Close() error {
	p.pool.Close()
	return nil
}

// System implements [engine].
func (p *postgresDB) System() string { return p.system }
