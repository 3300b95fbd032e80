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

// A retried DELETE succeeds only if the API reports that the object no longer
// exists, after an attempt that may have deleted it.
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
		want   bool // success
	}{
		"the API, not found":          {remove, api(404, "not_found", "member not found", ""), true},
		"the API, without a message":  {remove, api(404, "not_found", "", ""), true},
		"about the workspace":         {remove, api(404, "not_found", "workspace not found", ""), false},
		"about the route":             {remove, api(404, "not_found", "no such route", ""), false},
		"another code":                {remove, api(404, "not_served", "member not found", ""), false},
		"a router":                    {remove, statusOf(404, `{"message":"Not Found"}`), false},
		"an ingress":                  {remove, status(404, "default backend - 404", "Content-Type", "text/html"), false},
		"a router, in the API's form": {remove, statusOf(404, `{"error":"member not found"}`), false},
		"the API refuses the caller":  {remove, api(401, "unauthorized", "expired", ""), false},
		"HTML with 200":               {remove, status(200, "<html>", "Content-Type", "text/html"), false},
		"200 and no body":             {remove, status(200, ""), false},
		"an error with 200":           {remove, statusOf(200, `{"error":"nope"}`), false},
		"204":                         {remove, status(204, ""), true},
		"200 and JSON":                {remove, statusOf(200, `{"message":"deleted"}`), true},
		"already revoked":             {revoke, api(409, "invalid_state", "the key is revoked", `,"details":{"status":"revoked"}`), true},
		"already expired":             {revoke, api(409, "invalid_state", "the key is expired", `,"details":{"status":"expired"}`), false},
		"a removal, not a revocation": {remove, api(409, "invalid_state", "the key is revoked", `,"details":{"status":"revoked"}`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &scripted{script: []http.HandlerFunc{status(503, ""), c.second}}
			err := c.call(t.Context(), clientOver(t, a))
			if (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), "the outcome is not known: read the object") {
				t.Errorf("on a retry: got %v, want success (%t) or an error with an unknown outcome", err, c.want)
			}
			a = &scripted{script: []http.HandlerFunc{c.second}}
			if err := c.call(t.Context(), clientOver(t, a)); err == nil && a.seen != nil && c.second != nil && !strings.HasPrefix(name, "20") {
				t.Error("on the first attempt: got no error, want one")
			}
		})
	}
	// A server that honors Idempotency-Key would have replayed the 204.
	a := &scripted{script: []http.HandlerFunc{status(503, ""), api(404, "not_found", "member not found", "")}}
	if err := remove(t.Context(), clientOver(t, a, promptrails.WithIdempotentServer())); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("Members.Remove at an idempotent server: got %v, want ErrNotFound", err)
	}
}

// statusOf is status without headers.
func statusOf(code int, body string) http.HandlerFunc { return status(code, body) }

// A 412 on a retry may result from the first attempt's change.
func TestRetriedChangeWithIfMatch(t *testing.T) {
	t.Parallel()
	conflict := status(412, `{"error":{"code":"precondition_failed","message":"the version is 2"}}`)
	a := &scripted{script: []http.HandlerFunc{status(503, ""), conflict}}
	_, err := clientOver(t, a).Masking.SetOverride(t.Context(), "a", &promptrails.SetMaskingOverrideParams{}, promptrails.WithIfMatch(1))
	if !errors.Is(err, promptrails.ErrPreconditionFailed) || !strings.Contains(err.Error(), "may be this call's own change") {
		t.Errorf("Masking.SetOverride on a retry: got %v, want ErrPreconditionFailed that mentions this call's own change", err)
	}
	a = &scripted{script: []http.HandlerFunc{conflict}}
	_, err = clientOver(t, a).Masking.SetOverride(t.Context(), "a", &promptrails.SetMaskingOverrideParams{}, promptrails.WithIfMatch(1))
	if !errors.Is(err, promptrails.ErrPreconditionFailed) || strings.Contains(err.Error(), "outcome") || strings.Contains(err.Error(), "own change") {
		t.Errorf("Masking.SetOverride on the first attempt: got %v, want ErrPreconditionFailed with a known outcome", err)
	}
}

// If the token source fails before a retry, the outcome of the first attempt is
// still unknown.
func TestTokenSourceFailsOnRetry(t *testing.T) {
	t.Parallel()
	url, _ := listen(t, hangUp, func(net.Conn) {})
	calls := 0
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithBaseURL(url), promptrails.WithWorkspace("w"), promptrails.WithHTTPClient(&http.Client{Transport: transport}),
		promptrails.WithAccessTokenSource(func(context.Context) (promptrails.Secret, error) {
			if calls++; calls > 1 {
				return promptrails.Secret{}, errors.New("the vault is sealed")
			}
			return promptrails.NewSecret(token), nil
		})))
	err := c.Members.Remove(t.Context(), "m", nil)
	if !errors.Is(err, promptrails.ErrUnavailable) || !strings.Contains(err.Error(), "the vault is sealed") || !strings.Contains(err.Error(), "outcome is not known") {
		t.Errorf("Members.Remove: got %v, want ErrUnavailable with the source's error and an unknown outcome", err)
	}
}
