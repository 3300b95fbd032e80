package promptrailsotel_test

import (
	stdcmp "cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
	"github.com/promptrails-community/promptrails-go/promptrailsotel"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// service is a service with its spans and metrics. Its Owner makes no spans.
type service struct {
	*promptrailstest.Server
	*recorder
}

func newService(t *testing.T, cfg embedded.Config) *service {
	t.Helper()
	r := newRecorder()
	cfg.TracerProvider, cfg.MeterProvider, cfg.DefaultPlan = r.tracers, r.meters, stdcmp.Or(cfg.DefaultPlan, promptrails.PlanStarter)
	return &service{promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) { *c = cfg })), r}
}

// databases runs a test in each database.
func databases(t *testing.T, test func(t *testing.T, system string, cfg embedded.Config)) {
	t.Helper()
	t.Run("SQLite file", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite", embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db")})
	})
	t.Run("SQLite in memory", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite", embedded.Config{})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, "postgresql", embedded.Config{DSN: pgtest.DSN(t), MasterKey: make([]byte, 32)})
	})
}

// over returns a client over the network whose calls are traced with r.
func (s *service) over(t *testing.T, r *recorder, opts ...promptrails.Option) *promptrails.Client {
	t.Helper()
	observer, err := promptrailsotel.NewObserver(promptrailsotel.WithTracerProvider(r.tracers), promptrailsotel.WithMeterProvider(r.meters))
	if err != nil {
		t.Fatal(err)
	}
	client, err := promptrails.NewClient(append(opts, promptrails.WithBaseURL(s.URL), promptrails.WithWorkspace(s.Workspace.ID), promptrails.WithObserver(observer),
		promptrails.WithHTTPClient(&http.Client{Transport: promptrailsotel.NewTransport(nil)}), promptrails.WithMaxRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// key creates an API key with all scopes.
func (s *service) key(t *testing.T) *promptrails.CreatedAPIKey {
	t.Helper()
	key, err := s.Owner.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "k", Scopes: promptrails.Scopes{promptrails.ScopeAll}})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A call over the network is one trace: the call, its attempt, the request of the
// service and its transactions.
func TestTraceOfCall(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, system string, cfg embedded.Config) {
		s := newService(t, cfg)
		key := s.key(t)
		client := s.over(t, s.recorder, promptrails.WithAPIKey(key.Key.Reveal()))
		s.spans.Reset()
		agent, err := client.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "a"}, promptrails.WithRequestID("r1"))
		if err != nil {
			t.Fatal(err)
		}
		request := s.served(t, 1)[0]
		client.CloseIdleConnections()
		call := s.ofKind(trace.SpanKindInternal)
		calls := slices.DeleteFunc(call, func(x tracetest.SpanStub) bool { return x.Name != "Resources.Create" })
		attempts := s.ofKind(trace.SpanKindClient)
		if len(calls) != 1 || len(attempts) != 1 || attempts[0].Parent.SpanID() != calls[0].SpanContext.SpanID() {
			t.Fatalf("call and attempt: got %v and %v, want one attempt of one call", calls, attempts)
		}
		if request.Name != "POST /api/v1/agents" || request.Parent.SpanID() != attempts[0].SpanContext.SpanID() || !request.Parent.IsRemote() || request.SpanContext.TraceID() != calls[0].SpanContext.TraceID() {
			t.Errorf("request: got %s with parent %v, want POST /api/v1/agents, a child of the attempt %v", request.Name, request.Parent, attempts[0].SpanContext)
		}
		if diff := cmp.Diff(map[string]string{
			"http.request.method": "POST", "url.scheme": "http", "http.route": "/api/v1/agents", "http.response.status_code": "201",
			"http.response.header.x-request-id": `["r1"]`, "promptrails.principal": "api_key:" + key.ID, "promptrails.workspace.id": s.Workspace.ID,
		}, valuesOf(request.Attributes)); diff != "" {
			t.Errorf("request for %s (-want +got):\n%s", agent.ID, diff)
		}
		transactions := s.children(request)
		var names []string
		for _, x := range transactions {
			names = append(names, x.Name)
			got := valuesOf(x.Attributes)
			if wait := got["promptrails.transaction.wait"]; wait == "" {
				t.Errorf("%s: got no promptrails.transaction.wait, want one", x.Name)
			}
			delete(got, "promptrails.transaction.wait")
			mode, _, _ := strings.Cut(x.Name, " ")
			if diff := cmp.Diff(map[string]string{"db.system.name": system, "promptrails.transaction.mode": mode, "promptrails.transaction.attempts": "1"}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", x.Name, diff)
			}
		}
		if want := []string{"read transaction", "write transaction"}; !slices.Equal(names, want) {
			t.Errorf("children of the request: got %q, want %q", names, want)
		}
	})
}

