package embedded_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func TestAccessTokens(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		var c clock
		cfg.Now = c.now
		s := newServer(t, cfg)
		ada := s.person("ada@example.com")
		ctx := t.Context()
		if form := ada.user.AccessToken.Reveal(); !strings.HasPrefix(form, "pat_") || len(form) != 47 {
			t.Errorf("a token of %d characters", len(form))
		}
		c.forward(time.Second) // the newest first
		issued, err := s.IssueAccessToken(ctx, ada.user.ID, time.Hour)
		if err != nil || !issued.ExpiresAt.Equal(c.now().Add(time.Hour)) {
			t.Fatalf("%+v, %v", issued, err)
		}
		as := func(token promptrails.Secret) *person {
			p := *ada
			p.user = &embedded.User{ID: ada.user.ID, AccessToken: token}
			return &p
		}
		c.forward(time.Hour - time.Microsecond)
		as(issued.Token).do("GET", "/me", "").expect(200)
		c.forward(time.Microsecond) // at its end it has ended
		as(issued.Token).do("GET", "/me", "").fails(401, "unauthorized")
		ada.do("GET", "/me", "").expect(200)

		tokens, err := s.AccessTokens(ctx, ada.user.ID)
		if err != nil || len(tokens) != 2 || tokens[0].ID != issued.ID || !tokens[0].Token.IsZero() || !tokens[1].ExpiresAt.IsZero() {
			t.Errorf("AccessTokens = %+v, %v", tokens, err)
		}
		if err := s.RevokeAccessToken(ctx, tokens[1].ID); err != nil {
			t.Fatal(err)
		}
		ada.do("GET", "/me", "").fails(401, "unauthorized")

		for what, err := range map[string]error{
			"a token twice revoked": s.RevokeAccessToken(ctx, tokens[1].ID),
			"a user that is not":    second(s.IssueAccessToken(ctx, "nobody", 0)),
			"tokens of nobody":      second(s.AccessTokens(ctx, "nobody")),
		} {
			if !errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := s.CreateUser(ctx, "ADA@example.com", ""); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("a second user of an address: %v", err)
		}
		if _, err := s.CreateUser(ctx, "nobody", ""); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("an address that is none: %v", err)
		}
		if _, err := s.IssueAccessToken(ctx, ada.user.ID, -time.Second); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("a negative ttl: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// People of one's own identity provider are known by the address that it
// vouches for.
func TestAuthenticateUser(t *testing.T) {
	t.Parallel()
	name := "Ada"
	asked := []string{}
	s := newServer(t, embedded.Config{AuthenticateUser: func(_ context.Context, token string) (string, string, error) {
		asked = append(asked, token)
		switch token {
		case "ada":
			return "ada@example.com", name, nil
		case "down":
			return "", "", errors.New("the provider is down")
		case "odd":
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
		t.Errorf("renamed by the provider: %s", r.body)
	}
	as("nobody").do("GET", "/me", "").fails(401, "unauthorized")
	as("down").do("GET", "/me", "").fails(503, "unavailable")
	as("odd").do("GET", "/me", "").fails(503, "unavailable")
	before := len(asked)
	as("pat_x").do("GET", "/me", "").fails(401, "unauthorized")
	as("pr_x").do("GET", "/me", "").fails(401, "unauthorized")
	if len(asked) != before {
		t.Errorf("the provider was asked for %v", asked[before:])
	}
}

// A forwarded address counts only behind a trusted proxy, and there the last
// hop that is none.
func TestCallersAddress(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted []netip.Prefix
		header  string
		want    string
	}{
		"nobody is trusted":    {nil, "203.0.113.9", "127.0.0.1"},
		"the peer is trusted":  {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		"a proxy before it":    {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}, "198.51.100.1, ::ffff:203.0.113.9, 10.1.2.3", "203.0.113.9"},
		"with a port":          {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "203.0.113.9:1234", "203.0.113.9"},
		"nonsense":             {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "198.51.100.1, what", "127.0.0.1"},
		"no header":            {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "", "127.0.0.1"},
		"proxies all the way":  {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "127.0.0.2, 127.0.0.3", "127.0.0.2"},
		"an IPv6 hop, bracket": {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "[2001:db8::1]:443", "2001:db8::1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := newServer(t, embedded.Config{TrustedProxies: c.trusted}).owner("ada@example.com", "research")
			ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, "X-Forwarded-For", c.header).expect(200)
			if log := ada.do("GET", "/changelog?limit=1", "").body; !strings.Contains(log, `"ip":"`+c.want+`"`) {
				t.Errorf("want %s in %s", c.want, log)
			}
		})
	}
}

// A slug that was given up is free again after 30 days, and not before.
func TestSlugsAreKept(t *testing.T) {
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
