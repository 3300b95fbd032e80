package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// visit is a request of someone who has logged in. Its exported fields and methods are for
// the layout, which shows them on each page.
type visit struct {
	*http.Request
	w      http.ResponseWriter
	c      *console
	client *promptrails.Client // in the workspace of the path, if it has one
	status int
	failed *form // the form that was refused, or nil

	access
	Name, Email string
	Sample      bool
	Workspaces  []*promptrails.Workspace // of the switcher: the first hundred
	Workspace   *promptrails.Workspace   // of the path, or nil
}

// page shows a page, and action makes a change. An action returns the page to show next.
type (
	page   func(*visit) error
	action func(*visit) (*next, error)
)

// next is the page that follows a change.
type next struct {
	path  string
	flash flash
}

// then returns the page at path, with a message.
func then(path, message string) *next { return &next{path, flash{Message: message}} }

// show returns the handler of a page.
func (c *console) show(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := c.visit(w, r)
		if err == nil {
			err = p(v)
		}
		if err != nil {
			c.fail(w, r, v, err)
		}
	}
}

// change returns the handler of an action. If the action is refused, the page p shows the
// form again, with the values that were entered and the reason.
func (c *console) change(p page, a action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := c.visit(w, r)
		if err != nil {
			c.fail(w, r, v, err)
			return
		}
		n, err := a(v)
		if err == nil {
			c.flashes.put(r.Context(), n.path, n.flash)
			http.Redirect(w, r, n.path, http.StatusSeeOther)
			return
		}
		problem := c.explain(r, err)
		if problem.Status != http.StatusUnauthorized {
			v.status, v.failed = problem.Status, refused(r, problem)
			err = p(v)
		}
		if err != nil {
			c.fail(w, r, v, err)
		}
	}
}

var errLoggedOut = errors.New("not logged in")

// visit reads the form and finds the person and the workspace of a request.
func (c *console) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	client, ok := c.client(r.Context())
	if !ok {
		return nil, errLoggedOut
	}
	if err := parseForm(r); err != nil {
		return nil, err
	}
	v := &visit{Request: r, w: w, c: c, client: client, status: http.StatusOK}
	v.Name, v.Email = c.sessions.GetString(r.Context(), sessionName), c.sessions.GetString(r.Context(), sessionEmail)
	v.Sample = c.sessions.GetBool(r.Context(), sessionSample)
	if err := v.readAccess(r.Context(), isAPIKey(c.sessions.GetString(r.Context(), sessionToken))); err != nil {
		return nil, err
	}
	if id := r.PathValue("workspace"); id != "" {
		return v, v.enter(r.Context(), id)
	}
	return v, nil
}

// readAccess reads the workspaces of the person, or the scopes of the API key.
func (v *visit) readAccess(ctx context.Context, key bool) error {
	if key {
		current, err := v.client.APIKeys.Current(ctx)
		if err != nil {
			return err
		}
		v.key, v.scopes = true, current.Scopes
		if !v.scopes.Covers(promptrails.ScopeWorkspacesRead) {
			v.Workspaces = []*promptrails.Workspace{{ID: current.WorkspaceID, Name: "Workspace of the API key"}}
			return nil
		}
	}
	list, err := v.client.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{ListOptions: promptrails.ListOptions{Limit: 100}})
	if err != nil {
		return err
	}
	v.Workspaces = list.Items
	return nil
}

// enter selects the workspace of the path.
func (v *visit) enter(ctx context.Context, id string) (err error) {
	for _, w := range v.Workspaces {
		if w.ID == id {
			v.Workspace = w
		}
	}
	if v.Workspace == nil {
		if v.Workspace, err = v.client.Workspaces.Get(ctx, id); err != nil {
			return err
		}
	}
	v.role, v.client = v.Workspace.Role, v.client.InWorkspace(v.Workspace.ID)
	return nil
}

