package main

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// loginView is the data of the login page.
type loginView struct {
	Form    *form
	Next    string
	Expired bool
	Unsent  bool // a form led here, and was not sent
	Sample  bool // there are links that log in
}

// loginPage asks for an access token or an API key.
func (c *console) loginPage(w http.ResponseWriter, r *http.Request) {
	c.writeLogin(w, r, http.StatusOK, &form{ID: "login"}, localPath(r.URL.Query().Get("next")))
}

func (c *console) writeLogin(w http.ResponseWriter, r *http.Request, status int, f *form, next string) {
	view := &loginView{Form: f, Next: next, Expired: r.URL.Query().Has("expired"), Unsent: r.URL.Query().Has("unsent"), Sample: c.sample != nil}
	v := &visit{Request: r, w: w, c: c}
	if f.Problem != nil {
		v.failed = f
	}
	c.write(w, r, status, "login", &shown{visit: v, Title: "Log in", View: view})
}

func (c *console) login(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	next := localPath(r.PostFormValue("next"))
	err := c.logIn(r.Context(), strings.TrimSpace(r.PostFormValue("access_token")), false)
	if err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther) //nolint:gosec // localPath returns a path of this console
		return
	}
	p := c.explain(r, err)
	if errors.Is(err, promptrails.ErrUnauthorized) || errors.Is(err, promptrails.ErrValidation) {
		p.Status, p.Title, p.Message, p.Help = http.StatusUnprocessableEntity, "Not logged in", "Enter the token or key again.", ""
		p.Fields = map[string]string{"access_token": "is not a valid access token or API key"}
	}
	c.writeLogin(w, r, p.Status, &form{ID: "login", Problem: p}, next)
}

// localPath returns a path of this console to go to after a login. It may come from a link
// of another site, and must not lead there.
func localPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/workspaces") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/workspaces"
	}
	return path
}

func (c *console) logout(w http.ResponseWriter, r *http.Request) {
	if err := c.sessions.Destroy(r.Context()); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// peopleView is the data of the page that offers the sample people.
type peopleView struct {
	People []person
	Action string // where the form is sent
}

// linkPage shows the people of the sample data to the holder of a link. The link is used by
// the form, so that a program that looks at links does not use it.
func (c *console) linkPage(w http.ResponseWriter, r *http.Request) {
	if !c.links.valid(r.PathValue("secret")) {
		c.usedLink(w, r)
		return
	}
	c.writePeople(w, r, &visit{Request: r, w: w, c: c}, r.URL.Path)
}

func (c *console) usedLink(w http.ResponseWriter, r *http.Request) {
	p := &problem{Status: http.StatusNotFound, Title: "This link cannot be used", Message: "It has been used, or is not complete.", Help: "The terminal in which the console runs shows a new link."}
	c.write(w, r, p.Status, "failure", &shown{visit: &visit{Request: r, w: w, c: c}, Title: p.Title, View: &failure{p, "/workspaces", "All workspaces"}})
}

func (c *console) writePeople(w http.ResponseWriter, r *http.Request, v *visit, action string) {
	c.write(w, r, http.StatusOK, "people", &shown{visit: v, Title: "Who are you?", View: &peopleView{c.sample.people, action}})
}

// linkLogin uses a link: it logs in as the person of the form.
func (c *console) linkLogin(w http.ResponseWriter, r *http.Request) {
	if !c.links.use(r.PathValue("secret")) {
		c.usedLink(w, r)
		return
	}
	c.becomePerson(w, r)
}

// becomePerson logs in as a person of the sample data.
func (c *console) becomePerson(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	for _, p := range c.sample.people {
		if p.Email != r.PostFormValue("person") {
			continue
		}
		if err := c.logIn(r.Context(), p.token.Reveal(), true); err != nil {
			c.fail(w, r, nil, err)
			return
		}
		http.Redirect(w, r, "/workspaces", http.StatusSeeOther)
		return
	}
	c.fail(w, r, nil, errNoPage)
}

// peoplePage lets someone who has used a link become another person of the sample data.
func (c *console) peoplePage(w http.ResponseWriter, r *http.Request) {
	v, err := c.visit(w, r)
	if err == nil && !v.Sample {
		err = errNotSample
	}
	if err != nil {
		c.fail(w, r, v, err)
		return
	}
	c.writePeople(w, r, v, "/people")
}

func (c *console) switchPerson(w http.ResponseWriter, r *http.Request) {
	if !c.sessions.GetBool(r.Context(), sessionSample) {
		c.fail(w, r, nil, errNotSample)
		return
	}
	c.becomePerson(w, r)
}
