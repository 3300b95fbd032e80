package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// An access token is valid until it expires or is revoked.
func TestAccessTokens(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		var c clock
		cfg.Now = c.now
		s := newServer(t, cfg)
		ada := s.person("ada@example.com")
		ctx := t.Context()
		if form := ada.user.AccessToken.Reveal(); !strings.HasPrefix(form, "pat_") || len(form) != 47 {
			t.Errorf("access token: got %d characters, want 47 with the prefix pat_", len(form))
		}
		c.forward(time.Second) // tokens are listed newest first
		issued, err := s.IssueAccessToken(ctx, ada.user.ID, time.Hour)
		if err != nil || !issued.ExpiresAt.Equal(c.now().Add(time.Hour)) {
			t.Fatalf("IssueAccessToken: got %+v, %v, want a token that expires in an hour", issued, err)
		}
		as := func(token promptrails.Secret) *person {
			p := *ada
			p.user = &embedded.User{ID: ada.user.ID, AccessToken: token}
			return &p
		}
		c.forward(time.Hour - time.Microsecond)
		as(issued.Token).do("GET", "/me", "").expect(200)
		c.forward(time.Microsecond) // at ExpiresAt the token is expired
		as(issued.Token).do("GET", "/me", "").fails(401, "unauthorized")
		ada.do("GET", "/me", "").expect(200)

		tokens, err := s.AccessTokens(ctx, ada.user.ID)
		if err != nil || len(tokens) != 2 || tokens[0].ID != issued.ID || !tokens[0].Token.IsZero() || !tokens[1].ExpiresAt.IsZero() {
			t.Errorf("AccessTokens: got %+v, %v, want two, the newest first, without the tokens themselves", tokens, err)
		}
		if err := s.RevokeAccessToken(ctx, tokens[1].ID); err != nil {
			t.Fatal(err)
		}
		ada.do("GET", "/me", "").fails(401, "unauthorized")

		for name, err := range map[string]error{
			"RevokeAccessToken of a revoked token": s.RevokeAccessToken(ctx, tokens[1].ID),
			"IssueAccessToken for an unknown user": second(s.IssueAccessToken(ctx, "unknown", 0)),
			"AccessTokens of an unknown user":      second(s.AccessTokens(ctx, "unknown")),
		} {
			if !errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", name, err)
			}
		}
		if _, err := s.CreateUser(ctx, "ADA@example.com", ""); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("CreateUser with a taken email address: got %v, want ErrConflict", err)
		}
		if _, err := s.CreateUser(ctx, "ada", ""); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("CreateUser with an invalid email address: got %v, want ErrValidation", err)
		}
		if _, err := s.IssueAccessToken(ctx, ada.user.ID, -time.Second); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("IssueAccessToken with a negative ttl: got %v, want ErrValidation", err)
		}
	})
}

// Users are listed in the order of their creation, over all pages.
func TestUsers(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		n := 3
		if cfg.DSN == "" {
			n = 501 // a page has 500
		}
		s := newServer(t, cfg)
		var want []string
		for i := range n {
			email := fmt.Sprintf("user%d@example.com", n-i)
			if _, err := s.CreateUser(t.Context(), email, ""); err != nil {
				t.Fatal(err)
			}
			want = append(want, email)
		}
		var got []string
		for u, err := range s.Users(t.Context()) {
			if err != nil || !u.AccessToken.IsZero() {
				t.Fatalf("user: got %+v, %v, want no token and no error", u, err)
			}
			got = append(got, u.Email)
		}
		if !slices.Equal(got, want) {
			t.Errorf("users: got %d, %v, want %d, %v", len(got), got, len(want), want)
		}
		for _, err := range s.Users(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			break
		}
	})
}

// second returns its second argument.
func second[T any](_ T, err error) error { return err }

// With AuthenticateUser, users are identified by the email address that the
// identity provider returns. Tokens of the service are not passed to it.
func TestAuthenticateUser(t *testing.T) {
	t.Parallel()
	name := "Ada"
	tokens := []string{}
	s := newServer(t, embedded.Config{AuthenticateUser: func(_ context.Context, token string) (string, string, error) {
		tokens = append(tokens, token)
		switch token {
		case "ada":
			return "ada@example.com", name, nil
		case "down":
			return "", "", errors.New("the provider is down")
		case "invalid":
			return "no address", "", nil
		default:
			return "", "", promptrails.ErrUnauthorized
		}
	}})
	as := func(token string) *person {
		return &person{s: s, user: &embedded.User{AccessToken: promptrails.NewSecret(token)}}
	}
	id := as("ada").do("GET", "/me", "").expect(200).text("id")
	name = "Ada Lovelace"
	if r := as("ada").do("GET", "/me", "").expect(200); r.text("id") != id || r.text("name") != name {
		t.Errorf("me after the provider changes the name: got %s, want user %s named %s", r.body, id, name)
	}
	as("unknown").do("GET", "/me", "").fails(401, "unauthorized")
	as("down").do("GET", "/me", "").fails(503, "unavailable")
	as("invalid").do("GET", "/me", "").fails(503, "unavailable")
	before := len(tokens)
	as("pat_x").do("GET", "/me", "").fails(401, "unauthorized")
	as("pr_x").do("GET", "/me", "").fails(401, "unauthorized")
	if len(tokens) != before {
		t.Errorf("tokens of the service passed to the provider: got %v, want none", tokens[before:])
	}
}

// A forwarded address is used only if the peer is a trusted proxy. The caller's
// address is then the last hop that is not a trusted proxy.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted []netip.Prefix
		header  string
		want    string
	}{
		"no trusted proxy":     {nil, "203.0.113.9", "127.0.0.1"},
		"a trusted peer":       {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		"two trusted proxies":  {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}, "198.51.100.1, ::ffff:203.0.113.9, 10.1.2.3", "203.0.113.9"},
		"with a port":          {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "203.0.113.9:1234", "203.0.113.9"},
		"an invalid hop":       {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "198.51.100.1, invalid", "127.0.0.1"},
		"no header":            {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "", "127.0.0.1"},
		"only trusted proxies": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "127.0.0.2, 127.0.0.3", "127.0.0.2"},
		"an IPv6 hop":          {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "[2001:db8::1]:443", "2001:db8::1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := newServer(t, embedded.Config{TrustedProxies: c.trusted}).owner("ada@example.com", "research")
			ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, "X-Forwarded-For", c.header).expect(200)
			if log := ada.do("GET", "/changelog?limit=1", "").body; !strings.Contains(log, `"ip":"`+c.want+`"`) {
				t.Errorf("newest changelog entry: got %s, want the IP %s", log, c.want)
			}
		})
	}
}

// The slug of a deleted workspace can be used again after 30 days.
func TestDeletedSlugsAreReserved(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		var c clock
		cfg.Now = c.now
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		ada.do("DELETE", "/workspaces/research?confirm_slug=research", "").expect(204)
		again := func() *reply { return ada.do("POST", "/workspaces", `{"name":"W","slug":"research"}`) }
		c.forward(30*24*time.Hour - time.Microsecond)
		again().fails(409, "slug_taken")
		c.forward(time.Microsecond)
		again().expect(201)
	})
}
