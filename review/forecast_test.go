package review_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/review"
)

// forecast returns the forecast of a limit.
func forecast(t *testing.T, all []review.LimitForecast, limit promptrails.LimitKey) review.LimitForecast {
	t.Helper()
	for _, f := range all {
		if f.Limit == limit {
			return f
		}
	}
	t.Fatalf("forecasts: got %+v, want one of %s", all, limit)
	return review.LimitForecast{}
}

// Limits are reached by the growth so far.
func TestForecast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter) // 5 members, 15 agents, 5 data sources, 10 000 executions
	agent := must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Agent"}))
	w.join("grace@example.com", promptrails.RoleUser)
	for range 5 {
		must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindDataSources, map[string]any{"name": "Source"}))
	}
	for range 20 {
		must[*promptrails.Resource](t)(w.in.Resources.Execute(t.Context(), agent.ID, nil))
	}
	w.clock.forward(10 * day)
	now := w.clock.now()
	workspace := w.access(w.ada, w.options()).Workspaces[0]
	all := workspace.Forecast()
	for _, test := range []struct {
		limit   promptrails.LimitKey
		perDay  float64
		reached time.Time
	}{
		{promptrails.LimitActiveAgents, 0.1, now.Add(140 * day)}, // 1 in 10 days, 14 are left
		{promptrails.LimitTeamMembers, 0.1, now.Add(30 * day)},   // 1 more than the owner, 3 are left
		{promptrails.LimitDataSources, 0.5, now},                 // all 5
		{promptrails.LimitNotificationChannels, 0, time.Time{}},
		{promptrails.LimitMonthlyExecutions, 2, time.Time{}}, // 20 in 10 days: not in this period
	} {
		f := forecast(t, all, test.limit)
		if difference := f.ReachedAt.Sub(test.reached).Abs(); difference > time.Second || f.PerDay != test.perDay {
			t.Errorf("forecast of %s: got %v at %s, want %v at %s", test.limit, f.PerDay, f.ReachedAt, test.perDay, test.reached)
		}
	}
	executions := forecast(t, all, promptrails.LimitMonthlyExecutions)
	if executions.Used != 20 || executions.Max == nil || *executions.Max != 10_000 || !executions.ResetsAt.Equal(workspace.Usage.PeriodEnd) {
		t.Errorf("forecast of executions: got %+v, want 20 of 10000, reset at %s", executions, workspace.Usage.PeriodEnd)
	}
}

// Executions that grow fast enough reach their limit within the period.
func TestForecastOfExecutions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanFree) // 500 executions
	agent := must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Agent"}))
	for range 250 {
		must[*promptrails.Resource](t)(w.in.Resources.Execute(t.Context(), agent.ID, nil))
	}
	w.clock.forward(12 * time.Hour) // counts as a day
	now := w.clock.now()
	f := forecast(t, w.access(w.ada, w.options()).Workspaces[0].Forecast(), promptrails.LimitMonthlyExecutions)
	if f.PerDay != 250 || !f.ReachedAt.Equal(now.Add(day)) {
		t.Errorf("forecast after half a day: got %+v, want 250 per day, reached at %s", f, now.Add(day))
	}
	w.clock.forward(19*day + 12*time.Hour) // 250 are left at 12.5 per day, and 11 days of the period
	workspace := w.access(w.ada, w.options()).Workspaces[0]
	if f := forecast(t, workspace.Forecast(), promptrails.LimitMonthlyExecutions); f.PerDay != 12.5 || !f.ReachedAt.IsZero() {
		t.Errorf("forecast after 20 days: got %+v, want 12.5 per day, never", f)
	}
	if f := forecast(t, workspace.Forecast(), promptrails.LimitNotificationChannels); f.Max == nil || *f.Max != 0 || !f.ReachedAt.IsZero() {
		t.Errorf("forecast of a limit of 0: got %+v, want never", f)
	}
}

// A limit is never reached if it is unlimited, or the count grows too slowly.
func TestForecastOfNever(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanEnterprise)
	must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Agent"}))
	unlimited := forecast(t, w.access(w.ada, w.options()).Workspaces[0].Forecast(), promptrails.LimitActiveAgents)
	if unlimited.Max != nil || !unlimited.ReachedAt.IsZero() || unlimited.PerDay != 1 {
		t.Errorf("forecast of an unlimited plan: got %+v, want never, 1 per day", unlimited)
	}
	must[*promptrails.Subscription](t)(w.in.Billing.ChangePlan(t.Context(), promptrails.PlanStarter))
	w.clock.forward(300 * day) // 14 are left at 1 in 300 days: 11.5 years
	slow := forecast(t, w.access(w.ada, w.options()).Workspaces[0].Forecast(), promptrails.LimitActiveAgents)
	if slow.PerDay == 0 || !slow.ReachedAt.IsZero() {
		t.Errorf("forecast of 11 years: got %+v, want never", slow)
	}
}

// Forecast covers all workspaces, soonest first, and names those that it could
// not read.
func TestForecastOfAllWorkspaces(t *testing.T) {
	t.Parallel()
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DefaultPlan: promptrails.PlanStarter}))
	t.Cleanup(func() { _ = service.Close() })
	w := &world{Service: service, t: t}
	w.ada = w.person("ada@example.com")
	full, half, broken := w.create("full"), w.create("half"), w.create("broken")
	for workspace, n := range map[*promptrails.Workspace]int{full: 5, half: 2} {
		for range n {
			must[*promptrails.Resource](t)(w.ada.InWorkspace(workspace.ID).Resources.Create(t.Context(), promptrails.KindDataSources, map[string]any{"name": "Source"}))
		}
	}
	var mu sync.Mutex
	var requests []string
	client := w.through(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Workspace-Id") == broken.ID {
			response := respond(r, `{"error":{"code":"internal_error","message":"broken disk"}}`)
			response.StatusCode = http.StatusInternalServerError
			return response, nil
		}
		if !strings.HasSuffix(r.URL.Path, "/workspaces") {
			mu.Lock()
			requests = append(requests, r.URL.Path)
			mu.Unlock()
		}
		return w.serve(r)
	})
	client = client.InWorkspace("") // Forecast chooses the workspaces
	all, err := review.Forecast(t.Context(), client)
	if err == nil || !strings.Contains(err.Error(), "broken disk") || !strings.Contains(err.Error(), "workspace broken") {
		t.Errorf("Forecast: got error %v, want broken disk of the workspace broken", err)
	}
	if len(all) != 10 || all[0].Workspace != "full" || all[1].Workspace != "half" || all[1].Limit != promptrails.LimitDataSources || all[1].ReachedAt.IsZero() || !all[2].ReachedAt.IsZero() {
		t.Errorf("Forecast: got %+v, want full, half and then 8 that are never reached", all)
	}
	if len(requests) != 2 {
		t.Errorf("requests: got %q, want 2 of usage", requests)
	}
}
