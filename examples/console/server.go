package main

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	userAgent = "promptrails-console"
	maxBody   = 256 << 10 // of a form; a credential has at most 64 KiB, which a form may encode in three bytes each
)

//go:embed assets
var assets embed.FS

// console has the dependencies of all screens.
type console struct {
	connect  connectFunc
	sessions *scs.SessionManager
	flashes  notes[flash]    // by the escaped path of the page, so that another tab does not take one
	heads    notes[verified] // by the workspace
	pages    map[string]*template.Template
	log      *slog.Logger
	https    bool
	now      func() time.Time

	requestTime   time.Duration // of a page, with all its calls of the API
	maxExecutions int           // that the charts of a page read

	sample *sample // nil: a server that -url names
	links  *loginLinks
}

func newConsole(connect connectFunc, log *slog.Logger, https bool) *console {
	sessions := newSessions(https)
	return &console{
		connect: connect, sessions: sessions, pages: parsePages(), log: log, https: https, now: time.Now,
		flashes: newNotes[flash](sessions, 1000, 10*time.Minute), heads: newNotes[verified](sessions, 10_000, sessions.Lifetime),
		requestTime: 30 * time.Second, maxExecutions: 1000, links: &loginLinks{announce: func(string) {}},
	}
}

// useSample makes the console serve the sample data.
func (c *console) useSample(s *sample) {
	c.sample, c.connect = s, s.service.Client
}

func (c *console) server() *http.Server {
	return &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      c.requestTime + time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
}

// handler returns the routes, within the middleware of every response.
func (c *console) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", cached(http.FileServerFS(assets)))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/workspaces", http.StatusSeeOther) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { c.fail(w, r, nil, errNoPage) })

	c.routes(mux)

	refuse := http.NewCrossOriginProtection()
	refuse.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.fail(w, r, nil, errCrossOrigin) }))
	return c.secure(http.MaxBytesHandler(c.sessions.LoadAndSave(c.bounded(c.logged(refuse.Handler(mux)))), maxBody))
}

