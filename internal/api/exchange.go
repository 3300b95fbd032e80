package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// exchange is one request with the outcome of its response. It is the writer of the
// response.
type exchange struct {
	http.ResponseWriter
	started   time.Time
	route     string          // the path template, or "" without a route
	principal string          // the type and the id of the caller, or "" if it is not authenticated
	workspace string          // the id, or "" if the caller was not admitted to one
	refusal   *policy.Refusal // the response, or nil if it is not an error
	status    int
	bytes     int64 // of the body
}

// ServeHTTP limits the time of a request, serves it, and reports it to the log and the
// telemetry.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, started: time.Now()}
	client, span := a.Telemetry.StartRequest(r.Context(), r)
	if span != nil {
		r = r.WithContext(client)
	}
	if a.RequestTime > 0 {
		ctx, cancel := context.WithTimeout(client, a.RequestTime)
		defer cancel()
		r = r.WithContext(ctx)
	}
	defer func() { span.End(x.outcome(client)) }() // also if the writer or the logger panics
	a.handler.ServeHTTP(x, r)
	x.end(r)
	a.log(client, x, r)
}

// end completes the outcome, after the response was written.
func (x *exchange) end(r *http.Request) {
	if x.status == 0 {
		x.status = http.StatusOK // as net/http sends
	}
	if _, path, found := strings.Cut(r.Pattern, " "); found { // set by the mux
		x.route = path
	}
}

// outcome describes the response for the telemetry. If the client is gone, no limit has
// refused the request.
func (x *exchange) outcome(client context.Context) telemetry.Response {
	o := telemetry.Response{
		Route: x.route, Status: x.status, Duration: time.Since(x.started), RequestID: x.Header().Get("X-Request-ID"), Principal: x.principal, Workspace: x.workspace,
	}
	if x.refusal != nil {
		o.Code = x.refusal.Code
	}
	if x.refusal != nil && client.Err() == nil {
		o.Limit = x.refusal.Limit
	}
	return o
}

// log writes the line of a request. It has no part of the URL that the client chose.
func (a *api) log(client context.Context, x *exchange, r *http.Request) {
	if !a.Logger.Enabled(client, slog.LevelInfo) {
		return
	}
	line := []slog.Attr{
		slog.String("method", fmt.Sprintf("%.16s", r.Method)),
		slog.String("route", x.route),
		slog.Int("status", x.status),
		slog.Duration("duration", time.Since(x.started)),
		slog.Int64("bytes", x.bytes),
		slog.String("request_id", x.Header().Get("X-Request-ID")),
		slog.String("principal", x.principal),
	}
	if client.Err() != nil { // net/http also cancels it if a write fails
		line = append(line, slog.Bool("disconnected", true))
	}
	a.Logger.LogAttrs(client, slog.LevelInfo, "promptrails: request", line...)
}

// exchangeOf returns the exchange that a response is written to.
func exchangeOf(w http.ResponseWriter) *exchange {
	if x, ok := w.(*exchange); ok {
		return x
	}
	return &exchange{ResponseWriter: w, started: time.Now()} // of a handler between
}

// WriteHeader implements [http.ResponseWriter].
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.bytes += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
