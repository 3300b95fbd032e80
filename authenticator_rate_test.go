package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// gateway is an authenticator's middleware whose verifier accepts the keys that
// contain "valid".
type gateway struct {
	t       *testing.T
	auth    *promptrails.Authenticator
	handler http.Handler
	keys    int
}

func newGateway(t *testing.T, opts ...promptrails.AuthenticatorOption) *gateway {
	t.Helper()
	verify := verifier(func(_ context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
		if strings.Contains(key.Reveal(), "valid") {
			return &promptrails.APIKey{ID: "k", WorkspaceID: "w"}, nil
		}
		return nil, promptrails.ErrUnauthorized
	})
	auth := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, append(opts, promptrails.WithAuthVerifier(verify))...))
	return &gateway{t: t, auth: auth, handler: auth.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
}

// request sends a request with a new key from a peer, such as 192.0.2.1:80.
func (g *gateway) request(kind, peer, forwarded string) *httptest.ResponseRecorder {
	g.t.Helper()
	g.keys++
	r := httptest.NewRequestWithContext(g.t.Context(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = peer
	r.Header.Set("X-API-Key", fmt.Sprintf("pr_live_%s%d", kind, g.keys))
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

// flood sends n requests with invalid keys from the peer and header that from
// returns.
func (g *gateway) flood(n int, from func(i int) (peer, forwarded string)) {
	g.t.Helper()
	for i := range n {
		peer, forwarded := from(i)
		g.request("invented", peer, forwarded)
	}
}

// admits checks that n new valid keys are accepted.
func (g *gateway) admits(n int, whose string, from func(i int) (peer, forwarded string)) {
	g.t.Helper()
	accepted := 0
	for i := range n {
		peer, forwarded := from(i)
		if g.request("valid", peer, forwarded).Code == http.StatusOK {
			accepted++
		}
	}
	if accepted != n {
		g.t.Errorf("%d new valid keys %s: got %d accepted, want all", n, whose, accepted)
	}
}

// peers returns the peers that format describes, such as 192.0.2.%d:80.
func peers(format string) func(i int) (peer, forwarded string) {
	return func(i int) (string, string) { return fmt.Sprintf(format, i), "" }
}

// During a flood of invalid keys from a few callers, new valid keys from others are
// accepted. A caller cannot get more than its share with forged headers or many
// IPv6 addresses.
func TestFloodDoesNotAffectOtherAddresses(t *testing.T) {
	t.Parallel()
	const proxy = "10.0.0.1:80"
	behindProxy := func(format string) func(i int) (peer, forwarded string) {
		return func(i int) (string, string) { return proxy, fmt.Sprintf(format, i) }
	}
	trusting := []promptrails.AuthenticatorOption{promptrails.WithAuthTrustedProxies(netip.MustParsePrefix("10.0.0.0/8"))}
	for name, c := range map[string]struct {
		opts          []promptrails.AuthenticatorOption
		flood         func(i int) (peer, forwarded string)
		others, other func(i int) (peer, forwarded string)
	}{
		"four addresses": {
			flood: func(i int) (string, string) { return fmt.Sprintf("192.0.2.%d:%d", i%4, i), "" },
		},
		"four IPv6 subnets": {
			flood: func(i int) (string, string) { return fmt.Sprintf("[2001:db8:%d:0:%x::1]:80", i%4, i), "" },
		},
		"an IPv6 site": {
			flood: peers("[2001:db8:1:%x::1]:80"),
		},
		"callers without an address": {
			flood: func(i int) (string, string) { return "@", fmt.Sprintf("192.0.2.%d", i%250) },
		},
		"a forged header": {
			flood: func(i int) (string, string) { return "192.0.2.1:80", fmt.Sprintf("192.0.3.%d", i%250) },
		},
		"a forged header through a trusted proxy": {
			opts:   trusting,
			flood:  func(i int) (string, string) { return proxy, fmt.Sprintf("192.0.3.%d, 192.0.2.1", i%250) },
			others: behindProxy("198.51.100.%d"), other: behindProxy("203.0.113.9:%d"),
		},
		"a header that is not an address": {
			opts:   trusting,
			flood:  behindProxy("192.0.3.1, unknown%d"),
			others: behindProxy("198.51.100.%d"), other: behindProxy("203.0.113.9:%d"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if c.others == nil {
					c.others, c.other = peers("198.51.100.%d:80"), peers("203.0.113.9:%d")
				}
				g := newGateway(t, c.opts...)
				for range 5 {
					g.flood(2000, c.flood)
					g.admits(100, "from 100 other addresses", c.others)
					g.admits(100, "from one other address", c.other)
					if s := g.auth.Stats(); s.AddressRateRefusals == 0 || s.AddressRateRefusals != s.RateRefusals {
						t.Errorf("Stats: got %d AddressRateRefusals and %d RateRefusals, want the same number, above 0", s.AddressRateRefusals, s.RateRefusals)
					}
					time.Sleep(10 * time.Second)
				}
			})
		})
	}
}

// Four addresses that save their shares while one of them uses up the first half
// of the burst leave 100 verifications at once and 60 per second.
func TestFloodOfSavedShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		for range 100 { // 10 s, which fill the shares of the other three
			g.flood(200, peers("192.0.2.0:%d"))
			time.Sleep(100 * time.Millisecond)
		}
		four := func(i int) (string, string) { return fmt.Sprintf("192.0.2.%d:80", i%4), "" }
		g.flood(2000, four)
		g.admits(100, "from 100 other addresses", peers("198.51.100.%d:80"))
		for i := range 5 {
			time.Sleep(time.Second)
			g.flood(2000, four)
			g.admits(60, "from 60 other addresses, a second later", peers(fmt.Sprintf("203.0.%d.%%d:80", i)))
		}
	})
}

