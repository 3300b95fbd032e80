package service

import (
	"fmt"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// keyFaults validates the fields of a key.
func (x *Session) keyFaults(k *promptrails.APIKey, expiryGiven bool) faults {
	bad := faults{}
	bad.add("name", nameFault(k.Name))
	bad.add("scopes", scopesFault(k.Scopes))
	bad.add("allowed_ips", listFault(k.AllowedIPs, func(s string) error { _, err := policy.ParseAddresses(s); return err }))
	bad.add("allowed_origins", listFault(k.AllowedOrigins, func(s string) error { _, err := policy.ParseOrigin(s); return err }))
	if expiryGiven && !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(x.now) {
		bad.add("expires_at", "must be in the future")
	}
	return bad
}

// expiryFault refuses the zero [time.Time], which Go programs send if the time
// is not set.
func expiryFault(at Nullable[time.Time]) error {
	if at.Given && !at.Null && at.Value.IsZero() {
		return invalid("expires_at", "must be in the future; use null or omit it for a key that does not expire")
	}
	return nil
}

// unique returns scopes without duplicates, in the same order.
func unique(scopes promptrails.Scopes) promptrails.Scopes {
	var distinct promptrails.Scopes
	for _, s := range scopes {
		if !slices.Contains(distinct, s) {
			distinct = append(distinct, s)
		}
	}
	return distinct
}

func scopesFault(scopes promptrails.Scopes) string {
	if len(scopes) == 0 {
		return "must have at least one scope"
	}
	for _, s := range scopes {
		if !s.IsKnown() {
			return fmt.Sprintf("%.64q is not a scope", s)
		}
	}
	return ""
}

func listFault(list []string, parse func(string) error) string {
	switch {
	case list == nil:
		return ""
	case len(list) == 0:
		return "must not be empty; use null for no restriction"
	case len(list) > maxListSize:
		return fmt.Sprintf("must have at most %d entries", maxListSize)
	}
	for _, s := range list {
		if err := parse(s); err != nil {
			return fmt.Sprintf("%.64q %v", s, err)
		}
	}
	return ""
}

// mayGive returns an error if the caller is a key that may not create or change
// k: its permissions must cover those of k, and it must not be rotating.
func (x *Session) mayGive(k *promptrails.APIKey) error {
	c := x.key
	if c == nil {
		return nil
	}
	if c.Status == promptrails.APIKeyRotating {
		return forbidden("a key that is being rotated cannot create, update, rotate or revoke other keys; use its successor")
	}
	for _, s := range k.Scopes {
		if !c.Scopes.Covers(s) {
			return insufficientScope(s, c.Scopes)
		}
	}
	inner, outer := rules(k), rules(c)
	switch {
	case !policy.AddressesWithin(inner.Addresses, outer.Addresses):
		return forbidden("allowed_ips must be within those of the calling key")
	case !policy.OriginsWithin(inner.Origins, outer.Origins):
		return forbidden("allowed_origins must be within those of the calling key")
	case !c.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(c.ExpiresAt)):
		return forbidden("expires_at must not be later than that of the calling key")
	default:
		return nil
	}
}

// rules returns a key's permissions in the form that package policy evaluates.
func rules(k *promptrails.APIKey) *policy.Key[promptrails.Scope] {
	return policy.NewKey(k.Scopes, k.AllowedIPs, k.AllowedOrigins,
		policy.Lifetime{ExpiresAt: k.ExpiresAt, OverlapEndsAt: k.OverlapEndsAt, RevokedAt: k.RevokedAt})
}

// mayChange checks the caller's right to a key before and after a change. The
// key must be active.
func (x *Session) mayChange(before, after *promptrails.APIKey) error {
	if err := x.mayGive(before); err != nil {
		return err
	}
	if err := x.mayGive(after); err != nil {
		return err
	}
	if before.Status != promptrails.APIKeyActive {
		return keyState(before)
	}
	return nil
}

func keyState(k *promptrails.APIKey) error {
	return conflict(promptrails.CodeInvalidState, "the API key is %s", k.Status).With(map[string]any{"status": k.Status})
}

// judge returns an error if the calling key is not valid for this request's
// time, IP address and origins.
func (x *Session) judge(c *Caller) error {
	refusal, _ := rules(x.key).Judge(policy.Use{At: x.now, IP: &c.IP, Origins: &c.Origins})
	switch refusal {
	case nil:
		return nil
	case policy.IPNotAllowed:
		return refusal.With(map[string]any{"ip": ipText(c.IP)})
	case policy.OriginNotAllowed:
		return refusal.With(map[string]any{"origin": strings.ToValidUTF8(strings.Join(c.Origins, ", "), "\ufffd")})
	case policy.KeyRevoked: // a key that retries its own revocation recognizes itself
		return refusal.With(map[string]any{"api_key_id": x.key.ID})
	default:
		return refusal
	}
}
