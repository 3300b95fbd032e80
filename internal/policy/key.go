package policy

import (
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// The refusals, in the order in which they are checked.
var (
	KeyUnknown       = &Refusal{Status: http.StatusUnauthorized, Code: "invalid_api_key", Message: "unknown API key"}
	KeyRevoked       = &Refusal{Status: http.StatusUnauthorized, Code: "api_key_revoked", Message: "the API key was revoked"}
	KeyExpired       = &Refusal{Status: http.StatusUnauthorized, Code: "api_key_expired", Message: "the API key has expired"}
	IPNotAllowed     = &Refusal{Status: http.StatusForbidden, Code: "ip_not_allowed", Message: "the API key is not allowed from this address"}
	OriginNotAllowed = &Refusal{Status: http.StatusForbidden, Code: "origin_not_allowed", Message: "the API key is not allowed from this origin"}
	ScopeMissing     = &Refusal{Status: http.StatusForbidden, Code: "insufficient_scope", Message: "the API key lacks a scope"}
)

// Key holds the restrictions of an API key.
type Key[S ~string] struct {
	Scopes    []S
	Addresses []netip.Prefix // empty: any address
	Origins   []Origin       // empty: any origin
	Lifetime
}

// NewKey parses the lists of a key. An invalid address or origin becomes an
// entry that matches no request, so that the list does not become empty.
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

// Lifetime holds the times at which a key expires or is revoked. A zero time
// means never.
type Lifetime struct{ ExpiresAt, OverlapEndsAt, RevokedAt time.Time }

// Revoked reports whether the key was revoked or its overlap is over.
func (l Lifetime) Revoked(at time.Time) bool {
	return !l.RevokedAt.IsZero() || ended(l.OverlapEndsAt, at)
}

// Expired reports whether the key has expired.
func (l Lifetime) Expired(at time.Time) bool { return ended(l.ExpiresAt, at) }

func ended(end, at time.Time) bool { return !end.IsZero() && !at.Before(end) }

// Use describes a request made with a key. Nil fields are not checked.
type Use struct {
	At      time.Time
	IP      *netip.Addr
	Origins *[]string // the Origin headers
}

// Judge checks a use that requires the given scopes. It returns the first reason
// to refuse it, or nil if it is allowed. For [ScopeMissing] it also returns the
// missing scope.
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
