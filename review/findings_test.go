package review_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "modernc.org/sqlite" // a test alters a stored changelog

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/review"
)

// findings has a case for each rule. arrange produces the problem and returns its
// object, and mend makes the call that the finding proposes.
var findings = map[string]struct {
	arrange func(w *world) promptrails.ResourceRef
	mend    func(w *world, object promptrails.ResourceRef) error
}{
	"api-key-all-scopes": {
		func(w *world) promptrails.ResourceRef { return keyRef(w.key(w.in, "Everything", promptrails.ScopeAll)) },
		func(w *world, o promptrails.ResourceRef) error {
			_, err := w.in.APIKeys.Update(w.t.Context(), o.ID, &promptrails.UpdateAPIKeyParams{Scopes: &promptrails.Scopes{promptrails.ScopeAgentsRead}})
			return err
		},
	},
	"api-key-invites": {
		func(w *world) promptrails.ResourceRef {
			return keyRef(w.key(w.in, "Invites", promptrails.ScopeMembersWrite))
		},
		func(w *world, o promptrails.ResourceRef) error {
			_, err := w.in.APIKeys.Update(w.t.Context(), o.ID, &promptrails.UpdateAPIKeyParams{Scopes: &promptrails.Scopes{promptrails.ScopeMembersRead}})
			return err
		},
	},
	"api-key-without-expiry": {
		func(w *world) promptrails.ResourceRef {
			return keyRef(must[*promptrails.CreatedAPIKey](w.t)(w.in.APIKeys.Create(w.t.Context(), &promptrails.CreateAPIKeyParams{
				Name: "Forever", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead},
			})))
		},
		func(w *world, o promptrails.ResourceRef) error {
			_, err := w.in.APIKeys.Update(w.t.Context(), o.ID, &promptrails.UpdateAPIKeyParams{ExpiresAt: new(w.clock.now().Add(90 * day))})
			return err
		},
	},
	"api-key-expires": {
		func(w *world) promptrails.ResourceRef {
			ref := keyRef(w.key(w.in, "Old", promptrails.ScopeAgentsRead))
			w.clock.forward(352 * day)
			return ref
		},
		func(w *world, o promptrails.ResourceRef) error {
			_, err := w.in.APIKeys.Update(w.t.Context(), o.ID, &promptrails.UpdateAPIKeyParams{ExpiresAt: new(w.clock.now().Add(90 * day))})
			return err
		},
	},
	"api-key-unused": {
		func(w *world) promptrails.ResourceRef {
			ref := keyRef(w.key(w.in, "Forgotten", promptrails.ScopeAgentsRead))
			w.clock.forward(91 * day)
			return ref
		},
		revoke,
	},
	"api-key-maker-left": {
		func(w *world) promptrails.ResourceRef {
			grace, member := w.join("grace@example.com", promptrails.RoleAdmin)
			ref := keyRef(w.key(grace, "Of Grace", promptrails.ScopeAgentsRead))
			ok(w.t, w.in.Members.Remove(w.t.Context(), member.ID, nil))
			return ref
		},
		revoke,
	},
	"admin-inactive": {
		func(w *world) promptrails.ResourceRef {
			_, member := w.join("grace@example.com", promptrails.RoleAdmin)
			w.clock.forward(91 * day)
			return promptrails.ResourceRef{Type: promptrails.ResourceMember, ID: member.ID}
		},
		func(w *world, o promptrails.ResourceRef) error {
			_, err := w.in.Members.UpdateRole(w.t.Context(), o.ID, promptrails.RoleUser)
			return err
		},
	},
	"credential-unused": {
		func(w *world) promptrails.ResourceRef {
			w.credential("Default", true)
			used := w.credential("Used", false)
			must[*promptrails.Resource](w.t)(w.in.Resources.Create(w.t.Context(), promptrails.KindAgents, map[string]any{"name": "Agent", "credential_id": used.ID}))
			ref := promptrails.ResourceRef{Type: promptrails.ResourceCredential, ID: w.credential("Unused", false).ID}
			w.clock.forward(31 * day)
			w.credential("New", false) // which is being set up
			return ref
		},
		func(w *world, o promptrails.ResourceRef) error {
			return w.in.Credentials.Delete(w.t.Context(), o.ID, nil)
		},
	},
	"credential-default-missing": {
		func(w *world) promptrails.ResourceRef {
			used := w.credential("Used", false)
			must[*promptrails.Resource](w.t)(w.in.Resources.Create(w.t.Context(), promptrails.KindAgents, map[string]any{"name": "Agent", "credential_id": used.ID}))
			w.credential("Newer", false)
			return promptrails.ResourceRef{Type: promptrails.ResourceCredential, ID: used.ID}
		},
		func(w *world, o promptrails.ResourceRef) error {
			_, err := w.in.Credentials.SetDefault(w.t.Context(), o.ID)
			return err
		},
	},
	"channel-paused": {
		func(w *world) promptrails.ResourceRef { // by the service, because the plan has no Slack
			must[*promptrails.Subscription](w.t)(w.in.Billing.ChangePlan(w.t.Context(), promptrails.PlanPro))
			channel := w.channel(promptrails.ChannelSlack)
			must[*promptrails.Subscription](w.t)(w.in.Billing.ChangePlan(w.t.Context(), promptrails.PlanStarter))
			return promptrails.ResourceRef{Type: promptrails.ResourceNotificationChannel, ID: channel.ID}
		},
		func(w *world, o promptrails.ResourceRef) error {
			must[*promptrails.Subscription](w.t)(w.in.Billing.ChangePlan(w.t.Context(), promptrails.PlanPro)) // the reason of the pause
			_, err := w.in.Notifications.UpdateChannel(w.t.Context(), o.ID, &promptrails.UpdateChannelParams{IsActive: new(true)})
			return err
		},
	},
	"limit-nearly-reached": {
		func(w *world) promptrails.ResourceRef {
			for range 5 {
				must[*promptrails.Resource](w.t)(w.in.Resources.Create(w.t.Context(), promptrails.KindDataSources, map[string]any{"name": "Source"}))
			}
			return promptrails.ResourceRef{Type: promptrails.ResourceSubscription, ID: string(promptrails.LimitDataSources)}
		},
		func(w *world, _ promptrails.ResourceRef) error {
			_, err := w.in.Billing.ChangePlan(w.t.Context(), promptrails.PlanPro)
			return err
		},
	},
	"masking-off": {
		func(w *world) promptrails.ResourceRef {
			must[*promptrails.Subscription](w.t)(w.in.Billing.ChangePlan(w.t.Context(), promptrails.PlanPro))
			return promptrails.ResourceRef{Type: promptrails.ResourceDataMasking, ID: w.workspace.ID}
		},
		func(w *world, _ promptrails.ResourceRef) error {
			_, err := w.in.Masking.Update(w.t.Context(), &promptrails.UpdateMaskingParams{Enabled: new(true)})
			return err
		},
	},
}

