package promptrails_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// use is one use of a key and its expected result.
type use struct {
	name string

	scopes       promptrails.Scopes
	ips, origins []string
	ttl          time.Duration // time until the key expires; 0 means never
	overlap      time.Duration // overlap of a rotation; 0 means no rotation
	revoked      bool

	age        time.Duration // age of the key when it is used
	ip, origin string
	required   promptrails.Scope
	want       promptrails.ErrorCode
}

// operations has an operation for each scope that the table requires.
var operations = map[promptrails.Scope]func(context.Context, *promptrails.Client) error{
	promptrails.ScopeCredentialsRead: readCredentials,
	promptrails.ScopeMembersRead:     readMembers,
	promptrails.ScopeCredentialsWrite: func(ctx context.Context, c *promptrails.Client) error {
		return c.Credentials.Delete(ctx, "missing", nil)
	},
}

// The client, the authenticator and the service apply the same policy: they all
// accept a use of a key, or all reject it with the same code.
func TestClientAuthenticatorAndServiceAgree(t *testing.T) {
	t.Parallel()
	const in4, out4, in6, out6, mapped = "203.0.113.9", "198.51.100.1", "2001:db8::1", "2001:db9::1", "::ffff:203.0.113.9"
	const app = "https://app.example.com"
	const read, write, members = promptrails.ScopeCredentialsRead, promptrails.ScopeCredentialsWrite, promptrails.ScopeMembersRead
	reads, wild := promptrails.Scopes{read}, []string{"https://*.example.com"}
	for _, u := range []use{
		{name: "granted scope", scopes: reads, required: read},
		{name: "missing scope", scopes: reads, required: members, want: promptrails.CodeInsufficientScope},
		{name: "write with a read scope", scopes: reads, required: write, want: promptrails.CodeInsufficientScope},
		{name: "read with a write scope", scopes: promptrails.Scopes{write}, required: read, want: promptrails.CodeInsufficientScope},
		{name: "wildcard scope", scopes: promptrails.Scopes{promptrails.ScopeAll}, required: members},
		{name: "one of several scopes", scopes: promptrails.Scopes{promptrails.ScopeAgentTriggersRead, members, read}, required: members},

		{name: "allowed address", scopes: reads, ips: []string{"203.0.113.0/24"}, ip: in4, required: read},
		{name: "address outside the list", scopes: reads, ips: []string{"203.0.113.0/24"}, ip: out4, required: read, want: promptrails.CodeIPNotAllowed},
		{name: "IPv4-mapped address", scopes: reads, ips: []string{in4}, ip: mapped, required: read},
		{name: "IPv4-mapped list", scopes: reads, ips: []string{"::ffff:203.0.113.0/120"}, ip: in4, required: read},
		{name: "allowed IPv6 address", scopes: reads, ips: []string{"2001:db8::/32", in4}, ip: in6, required: read},
		{name: "IPv6 address outside the list", scopes: reads, ips: []string{"2001:db8::/32"}, ip: out6, required: read, want: promptrails.CodeIPNotAllowed},
		{name: "any IPv4 address", scopes: reads, ips: []string{"0.0.0.0/0"}, ip: out4, required: read},
		{name: "IPv6 address with any IPv4 allowed", scopes: reads, ips: []string{"0.0.0.0/0"}, ip: in6, required: read, want: promptrails.CodeIPNotAllowed},

		{name: "allowed origin", scopes: reads, origins: []string{app}, origin: app, required: read},
		{name: "no list of origins", scopes: reads, origin: "null", required: read},
		{name: "no origin", scopes: reads, origins: []string{app}, required: read, want: promptrails.CodeOriginNotAllowed},
		{name: "null origin", scopes: reads, origins: []string{app}, origin: "null", required: read, want: promptrails.CodeOriginNotAllowed},
		{name: "other scheme", scopes: reads, origins: []string{app}, origin: "http://app.example.com", required: read, want: promptrails.CodeOriginNotAllowed},
		{name: "other port", scopes: reads, origins: []string{app}, origin: app + ":8443", required: read, want: promptrails.CodeOriginNotAllowed},
		{name: "default port", scopes: reads, origins: []string{app}, origin: app + ":443", required: read},
		{name: "allowed host as a prefix", scopes: reads, origins: []string{app}, origin: app + ".evil.com", required: read, want: promptrails.CodeOriginNotAllowed},
		{name: "subdomain of a wildcard", scopes: reads, origins: wild, origin: "https://a.b.example.com", required: read},
		{name: "parent domain of a wildcard", scopes: reads, origins: wild, origin: "https://example.com", required: read, want: promptrails.CodeOriginNotAllowed},
		{name: "host with the same suffix", scopes: reads, origins: wild, origin: "https://evilexample.com", required: read, want: promptrails.CodeOriginNotAllowed},

		{name: "before the expiry", scopes: reads, ttl: time.Hour, age: time.Hour - time.Microsecond, required: read},
		{name: "at the expiry", scopes: reads, ttl: time.Hour, age: time.Hour, required: read, want: promptrails.CodeAPIKeyExpired},
		{name: "before the end of the overlap", scopes: reads, overlap: time.Hour, age: time.Hour - time.Microsecond, required: read},
		{name: "at the end of the overlap", scopes: reads, overlap: time.Hour, age: time.Hour, required: read, want: promptrails.CodeAPIKeyRevoked},
		{name: "revoked", scopes: reads, revoked: true, required: read, want: promptrails.CodeAPIKeyRevoked},

		{name: "revoked and expired", scopes: reads, revoked: true, ttl: time.Hour, age: time.Hour, required: read, want: promptrails.CodeAPIKeyRevoked},
		{name: "expired and other address", scopes: reads, ttl: time.Hour, age: time.Hour, ips: []string{in4}, ip: out4, required: read, want: promptrails.CodeAPIKeyExpired},
		{name: "other address and origin", scopes: reads, ips: []string{in4}, ip: out4, origins: wild, required: read, want: promptrails.CodeIPNotAllowed},
		{name: "other origin and missing scope", scopes: reads, origins: wild, required: members, want: promptrails.CodeOriginNotAllowed},
	} {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, u.check)
		})
	}
}

