package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	token, b := s.token(t, s.Owner), newBrowser(t, s.url)
	b.get(t, s.root+"/members?q=a").redirects(t, "/login?next="+url.QueryEscape(s.root+"/members?q=a"))
	b.get(t, "/login?next="+url.QueryEscape(s.root+"/members?q=a")).shows(t, 200, "Access token or API key", s.root+"/members?q=a")
	b.post(t, "/login", url.Values{"access_token": {"pat_wrong"}, "next": {s.root}}).shows(t, 422, "Not logged in", "is not a valid access token or API key", `aria-invalid="true"`, s.root).hides(t, "pat_wrong")

	got := b.post(t, "/login", url.Values{"access_token": {" " + token + " "}, "next": {s.root + "/members?q=a"}})
	got.redirects(t, s.root+"/members?q=a")
	cookies := got.Cookies()
	if len(cookies) != 1 || cookies[0].Name != cookieName || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].MaxAge != 0 || !cookies[0].Expires.IsZero() || cookies[0].Path != "/" {
		t.Errorf("cookies: got %v, want %s, HttpOnly, SameSite=Lax and only until the browser is closed", cookies, cookieName)
	}
	if strings.Contains(got.Header.Get("Set-Cookie"), token) {
		t.Errorf("cookie: got %q, want no token", got.Header.Get("Set-Cookie"))
	}
	if got := b.get(t, s.root+"/members").shows(t, 200, "Members").hides(t, token); got.Header.Get("Set-Cookie") != "" {
		t.Errorf("Set-Cookie of a page: got %q, want none: a page must not store a session that a logout removes meanwhile", got.Header.Get("Set-Cookie"))
	}

	b.post(t, "/logout", nil).redirects(t, "/login")
	b.get(t, "/workspaces").redirects(t, "/login?next=%2Fworkspaces")
	if strings.Contains(s.log.String(), token) || strings.Contains(s.log.String(), "pat_wrong") {
		t.Errorf("log: got\n%s\nwant no tokens", s.log)
	}
}

// Over HTTPS a cookie is never sent in plain text, and other hosts cannot set it.
func TestSecureCookie(t *testing.T) {
	t.Parallel()
	cookie := newSessions(true).Cookie
	if !cookie.Secure || cookie.Name != "__Host-"+cookieName || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie: got %+v, want Secure and the prefix __Host-", cookie)
	}
}

// A session id from before a login is of no use after it.
func TestLoginRenewsTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	before := b.client.Jar.Cookies(u)[0].Value
	b.post(t, "/login", url.Values{"access_token": {s.token(t, s.Owner)}}).redirects(t, "/workspaces")
	if after := b.client.Jar.Cookies(u)[0].Value; after == before {
		t.Errorf("session id after another login: got that from before")
	}
	old := newBrowser(t, s.url)
	old.client.Jar.SetCookies(u, []*http.Cookie{{Name: cookieName, Value: before}})
	old.get(t, "/workspaces").redirects(t, "/login?next=%2Fworkspaces")
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/workspaces/1/members?q=a": "/workspaces/1/members?q=a",
		"":                          "/workspaces", "/login": "/workspaces", "//evil.example": "/workspaces", "https://evil.example/workspaces": "/workspaces",
		"/\\evil.example": "/workspaces", "/workspaces\\..": "/workspaces", "javascript:alert(1)": "/workspaces", "/workspaces\n": "/workspaces", "%zz": "/workspaces",
	} {
		if got := localPath(path); got != want {
			t.Errorf("localPath(%q): got %q, want %q", path, got, want)
		}
	}
}