func keyRef(k *promptrails.CreatedAPIKey) promptrails.ResourceRef {
	return promptrails.ResourceRef{Type: promptrails.ResourceAPIKey, ID: k.ID}
}

func revoke(w *world, o promptrails.ResourceRef) error {
	return w.in.APIKeys.Revoke(w.t.Context(), o.ID)
}

// found returns the finding of a rule about an object.
func found(report *review.Report, rule string, object promptrails.ResourceRef) (review.Finding, bool) {
	for f := range report.Findings() {
		if f.Rule == rule && f.Object.Type == object.Type && f.Object.ID == object.ID {
			return f, true
		}
	}
	return review.Finding{}, false
}

func rules(report *review.Report) (ids []string) {
	for f := range report.Findings() {
		ids = append(ids, f.Rule)
	}
	return ids
}

// Each rule finds its problem and only that, and the proposed call mends it.
func TestFindings(t *testing.T) {
	t.Parallel()
	for rule, test := range findings {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, promptrails.PlanStarter)
			if before := rules(w.access(w.ada, w.options())); slices.Contains(before, rule) {
				t.Errorf("findings of a new workspace: got %v, want no %s", before, rule)
			}
			object := test.arrange(w)
			report := w.access(w.ada, w.options())
			f, ok := found(report, rule, object)
			if !ok {
				t.Fatalf("findings: got %v, want %s of %+v", rules(report), rule, object)
			}
			if f.WorkspaceID != w.workspace.ID || f.Workspace != "research" || f.Severity.AtLeast(review.SeverityLow) == false || f.Message == "" || f.Mend == "" {
				t.Errorf("finding: got %+v, want the workspace, a severity, a message and a call", f)
			}
			if n := count(rules(report), rule); n != 1 {
				t.Errorf("findings of %s: got %d, want 1", rule, n)
			}
			if err := test.mend(w, object); err != nil {
				t.Fatalf("the call that mends it: got error %v, want none", err)
			}
			if after := w.access(w.ada, w.options()); slices.Contains(rules(after), rule) {
				t.Errorf("findings after the call: got %v, want no %s", rules(after), rule)
			}
		})
	}
}

