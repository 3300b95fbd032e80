package main

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/browsertest"
)

// company is a console with the sample data, for people in browsers.
type company struct {
	*console
	url   string
	links chan string // paths that log in
}

func newCompany(t *testing.T) *company {
	t.Helper()
	sample, err := openSample(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := &company{newConsole(nil, slog.New(slog.DiscardHandler), false), "", make(chan string, 1)}
	c.useSample(sample)
	c.console.links.announce = func(path string) { c.links <- path }
	c.console.links.renew()
	front := httptest.NewServer(c.handler())
	c.url = front.URL
	t.Cleanup(func() {
		front.Close()
		if err := sample.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// enter logs in a person of the sample data, by a link.
func (c *company) enter(p *browsertest.Page, name string) {
	p.Open(c.url + <-c.links)
	p.Follow(name)
}

// root returns the path of the workspace with a slug. It is one of Ada's.
func (c *company) root(t *testing.T, slug string) string {
	t.Helper()
	client, err := c.connect(promptrails.WithAccessToken(c.sample.people[0].token.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	w, err := client.Workspaces.Get(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	return "/workspaces/" + w.ID
}

// The people of the sample data, by their part in Halden Robotics.
const (
	owner   = "Ada Okafor"
	admin   = "Grace Lindqvist"
	user    = "Mei Tanaka"
	invitee = "Noor Haddad"
)

// view is a page as a person sees it.
type view struct {
	name   string
	route  string // of the page, or of the action that shows it
	person string // empty: no one has logged in
	path   string
	status int64
	then   func(*browsertest.Page) // what the person does there
}

// views returns all views. TestViews compares their routes with those of the console.
func (c *company) views(t *testing.T) []view {
	t.Helper()
	root, labs, sandbox := c.root(t, "halden-robotics"), c.root(t, "halden-labs"), c.root(t, "adas-sandbox")
	follow := func(name string) func(*browsertest.Page) { return func(p *browsertest.Page) { p.Follow(name) } }
	click := func(name string) func(*browsertest.Page) { return func(p *browsertest.Page) { p.Click(name) } }
	const w = "/workspaces/{workspace}"
	return []view{
		{"login", "GET /login", "", "/login", 200, nil},
		{"login-refused", "POST /login", "", "/login", 200, func(p *browsertest.Page) {
			p.Fill("Access token or API key", "pat_wrong")
			p.Follow("Log in")
		}},
		{"login-link", "GET /login/{secret}", "", loginPath, 200, nil},
		{"people", "GET /people", owner, "/people", 200, nil},
		{"workspaces", "GET /workspaces", owner, "/workspaces", 200, nil},
		{"workspaces-none", "GET /workspaces", invitee, "/workspaces", 200, nil},
		{"new-workspace", "GET /workspaces/new", owner, "/workspaces/new", 200, nil},
		{"new-workspace-checked", "GET /workspaces/new", owner, "/workspaces/new?name=Labs&slug=halden-labs", 200, nil},
		{"overview", "GET " + w, owner, root, 200, nil},
		{"overview-menus", "GET " + w, owner, root, 200, func(p *browsertest.Page) {
			browsertest.Eval[bool](p, `document.querySelectorAll(".menu").forEach(menu => menu.open = true), true`)
		}},
		{"overview-of-user", "GET " + w, user, root, 200, nil},
		{"overview-full", "GET " + w, owner, labs, 200, nil},
		{"settings", "GET " + w + "/settings", owner, root + "/settings", 200, nil},
		{"settings-of-user", "GET " + w + "/settings", user, root + "/settings", 200, nil},
		{"members", "GET " + w + "/members", owner, root + "/members", 200, nil},
		{"members-of-user", "GET " + w + "/members", user, root + "/members", 200, nil},
		{"members-refused", "POST " + w + "/invitations", owner, labs + "/members", 200, func(p *browsertest.Page) {
			p.Fill("Email address", "mei@example.com")
			p.Follow("Invite")
		}},
		{"credentials", "GET " + w + "/credentials", owner, root + "/credentials", 200, nil},
		{"credentials-form", "GET " + w + "/credentials", owner, root + "/credentials", 200, click("Add a credential")},
		{"credential", "GET " + w + "/credentials/{id}", owner, root + "/credentials", 200, follow("OpenAI production")},
		{"credential-of-user", "GET " + w + "/credentials/{id}", user, root + "/credentials", 200, follow("OpenAI evaluation")},
		{"api-keys", "GET " + w + "/api-keys", owner, root + "/api-keys", 200, nil},
		{"api-keys-form", "GET " + w + "/api-keys", owner, root + "/api-keys", 200, click("Create an API key")},
		{"api-keys-refused", "POST " + w + "/api-keys", owner, root + "/api-keys", 200, func(p *browsertest.Page) {
			p.Click("Create an API key")
			p.Fill("Name", "Reports")
			p.Fill("Addresses", "192.0.2.999")
			p.Follow("Create API key")
		}},
		{"api-key-new", "POST " + w + "/api-keys/{id}/rotate", owner, root + "/api-keys", 200, func(p *browsertest.Page) {
			p.Follow("Web widget")
			p.Follow("Make a new key")
		}},
		{"api-key", "GET " + w + "/api-keys/{id}", owner, root + "/api-keys", 200, follow("Nightly export")},
		{"channels", "GET " + w + "/notifications", owner, root + "/notifications", 200, nil},
		{"channels-none", "GET " + w + "/notifications", owner, sandbox + "/notifications", 200, nil},
		{"channels-form", "GET " + w + "/notifications", owner, root + "/notifications", 200, click("Add a channel")},
		{"channel", "GET " + w + "/notifications/{id}", owner, root + "/notifications", 200, follow("Operations")},
		{"masking", "GET " + w + "/masking", owner, root + "/masking", 200, nil},
		{"masking-preview", "POST " + w + "/masking/preview", owner, root + "/masking", 200, func(p *browsertest.Page) {
			p.Fill("Text", "Mail grace@example.com, or pay with 4111 1111 1111 1111.")
			p.Await("The provider receives")
		}},
		{"changelog", "GET " + w + "/changelog", owner, root + "/changelog", 200, nil},
		{"changelog-none", "GET " + w + "/changelog", owner, root + "/changelog?action=deleted&resource_type=workspace", 200, nil},
		{"changelog-verified", "POST " + w + "/changelog/verify", owner, labs + "/changelog", 200, func(p *browsertest.Page) {
			p.Follow(verifyButton(p))
		}},
		{"billing", "GET " + w + "/billing", owner, root + "/billing", 200, nil},
		{"billing-of-free", "GET " + w + "/billing", owner, sandbox + "/billing", 200, nil},
		{"billing-of-user", "GET " + w + "/billing", user, root + "/billing", 200, nil},
		{"invoice", "GET " + w + "/billing/invoices/{id}", owner, root + "/billing", 200, follow("INV-000002")},
		{"not-found", "", owner, "/nowhere", 404, nil},
		{"not-permitted", "GET " + w + "/api-keys", user, root + "/api-keys", 403, nil},
	}
}

func verifyButton(p *browsertest.Page) string {
	for _, name := range []string{"Verify again", "Verify more"} {
		if strings.Contains(p.Text(), name) {
			return name
		}
	}
	return "Verify"
}
