package review_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// describe returns the changes as lines of text.
func describe(c *review.Changes) (lines []string) {
	for _, change := range c.Changes {
		line := string(change.Kind) + " " + change.Workspace + " " + string(change.Object.Type) + " " + change.Object.Name
		for _, f := range change.Fields {
			line += " " + f.Field
		}
		lines = append(lines, line)
	}
	return lines
}

// Two reviews without a change in between do not differ, although people and keys
// were active.
func TestDiffOfNoChange(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	key := w.key(w.in, "Reader", promptrails.ScopeAgentsRead)
	before := w.access(w.ada, w.options())
	w.clock.forward(day)
	reader := must[*promptrails.Client](t)(w.Client(promptrails.WithAPIKey(key.Key.Reveal())))
	must[*promptrails.Page[promptrails.Resource]](t)(reader.Resources.List(t.Context(), promptrails.KindAgents, nil))
	after := w.access(w.ada, w.options())
	if before.Workspaces[1].APIKeys[0].LastUsedAt.Equal(after.Workspaces[1].APIKeys[0].LastUsedAt) {
		t.Fatal("last use of the key: got no difference, want one")
	}
	changes := review.Diff(before, after)
	if len(changes.Changes)+len(changes.Found)+len(changes.Resolved)+len(changes.Skipped) != 0 {
		t.Errorf("Diff: got %+v, want no changes", changes)
	}
}

