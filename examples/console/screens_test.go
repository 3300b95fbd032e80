package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestWorkspaces(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	b.get(t, "/").redirects(t, "/workspaces")
	b.get(t, "/workspaces").shows(t, 200, s.Workspace.Name, s.Workspace.Slug)
	b.get(t, "/workspaces?q=nothing").shows(t, 200, "No workspace has “nothing” in its name or slug.")
	for slug, want := range map[string]string{
		"Not Valid": "✗ Use 1 to 63 lowercase letters", s.Workspace.Slug: "has this slug", "second": "✓ The form is valid",
	} {
		b.get(t, "/workspaces/new?slug="+url.QueryEscape(slug)+"&name=Second").shows(t, 200, want, `value="Second"`, `value="`+slug+`"`)
	}
	b.post(t, "/workspaces/new", sentKey("workspace", "k1", "name", "Second", "slug", s.Workspace.Slug)).shows(t, 409, "is taken by another workspace", `aria-invalid="true"`, `value="Second"`)
	got := b.post(t, "/workspaces/new", sentKey("workspace", "k2", "name", "Second", "slug", "second"))
	root := got.Header.Get("Location")
	b.get(t, root).shows(t, 200, "The workspace Second was created.", "Second", `href="`+s.root+`"`)
	b.get(t, s.root+"/members").shows(t, 200, `href="`+root+`/members"`) // the switcher stays on the screen

	b.post(t, root+"/settings", sentKey("rename", "k3", "name", "Renamed", "version", "1")).redirects(t, root+"/settings")
	b.post(t, root+"/settings", sentKey("rename", "k4", "name", "Too late", "version", "1")).shows(t, 409, "Someone else has changed it", `value="Too late"`)
	b.post(t, root+"/settings/leave", sentKey("leave", "k5")).shows(t, 409, "Transfer the ownership to another member first.")
	b.post(t, root+"/settings/delete", sentKey("delete", "k6", "confirm_slug", "wrong")).shows(t, 422, "must be the slug of the workspace")
	b.post(t, root+"/settings/delete", sentKey("delete", "k7", "confirm_slug", "second")).redirects(t, "/workspaces")
	b.get(t, "/workspaces").shows(t, 200, "The workspace Renamed was deleted.")
	b.get(t, root).shows(t, 404, "Not found", "or you are not a member")
}

// A role sees the changes that it can make. The server refuses the others.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	owner, admin, user := s.owner(t), s.as(t, s.token(t, s.NewMember("admin@example.com", promptrails.RoleAdmin))), s.as(t, s.token(t, s.NewMember("user@example.com", promptrails.RoleUser)))
	owner.get(t, s.root+"/members").shows(t, 200, "Invite a member", "Save the role of admin@example.com", "Remove admin@example.com")
	admin.get(t, s.root+"/members").shows(t, 200, "Invite a member", "Save the role of user@example.com", ">you<").hides(t, "Save the role of admin@example.com", "Remove admin@example.com")
	user.get(t, s.root+"/members").shows(t, 200, "admin@example.com", "for admins").hides(t, "Invite a member", "Remove", "Pending invitations")
	owner.get(t, s.root+"/members").hides(t, "Save the role of "+ownerAddress(t, s), "Remove "+ownerAddress(t, s))
	owner.get(t, s.root+"/settings").shows(t, 200, "Delete the workspace", "admin@example.com")
	admin.get(t, s.root+"/settings").shows(t, 200, "Leave the workspace").hides(t, "Delete the workspace")
	user.get(t, s.root+"/billing").shows(t, 200, "Admins can change the plan", "Executions a day").hides(t, "Change to", "Invoices")
	user.get(t, s.root+"/credentials").shows(t, 200, "Credentials").hides(t, "Add a credential")
	for _, screen := range []string{"/api-keys", "/notifications", "/masking", "/changelog"} {
		user.get(t, s.root+screen).shows(t, 403, "This needs the role admin, and yours is user.")
	}
	user.post(t, s.root+"/invitations", sentKey("invite", "k", "email", "x@example.com", "role", "user")).shows(t, 403, `role="alert"`, "This needs the role admin, and yours is user.", "Members")
	user.post(t, s.root+"/billing/plan", sentKey("plan-free", "k", "plan", "free")).shows(t, 403, "Plans")
	user.post(t, s.root+"/settings/leave", sentKey("leave", "k")).redirects(t, "/workspaces")
	user.get(t, s.root).shows(t, 404)
}

