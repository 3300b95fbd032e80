package embedded

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Client returns the ordinary client, whose requests reach the service without
// a port: they come from 127.0.0.1. The environment is ignored, and POST and
// PATCH are retried like the rest. An option that says where the API is or how
// to reach it has no effect.
func (s *Service) Client(opts ...promptrails.Option) (*promptrails.Client, error) {
	return promptrails.NewClient(append(slices.Clip(opts),
		promptrails.WithoutEnvironment(),
		promptrails.WithBaseURL("http://localhost"),
		promptrails.WithHTTPClient(&http.Client{Transport: inProcess{s}}),
		promptrails.WithIdempotentServer(),
	)...)
}

// inProcess is a transport that calls the service.
type inProcess struct{ service *Service }

// RoundTrip implements [http.RoundTripper].
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }() // as a transport must
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	// A handler may change what it is given; the request is the caller's.
	request := r.Clone(r.Context())
	request.RemoteAddr = "127.0.0.1:0"
	request.RequestURI = r.URL.RequestURI()
	request.Host = r.URL.Host
	if request.Body == nil {
		request.Body = http.NoBody
	}
	answer := &answer{header: http.Header{}}
	t.service.ServeHTTP(answer, request)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer.response(r), nil
}

// answer gathers what the service writes.
type answer struct {
	header http.Header
	status int
	sent   http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

func (a *answer) response(r *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}
}
