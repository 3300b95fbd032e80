package promptrailsotel_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailsotel"
)

const token = "pat_0123456789"

// observed is a client with an observer, and the spans and metrics of its calls.
type observed struct {
	client *promptrails.Client
	server *url.URL
	opts   []promptrailsotel.Option
	*recorder
}

func newObserved(t *testing.T, handler http.HandlerFunc, opts ...promptrails.Option) *observed {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	x := &observed{server: address, recorder: newRecorder()}
	x.opts = []promptrailsotel.Option{
		promptrailsotel.WithTracerProvider(x.tracers),
		promptrailsotel.WithMeterProvider(x.meters),
		promptrailsotel.WithAttributes(attribute.String("team", "research")),
	}
	observer, err := promptrailsotel.NewObserver(x.opts...)
	if err != nil {
		t.Fatal(err)
	}
	x.client, err = promptrails.NewClient(append([]promptrails.Option{
		promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken(token), promptrails.WithWorkspace("w"), promptrails.WithObserver(observer),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// values returns attributes as text. The port of the server is not fixed.
func (x *observed) values(attributes []attribute.KeyValue) map[string]string {
	m := map[string]string{}
	for _, a := range attributes {
		m[string(a.Key)] = strings.ReplaceAll(a.Value.String(), x.server.Port(), "PORT")
	}
	return m
}

// histogram returns the attributes and counts of a histogram.
func (x *observed) histogram(t *testing.T, name string) map[string]uint64 {
	t.Helper()
	points := map[string]uint64{}
	if h, ok := x.metrics(t)[name].(metricdata.Histogram[float64]); ok {
		for _, p := range h.DataPoints {
			values := x.values(p.Attributes.ToSlice())
			var b strings.Builder
			for _, k := range slices.Sorted(maps.Keys(values)) {
				fmt.Fprintf(&b, "%s=%s ", k, values[k])
			}
			points[strings.TrimSpace(b.String())] = p.Count
		}
	}
	return points
}

// respond writes a JSON response.
func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// flaky responds with 503 to each odd request.
func flaky() http.HandlerFunc {
	var requests atomic.Int64
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-ID", "r1")
		if requests.Add(1)%2 == 1 {
			w.Header().Set("Retry-After", "0")
			respond(w, 503, "")
			return
		}
		w.Header().Set("X-RateLimit-Limit", "50")
		w.Header().Set("X-RateLimit-Remaining", "49")
		respond(w, 200, `{"data":{"id":"m1"}}`)
	}
}

// A call is a span, and its attempts are its children. The attributes are those of
// the semantic conventions.
func TestSpans(t *testing.T) {
	t.Parallel()
	x := newObserved(t, flaky())
	if _, err := x.client.Members.Get(t.Context(), "m1"); err != nil {
		t.Fatal(err)
	}
	spans := x.spans.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("spans: got %d, want 3", len(spans))
	}
	first, second, call := spans[0], spans[1], spans[2]
	for _, s := range []tracetest.SpanStub{first, second} {
		if s.Name != "GET /api/v1/members/{id}" || s.SpanKind != trace.SpanKindClient || s.Parent.SpanID() != call.SpanContext.SpanID() {
			t.Errorf("attempt: got %s, %s, with parent %s; want GET /api/v1/members/{id}, client, and parent %s", s.Name, s.SpanKind, s.Parent.SpanID(), call.SpanContext.SpanID())
		}
	}
	if call.Name != "Members.Get" || call.SpanKind != trace.SpanKindInternal || call.Parent.IsValid() {
		t.Errorf("call: got %s, %s, want Members.Get, internal, without a parent", call.Name, call.SpanKind)
	}
	if first.Status.Code != codes.Error || second.Status.Code != codes.Unset || call.Status.Code != codes.Unset {
		t.Errorf("status: got %v, %v and %v; want an error of the first attempt only", first.Status, second.Status, call.Status)
	}
	request := map[string]string{
		"team": "research", "http.request.method": "GET", "server.address": "127.0.0.1", "server.port": "PORT", "url.scheme": "http",
		"url.template": "/api/v1/members/{id}", "url.full": "http://127.0.0.1:PORT/api/v1/members/{id}", "http.response.header.x-request-id": `["r1"]`,
	}
	with := func(more map[string]string) map[string]string { maps.Copy(more, request); return more }
	got := x.values(first.Attributes)
	delete(got, "promptrails.retry.wait") // is random
	if diff := cmp.Diff(with(map[string]string{
		"http.response.status_code": "503", "error.type": "503", "promptrails.response.bytes_read": "0", "promptrails.retry.budget": "99",
	}), got); diff != "" {
		t.Errorf("first attempt (-want +got):\n%s", diff)
	}
	outcome := map[string]string{
		"http.response.status_code": "200", "promptrails.response.bytes_read": "20", "promptrails.retry.budget": "100",
		"promptrails.rate_limit.limit": "50", "promptrails.rate_limit.remaining": "49",
	}
	again := maps.Clone(outcome)
	again["http.request.resend_count"] = "1"
	if diff := cmp.Diff(with(again), x.values(second.Attributes)); diff != "" {
		t.Errorf("second attempt (-want +got):\n%s", diff)
	}
	maps.Copy(outcome, map[string]string{
		"team": "research", "promptrails.operation": "Members.Get", "promptrails.workspace.id": "w", "promptrails.attempts": "2", "http.response.header.x-request-id": `["r1"]`,
	})
	if diff := cmp.Diff(outcome, x.values(call.Attributes)); diff != "" {
		t.Errorf("call (-want +got):\n%s", diff)
	}
}

// The durations of attempts and calls are histograms.
func TestMetrics(t *testing.T) {
	t.Parallel()
	x := newObserved(t, flaky())
	for range 2 {
		if _, err := x.client.Members.Get(t.Context(), "m1"); err != nil {
			t.Fatal(err)
		}
	}
	const common = " server.address=127.0.0.1 server.port=PORT team=research url.scheme=http url.template=/api/v1/members/{id}"
	want := map[string]uint64{
		"error.type=503 http.request.method=GET http.response.status_code=503" + common: 2,
		"http.request.method=GET http.response.status_code=200" + common:                2,
	}
	if diff := cmp.Diff(want, x.histogram(t, "http.client.request.duration")); diff != "" {
		t.Errorf("http.client.request.duration (-want +got):\n%s", diff)
	}
	want = map[string]uint64{"promptrails.operation=Members.Get team=research": 2}
	if diff := cmp.Diff(want, x.histogram(t, "promptrails.client.call.duration")); diff != "" {
		t.Errorf("promptrails.client.call.duration (-want +got):\n%s", diff)
	}
}

// The type of an error is the status, or the kind of the failure.
func TestErrorTypes(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		respond http.HandlerFunc
		want    string
		spans   int
	}{
		{"404", t.Context(), func(w http.ResponseWriter, _ *http.Request) { respond(w, 404, "") }, "404", 2},
		{"304", t.Context(), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "304", 2},
		{"malformed", t.Context(), func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, "{") }, "response", 2},
		{"no response", t.Context(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection", 2},
		{"canceled", canceled, nil, "canceled", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newObserved(t, c.respond, promptrails.WithMaxRetries(0))
			if _, err := x.client.Members.Get(c.ctx, "m1"); err == nil {
				t.Fatal("Members.Get: got no error, want one")
			}
			spans := x.spans.GetSpans()
			if len(spans) != c.spans {
				t.Fatalf("spans: got %d, want %d", len(spans), c.spans)
			}
			for _, s := range spans {
				if got := x.values(s.Attributes)["error.type"]; got != c.want || s.Status.Code != codes.Error {
					t.Errorf("%s: got error.type %q and status %v, want %q and an error", s.Name, got, s.Status, c.want)
				}
			}
			want := map[string]uint64{"error.type=" + c.want + " promptrails.operation=Members.Get team=research": 1}
			if diff := cmp.Diff(want, x.histogram(t, "promptrails.client.call.duration")); diff != "" {
				t.Errorf("promptrails.client.call.duration (-want +got):\n%s", diff)
			}
		})
	}
}

