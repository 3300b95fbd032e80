package notify

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Guard keeps notifications away from what is not public: the machine itself,
// its network, and what a cloud offers to its machines. It looks at a URL when
// one is saved, for the sake of a clear error, and at the address that is
// dialled, for the sake of safety: what a name leads to may change in between.
type Guard struct {
	AllowLoopback bool          // and http to it: for tests
	Resolver      *net.Resolver // nil: the system's
}

// wireServer answers the machines of Azure, at an address that is public by its
// number.
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

func (g Guard) guardian() *ssrf.Guardian {
	options := []ssrf.Option{ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(wireServer)}
	if g.AllowLoopback {
		options = append(options,
			ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.0/8")), ssrf.WithAllowedV6Prefixes(netip.MustParsePrefix("::1/128")))
	}
	return ssrf.New(options...)
}

// isRefused reports whether the guard refused an address.
func isRefused(err error) bool {
	return errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) || errors.Is(err, ssrf.ErrInvalidHostPort)
}

const (
	maxURL        = 2048
	lookupTimeout = 2 * time.Second
)

// URLFault says what is wrong with a URL that notifications are to be sent to,
// as far as that can be seen without asking anybody.
func (g Guard) URLFault(raw string) string {
	if len(raw) > maxURL {
		return "must be at most 2048 bytes"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return "must be a URL such as https://example.com/hooks/1"
	}
	host := hostOf(u)
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !g.AllowLoopback || !isLoopback(host)):
		return "must begin with https://"
	case u.User != nil:
		return "must not hold a user name or password"
	case strings.Contains(raw, shownRest):
		return "must be the whole URL, not what answers show of it"
	case u.Port() != "" && !isPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return "must have a port from 1 to 65535, or none"
	}
	return g.hostFault(host)
}

func hostOf(u *url.URL) string { return strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) }

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

const notPublic = "must lead to a public address"

var (
	hostForm   = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)
	numberForm = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)
)

func (g Guard) hostFault(host string) string {
	if address, err := netip.ParseAddr(host); err == nil {
		if !g.isAllowed(address) {
			return notPublic
		}
		return ""
	}
	switch {
	case !hostForm.MatchString(host) || len(host) > 253:
		return "must name a host in ASCII (xn--… for other letters) or by its address"
	case numberForm.MatchString(host[strings.LastIndexByte(host, '.')+1:]):
		// Some resolvers read such a thing as an address, each in its own way.
		return "must not write an address in any other way than 192.0.2.1"
	case isLocalName(host) && !g.AllowLoopback:
		return notPublic
	default:
		return ""
	}
}

func isLocalName(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return isLocalName(host) || err == nil && address.Unmap().IsLoopback()
}

func (g Guard) isAllowed(a netip.Addr) bool {
	return g.guardian().SafeAddr(a.Unmap()) == nil
}

// NameFault says what is wrong with the addresses that the URL's host resolves
// to, now. A name that does not resolve is no fault: it is looked at again when
// it is dialled.
func (g Guard) NameFault(ctx context.Context, raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	resolver := g.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addresses, err := resolver.LookupNetIP(ctx, "ip", hostOf(u))
	if err != nil {
		return ""
	}
	for _, address := range addresses {
		if !g.isAllowed(address) {
			return notPublic
		}
	}
	return ""
}

// shownRest stands in answers for all of a URL behind its host.
const shownRest = "…"

// Show returns of a URL what is no secret: the scheme and the host.
func Show(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return shownRest
	}
	return u.Scheme + "://" + u.Host + "/" + shownRest
}
