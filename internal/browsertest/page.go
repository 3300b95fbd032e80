package browsertest

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Open loads a page, and returns the status of its response.
func (p *Page) Open(url string) int64 {
	p.t.Helper()
	return p.load(chromedp.Navigate(url))
}

// load runs steps that load a page.
func (p *Page) load(steps ...chromedp.Action[chromedp.Void]) int64 {
	p.t.Helper()
	response, err := chromedp.RunResponse(p.ctx, steps...)
	p.check(err)
	return response.Status
}

// Click clicks on the first visible link, button or summary with a name, as a person does
// with a mouse. The name is that of assistive technology.
func (p *Page) Click(name string) { p.t.Helper(); p.do(p.click("control", name)) }

// Follow is Click on something that loads a page. It returns the status of that page.
func (p *Page) Follow(name string) int64 { p.t.Helper(); return p.load(p.click("control", name)) }

// Check clicks on the box with a label.
func (p *Page) Check(label string) { p.t.Helper(); p.do(p.click("field", label)) }

// Fill replaces the value of the first visible field with a label.
func (p *Page) Fill(label, value string) {
	p.t.Helper()
	p.do(p.click("field", label))
	Eval[bool](p, `document.activeElement.select(), true`)
	if value == "" {
		p.Press("\b")
		return
	}
	_, err := chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: value})
	p.check(err)
}

// Choose selects an option of the first visible list with a label.
func (p *Page) Choose(label, option string) {
	p.t.Helper()
	if !Eval[bool](p, call("choose", label, option)) {
		p.t.Fatalf("browser: got no option %q of %q on the page\n%s", option, label, p.Text())
	}
}

// click clicks on the middle of the first visible element of a kind with a name.
func (p *Page) click(kind, name string) chromedp.Action[chromedp.Void] {
	p.t.Helper()
	at := Eval[*struct{ X, Y float64 }](p, call("place", kind, name))
	if at == nil {
		p.t.Fatalf("browser: got no visible %s %q on the page\n%s", kind, name, p.Text())
	}
	return chromedp.MouseClickXY(at.X, at.Y)
}

// Press presses keys, which package kb of chromedp names.
func (p *Page) Press(keys string) { p.t.Helper(); p.do(chromedp.KeyEvent(keys)) }

// PressToLoad is Press of a key that loads a page. It returns the status of that page.
func (p *Page) PressToLoad(key string) int64 { p.t.Helper(); return p.load(chromedp.KeyEvent(key)) }

// text is the visible text of the page, with single spaces.
const text = "document.body.innerText.replace(/\\s+/g, ' ')"

// Text returns the visible text of the page, with single spaces.
func (p *Page) Text() string { p.t.Helper(); return Eval[string](p, text) }

// Path returns the path of the page.
func (p *Page) Path() string { p.t.Helper(); return Eval[string](p, `location.pathname`) }

// Shows fails the test unless the page has all the texts.
func (p *Page) Shows(parts ...string) {
	p.t.Helper()
	page := p.Text()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			p.t.Errorf("page %s: got\n%s\nwant it to show %q", p.Path(), page, part)
		}
	}
}

// Hides fails the test if the page has one of the texts.
func (p *Page) Hides(parts ...string) {
	p.t.Helper()
	page := p.Text()
	for _, part := range parts {
		if strings.Contains(page, part) {
			p.t.Errorf("page %s: got\n%s\nwant no %q", p.Path(), page, part)
		}
	}
}

// Await waits until a script of the page shows a text.
func (p *Page) Await(part string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](text+`.includes(`+quote(part)+`)`)); err != nil {
		p.t.Fatalf("page %s: got error %v and\n%s\nwant it to show %q", p.Path(), err, p.Text(), part)
	}
}

// Screenshot returns a picture of the whole page, as PNG.
func (p *Page) Screenshot() []byte {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	p.check(err)
	return picture
}

// AllowClipboard lets pages read and write the clipboard.
func (p *Page) AllowClipboard() {
	p.t.Helper()
	p.do()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(p.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
			BrowserContextID: p.context(),
		})
		p.check(err)
	}
}

func (p *Page) context() cdp.BrowserContextID { return chromedp.FromContext(p.ctx).BrowserContextID }

// Eval returns the value of an expression in JavaScript, and waits for it if it is a
// promise. It is not subject to the content security policy of the page.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("browser: evaluating %.200s: got error %v, want none", expression, err)
	}
	return value
}

//go:embed page.js
var functions string

// call returns the expression that calls a function of page.js.
func call(function string, args ...string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quote(arg)
	}
	return `(() => {` + functions + `return ` + function + `(` + strings.Join(quoted, ",") + `)})()`
}

// quote returns a text as an expression in JavaScript.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}