// ownerAddress returns the address of the owner.
func ownerAddress(t *testing.T, s *site) string {
	t.Helper()
	me, err := s.Owner.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return me.Email
}

func TestMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	grace, err := s.NewMember("grace@example.com", promptrails.RoleUser).Members.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	page := s.root + "/members"
	b.get(t, page+"?q=grace&role=user").shows(t, 200, "grace@example.com", `value="grace"`)
	b.get(t, page+"?role=admin").shows(t, 200, "No member matches.")
	b.post(t, page+"/"+grace.ID+"/role", sentKey("role-"+grace.ID, "k1", "role", "admin", "version", fmt.Sprint(grace.Version))).redirects(t, page)
	b.get(t, page).shows(t, 200, "grace@example.com now has the role admin.")
	b.post(t, page+"/"+grace.ID+"/role", sentKey("role-"+grace.ID, "k2", "role", "user", "version", fmt.Sprint(grace.Version))).shows(t, 409, "Someone else has changed it")
	b.post(t, s.root+"/invitations", sentKey("invite", "k5", "email", "grace@example.com", "role", "user")).shows(t, 409, "belongs to a member of this workspace")
	for i, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
		b.post(t, s.root+"/invitations", sentKey("invite", fmt.Sprint("k3", i), "email", email, "role", "user")).redirects(t, page)
	}
	b.post(t, s.root+"/invitations", sentKey("invite", "k4", "email", "d@example.com", "role", "user")).shows(t, 402, "The starter plan includes 5 members, and 5 are in use.", "See the plans", `value="d@example.com"`)
	id := b.get(t, page).value(t, page[:len(page)-len("/members")]+"/invitations/", "/revoke")
	id = id[strings.LastIndexByte(id, '/')+1:]
	b.post(t, s.root+"/invitations/"+id+"/resend", sentKey("resend-"+id, "k6")).redirects(t, page)
	b.get(t, page).shows(t, 200, "Invitation token")
	b.post(t, s.root+"/invitations/"+id+"/revoke", sentKey("revoke-"+id, "k7")).redirects(t, page)
	b.post(t, page+"/"+grace.ID+"/remove", sentKey("remove-"+grace.ID, "k8", "revoke", "1")).redirects(t, page)
	b.get(t, page).shows(t, 200, "The member was removed.").hides(t, "grace@example.com")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	page := b.post(t, s.root+"/credentials", sentKey("create", "k1", "name", "Production", "type", "openai", "value", "sk-test-0123456789", "default", "1")).Header.Get("Location")
	b.get(t, page).shows(t, 200, "Its value is never shown again.", "No agent or data source refers to it.", ">default<")
	b.get(t, s.root+"/credentials?category=llm&q=prod").shows(t, 200, "Production")
	id := page[strings.LastIndexByte(page, '/')+1:]
	if _, err := s.Owner.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Support", "credential_id": id}); err != nil {
		t.Fatal(err)
	}
	b.post(t, page+"/check", sentKey("check", "k2")).redirects(t, page)
	b.get(t, page).shows(t, 200, "The check has no result", "Support")
	b.post(t, page, sentKey("edit", "k3", "name", "Main", "description", "Ours", "value", "wrong-0123456789")).redirects(t, page)
	b.get(t, page).shows(t, 200, "and its value replaced", "Main", "Ours")
	b.post(t, page+"/check", sentKey("check", "k4")).redirects(t, page)
	b.get(t, page).shows(t, 200, "The credential is not valid", ">not valid<")
	b.post(t, page+"/default", sentKey("default", "k5")).redirects(t, page)
	b.post(t, page+"/delete", sentKey("delete", "k6")).shows(t, 409, "Agents or data sources use it.", "Support", "Delete it nevertheless")
	b.post(t, page+"/delete", sentKey("delete", "k7", "force", "1")).redirects(t, s.root+"/credentials")
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	b.post(t, s.root+"/api-keys", sentKey("create", "k1", "name", "Build", "allowed_ips", "192.0.2.999")).shows(t, 422, "must be an address or a CIDR prefix", "Addresses", "open", `value="Build"`)
	b.post(t, s.root+"/api-keys", sentKey("create", "k2", "name", "Build", "scopes", "agents:read", "expires_at", "tomorrow")).shows(t, 422, "must be a date such as 2026-01-31")
	soon := time.Now().AddDate(0, 0, 3).Format(dateLayout)
	page := b.post(t, s.root+"/api-keys", sentKey("create", "k3", "name", "Build", "scopes", "agents:read", "scopes", "agents:write", "allowed_ips", "192.0.2.1, 198.51.100.0/24", "expires_at", soon)).Header.Get("Location")
	b.get(t, page).shows(t, 200, "192.0.2.1", "198.51.100.0/24", "soon", "agents:write", "owner@")
	b.get(t, s.root+"/api-keys?status=active").shows(t, 200, "Build", "soon")
	b.post(t, page, sentKey("edit", "k4", "name", "Deploy", "scopes", "agents:read", "version", "1", "expires_at", soon, "expires_before", soon)).redirects(t, page)
	b.get(t, page).shows(t, 200, "Deploy", "Addresses</dt><dd>any").hides(t, "192.0.2.1")
	kept := time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)
	id := page[strings.LastIndexByte(page, '/')+1:]
	if _, err := s.Owner.APIKeys.Update(t.Context(), id, &promptrails.UpdateAPIKeyParams{ExpiresAt: &kept}); err != nil {
		t.Fatal(err)
	}
	day := kept.Format(dateLayout)
	b.post(t, page, sentKey("edit", "k9", "name", "Deploy", "scopes", "agents:read", "expires_at", day, "expires_before", day)).redirects(t, page)
	if key, err := s.Owner.APIKeys.Get(t.Context(), id); err != nil || !key.ExpiresAt.Equal(kept) {
		t.Errorf("expiry after a change of the name: got %v, error %v; want %v", key, err, kept)
	}
	b.post(t, page+"/rotate", sentKey("rotate", "k5", "overlap_hours", "1000")).shows(t, 422, "must be 0 to 168 hours")
	next := b.post(t, page+"/rotate", sentKey("rotate", "k6", "overlap_hours", "24")).Header.Get("Location")
	b.get(t, next).shows(t, 200, "This key replaces the previous one.")
	b.get(t, page).shows(t, 200, "rotating", next)
	b.post(t, page+"/revoke", sentKey("revoke", "k7")).redirects(t, page)
	b.get(t, page).shows(t, 200, "Requests with it are refused.", "revoked").hides(t, "Make a new key")
	b.post(t, page+"/revoke", sentKey("revoke", "k8")).shows(t, 409, "Not possible now", `role="alert"`)
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	b.get(t, s.root+"/notifications").shows(t, 200, "There are no channels yet.")
	b.post(t, s.root+"/notifications", sentKey("create", "k1", "name", "Ops", "type", "webhook", "url", "http://hooks.example.com/secret-path", "events", "member.joined")).
		shows(t, 422, "must begin with https://", `value="member.joined" checked`).hides(t, "secret-path")
	b.post(t, s.root+"/notifications", sentKey("create", "k2", "name", "Ops", "type", "slack", "url", "https://203.0.114.1/x")).shows(t, 403, "The starter plan does not include Slack.", "pro or enterprise", "See the plans")
	got := b.post(t, s.root+"/notifications", sentKey("create", "k3", "name", "Ops", "type", "webhook", "url", "https://203.0.114.1/secret-path"))
	page := got.Header.Get("Location")
	b.get(t, page).shows(t, 200, "Signing secret", "whsec_", "https://203.0.114.1/…").hides(t, "secret-path")
	b.post(t, page, sentKey("edit", "k4", "name", "Operations", "events", "member.joined", "version", "1")).redirects(t, page) // without active: paused
	b.get(t, page).shows(t, 200, "Operations", "paused").hides(t, "Send a test", "whsec_")
	b.post(t, page+"/test", sentKey("test", "k5")).shows(t, 409, "Not possible now")
	b.post(t, page+"/rotate-secret", sentKey("rotate", "k6")).redirects(t, page)
	b.get(t, page).shows(t, 200, "whsec_", "For 24 hours")
	b.post(t, page+"/delete", sentKey("delete", "k7")).redirects(t, s.root+"/notifications")
	b.get(t, s.root+"/notifications").shows(t, 200, "There are no channels yet.")
}

