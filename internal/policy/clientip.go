package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// ClientIP returns the address that a request comes from: that of its peer, or,
// where the peer is a trusted proxy, the rightmost hop of X-Forwarded-For that
// is none. Each proxy appends the hop that it saw, so what stands further left
// may be anybody's invention.
func ClientIP(peer netip.Addr, forwardedFor []string, trusted []netip.Prefix) netip.Addr {
	ip := peer.Unmap().WithZone("")
	if !within(ip, trusted) {
		return ip
	}
	hops := strings.Split(strings.Join(forwardedFor, ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			return ip
		}
		if ip = next; !within(ip, trusted) {
			return ip
		}
	}
	return ip
}

// parseHop reads an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return ip.Unmap().WithZone(""), err == nil
}

func within(ip netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}
