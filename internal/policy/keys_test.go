package policy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		granted, required string
		want              bool
	}{
		{"*", "members:write", true},
		{"members:read", "members:read", true},
		{"members:read", "members:write", false},
		{"members:write", "members:read", false},
		{"agent_triggers:read", "webhook_triggers:read", true},
		{"webhook_triggers:write", "agent_triggers:write", true},
		{"webhook_triggers:write", "agent_triggers:read", false},
		{"unknown:scope", "unknown:scope", true},
		{"members:*", "members:read", false},
		{"", "members:read", false},
		{"members:read", "*", false},
		{"*", "*", true},
	} {
		t.Run(fmt.Sprintf("%s by %s", c.required, c.granted), func(t *testing.T) {
			t.Parallel()
			if got := policy.Covers(strings.Fields(c.granted), c.required); got != c.want {
				t.Errorf("Covers(%q, %q): got %t, want %t", c.granted, c.required, got, c.want)
			}
		})
	}
	if policy.CoversAll([]string{"members:read"}, []string{"members:read", "members:write"}) {
		t.Error("CoversAll with a scope that is not granted: got true, want false")
	}
	if !policy.CoversAll([]string{"members:read"}, nil) {
		t.Error("CoversAll without scopes: got false, want true")
	}
}

// addresses parses a list of addresses that are separated by spaces.
func addresses(t *testing.T, list string) (prefixes []netip.Prefix) {
	t.Helper()
	for s := range strings.FieldsSeq(list) {
		p, err := policy.ParseAddresses(s)
		if err != nil {
			t.Fatalf("ParseAddresses(%q): got %v, want no error", s, err)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "10.1.2.3/8", "10.1.2.3/33", "fe80::1%eth0", "fe80::/10%eth0", "example.com", "10.0.0.0/08", "::ffff:0:0/90", "::ffff:10.1.2.3/104", " 10.0.0.1"} {
		t.Run("invalid "+s, func(t *testing.T) {
			t.Parallel()
			if p, err := policy.ParseAddresses(s); err == nil {
				t.Errorf("ParseAddresses(%q): got %s, want an error", s, p)
			}
		})
	}
	for _, c := range []struct {
		list, ip string
		want     bool
	}{
		{"", "203.0.113.9", true},
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"2001:db8::/32", "2001:db8::1%eth0", true},
		{"203.0.113.9", "203.0.113.8", false},
	} {
		t.Run(fmt.Sprintf("allows %s in %s", c.ip, c.list), func(t *testing.T) {
			t.Parallel()
			if got := policy.AllowsIP(addresses(t, c.list), netip.MustParseAddr(c.ip)); got != c.want {
				t.Errorf("AllowsIP(%q, %s): got %t, want %t", c.list, c.ip, got, c.want)
			}
		})
	}
	if policy.AllowsIP(addresses(t, "0.0.0.0/0"), netip.Addr{}) {
		t.Error("AllowsIP with the zero Addr: got true, want false")
	}
	for _, c := range []struct {
		list, outer string
		want        bool
	}{
		{"10.1.0.0/16", "10.0.0.0/8", true},
		{"10.0.0.0/8", "10.1.0.0/16", false},
		{"", "10.0.0.0/8", false},
		{"10.0.0.0/8", "", true},
		{"", "", true},
		{"10.0.0.1 11.0.0.1", "10.0.0.0/8", false},
		{"2001:db8::1", "0.0.0.0/0", false},
	} {
		t.Run(fmt.Sprintf("%s within %s", c.list, c.outer), func(t *testing.T) {
			t.Parallel()
			if got := policy.AddressesWithin(addresses(t, c.list), addresses(t, c.outer)); got != c.want {
				t.Errorf("AddressesWithin(%q, %q): got %t, want %t", c.list, c.outer, got, c.want)
			}
		})
	}
}

