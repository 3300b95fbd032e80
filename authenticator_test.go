package promptrails_test

import (
	"context"
	"errors"
	"math"
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

// authenticate returns the code of the error that a returns for key, or "" if
// the key is accepted. The request's IP address defaults to localhost.
func authenticate(t *testing.T, a *promptrails.Authenticator, key promptrails.Secret, r promptrails.AuthRequest) promptrails.ErrorCode {
	t.Helper()
	if !r.IP.IsValid() {
		r.IP = localhost
	}
	p, err := a.Authenticate(t.Context(), key.Reveal(), r)
	if err == nil {
		if p.KeyID == "" || p.WorkspaceID == "" {
			t.Errorf("Authenticate: got principal %+v, want a key id and a workspace id", p)
		}
		return ""
	}
	e, ok := errors.AsType[*promptrails.Error](err)
	if !ok || p != nil {
		t.Fatalf("Authenticate: got %v, %v; want nil and an *Error", p, err)
	}
	if !key.IsZero() && strings.Contains(err.Error(), key.Reveal()) {
		t.Errorf("Authenticate: got error %v, want an error without the key", err)
	}
	return e.Code
}

// checkAuth checks the error code with which a rejects key. An empty want means
// that the key is accepted.
func checkAuth(t *testing.T, a *promptrails.Authenticator, key promptrails.Secret, r promptrails.AuthRequest, want promptrails.ErrorCode) {
	t.Helper()
	if got := authenticate(t, a, key, r); got != want {
		t.Errorf("Authenticate: got code %q, want %q", got, want)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a := ks.newAuthenticator()
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	key := ks.newKeyWith(&promptrails.CreateAPIKeyParams{Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsExecute}, ExpiresAt: expires})
	p, err := a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeAgentsRead}})
	if err != nil {
		t.Fatal(err)
	}
	want := &promptrails.Principal{KeyID: key.ID, WorkspaceID: key.WorkspaceID, Name: "A key", CreatedBy: key.CreatedBy, Scopes: key.Scopes, ExpiresAt: expires}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("Authenticate (-want +got):\n%s", diff)
	}
	// A caller can modify the principal without affecting the cache.
	p.Scopes[0] = promptrails.ScopeAll
	_, err = a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeBillingWrite}})
	refused, ok := errors.AsType[*promptrails.ScopeError](err)
	if !ok || !errors.Is(err, promptrails.ErrForbidden) || refused.Required != promptrails.ScopeBillingWrite || !cmp.Equal(refused.Granted, key.Scopes) {
		t.Errorf("Authenticate without the scope: got %v, want a *ScopeError that requires billing:write", err)
	}
	if ks.requests() != 1 {
		t.Errorf("got %d requests, want 1", ks.requests())
	}
}

