// Package apicheck checks the HTTP exchanges of tests against the OpenAPI
// description of the API.
package apicheck

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/promptrails-community/promptrails-go/internal/api"
)

// Document returns the OpenAPI description of the API. It returns an error if the
// description is invalid.
var Document = sync.OnceValues(func() (*openapi3.T, error) {
	document, err := openapi3.NewLoader().LoadFromData(api.Description)
	if err != nil {
		return nil, err
	}
	return document, document.Validate(context.Background())
})

var router = sync.OnceValues(func() (routers.Router, error) {
	document, err := Document()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(document)
})

// Handler returns a handler that passes requests to next. It fails the test if a
// response does not match the description, or if a successful request does not.
func Handler(tb testing.TB, next http.Handler) http.Handler {
	tb.Helper()
	find, err := router()
	if err != nil {
		tb.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // let the service handle the read error
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
			next.ServeHTTP(w, r)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		seen := httptest.NewRecorder()
		next.ServeHTTP(seen, r)
		check(tb, find, r, body, seen)
		maps.Copy(w.Header(), seen.Header())
		w.WriteHeader(seen.Code)
		_, _ = w.Write(seen.Body.Bytes())
	})
}

// check checks an exchange.
func check(tb testing.TB, find routers.Router, r *http.Request, body []byte, seen *httptest.ResponseRecorder) {
	tb.Helper()
	if !strings.HasPrefix(r.URL.Path, api.Prefix+"/") || r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		return
	}
	route, params, err := find.FindRoute(r)
	if err != nil {
		if seen.Code != http.StatusNotFound && seen.Code != http.StatusMethodNotAllowed && seen.Code != http.StatusBadRequest {
			tb.Errorf("%s %s: got status %d for a route that is not described, want 404, 405 or 400", r.Method, r.URL.Path, seen.Code)
		}
		return
	}
	ctx := context.WithoutCancel(r.Context())
	request := r.Clone(ctx)
	request.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request: request, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if seen.Code < 300 {
		if err := openapi3filter.ValidateRequest(ctx, input); err != nil {
			tb.Errorf("%s %s: request succeeded but does not match the description: %v", r.Method, r.URL, err)
		}
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: seen.Code, Header: seen.Header(), Options: input.Options,
	}
	response.SetBodyBytes(seen.Body.Bytes())
	if err := openapi3filter.ValidateResponse(ctx, response); err != nil {
		tb.Errorf("%s %s: response with status %d does not match the description: %v", r.Method, r.URL, seen.Code, err)
	}
}
