package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/browsertest"
)

// listed lists the routes of the console.
type listed map[string]bool

func (l listed) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	l[pattern] = true
}

// Each page is in the list of views, so that the tests in a browser look at it.
func TestViews(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	routes, seen := listed{}, map[string]bool{
		"GET /chart.svg": true, // an image
		"GET /workspaces/{workspace}/invitations": true, // the page of members
	}
	c.routes(routes)
	for _, v := range c.views(t) {
		seen[v.route] = true
		if v.route != "" && !routes[v.route] {
			t.Errorf("view %s: got the route %q, want one of %v", v.name, v.route, slices.Sorted(maps.Keys(routes)))
		}
	}
	for route := range routes {
		if strings.HasPrefix(route, "GET ") && !seen[route] {
			t.Errorf("views: got none of the page %q, want one", route)
		}
	}
}

// Each view follows the rules of axe-core and is not wider than the window, in light and
// dark and on phones. If PROMPTRAILS_TEST_SCREENSHOTS names a folder, it gets a picture of
// each.
func TestViewsInBrowser(t *testing.T) {
	t.Parallel()
	axe := browsertest.NewAxe(t)
	if axe == nil {
		t.Log("the rules of axe-core are not checked: PROMPTRAILS_TEST_AXE names no file")
	}
	folder := os.Getenv("PROMPTRAILS_TEST_SCREENSHOTS")
	for width, name := range map[int64]string{1440: "", 360: "-phone"} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			c := newCompany(t)
			pages := c.pages(t, browsertest.Look{Width: width})
			for _, v := range c.views(t) {
				p := pages[v.person]
				c.open(t, p, v)
				if over := browsertest.Eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("%s at %d pixels: got a page %d pixels wider than the window, want none", v.name, width, over)
				}
				if !browsertest.Eval[bool](p, presentIsShown) {
					t.Errorf("%s at %d pixels: got a navigation that does not show the present screen", v.name, width)
				}
				for _, dark := range []bool{false, true} {
					p.Emulate(browsertest.Look{Width: width, Dark: dark})
					state := v.name + map[bool]string{false: "-light", true: "-dark"}[dark] + name
					if folder != "" {
						if err := os.WriteFile(filepath.Join(folder, state+".png"), p.Screenshot(), 0o600); err != nil {
							t.Fatal(err)
						}
					}
				}
				browsertest.Eval[bool](p, `document.querySelectorAll("details:not(.menu)").forEach(details => details.open = true), true`)
				for _, dark := range []bool{true, false} {
					p.Emulate(browsertest.Look{Width: width, Dark: dark})
					if axe != nil {
						axe.Check(p, fmt.Sprintf("%s at %d pixels, dark: %t", v.name, width, dark))
					}
				}
			}
		})
	}
}

// presentIsShown reports whether the link of the present screen is in the window.
const presentIsShown = `[...document.querySelectorAll(".side [aria-current]")].every((link) => {
	const box = link.getBoundingClientRect();
	return box.left >= 0 && box.right <= innerWidth;
})`

// pages returns a page for each person, and one for no one.
func (c *company) pages(t *testing.T, look browsertest.Look) map[string]*browsertest.Page {
	t.Helper()
	none := browsertest.New(t)
	pages := map[string]*browsertest.Page{"": none}
	for _, name := range []string{owner, user, invitee} {
		pages[name] = none.Another()
		c.enter(pages[name], name)
	}
	for _, p := range pages {
		p.Emulate(look)
	}
	return pages
}

// open opens a view.
func (c *company) open(t *testing.T, p *browsertest.Page, v view) {
	t.Helper()
	path := v.path
	if path == loginPath {
		path = <-c.links
		defer func() { c.links <- path }()
	}
	if status := p.Open(c.url + path); status != v.status {
		t.Errorf("view %s: got status %d, want %d", v.name, status, v.status)
	}
	if v.then != nil {
		v.then(p)
	}
}
