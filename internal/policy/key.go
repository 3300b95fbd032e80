package policy

import (
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// The refusals, in the order in which a key is judged.
var (
	KeyUnknown       = &Refusal{Status: http.StatusUnauthorized, Code: "invalid_api_key", Message: "the API key is not known here"}
	KeyRevoked       = &Refusal{Status: http.StatusUnauthorized, Code: "api_key_revoked", Message: "the API key was revoked"}
	KeyExpired       = &Refusal{Status: http.StatusUnauthorized, Code: "api_key_expired", Message: "the API key has expired"}
	IPNotAllowed     = &Refusal{Status: http.StatusForbidden, Code: "ip_not_allowed", Message: "the API key is not allowed from this address"}
	OriginNotAllowed = &Refusal{Status: http.StatusForbidden, Code: "origin_not_allowed", Message: "the API key is not allowed from this origin"}
	ScopeMissing     = &Refusal{Status: http.StatusForbidden, Code: "insufficient_scope", Message: "the API key lacks a scope"}
)

// Key is what an API key may do, from where, and until when.
type Key[S ~string] struct {
	Scopes    []S
	Addresses []netip.Prefix // none: from anywhere
	Origins   []Origin       // none: from anywhere
	Lifetime
}

// NewKey reads the lists of a key. What is no address or origin stays in its
// list and allows nothing.
func NewKey[S ~string](scopes []S, ips, origins []string, life Lifetime) *Key[S] {
	k := &Key[S]{Scopes: scopes, Addresses: make([]netip.Prefix, len(ips)), Origins: make([]Origin, len(origins)), Lifetime: life}
	for i, s := range ips {
		k.Addresses[i], _ = ParseAddresses(s)
	}
	for i, s := range origins {
		k.Origins[i], _ = ParseOrigin(s)
	}
	return k
}

// Lifetime is when a key ends; a zero time is never.
type Lifetime struct{ ExpiresAt, OverlapEndsAt, RevokedAt time.Time }

// Revoked reports whether the key was revoked, or its overlap has ended.
func (l Lifetime) Revoked(at time.Time) bool {
	return !l.RevokedAt.IsZero() || ended(l.OverlapEndsAt, at)
}

// Expired reports whether the key has reached its expiry.
func (l Lifetime) Expired(at time.Time) bool { return ended(l.ExpiresAt, at) }

func ended(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

// Use is when, and whence, a key is used. What is nil is not judged.
type Use struct {
	At      time.Time
	IP      *netip.Addr
	Origins *[]string // the Origin headers
}

// Judge returns the first reason to refuse a use that takes these scopes, and
// the one that is missing where that is the reason; nil where there is none.
func (k *Key[S]) Judge(use Use, scopes ...S) (*Refusal, S) {
	switch {
	case k.Revoked(use.At):
		return KeyRevoked, ""
	case k.Expired(use.At):
		return KeyExpired, ""
	case use.IP != nil && !AllowsIP(k.Addresses, *use.IP):
		return IPNotAllowed, ""
	case use.Origins != nil && !AllowsOrigin(k.Origins, *use.Origins):
		return OriginNotAllowed, ""
	}
	if i := slices.IndexFunc(scopes, func(s S) bool { return !Covers(k.Scopes, s) }); i >= 0 {
		return ScopeMissing, scopes[i]
	}
	return nil, ""
}
