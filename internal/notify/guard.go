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

// Guard prevents notifications from being sent to addresses that are not
// public, such as the host, its network and cloud metadata services. The URL is
// checked when it is saved, to report a clear error. The address is checked
// again when it is dialled, because the name may resolve differently then.
type Guard struct {
	AllowLoopback bool          // also allows http to loopback; for tests
	Resolver      *net.Resolver // nil: the system's resolver
}

// wireServer is the address of Azure's WireServer, which is internal to Azure
// although it is in a public range.
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

// URLFault describes what is wrong with a notification URL, or returns "" if it
// is valid. It does not resolve the host name.
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
		return "must not contain a user name or password"
	case strings.Contains(raw, shownRest):
		return "must be the complete URL, not the shortened form in responses"
	case u.Port() != "" && !isPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return "must have a port from 1 to 65535, or no port"
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
		return "must have an ASCII host name (xn--… for other letters) or an IP address"
	case numberForm.MatchString(host[strings.LastIndexByte(host, '.')+1:]):
		// Some resolvers parse such a host as an address, in different ways.
		return "must have an IPv4 address in the form 192.0.2.1"
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

// NameFault resolves the host of a URL and describes what is wrong with the
// addresses. It returns "" if they are public or if the name does not resolve:
// the address is checked again when it is dialled.
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

// shownRest replaces everything after the host of a URL in responses.
const shownRest = "…"

// Show returns the parts of a URL that are not secret: the scheme and the host.
func Show(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return shownRest
	}
	return u.Scheme + "://" + u.Host + "/" + shownRest
}
