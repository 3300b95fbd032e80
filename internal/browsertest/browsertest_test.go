package browsertest

import (
	"mime"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
)

// Each fault of a page is found.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"another machine":         {`<img src="http://192.0.2.1/x.png" alt="">`, "a request to http://192.0.2.1/x.png"},
		"missing part":            {`<img src="/missing.png" alt="">`, "status 404 of "},
		"content security policy": {`<style>p{}</style>`, "Content Security Policy"},
		"console":                 {`<script src="/error.js"></script>`, "a call of console.error"},
		"exception":               {`<script src="/throw.js"></script>`, "the exception "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := &faults{}
			p := start(t, found)
			p.Open(serve(t, c.body))
			found.mu.Lock()
			defer found.mu.Unlock()
			if all := strings.Join(found.found, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("faults: got %q, want %q", all, c.want)
			}
		})
	}
}

// A control that something covers cannot be clicked on.
func TestControls(t *testing.T) {
	t.Parallel()
	p := New(t)
	p.Open(serve(t, `<label for="a">Name (optional)</label><input id="a" value="before"><button>Save</button><a href="/next">Next</a>
		<label for="size">Size</label><select id="size"><option>Small<option>Large</select>`))
	p.Fill("Name", "after")
	p.Choose("Size", "Large")
	if got := Eval[string](p, `document.querySelector("input").value + document.querySelector("select").value`); got != "afterLarge" {
		t.Errorf("fields: got %q, want afterLarge", got)
	}
	if got := Eval[bool](p, call("place", "control", "Save")+` !== null`); !got {
		t.Errorf("place of a button: got null, want a place")
	}
	Eval[bool](p, `document.body.append(Object.assign(document.createElement("dialog"), {open: true, style: "position: fixed; inset: 0; width: 100%; height: 100%"})), true`)
	if got := Eval[bool](p, call("place", "control", "Save")+` === null`); !got {
		t.Errorf("place of a button that is covered: got a place, want null")
	}
	if got := Eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches || innerWidth !== 1440`); got {
		t.Errorf("look at first: got dark or another width, want light and 1440")
	}
	p.Emulate(Look{Width: 360, Dark: true})
	if got := Eval[bool](p, `matchMedia("(prefers-color-scheme: dark)").matches && innerWidth === 360`); !got {
		t.Errorf("look: got light or another width, want dark and 360")
	}
}

// Axe-core finds faults in light and dark, also if the page has a content security policy.
func TestAxe(t *testing.T) {
	t.Parallel()
	axe := NewAxe(t)
	if axe == nil {
		t.Skip("skipped: PROMPTRAILS_TEST_AXE names no file")
	}
	p := New(t)
	p.Open(serve(t, `<title>Test</title><main><h1>Test</h1><img src="data:," alt=""><label for="a">Name</label><input id="a"></main>`))
	axe.Check(p, "a page without faults")
	p.Open(serve(t, `<title>Test</title><meta name="color-scheme" content="light dark"><link rel="stylesheet" href="/dark.css"><main><h1>Test</h1><img src="data:,"></main>`))
	if got := axe.violations(p); len(got) != 1 || !strings.HasPrefix(got[0], "image-alt: ") {
		t.Errorf("violations: got %q, want image-alt", got)
	}
	p.Emulate(Look{Dark: true})
	if got := axe.violations(p); len(got) != 2 || !strings.HasPrefix(got[0], "color-contrast: ") {
		t.Errorf("violations in dark: got %q, want also color-contrast", got)
	}
}

// serve serves a page, with a content security policy like that of the console.
func serve(t *testing.T, body string) string {
	t.Helper()
	files := map[string]string{"/dark.css": `@media (prefers-color-scheme: dark) { h1 { color: #444; background: #333 } }`, "/error.js": `console.error("x")`, "/throw.js": `throw new Error("x")`}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, isFile := files[r.URL.Path]
		switch {
		case isFile:
			w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
			_, _ = w.Write([]byte(file))
		case r.URL.Path == "/":
			w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src * data:")
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`<!DOCTYPE html><html lang="en"><link rel="icon" href="data:,">` + body))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