// The status of a span is an error only if the service is at fault.
func TestFailedRequests(t *testing.T) {
	t.Parallel()
	s := newService(t, embedded.Config{
		AuthenticateUser: func(context.Context, string) (email, name string, err error) {
			return "", "", errors.New("no provider")
		},
		CheckCredential: func(context.Context, *promptrails.Credential, promptrails.Secret) (*promptrails.CredentialCheck, error) {
			panic("planted")
		},
	})
	ctx := t.Context()
	client := s.over(t, newRecorder(), promptrails.WithAPIKey(s.key(t).Key.Reveal()))
	outage := s.over(t, newRecorder(), promptrails.WithAccessToken("of-a-provider"))
	credential, err := client.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-0123456789")})
	if err != nil {
		t.Fatal(err)
	}
	s.served(t, 3)
	for _, tt := range []struct {
		name, span, attributes string
		status                 codes.Code
		call                   func() error
	}{
		{
			"not found", "GET /api/v1/members/{id}", "http.response.status_code=404 promptrails.error.code=not_found", codes.Unset,
			func() error { _, err := client.Members.Get(ctx, "planted-id"); return err },
		},
		{
			"conflict", "POST /api/v1/invitations", "http.response.status_code=409 promptrails.error.code=already_member", codes.Unset,
			func() error {
				_, err := client.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "owner@example.com", Role: promptrails.RoleUser})
				return err
			},
		},
		{
			"outage", "GET /api/v1/members/{id}", "error.type=503 http.response.status_code=503 promptrails.error.code=unavailable", codes.Error,
			func() error { _, err := outage.Members.Get(ctx, "m"); return err },
		},
		{
			"panic", "POST /api/v1/credentials/{id}/check", "error.type=500 http.response.status_code=500 promptrails.error.code=internal_error", codes.Error,
			func() error { _, err := client.Credentials.CheckConnection(ctx, credential.ID); return err },
		},
		{
			"no route", "GET", "http.response.status_code=404 promptrails.error.code=not_found", codes.Unset,
			func() error { return client.Do(ctx, "GET", "/planted-path?q=planted-query", nil, nil) },
		},
		{
			"unknown method", "HTTP", "http.request.method_original=PLANTED http.response.status_code=405 promptrails.error.code=method_not_allowed", codes.Unset,
			func() error { return client.Do(ctx, "PLANTED", "/members", nil, nil) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.spans.Reset()
			if err := tt.call(); err == nil {
				t.Fatal("got no error, want one")
			}
			span := s.served(t, 1)[0]
			got := valuesOf(span.Attributes)
			for _, known := range []string{"http.request.method", "url.scheme", "http.route", "http.response.header.x-request-id", "promptrails.principal", "promptrails.workspace.id"} {
				delete(got, known)
			}
			if span.Name != tt.span || span.Status.Code != tt.status || textOf(got) != tt.attributes {
				t.Errorf("span: got %s, %v, %s, want %s, %v, %s", span.Name, span.Status, textOf(got), tt.span, tt.status, tt.attributes)
			}
			if span.Status.Description != "" || len(span.Events) > 0 {
				t.Errorf("span: got description %q and events %v, want neither", span.Status.Description, span.Events)
			}
		})
	}
}