// check creates the key, waits until it has the age, and uses it with the
// authenticator, the service and the client.
func (u use) check(t *testing.T) {
	if u.ip == "" {
		u.ip = "192.0.2.7"
	}
	ks := newKeyServiceWith(t, embedded.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	p := &promptrails.CreateAPIKeyParams{Scopes: u.scopes, AllowedIPs: u.ips, AllowedOrigins: u.origins}
	if u.ttl > 0 {
		p.ExpiresAt = time.Now().Add(u.ttl)
	}
	key := ks.newKeyWith(p)
	if u.overlap > 0 {
		must[*promptrails.CreatedAPIKey](t)(ks.owner.APIKeys.Rotate(t.Context(), key.ID, u.overlap))
	}
	warm := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Hour * 24)) // caches the key before it is revoked
	_, _ = warm.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{})
	if u.revoked {
		if err := ks.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(u.age)

	r := promptrails.AuthRequest{IP: netip.MustParseAddr(u.ip), Origin: u.origin, Scopes: []promptrails.Scope{u.required}}
	if got := authenticate(t, ks.newAuthenticator(), key.Key, r); got != u.want {
		t.Errorf("Authenticate: got code %q, want %q", got, u.want)
	}
	if got := authenticate(t, warm, key.Key, r); got != u.want && !u.revoked {
		t.Errorf("Authenticate with a cached key: got code %q, want %q", got, u.want)
	}
	verdict := must[*promptrails.APIKeyVerification](t)(ks.owner.APIKeys.Verify(t.Context(), &promptrails.VerifyAPIKeyParams{
		Key: key.Key, IP: u.ip, Origin: &u.origin, Scopes: promptrails.Scopes{u.required},
	}))
	if verdict.Code != u.want || verdict.Valid != (u.want == "") {
		t.Errorf("APIKeys.Verify: got %+v, want the code %q", verdict, u.want)
	}

	from := &addressTransport{next: ks, ip: u.ip, origin: u.origin}
	client := func(opts ...promptrails.Option) *promptrails.Client {
		return must[*promptrails.Client](t)(promptrails.NewClient(append(opts, promptrails.WithAPIKey(key.Key.Reveal()),
			promptrails.WithBaseURL("https://api.example.com"), promptrails.WithHTTPClient(&http.Client{Transport: from}))...))
	}
	if got := codeOf(operations[u.required](t.Context(), client())); got != u.want {
		t.Errorf("call without known scopes: got code %q, want %q", got, u.want)
	}
	from.requests = 0
	err := operations[u.required](t.Context(), client(promptrails.WithScopes(u.scopes...)))
	if u.scopes.Covers(u.required) {
		if got := codeOf(err); got != u.want || from.requests != 1 {
			t.Errorf("call with known scopes: got code %q after %d requests, want %q after 1", got, from.requests, u.want)
		}
	} else if lack, ok := errors.AsType[*promptrails.ScopeError](err); !ok || lack.Required != u.required || from.requests != 0 {
		t.Errorf("call with known scopes: got %v after %d requests, want a *ScopeError after 0", err, from.requests)
	}
}

// addressTransport is a transport whose requests have the given client address
// and origin.
type addressTransport struct {
	next       *keyService
	ip, origin string
	requests   int
}

func (f *addressTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	f.requests++
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.ip)
	if f.origin != "" {
		r.Header.Set("Origin", f.origin)
	}
	return f.next.RoundTrip(r)
}
