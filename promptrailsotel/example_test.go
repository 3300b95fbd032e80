package promptrailsotel_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailsotel"
)

// The trace of a call that is retried. The server responds with 503 to the first
// request.
func ExampleNewObserver() {
	server := httptest.NewServer(flaky())
	defer server.Close()
	spans := tracetest.NewInMemoryExporter() // a program exports to a collector
	observer, err := promptrailsotel.NewObserver(promptrailsotel.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	if err != nil {
		panic(err)
	}
	client, err := promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken("pat_0123456789"),
		promptrails.WithWorkspace("w"), promptrails.WithObserver(observer))
	if err != nil {
		panic(err)
	}
	if _, err := client.Members.Get(context.Background(), "m1"); err != nil {
		panic(err)
	}
	printTrace(spans.GetSpans(), trace.SpanID{}, 0)
	// Output:
	// Members.Get promptrails.attempts=2 http.response.status_code=200
	//   GET /api/v1/members/{id} http.response.status_code=503 error.type=503
	//   GET /api/v1/members/{id} http.request.resend_count=1 http.response.status_code=200
}

// The trace of a call, from the client to the database. Client and service are in one
// program here; in two programs, the collector joins their spans.
func ExampleNewTransport() {
	ctx := context.Background()
	spans := tracetest.NewInMemoryExporter() // a program exports to a collector
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	service, err := embedded.Open(ctx, embedded.Config{TracerProvider: provider})
	if err != nil {
		panic(err)
	}
	user, err := service.CreateUser(ctx, "ada@example.com", "Ada")
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(service)

	observer, err := promptrailsotel.NewObserver(promptrailsotel.WithTracerProvider(provider))
	if err != nil {
		panic(err)
	}
	client, err := promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken(user.AccessToken.Reveal()),
		promptrails.WithObserver(observer), promptrails.WithHTTPClient(&http.Client{Transport: promptrailsotel.NewTransport(nil)}))
	if err != nil {
		panic(err)
	}
	if _, err := client.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"}); err != nil {
		panic(err)
	}
	server.Close() // waits for the end of the request
	if err := service.Close(); err != nil {
		panic(err)
	}
	printTrace(spans.GetSpans(), trace.SpanID{}, 0)
	// Output:
	// Workspaces.Create promptrails.attempts=1 http.response.status_code=201
	//   POST /api/v1/workspaces http.response.status_code=201
	//     POST /api/v1/workspaces http.response.status_code=201
	//       read transaction promptrails.transaction.attempts=1
	//       write transaction promptrails.transaction.attempts=1
}

// printTrace prints the spans with a parent, and their children.
func printTrace(spans tracetest.SpanStubs, parent trace.SpanID, depth int) {
	slices.SortFunc(spans, func(a, b tracetest.SpanStub) int {
		return cmp.Or(a.StartTime.Compare(b.StartTime), cmp.Compare(a.Name, b.Name))
	})
	shown := []string{"promptrails.attempts", "promptrails.transaction.attempts", "http.request.resend_count", "http.response.status_code", "error.type"}
	for _, s := range spans {
		if s.Parent.SpanID() != parent {
			continue
		}
		line := strings.Repeat("  ", depth) + s.Name
		for _, a := range s.Attributes {
			if slices.Contains(shown, string(a.Key)) {
				line += fmt.Sprintf(" %s=%s", a.Key, a.Value.String())
			}
		}
		fmt.Println(line)
		printTrace(spans, s.SpanContext.SpanID(), depth+1)
	}
}
