package promptrails

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

const (
	addressPart     = 10     // by default, the rate of an address is this part of the overall rate
	siteAddresses   = 4      // an IPv6 /48 has the rate of so many addresses
	limitedNetworks = 10_000 // with a limiter of their own, in about 4 MB
)

// unknownKeyRate limits the verifications of keys that are not cached. Each
// address has a share of the overall rate. An address that has used its share can
// use the overall burst down to the reserve, which is half of it, so that a single
// gateway can use the whole rate, and a flood leaves the reserve to others.
type unknownKeyRate struct {
	perAddress float64 // per second
	burst      int     // of an address
	reserve    float64

	mu      sync.Mutex
	overall *rate.Limiter
	// shares has a limiter for each network. Networks that were not used for the
	// longest time are evicted. To get a full burst by an eviction, a caller needs
	// so many networks that it could exhaust the overall rate without it.
	shares *simplelru.LRU[netip.Prefix, *rate.Limiter]
}

func newUnknownKeyRate(cfg *authenticatorConfig) *unknownKeyRate {
	perAddress, burst := cfg.addressRate, cfg.addressBurst
	if burst == 0 { // without the option
		perAddress, burst = cfg.rate/addressPart, max(cfg.burst/addressPart, 1)
	}
	shares, _ := simplelru.NewLRU[netip.Prefix, *rate.Limiter](limitedNetworks, nil) // fails only for sizes below 1
	return &unknownKeyRate{
		perAddress: perAddress, burst: min(burst, math.MaxInt/siteAddresses), reserve: float64(cfg.burst / 2),
		overall: newLimiter(cfg.rate, cfg.burst), shares: shares,
	}
}

// newLimiter returns a limiter. An infinite rate is rate.Inf, which is finite.
func newLimiter(perSecond float64, burst int) *rate.Limiter {
	return rate.NewLimiter(min(rate.Limit(perSecond), rate.Inf), burst)
}

// rateRefusal is the refusal of a verification. It can succeed after wait.
type rateRefusal struct {
	wait      time.Duration
	byAddress bool // the address exceeds its share; else all addresses exceed the overall rate
}

func (x *rateRefusal) reason() string {
	if x.byAddress {
		return "too many unknown keys from the caller's address; see WithAuthUnknownKeyRatePerAddress"
	}
	return "too many unknown keys; see WithAuthUnknownKeyRate"
}

// take takes a verification for a caller at ip, or returns a refusal and takes
// nothing.
func (u *unknownKeyRate) take(ip netip.Addr, now time.Time) *rateRefusal {
	u.mu.Lock()
	defer u.mu.Unlock()
	var taken []*rate.Reservation
	takeFrom := func(l *rate.Limiter) (wait time.Duration) {
		r := l.ReserveN(now, 1)
		taken = append(taken, r)
		if wait = r.DelayFrom(now); wait > 0 {
			for _, r := range taken {
				r.CancelAt(now)
			}
		}
		return wait
	}
	// A network is added to shares only if the wider one has not used its share.
	// Otherwise one /48 could evict all others.
	for _, n := range networks(ip) {
		if wait := takeFrom(u.share(n)); wait > 0 {
			if u.overall.TokensAt(now) >= u.reserve+1 && u.overall.AllowN(now, 1) {
				return nil
			}
			return &rateRefusal{wait: wait, byAddress: true}
		}
	}
	if wait := takeFrom(u.overall); wait > 0 {
		return &rateRefusal{wait: wait}
	}
	return nil
}

// share returns the limiter of a network.
func (u *unknownKeyRate) share(network netip.Prefix) *rate.Limiter {
	if l, ok := u.shares.Get(network); ok {
		return l
	}
	addresses := 1
	if network.Bits() == siteBits {
		addresses = siteAddresses
	}
	l := newLimiter(u.perAddress*float64(addresses), u.burst*addresses)
	u.shares.Add(network, l)
	return l
}

const (
	siteBits   = 48 // often assigned to one customer
	subnetBits = 64 // a host can use all addresses in it
)

// networks returns the networks whose shares ip uses, the widest first: the
// address itself, or the /48 and the /64 of an IPv6 address. Callers without an
// address share the zero Prefix.
func networks(ip netip.Addr) []netip.Prefix {
	if ip = ip.Unmap(); !ip.Is6() {
		return []netip.Prefix{netip.PrefixFrom(ip, ip.BitLen())}
	}
	site, _ := ip.Prefix(siteBits) // the lengths are valid for IPv6
	subnet, _ := ip.Prefix(subnetBits)
	return []netip.Prefix{site, subnet}
}
