package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresTx is a transaction. It sends BEGIN, the locks of workspaces and the
// statements without a needed result together with the next statement, because the
// round trips to the server are the cost of a transaction.
type postgresTx struct {
	conn   *pgx.Conn
	begin  string // the statement that begins the transaction, until it is sent
	began  bool   // a statement has succeeded
	writes bool
	locked string // the workspace that is locked
	fence  bool   // rows of other workspaces than the fenced one are hidden
	fenced string
	queued []queuedStatement
}

// queuedStatement is a statement that is sent with the next one.
type queuedStatement struct {
	query string
	args  []any
}

func (t *postgresTx) exec(ctx context.Context, query string, args []any) (affected int64, err error) {
	err = t.send(ctx, query, args, func(results pgx.BatchResults) error {
		tag, err := results.Exec()
		affected = tag.RowsAffected()
		return err
	})
	return affected, err
}

func (t *postgresTx) row(ctx context.Context, query string, args, into []any) error {
	return t.send(ctx, query, args, func(results pgx.BatchResults) error { return results.QueryRow().Scan(into...) })
}

func (t *postgresTx) rows(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	var stopped error
	err := t.send(ctx, query, args, func(results pgx.BatchResults) error {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if stopped = scan(rows); stopped != nil {
				break
			}
		}
		rows.Close()
		return rows.Err()
	})
	if stopped != nil && !errors.Is(stopped, errPageFull) {
		return stopped
	}
	return err
}

func (t *postgresTx) later(_ context.Context, query string, args []any) error {
	t.queued = append(t.queued, queuedStatement{query, args})
	return nil
}

// enter limits the following statements to a workspace, and locks it until the end of a
// write transaction, before anything in it is read. The lock is a statement of its own, because a statement does not see
// what was committed while it waited.
func (t *postgresTx) enter(workspace string) {
	if t.fence && t.fenced != workspace {
		t.fenced = workspace
		t.queued = append(t.queued, queuedStatement{"SELECT set_config('promptrails.workspace', $1, true)", []any{workspace}})
	}
	if t.writes && workspace != "" && t.locked != workspace {
		t.locked = workspace
		t.queued = append(t.queued, queuedStatement{"SELECT 1 FROM workspaces WHERE id = $1 FOR UPDATE", []any{workspace}})
	}
}

// send sends a statement with those that wait for it, and reads its result.
func (t *postgresTx) send(ctx context.Context, query string, args []any, read func(pgx.BatchResults) error) error {
	batch := new(pgx.Batch)
	if t.begin != "" {
		batch.Queue(t.begin)
		t.begin = ""
	}
	for _, s := range t.queued {
		batch.Queue(s.query, s.args...)
	}
	t.queued = nil
	before := batch.Len()
	batch.Queue(query, args...)
	results := t.conn.SendBatch(ctx, batch)
	err := func() error {
		for range before {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		return read(results)
	}()
	if closed := results.Close(); err == nil {
		err = closed
	}
	t.began = t.began || err == nil
	return translatePostgres(err)
}

// commit commits the transaction. It returns [ErrUnknown] if the server may have
// committed it without a confirmation.
func (t *postgresTx) commit(ctx context.Context) error {
	if t.begin != "" && len(t.queued) == 0 {
		return nil // no statement was run
	}
	var tag pgconn.CommandTag
	err := t.send(ctx, "COMMIT", nil, func(results pgx.BatchResults) (err error) {
		tag, err = results.Exec()
		return err
	})
	switch {
	case err == nil && tag.String() != "COMMIT":
		return fmt.Errorf("store: the server responded to the commit with %s", tag)
	case err != nil && isUnknown(err):
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

// rollback rolls back a transaction that is not committed. If it fails, the pool closes the
// connection, which ends the transaction.
func (t *postgresTx) rollback(ctx context.Context) {
	if t.begin == "" && t.conn.PgConn().TxStatus() != 'I' && !t.conn.IsClosed() {
		_, _ = t.conn.Exec(ctx, "ROLLBACK")
	}
}
