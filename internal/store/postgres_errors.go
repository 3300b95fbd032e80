package store

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The codes of errors that are handled, from appendix A of the PostgreSQL manual.
const (
	uniqueViolation      = "23505"
	invalidText          = "22021"
	readOnlyTransaction  = "25006"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	diskFull             = "53100"
	tooManyConnections   = "53300"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	dataCorrupted        = "XX001"
	indexCorrupted       = "XX002"
)

// translatePostgres maps the errors of the server and the connection to those of the
// package.
func translatePostgres(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if isDisconnected(err) {
			return &unavailableError{"the database server cannot be reached", false, err}
		}
		return err
	}
	switch e.Code {
	case uniqueViolation:
		return fmt.Errorf("%w: %w", ErrExists, err)
	case invalidText: // no row has it
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case readOnlyTransaction:
		return &unavailableError{"the database is read-only", true, err}
	case diskFull:
		return &unavailableError{"the disk is full", true, err}
	case tooManyConnections:
		return &unavailableError{"the database server has too many connections", false, err}
	case lockNotAvailable:
		return &unavailableError{"another transaction holds a lock for too long", false, err}
	case serializationFailure, deadlockDetected:
		return &unavailableError{"too many transactions conflict", false, err}
	case queryCanceled:
		return &unavailableError{"a statement took too long", false, err}
	case dataCorrupted, indexCorrupted:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	switch class(e) {
	case "08": // the connection of a server to a node of Citus
		return &unavailableError{"a node of the database cannot be reached", false, err}
	case "57": // shutdown, crash, start
		return &unavailableError{"the database server is restarting", false, err}
	}
	return err
}

// class returns the class of an error: the first two characters of its code. A proxy may
// send an error without a code.
func class(e *pgconn.PgError) string { return e.Code[:min(2, len(e.Code))] }

// isDisconnected reports whether the connection failed or was lost.
func isDisconnected(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "57P")
	}
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	_, isNet := errors.AsType[net.Error](err)
	return isConnect || isNet || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// isUnknown reports whether the server may have committed a transaction although its
// COMMIT failed. An error of the level ERROR rolls it back, unless a node of Citus
// failed. Errors of higher levels close the connection.
func isUnknown(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		level := e.SeverityUnlocalized
		return level != "ERROR" || slices.Contains([]string{"08", "57", "58", "XX"}, class(e))
	}
	_, isPrepare := errors.AsType[pgx.ErrPreprocessingBatch](err) // COMMIT was not sent
	return !isPrepare && !pgconn.SafeToRetry(err)
}

// isLocked reports whether a transaction did not get a lock in time.
func isLocked(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == lockNotAvailable
}

// runsAgain reports whether a transaction that failed can succeed if it runs again. It
// was not committed.
func runsAgain(err error) bool {
	if err == nil || errors.Is(err, ErrUnknown) {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return slices.Contains([]string{serializationFailure, deadlockDetected, lockNotAvailable}, e.Code) || class(e) == "08" || strings.HasPrefix(e.Code, "57P")
	}
	return isDisconnected(err)
}
