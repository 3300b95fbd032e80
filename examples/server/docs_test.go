package main

import (
	"context"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

// In the documentation, a browser calls the API with an access token. It requests
// nothing from another server.
func TestDocsInBrowser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	token := processtest.Run(t, dir, nil, "user", "add", "ada@example.com").Succeeds(t)
	ctx := newBrowser(t)
	var requests atomic.Int64
	err := chromedp.Listen(ctx, func(event any) {
		e, ok := event.(*network.EventRequestWillBeSent)
		if !ok || strings.HasPrefix(e.Request.URL, "data:") {
			return
		}
		requests.Add(1)
		if !strings.HasPrefix(e.Request.URL, s.url) {
			t.Errorf("request of the page: got %s, want only requests to %s", e.Request.URL, s.url)
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err != nil {
		t.Fatalf("starting the browser: got %v, want no error", err)
	}
	click := func(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(selector)) }
	const operation = `[id$="-Me"] `
	const result = operation + ".live-responses-table .response .response-col_"
	err = chromedp.Do(ctx,
		chromedp.Navigate(s.url+"/docs/"),
		click(".scheme-container .authorize"),
		chromedp.SendKeys(chromedp.CSS("#auth-bearer-value"), token),
		click(`.auth-btn-wrapper button[type="submit"]`),
		click(".auth-btn-wrapper .btn-done"),
		click(operation+".opblock-summary-control"),
		click(operation+".try-out__btn"),
		click(operation+".execute"),
	)
	if err != nil {
		t.Fatalf("executing an operation: got %v, want no error", err)
	}
	status, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(result+"status")))
	if err != nil || strings.TrimSpace(status) != "200" {
		t.Errorf("status: got %q, %v, want 200", status, err)
	}
	response, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(result+"description")))
	if err != nil || !strings.Contains(response, `"email": "ada@example.com"`) {
		t.Errorf("response: got %q, %v, want the user", response, err)
	}
	if got := requests.Load(); got < 5 {
		t.Errorf("requests of the page: got %d, want at least the page, two scripts, the description and the operation", got)
	}
}

// newBrowser starts a browser, or skips the test if none is installed.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		// The page is ours, and a container has no sandbox for root.
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		t.Cleanup(cancel)
		ctx, stop := chromedp.NewExecAllocator(ctx, options...)
		t.Cleanup(stop)
		ctx, closeTab := chromedp.NewContext(ctx)
		t.Cleanup(closeTab)
		return ctx
	}
	t.Skip("skipped: Chromium is not installed (apt-get install chromium)")
	return nil
}
