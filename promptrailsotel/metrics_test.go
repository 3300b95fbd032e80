package promptrailsotel_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The metrics of requests have the route, the method and the status.
func TestRequestMetrics(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, _ string, cfg embedded.Config) {
		running := make(chan map[string]int64, 1)
		var s *service
		cfg.CheckCredential = func(context.Context, *promptrails.Credential, promptrails.Secret) (*promptrails.CredentialCheck, error) {
			running <- s.points(t, "http.server.active_requests")
			return &promptrails.CredentialCheck{}, nil
		}
		s = newService(t, cfg)
		ctx := t.Context()
		credential, err := s.Owner.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-0123456789")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Owner.Credentials.CheckConnection(ctx, credential.ID); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := s.Owner.Members.Get(ctx, "m"); err == nil {
				t.Fatal("Members.Get: got no error, want one")
			}
		}
		if diff := cmp.Diff(map[string]int64{"http.request.method=POST url.scheme=http": 1}, <-running); diff != "" {
			t.Errorf("http.server.active_requests during a request (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int64{"http.request.method=POST url.scheme=http": 0, "http.request.method=GET url.scheme=http": 0}, s.points(t, "http.server.active_requests")); diff != "" {
			t.Errorf("http.server.active_requests (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int64{
			"http.request.method=POST http.response.status_code=201 http.route=/api/v1/workspaces url.scheme=http":             1,
			"http.request.method=POST http.response.status_code=201 http.route=/api/v1/credentials url.scheme=http":            1,
			"http.request.method=POST http.response.status_code=200 http.route=/api/v1/credentials/{id}/check url.scheme=http": 1,
			"http.request.method=GET http.response.status_code=404 http.route=/api/v1/members/{id} url.scheme=http":            2,
		}, s.points(t, "http.server.request.duration")); diff != "" {
			t.Errorf("http.server.request.duration (-want +got):\n%s", diff)
		}
		waits := s.points(t, "promptrails.transaction.wait")
		if waits["promptrails.transaction.mode=read"] < 5 || waits["promptrails.transaction.mode=write"] < 3 {
			t.Errorf("promptrails.transaction.wait: got %v, want at least those of the requests", waits)
		}
	})
}

// The size of the database grows with its contents. It is not reported after Close.
func TestDatabaseSize(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, _ string, cfg embedded.Config) {
		s := newService(t, cfg)
		before := s.points(t, "promptrails.database.size")[""]
		const added = 500_000
		text := randomText(added)
		if _, err := s.Owner.Resources.Create(t.Context(), promptrails.KindPrompts, map[string]any{"name": "p", "config": map[string]any{"text": text}}); err != nil {
			t.Fatal(err)
		}
		if after := s.points(t, "promptrails.database.size")[""]; before <= 0 || after < before+added/2 {
			t.Errorf("promptrails.database.size: got %d, and %d with %d bytes more; want more than 0, and about these bytes more", before, after, added)
		}
		if err := s.Service.Close(); err != nil {
			t.Fatal(err)
		}
		if got := s.points(t, "promptrails.database.size"); len(got) > 0 {
			t.Errorf("promptrails.database.size after Close: got %v, want none", got)
		}
	})
}

