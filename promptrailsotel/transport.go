package promptrailsotel

import (
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// NewTransport returns a transport for [promptrails.WithHTTPClient] that adds the
// traceparent and tracestate of the context to each request (W3C Trace Context), so
// that the spans of the server are children of the attempt. With the observer of
// [NewObserver], each attempt has a span of its own. If base is nil, it is a copy of
// [http.DefaultTransport] with as many idle connections as a client has without
// WithHTTPClient.
//
// The headers are sent to the base URL of the client, and within its origin after a
// redirect. They have no baggage.
func NewTransport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
		if original, ok := base.(*http.Transport); ok {
			copied := original.Clone()
			copied.MaxIdleConns, copied.MaxIdleConnsPerHost = 256, 128
			base = copied
		}
	}
	return &transport{base}
}

type transport struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace.SpanContextFromContext(r.Context()).IsValid() {
		header := r.Header.Clone()
		propagation.TraceContext{}.Inject(r.Context(), propagation.HeaderCarrier(header))
		r = r.WithContext(r.Context()) // a RoundTripper must not modify its request
		r.Header = header
	}
	return t.base.RoundTrip(r)
}

// CloseIdleConnections is for [promptrails.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
