package promptrailsotel_test

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// recorder records spans and metrics.
type recorder struct {
	tracers *sdktrace.TracerProvider
	meters  *sdkmetric.MeterProvider
	spans   *tracetest.InMemoryExporter
	reader  *sdkmetric.ManualReader
}

func newRecorder() *recorder {
	r := &recorder{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	r.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	r.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	return r
}

// served waits until n spans of requests have ended, which may be after their
// responses, and returns them.
func (r *recorder) served(t *testing.T, n int) []tracetest.SpanStub {
	t.Helper()
	for {
		found := r.ofKind(trace.SpanKindServer)
		if len(found) >= n {
			return found
		}
		if t.Context().Err() != nil {
			t.Fatalf("spans of requests: got %d, want %d", len(found), n)
		}
		runtime.Gosched()
	}
}

func (r *recorder) ofKind(kind trace.SpanKind) []tracetest.SpanStub {
	return slices.DeleteFunc(r.spans.GetSpans(), func(s tracetest.SpanStub) bool { return s.SpanKind != kind })
}

// children returns the spans with a parent, in the order of their start.
func (r *recorder) children(parent tracetest.SpanStub) []tracetest.SpanStub {
	found := slices.DeleteFunc(r.spans.GetSpans(), func(s tracetest.SpanStub) bool { return s.Parent.SpanID() != parent.SpanContext.SpanID() })
	slices.SortFunc(found, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return found
}

// metrics returns the metrics by name.
func (r *recorder) metrics(t *testing.T) map[string]metricdata.Aggregation {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.WithoutCancel(t.Context()), &all); err != nil {
		t.Fatal(err)
	}
	byName := map[string]metricdata.Aggregation{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			byName[m.Name] = m.Data
		}
	}
	return byName
}

// points returns the counts of a metric by attributes: its values, or the numbers of
// the records of a histogram.
func (r *recorder) points(t *testing.T, name string) map[string]int64 {
	t.Helper()
	points := map[string]int64{}
	switch data := r.metrics(t)[name].(type) {
	case nil:
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			points[text(p.Attributes.ToSlice())] = p.Value
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			points[text(p.Attributes.ToSlice())] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			points[text(p.Attributes.ToSlice())] = int64(p.Count)
		}
	case metricdata.Histogram[int64]:
		for _, p := range data.DataPoints {
			points[text(p.Attributes.ToSlice())] = int64(p.Count)
		}
	default:
		t.Errorf("%s: got %T, want a sum, a gauge or a histogram", name, data)
	}
	return points
}

// text returns attributes in the order of their names, separated by spaces.
func text(attributes []attribute.KeyValue) string {
	return textOf(valuesOf(attributes))
}

func textOf(values map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s=%s ", k, values[k])
	}
	return strings.TrimSpace(b.String())
}

func valuesOf(attributes []attribute.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}
