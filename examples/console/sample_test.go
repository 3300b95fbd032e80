package main

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var href = regexp.MustCompile(`(?:href|src)="(/[^"#]*)`)

// Each of the people opens every page that a link leads to. No page fails, and each can be
// used with a keyboard and a screen reader.
func TestSample(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	sample, err := openSample(t.Context(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sample.Close(); err != nil {
			t.Error(err)
		}
		if log.String() != "" {
			t.Errorf("log: got\n%s\nwant none", log)
		}
	})
	c := newConsole(nil, slog.New(slog.DiscardHandler), false)
	c.useSample(sample)
	front := httptest.NewServer(c.handler())
	t.Cleanup(front.Close)
	wantPages := map[string]int{"ada@example.com": 60, "grace@example.com": 40, "mei@example.com": 6, "noor@example.com": 3}
	for _, person := range sample.people {
		t.Run(person.Name, func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t, front.URL)
			b.post(t, "/login", url.Values{"access_token": {person.token.Reveal()}}).redirects(t, "/workspaces")
			seen, queue := map[string]bool{"/workspaces": true}, []string{"/workspaces"}
			for len(queue) > 0 && len(seen) < 150 {
				path := queue[0]
				queue = queue[1:]
				got := b.get(t, path)
				if got.StatusCode != 200 {
					t.Errorf("%s: got status %d, want 200", path, got.StatusCode)
				}
				if strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
					checkPage(t, path, got.body)
					for _, link := range href.FindAllStringSubmatch(got.body, -1) {
						next := html.UnescapeString(link[1])
						if !seen[next] && !strings.Contains(next, "_id=") {
							seen[next] = true
							queue = append(queue, next)
						}
					}
				}
			}
			if len(seen) < wantPages[person.Email] {
				t.Errorf("pages: got %d, want at least %d: %v", len(seen), wantPages[person.Email], seen)
			}
		})
	}
}

// The sample data shows what each screen is for.
func TestSampleScreens(t *testing.T) {
	t.Parallel()
	sample, err := openSample(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sample.Close() })
	c := newConsole(nil, slog.New(slog.DiscardHandler), false)
	c.useSample(sample)
	front := httptest.NewServer(c.handler())
	t.Cleanup(front.Close)
	b := newBrowser(t, front.URL)
	b.post(t, "/login", url.Values{"access_token": {sample.people[0].token.Reveal()}}).redirects(t, "/workspaces")
	list := b.get(t, "/workspaces")
	root := func(name string) string {
		_, root, _ := strings.Cut(list.body[:strings.Index(list.body, ">"+name+"</a></th>")], "<tbody>")
		return strings.TrimSuffix(root[strings.LastIndex(root, `href="`)+len(`href="`):], `"`)
	}
	robotics, sandbox, labs := root("Halden Robotics"), root("Ada&#39;s Sandbox"), root("Halden Labs")
	b.get(t, sandbox+"/billing").shows(t, 200, "nearly full", "Executions left in the period")
	b.get(t, labs).shows(t, 200, "5 of 5", ">full<")
	b.get(t, robotics+"/api-keys").shows(t, 200, "rotating", "soon", "everything", "revoked")
	b.get(t, robotics+"/members").shows(t, 200, "noor@example.com")
	b.get(t, robotics+"/masking").shows(t, 200, "values in", "Support assistant")
	b.get(t, robotics+"/billing").shows(t, 200, "INV-000002", "Balance at the end of each day")
	b.get(t, robotics+"/notifications").shows(t, 200, "Operations", "Pager")
	b.get(t, robotics+"/credentials").shows(t, 200, "not valid", "default")
	b.post(t, robotics+"/changelog/verify", url.Values{}).redirects(t, robotics+"/changelog")
	b.get(t, robotics+"/changelog").shows(t, 200, "✓ verified")
}

// checkPage fails the test unless a page has the structure that assistive technology needs.
// The tests in a browser check more, such as contrast.
func checkPage(t *testing.T, path, body string) {
	t.Helper()
	page, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	ids, labels, h1 := map[string]int{}, map[string]bool{}, 0
	for n := range page.Descendants() {
		if id := attribute(n, "id"); id != "" {
			ids[id]++
		}
		switch n.Data {
		case "h1":
			h1++
		case "label":
			labels[attribute(n, "for")] = true
		}
	}
	if h1 != 1 {
		t.Errorf("%s: got %d h1, want 1", path, h1)
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s: got the id %q %d times, want it once", path, id, n)
		}
	}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for id := range strings.FieldsSeq(attribute(n, "aria-describedby") + " " + attribute(n, "aria-labelledby") + " " + attribute(n, "for") + " " + attribute(n, "list")) {
			if ids[id] == 0 {
				t.Errorf("%s: <%s> refers to the id %q, which is not on the page", path, n.Data, id)
			}
		}
		switch n.Data {
		case "input", "select", "textarea":
			inLabel := n.Parent.Data == "label"
			if attribute(n, "type") != "hidden" && !labels[attribute(n, "id")] && !inLabel {
				t.Errorf("%s: the field %q has no label", path, attribute(n, "name"))
			}
		case "table":
			if first := n.FirstChild; first == nil || first.NextSibling == nil || first.Data != "caption" && first.NextSibling.Data != "caption" {
				t.Errorf("%s: a table has no caption", path)
			}
		case "th":
			if attribute(n, "scope") == "" {
				t.Errorf("%s: a th has no scope", path)
			}
		case "img":
			if _, found := find(n, "alt"); !found {
				t.Errorf("%s: an image has no alt", path)
			}
		}
	}
}

func attribute(n *html.Node, name string) string { value, _ := find(n, name); return value }

func find(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
