package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// metrics are the instruments. The first two are of the semantic conventions of HTTP.
type metrics struct {
	requestDuration metric.Float64Histogram
	activeRequests  metric.Int64UpDownCounter
	refusals        metric.Int64Counter
	waiting         metric.Int64UpDownCounter
	wait            metric.Float64Histogram
	commitSize      metric.Int64Histogram
	deliveries      metric.Float64Histogram
	pruned          metric.Int64Counter
	size            metric.Int64ObservableGauge
}

// The boundaries of histograms.
var (
	requestSeconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10} // of the semantic conventions
	waitSeconds    = []float64{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}
	commitWrites   = []float64{1, 2, 4, 8, 16, 32, 64}
)

// newMetrics creates the instruments. The documentation of package embedded lists them.
func newMetrics(meter metric.Meter) (metrics, error) {
	m := maker{meter: meter}
	all := metrics{
		requestDuration: m.seconds("http.server.request.duration", "Duration of HTTP server requests.", requestSeconds),
		activeRequests:  m.upDown("http.server.active_requests", "{request}", "Number of active HTTP server requests."),
		refusals:        m.counter("promptrails.limit.refusals", "{request}", "Requests that were refused because of a limit."),
		waiting:         m.upDown("promptrails.transaction.waiting", "{transaction}", "Transactions that wait for the database."),
		wait:            m.seconds("promptrails.transaction.wait", "Time that transactions wait for the database.", waitSeconds),
		commitSize:      m.integers("promptrails.commit.size", "{write}", "Writes in a commit of SQLite.", commitWrites),
		deliveries:      m.seconds("promptrails.delivery.duration", "Duration of attempts to deliver a notification.", requestSeconds),
		pruned:          m.counter("promptrails.prune.rows", "{row}", "Rows that were deleted or cleared after their retention period."),
		size:            m.gauge("promptrails.database.size", "By", "Size of the database."),
	}
	return all, errors.Join(m.errs...)
}

// Committed records a commit of a number of writes.
func (t *Telemetry) Committed(ctx context.Context, writes int) {
	if t != nil {
		t.commitSize.Record(ctx, int64(writes))
	}
}

// The outcomes of an attempt to deliver a notification.
const (
	Delivered = "delivered"
	Retry     = "retry"  // another attempt follows
	Failed    = "failed" // no further attempt follows
)

// Attempted records an attempt to deliver a notification.
func (t *Telemetry) Attempted(ctx context.Context, outcome string, d time.Duration) {
	if t != nil {
		t.deliveries.Record(ctx, d.Seconds(), metric.WithAttributes(outcomeKey.String(outcome)))
	}
}

// Pruned records that n rows of a kind were deleted or cleared.
func (t *Telemetry) Pruned(ctx context.Context, kind string, n int64) {
	if t != nil && n > 0 {
		t.pruned.Add(ctx, n, metric.WithAttributes(rowsKey.String(kind)))
	}
}

// ObserveSize calls size at each collection of the metrics, until stop is called. It
// returns the size of the database in bytes.
func (t *Telemetry) ObserveSize(size func(context.Context) (int64, error)) (stop func() error, err error) {
	if t == nil {
		return func() error { return nil }, nil
	}
	registration, err := t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		n, err := size(ctx)
		if err == nil {
			o.ObserveInt64(t.size, n)
		}
		return err
	}, t.size)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

// maker creates instruments, and keeps the errors.
type maker struct {
	meter metric.Meter
	errs  []error
}

func (m *maker) seconds(name, description string, bounds []float64) metric.Float64Histogram {
	i, err := m.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
	m.errs = append(m.errs, err)
	return i
}

func (m *maker) integers(name, unit, description string, bounds []float64) metric.Int64Histogram {
	i, err := m.meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(bounds...))
	m.errs = append(m.errs, err)
	return i
}

func (m *maker) counter(name, unit, description string) metric.Int64Counter {
	i, err := m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.errs = append(m.errs, err)
	return i
}

func (m *maker) upDown(name, unit, description string) metric.Int64UpDownCounter {
	i, err := m.meter.Int64UpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.errs = append(m.errs, err)
	return i
}

func (m *maker) gauge(name, unit, description string) metric.Int64ObservableGauge {
	i, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.errs = append(m.errs, err)
	return i
}
