package review_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// The call of each default rule compiles, with the variables that the reader
// chooses.
func TestMendsCompile(t *testing.T) {
	t.Parallel()
	w := troubled()
	program := new(strings.Builder)
	program.WriteString(`package main

import (
	"context"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func main() {}

var _ promptrails.Scope

func mend(ctx context.Context, client *promptrails.Client, scopes promptrails.Scopes, expiry time.Time, plan promptrails.PlanID, memberID string) {
`)
	calls := map[string]bool{}
	for _, f := range w.Check(review.DefaultRules(), review.Params{}) {
		calls[f.Rule] = true
		program.WriteString("\t" + f.Mend + "\n")
	}
	program.WriteString("}\n")
	for _, rule := range review.DefaultRules() {
		if !calls[rule.ID] {
			t.Errorf("rule %s: got no call, want one", rule.ID)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	ok(t, os.WriteFile(file, []byte(program.String()), 0o600))
	here := must[string](t)(filepath.Abs("."))
	overlay := filepath.Join(dir, "overlay.json")
	text := must[[]byte](t)(json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "mends", "main.go"): file}}))
	ok(t, os.WriteFile(overlay, text, 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", filepath.Join(dir, "program"), "./mends").CombinedOutput()
	if err != nil {
		t.Errorf("the calls: got %v, want them to compile:\n%s\n%s", err, out, program)
	}
}

// troubled returns a workspace with every problem, as if it had been stored.
func troubled() *review.Workspace {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	then := now.Add(-365 * day)
	return &review.Workspace{
		Info: promptrails.Workspace{ID: "w", Slug: "research"}, ReadAt: now,
		Members: []*promptrails.Member{
			{ID: "m1", UserID: "u1", Role: promptrails.RoleOwner, LastActiveAt: then},
			{ID: "m2", UserID: "u2", Role: promptrails.RoleAdmin, LastActiveAt: then},
		},
		APIKeys: []*promptrails.APIKey{
			{ID: "k1", Scopes: promptrails.Scopes{promptrails.ScopeAll}, CreatedBy: "u3", CreatedAt: then},
			{ID: "k2", Scopes: promptrails.Scopes{promptrails.ScopeMembersWrite}, CreatedBy: "u1", CreatedAt: now, ExpiresAt: now},
		},
		Credentials:     []*promptrails.Credential{{ID: "c", Type: "openai"}, {ID: "d", Type: "anthropic"}, {ID: "e", Type: "anthropic", IsDefault: true}},
		CredentialUsage: map[string][]*promptrails.ResourceRef{"c": nil, "d": nil, "e": nil},
		Channels:        []*promptrails.Channel{{ID: "n"}},
		Masking:         &promptrails.MaskingSettings{},
		Usage: &promptrails.Usage{
			Limits:   []promptrails.UsageLimit{{Key: promptrails.LimitActiveAgents, Used: 3, Max: new(int64(3))}},
			Features: map[promptrails.Feature]bool{promptrails.FeatureDataMasking: true},
		},
		Changelog: &review.Changelog{Broken: "missing", Sequence: 2},
	}
}

// A rotating key cannot be changed, and expires by itself.
func TestRotatingKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	key := must[*promptrails.CreatedAPIKey](t)(w.in.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "Old", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
	must[*promptrails.CreatedAPIKey](t)(w.in.APIKeys.Rotate(t.Context(), key.ID, 24*time.Hour))
	report := w.access(w.ada, w.options())
	if f, _ := found(report, "api-key-all-scopes", keyRef(key)); f.Mend != `client.InWorkspace("`+w.workspace.ID+`").APIKeys.Revoke(ctx, "`+key.ID+`")` {
		t.Errorf("call for a rotating key: got %q, want Revoke", f.Mend)
	}
	expiring := w.key(w.in, "Expiring", promptrails.ScopeAgentsRead)
	w.clock.forward(364 * day)
	must[*promptrails.CreatedAPIKey](t)(w.in.APIKeys.Rotate(t.Context(), expiring.ID, time.Hour))
	report.Workspaces = append(report.Workspaces, w.access(w.ada, w.options()).Workspaces...)
	for rule, k := range map[string]*promptrails.CreatedAPIKey{"api-key-without-expiry": key, "api-key-expires": expiring} {
		if f, ok := found(report, rule, keyRef(k)); ok {
			t.Errorf("findings of a rotating key: got %+v, want no %s", f, rule)
		}
	}
}

// A server that does not report who created a key does not make it one of a person
// who left.
func TestServerWithoutCreators(t *testing.T) {
	t.Parallel()
	w := troubled()
	w.APIKeys[0].CreatedBy = ""
	for _, f := range w.Check(review.DefaultRules(), review.Params{}) {
		if f.Rule == "api-key-maker-left" {
			t.Errorf("findings without creators: got %+v, want no api-key-maker-left", f)
		}
	}
	if _, known := w.Maker(w.APIKeys[0]); known {
		t.Error("Maker of a key without a creator: got known, want unknown")
	}
}

// A server that does not report the activity of members has no inactive ones.
func TestServerWithoutActivity(t *testing.T) {
	t.Parallel()
	w := troubled()
	for _, m := range w.Members {
		m.LastActiveAt = time.Time{}
	}
	for _, f := range w.Check(review.DefaultRules(), review.Params{}) {
		if f.Rule == "owner-inactive" || f.Rule == "admin-inactive" {
			t.Errorf("findings without activity: got %+v, want none of activity", f)
		}
	}
}
