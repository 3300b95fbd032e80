// Package telemetry makes the spans and metrics of the service, with the API of
// OpenTelemetry. metrics.go defines each metric, request.go the spans of requests and
// transaction.go those of transactions.
//
// No span or metric has a secret, a body, or a part of a URL that a client chose.
package telemetry

import (
	"cmp"
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// scope is the name of the tracer and the meter.
const scope = "github.com/promptrails-community/promptrails-go/embedded"

// The attributes that are not of the semantic conventions.
const (
	workspaceKey = attribute.Key("promptrails.workspace.id")          // of spans of requests
	principalKey = attribute.Key("promptrails.principal")             // of spans of requests: user:ID or api_key:ID
	codeKey      = attribute.Key("promptrails.error.code")            // of spans of requests
	requestIDKey = attribute.Key("http.response.header.x-request-id") // of spans of requests
	attemptsKey  = attribute.Key("promptrails.transaction.attempts")  // of spans of transactions
	waitKey      = attribute.Key("promptrails.transaction.wait")      // of spans of transactions, in seconds
	modeKey      = attribute.Key("promptrails.transaction.mode")      // read or write
	outcomeKey   = attribute.Key("promptrails.delivery.outcome")      // delivered, retry or failed
	rowsKey      = attribute.Key("promptrails.prune.kind")            // the kind of rows
	limitKey     = attribute.Key("promptrails.limit.name")            // a limit of the configuration, or plan
)

// Telemetry records spans and metrics. A nil Telemetry records nothing, and its methods
// allocate no memory.
type Telemetry struct {
	tracer trace.Tracer
	meter  metric.Meter
	metrics
}

// New returns the telemetry of a service. It returns nil if both providers are nil.
func New(tracers trace.TracerProvider, meters metric.MeterProvider) (*Telemetry, error) {
	if tracers == nil && meters == nil {
		return nil, nil //nolint:nilnil // no telemetry, no error
	}
	tracers = cmp.Or[trace.TracerProvider](tracers, nooptrace.TracerProvider{})
	meters = cmp.Or[metric.MeterProvider](meters, noopmetric.MeterProvider{})
	t := &Telemetry{
		tracer: tracers.Tracer(scope, trace.WithInstrumentationVersion(promptrails.Version)),
		meter:  meters.Meter(scope, metric.WithInstrumentationVersion(promptrails.Version)),
	}
	var err error
	t.metrics, err = newMetrics(t.meter)
	return t, err
}

// Detach returns a context for work that continues after the span of ctx, and after ctx
// is canceled.
func Detach(ctx context.Context) context.Context {
	return trace.ContextWithSpan(context.WithoutCancel(ctx), nil)
}
