package policy

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Origin is an entry of a key's origin list: a scheme, a host and a port (RFC
// 6454). A wildcard entry matches the subdomains of the host.
type Origin struct {
	scheme, host, port string
	below              bool   // matches the subdomains of host, but not host
	sent               string // as a browser sends it; empty for a wildcard
}

var errOrigin = errors.New("must be an origin such as https://app.example.com or https://*.example.com, without a path")

// ParseOrigin parses an entry of an origin list.
func ParseOrigin(s string) (Origin, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	below := strings.HasPrefix(rest, "*.")
	o, err := parseOrigin(scheme + "://" + strings.TrimPrefix(rest, "*."))
	if !ok || err != nil || below && !strings.Contains(o.host, ".") {
		return Origin{}, errOrigin
	}
	if o.below = below; !below && isASCII(s) {
		o.sent = s
	}
	return o, nil
}

// parseOrigin parses an origin without a wildcard.
func parseOrigin(s string) (Origin, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(u.Host, ":") || strings.ContainsAny(s, "#*\\ ,") {
		return Origin{}, errOrigin
	}
	o := Origin{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port()}
	if !isASCII(o.host) { // browsers send the ASCII form
		if o.host, err = idna.Lookup.ToASCII(o.host); err != nil {
			return Origin{}, errOrigin
		}
	}
	if n, err := strconv.ParseUint(o.port, 10, 16); o.port != "" && (err != nil || n == 0) {
		return Origin{}, errOrigin
	}
	if strings.HasPrefix(o.host, ".") || strings.HasSuffix(o.host, ".") || strings.Contains(o.host, "..") {
		return Origin{}, errOrigin
	}
	if o.port == "" {
		o.port = map[string]string{"https": "443", "http": "80"}[o.scheme]
	}
	return o, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

// covers reports whether o matches every origin that p matches.
func (o Origin) covers(p Origin) bool {
	if o.scheme != p.scheme || o.port != p.port {
		return false
	}
	if o.below {
		return strings.HasSuffix(p.host, "."+o.host) || p.below && p.host == o.host
	}
	return !p.below && o.host == p.host
}

// AllowsOrigin reports whether a list allows the Origin headers of a request. An
// empty list allows any request. Otherwise the request must have exactly one
// Origin header, and it must match an entry.
func AllowsOrigin(list []Origin, headers []string) bool {
	if len(list) == 0 {
		return true
	}
	if len(headers) != 1 {
		return false
	}
	if slices.ContainsFunc(list, func(o Origin) bool { return o.sent == headers[0] && o.sent != "" }) {
		return true // the common case, without parsing
	}
	sent, err := parseOrigin(headers[0])
	return err == nil && slices.ContainsFunc(list, func(o Origin) bool { return o.covers(sent) })
}

// OriginsWithin reports whether a list is a subset of outer: each entry must be
// covered by a single entry of outer. An empty list allows any origin.
func OriginsWithin(list, outer []Origin) bool {
	if len(outer) == 0 {
		return true
	}
	return len(list) > 0 && !slices.ContainsFunc(list, func(p Origin) bool {
		return !slices.ContainsFunc(outer, func(o Origin) bool { return o.covers(p) })
	})
}