// Malformed keys are rejected without a request.
func TestAuthenticatorRejectsMalformedKeysLocally(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a, strict := ks.newAuthenticator(), ks.newAuthenticator(promptrails.WithAuthKeyChecksums())
	for _, key := range []string{"", "sk-proj-0123456789", "pr_", "pat_0123456789", "pr_live_\u00e9", "pr_live_a b", "pr_live_\n", "pr_" + strings.Repeat("x", 1<<20)} {
		checkAuth(t, a, promptrails.NewSecret(key), promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	}
	if ks.requests() != 0 {
		t.Errorf("malformed keys: got %d requests, want 0", ks.requests())
	}
	good := ks.newKey().Key
	mistyped := promptrails.NewSecret(strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return r
	}, good.Reveal()[:50]) + "zzzzzzz")
	checkAuth(t, strict, mistyped, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	if ks.requests() != 0 {
		t.Errorf("mistyped key with checksums: got %d requests, want 0", ks.requests())
	}
	checkAuth(t, strict, good, promptrails.AuthRequest{}, "")
	checkAuth(t, a, mistyped, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	if ks.requests() != 2 {
		t.Errorf("got %d requests, want 2", ks.requests())
	}
}

// The key is cached. Its restrictions and scopes are checked on every call.
func TestAuthenticatorChecksEachUse(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a := ks.newAuthenticator()
	key := ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"203.0.113.0/24"}, AllowedOrigins: []string{"https://*.example.com"}})
	inside, outside := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.1")
	for _, c := range []struct {
		name   string
		ip     netip.Addr
		origin string
		scopes []promptrails.Scope
		want   promptrails.ErrorCode
	}{
		{"allowed address", inside, "https://a.example.com", nil, ""},
		{"allowed IPv4-mapped address", netip.MustParseAddr("::ffff:203.0.113.9"), "https://a.example.com", nil, ""},
		{"other address", outside, "https://a.example.com", nil, promptrails.CodeIPNotAllowed},
		{"other IPv4-mapped address", netip.MustParseAddr("::ffff:198.51.100.1"), "https://a.example.com", nil, promptrails.CodeIPNotAllowed},
		{"no origin", inside, "", nil, promptrails.CodeOriginNotAllowed},
		{"null origin", inside, "null", nil, promptrails.CodeOriginNotAllowed},
		{"allowed host as a prefix", inside, "https://a.example.com.evil.com", nil, promptrails.CodeOriginNotAllowed},
		{"other port", inside, "https://a.example.com:8443", nil, promptrails.CodeOriginNotAllowed},
		{"other scheme", inside, "http://a.example.com", nil, promptrails.CodeOriginNotAllowed},
		{"missing scope", inside, "https://a.example.com", []promptrails.Scope{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsWrite}, promptrails.CodeInsufficientScope},
		{"granted scope", inside, "https://a.example.com", []promptrails.Scope{promptrails.ScopeAgentsRead}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkAuth(t, a, key.Key, promptrails.AuthRequest{IP: c.ip, Origin: c.origin, Scopes: c.scopes}, c.want)
		})
	}
	if _, err := a.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{Origin: "https://a.example.com"}); !errors.Is(err, promptrails.ErrForbidden) {
		t.Errorf("Authenticate without an IP address: got %v, want ErrForbidden", err)
	}
	all := ks.newKeyWith(&promptrails.CreateAPIKeyParams{AllowedIPs: []string{"0.0.0.0/0"}})
	checkAuth(t, a, all.Key, promptrails.AuthRequest{IP: outside}, "")
	checkAuth(t, a, all.Key, promptrails.AuthRequest{IP: netip.MustParseAddr("2001:db8::1")}, promptrails.CodeIPNotAllowed)
	if ks.requests() != 2 {
		t.Errorf("got %d requests, want 2", ks.requests())
	}
}

// Only the prefix of the vendor's keys is documented. Any key with that prefix is
// sent and verified unchanged.
func TestVendorKeysAreNotChanged(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"pr_key_abc", "pr_live_0123456789abcdef", "pr_test_a-b.c~d_e!f*g(h)", `pr_"quoted"\{}`, "pr_" + strings.Repeat("Z", 509)} {
		var called *http.Request
		transport := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			called = r
			status(200, `{"data":{"id":"k","workspace_id":"w","scopes":["*"]}}`)(w, r)
		}}}
		c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey(key), promptrails.WithHTTPClient(&http.Client{Transport: transport})))
		must[*promptrails.APIKey](t)(c.APIKeys.Current(t.Context()))
		if called.Header.Get("X-API-Key") != key {
			t.Errorf("X-API-Key: got %q, want %q", called.Header.Get("X-API-Key"), key)
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
				t.Errorf("Middleware with %s: got status %d and key %q, want 200 and %q", name, w.Code, verified, key)
			}
		}
	}
}

func TestNewAuthenticatorRejectsInvalidOptions(t *testing.T) {
	t.Parallel()
	key := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAPIKey(someKey)))
	person := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAccessToken(token)))
	bare := must[*promptrails.Client](t)(promptrails.NewClient())
	for name, make := range map[string]func() (*promptrails.Authenticator, error){
		"no client":                           func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(nil) },
		"an access token without a workspace": func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(person) },
		"no credentials and no workspace":     func() (*promptrails.Authenticator, error) { return promptrails.NewAuthenticator(bare) },
		"TTL": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthCacheTTL(-1))
		},
		"negative TTL": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthNegativeTTL(-1))
		},
		"max stale": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthMaxStale(-1))
		},
		"cache size": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthCacheSize(0))
		},
		"rate": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRate(0, 1))
		},
		"burst": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRate(1, 0))
		},
		"rate per address": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRatePerAddress(math.NaN(), 1))
		},
		"burst per address": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthUnknownKeyRatePerAddress(1, 0))
		},
		"key function": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthKeyFrom(nil))
		},
		"error handler": func() (*promptrails.Authenticator, error) {
			return promptrails.NewAuthenticator(key, promptrails.WithAuthErrorHandler(nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := make(); !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("NewAuthenticator: got %v, want ErrValidation", err)
			}
		})
	}
}
