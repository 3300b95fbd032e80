// Package browsertest opens pages in headless Chromium for tests. A page fails its test if
// it requests anything from another machine, or if the browser reports an error in it.
package browsertest

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// limit is the longest time of a test. A test that waits for something which does not
// happen fails after it.
const limit = 4 * time.Minute

// Page is a page of a browser. It must not be used by two goroutines at a time. Its methods
// end the test if they cannot do their work.
type Page struct {
	t      testing.TB
	ctx    context.Context //nolint:containedctx // of a test, which has the browser
	faults *faults
}

// New starts a browser with an empty profile, and returns a page 1440 pixels wide, in
// light colors and with reduced motion. It skips the test if no browser is installed, and in
// short mode.
func New(t testing.TB) *Page {
	t.Helper()
	return start(t, watch(t))
}

func start(t testing.TB, faults *faults) *Page {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: a browser in short mode")
	}
	// The pages are ours, and a container has no sandbox for root. Names of hosts, also
	// those that the browser itself uses, are not looked up.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(find(t)), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE [::1] , EXCLUDE localhost"), chromedp.Flag("no-proxy-server", true))
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	return open(ctx, t, faults)
}

// Another returns a page with a profile of its own: another person, or a person who has
// not logged in.
func (p *Page) Another() *Page {
	p.t.Helper()
	return open(p.ctx, p.t, p.faults, chromedp.WithNewBrowserContext())
}

func open(ctx context.Context, t testing.TB, faults *faults, options ...chromedp.ContextOption) *Page {
	t.Helper()
	ctx, shut := chromedp.NewContext(ctx, append(options, chromedp.WithListener(faults.see))...)
	t.Cleanup(shut)
	p := &Page{t, ctx, faults}
	p.Emulate(Look{})
	return p
}

// Context returns the context for actions of package chromedp.
func (p *Page) Context() context.Context { return p.ctx }

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("skipped: Chromium is not installed (apt-get install chromium)")
	return ""
}

// Look is how a person looks at a page.
type Look struct {
	Width int64 // in pixels; 0: 1440
	Dark  bool
}

// Emulate changes how the page is looked at, without loading it again.
func (p *Page) Emulate(look Look) {
	p.t.Helper()
	width, scheme := look.Width, "light"
	if width == 0 {
		width = 1440
	}
	if look.Dark {
		scheme = "dark"
	}
	p.do(chromedp.EmulateViewport(width, 900))
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	p.check(err)
}

// DisableScripts disables JavaScript on pages that are opened from now on.
func (p *Page) DisableScripts() {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.check(err)
}

func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.check(chromedp.Do(p.ctx, steps...))
}

func (p *Page) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("browser: got error %v, want none", err)
	}
}
