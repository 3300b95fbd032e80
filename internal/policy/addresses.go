package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// ParseAddresses reads an entry of a key's address list: an address or a CIDR
// prefix of either family. An IPv4-mapped IPv6 one is IPv4; a zone and host
// bits are errors.
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
			return netip.Prefix{}, errors.New("must not reach from mapped IPv4 into IPv6; write the IPv4 prefix")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return netip.Prefix{}, errors.New("has host bits set; write " + p.Masked().String())
	}
	return p, nil
}

// AllowsIP reports whether an address is in a list; an empty one allows any.
func AllowsIP(list []netip.Prefix, ip netip.Addr) bool {
	return len(list) == 0 || within(ip.Unmap().WithZone(""), list)
}

// AddressesWithin reports whether a list allows nothing that outer does not.
// Each entry must lie in one of outer's; an empty list is everything.
func AddressesWithin(list, outer []netip.Prefix) bool {
	if len(outer) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(p netip.Prefix) bool {
		return !slices.ContainsFunc(outer, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
	})
}