// The path of Do is not a template, and is not recorded. A method that HTTP does not
// define is _OTHER.
func TestDo(t *testing.T) {
	t.Parallel()
	x := newObserved(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, `{"data":{}}`) })
	for _, method := range []string{"GET", "PURGE"} {
		if err := x.client.Do(t.Context(), method, "/agents/secret-id?q=secret", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	spans := x.spans.GetSpans()
	if names := []string{spans[0].Name, spans[1].Name, spans[2].Name}; !slices.Equal(names, []string{"GET", "Do", "HTTP"}) {
		t.Errorf("spans: got %q, want GET, Do and HTTP", names)
	}
	if got := x.values(spans[2].Attributes); got["http.request.method"] != "_OTHER" || got["http.request.method_original"] != "PURGE" {
		t.Errorf("attributes of PURGE: got %v, want the method _OTHER and the original", got)
	}
	if text := fmt.Sprintf("%+v %v", spans, x.histogram(t, "http.client.request.duration")); strings.Contains(text, "secret") || strings.Contains(text, token) {
		t.Errorf("spans and metrics: got an id, a query or a token in %s", text)
	}
}

// A transport sees the span of its attempt, also if there are two observers.
func TestContextOfAttempts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []trace.SpanID
	x := newObserved(t, flaky())
	other, err := promptrailsotel.NewObserver(x.opts...)
	if err != nil {
		t.Fatal(err)
	}
	observer, err := promptrailsotel.NewObserver(x.opts...)
	if err != nil {
		t.Fatal(err)
	}
	client, err := promptrails.NewClient(promptrails.WithBaseURL(x.server.String()), promptrails.WithAccessToken(token), promptrails.WithObserver(other), promptrails.WithObserver(observer),
		promptrails.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, trace.SpanContextFromContext(r.Context()).SpanID())
			return http.DefaultTransport.RoundTrip(r)
		})}))
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() { _, _ = client.Me(t.Context()) })
	}
	callers.Wait()
	ended := map[trace.SpanID]int{}
	for _, s := range x.spans.GetSpans() {
		ended[s.SpanContext.SpanID()]++
	}
	for _, id := range seen {
		if ended[id] != 1 {
			t.Errorf("span %s of an attempt: got %d ends, want 1", id, ended[id])
		}
	}
	if want := 2*10 + 2*len(seen); len(ended) != want {
		t.Errorf("spans of %d attempts: got %d, want %d", len(seen), len(ended), want)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// verifier accepts one key.
type verifier string

func (v verifier) VerifyKey(_ context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
	if key.Reveal() != string(v) {
		return nil, promptrails.ErrUnauthorized
	}
	return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
}

// A nil authenticator is an error, and not a panic when the metrics are collected.
func TestObserveNilAuthenticator(t *testing.T) {
	t.Parallel()
	if registration, err := promptrailsotel.ObserveAuthenticator(nil); registration != nil || err == nil {
		t.Errorf("ObserveAuthenticator(nil): got %v, %v, want an error", registration, err)
	}
}

// ObserveAuthenticator reports the counts of an authenticator.
func TestObserveAuthenticator(t *testing.T) {
	t.Parallel()
	x := newObserved(t, nil)
	a, err := promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier("pr_live_1")))
	if err != nil {
		t.Fatal(err)
	}
	registration, err := promptrailsotel.ObserveAuthenticator(a, x.opts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"pr_live_1", "pr_live_1", "pr_live_1", "pr_live_2"} {
		_, _ = a.Authenticate(t.Context(), key, promptrails.AuthRequest{})
	}
	got := map[string]int64{}
	for name, data := range x.metrics(t) {
		sum, ok := data.(metricdata.Sum[int64])
		if !ok {
			t.Errorf("%s: got %T, want a sum", name, data)
		}
		for _, p := range sum.DataPoints {
			values := x.values(p.Attributes.ToSlice())
			if values["team"] != "research" {
				t.Errorf("%s: got attributes %v, want team=research", name, values)
			}
			got[strings.TrimPrefix(name, "promptrails.authenticator.")+values["promptrails.key.state"]] = p.Value
		}
	}
	want := map[string]int64{
		"hits": 2, "misses": 2, "stale_uses": 0, "refusals": 1, "unavailable": 0, "rate_refusals": 0, "address_rate_refusals": 0, "verifications": 2, "verification_failures": 0,
		"cached_keysaccepted": 1, "cached_keysrejected": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	if n := len(x.metrics(t)); n != 0 {
		t.Errorf("metrics after Unregister: got %d, want 0", n)
	}
}

// Nil providers are those of the default.
func TestNilProviders(t *testing.T) {
	t.Parallel()
	if _, err := promptrailsotel.NewObserver(promptrailsotel.WithTracerProvider(nil), promptrailsotel.WithMeterProvider(nil)); err != nil {
		t.Errorf("NewObserver with nil providers: got %v, want no error", err)
	}
}
