package service

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

const (
	maxOverlap  = 7 * 24 * 60 * 60 // seconds
	maxListSize = 100
)

// APIKeys returns a page of the workspace's keys.
func (x *Session) APIKeys(p *promptrails.ListAPIKeysParams) (*Page[*promptrails.APIKey], error) {
	switch p.Status {
	case "", promptrails.APIKeyActive, promptrails.APIKeyExpired, promptrails.APIKeyRevoked, promptrails.APIKeyRotating:
	default:
		return nil, invalid("status", "must be active, expired, revoked or rotating")
	}
	text := func(t time.Time) string { return t.UTC().Format(wire.TimeFormat) }
	l, err := newListing("api_keys", x.workspaceID(), p.ListOptions, string(p.Status), p.CreatedBy, text(p.ExpiresBefore), text(p.UnusedSince))
	if err != nil {
		return nil, err
	}
	by := &store.APIKeyFilter{Status: p.Status, CreatedBy: p.CreatedBy, ExpiresBefore: p.ExpiresBefore, UnusedSince: p.UnusedSince}
	rows, total, err := x.tx.APIKeys(by, x.now, l.store)
	if err != nil {
		return nil, err
	}
	page := finish(l, rows, total, by.Position)
	for _, k := range page.Data {
		x.service.activity.overlayKey(k)
	}
	return page, nil
}

// APIKey returns one key.
func (x *Session) APIKey(id string) (*promptrails.APIKey, error) {
	k, err := x.tx.APIKey(id, x.now)
	if err != nil {
		return nil, orNotFound(err, "API key")
	}
	x.service.activity.overlayKey(k)
	return k, nil
}

// CurrentAPIKey returns the calling key.
func (x *Session) CurrentAPIKey() (*promptrails.APIKey, error) {
	if x.key == nil {
		return nil, forbidden("this route requires an API key; the request has an access token")
	}
	return x.APIKey(x.key.ID)
}

// CreateAPIKey creates a key. A key created by another key inherits the omitted
// restrictions.
func (x *Session) CreateAPIKey(p *CreateAPIKeyBody) (*promptrails.CreatedAPIKey, error) {
	if err := expiryFault(p.ExpiresAt); err != nil {
		return nil, err
	}
	k := &promptrails.APIKey{
		Name: strings.TrimSpace(p.Name), Scopes: unique(p.Scopes), AllowedIPs: p.AllowedIPs, AllowedOrigins: p.AllowedOrigins, ExpiresAt: p.ExpiresAt.Value,
	}
	if x.key != nil {
		if k.AllowedIPs == nil {
			k.AllowedIPs = x.key.AllowedIPs
		}
		if k.AllowedOrigins == nil {
			k.AllowedOrigins = x.key.AllowedOrigins
		}
		if k.ExpiresAt.IsZero() {
			k.ExpiresAt = x.key.ExpiresAt
		}
	}
	if err := x.keyFaults(k, true).err(); err != nil {
		return nil, err
	}
	if err := x.mayGive(k); err != nil {
		return nil, err
	}
	return x.mint(k)
}

// mint generates the secret and the id of a key, and stores it.
func (x *Session) mint(k *promptrails.APIKey) (*promptrails.CreatedAPIKey, error) {
	secret := promptrails.NewSecret(apikey.Mint())
	k.ID, k.WorkspaceID, k.CreatedBy, k.Version, k.CreatedAt = x.newID(), x.workspaceID(), x.userID(), 1, x.now
	k.ExpiresAt = micro(k.ExpiresAt)
	k.Prefix, k.Last4 = apikey.Shown(secret.Reveal())
	k.Status = promptrails.APIKeyActive
	if err := x.tx.CreateAPIKey(k, hash(secret)); err != nil {
		return nil, err
	}
	k, err := x.tx.APIKey(k.ID, x.now) // as stored
	if err != nil {
		return nil, err
	}
	made := &promptrails.CreatedAPIKey{APIKey: *k, Key: secret}
	return made, x.record(x.tx, promptrails.ActionCreated, apiKeyRef(k), nil, apiKeyFields(k))
}

// micro truncates a time to the precision of the store.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

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

