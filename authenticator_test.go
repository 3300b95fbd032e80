package promptrails_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var localhost = netip.MustParseAddr("127.0.0.1")

// code is how an authenticator judged a key; empty where it let it in.
func code(t *testing.T, a *promptrails.Authenticator, key promptrails.Secret, r promptrails.AuthRequest) promptrails.ErrorCode {
	t.Helper()
	if !r.IP.IsValid() {
		r.IP = localhost
	}
	p, err := a.Authenticate(t.Context(), key.Reveal(), r)
	if err == nil {
		if p.KeyID == "" || p.WorkspaceID == "" {
			t.Errorf("let in nobody: %+v", p)
		}
		return ""
	}
	e, ok := errors.AsType[*promptrails.Error](err)
	if !ok || p != nil {
		t.Fatalf("got %v, %v", p, err)
	}
	if !key.IsZero() && strings.Contains(err.Error(), key.Reveal()) {
		t.Errorf("the key shows in %v", err)
	}
	return e.Code
}

func wants(t *testing.T, got, want promptrails.ErrorCode) {
	t.Helper()
	if got != want {
		t.Errorf("judged %q, want %q", got, want)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a := g.authenticator()
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	key := g.keyOf(&promptrails.CreateAPIKeyParams{Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsExecute}, ExpiresAt: expires})
	p, err := a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAgentsRead}})
	if err != nil {
		t.Fatal(err)
	}
	want := &promptrails.Principal{KeyID: key.ID, WorkspaceID: key.WorkspaceID, Name: "A key", CreatedBy: key.CreatedBy, Scopes: key.Scopes, ExpiresAt: expires}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	// What a caller does to a principal is nobody else's business.
	p.Scopes[0] = promptrails.ScopeAll
	_, err = a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeBillingWrite}})
	refused, ok := errors.AsType[*promptrails.ScopeError](err)
	if !ok || !errors.Is(err, promptrails.ErrForbidden) || refused.Required != promptrails.ScopeBillingWrite || !cmp.Equal(refused.Granted, key.Scopes) {
		t.Errorf("got %v", err)
	}
	if g.asked() != 1 {
		t.Errorf("asked %d times", g.asked())
	}
}

