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

// use is one use of a key, and what becomes of it whoever judges.
type use struct {
	name string

	scopes       promptrails.Scopes
	ips, origins []string
	lives        time.Duration // until its expiry; 0: for ever
	overlap      time.Duration // that of a rotation; 0: none
	revoked      bool

	after      time.Duration // how old the key is
	ip, origin string
	needs      promptrails.Scope
	want       promptrails.ErrorCode
}

// An operation for each scope of the table.
var operations = map[promptrails.Scope]func(context.Context, *promptrails.Client) error{
	promptrails.ScopeCredentialsRead: readCredentials,
	promptrails.ScopeMembersRead:     readMembers,
	promptrails.ScopeCredentialsWrite: func(ctx context.Context, c *promptrails.Client) error {
		return c.Credentials.Delete(ctx, "nothing", nil)
	},
}

// The client, the authenticator and the service judge a key by one policy: each
// use is refused for the same reason, or let through, by all of them.
func TestOnePolicy(t *testing.T) {
	t.Parallel()
	const in4, out4, in6, out6, mapped = "203.0.113.9", "198.51.100.1", "2001:db8::1", "2001:db9::1", "::ffff:203.0.113.9"
	const app = "https://app.example.com"
	const read, write, members = promptrails.ScopeCredentialsRead, promptrails.ScopeCredentialsWrite, promptrails.ScopeMembersRead
	reads, wild := promptrails.Scopes{read}, []string{"https://*.example.com"}
	for _, u := range []use{
		{name: "a scope that it has", scopes: reads, needs: read},
		{name: "a scope that it lacks", scopes: reads, needs: members, want: promptrails.CodeInsufficientScope},
		{name: "reading is not writing", scopes: reads, needs: write, want: promptrails.CodeInsufficientScope},
		{name: "writing is not reading", scopes: promptrails.Scopes{write}, needs: read, want: promptrails.CodeInsufficientScope},
		{name: "all scopes", scopes: promptrails.Scopes{promptrails.ScopeAll}, needs: members},
		{name: "one of several", scopes: promptrails.Scopes{promptrails.ScopeAgentTriggersRead, members, read}, needs: members},

		{name: "an address in the list", scopes: reads, ips: []string{"203.0.113.0/24"}, ip: in4, needs: read},
		{name: "an address beside the list", scopes: reads, ips: []string{"203.0.113.0/24"}, ip: out4, needs: read, want: promptrails.CodeIPNotAllowed},
		{name: "a mapped address", scopes: reads, ips: []string{in4}, ip: mapped, needs: read},
		{name: "a mapped list", scopes: reads, ips: []string{"::ffff:203.0.113.0/120"}, ip: in4, needs: read},
		{name: "IPv6 in the list", scopes: reads, ips: []string{"2001:db8::/32", in4}, ip: in6, needs: read},
		{name: "IPv6 beside the list", scopes: reads, ips: []string{"2001:db8::/32"}, ip: out6, needs: read, want: promptrails.CodeIPNotAllowed},
		{name: "all of IPv4", scopes: reads, ips: []string{"0.0.0.0/0"}, ip: out4, needs: read},
		{name: "all of IPv4 is none of IPv6", scopes: reads, ips: []string{"0.0.0.0/0"}, ip: in6, needs: read, want: promptrails.CodeIPNotAllowed},

		{name: "an origin in the list", scopes: reads, origins: []string{app}, origin: app, needs: read},
		{name: "no list", scopes: reads, origin: "null", needs: read},
		{name: "no origin", scopes: reads, origins: []string{app}, needs: read, want: promptrails.CodeOriginNotAllowed},
		{name: "null", scopes: reads, origins: []string{app}, origin: "null", needs: read, want: promptrails.CodeOriginNotAllowed},
		{name: "another scheme", scopes: reads, origins: []string{app}, origin: "http://app.example.com", needs: read, want: promptrails.CodeOriginNotAllowed},
		{name: "another port", scopes: reads, origins: []string{app}, origin: app + ":8443", needs: read, want: promptrails.CodeOriginNotAllowed},
		{name: "the usual port", scopes: reads, origins: []string{app}, origin: app + ":443", needs: read},
		{name: "a host that goes on", scopes: reads, origins: []string{app}, origin: app + ".evil.com", needs: read, want: promptrails.CodeOriginNotAllowed},
		{name: "below a wildcard", scopes: reads, origins: wild, origin: "https://a.b.example.com", needs: read},
		{name: "the wildcard's own host", scopes: reads, origins: wild, origin: "https://example.com", needs: read, want: promptrails.CodeOriginNotAllowed},
		{name: "a host that ends alike", scopes: reads, origins: wild, origin: "https://evilexample.com", needs: read, want: promptrails.CodeOriginNotAllowed},

		{name: "just before the expiry", scopes: reads, lives: time.Hour, after: time.Hour - time.Microsecond, needs: read},
		{name: "exactly at the expiry", scopes: reads, lives: time.Hour, after: time.Hour, needs: read, want: promptrails.CodeAPIKeyExpired},
		{name: "just before the end of the overlap", scopes: reads, overlap: time.Hour, after: time.Hour - time.Microsecond, needs: read},
		{name: "exactly at the end of the overlap", scopes: reads, overlap: time.Hour, after: time.Hour, needs: read, want: promptrails.CodeAPIKeyRevoked},
		{name: "revoked", scopes: reads, revoked: true, needs: read, want: promptrails.CodeAPIKeyRevoked},

		{name: "revoked before expired", scopes: reads, revoked: true, lives: time.Hour, after: time.Hour, needs: read, want: promptrails.CodeAPIKeyRevoked},
		{name: "expired before the address", scopes: reads, lives: time.Hour, after: time.Hour, ips: []string{in4}, ip: out4, needs: read, want: promptrails.CodeAPIKeyExpired},
		{name: "the address before the origin", scopes: reads, ips: []string{in4}, ip: out4, origins: wild, needs: read, want: promptrails.CodeIPNotAllowed},
		{name: "the origin before the scope", scopes: reads, origins: wild, needs: members, want: promptrails.CodeOriginNotAllowed},
	} {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, u.judge)
		})
	}
}