// origins parses a list of origins that are separated by spaces.
func origins(t *testing.T, list string) (all []policy.Origin) {
	t.Helper()
	for s := range strings.FieldsSeq(list) {
		o, err := policy.ParseOrigin(s)
		if err != nil {
			t.Fatalf("ParseOrigin(%q): got %v, want no error", s, err)
		}
		all = append(all, o)
	}
	return all
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "*", "null", "example.com", "ftp://example.com", "https://", "https://*", "https://*.com", "https://a.*.com", "https://example.com/", "https://example.com/a", "https://u@example.com", "https://example.com?", "https://example.com:", "https://example.com.", "https://.example.com", "https://*.*.example.com", "https://a,b.example.com"} {
		t.Run("invalid "+s, func(t *testing.T) {
			t.Parallel()
			if _, err := policy.ParseOrigin(s); err == nil {
				t.Errorf("ParseOrigin(%q): got no error, want one", s)
			}
		})
	}
	const wild = "https://*.example.com"
	for _, c := range []struct {
		list string
		sent []string
		want bool
	}{
		{"", nil, true},
		{"", []string{"https://a.example.com", "null"}, true},
		{"https://app.example.com", []string{"https://app.example.com"}, true},
		{"https://app.example.com", []string{"https://APP.example.com:443"}, true},
		{"https://app.example.com", []string{"http://app.example.com"}, false},
		{"https://app.example.com", []string{"https://app.example.com:8443"}, false},
		{"https://app.example.com:8443", []string{"https://app.example.com:8443"}, true},
		{"https://app.example.com", []string{"https://app.example.com.evil.com"}, false},
		{"https://app.example.com", []string{"null"}, false},
		{"https://app.example.com", nil, false},
		{"https://app.example.com", []string{"https://app.example.com", "https://app.example.com"}, false},
		{wild, []string{"https://a.example.com"}, true},
		{wild, []string{"https://a.b.example.com"}, true},
		{wild, []string{"https://example.com"}, false},
		{wild, []string{"https://evilexample.com"}, false},
		{wild, []string{"https://*.example.com"}, false},
		{wild, []string{"https://a.example.com/"}, false},
		{"http://localhost:3000", []string{"http://localhost:3000"}, true},
	} {
		t.Run(fmt.Sprintf("allows %q in %s", c.sent, c.list), func(t *testing.T) {
			t.Parallel()
			if got := policy.AllowsOrigin(origins(t, c.list), c.sent); got != c.want {
				t.Errorf("AllowsOrigin(%q, %q): got %t, want %t", c.list, c.sent, got, c.want)
			}
		})
	}
	for _, c := range []struct {
		list, outer string
		want        bool
	}{
		{"https://a.example.com", wild, true},
		{"https://*.a.example.com", wild, true},
		{wild, wild, true},
		{wild, "https://a.example.com", false},
		{"https://example.com", wild, false},
		{"", wild, false},
		{wild, "", true},
	} {
		t.Run(fmt.Sprintf("%s within %s", c.list, c.outer), func(t *testing.T) {
			t.Parallel()
			if got := policy.OriginsWithin(origins(t, c.list), origins(t, c.outer)); got != c.want {
				t.Errorf("OriginsWithin(%q, %q): got %t, want %t", c.list, c.outer, got, c.want)
			}
		})
	}
}

func FuzzAddresses(f *testing.F) {
	f.Add("10.0.0.0/8", "10.1.2.3")
	f.Add("::ffff:10.0.0.0/104", "::ffff:10.1.2.3")
	f.Add("fe80::/10", "fe80::1%eth0")
	f.Fuzz(func(t *testing.T, entry, ip string) {
		p, err := policy.ParseAddresses(entry)
		if err != nil {
			return
		}
		if again, err := policy.ParseAddresses(p.String()); err != nil || again != p {
			t.Errorf("ParseAddresses(%q), parsed from %q: got %s, %v, want the same prefix", p.String(), entry, again, err)
		}
		list := []netip.Prefix{p}
		if !policy.AllowsIP(list, p.Addr()) || !policy.AddressesWithin(list, list) {
			t.Errorf("AllowsIP and AddressesWithin of %s in itself: got false, want true", p)
		}
		if addr, err := netip.ParseAddr(ip); err == nil && policy.AllowsIP(list, addr) != policy.AllowsIP(list, addr.Unmap()) {
			t.Errorf("AllowsIP(%s, %s): got %t, want the same as for %s", p, addr, policy.AllowsIP(list, addr), addr.Unmap())
		}
	})
}

func FuzzOrigins(f *testing.F) {
	f.Add("https://*.example.com", "https://a.example.com")
	f.Add("https://app.example.com:8443", "https://app.example.com.evil.com")
	f.Add("http://[::1]:80", "http://[::1]")
	f.Fuzz(func(t *testing.T, entry, sent string) {
		o, err := policy.ParseOrigin(entry)
		if err != nil {
			return
		}
		list := []policy.Origin{o}
		if !policy.OriginsWithin(list, list) {
			t.Errorf("OriginsWithin(%q, %q): got false, want true", entry, entry)
		}
		if strings.Contains(entry, "*") == policy.AllowsOrigin(list, []string{entry}) {
			t.Errorf("AllowsOrigin(%q, %q): got %t, want %t", entry, entry, strings.Contains(entry, "*"), !strings.Contains(entry, "*"))
		}
		if policy.AllowsOrigin(list, []string{sent}) {
			host := strings.TrimPrefix(strings.ToLower(entry[strings.Index(entry, "://")+3:]), "*")
			if name, _, _ := strings.Cut(host, ":"); !strings.Contains(strings.ToLower(sent), name) {
				t.Errorf("AllowsOrigin(%q, %q): got true, want false", entry, sent)
			}
		}
	})
}