func TestMasking(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	b := s.owner(t)
	text := url.Values{"text": {"Mail grace@example.com or call +1 415 555 0132"}}
	b.post(t, s.root+"/masking/preview", text).shows(t, 200, "No value is masked")
	b.post(t, s.root+"/masking", sentKey("settings", "k1", "enabled", "1", "detectors", "email")).redirects(t, s.root+"/masking")
	b.get(t, s.root+"/masking").shows(t, 200, "The settings were saved.", `value="email" checked`, `value="phone">`)
	b.post(t, s.root+"/masking/preview", text).shows(t, 200, "Mail [PII_EMAIL_", "&#43;1 415 555 0132</pre>", "1 value masked: email address.")
	agent, err := s.Owner.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Scout"})
	if err != nil {
		t.Fatal(err)
	}
	b.post(t, s.root+"/masking/agents", sentKey("agent", "k2", "mask", "off")).shows(t, 422, "must be an agent of the workspace")
	b.post(t, s.root+"/masking/agents", sentKey("agent", "k3", "agent", agent.ID, "mask", "off")).redirects(t, s.root+"/masking")
	b.get(t, s.root+"/masking").shows(t, 200, "The agent now has its own settings.", "Remove the settings of Scout", "Of Scout")
	text.Set("preview_agent", agent.ID)
	b.post(t, s.root+"/masking/preview", text).shows(t, 200, "No value is masked", `value="`+agent.ID+`" selected`)
	b.post(t, s.root+"/masking/agents/"+agent.ID+"/delete", sentKey("agent-"+agent.ID, "k4")).redirects(t, s.root+"/masking")
	b.get(t, s.root+"/masking").shows(t, 200, "The settings of the workspace apply to all agents.").hides(t, "Only the newest 100")
}

