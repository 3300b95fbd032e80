package browsertest

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// faults are the faults of all pages of a browser.
type faults struct {
	mu       sync.Mutex
	found    []string
	requests []string // the URLs of all requests
}

// watch returns faults that fail the test when the browser is closed.
func watch(t testing.TB) *faults {
	t.Helper()
	f := &faults{}
	t.Cleanup(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		slices.Sort(f.found)
		for _, fault := range slices.Compact(f.found) {
			t.Errorf("browser: got %s, want none", fault)
		}
	})
	return f
}

// see looks for a fault in an event of a page.
func (f *faults) see(event any) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		f.request(e.Request.URL)
	case *network.EventResponseReceived:
		// Pages with a form that was refused have such a status. Their parts must not.
		if e.Type != network.ResourceTypeDocument && e.Response.Status >= 400 {
			f.add("status %d of %s", e.Response.Status, e.Response.URL)
		}
	case *log.EventEntryAdded: // also violations of the content security policy
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			f.add("the error %s on %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			f.add("a call of console.%s", e.Type)
		}
	case *runtime.EventExceptionThrown:
		f.add("the exception %s in %s", e.ExceptionDetails.Text, e.ExceptionDetails.URL)
	case *page.EventJavascriptDialogOpening:
		f.add("a dialog with %q on %s", e.Message, e.URL)
	}
}

func (f *faults) request(address string) {
	f.mu.Lock()
	f.requests = append(f.requests, address)
	f.mu.Unlock()
	if u, err := url.Parse(address); err != nil || u.Scheme != "data" && !isLoopback(u.Hostname()) {
		f.add("a request to %s", address)
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found = append(f.found, fmt.Sprintf(format, args...))
}

// Requests returns the URLs that the pages of the browser have requested.
func (p *Page) Requests() []string {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	return slices.Clone(p.faults.requests)
}
