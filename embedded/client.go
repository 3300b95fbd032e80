package embedded

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Client returns a [promptrails.Client] whose requests reach the service
// in-process, without a network. Their remote address is 127.0.0.1. The client
// ignores the environment, and retries POST and PATCH like other requests.
// Options for the base URL or the transport have no effect.
func (s *Service) Client(opts ...promptrails.Option) (*promptrails.Client, error) {
	return promptrails.NewClient(append(slices.Clip(opts),
		promptrails.WithoutEnvironment(),
		promptrails.WithBaseURL("http://localhost"),
		promptrails.WithHTTPClient(&http.Client{Transport: inProcess{s}}),
		promptrails.WithIdempotentServer(),
	)...)
}

// inProcess is an [http.RoundTripper] that calls the service.
type inProcess struct{ service *Service }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }() // required of a RoundTripper
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	// A handler may modify its request; a RoundTripper must not.
	request := r.Clone(r.Context())
	request.RemoteAddr = "127.0.0.1:0"
	request.RequestURI = r.URL.RequestURI()
	request.Host = r.URL.Host
	if request.Body == nil {
		request.Body = http.NoBody
	}
	recorder := &recorder{header: http.Header{}}
	t.service.ServeHTTP(recorder, request)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.response(r), nil
}

// recorder is an [http.ResponseWriter] that records the response.
type recorder struct {
	header http.Header
	status int
	sent   http.Header
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}
}