func count(ids []string, id string) (n int) {
	for _, other := range ids {
		if other == id {
			n++
		}
	}
	return n
}

// An owner who does not come back is found by an admin, who is proposed as the
// next owner.
func TestOwnerInactive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	w.join("joan@example.com", promptrails.RoleAdmin) // who is inactive too
	grace, member := w.join("grace@example.com", promptrails.RoleAdmin)
	self := must[*promptrails.Member](t)(w.in.Members.Self(t.Context()))
	owner := promptrails.ResourceRef{Type: promptrails.ResourceMember, ID: self.ID}
	if _, ok := found(w.access(grace, w.options()), "owner-inactive", owner); ok {
		t.Error("findings while the owner is active: got owner-inactive, want none")
	}
	w.clock.forward(91 * day)
	f, ok := found(w.access(grace, w.options()), "owner-inactive", owner)
	if want := `client.Workspaces.TransferOwnership(ctx, "` + w.workspace.ID + `", "` + member.ID + `")`; !ok || f.Mend != want {
		t.Errorf("finding: got %+v, want the call %s", f, want)
	}
	must[*promptrails.Workspace](t)(w.ada.Workspaces.TransferOwnership(t.Context(), w.workspace.ID, member.ID))
	if report := w.access(grace, w.options()); slices.Contains(rules(report), "owner-inactive") {
		t.Errorf("findings after the call: got %v, want no owner-inactive", rules(report))
	}
}

