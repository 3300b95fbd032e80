package main

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/swaggest/swgui/v5emb"
)

const docsPath = "/docs/"

// newHandler returns the handler of the program: the API of the service, its interactive
// documentation, an overview, and the metrics unless they are nil.
func newHandler(service, metrics http.Handler) http.Handler {
	pages := http.NewServeMux()
	if metrics != nil {
		pages.Handle("GET "+metricsPath, metrics)
	}
	pages.HandleFunc("GET /{$}", overview)
	pages.Handle("GET "+docsPath, local(v5emb.New("PromptRails workspaces", "/openapi.json", docsPath)))
	pages.Handle("/", service)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A ServeMux would redirect a path of the API that is not clean.
		if strings.HasPrefix(r.URL.Path, "/api/") {
			service.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// local allows a page to load only from this server, and to be in no frame of another.
func local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// places are the paths in the overview.
var places = []struct{ Path, About string }{
	{docsPath, "the interactive documentation of the API"},
	{"/openapi.json", "its description, in OpenAPI 3.1"},
	{"/api/v1", "the API"},
	{"/healthz", "200 if the process responds"},
	{"/readyz", "200 if the database can be used"},
	{metricsPath, "metrics for Prometheus, unless they have an address of their own"},
}

var overviewPage = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>PromptRails workspaces</title>
<style>body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>PromptRails workspaces</h1>
<p>This is the workspace service of promptrails-go.</p>
<ul>
{{range .}}<li>{{if ne .Path "/api/v1"}}<a href="{{.Path}}">{{.Path}}</a>{{else}}{{.Path}}{{end}}: {{.About}}</li>
{{end}}</ul>
</html>
`))

// overview lists the places, in HTML for a browser and in text for other clients.
func overview(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = overviewPage.Execute(w, places)
		})).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, "The workspace service of promptrails-go.")
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, place := range places {
		_, _ = fmt.Fprintf(columns, "%s\t%s\n", place.Path, place.About)
	}
	_ = columns.Flush()
}