// Without a valid traceparent, a request starts a trace. A client can decide that its
// trace is not recorded; the metrics are.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	s := newService(t, embedded.Config{})
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, tt := range []struct{ name, header, parent string }{
		{"none", "", "0000000000000000"},
		{"malformed", "00-planted", "0000000000000000"},
		{"zero", "00-00000000000000000000000000000000-0000000000000000-01", "0000000000000000"},
		{"sampled", "00-" + traceID + "-" + spanID + "-01", spanID},
		{"not sampled", "00-" + traceID + "-" + spanID + "-00", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.spans.Reset()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", http.NoBody)
			if tt.header != "" {
				r.Header.Set("Traceparent", tt.header)
			}
			s.Service.ServeHTTP(httptest.NewRecorder(), r)
			parent := ""
			for _, span := range s.spans.GetSpans() {
				parent += span.Parent.SpanID().String()
			}
			if parent != tt.parent {
				t.Errorf("parents of the spans: got %q, want %q", parent, tt.parent)
			}
		})
	}
	const point = "http.request.method=GET http.response.status_code=200 http.route=/healthz url.scheme=http"
	if got := s.points(t, "http.server.request.duration")[point]; got != 5 {
		t.Errorf("http.server.request.duration of %s: got %d, want 5", point, got)
	}
}

// The background work of a service makes no spans, even if Open was called in one.
func TestBackgroundMakesNoSpans(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		ctx, span := r.tracers.Tracer("test").Start(t.Context(), "start")
		service, err := embedded.Open(ctx, embedded.Config{TracerProvider: r.tracers, MeterProvider: r.meters})
		if err != nil {
			t.Fatal(err)
		}
		span.End()
		r.spans.Reset()
		time.Sleep(2 * time.Minute) // of the clock of the bubble
		if spans := r.spans.GetSpans(); len(spans) > 0 {
			t.Errorf("spans after Open: got %v, want none", spans)
		}
		if waits := r.points(t, "promptrails.transaction.wait"); waits["promptrails.transaction.mode=read"] < 10 {
			t.Errorf("promptrails.transaction.wait: got %v, want those of the background work", waits)
		}
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A service with one of the providers only works.
func TestOneProvider(t *testing.T) {
	t.Parallel()
	for name, unset := range map[string]func(*embedded.Config){
		"spans only":   func(c *embedded.Config) { c.MeterProvider = nil },
		"metrics only": func(c *embedded.Config) { c.TracerProvider = nil },
	} {
		r := newRecorder()
		s := promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) {
			c.TracerProvider, c.MeterProvider = r.tracers, r.meters
			unset(c)
		}))
		if _, err := s.Owner.Members.Self(t.Context()); err != nil {
			t.Fatal(err)
		}
		spans, metrics := len(r.spans.GetSpans()), len(r.metrics(t))
		if (spans > 0) != (name == "spans only") || (metrics > 0) != (name == "metrics only") {
			t.Errorf("%s: got %d spans and %d metrics", name, spans, metrics)
		}
	}
}

// panicking is a log that panics once it is armed.
type panicking struct {
	slog.Handler
	armed *atomic.Bool
}

func (panicking) Enabled(context.Context, slog.Level) bool { return true }

func (p panicking) Handle(context.Context, slog.Record) error {
	if p.armed.CompareAndSwap(true, false) {
		panic("log")
	}
	return nil
}

// The span of a request ends even if the log panics.
func TestPanickingLog(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	s := newService(t, embedded.Config{Logger: slog.New(panicking{slog.DiscardHandler, &armed})})
	before := len(s.ofKind(trace.SpanKindServer))
	armed.Store(true)
	t.Run("request", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("ServeHTTP: got no panic, want that of the log")
			}
		}()
		s.Service.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", http.NoBody))
	})
	for attributes, active := range s.points(t, "http.server.active_requests") {
		if active != 0 {
			t.Errorf("active requests with %s: got %d, want 0", attributes, active)
		}
	}
	if got := len(s.ofKind(trace.SpanKindServer)); got != before+1 {
		t.Errorf("spans of requests: got %d, want %d", got, before+1)
	}
}
