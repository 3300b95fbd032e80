package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// site is a console for a server of a test.
type site struct {
	*promptrailstest.Server
	console *console
	url     string
	log     *buffer
	root    string // the path of the workspace of the server
}

// buffer is a log that requests write to at the same time.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// newSite starts a server, and a console that knows its URL. The options are those of its
// clients.
func newSite(t *testing.T, plan promptrails.PlanID, opts ...promptrails.Option) *site {
	t.Helper()
	server := promptrailstest.New(t, promptrailstest.WithPlan(plan))
	log := &buffer{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	connect := connectTo(server.URL, logger)
	c := newConsole(func(more ...promptrails.Option) (*promptrails.Client, error) {
		return connect(append(more, append(opts, promptrails.WithMaxRetries(0))...)...)
	}, logger, false)
	front := httptest.NewServer(c.handler())
	t.Cleanup(front.Close)
	return &site{Server: server, console: c, url: front.URL, log: log, root: "/workspaces/" + server.Workspace.ID}
}

// token returns an access token of the person of a client.
func (s *site) token(t *testing.T, client *promptrails.Client) string {
	t.Helper()
	me, err := client.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Service.IssueAccessToken(t.Context(), me.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	return token.Token.Reveal()
}

// browser is a browser without JavaScript. It does not follow redirects.
type browser struct {
	url    string
	client *http.Client
}

func newBrowser(t *testing.T, url string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{url, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// owner returns a browser in which the owner of the workspace has logged in.
func (s *site) owner(t *testing.T) *browser { t.Helper(); return s.as(t, s.token(t, s.Owner)) }

// as returns a browser that has logged in with a token or key.
func (s *site) as(t *testing.T, token string) *browser {
	t.Helper()
	b := newBrowser(t, s.url)
	b.post(t, "/login", url.Values{"access_token": {token}}).redirects(t, "/workspaces")
	return b
}

// response is a response with its body.
type response struct {
	*http.Response
	body string
}

func (b *browser) do(t *testing.T, method, path string, form url.Values, header http.Header) *response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	got, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &response{got, string(body)}
}

func (b *browser) get(t *testing.T, path string) *response {
	t.Helper()
	return b.do(t, http.MethodGet, path, nil, nil)
}

func (b *browser) post(t *testing.T, path string, form url.Values) *response {
	t.Helper()
	return b.do(t, http.MethodPost, path, form, nil)
}

// shows fails the test unless a response is a page that has all the parts.
func (r *response) shows(t *testing.T, status int, parts ...string) *response {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("%s: got status %d, want %d; body\n%s", r.Request.Method, r.StatusCode, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			t.Errorf("%s %s: got\n%s\nwant it to contain %q", r.Request.Method, r.Request.URL.Path, r.body, part)
		}
	}
	return r
}

// hides fails the test if a response has one of the parts.
func (r *response) hides(t *testing.T, parts ...string) *response {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(r.body, part) {
			t.Errorf("%s %s: got\n%s\nwant no %q", r.Request.Method, r.Request.URL.Path, r.body, part)
		}
	}
	return r
}

// redirects fails the test unless a response leads to a path.
func (r *response) redirects(t *testing.T, path string) {
	t.Helper()
	if got := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || got != path {
		t.Fatalf("%s: got status %d, location %q; want 303 and %q; body\n%s", r.Request.Method, r.StatusCode, got, path, r.body)
	}
}

// value returns the text between two others in the page.
func (r *response) value(t *testing.T, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(r.body, before)
	text, _, closed := strings.Cut(rest, after)
	if !found || !closed {
		t.Fatalf("page: got\n%s\nwant it to contain %q and then %q", r.body, before, after)
	}
	return text
}

// sentKey returns the fields of a form, with a key of its own.
func sentKey(form, key string, fields ...string) url.Values {
	values := url.Values{formField: {form}, keyField: {key}}
	for i := 0; i < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	return values
}
