// Package httpfixture records the HTTP exchanges of a test in a readable file, and
// replays them. During replay, the test fails if its requests differ from the
// recorded ones in number, order or content.
package httpfixture

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jarcoal/httpmock"
)

// Exchange is a request and its response, without secrets.
type Exchange struct {
	Request  Request  `json:"request"`
	Response Response `json:"response"`
}

// Request is the recorded part of a request.
type Request struct {
	Method string            `json:"method"`
	Path   string            `json:"path"` // escaped
	Query  string            `json:"query,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   Body              `json:"body,omitempty"`
}

// Response is the recorded part of a response.
type Response struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header,omitempty"`
	Body   Body              `json:"body,omitempty"`
}

// Body is a body that is JSON, or any other body as a JSON string.
type Body json.RawMessage

func newBody(b []byte) Body {
	if len(b) == 0 || json.Valid(b) {
		return b
	}
	quoted, _ := json.Marshal(string(b)) // never fails for a string
	return quoted
}

// text returns the original body. JSON is compacted.
func (b Body) text() string {
	var text string
	if json.Unmarshal(b, &text) == nil {
		return text
	}
	var c bytes.Buffer
	if json.Compact(&c, b) != nil {
		return string(b)
	}
	return c.String()
}

// MarshalJSON implements [json.Marshaler].
func (b Body) MarshalJSON() ([]byte, error) { return json.RawMessage(b).MarshalJSON() }

// UnmarshalJSON implements [json.Unmarshaler].
func (b *Body) UnmarshalJSON(text []byte) error { return (*json.RawMessage)(b).UnmarshalJSON(text) }

// The headers to record. The others depend on the transport: dates, lengths,
// versions.
var (
	requestHeaders  = []string{"Accept", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "X-Api-Key", "X-Request-Id", "X-Workspace-Id"}
	responseHeaders = []string{"Allow", "Content-Type", "Etag", "Idempotency-Key-Honored", "Idempotency-Replayed", "Retry-After", "Www-Authenticate", "X-Request-Id"}
)

// Recorder is an [http.RoundTripper] that records exchanges. It is safe for
// concurrent use.
type Recorder struct {
	next http.RoundTripper

	mu        sync.Mutex
	scrub     scrubber
	exchanges []Exchange
}

// NewRecorder returns a Recorder that sends its requests with next.
func NewRecorder(next http.RoundTripper) *Recorder { return &Recorder{next: next} }

// RoundTrip implements [http.RoundTripper].
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, body, err := readRequest(req)
	if err != nil {
		return nil, err
	}
	forwarded := req.Clone(req.Context())
	forwarded.Body, forwarded.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := r.next.RoundTrip(forwarded)
	if err != nil {
		return nil, err
	}
	received, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(received))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, Exchange{
		Request: r.scrub.request(sent),
		Response: r.scrub.response(Response{
			Status: resp.StatusCode, Header: pick(resp.Header, responseHeaders), Body: newBody(received),
		}),
	})
	return resp, nil
}

// Encode returns the recorded exchanges in the format of a fixture file.
func (r *Recorder) Encode() ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(r.exchanges)
	return b.Bytes(), err
}

// Write writes the recorded exchanges to a fixture file. It creates missing
// directories.
func (r *Recorder) Write(file string) error {
	text, err := r.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// Replay returns a transport that returns the responses in a fixture file. The test
// fails if its requests differ from the recorded ones.
func Replay(tb testing.TB, file string) http.RoundTripper {
	tb.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // the file is chosen by the test
	if err != nil {
		tb.Fatalf("%v; record it with: go test . -record", err)
	}
	var exchanges []Exchange
	if err := json.Unmarshal(text, &exchanges); err != nil {
		tb.Fatalf("%s: %v", file, err)
	}
	p := &player{t: tb, file: file, left: exchanges}
	tb.Cleanup(p.finish)
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(p.respond)
	return mock
}

// player replays the exchanges of a file.
type player struct {
	t    testing.TB
	file string

	mu    sync.Mutex
	scrub scrubber
	left  []Exchange
}

// respond compares a request with the next recorded one, and returns the recorded
// response.
func (p *player) respond(req *http.Request) (*http.Response, error) {
	sent, _, err := readRequest(req)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.scrub.request(sent)
	if len(p.left) == 0 {
		p.t.Errorf("%s: got the request %s %s, want no more requests", p.file, got.Method, got.Path)
		return httpmock.NewStringResponse(http.StatusNotImplemented, ""), nil
	}
	next := p.left[0]
	p.left = p.left[1:]
	if diff := cmp.Diff(next.Request, got, cmp.Transformer("JSON", func(b Body) string { return b.text() })); diff != "" {
		p.t.Errorf("%s: request differs from the recorded one (-want +got):\n%s", p.file, diff)
	}
	recorded := p.scrub.response(next.Response)
	resp := httpmock.NewStringResponse(recorded.Status, recorded.Body.text())
	for name, value := range recorded.Header {
		resp.Header.Set(name, value)
	}
	resp.Request = req
	return resp, nil
}

// finish reports the recorded requests that were not sent.
func (p *player) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.left {
		p.t.Errorf("%s: want the request %s %s, which was not sent", p.file, e.Request.Method, e.Request.Path)
	}
}

// readRequest returns the part of a request to record, and its body.
func readRequest(req *http.Request) (Request, []byte, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return Request{}, nil, err
		}
	}
	return Request{
		Method: req.Method, Path: req.URL.EscapedPath(), Query: req.URL.RawQuery,
		Header: pick(req.Header, requestHeaders), Body: newBody(body),
	}, body, nil
}

// pick returns the first value of each of the named headers.
func pick(h http.Header, names []string) map[string]string {
	picked := map[string]string{}
	for name, values := range h {
		if name = http.CanonicalHeaderKey(name); slices.Contains(names, name) {
			picked[name] = values[0]
		}
	}
	return picked
}
