package policy_test

import (
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
				if got := policy.MayChangeRole(actor, target, to); got != allowed[[3]string{actor, target, to}] {
					t.Errorf("%s makes %s %s: %t", actor, target, to, got)
				}
			}
		}
	}
	if policy.IsRole("king") || policy.AtLeast("king", "user") {
		t.Error("king is a role")
	}
}

func FuzzClientIP(f *testing.F) {
	for _, header := range []string{"", "203.0.113.9", "a, b", "[2001:db8::1]:1, 127.0.0.1", "::ffff:127.0.0.1", "fe80::1%eth0", ",,,"} {
		f.Add(header)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	outside := netip.MustParseAddr("198.51.100.7")
	f.Fuzz(func(t *testing.T, header string) {
		if got := policy.ClientIP(outside, []string{header}, trusted); got != outside {
			t.Errorf("a peer that is no proxy is believed: %s", got)
		}
		got := policy.ClientIP(netip.MustParseAddr("::ffff:127.0.0.1"), []string{header}, trusted)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q gives %s", header, got)
		}
	})
}
