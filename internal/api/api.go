// Package api implements the HTTP layer of the workspace service. It decodes
// requests, calls package service and encodes the responses.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// Prefix is the path prefix of the API. The health routes and the OpenAPI
// document are outside of it.
const Prefix = "/api/v1"

// Config configures the API.
type Config struct {
	Service        *service.Service
	Logger         *slog.Logger
	TrustedProxies []netip.Prefix
	CORSOrigins    []policy.Origin      // empty: all
	RequestTime    time.Duration        // maximum time of a request; 0: no limit
	ResponseBytes  int64                // maximum total size of large bodies in memory; 0: no limit
	Telemetry      *telemetry.Telemetry // of requests; may be nil
}

// New returns the handler of the API.
func New(cfg Config) http.Handler {
	a := &api{Config: cfg, mux: http.NewServeMux(), room: newRoom(cfg.ResponseBytes)}
	a.handler = withCORS(cfg.CORSOrigins, http.HandlerFunc(a.respond))
	for _, r := range routes() {
		a.mux.Handle(r.method+" "+Prefix+r.path, a.serve(r))
	}
	a.mux.HandleFunc("/", a.unrouted)
	a.mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	a.mux.HandleFunc("GET /readyz", a.ready)
	a.mux.HandleFunc("GET /openapi.json", describe)
	return a
}

type api struct {
	Config
	mux     *http.ServeMux
	handler http.Handler // respond, with CORS
	room    *room
}

// respond sets the headers of every response, including the request id, and
// converts panics to error responses.
func (a *api) respond(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-ID")
	if !policy.VisibleASCII(id) || len(id) > maxRequestID {
		id = a.Service.NewID()
		r.Header.Set("X-Request-ID", id)
	}
	h := w.Header()
	h.Set("X-Request-ID", id)
	h.Set("Idempotency-Key-Honored", "true")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	defer func() {
		if fault := recover(); fault != nil {
			a.fail(w, r, fmt.Errorf("panic: %v\n%s", fault, debug.Stack()))
		}
	}()
	if err := a.Service.Begin(isProbe(r)); err != nil {
		a.fail(w, r, err)
		return
	}
	defer a.Service.End()
	if !isClean(r.URL.Path) {
		a.fail(w, r, service.NoRoute())
		return
	}
	a.mux.ServeHTTP(w, r)
}

// isProbe reports whether a request only checks the health of the service.
func isProbe(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

// isClean reports whether a path is canonical. [http.ServeMux] would redirect
// other paths.
func isClean(p string) bool {
	return strings.HasPrefix(p, "/") && (path.Clean(p) == p || path.Clean(p)+"/" == p) && !strings.ContainsRune(p, 0)
}

// unrouted handles the requests that match no route.
func (a *api) unrouted(w http.ResponseWriter, r *http.Request) {
	if isNotServed(r) {
		a.fail(w, r, service.NotServed())
		return
	}
	allowed := a.allowedMethods(r)
	if allowed == "" {
		a.fail(w, r, service.NoRoute())
		return
	}
	w.Header().Set("Allow", allowed)
	a.fail(w, r, service.NoMethod())
}

// allowedMethods returns the methods that the request's path supports, as the
// value of an Allow header.
func (a *api) allowedMethods(r *http.Request) string {
	var allowed []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		other := *r
		other.Method = method
		if _, pattern := a.mux.Handler(&other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	return strings.Join(allowed, ", ")
}

func (a *api) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.Service.Ready(r.Context()); err != nil {
		a.fail(w, r, service.Unavailable(err))
	}
}

// serve returns the handler of a route.
func (a *api) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{api: a, w: w, r: r, route: rt, place: place{room: a.room}}
		defer c.place.leave()
		response, err := c.run() //nolint:contextcheck // it has the context of the request
		if err != nil {
			a.fail(w, r, err)
			return
		}
		writeResponse(w, r, response)
	})
}

// fail writes an error response. It logs the cause, which the response does not
// reveal.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	refusal := service.AsRefusal(err)
	exchangeOf(w).refusal = refusal
	if cause := refusal.Cause; cause != nil && !errors.Is(r.Context().Err(), context.Canceled) {
		a.Logger.ErrorContext(r.Context(), "promptrails: request failed",
			"method", r.Method, "code", refusal.Code, "request_id", r.Header.Get("X-Request-ID"), "error", cause)
	}
	writeRefusal(w, refusal)
}
