package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Request is a request that is being served. A nil Request records nothing.
type Request struct {
	telemetry *Telemetry
	ctx       context.Context //nolint:containedctx // of the span, for exemplars
	span      trace.Span
	method    string               // a known one, or _OTHER
	common    []attribute.KeyValue // of the span and the metrics
}

// Response is the outcome of a request.
type Response struct {
	Route     string // the path template, or "" without a route
	Status    int
	Duration  time.Duration
	RequestID string // or "" of a preflight
	Principal string // the type and the id of the caller, or "" if it is not authenticated
	Workspace string // the id, or "" if the caller was not admitted to one
	Code      string // of an error, or ""
	Limit     string // that refused the request, or ""
}

// StartRequest starts the span of a request and returns its context. The parent is the
// span in the traceparent of the request, or that of ctx.
func (t *Telemetry) StartRequest(ctx context.Context, r *http.Request) (context.Context, *Request) {
	if t == nil {
		return ctx, nil
	}
	x := &Request{telemetry: t, method: "_OTHER"}
	name, scheme := "HTTP", "http"
	if slices.Contains(knownMethods, r.Method) {
		x.method, name = r.Method, r.Method
	}
	if r.TLS != nil {
		scheme = "https"
	}
	x.common = []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(x.method), semconv.URLScheme(scheme)}
	parent := propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	x.ctx, x.span = t.tracer.Start(parent, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(x.common...))
	if x.method != r.Method {
		x.span.SetAttributes(semconv.HTTPRequestMethodOriginal(fmt.Sprintf("%.16s", r.Method)))
	}
	t.activeRequests.Add(x.ctx, 1, metric.WithAttributes(x.common...))
	return x.ctx, x
}

// knownMethods are the methods of the semantic conventions.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}

// End records the outcome of a request.
func (x *Request) End(r Response) {
	if x == nil {
		return
	}
	t := x.telemetry
	t.activeRequests.Add(x.ctx, -1, metric.WithAttributes(x.common...))
	attributes := append(slices.Clip(x.common), semconv.HTTPResponseStatusCode(r.Status))
	if r.Route != "" {
		attributes = append(attributes, semconv.HTTPRoute(r.Route))
	}
	failed := r.Status >= http.StatusInternalServerError // other errors are those of the client
	if failed {
		attributes = append(attributes, semconv.ErrorTypeKey.String(strconv.Itoa(r.Status)))
	}
	t.requestDuration.Record(x.ctx, r.Duration.Seconds(), metric.WithAttributes(attributes...))
	if r.Limit != "" {
		t.refusals.Add(x.ctx, 1, metric.WithAttributes(limitKey.String(r.Limit)))
	}
	defer x.span.End()
	if !x.span.IsRecording() {
		return
	}
	if r.Route != "" && x.method == "_OTHER" {
		x.span.SetName("HTTP " + r.Route)
	} else if r.Route != "" {
		x.span.SetName(x.method + " " + r.Route)
	}
	if failed {
		x.span.SetStatus(codes.Error, "")
	}
	if r.RequestID != "" {
		attributes = append(attributes, requestIDKey.StringSlice([]string{r.RequestID}))
	}
	for _, a := range []attribute.KeyValue{principalKey.String(r.Principal), workspaceKey.String(r.Workspace), codeKey.String(r.Code), limitKey.String(r.Limit)} {
		if a.Value.AsString() != "" {
			attributes = append(attributes, a)
		}
	}
	x.span.SetAttributes(attributes...)
}
