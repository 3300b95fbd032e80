package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// Without providers, no memory is allocated. The spans and metrics are tested in
// promptrailsotel, which requires the SDK of OpenTelemetry.
func TestNoProviders(t *testing.T) { // not parallel: it counts the allocations of the process
	none, err := telemetry.New(nil, nil)
	if none != nil || err != nil {
		t.Fatalf("New: got %v, %v, want nil without an error", none, err)
	}
	ctx := t.Context()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)
	allocated := testing.AllocsPerRun(100, func() {
		_, span := none.StartRequest(ctx, request)
		span.End(telemetry.Response{Status: http.StatusOK, Duration: 1, Route: request.Pattern})
		_, transaction := none.StartTransaction(ctx, "sqlite", telemetry.Write)
		transaction.Attempt()
		transaction.End("")
		none.Committed(ctx, 1)
		none.Attempted(ctx, telemetry.Delivered, 1)
		none.Pruned(ctx, "outcomes", 1)
	})
	if allocated != 0 {
		t.Errorf("got %v allocations, want 0", allocated)
	}
	stop, err := none.ObserveSize(func(context.Context) (int64, error) { return 0, nil })
	if err != nil || stop() != nil {
		t.Errorf("ObserveSize: got %v, want no error", err)
	}
}

// The documentation of package embedded lists each metric.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../embedded/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`"((?:http|promptrails)\.[a-z_.]+)"`).FindAllSubmatch(source, -1)
	if len(names) == 0 {
		t.Error("metrics.go: got no names of metrics, want some")
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^//\t` + regexp.QuoteMeta(string(name[1])) + ` `).Match(doc) {
			t.Errorf("embedded/doc.go: got no line of %s, want one", name[1])
		}
	}
}
