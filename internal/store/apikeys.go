package store

import (
	"database/sql"
	"fmt"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

const (
	apiKeyColumns = `k.id, k.workspace_id, k.name, k.prefix, k.last4, k.scopes, k.allowed_ips, k.allowed_origins, k.expires_at, k.last_used_at, k.last_used_ip,
	k.rotated_to, k.overlap_ends_at, k.created_by, k.version, k.created_at, k.revoked_at,
	coalesce((SELECT m.id FROM members m WHERE m.workspace_id = k.workspace_id AND m.user_id = k.created_by), '')`
	apiKeyRows scoped = "FROM api_keys k WHERE k.workspace_id = $1"
)

func apiKeyFields(k *promptrails.APIKey) []any {
	return []any{
		&k.ID, &k.WorkspaceID, &k.Name, &k.Prefix, &k.Last4,
		document{&k.Scopes},
		document{&k.AllowedIPs},
		document{&k.AllowedOrigins},
		stamp{&k.ExpiresAt},
		stamp{&k.LastUsedAt},
		&k.LastUsedIP,
		&k.RotatedTo,
		stamp{&k.OverlapEndsAt},
		&k.CreatedBy, &k.Version,
		stamp{&k.CreatedAt},
		stamp{&k.RevokedAt},
		&k.CreatedByMember,
	}
}

// document scans stored JSON.
type document struct{ into any }

// Scan implements [sql.Scanner].
func (d document) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("store: JSON is %T", v)
	}
	return wire.Decode([]byte(text), d.into)
}

// keyAt sets the status of a key at now. It depends on the time and is not
// stored.
func keyAt(k *promptrails.APIKey, now time.Time) {
	life := policy.Lifetime{ExpiresAt: k.ExpiresAt, OverlapEndsAt: k.OverlapEndsAt, RevokedAt: k.RevokedAt}
	switch {
	case life.Revoked(now):
		k.Status = promptrails.APIKeyRevoked
		if k.RevokedAt.IsZero() {
			k.RevokedAt = k.OverlapEndsAt
		}
	case life.Expired(now):
		k.Status = promptrails.APIKeyExpired
	case !k.OverlapEndsAt.IsZero():
		k.Status = promptrails.APIKeyRotating
	default:
		k.Status = promptrails.APIKeyActive
	}
}

// keyStatus holds the condition of each status. Each ? is the current time.
var keyStatus = map[promptrails.APIKeyStatus]string{
	promptrails.APIKeyRevoked:  "(k.revoked_at > 0 OR k.overlap_ends_at > 0 AND k.overlap_ends_at <= ?)",
	promptrails.APIKeyExpired:  "k.revoked_at = 0 AND (k.overlap_ends_at = 0 OR k.overlap_ends_at > ?) AND k.expires_at > 0 AND k.expires_at <= ?",
	promptrails.APIKeyRotating: "k.revoked_at = 0 AND k.overlap_ends_at > ? AND (k.expires_at = 0 OR k.expires_at > ?)",
	promptrails.APIKeyActive:   "k.revoked_at = 0 AND k.overlap_ends_at = 0 AND (k.expires_at = 0 OR k.expires_at > ?)",
}

// APIKeyFilter narrows a list of keys; a zero field is ignored.
type APIKeyFilter struct {
	Status        promptrails.APIKeyStatus
	CreatedBy     string
	ExpiresBefore time.Time // keys that expire before it
	UnusedSince   time.Time // keys created before it and not used since
}

// APIKeys returns a page of the keys, with their status at now, and the number of
// matching keys. The number is 0 if p has a cursor.
func (t *Tx) APIKeys(by *APIKeyFilter, now time.Time, p Paging) (page []*promptrails.APIKey, total int, err error) {
	f := filter{base: 1}
	if condition := keyStatus[by.Status]; condition != "" {
		moments := make([]any, 0, 2)
		for _, c := range condition {
			if c == '?' {
				moments = append(moments, micros(now))
			}
		}
		f.and(condition, moments...)
	}
	f.andText("k.created_by = ?", by.CreatedBy)
	if !by.ExpiresBefore.IsZero() {
		f.and("k.expires_at > 0 AND k.expires_at < ?", micros(by.ExpiresBefore))
	}
	if !by.UnusedSince.IsZero() {
		f.and("k.last_used_at < ? AND k.created_at < ?", micros(by.UnusedSince), micros(by.UnusedSince))
	}
	if total, err = t.total(countAPIKeys, apiKeyRows, &f, p); err != nil {
		return nil, 0, err
	}
	rest := ""
	switch {
	case !by.ExpiresBefore.IsZero():
		rest = f.ascending(p, "k.expires_at", "k.id")
	case !by.UnusedSince.IsZero():
		rest = f.ascending(p, "k.last_used_at", "k.id")
	default:
		rest = f.page(p, "k.created_at", "k.id")
	}
	query := "SELECT " + apiKeyColumns + " " + apiKeyRows + scoped(rest)
	err = t.rows(query, f.args, func(r *sql.Rows) error {
		k := new(promptrails.APIKey)
		page = append(page, k)
		if err := r.Scan(apiKeyFields(k)...); err != nil {
			return err
		}
		keyAt(k, now)
		return nil
	})
	return page, total, err
}

