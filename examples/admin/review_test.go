package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// The commands of a review's findings can be run, and mend them.
func TestMends(t *testing.T) {
	t.Parallel()
	for _, rule := range review.DefaultRules() {
		command, ok := mends[rule.ID]
		cmd, rest, err := new(app).root().Find(strings.Fields(command))
		if !ok || err != nil || cmd.HasSubCommands() {
			t.Errorf("command of %s: got %q, rest %q, error %v; want a command", rule.ID, command, rest, err)
		}
	}
	x := newAdmin(t)
	f := newFixture(x)
	x.succeeds("", "keys", "create", "--name", "All", "--scopes", "*", "--no-expiry")
	x.succeeds("", "channels", "pause", f.channel)
	x.succeeds("", "masking", "set", "--enabled=false")
	findings := func() (all []review.Finding) {
		report, err := review.Access(t.Context(), x.s.Owner, nil)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Collect(report.Findings())
	}
	rules := map[string]bool{}
	for _, found := range findings() {
		rules[found.Rule] = true
		if found.Rule == "api-key-expires" {
			continue // its command waits until the old key is unused; TestRotate tests it
		}
		command := strings.NewReplacer("SCOPES", "agents:read", "PLAN", "enterprise").Replace(mend(found))
		x.succeeds("", append(strings.Fields(command)[1:], "--yes")...)
	}
	for _, rule := range []string{"api-key-all-scopes", "api-key-without-expiry", "api-key-expires", "channel-paused", "masking-off", "credential-default-missing"} {
		if !rules[rule] {
			t.Errorf("findings: got %v, want %s among them", rules, rule)
		}
	}
	for _, found := range findings() {
		if found.Rule != "api-key-expires" {
			t.Errorf("after its command: got the finding %s %q, want none", found.Rule, found.Message)
		}
	}
}

// A review of no workspace is not a success: the token may have lost its access.
func TestReviewOfNothing(t *testing.T) {
	t.Parallel()
	x := newAdmin(t)
	user, err := x.s.Service.CreateUser(t.Context(), "stranger@example.com", "Stranger")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(x.credentials[3], []byte(user.AccessToken.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := x.run(t.Context(), "", "review", "--fail-on", "never"); got.err == nil || !strings.Contains(got.err.Error(), "nothing was reviewed") {
		t.Errorf("review: got stdout %q, error %v; want that nothing was reviewed", got.stdout, got.err)
	}
}

// A review that fails is an error in each format, and its document is not complete.
func TestReviewFails(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !strings.HasSuffix(r.URL.Path, "/workspaces"):
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":{"code":"forbidden","message":"no"}}`)
		case r.URL.Query().Has("after"):
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"code":"unauthorized","message":"expired"}}`)
		default:
			_, _ = io.WriteString(w, `{"data":[{"id":"w","name":"W","slug":"w"}],"meta":{"total":2,"next_cursor":"next"}}`)
		}
	}))
	t.Cleanup(server.Close)
	x := newAdmin(t)
	x.credentials[1] = server.URL
	for _, format := range []string{"table", "json", "csv", "sarif", "ocsf"} {
		got := x.run(t.Context(), "", "review", "--format", format, "--fail-on", "never")
		if !errors.Is(got.err, promptrails.ErrUnauthorized) {
			t.Errorf("review --format %s: got error %v, want ErrUnauthorized", format, got.err)
		}
		if json.Valid([]byte(got.stdout)) && got.stdout != "" || strings.Contains(got.stdout, "1 workspace:") {
			t.Errorf("review --format %s: got %q, want a document that is not complete", format, got.stdout)
		}
	}
}