// A page says that it does not list all agents.
func TestManyAgents(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanEnterprise)
	for range 101 {
		if _, err := s.Owner.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Scout"}); err != nil {
			t.Fatal(err)
		}
	}
	s.owner(t).get(t, s.root+"/masking").shows(t, 200, "Only the newest 100 are listed.")
}

func TestChangelog(t *testing.T) {
	t.Parallel()
	network := &tampering{}
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: network}))
	b := s.owner(t)
	for i := range 30 {
		if _, err := s.Owner.Workspaces.Update(t.Context(), s.Workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new(fmt.Sprintf("Name %d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	page := s.root + "/changelog"
	first := b.get(t, page).shows(t, 200, "<del>Name 28</del> → <ins>Name 29</ins>", "Next page").hides(t, "✓", "First page", "<ins>Name 3</ins>")
	nextPage := strings.ReplaceAll(first.value(t, `class="button" href="`, `"`), "&amp;", "&")
	b.get(t, nextPage).shows(t, 200, `href="`+page+`">First page`, "<ins>Name 3</ins>").hides(t, "Next page")
	filtered := b.get(t, page+"?action=updated").value(t, `class="button" href="`+page+`?`, `"`)
	if !strings.Contains(filtered, "action=updated") {
		t.Errorf("link to the next page: got %q, want the filter in it", filtered)
	}
	today := s.Clock.Now().UTC().Format(dateLayout)
	b.get(t, page+"?action=created&since="+today+"&until="+today).shows(t, 200, ">created<") // both days are included
	b.get(t, page+"?resource_type=api_key").shows(t, 200, "No entry matches.", "Show all")
	b.get(t, page+"?since=2000-01-01&until=2000-01-02").shows(t, 200, "No entry matches.", `value="2000-01-01"`)
	b.get(t, page+"?action=created&actor_type=user").shows(t, 200, ">created<").hides(t, ">updated<")
	b.get(t, page+"?since=monday").shows(t, 422, "must be a date")

	b.post(t, page+"/verify", sentKey("verify", "k")).redirects(t, page)
	head, err := s.Owner.Changelog.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.get(t, page).shows(t, 200, fmt.Sprintf("Entries 1 to %d are verified.", head.Sequence), "✓ verified", fmt.Sprintf("%d %s", head.Sequence, head.Hash), `title="verified"`)
	if _, err := s.Owner.Workspaces.Update(t.Context(), s.Workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new("Last")}); err != nil {
		t.Fatal(err)
	}
	if got := b.get(t, page+"?action=updated"); strings.Count(got.body, `title="verified"`) != 19 {
		t.Errorf("entries with a mark on the first page: got %d, want 19: all except the one that is new", strings.Count(got.body, `title="verified"`))
	}
	b.post(t, page+"/verify", sentKey("verify", "k")).redirects(t, page) // continues

	network.from, network.to = `"Name 20"`, `"Other 2"`
	if got := b.get(t, page).shows(t, 200, "<ins>Other 2</ins>"); strings.Count(got.body, `title="verified"`) != 18 {
		t.Errorf("entries with a mark, of which two were altered: got %d of 20, want 18", strings.Count(got.body, `title="verified"`))
	}
	fresh := s.as(t, s.token(t, s.Owner))
	fresh.post(t, page+"/verify", sentKey("verify", "k")).redirects(t, page)
	fresh.get(t, page).shows(t, 200, `<div class="notice bad" role="alert">`, "The changelog does not verify", "not intact").hides(t, `title="verified"`)
	network.from = ""
	fresh.post(t, page+"/verify", sentKey("verify", "k")).redirects(t, page)
	fresh.get(t, page).shows(t, 200, "✓ verified").hides(t, "not intact")
}

// tampering is a network that replaces a text in responses.
type tampering struct{ from, to string }

func (n *tampering) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || n.from == "" {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	body = bytes.ReplaceAll(body, []byte(n.from), []byte(n.to))
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Del("Content-Length")
	return response, err
}

func TestBilling(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	agent, err := s.Owner.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Scout"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Owner.Resources.Execute(t.Context(), agent.ID, &promptrails.ExecuteParams{Input: "Hello"}); err != nil {
			t.Fatal(err)
		}
	}
	page := s.root + "/billing"
	b.get(t, page).shows(t, 200, "3 of 10,000", "9,997", "your plan", "Change to Pro", "highest 3, last 3")
	b.post(t, page+"/plan", sentKey("plan-pro", "k1", "plan", "pro")).redirects(t, page)
	b.get(t, page).shows(t, 200, "The plan is now pro, for USD 199.00 a month.", "Change to Starter")
	for amount, want := range map[string]string{"": "must be an amount such as 50", "1e3": "must be an amount", "0.50": "must be 100 to 1000000 cents", "-5": "must be an amount"} {
		b.post(t, page+"/top-up", sentKey("topup", "k", "amount", amount)).shows(t, 422, want)
	}
	b.post(t, page+"/top-up", sentKey("topup", "k2", "amount", "12.34")).redirects(t, page)
	b.get(t, s.root+"/changelog?resource_type=balance").shows(t, 200, "<dt>available</dt><dd><del>−0.003042</del> → <ins>12.336958</ins></dd>")
	got := b.get(t, page).shows(t, 200, "USD 12.34 was added to the balance.", "Balance at the end of each day")
	invoice := got.value(t, page+"/invoices/", `"`)
	b.get(t, page+"/invoices/"+invoice).shows(t, 200, "Total", "paid")
	if _, err := s.Owner.Resources.Create(t.Context(), promptrails.KindDataSources, map[string]any{"name": "Orders"}); err != nil {
		t.Fatal(err)
	}
	s.NewMember("grace@example.com", promptrails.RoleUser)
	b.post(t, page+"/plan", sentKey("plan-free", "k3", "plan", "free")).shows(t, 409, "The plan includes less than is in use: members 2 of 1.")
}

