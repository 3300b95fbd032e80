// Package promptrailsotel makes spans and metrics of OpenTelemetry from the calls
// of a [promptrails.Client] and from the counts of a [promptrails.Authenticator]. The
// embedded service makes its own, with the providers in its Config.
//
// Each call is a span of kind internal, which is named after the operation, for
// example Members.Get. Each attempt is a child of kind client, with the names and
// attributes of the semantic conventions of HTTP. A path in a span or metric is
// the template, as in /api/v1/members/{id}: ids, queries, keys and bodies are not
// recorded. The path of [promptrails.Client.Do] is not recorded.
//
// The metrics are
//
//   - http.client.request.duration, in seconds, of each attempt;
//   - promptrails.client.call.duration, in seconds, of each call with its
//     retries and waits;
//   - promptrails.authenticator.*, by [ObserveAuthenticator].
//
// The transport of [NewTransport] propagates the trace of each attempt to the server.
package promptrailsotel

import (
	"cmp"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const scope = "github.com/promptrails-community/promptrails-go/promptrailsotel"

// Option configures [NewObserver] and [ObserveAuthenticator].
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	attributes []attribute.KeyValue
}

// WithTracerProvider sets the provider of spans. The default, also for nil, is the
// global one.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(c *config) { c.tracers = cmp.Or(p, c.tracers) }
}

// WithMeterProvider sets the provider of metrics. The default, also for nil, is the
// global one.
func WithMeterProvider(p metric.MeterProvider) Option {
	return func(c *config) { c.meters = cmp.Or(p, c.meters) }
}

// WithAttributes adds attributes to all spans and metrics. A program with more than
// one [promptrails.Authenticator] needs them to distinguish their counts.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(c *config) { c.attributes = append(c.attributes, attributes...) }
}

func newConfig(opts []Option) *config {
	c := &config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

func (c *config) tracer() trace.Tracer {
	return c.tracers.Tracer(scope, trace.WithInstrumentationVersion(promptrails.Version))
}

func (c *config) meter() metric.Meter {
	return c.meters.Meter(scope, metric.WithInstrumentationVersion(promptrails.Version))
}
