package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Mode is the kind of a transaction.
type Mode string

// The kinds of transactions.
const (
	Read  Mode = "read"
	Write Mode = "write"
)

// Transaction is a transaction of the store. A nil Transaction records nothing.
type Transaction struct {
	telemetry *Telemetry
	ctx       context.Context //nolint:containedctx // of the span, for exemplars
	span      trace.Span
	mode      metric.MeasurementOption
	started   time.Time
	wait      time.Duration // until the first attempt
	attempts  int
}

// StartTransaction starts a transaction that waits for the database. The system is that
// of the semantic conventions, such as sqlite. There is a span only if ctx has one, so
// that the background work of the service makes no traces.
func (t *Telemetry) StartTransaction(ctx context.Context, system string, mode Mode) (context.Context, *Transaction) {
	if t == nil {
		return ctx, nil
	}
	x := &Transaction{telemetry: t, ctx: ctx, span: noop.Span{}, mode: metric.WithAttributes(modeKey.String(string(mode))), started: time.Now()}
	if trace.SpanContextFromContext(ctx).IsValid() {
		x.ctx, x.span = t.tracer.Start(ctx, string(mode)+" transaction", trace.WithAttributes(semconv.DBSystemNameKey.String(system), modeKey.String(string(mode))))
	}
	t.waiting.Add(x.ctx, 1, x.mode)
	return x.ctx, x
}

// Attempt records that the wait is over, and that the function of the transaction runs,
// perhaps again.
func (x *Transaction) Attempt() {
	if x == nil {
		return
	}
	if x.attempts == 0 {
		x.waited()
	}
	x.attempts++
}

func (x *Transaction) waited() {
	x.wait = time.Since(x.started)
	x.telemetry.waiting.Add(x.ctx, -1, x.mode)
	x.telemetry.wait.Record(x.ctx, x.wait.Seconds(), x.mode)
}

// End records the outcome. errorType is the type of the error of the database, or ""
// without one.
func (x *Transaction) End(errorType string) {
	if x == nil {
		return
	}
	if x.attempts == 0 {
		x.waited()
	}
	defer x.span.End()
	if !x.span.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{attemptsKey.Int(x.attempts), waitKey.Float64(x.wait.Seconds())}
	if errorType != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(errorType))
		x.span.SetStatus(codes.Error, "")
	}
	x.span.SetAttributes(attributes...)
}