// path returns a path in the workspace of the visit. Without parts it is its overview.
func (v *visit) path(parts ...string) string {
	var path strings.Builder
	path.WriteString("/workspaces/" + url.PathEscape(v.Workspace.ID))
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

// Path is path for templates.
func (v *visit) Path(parts ...string) string { return v.path(parts...) }

// Root returns the path of the screen with a name, in another workspace.
func (v *visit) Root(workspace, screen string) string {
	return strings.TrimSuffix("/workspaces/"+url.PathEscape(workspace)+"/"+screen, "/")
}

// once returns the option that makes a change one time, however often its form is sent.
func (v *visit) once() promptrails.RequestOption {
	if key := v.PostFormValue(keyField); key != "" {
		return promptrails.WithIdempotencyKey(key)
	}
	return nil
}

// shown is the data of the layout. View is that of the screen.
type shown struct {
	*visit
	Title  string
	Screen string // the last part of the path, of the navigation
	Flash  *flash
	View   any
}

// partOf has the screen of each template that is a part of one.
var partOf = map[string]string{
	"overview": "", "credential": "credentials", "api-key": "api-keys", "channels": "notifications", "channel": "notifications", "invoice": "billing",
}

// render writes a page: the template with a name, within the layout.
func (v *visit) render(name, title string, view any) error {
	screen, ok := partOf[name]
	if !ok {
		screen = name
	}
	var message *flash
	if v.Method == http.MethodGet { // a HEAD shows nothing
		message = v.c.flashes.take(v.Context(), v.URL.EscapedPath())
	}
	v.c.write(v.w, v.Request, v.status, name, &shown{v, title, screen, message, view})
	return nil
}

// SwitchTo returns the path of the same screen in another workspace, or of its overview if the
// person cannot see that screen there.
func (s *shown) SwitchTo(w *promptrails.Workspace) string {
	there := access{role: w.Role, key: s.key, scopes: s.scopes}
	for _, screen := range screens {
		if screen.Path == s.Screen && (screen.Members || there.May(screen.Scope)) {
			return s.Root(w.ID, screen.Path)
		}
	}
	return s.Root(w.ID, "")
}

// access is the permissions of a person in a workspace, or of an API key. Screens use it to
// show only the changes that are possible; the server decides.
type access struct {
	role   promptrails.Role
	key    bool
	scopes promptrails.Scopes // of an API key
}

// May reports whether the admin role, or the scope of an API key, is granted.
func (a access) May(scope promptrails.Scope) bool {
	if a.key {
		return a.scopes.Covers(scope)
	}
	return a.role == promptrails.RoleOwner || a.role == promptrails.RoleAdmin
}

// MayRead is May for objects that each member can read.
func (a access) MayRead(scope promptrails.Scope) bool { return !a.key || a.scopes.Covers(scope) }

func (a access) IsOwner() bool { return a.role == promptrails.RoleOwner }

func (a access) IsPerson() bool { return !a.key }

// screen is a part of the navigation of a workspace.
type screen struct {
	Path, Name string
	Scope      promptrails.Scope
	Members    bool // each member can read it
}

var screens = []screen{
	{"", "Overview", promptrails.ScopeBillingRead, true},
	{"members", "Members", promptrails.ScopeMembersRead, true},
	{"credentials", "Credentials", promptrails.ScopeCredentialsRead, true},
	{"api-keys", "API Keys", promptrails.ScopeAPIKeysRead, false},
	{"notifications", "Notifications", promptrails.ScopeNotificationsRead, false},
	{"masking", "Data Masking", promptrails.ScopeMaskingRead, false},
	{"changelog", "Changelog", promptrails.ScopeChangelogRead, false},
	{"billing", "Billing", promptrails.ScopeBillingRead, true},
	{"settings", "Settings", promptrails.ScopeWorkspacesRead, true},
}

// navigation is a link of the navigation, or the reason why there is no link.
type navigation struct {
	screen
	Href, Reason string
	Current      bool
}

// Navigation returns the screens of the workspace.
func (s *shown) Navigation() (all []navigation) {
	for _, screen := range screens {
		n := navigation{screen: screen, Href: s.Root(s.Workspace.ID, screen.Path), Current: screen.Path == s.Screen}
		switch {
		case screen.Members && !s.MayRead(screen.Scope), !screen.Members && s.key && !s.May(screen.Scope):
			n.Reason = "needs the scope " + string(screen.Scope)
		case !screen.Members && !s.May(screen.Scope):
			n.Reason = "for admins"
		}
		all = append(all, n)
	}
	return all
}