// An address can use the overall rate, and half of the burst, if no other does.
func TestSingleAddressUsesTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.admits(500, "from one address", peers("192.0.2.1:%d"))
		for range 3 {
			if got := g.request("valid", "192.0.2.1:80", "").Code; got != http.StatusServiceUnavailable {
				t.Errorf("a key beyond the rate: got status %d, want 503", got)
			}
			time.Sleep(time.Second)
			g.admits(100, "from one address, a second later", peers("192.0.2.1:%d"))
		}
	})
}

// The largest and the smallest rates are valid.
func TestExtremeUnknownKeyRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		largest, smallest := math.Inf(1), math.SmallestNonzeroFloat64
		for name, c := range map[string]struct {
			opts []promptrails.AuthenticatorOption
			want int // of 2000 keys
		}{
			"largest":             {[]promptrails.AuthenticatorOption{promptrails.WithAuthUnknownKeyRate(largest, math.MaxInt)}, 2000},
			"largest per address": {[]promptrails.AuthenticatorOption{promptrails.WithAuthUnknownKeyRate(1, 2000), promptrails.WithAuthUnknownKeyRatePerAddress(largest, math.MaxInt)}, 2000},
			"largest burst":       {[]promptrails.AuthenticatorOption{promptrails.WithAuthUnknownKeyRate(1, 2000), promptrails.WithAuthUnknownKeyRatePerAddress(1, math.MaxInt)}, 2000},
			"smallest":            {[]promptrails.AuthenticatorOption{promptrails.WithAuthUnknownKeyRate(smallest, 1)}, 1},
		} {
			for _, peer := range []string{"192.0.2.1:%d", "[2001:db8::1]:%d"} {
				g := newGateway(t, c.opts...)
				g.flood(2000, peers(peer))
				if got := int(g.auth.Stats().Verifications); got != c.want {
					t.Errorf("%s: 2000 keys from %s: got %d verifications, want %d", name, peer, got, c.want)
				}
			}
		}
	})
}

// WithAuthUnknownKeyRatePerAddress sets the share of an address. Retry-After is the
// time until the limit that refused a key admits another one. Refusals use up
// neither rate.
func TestUnknownKeyRatePerAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t, promptrails.WithAuthUnknownKeyRate(0.5, 10), promptrails.WithAuthUnknownKeyRatePerAddress(0.05, 2))
		refused := func(peer, want string) {
			t.Helper()
			w := g.request("valid", peer, "")
			if got := w.Header().Get("Retry-After"); w.Code != http.StatusServiceUnavailable || got != want {
				t.Errorf("a key beyond the rate: got status %d and Retry-After %q, want 503 and %q", w.Code, got, want)
			}
		}
		g.admits(5, "from one address", peers("192.0.2.1:%d")) // its share, and down to half of the burst
		refused("192.0.2.1:80", "20")
		time.Sleep(time.Second)
		refused("192.0.2.1:80", "19")
		refused("192.0.2.1:80", "19")
		g.admits(5, "from other addresses", peers("198.51.100.%d:80"))
		refused("203.0.113.1:80", "1")
		refused("203.0.113.1:80", "1")
		if s := g.auth.Stats(); s.RateRefusals != 5 || s.AddressRateRefusals != 3 {
			t.Errorf("Stats: got %d RateRefusals and %d AddressRateRefusals, want 5 and 3", s.RateRefusals, s.AddressRateRefusals)
		}
		time.Sleep(3 * time.Second)
		g.admits(2, "from an address that was refused by the overall rate", peers("203.0.113.1:%d"))
	})
}

// IPv4-mapped IPv6 addresses are counted as IPv4 addresses, not as one subnet.
func TestUnknownKeyRateOfMappedAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newGateway(t).auth
		use := func(key, ip string) error {
			_, err := a.Authenticate(t.Context(), key, promptrails.AuthRequest{IP: netip.MustParseAddr("::ffff:" + ip)})
			return err
		}
		for i := range 1000 {
			_ = use(fmt.Sprintf("pr_live_invented%d", i), "192.0.2.1")
		}
		if err := use("pr_live_valid", "192.0.2.1"); !errors.Is(err, promptrails.ErrUnavailable) {
			t.Errorf("a new key from the address of a flood: got %v, want ErrUnavailable", err)
		}
		if err := use("pr_live_valid", "198.51.100.1"); err != nil {
			t.Errorf("a new key from another address: got %v, want success", err)
		}
	})
}

// A flood from one IPv6 site does not evict an address that has used its share.
func TestIPv6SiteDoesNotEvictAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.flood(1000, peers("192.0.2.1:%d"))
		g.flood(20_000, peers("[2001:db8:1:%x::1]:80"))
		if got := g.request("valid", "192.0.2.1:80", "").Code; got != http.StatusServiceUnavailable {
			t.Errorf("a key from an address that has used its share: got status %d, want 503", got)
		}
	})
}
