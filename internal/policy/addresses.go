package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// ParseAddresses parses an entry of a key's address list: an IPv4 or IPv6
// address or CIDR prefix. An IPv4-mapped IPv6 entry becomes IPv4. A zone or set
// host bits are errors.
func ParseAddresses(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, errors.New("must be an address or a CIDR prefix, such as 203.0.113.9 or 2001:db8::/32")
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("must be an address or a CIDR prefix, such as 203.0.113.9 or 2001:db8::/32")
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, errors.New("must not include more than the IPv4-mapped addresses; use an IPv4 prefix")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, errors.New("has host bits set; use " + p.Masked().String())
	}
	return p, nil
}

// AllowsIP reports whether an address is in a list. An empty list allows any
// address.
func AllowsIP(list []netip.Prefix, ip netip.Addr) bool {
	return len(list) == 0 || within(ip.Unmap().WithZone(""), list)
}

// AddressesWithin reports whether a list is a subset of outer: each entry must
// be within a single entry of outer. An empty list allows any address.
func AddressesWithin(list, outer []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(p netip.Prefix) bool {
		return !slices.ContainsFunc(outer, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
	})
}