// Position returns the position of a key in a list with that filter.
func (by *APIKeyFilter) Position(k *promptrails.APIKey) Position {
	at := k.CreatedAt
	if !by.ExpiresBefore.IsZero() {
		at = k.ExpiresAt
	} else if !by.UnusedSince.IsZero() {
		at = k.LastUsedAt
	}
	return Position{At: micros(at), ID: k.ID}
}

// APIKey returns the key with that id, with its status at now.
func (t *Tx) APIKey(id string, now time.Time) (*promptrails.APIKey, error) {
	k := new(promptrails.APIKey)
	err := t.row("SELECT "+apiKeyColumns+" "+apiKeyRows+" AND k.id = $2", []any{id}, apiKeyFields(k)...)
	keyAt(k, now)
	return k, err
}

// APIKeyByHash returns the workspace's key with that hash, with its status at
// now.
func (t *Tx) APIKeyByHash(hash []byte, now time.Time) (*promptrails.APIKey, error) {
	k := new(promptrails.APIKey)
	err := t.row("SELECT "+apiKeyColumns+" "+apiKeyRows+" AND k.hash = $2", []any{hash}, apiKeyFields(k)...)
	keyAt(k, now)
	return k, err
}

// LiveAPIKeysBy returns the keys that a user created and that are not revoked at
// now, oldest first.
func (t *Tx) LiveAPIKeysBy(userID string, now time.Time) (keys []*promptrails.APIKey, err error) {
	err = t.rows("SELECT "+apiKeyColumns+" "+apiKeyRows+" AND k.created_by = $2 AND k.revoked_at = 0 ORDER BY k.created_at, k.id", []any{userID}, func(r *sql.Rows) error {
		k := new(promptrails.APIKey)
		if err := r.Scan(apiKeyFields(k)...); err != nil {
			return err
		}
		if keyAt(k, now); k.Status != promptrails.APIKeyRevoked {
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// CreateAPIKey adds a key. Only its hash is stored.
func (t *Tx) CreateAPIKey(k *promptrails.APIKey, hash []byte) error {
	lists, err := keyLists(k)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO api_keys (workspace_id, id, name, hash, prefix, last4, scopes, allowed_ips, allowed_origins, expires_at, rotated_to, overlap_ends_at, created_by, version, created_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', 0, $11, $12, $13, 0)`,
		k.ID, k.Name, hash, k.Prefix, k.Last4, lists[0], lists[1], lists[2], micros(k.ExpiresAt), k.CreatedBy, k.Version, micros(k.CreatedAt))
	if err != nil {
		return err
	}
	return t.count(countAPIKeys, 1)
}

// UpdateAPIKey stores the mutable fields of a key.
func (t *Tx) UpdateAPIKey(k *promptrails.APIKey) error {
	lists, err := keyLists(k)
	if err != nil {
		return err
	}
	return affected(t.exec(`UPDATE api_keys SET name = $3, scopes = $4, allowed_ips = $5, allowed_origins = $6, expires_at = $7, rotated_to = $8,
		overlap_ends_at = $9, version = $10, revoked_at = $11 WHERE workspace_id = $1 AND id = $2`,
		k.ID, k.Name, lists[0], lists[1], lists[2], micros(k.ExpiresAt), k.RotatedTo, micros(k.OverlapEndsAt), k.Version, micros(k.RevokedAt)))
}

func keyLists(k *promptrails.APIKey) (lists [3]string, err error) {
	for i, list := range []any{k.Scopes, k.AllowedIPs, k.AllowedOrigins} {
		text, err := wire.Encode(list)
		if err != nil {
			return lists, err
		}
		lists[i] = string(text)
	}
	return lists, nil
}