// A token that is revoked during a session leads to the login, and from there back.
func TestRevokedToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.owner(t)
	me, err := s.Owner.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := s.Service.AccessTokens(t.Context(), me.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Service.RevokeAccessToken(t.Context(), tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	login := "/login?expired=1&next=" + url.QueryEscape(s.root+"/billing")
	b.post(t, s.root+"/billing/plan", sentKey("plan-pro", "k", "plan", "pro")).redirects(t, login+"&unsent=1")
	b.get(t, login+"&unsent=1").shows(t, 200, "Your session is over", "Your form was not sent.", s.root+"/billing")
	b.get(t, login).hides(t, "Your form was not sent.")
	b.get(t, s.root+"/billing").redirects(t, "/login?next="+url.QueryEscape(s.root+"/billing"))
}

func TestLoginByAPIKey(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	b := s.as(t, s.NewKey(promptrails.ScopeMembersRead).Reveal())
	b.get(t, "/workspaces").shows(t, 200, "Workspace of the API key", s.root)
	b.get(t, s.root+"/members").shows(t, 200, "Members", "needs the scope api_keys:read", "needs the scope billing:read").hides(t, "Invite a member")
	b.get(t, s.root+"/credentials").shows(t, 403, "needs the scope credentials:read")

	b = s.as(t, s.NewKey(promptrails.ScopeAll).Reveal())
	b.get(t, "/workspaces").shows(t, 200, s.Workspace.Name).hides(t, "Create workspace")
	b.get(t, s.root+"/api-keys").shows(t, 200, "Create an API key")
}

// A link logs in one time, even if two people use it at the same time. To look at it does
// not use it.
func TestLoginLink(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	s.console.sample = &sample{people: []person{{"Owner", "owner@example.com", "About the owner", promptrails.NewSecret(s.token(t, s.Owner))}}}
	links := make(chan string, 3)
	s.console.links.announce = func(path string) { links <- path }
	s.console.links.renew()
	link := <-links

	newBrowser(t, s.url).get(t, link).shows(t, 200, "Who are you?", "About the owner")
	var used, refused atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			switch got := newBrowser(t, s.url).post(t, link, url.Values{"person": {"owner@example.com"}}); got.StatusCode {
			case http.StatusSeeOther:
				used.Add(1)
			case http.StatusNotFound:
				refused.Add(1)
			}
		})
	}
	group.Wait()
	if used.Load() != 1 || refused.Load() != 7 {
		t.Errorf("8 uses of a link: got %d logins and %d refusals, want 1 and 7", used.Load(), refused.Load())
	}
	next := <-links
	b := newBrowser(t, s.url)
	b.get(t, link).shows(t, 404, "This link cannot be used")
	b.get(t, link[:len(link)-1]).shows(t, 404, "This link cannot be used")
	b.post(t, next, url.Values{"person": {"owner@example.com"}}).redirects(t, "/workspaces")
	b.get(t, "/people").shows(t, 200, "Who are you?")
	b.post(t, "/people", url.Values{"person": {"owner@example.com"}}).redirects(t, "/workspaces")
	for _, path := range []string{link, next} {
		if secret := strings.TrimPrefix(path, loginPath); strings.Contains(s.log.String(), secret) {
			t.Errorf("log: got\n%s\nwant no secret of a link", s.log)
		}
	}
	s.owner(t).get(t, "/people").shows(t, 403, "Only a session of the sample data")
	s.owner(t).post(t, "/people", url.Values{"person": {"owner@example.com"}}).shows(t, 403)
}

// A console for a server has no links.
func TestNoLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanStarter)
	for _, secret := range []string{"x", strings.Repeat("A", 26), "%00"} {
		newBrowser(t, s.url).get(t, loginPath+secret).shows(t, 404)
		newBrowser(t, s.url).post(t, loginPath+secret, url.Values{"person": {"x"}}).shows(t, 404)
	}
}

// A note that many take at the same time is given to one.
func TestNotes(t *testing.T) {
	t.Parallel()
	c := newConsole(nil, slog.New(slog.DiscardHandler), false)
	ctx, err := c.sessions.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	c.flashes.put(ctx, "/a", flash{Message: "made"})
	if got := c.flashes.take(ctx, "/b"); got != nil {
		t.Errorf("take of another path: got %+v, want nil", got)
	}
	var taken atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if c.flashes.take(ctx, "/a") != nil {
				taken.Add(1)
			}
		})
	}
	group.Wait()
	if taken.Load() != 1 {
		t.Errorf("16 takes of a note: got it %d times, want 1", taken.Load())
	}
}

// After a login, each form that was sent without one leads to a page.
func TestReturnPath(t *testing.T) {
	t.Parallel()
	s := newSite(t, promptrails.PlanPro)
	b := s.owner(t)
	if _, err := s.Owner.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser}); err != nil {
		t.Fatal(err)
	}
	credential, err := s.Owner.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "Main", Type: "openai", Value: promptrails.NewSecret("sk-1")})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/workspaces", "/workspaces/new", s.root + "/credentials/" + credential.ID}
	for _, screen := range screens {
		paths = append(paths, strings.TrimSuffix(s.root+"/"+screen.Path, "/"))
	}
	forms := map[string]bool{}
	for _, path := range paths {
		for _, form := range regexp.MustCompile(`method="post" action="([^"#]+)`).FindAllStringSubmatch(b.get(t, path).body, -1) {
			forms[form[1]] = true
		}
	}
	delete(forms, "/logout")
	if len(forms) < 15 {
		t.Errorf("forms: got %v, want at least 15", forms)
	}
	for form := range forms {
		login, err := url.Parse(newBrowser(t, s.url).post(t, form, nil).Header.Get("Location"))
		if err != nil || login.Path != "/login" {
			t.Errorf("%s without a session: got location %v, error %v; want the login", form, login, err)
			continue
		}
		b.get(t, localPath(login.Query().Get("next"))).shows(t, 200)
	}
}
