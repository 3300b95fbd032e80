package policy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ForwardedHeaders are the supported headers with the client's address.
var ForwardedHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}

// Proxies are the trusted proxies and the header that they set.
type Proxies struct {
	Prefixes   []netip.Prefix
	UnixSocket bool   // trust a peer without an address
	Header     string // one of ForwardedHeaders; the default is the first
}

// ClientIP returns the address of the client: the address of the peer or, if the
// peer is a trusted proxy, the last address in the header that is not a trusted
// proxy. Each proxy appends the address of its peer, so the earlier hops can be
// forged. If a hop is not an address, such as for=_hidden, ClientIP returns the
// address of the proxy that appended it. The result is the zero Addr if there is
// no trusted address, or if an unterminated quoted string, which can be forged,
// hides the last hop.
func (p Proxies) ClientIP(remoteAddr string, h http.Header) netip.Addr {
	var ip netip.Addr
	if peer, err := netip.ParseAddrPort(remoteAddr); err == nil {
		if ip = peer.Addr().Unmap().WithZone(""); !p.trusts(ip) {
			return ip
		}
	} else if !p.UnixSocket {
		return ip
	}
	for _, hop := range slices.Backward(p.hops(h)) {
		next, ok := parseHop(hop)
		switch {
		case hop == openQuotation:
			return netip.Addr{}
		case !ok:
			return ip
		}
		if ip = next; !p.trusts(ip) {
			return ip
		}
	}
	return ip
}

func (p Proxies) trusts(ip netip.Addr) bool { return within(ip, p.Prefixes) }

func within(ip netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// openQuotation replaces the hops of a Forwarded line with an unterminated quoted
// string, which cannot be split.
const openQuotation = `"`

// hops returns the hops in the header, the nearest one last.
func (p Proxies) hops(h http.Header) []string {
	switch p.Header {
	case "Forwarded":
		// The lines are parsed separately: an unterminated quoted string, which
		// can be forged, must not include the next line.
		var hops []string
		for _, line := range h.Values(p.Header) {
			elements, ok := splitQuoted(line, ',')
			if !ok {
				hops = append(hops, openQuotation)
				continue
			}
			for _, element := range elements {
				hops = append(hops, forwardedFor(element))
			}
		}
		return hops
	case "X-Real-Ip":
		if values := h.Values(p.Header); len(values) == 1 {
			return values
		}
		return nil
	default:
		return strings.Split(strings.Join(h.Values(ForwardedHeaders[0]), ","), ",")
	}
}

// forwardedFor returns the "for" node of a Forwarded element (RFC 7239, section
// 4), or "" if the element does not have exactly one.
func forwardedFor(element string) (node string) {
	pairs, _ := splitQuoted(element, ';') // the quoted strings are terminated
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "for") {
			continue
		}
		if node != "" {
			return ""
		}
		node = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return node
}

// splitQuoted splits s at separators outside quoted strings (RFC 9110, section
// 5.6.4). It reports false if a quoted string is unterminated.
func splitQuoted(s string, separator byte) (parts []string, ok bool) {
	begin, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++ // the next character is quoted
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts, begin = append(parts, s[begin:i]), i+1
		}
	}
	return append(parts, s[begin:]), !quoted
}

// parseHop parses an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return ip.Unmap().WithZone(""), err == nil
}