// The charts read a bounded number of executions.
func TestManyExecutions(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	s.console.now, s.console.maxExecutions = s.Clock.Now, 100
	agent, err := s.Owner.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "Scout"})
	if err != nil {
		t.Fatal(err)
	}
	for range 120 {
		if _, err := s.Owner.Resources.Execute(t.Context(), agent.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
	b := s.owner(t)
	b.get(t, s.root+"/billing").shows(t, 200, "There are too many executions for a chart.", "120 of 10,000")
	reads := 0
	for _, r := range s.Requests() {
		if r.Pattern == "GET /api/v1/executions" {
			reads++
		}
	}
	if limit := 2; reads > limit {
		t.Errorf("pages of executions: got %d, want at most %d", reads, limit)
	}
	s.Clock.Advance(48 * time.Hour)
	if _, err := s.Owner.Resources.Execute(t.Context(), agent.ID, nil); err != nil {
		t.Fatal(err)
	}
	b.get(t, s.root+"/billing").shows(t, 200, "There are many executions. The charts show the latest.", "highest 1, last 1")
}

func TestErrorPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	b.get(t, s.root+"/nothing").shows(t, 404, "The console has no page at this address.", "All workspaces")
	b.get(t, "/workspaces/none/members").shows(t, 404, "Not found", "Request <code>")
	b.get(t, s.root+"/api-keys/none").shows(t, 404, "Not found", "Overview of the workspace")
	b.get(t, "/workspaces?q=%zz").shows(t, 400, "The address or the form is malformed.")
	s.RateLimitNext(1, 7*time.Second)
	b.get(t, s.root+"/members").shows(t, 429, "The API limits the rate of requests.", "Try again in 7s.")
	s.FailNext(1, 500)
	b.get(t, s.root+"/members").shows(t, 502, "The API reports an internal error.")
	s.FailNext(1, 503)
	if got := b.get(t, s.root+"/members").shows(t, 503, "The page could not be read."); got.Header.Get("Retry-After") == "" {
		t.Errorf("Retry-After of a 503: got none")
	}
	s.Down()
	b.get(t, s.root+"/members").shows(t, 503, "The API does not respond")
	b.post(t, "/login", url.Values{"access_token": {"pat_x"}}).shows(t, 503, "The API does not respond")
	s.Up()
	b.get(t, s.root+"/members").shows(t, 200)
}

