package main

import (
	"bytes"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Over a port, on a file, twice: what a run wrote is there after a restart.
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
		if err := run(t.Context(), &out); err != nil || !strings.Contains(out.String(), "guest@example.com is in") || !strings.Contains(out.String(), "public addresses alone") {
			t.Errorf("%v\n%s", err, out.String())
		}
		client, err := promptrails.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		page, err := client.Workspaces.List(t.Context(), nil)
		if want := 2 * (start + 1); err != nil || page.Meta.Total != want {
			t.Errorf("%+v, %v; want %d workspaces", page, err, want)
		}
		server.Close()
		if err := service.Close(); err != nil {
			t.Error(err)
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
		"Research and Support", "prints as [redacted]", "grace@example.com is in, with the role user", "for Grace, Support does not exist",
		"*promptrails.RoleError: needs admin, has user", `role "user" → "admin"`, "7   Grace  created  invitation",
		"sk-****************789", "with it a program sees Production", "needs credentials:write, has credentials:read\n   promptrails: DELETE /credentials/{id}: 403 insufficient_scope",
		"needs credentials:write, has credentials:read\n   promptrails: DELETE /credentials/{id}: request not sent", "9   Ada    created  api_key",
		"for traces:read: let in, as the key Caller", "for traces:write: promptrails: 403 insufficient_scope",
		"the webhook says usage.threshold: 4 of 5 data_sources", "the webhook says usage.limit_reached: 5 of 5 data_sources",
		"for USD 199.00 a month: Mail [PII_EMAIL_", "or pay with [PII_CREDIT_CARD_", `plan "starter" → "pro"`, "verified up to entry 19",
		"*promptrails.QuotaError: data_sources, 5 of 5 used on the plan starter", "nearest to its end: data_sources, 0 left",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the tour does not say %q:\n%s", part, out.String())
		}
	}
	for _, secret := range []string{"pat_", "inv_", "whsec_", "quickstart-0123", "hooks", "4111"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the tour shows a secret that begins with %s", secret)
		}
	}
}
