package promptrailsotel

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The attributes that are not of the semantic conventions.
const (
	operationKey  = attribute.Key("promptrails.operation")            // Members.Get
	workspaceKey  = attribute.Key("promptrails.workspace.id")         // of spans
	attemptsKey   = attribute.Key("promptrails.attempts")             // of the span of a call
	codeKey       = attribute.Key("promptrails.error.code")           // of spans
	bytesKey      = attribute.Key("promptrails.response.bytes_read")  // of spans
	waitKey       = attribute.Key("promptrails.retry.wait")           // of spans of attempts, in seconds
	retriesKey    = attribute.Key("promptrails.retry.budget")         // of spans
	limitKey      = attribute.Key("promptrails.rate_limit.limit")     // of spans
	remainingKey  = attribute.Key("promptrails.rate_limit.remaining") // of spans
	requestIDsKey = attribute.Key("http.response.header.x-request-id")
)

// seconds are the boundaries that the semantic conventions recommend.
var seconds = metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

// NewObserver returns an observer for [promptrails.WithObserver]. It returns an error
// if an instrument cannot be created.
func NewObserver(opts ...Option) (promptrails.Observer, error) {
	c := newConfig(opts)
	meter := c.meter()
	attempts, errAttempts := meter.Float64Histogram("http.client.request.duration", metric.WithUnit("s"), metric.WithDescription("Duration of HTTP client requests."), seconds)
	calls, errCalls := meter.Float64Histogram("promptrails.client.call.duration", metric.WithUnit("s"), metric.WithDescription("Duration of calls, with their retries and waits."), seconds)
	if err := errors.Join(errAttempts, errCalls); err != nil {
		return nil, err
	}
	return &observer{tracer: c.tracer(), attempts: attempts, calls: calls, attributes: c.attributes}, nil
}

type observer struct {
	tracer          trace.Tracer
	attempts, calls metric.Float64Histogram
	attributes      []attribute.KeyValue
}

// The keys of spans in contexts. The current span of a context may be that of another
// observer.
type (
	callKey    struct{ *observer }
	attemptKey struct{ *observer }
)

// StartCall implements [promptrails.Observer].
func (o *observer) StartCall(ctx context.Context, call promptrails.CallStart) context.Context {
	attributes := append(slices.Clone(o.attributes), operationKey.String(call.Operation.Name))
	if call.Workspace != "" {
		attributes = append(attributes, workspaceKey.String(call.Workspace))
	}
	ctx, span := o.tracer.Start(ctx, call.Operation.Name, trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(attributes...))
	return context.WithValue(ctx, callKey{o}, span)
}

// StartAttempt implements [promptrails.Observer].
func (o *observer) StartAttempt(ctx context.Context, attempt promptrails.AttemptStart) context.Context {
	r := describe(&attempt.CallStart)
	attributes := append(slices.Clone(o.attributes), r.attributes...)
	if r.full != "" {
		attributes = append(attributes, semconv.URLFull(r.full))
	}
	if r.method != attempt.Operation.Method {
		attributes = append(attributes, semconv.HTTPRequestMethodOriginal(attempt.Operation.Method))
	}
	if attempt.Attempt > 1 {
		attributes = append(attributes, semconv.HTTPRequestResendCount(attempt.Attempt-1))
	}
	ctx, span := o.tracer.Start(ctx, r.name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	return context.WithValue(ctx, attemptKey{o}, span)
}

// EndAttempt implements [promptrails.Observer].
func (o *observer) EndAttempt(ctx context.Context, attempt promptrails.AttemptEnd) {
	kind := errorType(&attempt.Outcome)
	attributes := append(slices.Clone(o.attributes), describe(&attempt.CallStart).attributes...)
	if attempt.Status != 0 {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(attempt.Status))
	}
	if kind != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(kind))
	}
	o.attempts.Record(ctx, attempt.Duration.Seconds(), metric.WithAttributes(attributes...))

	if span, ok := ctx.Value(attemptKey{o}).(trace.Span); ok {
		if span.IsRecording() && attempt.Retry {
			span.SetAttributes(waitKey.Float64(attempt.Wait.Seconds()))
		}
		end(span, &attempt.Outcome, kind)
	}
}

// EndCall implements [promptrails.Observer].
func (o *observer) EndCall(ctx context.Context, call promptrails.CallEnd) {
	var kind string
	if call.Failure != "" {
		kind = errorType(&call.Outcome)
	}
	attributes := append(slices.Clone(o.attributes), operationKey.String(call.Operation.Name))
	if kind != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(kind))
	}
	o.calls.Record(ctx, call.Duration.Seconds(), metric.WithAttributes(attributes...))

	if span, ok := ctx.Value(callKey{o}).(trace.Span); ok {
		span.SetAttributes(attemptsKey.Int(call.Attempts))
		end(span, &call.Outcome, kind)
	}
}

// end sets the outcome of a span, and ends it.
func end(span trace.Span, outcome *promptrails.Outcome, kind string) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{bytesKey.Int64(outcome.BytesRead), retriesKey.Int(outcome.RetriesLeft)}
	if outcome.Status != 0 {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(outcome.Status))
	}
	if outcome.RequestID != "" {
		attributes = append(attributes, requestIDsKey.StringSlice([]string{outcome.RequestID}))
	}
	if outcome.Code != "" {
		attributes = append(attributes, codeKey.String(string(outcome.Code)))
	}
	if outcome.RateLimit.Limit > 0 {
		attributes = append(attributes, limitKey.Int(outcome.RateLimit.Limit), remainingKey.Int(outcome.RateLimit.Remaining))
	}
	if kind != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(kind))
		span.SetStatus(codes.Error, "")
	}
	span.SetAttributes(attributes...)
}

// errorType returns the value of error.type: a status of 400 or more, or else the
// failure, which is empty after a success.
func errorType(outcome *promptrails.Outcome) string {
	if outcome.Failure == promptrails.FailureStatus || outcome.Failure == "" && outcome.Status >= 400 {
		return strconv.Itoa(outcome.Status)
	}
	return string(outcome.Failure)
}

// described is a request in the terms of the semantic conventions.
type described struct {
	name       string               // of the span
	method     string               // a known one, or _OTHER
	full       string               // url.full with the template of the path, or empty
	attributes []attribute.KeyValue // of spans and metrics
}

var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}

func describe(call *promptrails.CallStart) described {
	d := described{method: "_OTHER"}
	d.name = "HTTP"
	if slices.Contains(knownMethods, call.Operation.Method) {
		d.method, d.name = call.Operation.Method, call.Operation.Method
	}
	d.attributes = []attribute.KeyValue{semconv.HTTPRequestMethodKey.String(d.method)}
	base, err := url.Parse(call.BaseURL)
	if err != nil { // never: the client has parsed it
		return d
	}
	port, err := strconv.Atoi(cmp.Or(base.Port(), map[string]string{"http": "80", "https": "443"}[base.Scheme]))
	if err == nil {
		d.attributes = append(d.attributes, semconv.ServerPort(port))
	}
	d.attributes = append(d.attributes, semconv.ServerAddress(base.Hostname()), semconv.URLScheme(base.Scheme))
	if call.Operation.Name != "Do" { // the path of Do is not a template
		template := base.EscapedPath() + call.Operation.Path
		d.name += " " + template
		d.full = strings.TrimSuffix(call.BaseURL, "/") + call.Operation.Path
		d.attributes = append(d.attributes, semconv.URLTemplate(template))
	}
	return d
}