// Diff names each object that was added, changed or removed, and the findings
// that came and went.
func TestDiff(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	forever := must[*promptrails.CreatedAPIKey](t)(w.in.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{Name: "Forever", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead}}))
	before := w.access(w.ada, w.optionsAfter(31*day))

	w.clock.forward(day)
	research := before.Workspaces[1]
	grace, model, alarms := research.Members[0], research.Credentials[1], research.Channels[0]
	must[*promptrails.Member](t)(w.in.Members.UpdateRole(t.Context(), grace.ID, promptrails.RoleUser))
	must[*promptrails.Credential](t)(w.in.Credentials.Update(t.Context(), model.ID, &promptrails.UpdateCredentialParams{Value: new(promptrails.NewSecret("sk-another-value"))}))
	must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Second", "credential_id": research.Credentials[0].ID}))
	must[*promptrails.Channel](t)(w.in.Notifications.UpdateChannel(t.Context(), alarms.ID, &promptrails.UpdateChannelParams{IsActive: new(false)}))
	must[*promptrails.MaskingSettings](t)(w.in.Masking.Update(t.Context(), &promptrails.UpdateMaskingParams{Enabled: new(true)}))
	ok(t, w.in.APIKeys.Revoke(t.Context(), forever.ID))
	w.key(w.in, "Everything", promptrails.ScopeAll)
	must[*promptrails.Subscription](t)(w.in.Billing.ChangePlan(t.Context(), promptrails.PlanEnterprise))
	ok(t, w.ada.Workspaces.Delete(t.Context(), before.Workspaces[0].Info.ID, &promptrails.DeleteWorkspaceParams{ConfirmSlug: "empty"}))
	w.create("third")
	after := w.access(w.ada, w.options())

	changes := review.Diff(before, after)
	want := []string{
		"added third workspace The third",
		"changed research workspace The research plan",
		"changed research member grace@example.com role",
		"added research api_key Everything",
		"changed research credential Spare used_by",
		"changed research credential Model version",
		"changed research notification_channel Alarms is_active",
		"changed research data_masking The research enabled",
		"changed research subscription enterprise active_agents data_sources monthly_executions notification_channels team_members",
		"removed research api_key Forever",
		"removed empty workspace The empty",
	}
	if diff := cmp.Diff(want, describe(changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	role := changes.Changes[2].Fields[0]
	if string(role.From) != `"admin"` || string(role.To) != `"user"` {
		t.Errorf("change of the role: got %s to %s, want admin to user", role.From, role.To)
	}
	var found, resolved []string
	for _, f := range changes.Found {
		found = append(found, f.Workspace+" "+f.Rule)
	}
	for _, f := range changes.Resolved {
		resolved = append(resolved, f.Workspace+" "+f.Rule)
	}
	slices.Sort(resolved)
	if want := []string{"third masking-off", "research api-key-all-scopes", "research channel-paused"}; !slices.Equal(found, want) {
		t.Errorf("findings that came: got %q, want %q", found, want)
	}
	if want := []string{"empty masking-off", "research api-key-without-expiry", "research credential-unused", "research masking-off"}; !slices.Equal(resolved, want) {
		t.Errorf("findings that went: got %q, want %q", resolved, want)
	}

	text := must[[]byte](t)(json.Marshal(changes))
	stored := new(review.Changes)
	ok(t, json.Unmarshal(text, stored))
	if diff := cmp.Diff(changes, stored); diff != "" {
		t.Errorf("stored changes (-want +got):\n%s", diff)
	}
	back := review.Diff(after, before)
	if len(back.Changes) != len(changes.Changes) || len(back.Found) != len(resolved) || len(back.Resolved) != len(found) {
		t.Errorf("Diff in the other direction: got %q, want the same number of changes", describe(back))
	}
}

// A section that one of the reviews could not read is skipped: its objects have
// not gone, and neither have their findings.
func TestDiffSkipsGaps(t *testing.T) {
	t.Parallel()
	w, _ := inhabited(t)
	w.key(w.in, "Everything", promptrails.ScopeAll)
	user, _ := w.join("una@example.com", promptrails.RoleUser)
	before := w.access(w.ada, &review.Options{Now: w.clock.now, VerifyChangelog: true})
	empty := before.Workspaces[0]
	before.Workspaces = before.Workspaces[1:]
	own := review.Finding{Rule: "acme", WorkspaceID: w.workspace.ID} // which may depend on any section
	before.Workspaces[0].Findings = append(before.Workspaces[0].Findings, own)
	after := w.access(user, w.options())
	changes := review.Diff(before, after)
	back := review.Diff(after, before)
	if got := describe(back); len(got) != 0 || len(back.Resolved)+len(back.Found) != 0 {
		t.Errorf("Diff in the other direction: got changes %q, found %v, resolved %v; want none", got, back.Found, back.Resolved)
	}
	after.Workspaces = append(after.Workspaces, empty)
	if other := review.Diff(before, after); len(other.Found) != len(empty.Findings) {
		t.Errorf("findings of a workspace without gaps: got %v, want %v", other.Found, empty.Findings)
	}
	if got := describe(changes); len(got) != 0 || len(changes.Resolved)+len(changes.Found) != 0 {
		t.Errorf("Diff: got changes %q, found %v, resolved %v; want none", got, changes.Found, changes.Resolved)
	}
	var skipped []review.Section
	for _, s := range changes.Skipped {
		skipped = append(skipped, s.Section)
	}
	want := []review.Section{review.SectionInvitations, review.SectionAPIKeys, review.SectionCredentialUsage, review.SectionChannels, review.SectionMasking, review.SectionChangelog}
	if !slices.Equal(skipped, want) {
		t.Errorf("skipped sections: got %v, want %v", skipped, want)
	}
	narrow := must[*promptrails.Client](t)(w.Client(promptrails.WithAPIKey(w.key(w.in, "Reviewer", promptrails.ScopeWorkspacesRead).Key.Reveal())))
	usage := review.SkippedSection{WorkspaceID: w.workspace.ID, Workspace: "research", Section: review.SectionCredentialUsage}
	if c := review.Diff(before, w.access(narrow, w.options())); !slices.Contains(c.Skipped, usage) {
		t.Errorf("skipped sections without credentials: got %v, want also their usage", c.Skipped)
	}
}

// The first review has nothing to be compared with.
func TestDiffWithoutReport(t *testing.T) {
	t.Parallel()
	report := &review.Report{Workspaces: []*review.Workspace{{Info: promptrails.Workspace{ID: "w", Slug: "research"}}}}
	if got := review.Diff(nil, report).Changes; len(got) != 1 || got[0].Kind != review.Added {
		t.Errorf("Diff(nil, report): got %+v, want one workspace that was added", got)
	}
	if got := review.Diff(report, nil).Changes; len(got) != 1 || got[0].Kind != review.Removed {
		t.Errorf("Diff(report, nil): got %+v, want one workspace that was removed", got)
	}
}
