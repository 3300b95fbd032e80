package promptrails

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// attemptTrace records whether an attempt had a connection over which the server
// may have received it. Its hooks may run in other goroutines.
type attemptTrace struct{ asked, connected, reused atomic.Bool }

func (t *attemptTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			t.asked.Store(true)
			// net/http asks again if the connection that it reused was closed
			// before the server did anything; a transport around it, for any reason.
			if t.reused.Swap(false) {
				t.connected.Store(false)
			}
		},
		GotConn: func(c httptrace.GotConnInfo) { t.connected.Store(true); t.reused.Store(c.Reused) },
	}
}

func (t *attemptTrace) reset() { t.asked.Store(false); t.connected.Store(false); t.reused.Store(false) }

// mayHaveReached reports whether the server may have received an attempt that
// failed with err.
func (t *attemptTrace) mayHaveReached(err error) bool {
	if t.asked.Load() {
		return t.connected.Load()
	}
	// The transport is another one, or does not pass the context on.
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return false
	}
	_, ok := errors.AsType[*net.DNSError](err)
	return !ok && !isPermanent(err)
}

// isTransient reports whether the same request may succeed after a response with
// this status. A proxy may have sent it after the server did its work.
func isTransient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// mayBeDone reports whether a server that responds with this status may have
// carried out the request.
func mayBeDone(status int) bool {
	switch status {
	case http.StatusFound, http.StatusSeeOther: // to where the result is, perhaps
		return true
	default:
		return status >= 500 || isTransient(status)
	}
}

// isPermanent reports whether another attempt would fail in the same way,
// before anything is sent.
func isPermanent(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok || errors.Is(err, http.ErrSchemeMismatch)
}