// Refused requests are counted by the limit that refused them.
func TestRefusals(t *testing.T) {
	t.Parallel()
	refusals := func(t *testing.T, s *service, limit string) {
		t.Helper()
		if diff := cmp.Diff(map[string]int64{"promptrails.limit.name=" + limit: 1}, s.points(t, "promptrails.limit.refusals")); diff != "" {
			t.Errorf("promptrails.limit.refusals (-want +got):\n%s", diff)
		}
	}
	t.Run("rate", func(t *testing.T) {
		t.Parallel()
		now := time.Now()
		s := newService(t, embedded.Config{Now: func() time.Time { return now }, Limits: embedded.Limits{Rate: 0.001, Burst: 2}})
		client := s.over(t, newRecorder(), promptrails.WithAPIKey(s.key(t).Key.Reveal()))
		for range 3 {
			_, _ = client.Members.List(t.Context(), nil)
		}
		s.served(t, 5)
		refusals(t, s, "rate")
	})
	t.Run("requests", func(t *testing.T) {
		t.Parallel()
		var s *service
		s = newService(t, embedded.Config{
			Limits: embedded.Limits{Requests: 1},
			CheckCredential: func(ctx context.Context, _ *promptrails.Credential, _ promptrails.Secret) (*promptrails.CredentialCheck, error) {
				r := httptest.NewRecorder()
				s.Service.ServeHTTP(r, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/me", http.NoBody))
				if r.Code != http.StatusServiceUnavailable {
					t.Errorf("second request: got %d, want 503", r.Code)
				}
				return &promptrails.CredentialCheck{}, nil
			},
		})
		credential, err := s.Owner.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-0123456789")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Owner.Credentials.CheckConnection(t.Context(), credential.ID); err != nil {
			t.Fatal(err)
		}
		refusals(t, s, "requests")
	})
	t.Run("request time", func(t *testing.T) {
		t.Parallel()
		s := newService(t, embedded.Config{
			Limits: embedded.Limits{RequestTime: 2 * time.Second},
			AuthenticateUser: func(ctx context.Context, _ string) (email, name string, err error) {
				<-ctx.Done()
				return "ada@example.com", "", nil // the database is read after the end of the request
			},
		})
		slow := s.over(t, newRecorder(), promptrails.WithAccessToken("slow"))
		_, _ = slow.Members.List(t.Context(), nil)
		s.served(t, 2)
		refusals(t, s, "request_time")

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ended, http.MethodGet, "/api/v1/me", http.NoBody)
		r.Header.Set("Authorization", "Bearer slow")
		s.Service.ServeHTTP(httptest.NewRecorder(), r) // its client is gone
		refusals(t, s, "request_time")
	})
	t.Run("plan", func(t *testing.T) {
		t.Parallel()
		s := newService(t, embedded.Config{})
		for range 5 { // one seat is that of the owner
			_, _ = s.Owner.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: promptrailsEmail(), Role: promptrails.RoleUser})
		}
		refusals(t, s, "plan")
	})
}

var emails atomic.Int64

// promptrailsEmail returns another address at each call.
func promptrailsEmail() string {
	return strings.Repeat("a", int(emails.Add(1))) + "@example.com"
}

// Deliveries are counted by their outcome.
func TestDeliveryMetrics(t *testing.T) {
	t.Parallel()
	s := newService(t, embedded.Config{AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanPro})
	ctx := t.Context()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[string]int{"/works": 204, "/fails": 500, "/gone": 410}[r.URL.Path])
	}))
	defer receiver.Close()
	for _, path := range []string{"/works", "/fails", "/gone"} {
		channel, err := s.Owner.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
			Name: path, Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(receiver.URL + path), Events: []promptrails.EventType{promptrails.EventMemberRemoved},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Owner.Notifications.TestChannel(ctx, channel.ID); err != nil {
			t.Fatal(err)
		}
		for attempted := false; !attempted; runtime.Gosched() {
			page, err := s.Owner.Notifications.ListDeliveries(ctx, channel.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			attempted = len(page.Items[0].Attempts) > 0
		}
	}
	want := map[string]int64{"promptrails.delivery.outcome=delivered": 1, "promptrails.delivery.outcome=retry": 1, "promptrails.delivery.outcome=failed": 1}
	if diff := cmp.Diff(want, s.points(t, "promptrails.delivery.duration")); diff != "" {
		t.Errorf("promptrails.delivery.duration (-want +got):\n%s", diff)
	}
}

// Rows that are deleted after their retention period are counted by kind.
func TestPruneMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		service, err := embedded.Open(t.Context(), embedded.Config{MeterProvider: r.meters, DefaultPlan: promptrails.PlanStarter})
		if err != nil {
			t.Fatal(err)
		}
		user, err := service.CreateUser(t.Context(), "ada@example.com", "")
		if err != nil {
			t.Fatal(err)
		}
		ada, err := service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		workspace, err := ada.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
		if err != nil {
			t.Fatal(err)
		}
		ada = ada.InWorkspace(workspace.ID)
		if _, err := ada.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "k", Scopes: promptrails.Scopes{promptrails.ScopeAll}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour) // of the clock of the bubble
		want := map[string]int64{"promptrails.prune.kind=outcomes": 2, "promptrails.prune.kind=outcome_secrets": 1}
		if diff := cmp.Diff(want, r.points(t, "promptrails.prune.rows")); diff != "" {
			t.Errorf("promptrails.prune.rows (-want +got):\n%s", diff)
		}
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
}

// randomText returns n characters that cannot be compressed.
func randomText(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}
