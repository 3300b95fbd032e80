package main

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Every response has the headers that limit what a page can do, errors and files too.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	chart := b.get(t, s.root+"/billing").value(t, `<img src="`, `"`)
	for _, path := range []string{"/workspaces", s.root, s.root + "/nothing", "/login", "/assets/console.js", "/assets/nothing", "/", loginPath + "x", html.UnescapeString(chart)} {
		got := b.get(t, path)
		policy := got.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: Content-Security-Policy: got %q, want it to contain %q", path, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe-inline") != (got.Header.Get("Content-Type") == "image/svg+xml" && strings.HasPrefix(path, "/chart")) {
			t.Errorf("%s: Content-Security-Policy: got %q, want unsafe-inline in charts only", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Strict-Transport-Security": ""} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %s: got %q, want %q", path, name, got.Header.Get(name), want)
			}
		}
		if caching := got.Header.Get("Cache-Control"); !strings.HasPrefix(caching, "no-store") && !strings.HasPrefix(path, "/assets/") {
			t.Errorf("%s: Cache-Control: got %q, want no-store", path, caching)
		}
		if strings.Contains(got.body, "<script>") || strings.Contains(got.body, " style=") && !strings.HasPrefix(path, "/chart") || strings.Contains(got.body, " onclick=") {
			t.Errorf("%s: got\n%s\nwant no inline scripts or styles", path, got.body)
		}
	}
	s.console.https = true
	if got := b.get(t, "/login").Header.Get("Strict-Transport-Security"); got == "" {
		t.Errorf("Strict-Transport-Security over HTTPS: got none")
	}
}

// A form of another site changes nothing, although the browser sends the cookie.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	b := s.owner(t)
	for name, header := range map[string]http.Header{
		"cross-site": {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":  {"Sec-Fetch-Site": {"same-site"}},
		"origin":     {"Origin": {"https://evil.example"}},
		"null":       {"Origin": {"null"}},
	} {
		for _, path := range []string{s.root + "/masking", "/logout", "/login"} {
			b.do(t, http.MethodPost, path, url.Values{"enabled": {"1"}}, header.Clone()).shows(t, 403, "The form came from another site")
		}
		settings, err := s.Owner.Masking.Get(t.Context())
		if err != nil || settings.Enabled {
			t.Errorf("%s: masking: got enabled %v, error %v; want it unchanged", name, settings.Enabled, err)
		}
	}
	b.do(t, http.MethodPost, s.root+"/masking", sentKey("settings", "k", "enabled", "1"), http.Header{"Sec-Fetch-Site": {"same-origin"}}).redirects(t, s.root+"/masking")
}

func TestLargeForms(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	form := sentKey("create", "k", "name", "Large", "type", "openai", "value", strings.Repeat("x", maxBody))
	b.post(t, s.root+"/credentials", form).shows(t, 413, "The form is larger than the console accepts.")
	b.post(t, "/login", form).shows(t, 413)
	// A credential of the maximum size of the API fits, however it is encoded.
	b.post(t, s.root+"/credentials", sentKey("create", "k", "name", "Large", "type", "openai", "value", strings.Repeat("\n", 65536))).shows(t, http.StatusSeeOther)
}

