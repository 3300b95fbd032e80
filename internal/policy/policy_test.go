package policy_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

func TestMayChangeRole(t *testing.T) {
	t.Parallel()
	allowed := map[[3]string]bool{
		{"owner", "admin", "user"}: true, {"owner", "admin", "admin"}: true, {"owner", "admin", "owner"}: true,
		{"owner", "user", "user"}: true, {"owner", "user", "admin"}: true, {"owner", "user", "owner"}: true,
		{"admin", "user", "user"}: true, {"admin", "user", "admin"}: true,
	}
	roles := []string{"owner", "admin", "user"}
	for _, actor := range roles {
		for _, target := range roles {
			for _, to := range roles {
				t.Run(fmt.Sprintf("%s changes %s to %s", actor, target, to), func(t *testing.T) {
					t.Parallel()
					if got := policy.MayChangeRole(actor, target, to); got != allowed[[3]string{actor, target, to}] {
						t.Errorf("MayChangeRole(%s, %s, %s): got %t, want %t", actor, target, to, got, !got)
					}
				})
			}
		}
	}
	if policy.IsRole("king") || policy.AtLeast("king", "user") {
		t.Error("IsRole and AtLeast with the unknown role king: got true, want false")
	}
}

// The client's address is the last one in the header that is not a trusted proxy.
// Only headers of trusted proxies are used.
func TestClientIP(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		proxies policy.Proxies
		peer    string
		header  []string // name, value, …
		want    string   // empty: no address
	}{
		"no proxy":                  {policy.Proxies{}, "198.51.100.7:1", []string{"X-Forwarded-For", "203.0.113.9"}, "198.51.100.7"},
		"an untrusted peer":         {policy.Proxies{Prefixes: trusted}, "198.51.100.7:1", []string{"X-Forwarded-For", "203.0.113.9"}, "198.51.100.7"},
		"a proxy":                   {policy.Proxies{Prefixes: trusted}, "10.0.0.1:1", []string{"X-Forwarded-For", "192.0.2.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"another header":            {policy.Proxies{Prefixes: trusted}, "10.0.0.1:1", []string{"Forwarded", "for=203.0.113.9", "X-Real-IP", "203.0.113.9"}, "10.0.0.1"},
		"Forwarded":                 {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", `for=192.0.2.1, For="[2001:db8::1]:4711";proto=https;by=10.0.0.1, for=10.0.0.2`}, "2001:db8::1"},
		"Forwarded, not the other":  {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"X-Forwarded-For", "203.0.113.9"}, "10.0.0.1"},
		"Forwarded, hidden":         {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", "for=192.0.2.1, for=_hidden"}, "10.0.0.1"},
		"Forwarded, a quoted comma": {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", `for=203.0.113.9;host="a,for=192.0.2.1"`}, "203.0.113.9"},
		"Forwarded, twice":          {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", "for=203.0.113.9;for=192.0.2.1"}, "10.0.0.1"},
		"Forwarded, an open quote":  {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", `for=192.0.2.1;x="`, "Forwarded", "for=203.0.113.9"}, "203.0.113.9"},
		"Forwarded, an open line":   {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", `for=192.0.2.1;x=", for=203.0.113.9`}, ""},
		"Forwarded, escapes":        {policy.Proxies{Prefixes: trusted, Header: "Forwarded"}, "10.0.0.1:1", []string{"Forwarded", `for=192.0.2.1;x="a\\", for="203.0.113.9"`}, "203.0.113.9"},
		"not an address":            {policy.Proxies{Prefixes: trusted}, "10.0.0.1:1", []string{"X-Forwarded-For", "203.0.113.9, unknown"}, "10.0.0.1"},
		"an empty header":           {policy.Proxies{Prefixes: trusted}, "10.0.0.1:1", []string{"X-Forwarded-For", ""}, "10.0.0.1"},
		"no header":                 {policy.Proxies{Prefixes: trusted}, "10.0.0.1:1", nil, "10.0.0.1"},
		"X-Real-IP":                 {policy.Proxies{Prefixes: trusted, Header: "X-Real-Ip"}, "10.0.0.1:1", []string{"X-Real-IP", "203.0.113.9"}, "203.0.113.9"},
		"X-Real-IP, twice":          {policy.Proxies{Prefixes: trusted, Header: "X-Real-Ip"}, "10.0.0.1:1", []string{"X-Real-IP", "203.0.113.9", "X-Real-IP", "192.0.2.1"}, "10.0.0.1"},
		"X-Real-IP, a list":         {policy.Proxies{Prefixes: trusted, Header: "X-Real-Ip"}, "10.0.0.1:1", []string{"X-Real-IP", "192.0.2.1, 203.0.113.9"}, "10.0.0.1"},
		"a socket":                  {policy.Proxies{Prefixes: trusted}, "@", []string{"X-Forwarded-For", "203.0.113.9"}, ""},
		"a trusted socket":          {policy.Proxies{UnixSocket: true}, "@", []string{"X-Forwarded-For", "192.0.2.1, 203.0.113.9"}, "203.0.113.9"},
		"a trusted socket, bare":    {policy.Proxies{UnixSocket: true}, "", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for i := 0; i < len(c.header); i += 2 {
				h.Add(c.header[i], c.header[i+1])
			}
			got := ""
			if ip := c.proxies.ClientIP(c.peer, h); ip.IsValid() {
				got = ip.String()
			}
			if got != c.want {
				t.Errorf("ClientIP: got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzClientIP(f *testing.F) {
	for _, header := range []string{"", "203.0.113.9", "a, b", "[2001:db8::1]:1, 127.0.0.1", "::ffff:127.0.0.1", "fe80::1%eth0", ",,,", `for="[2001:db8::1]:1";by=x, for=_a`, `"`} {
		f.Add(header)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	f.Fuzz(func(t *testing.T, value string) {
		for _, header := range policy.ForwardedHeaders {
			p, h := policy.Proxies{Prefixes: trusted, Header: header}, http.Header{header: {value}}
			if got := p.ClientIP("198.51.100.7:1", h); got.String() != "198.51.100.7" {
				t.Errorf("%s %q of an untrusted peer: got %s, want the peer's address", header, value, got)
			}
			if got := p.ClientIP("[::ffff:127.0.0.1]:1", h); got.Zone() != "" || got.Is4In6() {
				t.Errorf("%s %q: got %s, want an address without zone and not IPv4-mapped", header, value, got)
			}
			if header == "X-Real-Ip" { // proxies do not append to it
				continue
			}
			h.Add(header, map[string]string{"Forwarded": "for=203.0.113.9"}[header]+map[string]string{"X-Forwarded-For": "203.0.113.9"}[header])
			if got := p.ClientIP("127.0.0.1:1", h); got.String() != "203.0.113.9" {
				t.Errorf("%s %q: got %s, want the hop that the proxy added", header, value, got)
			}
		}
	})
}
