package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// A retried DELETE succeeds only if the API itself says that its object is gone,
// after an attempt that may have removed it.
func TestRetriedDelete(t *testing.T) {
	t.Parallel()
	api := func(status int, code, message, details string) http.HandlerFunc {
		return statusOf(status, fmt.Sprintf(`{"error":{"code":%q,"message":%q%s}}`, code, message, details))
	}
	remove := func(ctx context.Context, c *promptrails.Client) error { return c.Members.Remove(ctx, "m", nil) }
	revoke := func(ctx context.Context, c *promptrails.Client) error { return c.APIKeys.Revoke(ctx, "k") }
	for name, c := range map[string]struct {
		call   func(context.Context, *promptrails.Client) error
		second http.HandlerFunc
		done   bool
	}{
		"the API says so":               {remove, api(404, "not_found", "member not found", ""), true},
		"the API says so, without text": {remove, api(404, "not_found", "", ""), true},
		"about the workspace":           {remove, api(404, "not_found", "workspace not found", ""), false},
		"about the route":               {remove, api(404, "not_found", "no such route", ""), false},
		"another code":                  {remove, api(404, "not_served", "member not found", ""), false},
		"a router":                      {remove, statusOf(404, `{"message":"Not Found"}`), false},
		"an ingress":                    {remove, status(404, "default backend - 404", "Content-Type", "text/html"), false},
		"a router, in the API's form":   {remove, statusOf(404, `{"error":"member not found"}`), false},
		"the API refuses the caller":    {remove, api(401, "unauthorized", "expired", ""), false},
		"HTML with 200":                 {remove, status(200, "<html>", "Content-Type", "text/html"), false},
		"200 and nothing":               {remove, status(200, ""), false},
		"an error with 200":             {remove, statusOf(200, `{"error":"nope"}`), false},
		"204":                           {remove, status(204, ""), true},
		"200 and JSON":                  {remove, statusOf(200, `{"message":"deleted"}`), true},
		"revoked already":               {revoke, api(409, "invalid_state", "the key is revoked", `,"details":{"status":"revoked"}`), true},
		"expired already":               {revoke, api(409, "invalid_state", "the key is expired", `,"details":{"status":"expired"}`), false},
		"not revoked but removed":       {remove, api(409, "invalid_state", "the key is revoked", `,"details":{"status":"revoked"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &answers{script: []http.HandlerFunc{status(503, ""), c.second}}
			err := c.call(t.Context(), clientOver(t, a))
			if (err == nil) != c.done || err != nil && !strings.Contains(err.Error(), "the outcome is not known: read the object") {
				t.Errorf("got %v, want done: %t, or an outcome that is not known", err, c.done)
			}
			a = &answers{script: []http.HandlerFunc{c.second}}
			if err := c.call(t.Context(), clientOver(t, a)); err == nil && a.seen != nil && c.second != nil && !strings.HasPrefix(name, "20") {
				t.Errorf("a first attempt was refused, and reported as done")
			}
		})
	}
	// A server that repeats its responses would have repeated the 204.
	a := &answers{script: []http.HandlerFunc{status(503, ""), api(404, "not_found", "member not found", "")}}
	if err := remove(t.Context(), clientOver(t, a, promptrails.WithIdempotentServer())); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("a server that honours the key: got %v, want ErrNotFound", err)
	}
}

func statusOf(code int, body string) http.HandlerFunc { return status(code, body) }

// A 412 on a retry may be the echo of this call's own change.
func TestRetriedChangeWithIfMatch(t *testing.T) {
	t.Parallel()
	conflict := status(412, `{"error":{"code":"precondition_failed","message":"the version is 2"}}`)
	a := &answers{script: []http.HandlerFunc{status(503, ""), conflict}}
	_, err := clientOver(t, a).Masking.SetOverride(t.Context(), "a", &promptrails.SetMaskingOverrideParams{}, promptrails.WithIfMatch(1))
	if !errors.Is(err, promptrails.ErrPreconditionFailed) || !strings.Contains(err.Error(), "may be this call's own change") {
		t.Errorf("on a retry: got %v, want ErrPreconditionFailed that names the call's own change", err)
	}
	a = &answers{script: []http.HandlerFunc{conflict}}
	_, err = clientOver(t, a).Masking.SetOverride(t.Context(), "a", &promptrails.SetMaskingOverrideParams{}, promptrails.WithIfMatch(1))
	if !errors.Is(err, promptrails.ErrPreconditionFailed) || strings.Contains(err.Error(), "outcome") || strings.Contains(err.Error(), "own change") {
		t.Errorf("at once: got %v, want a plain ErrPreconditionFailed", err)
	}
}

// The connection dies under a retry whose token source then fails: the first
// attempt may still have been done.
func TestSourceThatFailsOnARetry(t *testing.T) {
	t.Parallel()
	url, _ := listen(t, hangUp, func(net.Conn) {})
	asked := 0
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithBaseURL(url), promptrails.WithWorkspace("w"), promptrails.WithHTTPClient(&http.Client{Transport: transport}),
		promptrails.WithAccessTokenSource(func(context.Context) (promptrails.Secret, error) {
			if asked++; asked > 1 {
				return promptrails.Secret{}, errors.New("the vault is sealed")
			}
			return promptrails.NewSecret(token), nil
		})))
	err := c.Members.Remove(t.Context(), "m", nil)
	if !errors.Is(err, promptrails.ErrUnavailable) || !strings.Contains(err.Error(), "the vault is sealed") || !strings.Contains(err.Error(), "outcome is not known") {
		t.Errorf("got %v, want the source's error, and an outcome that is not known", err)
	}
}
