package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
)

// serverVariable is the environment variable of the server's process, with the
// numbers of entries and credentials.
const serverVariable = "COMPARE_SERVER"

// Paths under slowPath are served after a latency.
const (
	slowPath = "/slow"
	latency  = 5 * time.Millisecond
)

// startServer starts this program as the server, and returns its URL.
func startServer(ctx context.Context, o *options) (server *process.Process, url string, err error) {
	cmd, err := process.Own(ctx, fmt.Sprintf("%s=%d,%d", serverVariable, o.entries, o.credentials))
	if err != nil {
		return nil, "", err
	}
	server, err = process.Start(cmd, &url)
	return server, url, err
}

// serve is the server's process.
func serve(ctx context.Context, sizes string) error {
	var entries, credentials int
	if _, err := fmt.Sscanf(sizes, "%d,%d", &entries, &credentials); err != nil {
		return fmt.Errorf("%s: %w", serverVariable, err)
	}
	handler, err := newHandler(entries, credentials)
	if err != nil {
		return err
	}
	return process.Serve(ctx, handler, func(address string) any { return "http://" + address })
}

// newHandler serves the documents of all clients.
func newHandler(entries, credentials int) (http.Handler, error) {
	chain, err := documents.Chain(entries)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, credentials)
	for i := range keys {
		keys[i] = documents.Credential(i)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/changelog", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		from, to := number(query.Get("sequence_from"), 1), number(query.Get("sequence_to"), len(chain))
		write(w, documents.Changelog(chain[:min(to, len(chain))], max(from-1, number(query.Get("after"), 0)), number(query.Get("limit"), 20)))
	})
	mux.HandleFunc("GET /api/v1/credentials", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		write(w, documents.Credentials(keys, number(query.Get("page"), 1), number(query.Get("limit"), 20)))
	})
	mux.HandleFunc("GET "+credentialPath, func(w http.ResponseWriter, _ *http.Request) { write(w, documents.One(keys[1])) })
	mux.HandleFunc("GET /api/v2/ping", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }) // go-tfe
	for _, p := range peers {
		for _, d := range []document{p.one, p.many} {
			if d.value == nil {
				continue // a document of the API
			}
			body, err := json.Marshal(d.value)
			if err != nil {
				return nil, err
			}
			path, _, _ := strings.Cut(d.target, "?")
			mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { write(w, body) })
		}
	}
	mux.Handle(slowPath+"/", http.StripPrefix(slowPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		mux.ServeHTTP(w, r)
	})))
	return mux, nil
}

// number returns the number of a parameter, or the default.
func number(parameter string, otherwise int) int {
	if n, err := strconv.Atoi(parameter); err == nil {
		return n
	}
	return otherwise
}

func write(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // JSON of constants; the client reports an error
}