// missing is a server that has only a part of the API.
type missing struct{}

func (missing) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, path := range []string{"/billing/", "/changelog", "/invitations"} {
		if strings.Contains(r.URL.Path, path) {
			return &http.Response{
				StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"message":"Not Found"}`)), Request: r,
			}, nil
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A server that lacks a part of the API has the other screens.
func TestPartOfTheAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: missing{}}))
	b := s.owner(t)
	b.get(t, s.root).shows(t, 200, s.Workspace.Slug).hides(t, "Latest changes", "Limits of the plan")
	b.get(t, s.root+"/members").shows(t, 200, "There are no pending invitations.").hides(t, "seats used")
	b.get(t, s.root+"/changelog").shows(t, 404, "Not found")
	b.get(t, s.root+"/billing").shows(t, 404, "Not found")
}

// stuck is a network that does not respond, and keeps the deadline of the requests.
type stuck struct{ deadline time.Time }

func (n *stuck) RoundTrip(r *http.Request) (*http.Response, error) {
	n.deadline, _ = r.Context().Deadline()
	return nil, errors.New("stuck")
}

// A page has a time limit for all its calls of the API.
func TestRequestTime(t *testing.T) {
	t.Parallel()
	network := &stuck{}
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: network}))
	s.console.requestTime = 5 * time.Second // the client has a limit of 30 seconds for a call
	latest := time.Now().Add(10 * time.Second)
	newBrowser(t, s.url).post(t, "/login", url.Values{"access_token": {"pat_x"}}).shows(t, 503, "The API does not respond")
	if network.deadline.IsZero() || network.deadline.After(latest) {
		t.Errorf("deadline of a call: got %s, want within the limit of the page", network.deadline)
	}
}

// rollback is a server that forgets the entries of a changelog after a sequence.
type rollback struct{ to *promptrails.ChangelogEntry }

func (n *rollback) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || n.to == nil || !strings.HasSuffix(r.URL.Path, "/changelog/head") {
		return response, err
	}
	_ = response.Body.Close()
	head := fmt.Sprintf(`{"data":{"workspace_id":%q,"sequence":%d,"hash":%q}}`, n.to.WorkspaceID, n.to.Sequence, n.to.Hash)
	response.Body, response.ContentLength = io.NopCloser(strings.NewReader(head)), int64(len(head))
	response.Header.Del("Content-Length")
	return response, nil
}

// A changelog whose newest entries were removed does not verify, however often it is
// verified again.
func TestRemovedEntries(t *testing.T) {
	t.Parallel()
	network := &rollback{}
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: network}))
	b := s.owner(t)
	if _, err := s.Owner.Workspaces.Update(t.Context(), s.Workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new("Other")}); err != nil {
		t.Fatal(err)
	}
	page := s.root + "/changelog"
	verify := func() *response {
		b.post(t, page+"/verify", sentKey("verify", "k")).redirects(t, page)
		return b.get(t, page)
	}
	verify().shows(t, 200, "✓ verified")
	entries, err := s.Owner.Changelog.List(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending})
	if err != nil {
		t.Fatal(err)
	}
	network.to = entries.Items[0]
	for range 2 {
		verify().shows(t, 200, "not intact", "an earlier check verified this one").hides(t, "✓ verified", `title="verified"`)
	}
	network.to = nil
	verify().shows(t, 200, "✓ verified")
}

// Another server may have values that this program does not know, and no versions.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	network := &tampering{}
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: network}))
	b := s.owner(t)
	network.from, network.to = `"plan":"starter"`, `"plan":"ölçek"`
	b.get(t, s.root).shows(t, 200, "<dd>Ölçek</dd>")
	network.from, network.to = `"version":`, `"revision":`
	version := b.get(t, s.root+"/settings").value(t, `name="version" value="`, `"`)
	b.post(t, s.root+"/settings", sentKey("rename", "k", "name", "Other", "version", version)).redirects(t, s.root+"/settings")
}

// The message about a change is shown, also if the path of its page has escaped characters.
func TestEscapedIDs(t *testing.T) {
	t.Parallel()
	var id string
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = strings.Replace(r.URL.Path, "a b/c", id, 1), ""
		return (&tampering{`"id":"` + id + `"`, `"id":"a b/c"`}).RoundTrip(r)
	})}))
	credential, err := s.Owner.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "Main", Type: "openai", Value: promptrails.NewSecret("sk-1")})
	if err != nil {
		t.Fatal(err)
	}
	id = credential.ID
	b := s.owner(t)
	page := s.root + "/credentials/a%20b%2Fc"
	b.post(t, page+"/default", sentKey("default", "k")).redirects(t, page)
	b.get(t, page).shows(t, 200, "Main", "It is now the default of the type openai.")
}

// The check of a slug claims nothing if the API fails.
func TestFailedSlugCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter, promptrails.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/workspaces/second") {
			return nil, io.ErrUnexpectedEOF
		}
		return http.DefaultTransport.RoundTrip(r)
	})}))
	s.owner(t).get(t, "/workspaces/new?slug=second").shows(t, 200, "✗ The slug could not be checked.").hides(t, "✓")
}

// A form that was refused for another reason does not overwrite the change that someone else
// has made meanwhile.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	credential, err := s.Owner.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "Main", Type: "openai", Value: promptrails.NewSecret("sk-1")})
	if err != nil {
		t.Fatal(err)
	}
	b, page := s.owner(t), s.root+"/credentials/"+credential.ID
	version := func(r *response) string { return r.value(t, `name="version" value="`, `"`) }
	seen := version(b.get(t, page))
	if _, err := s.Owner.Credentials.Update(t.Context(), credential.ID, &promptrails.UpdateCredentialParams{Description: new("Of someone else")}); err != nil {
		t.Fatal(err)
	}
	refused := b.post(t, page, sentKey("edit", "k1", "name", "", "description", "Mine", "version", seen)).shows(t, 422)
	refused = b.post(t, page, sentKey("edit", "k2", "name", "Main", "description", "Mine", "version", version(refused))).shows(t, 409, "Someone else has changed it", `value="Mine"`)
	b.post(t, page, sentKey("edit", "k3", "name", "Main", "description", "Mine", "version", version(refused))).redirects(t, page)
}

// A panic is a page and a line of the log, like another internal error.
func TestPanic(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	s.console.connect = func(...promptrails.Option) (*promptrails.Client, error) { panic("out of order") }
	newBrowser(t, s.url).post(t, "/login", url.Values{"access_token": {"pat_x"}}).shows(t, 500, "Internal error").hides(t, "out of order")
	for _, part := range []string{"level=ERROR", "panic: out of order", "login.go", "status=500"} {
		if !strings.Contains(s.log.String(), part) {
			t.Errorf("log: got\n%s\nwant it to contain %q", s.log, part)
		}
	}
}
