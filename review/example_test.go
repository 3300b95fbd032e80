package review_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/review"
)

// research returns a client of an embedded service with one workspace, and its
// clock. Use promptrails.NewClient to connect to a real service.
func research(ctx context.Context) (client, workspace *promptrails.Client, now func() time.Time, done func()) {
	now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	service, err := embedded.Open(ctx, embedded.Config{DefaultPlan: promptrails.PlanStarter, Now: func() time.Time { return now() }})
	if err != nil {
		log.Fatal(err)
	}
	user, err := service.CreateUser(ctx, "ada@example.com", "Ada")
	if err != nil {
		log.Fatal(err)
	}
	client, err = service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		log.Fatal(err)
	}
	w, err := client.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	return client, client.InWorkspace(w.ID), now, func() { _ = service.Close() }
}

func ExampleAccess() {
	ctx := context.Background()
	client, workspace, now, done := research(ctx)
	defer done()
	_, err := workspace.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Deploy", Scopes: promptrails.Scopes{promptrails.ScopeAll}})
	if err != nil {
		log.Fatal(err)
	}

	report, err := review.Access(ctx, client, &review.Options{Now: now})
	if err != nil {
		log.Fatal(err)
	}
	for f := range report.Findings() {
		fmt.Println(f.Severity, f.Workspace, f.Rule)
		fmt.Println("  " + f.Message)
	}
	// Output:
	// high research api-key-all-scopes
	//   The API key "Deploy" has the scope *, so whoever has it can do everything in the workspace. Grant only the scopes that it needs.
	// medium research api-key-without-expiry
	//   The API key "Deploy" never expires, so it remains valid if it leaks or is forgotten.
}

// A SIEM receives the findings of each workspace as OCSF events, one a line.
func ExampleWriteOCSF() {
	ctx := context.Background()
	client, workspace, now, done := research(ctx)
	defer done()
	_, err := workspace.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{
		Name: "Deploy", Scopes: promptrails.Scopes{promptrails.ScopeAll}, ExpiresAt: now().AddDate(0, 1, 0),
	})
	if err != nil {
		log.Fatal(err)
	}

	var events bytes.Buffer
	for w, err := range review.Each(ctx, client, &review.Options{Now: now}) {
		if err != nil {
			log.Fatal(err)
		}
		if err := review.WriteOCSF(&events, slices.Values(w.Findings), review.DefaultRules(), w.ReadAt); err != nil {
			log.Fatal(err)
		}
	}
	var event struct {
		Class    string `json:"class_name"`
		Severity string `json:"severity"`
		Time     int64  `json:"time"` // in milliseconds
		Info     struct {
			Title string `json:"title"`
		} `json:"finding_info"`
	}
	if err := json.Unmarshal(events.Bytes(), &event); err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Class, event.Severity, event.Time, event.Info.Title)
	// Output: Compliance Finding High 1767323045000 API key with all scopes
}

// A rule of a company, in addition to the default rules: keys are restricted to
// addresses.
func ExampleRule() {
	ctx := context.Background()
	client, workspace, now, done := research(ctx)
	defer done()
	_, err := workspace.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{
		Name: "Deploy", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead}, ExpiresAt: now().AddDate(0, 1, 0),
	})
	if err != nil {
		log.Fatal(err)
	}

	anywhere := review.Rule{
		ID: "acme-key-anywhere", Severity: review.SeverityMedium, Title: "API key that works from any address",
		Check: func(w *review.Workspace, _ review.Params) (found []review.Finding) {
			for _, k := range w.APIKeys {
				if len(k.AllowedIPs) == 0 {
					found = append(found, review.Finding{
						Object:  promptrails.ResourceRef{Type: promptrails.ResourceAPIKey, ID: k.ID, Name: k.Name},
						Message: "Restrict the key " + k.Name + " to the addresses of our network.",
					})
				}
			}
			return found
		},
	}
	opts := &review.Options{Now: now, Rules: append(review.DefaultRules(), anywhere)}
	for w, err := range review.Each(ctx, client, opts) {
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range w.Findings {
			fmt.Println(f.Rule, f.Message)
		}
	}
	// Output: acme-key-anywhere Restrict the key Deploy to the addresses of our network.
}

func ExampleDiff() {
	ctx := context.Background()
	client, workspace, now, done := research(ctx)
	defer done()
	before, err := review.Access(ctx, client, &review.Options{Now: now})
	if err != nil {
		log.Fatal(err)
	}
	_, err = workspace.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Deploy", Scopes: promptrails.Scopes{promptrails.ScopeAll}})
	if err != nil {
		log.Fatal(err)
	}
	after, err := review.Access(ctx, client, &review.Options{Now: now})
	if err != nil {
		log.Fatal(err)
	}
	if err := review.Diff(before, after).WriteTable(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Changes from 2026-01-02 to 2026-01-02
	//   added  research  api_key  Deploy
	//   found  research  api_key  Deploy  api-key-all-scopes
	//   found  research  api_key  Deploy  api-key-without-expiry
}

func ExampleForecast() {
	ctx := context.Background()
	client, workspace, _, done := research(ctx)
	defer done()
	for range 5 {
		if _, err := workspace.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "Source"}); err != nil {
			log.Fatal(err)
		}
	}

	forecasts, err := review.Forecast(ctx, client)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range forecasts {
		if !f.ReachedAt.IsZero() {
			fmt.Println(f.Workspace, f.Limit, f.Used, "of", *f.Max)
		}
	}
	// Output: research data_sources 5 of 5
}
