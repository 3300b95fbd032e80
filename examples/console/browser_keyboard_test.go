package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/promptrails-community/promptrails-go/internal/browsertest"
)

// The Tab key reaches each control of each view, and shows where the focus is. The first
// control is the link that skips the navigation.
func TestKeyboardInBrowser(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	pages := c.pages(t, browsertest.Look{})
	for _, v := range c.views(t) {
		p := pages[v.person]
		c.open(t, p, v)
		browsertest.Eval[bool](p, recordFocus)
		for presses := 0; !browsertest.Eval[bool](p, `record.complete`); presses += 10 {
			if presses > 300 {
				t.Fatalf("%s: got no return to the first control after %d presses of the Tab key, and the focus on\n%s", v.name, presses, browsertest.Eval[string](p, `document.activeElement.outerHTML`))
			}
			p.Press(strings.Repeat(kb.Tab, 10))
		}
		for _, problem := range browsertest.Eval[[]string](p, `problemsOfFocus()`) {
			t.Errorf("%s: got %s, want none", v.name, problem)
		}
	}
}

// painted is a promise of the next picture of the page. Until then, the browser may move the
// focus to the notice about a form.
const painted = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`

// recordFocus records which elements get the focus, and how it is shown.
const recordFocus = painted + `.then(() => {
	document.activeElement.blur();
	document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex");
	window.record = {reached: new Set(), first: null, hidden: [], complete: false};
	document.addEventListener("keydown", () => { // the next press of the key, when the focus is painted
		const target = document.activeElement;
		if (target.tabIndex < 0 || target === document.body) return;
		const style = getComputedStyle(target), name = target.outerHTML.slice(0, 120);
		record.complete ||= target === record.first && record.reached.size > 1;
		record.first ??= target;
		record.reached.add(target);
		if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) record.hidden.push(name);
		const box = target.getBoundingClientRect(), bar = document.querySelector(".bar").getBoundingClientRect();
		if (!document.querySelector(".bar").contains(target) && !target.matches(".skip") && box.top < bar.bottom - 1 && box.bottom > bar.top && box.height < innerHeight / 2) record.hidden.push("covered by the bar: " + name);
	}, true);
	window.problemsOfFocus = () => {
		const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
		const missed = all.filter((e) => e.checkVisibility() && !e.disabled && e.type !== "hidden" && !record.reached.has(e));
		return [
			...missed.map((e) => "a control that the Tab key does not reach: " + e.outerHTML.slice(0, 120)),
			...record.hidden.map((name) => "a focus that cannot be seen: " + name),
			...record.first?.matches(".skip") ? [] : ["another first control: " + record.first?.outerHTML],
		];
	};
	return true;
})`

func TestKeysInBrowser(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	p := browsertest.New(t)
	c.enter(p, owner)
	focus := func() string {
		return browsertest.Eval[string](p, `document.activeElement.id || document.activeElement.textContent.replace(/\s+/g, " ").trim()`)
	}
	check := func(want string) {
		t.Helper()
		if got := focus(); got != want {
			t.Errorf("focus: got %q, want %q", got, want)
		}
	}
	tab := func(until string) {
		t.Helper()
		var seen []string
		for range 100 {
			p.Press(kb.Tab)
			if seen = append(seen, focus()); seen[len(seen)-1] == until {
				return
			}
		}
		t.Fatalf("focus: got %q, want %q", slices.Compact(seen), until)
	}

	// The link at the beginning skips the bar and the navigation.
	p.Open(c.url + c.root(t, "halden-robotics") + "/members")
	p.Press(kb.Tab)
	check("Skip to the content")
	p.Press(kb.Enter)
	check("content")
	p.Press(kb.Tab)
	check("invite-email")

	// Menus open with Enter and close with Escape, or when the focus leaves them.
	p.Open(c.url + c.root(t, "halden-robotics"))
	menu := "Workspace: Halden Robotics"
	tab(menu)
	p.Press(kb.Enter)
	p.Shows("All workspaces")
	p.Press(kb.Tab)
	p.Press(kb.Escape)
	check(menu)
	p.Hides("All workspaces")
	p.Press(kb.Enter)
	tab("Logged in as " + owner)
	p.Hides("All workspaces")
	p.Press(" ")
	p.Shows("Log out")

	// Enter sends the form. If it is refused, the focus is on the reason, and a link in it
	// leads to the field.
	p.Open(c.url + "/workspaces/new")
	tab("workspace-name")
	p.Press("Second")
	p.Press(kb.Tab)
	p.Press("halden-labs")
	if status := p.PressToLoad(kb.Enter); status != 409 {
		t.Errorf("form with a slug that is taken: got status %d, want 409", status)
	}
	if got := browsertest.Eval[string](p, painted+`.then(() => document.activeElement.getAttribute("role"))`); got != "alert" {
		t.Errorf("focus after a form was refused: got the role %q, want alert", got)
	}

	p.Open(c.url + c.root(t, "halden-robotics") + "/api-keys")
	p.Click("Create an API key")
	p.Fill("Name", "Reports")
	p.Check("agents:read read")
	p.Fill("Addresses", "192.0.2.999")
	p.Follow("Create API key")
	tab("Addresses")
	p.Press(kb.Enter)
	check("create-allowed_ips")
}
