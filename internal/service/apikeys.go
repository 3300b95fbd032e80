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

// APIKeys returns a page of the keys.
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

// CurrentAPIKey returns the key that calls.
func (x *Session) CurrentAPIKey() (*promptrails.APIKey, error) {
	if x.key == nil {
		return nil, forbidden("this is for API keys; you call with an access token")
	}
	return x.APIKey(x.key.ID)
}

// CreateAPIKey makes a key.
func (x *Session) CreateAPIKey(p *CreateAPIKeyBody) (*promptrails.CreatedAPIKey, error) {
	if err := expiryFault(p.ExpiresAt); err != nil {
		return nil, err
	}
	k := &promptrails.APIKey{
		Name: strings.TrimSpace(p.Name), Scopes: once(p.Scopes), AllowedIPs: p.AllowedIPs, AllowedOrigins: p.AllowedOrigins, ExpiresAt: p.ExpiresAt.Value,
	}
	if x.key != nil { // what is left out is inherited
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

// mint gives a key its identity, and stores it.
func (x *Session) mint(k *promptrails.APIKey) (*promptrails.CreatedAPIKey, error) {
	secret := promptrails.NewSecret(apikey.Mint())
	k.ID, k.WorkspaceID, k.CreatedBy, k.Version, k.CreatedAt = x.newID(), x.workspaceID(), x.userID(), 1, x.now
	k.ExpiresAt = micro(k.ExpiresAt)
	k.Prefix, k.Last4 = apikey.Shown(secret.Reveal())
	k.Status = promptrails.APIKeyActive
	if err := x.tx.CreateAPIKey(k, hash(secret)); err != nil {
		return nil, err
	}
	k, err := x.tx.APIKey(k.ID, x.now) // as it will be read
	if err != nil {
		return nil, err
	}
	made := &promptrails.CreatedAPIKey{APIKey: *k, Key: secret}
	return made, x.record(x.tx, promptrails.ActionCreated, apiKeyRef(k), nil, apiKeyFields(k))
}

// micro returns a time as it is stored.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// keyFaults says what is wrong with the fields of a key.
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

// expiryFault refuses the first moment of the year 1, which Go programs send for
// a time that is not set.
func expiryFault(at Nullable[time.Time]) error {
	if at.Given && !at.Null && at.Value.IsZero() {
		return invalid("expires_at", "must be in the future; null, or omitting it, means no end")
	}
	return nil
}

// once returns scopes without those that come twice.
func once(scopes promptrails.Scopes) promptrails.Scopes {
	var unique promptrails.Scopes
	for _, s := range scopes {
		if !slices.Contains(unique, s) {
			unique = append(unique, s)
		}
	}
	return unique
}

func scopesFault(scopes promptrails.Scopes) string {
	if len(scopes) == 0 {
		return "must name at least one scope"
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
		return "must not be empty, which reads as nowhere; leave it out for anywhere"
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

// mayGive refuses to let a key make or change one that is wider than itself.
func (x *Session) mayGive(k *promptrails.APIKey) error {
	c := x.key
	if c == nil {
		return nil
	}
	if c.Status == promptrails.APIKeyRotating {
		return forbidden("a key that is being rotated creates, changes, rotates and revokes no other key; use its successor")
	}
	for _, s := range k.Scopes {
		if !c.Scopes.Covers(s) {
			return insufficientScope(s, c.Scopes)
		}
	}
	inner, outer := rules(k), rules(c)
	switch {
	case !policy.AddressesWithin(inner.Addresses, outer.Addresses):
		return forbidden("allowed_ips reach beyond those of the key that calls")
	case !policy.OriginsWithin(inner.Origins, outer.Origins):
		return forbidden("allowed_origins reach beyond those of the key that calls")
	case !c.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(c.ExpiresAt)):
		return forbidden("expires_at is later than that of the key that calls")
	default:
		return nil
	}
}

// rules returns what a key may do, as the policy judges it.
func rules(k *promptrails.APIKey) *policy.Key[promptrails.Scope] {
	return policy.NewKey(k.Scopes, k.AllowedIPs, k.AllowedOrigins,
		policy.Lifetime{ExpiresAt: k.ExpiresAt, OverlapEndsAt: k.OverlapEndsAt, RevokedAt: k.RevokedAt})
}

// Nullable tells a field that is null from one that is omitted.
type Nullable[T any] struct {
	Given, Null bool
	Value       T // zero for null
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (n *Nullable[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	n.Given, n.Null = true, dec.PeekKind() == 'n'
	return json.UnmarshalDecode(dec, &n.Value)
}

// UpdateAPIKey changes a key.
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
	k.Scopes = once(k.Scopes)
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

// mayChange judges a key as it is, and as it would be.
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

// RevokeAPIKey ends a key at once.
func (x *Session) RevokeAPIKey(id string) error {
	k, err := x.APIKey(id)
	if err != nil {
		return err
	}
	if x.key != nil && x.key.ID != k.ID { // a key always revokes itself
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

// RotateAPIKey makes a key in the place of another, which goes on for the
// overlap.
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

// VerifyAPIKey says whether a key of this workspace is valid, for what is sent.
func (x *Session) VerifyAPIKey(p *promptrails.VerifyAPIKeyParams) (*promptrails.APIKeyVerification, error) {
	bad := faults{}
	if p.Key.IsZero() {
		bad.add("key", "must not be empty")
	}
	ip, err := netip.ParseAddr(p.IP)
	if p.IP != "" && err != nil {
		bad.add("ip", "must be an address")
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

// judge refuses the calling key where, or whence, it may not be used.
func (x *Session) judge(c *Caller) error {
	refusal, _ := rules(x.key).Judge(policy.Use{At: x.now, IP: &c.IP, Origins: &c.Origins})
	switch refusal {
	case nil:
		return nil
	case policy.IPNotAllowed:
		return refusal.With(map[string]any{"ip": ipText(c.IP)})
	case policy.OriginNotAllowed:
		return refusal.With(map[string]any{"origin": strings.ToValidUTF8(strings.Join(c.Origins, ", "), "\ufffd")})
	case policy.KeyRevoked: // so that a key that revokes itself can tell, on a retry
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
