package policy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ForwardedHeaders are the headers that can name a caller's address.
var ForwardedHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}

// Proxies are the peers whose header is believed.
type Proxies struct {
	Prefixes   []netip.Prefix
	UnixSocket bool   // trust a peer without an address
	Header     string // one of ForwardedHeaders; the first one by default
}

// ClientIP returns the address that a request comes from: that of its peer, or,
// if the peer is a trusted proxy, the last hop in the header that is not one.
// Each proxy appends the hop that it saw, so anyone may have written the hops
// before. A hop that is no address, such as for=_hidden, is the proxy's to say: the
// address is then the proxy's own. It is not valid if nothing trusted names one, or
// if a quotation that does not end, which anyone may have begun, hides the last hop.
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

// openQuotation stands for a line of Forwarded whose hops cannot be told apart.
const openQuotation = `"`

// hops returns the hops that the header names, the nearest one last.
func (p Proxies) hops(h http.Header) []string {
	switch p.Header {
	case "Forwarded":
		// Line by line: a quotation that does not end in its own line, which
		// anyone may have sent, takes in nothing of the next one.
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

// forwardedFor returns the node of an element of Forwarded (RFC 7239, section
// 4), or "" if it has none, or several.
func forwardedFor(element string) (node string) {
	pairs, _ := splitQuoted(element, ';') // its quotations end
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

// splitQuoted splits s at a separator outside of quoted strings (RFC 9110,
// section 5.6.4). It reports false if one of them does not end.
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

// parseHop reads an address, with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return ip.Unmap().WithZone(""), err == nil
}