// Nullable distinguishes a null field from an omitted one.
type Nullable[T any] struct {
	Given, Null bool
	Value       T // zero if Null
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (n *Nullable[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	n.Given, n.Null = true, dec.PeekKind() == 'n'
	return json.UnmarshalDecode(dec, &n.Value)
}

// UpdateAPIKey updates a key.
func (x *Session) UpdateAPIKey(id string, p *UpdateAPIKeyBody) (*promptrails.APIKey, error) {
	if err := expiryFault(p.ExpiresAt); err != nil {
		return nil, err
	}
	k, err := x.APIKey(id)
	if err != nil {
		return nil, err
	}
	was := *k
	if p.Name != nil {
		k.Name = strings.TrimSpace(*p.Name)
	}
	set(&k.Scopes, p.Scopes)
	k.Scopes = unique(k.Scopes)
	if p.AllowedIPs.Given {
		k.AllowedIPs = p.AllowedIPs.Value
	}
	if p.AllowedOrigins.Given {
		k.AllowedOrigins = p.AllowedOrigins.Value
	}
	if p.ExpiresAt.Given {
		k.ExpiresAt = micro(p.ExpiresAt.Value)
	}
	if err := x.keyFaults(k, p.ExpiresAt.Given).err(); err != nil {
		return nil, err
	}
	if err := x.mayChange(&was, k); err != nil {
		return nil, err
	}
	if err := x.match(was.Version); err != nil {
		return nil, err
	}
	return k, x.updateAPIKey(&was, k)
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

func (x *Session) updateAPIKey(before, after *promptrails.APIKey) error {
	was, is := apiKeyFields(before), apiKeyFields(after)
	changes, err := changelog.Diff(was, is)
	if err != nil || changes == nil {
		return err
	}
	after.Version++
	if err := x.tx.UpdateAPIKey(after); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionUpdated, apiKeyRef(after), was, is)
}

// RevokeAPIKey revokes a key immediately.
func (x *Session) RevokeAPIKey(id string) error {
	k, err := x.APIKey(id)
	if err != nil {
		return err
	}
	if x.key != nil && x.key.ID != k.ID { // a key may always revoke itself
		if err := x.mayGive(k); err != nil {
			return err
		}
	}
	if k.Status == promptrails.APIKeyRevoked {
		return keyState(k)
	}
	if err := x.match(k.Version); err != nil {
		return err
	}
	return x.revoke(k)
}

func (x *Session) revoke(k *promptrails.APIKey) error {
	was := *k
	k.RevokedAt, k.Status = x.now, promptrails.APIKeyRevoked
	return x.updateAPIKey(&was, k)
}

// RotateAPIKey creates a successor with the same permissions. The old key
// remains valid for the overlap, but not beyond its own expiry.
func (x *Session) RotateAPIKey(id string, p *RotateAPIKeyBody) (*promptrails.CreatedAPIKey, error) {
	if p.OverlapSeconds < 0 || p.OverlapSeconds > maxOverlap {
		return nil, invalid("overlap_seconds", fmt.Sprintf("must be 0 to %d", maxOverlap))
	}
	old, err := x.APIKey(id)
	if err != nil {
		return nil, err
	}
	if err := x.mayChange(old, old); err != nil {
		return nil, err
	}
	if err := x.match(old.Version); err != nil {
		return nil, err
	}
	made, err := x.mint(&promptrails.APIKey{
		Name: old.Name, Scopes: old.Scopes, AllowedIPs: old.AllowedIPs, AllowedOrigins: old.AllowedOrigins, ExpiresAt: old.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	was := *old
	old.RotatedTo, old.OverlapEndsAt = made.ID, x.now.Add(time.Duration(min(p.OverlapSeconds, math.MaxInt32))*time.Second)
	if !old.ExpiresAt.IsZero() && old.OverlapEndsAt.After(old.ExpiresAt) {
		old.OverlapEndsAt = old.ExpiresAt
	}
	return made, x.updateAPIKey(&was, old)
}

// VerifyAPIKey reports whether a key of this workspace is valid for the given
// scopes, IP address and origin.
func (x *Session) VerifyAPIKey(p *promptrails.VerifyAPIKeyParams) (*promptrails.APIKeyVerification, error) {
	bad := faults{}
	if p.Key.IsZero() {
		bad.add("key", "must not be empty")
	}
	ip, err := netip.ParseAddr(p.IP)
	if p.IP != "" && err != nil {
		bad.add("ip", "must be an IP address")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	k, err := x.tx.APIKeyByHash(hash(p.Key), x.now)
	if err = orNotFound(err, "API key"); err != nil {
		if AsRefusal(err).Status == http.StatusNotFound {
			return &promptrails.APIKeyVerification{Code: promptrails.CodeInvalidAPIKey}, nil
		}
		return nil, err
	}
	use := policy.Use{At: x.now}
	if p.IP != "" {
		use.IP = &ip
	}
	if p.Origin != nil {
		use.Origins = &[]string{*p.Origin}
	}
	verdict := &promptrails.APIKeyVerification{Valid: true, APIKey: k}
	if refusal, _ := rules(k).Judge(use, p.Scopes...); refusal != nil {
		verdict.Valid, verdict.Code = false, promptrails.ErrorCode(refusal.Code)
	} else {
		x.service.activity.saw(actorID{workspace: k.WorkspaceID, key: k.ID}, x.now, p.IP)
	}
	x.service.activity.overlayKey(k)
	return verdict, nil
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

func apiKeyRef(k *promptrails.APIKey) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceAPIKey), ID: k.ID, Name: k.Name}
}

func apiKeyFields(k *promptrails.APIKey) map[string]any {
	text := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return map[string]any{
		"name": k.Name, "scopes": k.Scopes, "allowed_ips": k.AllowedIPs, "allowed_origins": k.AllowedOrigins, "expires_at": text(k.ExpiresAt),
		"rotated_to": k.RotatedTo, "overlap_ends_at": text(k.OverlapEndsAt), "revoked_at": text(k.RevokedAt),
	}
}
