package main

import (
	"fmt"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/browsertest"
)

// The hostile texts run a script if a page has them without escaping: as an element, in an
// attribute, or in a string of a script. A script that the content security policy blocks
// also fails the test, because the browser reports it.
const (
	hostileText = `<script>window.ran=1</script>"'><img src=x onerror=window.ran=1>`
	hostileSign = `<img src=x onerror=window.ran=1>` // at the end of each
)

// fieldOfForm is a field of a form in which people write a text.
type fieldOfForm struct {
	Form  int    // on the page
	Field int    // of the form
	Label string // for messages
}

// A text in any field of any form never runs as a script, on any view.
func TestHostileTextsInBrowser(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	c.addHostileNames(t)
	pages := c.pages(t, browsertest.Look{})
	type place struct{ person, url string } // that does not change if names do
	var places []place
	for _, v := range c.views(t) {
		if strings.HasPrefix(v.route, "GET ") {
			c.open(t, pages[v.person], v)
			places = append(places, place{v.person, browsertest.Eval[string](pages[v.person], `location.href`)})
		}
	}
	sent := map[string]bool{}
	for _, at := range places {
		p := pages[at.person]
		p.Open(at.url)
		for _, f := range browsertest.Eval[[]fieldOfForm](p, listFields) {
			if name := at.person + " " + f.Label; !sent[name] {
				sent[name] = true
				p.Open(at.url)
				browsertest.Eval[bool](p, fmt.Sprintf(fillForm, f.Form, f.Field, hostileText, len(sent)))
				p.PressToLoad("\r")
				noScriptRan(t, p, at.url+" after "+name)
			}
		}
	}
	if len(sent) < 35 {
		t.Errorf("fields: got %d, want at least 35: %v", len(sent), sent)
	}
	shown := 0
	for _, at := range places {
		p := pages[at.person]
		p.Open(at.url)
		noScriptRan(t, p, at.url)
		shown += strings.Count(p.Text(), hostileSign)
	}
	if shown < 80 {
		t.Errorf("hostile texts on all pages: got %d, want at least 80: the test must show them", shown)
	}

	// The parts of pages that a script replaces.
	p := pages[owner]
	p.Open(c.url + c.root(t, "halden-robotics") + "/masking")
	p.Fill("Text", hostileText)
	p.Await("The provider receives")
	noScriptRan(t, p, "preview")
	p.Open(c.url + "/workspaces/new?slug=halden-robotics")
	p.Shows("Your workspace " + hostileText[:10])
	p.Fill("Slug", hostileText)
	p.Await("✗ Use")
	noScriptRan(t, p, "check of a slug")
}

func noScriptRan(t *testing.T, p *browsertest.Page, state string) {
	t.Helper()
	if browsertest.Eval[bool](p, `window.ran !== undefined || document.querySelector('img[src="x"]') !== null`) {
		t.Errorf("%s: got a script of a field, want none", state)
	}
}

// addHostileNames adds the names that come from elsewhere: of people, agents and executions.
func (c *company) addHostileNames(t *testing.T) {
	t.Helper()
	for i := range c.sample.people {
		c.sample.people[i].About = hostileText
	}
	person, err := c.sample.service.CreateUser(t.Context(), "mallory@example.com", hostileText)
	if err != nil {
		t.Fatal(err)
	}
	connect := func(token promptrails.Secret) *promptrails.Client {
		client, err := c.connect(promptrails.WithAccessToken(token.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	w := connect(c.sample.people[0].token).InWorkspace(strings.TrimPrefix(c.root(t, "halden-robotics"), "/workspaces/"))
	invitation, err := w.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: person.Email, Role: promptrails.RoleUser})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(person.AccessToken).Invitations.Accept(t.Context(), invitation.Token); err != nil {
		t.Fatal(err)
	}
	agent, err := w.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": hostileText})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Masking.SetOverride(t.Context(), agent.ID, &promptrails.SetMaskingOverrideParams{Enabled: new(true)}); err != nil {
		t.Fatal(err)
	}
}

// listFields lists the fields of all forms of a page in which people write a text.
const listFields = `[...document.forms].flatMap((form, i) => [...form.elements].map((field, j) => [field, j])
	.filter(([field]) => field.checkVisibility({checkOpacity: false}) || field.closest("details"))
	.filter(([field]) => field.matches("textarea, input:not([type=hidden], [type=checkbox], [readonly])"))
	.map(([field, j]) => ({Form: i, Field: j, Label: form.getAttribute("action").split("/").slice(3).join("/").replace(/[0-9A-Za-z]{20,}/, "{id}") + " " + field.name})))`

// fillForm writes a text in one field of a form, valid values in the others, and focuses the
// button of the form.
const fillForm = `(() => {
	const form = document.forms[%d], hostile = form.elements[%d], text = %q, number = %d;
	const valid = {type: "openai", slug: "hostile-" + number, email: "hostile" + number + "@example.com", url: "https://192.0.2.1/" + number, amount: "1.00", value: "sk-" + number + "-0123456789"};
	for (const field of form.elements) {
		if (field.type === "checkbox" && field.name === "scopes") field.checked = field.value === "agents:read";
		if (!field.matches("textarea, input:not([type=hidden], [type=checkbox], [readonly])")) continue;
		if (field === hostile && !["text", "search", "password"].includes(field.type) && field.matches("input")) field.type = "text";
		if (field === hostile || field.required && field.value === "") field.value = field === hostile ? text : valid[field.name] ?? "hostile " + number;
	}
	hostile.removeAttribute("maxlength");
	form.noValidate = true;
	for (let parent = form; parent; parent = parent.parentElement) if (parent.matches("details")) parent.open = true;
	(form.querySelector("button.primary") ?? form.querySelector("button")).focus();
	return true;
})()`