// router is [http.ServeMux], or a test that lists the routes.
type router interface {
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// routes registers the screens. A GET shows a page. A POST makes a change and then redirects
// to a page; if the change is refused, it shows the page of its form again.
func (c *console) routes(mux router) {
	mux.HandleFunc("GET /login", c.loginPage)
	mux.HandleFunc("POST /login", c.login)
	mux.HandleFunc("GET "+loginPath+"{secret}", c.linkPage)
	mux.HandleFunc("POST "+loginPath+"{secret}", c.linkLogin)
	mux.HandleFunc("POST /logout", c.logout)
	mux.HandleFunc("GET /people", c.peoplePage)
	mux.HandleFunc("POST /people", c.switchPerson)
	mux.HandleFunc("GET /chart.svg", c.chart)

	get := func(path string, p page) { mux.HandleFunc("GET "+path, c.show(p)) }
	post := func(path string, p page, a action) { mux.HandleFunc("POST "+path, c.change(p, a)) }

	get("/workspaces", c.workspaces)
	get("/workspaces/new", c.newWorkspace)
	post("/workspaces/new", c.newWorkspace, c.createWorkspace)
	post("/invitations/accept", c.workspaces, c.acceptInvitation)

	const w = "/workspaces/{workspace}"
	get(w, c.overview)
	get(w+"/settings", c.settings)
	post(w+"/settings", c.settings, c.renameWorkspace)
	post(w+"/settings/transfer", c.settings, c.transferWorkspace)
	post(w+"/settings/leave", c.settings, c.leaveWorkspace)
	post(w+"/settings/delete", c.settings, c.deleteWorkspace)

	get(w+"/members", c.members)
	post(w+"/members/{id}/role", c.members, c.changeRole)
	post(w+"/members/{id}/remove", c.members, c.removeMember)
	get(w+"/invitations", c.members) // after a login, if the form of an invitation led there
	post(w+"/invitations", c.members, c.invite)
	post(w+"/invitations/{id}/resend", c.members, c.resendInvitation)
	post(w+"/invitations/{id}/revoke", c.members, c.revokeInvitation)

	get(w+"/credentials", c.credentials)
	post(w+"/credentials", c.credentials, c.createCredential)
	get(w+"/credentials/{id}", c.credential)
	post(w+"/credentials/{id}", c.credential, c.updateCredential)
	post(w+"/credentials/{id}/default", c.credential, c.setDefaultCredential)
	post(w+"/credentials/{id}/check", c.credential, c.checkCredential)
	post(w+"/credentials/{id}/delete", c.credential, c.deleteCredential)

	get(w+"/api-keys", c.apiKeys)
	post(w+"/api-keys", c.apiKeys, c.createAPIKey)
	get(w+"/api-keys/{id}", c.apiKey)
	post(w+"/api-keys/{id}", c.apiKey, c.updateAPIKey)
	post(w+"/api-keys/{id}/rotate", c.apiKey, c.rotateAPIKey)
	post(w+"/api-keys/{id}/revoke", c.apiKey, c.revokeAPIKey)

	get(w+"/notifications", c.channels)
	post(w+"/notifications", c.channels, c.createChannel)
	get(w+"/notifications/{id}", c.channel)
	post(w+"/notifications/{id}", c.channel, c.updateChannel)
	post(w+"/notifications/{id}/test", c.channel, c.testChannel)
	post(w+"/notifications/{id}/rotate-secret", c.channel, c.rotateChannelSecret)
	post(w+"/notifications/{id}/delete", c.channel, c.deleteChannel)
	post(w+"/notifications/{id}/deliveries/{delivery}/redeliver", c.channel, c.redeliver)

	get(w+"/masking", c.masking)
	post(w+"/masking", c.masking, c.updateMasking)
	post(w+"/masking/agents", c.masking, c.setAgentMasking)
	post(w+"/masking/agents/{agent}/delete", c.masking, c.deleteAgentMasking)
	mux.HandleFunc("POST "+w+"/masking/preview", c.show(c.masking)) // changes nothing; a POST, because a text in a URL would be stored in logs

	get(w+"/changelog", c.changelog)
	post(w+"/changelog/verify", c.changelog, c.verifyChangelog)

	get(w+"/billing", c.billing)
	post(w+"/billing/plan", c.billing, c.changePlan)
	post(w+"/billing/top-up", c.billing, c.topUp)
	get(w+"/billing/invoices/{id}", c.invoice)
}

const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers of every response.
func (c *console) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the path of a login link is a secret
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if c.https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// bounded limits the time of a request. The client of the API repeats requests during an
// outage, and waits if the API limits their rate; it returns an error at once if that would
// take longer.
func (c *console) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), c.requestTime)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// cached lets a browser keep a file until the program is restarted with another one.
func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") { // no lists of files
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=300")
		next.ServeHTTP(w, r)
	})
}

// logged logs the route of each request. Paths and queries are not logged: they have
// secrets of login links, and names that people search for.
func (c *console) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start, status := time.Now(), &statusWriter{ResponseWriter: w}
		c.recovered(next).ServeHTTP(status, r)
		c.log.InfoContext(r.Context(), "request", "route", cmp.Or(r.Pattern, r.Method), "status", cmp.Or(status.code, http.StatusOK), "duration", time.Since(start))
	})
}

// recovered shows and logs a panic like another internal error. The log of the server is for
// debugging: it has the mistakes of clients.
func (c *console) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if reason := recover(); reason != nil {
				c.fail(w, r, nil, fmt.Errorf("panic: %v\n%s", reason, debug.Stack()))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	w.code = cmp.Or(w.code, code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// write writes a page. It executes the template first, so that an error in it does not send
// half of a page.
func (c *console) write(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var body bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&body, "layout", data); err != nil {
		c.log.ErrorContext(r.Context(), "template", "name", name, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