// An altered entry is found, and an entry that was altered and hashed again is
// found with the head of an earlier review.
func TestChangelogBroken(t *testing.T) {
	t.Parallel()
	cfg := embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db")}
	w := openWorld(t, cfg)
	w.key(w.in, "Key", promptrails.ScopeAgentsRead)
	opts := w.options()
	opts.VerifyChangelog = true
	report := w.access(w.ada, opts)
	heads := report.Heads()
	head := must[*promptrails.ChangelogHead](t)(w.in.Changelog.Head(t.Context()))
	if log := report.Workspaces[0].Changelog; log == nil || log.Broken != "" || *heads[w.workspace.ID] != *head {
		t.Fatalf("changelog: got %+v and head %+v, want it verified up to %+v", log, heads[w.workspace.ID], head)
	}
	opts.Heads = heads
	if log := w.access(w.ada, opts).Workspaces[0].Changelog; log.Broken != "" || *log.Head != *head {
		t.Errorf("changelog after the earlier head: got %+v, want it verified up to %+v", log, head)
	}
	opts.Heads = nil

	db := must[*sql.DB](t)(sql.Open("sqlite", cfg.DSN))
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "UPDATE changelog SET document = replace(document, 'Key', 'Kee') WHERE sequence = $1", head.Sequence); err != nil {
		t.Fatal(err)
	}
	broken := w.access(w.ada, opts)
	object := promptrails.ResourceRef{Type: promptrails.ResourceWorkspace, ID: w.workspace.ID}
	f, ok := found(broken, "changelog-broken", object)
	if !ok || f.Severity != review.SeverityHigh {
		t.Errorf("findings: got %v, want changelog-broken with high severity", rules(broken))
	}
	if log := broken.Workspaces[0].Changelog; log.Sequence != head.Sequence || len(broken.Heads()) != 0 {
		t.Errorf("changelog: got %+v and heads %v, want sequence %d and no head", log, broken.Heads(), head.Sequence)
	}

	heads[w.workspace.ID].Hash = heads[w.workspace.ID].Hash[1:] + "0" // as if the chain had been rebuilt since
	if _, err := db.ExecContext(t.Context(), "UPDATE changelog SET document = replace(document, 'Kee', 'Key') WHERE sequence = $1", head.Sequence); err != nil {
		t.Fatal(err)
	}
	if report := w.access(w.ada, opts); slices.Contains(rules(report), "changelog-broken") {
		t.Errorf("findings of the restored changelog: got %v, want no changelog-broken", rules(report))
	}
	opts.Heads = heads
	report = w.access(w.ada, opts)
	if _, ok := found(report, "changelog-broken", object); !ok || report.Heads()[w.workspace.ID] != heads[w.workspace.ID] {
		t.Errorf("findings with an earlier head: got %v and heads %v, want changelog-broken and the earlier head", rules(report), report.Heads())
	}
}

// A limit that is not above the share is not reported.
func TestParams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, promptrails.PlanStarter)
	for range 4 { // of 5: 80 %
		must[*promptrails.Resource](t)(w.in.Resources.Create(t.Context(), promptrails.KindDataSources, map[string]any{"name": "Source"}))
	}
	opts := w.options()
	if report := w.access(w.ada, opts); slices.Contains(rules(report), "limit-nearly-reached") {
		t.Errorf("findings at 80 %%: got %v, want no limit-nearly-reached", rules(report))
	}
	opts.Params.LimitShare = 0.7
	if report := w.access(w.ada, opts); !slices.Contains(rules(report), "limit-nearly-reached") {
		t.Errorf("findings with a share of 0.7: got %v, want limit-nearly-reached", rules(report))
	}
	key := w.key(w.in, "Key", promptrails.ScopeAgentsRead)
	w.credential("Default", true)
	w.credential("Spare", false)
	w.clock.forward(10 * day)
	opts.Params.KeyUnused = 9 * day
	opts.Params.KeyExpires = 356 * day
	report := w.access(w.ada, opts)
	for _, rule := range []string{"api-key-unused", "api-key-expires"} {
		if _, ok := found(report, rule, keyRef(key)); !ok {
			t.Errorf("findings with bounds of 9 and 356 days: got %v, want %s", rules(report), rule)
		}
	}
	for bound, want := range map[time.Duration]bool{0: false, 10 * day: false, 10*day - 1: true} {
		opts.Params.CredentialUnused = bound
		if got := rules(w.access(w.ada, opts)); slices.Contains(got, "credential-unused") != want {
			t.Errorf("findings of a credential of 10 days with a bound of %s: got %v, want credential-unused %t", bound, got, want)
		}
	}
}

// Every default rule is produced by a test in this file.
func TestDefaultRules(t *testing.T) {
	t.Parallel()
	for _, rule := range review.DefaultRules() {
		if _, ok := findings[rule.ID]; !ok && rule.ID != "owner-inactive" && rule.ID != "changelog-broken" {
			t.Errorf("rule %s: got no test, want one", rule.ID)
		}
		if rule.Title == "" || !rule.Severity.AtLeast(review.SeverityLow) {
			t.Errorf("rule %s: got title %q, severity %q, want both", rule.ID, rule.Title, rule.Severity)
		}
	}
}
