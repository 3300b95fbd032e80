package promptrailstest

import (
	"net/http"
	"sync"

	"github.com/promptrails-community/promptrails-go/internal/api"
	"github.com/promptrails-community/promptrails-go/internal/redact"
)

// Request is a request that a server has received over HTTP.
type Request struct {
	Method string
	// Path is the path template, relative to the API: /members/{id}. If the request
	// matches no operation, it is the path of the URL.
	Path string
	// Operation is the operation's id in /openapi.json, such as Members.Get. It is
	// empty for most operations on resources, and if the request matches none.
	Operation string
	Query     string
	// Header has [redacted] in place of keys and tokens.
	Header http.Header
	// Status is the status of the response, or 0 if there is none: the request is
	// running, its connection was cut, or its client gave up.
	Status int
}

// Requests returns the requests that the server has received over HTTP, in the order
// in which they arrived, including failed ones. It keeps the latest 10,000. A
// request is complete when its client has the response.
func (s *Server) Requests() []Request {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	list := make([]Request, len(s.requests.list))
	for i, r := range s.requests.list {
		list[i] = *r
		list[i].Header = r.Header.Clone()
	}
	return list
}

const maxRequests = 10_000

// requests records requests.
type requests struct {
	mu   sync.Mutex
	list []*Request
}

// record returns a handler that records the requests to next.
func (rs *requests) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := newRequest(r)
		rs.add(request)
		recorder := &statusRecorder{ResponseWriter: w, requests: rs, request: request}
		next.ServeHTTP(recorder, r)
		recorder.set(http.StatusOK) // net/http sends it if the handler wrote nothing
	})
}

func (rs *requests) add(r *Request) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.list = append(rs.list, r); len(rs.list) > maxRequests {
		rs.list = rs.list[1:]
	}
}

func newRequest(r *http.Request) *Request {
	request := &Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone()}
	for _, name := range []string{"Authorization", "Proxy-Authorization", "X-Api-Key", "Cookie"} {
		if _, given := request.Header[name]; given {
			request.Header.Set(name, redact.Mark)
		}
	}
	if id, path, found := api.OperationOf(r); found {
		request.Operation, request.Path = id, path
	}
	return request
}

// statusRecorder records the status of a response before the client receives it.
type statusRecorder struct {
	http.ResponseWriter
	requests *requests
	request  *Request
}

func (w *statusRecorder) set(status int) {
	w.requests.mu.Lock()
	defer w.requests.mu.Unlock()
	if w.request.Status == 0 && status >= http.StatusOK {
		w.request.Status = status
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
