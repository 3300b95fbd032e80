package service

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"time"

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
