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

// Whatever a server answers, the client gives an error or a value, and neither
// a crash nor a line that breaks a log.
func FuzzAnswer(f *testing.F) {
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
		c := clientOver(t, &answers{script: []http.HandlerFunc{status(code, string(body))}}, promptrails.WithMaxRetries(0))
		user, err := c.Me(t.Context())
		if (user == nil) == (err == nil) {
			t.Errorf("%+v, %v", user, err)
		}
		if err == nil {
			return
		}
		for _, r := range err.Error() {
			if r < ' ' || r == 0x7f {
				t.Errorf("a control character in %q", err.Error())
			}
		}
		if !utf8.ValidString(err.Error()) {
			t.Errorf("invalid UTF-8 in %q", err.Error())
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, header := range []string{"0", "1", "60", "61", "-1", "1e3", "99999999999999999999", "Fri, 02 Jan 2026 03:04:05 GMT", "\x00"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{script: []http.HandlerFunc{status(429, "", "Retry-After", header), status(200, someUser)}}
			started := time.Now()
			_, _ = clientOver(t, a).Me(context.Background())
			if waited := time.Since(started); waited > time.Minute+5*time.Second {
				t.Errorf("%q: waited %s", header, waited)
			}
		})
	})
}

// Whatever a caller presents, the middleware answers in its own envelope, lets
// nobody in whom the verifier does not know, and repeats no key.
func FuzzMiddleware(f *testing.F) {
	for _, header := range []string{"", "pr_live_x", "Bearer pr_live_x", "bearer  pr_x", "Basic YTpi", "Bearer", "pr_\x00", "https://a.example.com", "null"} {
		f.Add(header, header, header, header)
	}
	refusing := verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		return nil, promptrails.ErrUnauthorized
	})
	auth, err := promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(refusing), promptrails.WithAuthUnknownKeyRate(1e9, 1e9))
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
		auth.Middleware(promptrails.ScopeAgentsRead)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") })).ServeHTTP(w, r)
		var envelope struct {
			Error struct {
				Code, Message string
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &envelope); err != nil || envelope.Error.Code == "" || envelope.Error.Message == "" {
			t.Errorf("%v in %s", err, w.Body)
		}
		if w.Code != 400 && w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || len(key) > 40 && strings.Contains(w.Body.String(), key) {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	})
}
