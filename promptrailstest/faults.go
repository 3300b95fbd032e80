package promptrailstest

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// FailNext makes the next n requests fail with status, which is 400 to 599. They are
// not carried out. The body is an error of the API. Without a request in between,
// calls of FailNext, [Server.RateLimitNext] and [Server.CutNext] add up. An invalid
// argument fails the test and has no effect.
func (s *Server) FailNext(n, status int) {
	s.t.Helper()
	if status < 400 || status > 599 {
		s.t.Errorf("FailNext: got status %d, want 400 to 599", status)
		return
	}
	s.addFault("FailNext", n, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { refuse(w, status) })
}

// RateLimitNext makes the next n requests fail with status 429. They are not carried
// out. The Retry-After of the response is retryAfter, rounded up to seconds. See
// [Server.FailNext].
func (s *Server) RateLimitNext(n int, retryAfter time.Duration) {
	s.t.Helper()
	if retryAfter < 0 {
		s.t.Errorf("RateLimitNext: got Retry-After %s, want 0 or more", retryAfter)
		return
	}
	s.addFault("RateLimitNext", n, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Retry-After", strconv.FormatFloat(math.Ceil(retryAfter.Seconds()), 'f', 0, 64))
		refuse(w, http.StatusTooManyRequests)
	})
}

// CutNext carries out the next n requests, and closes their connections in the first
// byte of the response, after their changes are committed. See [Server.FailNext].
func (s *Server) CutNext(n int) {
	s.t.Helper()
	s.addFault("CutNext", n, func(w http.ResponseWriter, r *http.Request, service http.Handler) {
		service.ServeHTTP(httptest.NewRecorder(), r)
		cut(w, r)
	})
}

// Latency delays each request by d from now on, in real time, before it is carried
// out or fails. If the client gives up meanwhile, the request is not carried out. 0
// removes the delay. A negative d fails the test and has no effect.
func (s *Server) Latency(d time.Duration) {
	s.t.Helper()
	if d < 0 {
		s.t.Errorf("Latency: got %s, want 0 or more", d)
		return
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.latency = d
}

func (s *Server) addFault(method string, n int, handle fault) {
	s.t.Helper()
	if n < 0 {
		s.t.Errorf("%s: got %d requests, want 0 or more", method, n)
		return
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.queue = append(s.faults.queue, faultyRequests{n, handle})
}

// faults decides how requests are handled.
type faults struct {
	mu      sync.Mutex
	latency time.Duration
	queue   []faultyRequests
}

// fault handles a request in place of the service.
type fault func(w http.ResponseWriter, r *http.Request, service http.Handler)

type faultyRequests struct {
	left   int
	handle fault
}

// next returns the delay and the fault of a request. The fault is nil if the service
// handles the request.
func (f *faults) next() (delay time.Duration, handle fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) > 0 && f.queue[0].left == 0 {
		f.queue = f.queue[1:]
	}
	if len(f.queue) > 0 {
		f.queue[0].left--
		handle = f.queue[0].handle
	}
	return f.latency, handle
}

// inject returns a handler of requests to service with faults.
func (f *faults) inject(service http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		delay, handle := f.next()
		if delay > 0 {
			wait(r, delay)
		}
		if handle != nil {
			handle(w, r, service)
			return
		}
		service.ServeHTTP(w, r)
	})
}

// wait waits for a delay. It aborts the request if its client gives up, which
// net/http notices only after the body was read.
func wait(r *http.Request, delay time.Duration) {
	const maxBody = 2 << 20 // more than the service accepts
	start, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(start), r.Body))
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// cut closes the connection of a request. It sends the first byte of a response
// before, because [http.Transport] would otherwise repeat some requests by itself, if
// their connection had been used before: the program under test would not see the
// fault.
func cut(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // close would reset the connection, and discard the byte
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_, _ = io.WriteString(conn, "H") // of HTTP/1.1
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// refuse writes an error response like those of the service.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Idempotency-Key-Honored", "true")
	wire.WriteFailure(w, status, string(codes[status]), "a fault of the test: "+http.StatusText(status), nil)
}

// codes are the codes of the API for the statuses that have one code.
var codes = map[int]promptrails.ErrorCode{
	http.StatusBadRequest:            promptrails.CodeBadRequest,
	http.StatusUnauthorized:          promptrails.CodeUnauthorized,
	http.StatusForbidden:             promptrails.CodeForbidden,
	http.StatusNotFound:              promptrails.CodeNotFound,
	http.StatusConflict:              promptrails.CodeInvalidState,
	http.StatusPreconditionFailed:    promptrails.CodePreconditionFailed,
	http.StatusRequestEntityTooLarge: promptrails.CodePayloadTooLarge,
	http.StatusUnprocessableEntity:   promptrails.CodeUnprocessable,
	http.StatusTooManyRequests:       promptrails.CodeRateLimited,
	http.StatusInternalServerError:   promptrails.CodeInternal,
	http.StatusServiceUnavailable:    promptrails.CodeUnavailable,
}
