package promptrails_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// For any response, the client returns a value or an error, and the error's text
// is a single line of valid UTF-8.
func FuzzResponse(f *testing.F) {
	for _, body := range []string{someUser, `{"error":{"code":"not_found","message":"m","details":{}}}`, `{"error":"x"}`, `{"error":[1]}`, `{"message":"m"}`, "<html>", "", `{"data":[{}]}`, `{"data":null}`} {
		f.Add(200, []byte(body))
		f.Add(404, []byte(body))
		f.Add(402, []byte(body))
	}
	f.Add(402, []byte(`{"error":{"code":"quota_exceeded","details":{"limit":"a\u0007\n"}}}`))
	f.Add(400, []byte(`{"error":{"code":"validation_error","details":{"fields":{"a\u001b[2J":"\u0000"}}}}`))
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		if code < 200 || code > 599 {
			code = 200 + (code%400+400)%400
		}
		c := clientOver(t, &scripted{script: []http.HandlerFunc{status(code, string(body))}}, promptrails.WithMaxRetries(0))
		user, err := c.Me(t.Context())
		if (user == nil) == (err == nil) {
			t.Errorf("Me: got %+v, %v; want either a user or an error", user, err)
		}
		if err == nil {
			return
		}
		for _, r := range err.Error() {
			if r < ' ' || r == 0x7f {
				t.Errorf("Me: got error %q, want no control characters", err.Error())
			}
		}
		if !utf8.ValidString(err.Error()) {
			t.Errorf("Me: got error %q, want valid UTF-8", err.Error())
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, header := range []string{"0", "1", "60", "61", "-1", "1e3", "99999999999999999999", "Fri, 02 Jan 2026 03:04:05 GMT", "\x00"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		synctest.Test(t, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{status(429, "", "Retry-After", header), status(200, someUser)}}
			started := time.Now()
			_, _ = clientOver(t, a).Me(context.Background())
			if waited := time.Since(started); waited > time.Minute+5*time.Second {
				t.Errorf("Me with Retry-After %q: took %s, want at most 65s", header, waited)
			}
		})
	})
}

// For any headers with an unknown key, the middleware rejects the request with an
// error envelope that does not contain the key.
func FuzzMiddleware(f *testing.F) {
	for _, header := range []string{"", "pr_live_x", "Bearer pr_live_x", "bearer  pr_x", "Basic YTpi", "Bearer", "pr_\x00", "https://a.example.com", "null"} {
		f.Add(header, header, header, header)
	}
	rejectAll := verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		return nil, promptrails.ErrUnauthorized
	})
	auth, err := promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(rejectAll), promptrails.WithAuthUnknownKeyRate(1e9, 1e9))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key, authorization, origin, forwarded string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for name, value := range map[string]string{"X-API-Key": key, "Authorization": authorization, "Origin": origin, "X-Forwarded-For": forwarded} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		auth.Middleware(promptrails.ScopeAgentsRead)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("handler was called with an unknown key") })).ServeHTTP(w, r)
		var envelope struct {
			Error struct {
				Code, Message string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &envelope); err != nil || envelope.Error.Code == "" || envelope.Error.Message == "" {
			t.Errorf("body: got %s, %v; want an error envelope with a code and a message", w.Body, err)
		}
		if w.Code != 400 && w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || len(key) > 40 && strings.Contains(w.Body.String(), key) {
			t.Errorf("Middleware: got status %d, headers %v and body %s; want 400 or 401 with WWW-Authenticate and without the key", w.Code, w.Header(), w.Body)
		}
	})
}