// judge makes the key, waits, and asks them all.
func (u use) judge(t *testing.T) {
	if u.ip == "" {
		u.ip = "192.0.2.7"
	}
	ks := newKeyServiceWith(t, embedded.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	p := &promptrails.CreateAPIKeyParams{Scopes: u.scopes, AllowedIPs: u.ips, AllowedOrigins: u.origins}
	if u.lives > 0 {
		p.ExpiresAt = time.Now().Add(u.lives)
	}
	key := ks.newKeyWith(p)
	if u.overlap > 0 {
		must[*promptrails.CreatedAPIKey](t)(ks.owner.APIKeys.Rotate(t.Context(), key.ID, u.overlap))
	}
	warm := ks.newAuthenticator(promptrails.WithAuthCacheTTL(time.Hour * 24)) // remembers the key as it was
	_, _ = warm.Authenticate(t.Context(), key.Key.Reveal(), promptrails.AuthRequest{})
	if u.revoked {
		if err := ks.owner.APIKeys.Revoke(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(u.after)

	r := promptrails.AuthRequest{IP: netip.MustParseAddr(u.ip), Origin: u.origin, Scopes: []promptrails.Scope{u.needs}}
	if got := authenticate(t, ks.newAuthenticator(), key.Key, r); got != u.want {
		t.Errorf("the authenticator says %q, want %q", got, u.want)
	}
	if got := authenticate(t, warm, key.Key, r); got != u.want && !u.revoked {
		t.Errorf("the authenticator that remembers the key says %q, want %q", got, u.want)
	}
	verdict := must[*promptrails.APIKeyVerification](t)(ks.owner.APIKeys.Verify(t.Context(), &promptrails.VerifyAPIKeyParams{
		Key: key.Key, IP: u.ip, Origin: &u.origin, Scopes: promptrails.Scopes{u.needs},
	}))
	if verdict.Code != u.want || verdict.Valid != (u.want == "") {
		t.Errorf("the service's verdict is %+v, want %q", verdict, u.want)
	}

	from := &addressTransport{next: ks, ip: u.ip, origin: u.origin}
	client := func(opts ...promptrails.Option) *promptrails.Client {
		return must[*promptrails.Client](t)(promptrails.NewClient(append(opts, promptrails.WithAPIKey(key.Key.Reveal()),
			promptrails.WithBaseURL("https://api.example.com"), promptrails.WithHTTPClient(&http.Client{Transport: from}))...))
	}
	if got := codeOf(operations[u.needs](t.Context(), client())); got != u.want {
		t.Errorf("the service says %q, want %q", got, u.want)
	}
	from.requests = 0
	err := operations[u.needs](t.Context(), client(promptrails.WithScopes(u.scopes...)))
	if u.scopes.Covers(u.needs) {
		if got := codeOf(err); got != u.want || from.requests != 1 {
			t.Errorf("the client that knows its scopes says %q after %d requests, want %q", got, from.requests, u.want)
		}
	} else if lack, ok := errors.AsType[*promptrails.ScopeError](err); !ok || lack.Required != u.needs || from.requests != 0 {
		t.Errorf("the client that knows its scopes says %v after %d requests", err, from.requests)
	}
}

// addressTransport is a transport whose requests come from elsewhere.
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
