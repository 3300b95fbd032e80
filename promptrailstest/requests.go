package promptrailstest

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/promptrails-community/promptrails-go/internal/api"
	"github.com/promptrails-community/promptrails-go/internal/redact"
)

// Requests returns the requests that the server has received over HTTP, in the order
// in which they arrived, including failed ones. It keeps the latest 10,000. The
// Pattern of a request is its method and the path template of its operation, such as
// GET /api/v1/members/{id}, or empty if it matches no operation. Its Response has only
// the status. It is nil while the request is running, and if its connection was cut or
// its client gave up. Its Header has [redacted] in place of keys and tokens, and
// its Body is empty. A request is complete when its client has the response.
func (s *Server) Requests() []*http.Request {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	list := make([]*http.Request, len(s.requests.list))
	for i, r := range s.requests.list {
		list[i] = r.Clone(context.Background())
	}
	return list
}

const maxRequests = 10_000

// requests records requests.
type requests struct {
	mu   sync.Mutex
	list []*http.Request
}

// record returns a handler that records the requests to next.
func (rs *requests) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := newRequest(r) //nolint:contextcheck // the record outlives the request
		rs.add(request)
		recorder := &statusRecorder{ResponseWriter: w, requests: rs, request: request}
		next.ServeHTTP(recorder, r)
		recorder.set(http.StatusOK) // net/http sends it if the handler wrote nothing
	})
}

func (rs *requests) add(r *http.Request) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.list = append(rs.list, r); len(rs.list) > maxRequests {
		rs.list = rs.list[1:]
	}
}

func newRequest(r *http.Request) *http.Request {
	request := r.Clone(context.Background())
	request.Body, request.Pattern = http.NoBody, api.PatternOf(r)
	for _, name := range []string{"Authorization", "Proxy-Authorization", "X-Api-Key", "Cookie"} {
		if _, given := request.Header[name]; given {
			request.Header.Set(name, redact.Mark)
		}
	}
	return request
}

// statusRecorder records the status of a response before the client receives it.
type statusRecorder struct {
	http.ResponseWriter
	requests *requests
	request  *http.Request
}

func (w *statusRecorder) set(status int) {
	w.requests.mu.Lock()
	defer w.requests.mu.Unlock()
	if w.request.Response == nil && status >= http.StatusOK {
		w.request.Response = &http.Response{StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status))}
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusRecorder) WriteHeader(status int) {
	w.set(status)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *statusRecorder) Write(p []byte) (int, error) {
	w.set(http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
