package promptrails

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// newHTTPClient returns a configured copy of the caller's client without its
// timeout, the transport that it wraps, and the timeout of an attempt.
func (cfg *config) newHTTPClient() (*http.Client, http.RoundTripper, time.Duration) {
	var c http.Client
	if cfg.httpClient != nil {
		c = *cfg.httpClient
	}
	transport := c.Transport
	if transport == nil {
		transport = sharedTransport{}
	}
	c.Transport = transport
	c.CheckRedirect = withinOrigin(c.CheckRedirect)
	timeout := defaultTimeout
	switch {
	case cfg.timeout > 0:
		timeout = cfg.timeout
	case c.Timeout > 0:
		timeout = c.Timeout
	}
	c.Timeout = 0 // a context with a deadline takes fewer allocations
	return &c, transport, timeout
}

// sharedTransport is the default transport, shared by all clients. It is a copy
// of [http.DefaultTransport] that allows more idle connections per host. If a
// program has replaced http.DefaultTransport with another type, for example to
// mock requests, sharedTransport uses that one directly.
type sharedTransport struct{}

var shared struct {
	mu     sync.Mutex
	of     *http.Transport // the original of copied
	copied *http.Transport
}

func (sharedTransport) current() http.RoundTripper {
	original, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.of != original {
		shared.of, shared.copied = original, original.Clone()
		shared.copied.MaxIdleConns, shared.copied.MaxIdleConnsPerHost = 256, 128
	}
	return shared.copied
}

// RoundTrip implements [http.RoundTripper].
func (t sharedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.current().RoundTrip(r)
}

func (t sharedTransport) CloseIdleConnections() {
	if c, ok := t.current().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// withinOrigin returns a redirect policy that follows up to 10 redirects of GET
// and HEAD requests within the same origin, so that headers are never sent to
// another origin. For other redirects, the 3xx response is returned.
func withinOrigin(callers func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		first := via[0]
		if first.Method != http.MethodGet && first.Method != http.MethodHead || origin(req) != origin(first) || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		if callers != nil {
			return callers(req, via)
		}
		return nil
	}
}

// origin returns the scheme, host and port of a request (RFC 6454, section 4).
func origin(r *http.Request) string {
	port := r.URL.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[r.URL.Scheme]
	}
	return r.URL.Scheme + "://" + strings.ToLower(r.URL.Hostname()) + ":" + port
}