// Names are texts of other people. No page contains them as HTML.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}`
	ctx, w := t.Context(), s.Owner
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	credential, err := w.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: hostile, Type: hostile, Description: hostile, Value: promptrails.NewSecret(hostile)})
	check(err)
	agent, err := w.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": hostile, "credential_id": credential.ID})
	check(err)
	key, err := w.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: hostile, Scopes: promptrails.Scopes{promptrails.ScopeAll}})
	check(err)
	channel, err := w.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: hostile, Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret("https://192.0.2.1/" + url.PathEscape(hostile))})
	if err != nil { // this address may be refused
		channel = nil
	}
	_, err = w.Masking.SetOverride(ctx, agent.ID, &promptrails.SetMaskingOverrideParams{Enabled: new(true)})
	check(err)
	_, err = w.Workspaces.Update(ctx, s.Workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new(hostile)})
	check(err)
	person, err := s.Service.CreateUser(ctx, "mallory@example.com", hostile)
	check(err)
	invitation, err := w.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: person.Email, Role: promptrails.RoleAdmin})
	check(err)
	mallory, err := s.Service.Client(promptrails.WithAccessToken(person.AccessToken.Reveal()))
	check(err)
	_, err = mallory.Invitations.Accept(ctx, invitation.Token)
	check(err)

	b := s.as(t, person.AccessToken.Reveal())
	query := "?" + url.Values{"q": {hostile}, "resource_id": {hostile}, "actor_id": {hostile}, "since": {""}, "name": {hostile}, "slug": {hostile}}.Encode()
	paths := []string{"/workspaces", "/workspaces" + query, "/workspaces/new" + query, "/login?next=" + url.QueryEscape("/workspaces/"+hostile)}
	for _, screen := range screens {
		paths = append(paths, s.root+"/"+screen.Path, s.root+"/"+screen.Path+query)
	}
	paths = append(paths, s.root+"/credentials/"+credential.ID, s.root+"/api-keys/"+key.ID)
	if channel != nil {
		paths = append(paths, s.root+"/notifications/"+channel.ID)
	}
	seen := 0
	for _, path := range paths {
		got := b.get(t, strings.TrimSuffix(path, "/"))
		if got.StatusCode >= 500 {
			t.Errorf("%s: got status %d, want less than 500", path, got.StatusCode)
		}
		got.hides(t, "<script>", "<img src=x")
		seen += strings.Count(got.body, html.EscapeString("<script>"))
	}
	b.post(t, s.root+"/masking/preview", url.Values{"text": {hostile}}).hides(t, "<script>", "<img src=x")
	b.post(t, s.root+"/credentials", sentKey(hostile, hostile, "name", hostile, "type", "", "description", hostile)).hides(t, "<script>", "<img src=x")
	if seen < 50 {
		t.Errorf("escaped names on all pages: got %d, want more than 50: the test must show them", seen)
	}
}

// A new key is shown on the page of the key, one time. It is in no URL, log or other page.
func TestSecretsAreShownOneTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	b := s.owner(t)
	got := b.post(t, s.root+"/api-keys", sentKey("create", "k", "name", "Build", "scopes", "agents:read"))
	page := got.Header.Get("Location")
	got.redirects(t, page)
	b.get(t, s.root+"/api-keys").shows(t, 200, "Build").hides(t, "Copy it now") // another tab does not take it
	b.do(t, http.MethodHead, page, nil, nil).shows(t, 200)
	key := b.get(t, page).shows(t, 200, "Copy it now").value(t, `class="code" value="`, `"`)
	if _, err := s.Client(promptrails.WithAPIKey(key)).APIKeys.Current(t.Context()); err != nil {
		t.Errorf("the key that is shown: got error %v, want a valid key", err)
	}
	b.get(t, page).shows(t, 200, "Build").hides(t, key, "Copy it now")

	b.post(t, s.root+"/invitations", sentKey("invite", "k2", "email", "grace@example.com", "role", "user")).redirects(t, s.root+"/members")
	token := b.get(t, s.root+"/members").shows(t, 200, "Invitation token", "Send this token to grace@example.com").value(t, `class="code" value="`, `"`)
	b.get(t, s.root+"/members").hides(t, token)

	grace := s.as(t, s.token(t, s.NewUser("grace@example.com")))
	grace.get(t, s.root+"/members").shows(t, 404, "Not found")
	grace.post(t, "/invitations/accept", sentKey("join", "k3", "token", "inv_wrong")).shows(t, 404, `role="alert"`).hides(t, "inv_wrong")
	grace.post(t, "/invitations/accept", sentKey("join", "k4", "token", token)).redirects(t, s.root)
	grace.get(t, s.root).shows(t, 200, "You joined the workspace with the role user.")

	got = b.post(t, s.root+"/credentials", sentKey("create", "k5", "name", "", "type", "openai", "value", "sk-test-not-shown", "description", "Mine"))
	got.shows(t, 422, `value="Mine"`, `id="create-name-error"`, `aria-describedby="create-name-error"`).hides(t, "sk-test-not-shown")
	for _, secret := range []string{key, token, "sk-test-not-shown"} {
		if strings.Contains(s.log.String(), secret) || strings.Contains(page, secret) {
			t.Errorf("log: got\n%s\nwant no secrets", s.log)
		}
	}
}

// A form that is sent two times makes one object.
func TestDoubleSubmit(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	b := s.owner(t)
	form := b.get(t, s.root+"/api-keys").value(t, `name="idempotency_key" value="`, `"`)
	fields := sentKey("create", form, "name", "Build", "scopes", "agents:read")
	first, second := b.post(t, s.root+"/api-keys", fields), b.post(t, s.root+"/api-keys", fields)
	second.redirects(t, first.Header.Get("Location"))
	page, err := s.Owner.APIKeys.List(t.Context(), nil)
	if err != nil || len(page.Items) != 1 {
		t.Errorf("keys after a double submit: got %+v, error %v; want one", page, err)
	}
	fields.Set("name", "Other")
	b.post(t, s.root+"/api-keys", fields).shows(t, 409, "This form was sent before, with other values.")
}