// What cannot be a key is refused by its form, without a call.
func TestAuthenticatorAsksForNothingButKeys(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a, strict := g.authenticator(), g.authenticator(promptrails.WithAuthKeyChecksums())
	for _, key := range []string{"", "sk-proj-0123456789", "pr_", "pat_0123456789", "pr_live_\u00e9", "pr_live_a b", "pr_live_\n", "pr_" + strings.Repeat("x", 1<<20)} {
		wants(t, code(t, a, promptrails.NewSecret(key), promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	}
	if g.asked() != 0 {
		t.Errorf("asked %d times", g.asked())
	}
	good := g.key().Key
	mistyped := promptrails.NewSecret(strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return r
	}, good.Reveal()[:50]) + "zzzzzzz")
	wants(t, code(t, strict, mistyped, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	if g.asked() != 0 {
		t.Errorf("asked %d times about a mistyped key", g.asked())
	}
	wants(t, code(t, strict, good, promptrails.AuthRequest{}), "")
	wants(t, code(t, a, mistyped, promptrails.AuthRequest{}), promptrails.CodeInvalidAPIKey)
	if g.asked() != 2 {
		t.Errorf("asked %d times", g.asked())
	}
}

// What is cached is what a key is; what it may do is judged each time.
func TestAuthenticatorJudgesEachUse(t *testing.T) {
	t.Parallel()
	g := newGuarded(t)
	a := g.authenticator()
	key := g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.0/24"}, AllowedOrigins: []string{"https://*.example.com"}})
	inside, outside := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.1")
	for _, c := range []struct {
		ip     netip.Addr
		origin string
		scopes []promptrails.Scope
		want   promptrails.ErrorCode
	}{
		{inside, "https://a.example.com", nil, ""},
		{netip.MustParseAddr("::ffff:203.0.113.9"), "https://a.example.com", nil, ""},
		{outside, "https://a.example.com", nil, promptrails.CodeIPNotAllowed},
		{netip.MustParseAddr("::ffff:198.51.100.1"), "https://a.example.com", nil, promptrails.CodeIPNotAllowed},
		{inside, "", nil, promptrails.CodeOriginNotAllowed},
		{inside, "null", nil, promptrails.CodeOriginNotAllowed},
		{inside, "https://a.example.com.evil.com", nil, promptrails.CodeOriginNotAllowed},
		{inside, "https://a.example.com:8443", nil, promptrails.CodeOriginNotAllowed},
		{inside, "http://a.example.com", nil, promptrails.CodeOriginNotAllowed},
		{inside, "https://a.example.com", []promptrails.Scope{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsWrite}, promptrails.CodeInsufficientScope},
		{inside, "https://a.example.com", []promptrails.Scope{promptrails.ScopeAgentsRead}, ""},
	} {
		wants(t, code(t, a, key.Key, promptrails.AuthRequest{IP: c.ip, Origin: c.origin, Scopes: c.scopes}), c.want)
	}
	if _, err := a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Origin: "https://a.example.com"}); !errors.Is(err, promptrails.ErrForbidden) {
		t.Errorf("an address that nobody knows: %v", err)
	}
	all := g.keyOf(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"0.0.0.0/0"}})
	wants(t, code(t, a, all.Key, promptrails.AuthRequest{IP: outside}), "")
	wants(t, code(t, a, all.Key, promptrails.AuthRequest{IP: netip.MustParseAddr("2001:db8::1")}), promptrails.CodeIPNotAllowed)
	if g.asked() != 2 {
		t.Errorf("asked %d times", g.asked())
	}
}

// Keys of the vendor's own form, of which no more is known than how they begin,
// go through in both directions as they are.
func TestVendorKeysPassUnharmed(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"pr_key_abc", "pr_live_0123456789abcdef", "pr_test_a-b.c~d_e!f*g(h)", `pr_"quoted"\{}`, "pr_" + strings.Repeat("Z", 509)} {
		var called *http.Request
		transport := &answers{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			called = r
			status(200, `{"data":{"id":"k","workspace_id":"w","scopes":["*"]}}`)(w, r)
		}}}
		c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey(key), promptrails.WithHTTPClient(&http.Client{Transport: transport})))
		must[*promptrails.APIKey](t)(c.APIKeys.Current(t.Context()))
		if called.Header.Get("X-API-Key") != key {
			t.Errorf("%q left as %q", key, called.Header.Get("X-API-Key"))
		}
		var verified string
		a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(
			func(_ context.Context, s promptrails.Secret) (*promptrails.APIKey, error) {
				verified = s.Reveal()
				return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
			}))))
		for name, value := range map[string]string{"X-API-Key": key, "Authorization": "Bearer " + key} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			a.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
			if w.Code != 200 || verified != key {
				t.Errorf("%s: %q arrived as %q: %d", name, key, verified, w.Code)
			}
		}
	}
}

func TestNewAuthenticatorRefuses(t *testing.T) {
	t.Parallel()
	key := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey(someKey)))
	person := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAccessToken(token)))
	bare := must[*promptrails.Client](t)(promptrails.NewClient())
	for name, make := range map[string]func() (*promptrails.Authenticator, error){
		"no client":                           func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(nil) },
		"a person in no workspace":            func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(person) },
		"neither credentials nor a workspace": func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(bare) },
		"a TTL": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthCacheTTL(-1))
		},
		"a negative TTL": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthNegativeTTL(-1))
		},
		"MaxStale": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthMaxStale(-1))
		},
		"a size": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthCacheSize(0))
		},
		"a rate": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRate(0, 1))
		},
		"a burst": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRate(1, 0))
		},
	} {
		if _, err := make(); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
