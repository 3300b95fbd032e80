package main

import (
	"bytes"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func TestProcess(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "PROMPTRAILS_API_URL", "PROMPTRAILS_ACCESS_TOKEN", "PROMPTRAILS_GUEST_ACCESS_TOKEN")
	const url, token = "PROMPTRAILS_API_URL=", "PROMPTRAILS_ACCESS_TOKEN=pat_x"
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{url + "https://127.0.0.1:1"}, "PROMPTRAILS_ACCESS_TOKEN is not set"},
		{[]string{url + "https://127.0.0.1:1", token}, "PROMPTRAILS_GUEST_ACCESS_TOKEN is not set"},
		{[]string{url + "http://192.0.2.1", token}, "base URL (PROMPTRAILS_API_URL) must begin with https://"},
	} {
		got := processtest.Run(t, t.TempDir(), c.env)
		got.Fails(t, 1, c.want)
		if strings.Contains(got.Stderr, "With") {
			t.Errorf("stderr: got %q, want no names of Go options", got.Stderr)
		}
	}
}

// TestQuickstartOverAPort runs the tour against a server with a database file,
// restarts the server and runs the tour again. The workspaces of the first run
// survive the restart.
func TestQuickstartOverAPort(t *testing.T) {
	t.Setenv("PROMPTRAILS_API_KEY", "")
	t.Setenv("PROMPTRAILS_WORKSPACE_ID", "")
	cfg := embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), DefaultPlan: promptrails.PlanStarter}
	for start := range 2 {
		service, err := embedded.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(service)
		t.Setenv("PROMPTRAILS_API_URL", server.URL)
		if start == 0 {
			for variable, email := range map[string]string{"PROMPTRAILS_ACCESS_TOKEN": "owner@example.com", "PROMPTRAILS_GUEST_ACCESS_TOKEN": "guest@example.com"} {
				user, err := service.CreateUser(t.Context(), email, "")
				if err != nil {
					t.Fatal(err)
				}
				t.Setenv(variable, user.AccessToken.Reveal())
			}
		}
		var out bytes.Buffer
		if err := run(t.Context(), &out); err != nil || !strings.Contains(out.String(), "guest@example.com joined") || !strings.Contains(out.String(), "webhooks to public addresses") {
			t.Errorf("start %d: got error %v, output\n%s\nwant no error, a guest and no webhooks", start+1, err, out.String())
		}
		client, err := promptrails.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		page, err := client.Workspaces.List(t.Context(), nil)
		if want := 2 * (start + 1); err != nil || page.Meta.Total != want {
			t.Errorf("start %d: Workspaces.List: got %+v, error %v; want %d workspaces", start+1, page, err, want)
		}
		server.Close()
		if err := service.Close(); err != nil {
			t.Errorf("start %d: Close: got error %v, want nil", start+1, err)
		}
	}
}

func TestQuickstart(t *testing.T) {
	for _, name := range []string{"PROMPTRAILS_API_URL", "PROMPTRAILS_ACCESS_TOKEN", "PROMPTRAILS_API_KEY", "PROMPTRAILS_WORKSPACE_ID"} {
		t.Setenv(name, "")
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"Research and Support", "prints as [redacted]", "grace@example.com joined with the role user", "for Grace, Support does not exist",
		"*promptrails.RoleError: needs admin, has user", `role "user" → "admin"`, "7   Grace  created  invitation",
		"sk-****************789", "the key can list Production", "needs credentials:write, has credentials:read\n   promptrails: DELETE /credentials/{id}: 403 insufficient_scope",
		"needs credentials:write, has credentials:read\n   promptrails: DELETE /credentials/{id}: request not sent", "9   Ada    created  api_key",
		"for traces:read: authenticated as the key Caller", "for traces:write: promptrails: 403 insufficient_scope",
		"webhook usage.threshold: 4 of 5 data_sources", "webhook usage.limit_reached: 5 of 5 data_sources",
		"costs USD 199.00 a month\n   masked text: Mail [PII_EMAIL_", "or pay with [PII_CREDIT_CARD_", `plan "starter" → "pro"`, "verified up to entry 19",
		"*promptrails.QuotaError: data_sources, 5 of 5 used on the starter plan", "closest to its limit: data_sources, 0 left",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("output: got\n%s\nwant it to contain %q", out.String(), part)
		}
	}
	for _, secret := range []string{"pat_", "inv_", "whsec_", "quickstart-0123", "/hooks", "4111"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("output: got %q, want no secrets", secret)
		}
	}
}
