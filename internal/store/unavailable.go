package store

import (
	"errors"
	"sync/atomic"
)

// unavailableError is the reason why the database is unavailable. It matches
// [ErrBusy].
type unavailableError struct {
	reason string
	lasts  bool // until an operator fixes it; the service is not ready
	err    error
}

func (e *unavailableError) Error() string {
	if e.err == nil {
		return "store: " + e.reason
	}
	return "store: " + e.reason + ": " + e.err.Error()
}

func (e *unavailableError) Is(target error) bool { return target == ErrBusy }
func (e *unavailableError) Unwrap() error        { return e.err }

// Reason returns a message that describes why the database is unavailable. There
// is one message for each cause, and it contains no path. Reason returns "" for
// other errors.
func Reason(err error) string {
	if e, ok := errors.AsType[*unavailableError](err); ok {
		return e.reason
	}
	return ""
}

// errWaiting is the error of a write that has waited too long.
var errWaiting = &unavailableError{"too many writers wait for the database", false, nil}

// IsWaiting reports whether err is that of a transaction that has waited too long, or of
// one more than can wait.
func IsWaiting(err error) bool { return errors.Is(err, errWaiting) }

// fault is the reason for failing writes, until a write succeeds.
type fault struct {
	reason atomic.Pointer[unavailableError]
}

// note records the result of a write.
func (f *fault) note(err error) {
	if e, ok := errors.AsType[*unavailableError](err); ok && e.lasts {
		f.reason.Store(e)
	} else if err == nil && f.reason.Load() != nil {
		f.reason.Store(nil)
	}
}

func (f *fault) exists() bool { return f.reason.Load() != nil }
