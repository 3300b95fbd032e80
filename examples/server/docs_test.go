package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/promptrails-community/promptrails-go/internal/browsertest"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

// In the documentation, a browser calls the API with an access token. It requests
// nothing from another server.
func TestDocsInBrowser(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	token := processtest.Run(t, dir, nil, "user", "add", "ada@example.com").Succeeds(t)
	page := browsertest.New(t)
	click := func(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(selector)) }
	const operation = `[id$="-Me"] `
	const result = operation + ".live-responses-table .response .response-col_"
	err := chromedp.Do(page.Context(),
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
	status, err := chromedp.Run(page.Context(), chromedp.Text(chromedp.CSS(result+"status")))
	if err != nil || strings.TrimSpace(status) != "200" {
		t.Errorf("status: got %q, %v, want 200", status, err)
	}
	response, err := chromedp.Run(page.Context(), chromedp.Text(chromedp.CSS(result+"description")))
	if err != nil || !strings.Contains(response, `"email": "ada@example.com"`) {
		t.Errorf("response: got %q, %v, want the user", response, err)
	}
	if got := page.Requests(); len(got) < 5 {
		t.Errorf("requests of the page: got %d, want at least the page, two scripts, the description and the operation", len(got))
	}
}