// losing is a network that loses the responses to changes.
type losing struct{ lose bool }

func (l *losing) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost && l.lose {
		_ = response.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return response, err
}

// If the response to a change is lost, the form keeps its key: sending it again does not
// make the change twice.
func TestLostResponse(t *testing.T) {
	t.Parallel()
	network := &losing{lose: true}
	s := newSite(t, promptrails.PlanPro, promptrails.WithHTTPClient(&http.Client{Transport: network}))
	b := s.owner(t)
	got := b.post(t, s.root+"/api-keys", sentKey("create", "first-key", "name", "Build", "scopes", "agents:read"))
	got.shows(t, 503, "The change may have been made or not.", `name="idempotency_key" value="first-key"`, `value="Build"`, `value="agents:read" checked`)
	network.lose = false
	b.post(t, s.root+"/api-keys", sentKey("create", "first-key", "name", "Build", "scopes", "agents:read")).shows(t, http.StatusSeeOther)
	page, err := s.Owner.APIKeys.List(t.Context(), nil)
	if err != nil || len(page.Items) != 1 {
		t.Errorf("keys after a lost response: got %+v, error %v; want one", page, err)
	}
}

// roundTripper is a network of a test.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The person learns whether a change may have been made, and the form keeps its key if so. An
// error that people cannot correct is in the log.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	respond := func(r *http.Request, status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
	}
	for name, c := range map[string]struct {
		status   int
		body     string
		want     int
		parts    []string
		log      string
		down     bool // after the change
		keepsKey bool
	}{
		"unreadable":  {status: 200, body: "<h1>Welcome</h1>", want: 502, parts: []string{"Unexpected response", "The change may have been made or not."}, log: "request failed", keepsKey: true},
		"incomplete":  {status: 201, body: `{"data":{"id":"1"`, want: 502, parts: []string{"Unexpected response", "The change may have been made or not."}, log: "request failed", keepsKey: true},
		"failed":      {status: 500, body: "{}", want: 502, parts: []string{"The API failed", "The change may have been made or not."}, log: "request failed", keepsKey: true},
		"in progress": {status: 409, body: `{"error":{"code":"idempotency_in_progress","message":"still running"}}`, want: 409, parts: []string{"the API still works on it", "The change may have been made or not."}, keepsKey: true},
		"conflict":    {status: 409, body: `{"error":{"code":"conflict","message":"no"}}`, want: 409, parts: []string{"Not possible now"}},
		"then down":   {status: 503, body: "{}", want: 503, parts: []string{"The change may have been made or not.", "Load this page again in a moment, to send the same form again."}, down: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			down := false
			s := newSite(t, promptrails.PlanPro, promptrails.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				switch {
				case down:
					return nil, io.ErrUnexpectedEOF
				case r.Method == http.MethodPost:
					down = c.down
					return respond(r, c.status, c.body), nil
				}
				return http.DefaultTransport.RoundTrip(r)
			})}))
			got := s.owner(t).post(t, s.root+"/api-keys", sentKey("create", "first-key", "name", "Build")).shows(t, c.want, c.parts...)
			if kept := strings.Contains(got.body, `name="idempotency_key" value="first-key"`); kept != c.keepsKey {
				t.Errorf("form keeps its key: got %v, want %v", kept, c.keepsKey)
			}
			if unknown := strings.Contains(got.body, "may have been made"); unknown != (c.keepsKey || c.down) {
				t.Errorf("change may have been made: got %v, want %v", unknown, c.keepsKey || c.down)
			}
			if !strings.Contains(s.log.String(), c.log) {
				t.Errorf("log: got\n%s\nwant it to contain %q", s.log, c.log)
			}
		})
	}
}

// A form that was not sent to the API can be sent again.
func TestFormDuringAnOutage(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	b := s.owner(t)
	s.Down()
	form := sentKey("create", "k", "name", "Build", "scopes", "agents:read")
	b.post(t, s.root+"/api-keys", form).shows(t, 503, "Nothing was changed. Load this page again in a moment, to send the same form again.").hides(t, "may have been made")
	newBrowser(t, s.url).post(t, "/login", url.Values{"access_token": {"pat_x"}}).shows(t, 503, "Try again in a moment.").hides(t, "may have been made")
	s.Up()
	b.post(t, s.root+"/api-keys", form).shows(t, http.StatusSeeOther)
}
