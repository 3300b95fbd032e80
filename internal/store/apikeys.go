package store

import (
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

const apiKeyRows scoped = "FROM api_keys k WHERE k.workspace_id = $1"

var apiKeyColumns = scoped(apiKeyRow(new(promptrails.APIKey)).names("k")) +
	", coalesce((SELECT m.id FROM members m WHERE m.workspace_id = k.workspace_id AND m.user_id = k.created_by), '')"

func apiKeyRow(k *promptrails.APIKey) row {
	return row{
		{"id", &k.ID, onceSet},
		{"workspace_id", &k.WorkspaceID, onlyRead},
		{"name", &k.Name, everywhere},
		{"prefix", &k.Prefix, onceSet},
		{"last4", &k.Last4, onceSet},
		{"scopes", document{&k.Scopes}, everywhere},
		{"allowed_ips", document{&k.AllowedIPs}, everywhere},
		{"allowed_origins", document{&k.AllowedOrigins}, everywhere},
		{"expires_at", stamp{&k.ExpiresAt}, everywhere},
		{"last_used_at", stamp{&k.LastUsedAt}, onlyRead}, // written by [Global.Touch]
		{"last_used_ip", &k.LastUsedIP, onlyRead},
		{"rotated_to", &k.RotatedTo, everywhere},
		{"overlap_ends_at", stamp{&k.OverlapEndsAt}, everywhere},
		{"created_by", &k.CreatedBy, onceSet},
		{"version", &k.Version, everywhere},
		{"created_at", stamp{&k.CreatedAt}, onceSet},
		{"revoked_at", stamp{&k.RevokedAt}, everywhere},
	}
}

// apiKeyFields returns the destinations of apiKeyColumns.
func apiKeyFields(k *promptrails.APIKey) []any {
	return append(apiKeyRow(k).into(), &k.CreatedByMember)
}

// SetStatus sets the status of a key at now. It depends on the time and is not
// stored.
func SetStatus(k *promptrails.APIKey, now time.Time) {
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
	l := &list{rows: string(apiKeyRows), at: "k.created_at", id: "k.id", total: t.total(countAPIKeys)}
	switch {
	case !by.ExpiresBefore.IsZero():
		l.at, l.ascending = "k.expires_at", true
		f.and("k.expires_at > 0 AND k.expires_at < ?", micros(by.ExpiresBefore))
	case !by.UnusedSince.IsZero():
		l.at, l.ascending = "k.last_used_at", true
		f.and("k.last_used_at < ?", micros(by.UnusedSince))
	}
	if !by.UnusedSince.IsZero() {
		f.scan("k.last_used_at < ? AND k.created_at < ?", micros(by.UnusedSince), micros(by.UnusedSince))
	}
	f.equal("k.created_by", by.CreatedBy)
	if condition := keyStatus[by.Status]; condition != "" {
		moments := make([]any, 0, 2)
		for _, c := range condition {
			if c == '?' {
				moments = append(moments, micros(now))
			}
		}
		f.scan(condition, moments...)
	}
	from, total, err := t.pageOf(l, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + apiKeyColumns + " " + from
	err = t.rows(query, f.args, func(r scanner) error {
		k := new(promptrails.APIKey)
		page = append(page, k)
		if err := r.Scan(apiKeyFields(k)...); err != nil {
			return err
		}
		SetStatus(k, now)
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
	SetStatus(k, now)
	return k, err
}

// APIKeyByHash returns the workspace's key with that hash, with its status at
// now.
func (t *Tx) APIKeyByHash(hash []byte, now time.Time) (*promptrails.APIKey, error) {
	place, err := t.global.keyPlace(hash)
	if err == nil && place.workspace != t.workspace {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return t.apiKeyByHash(place.id, hash, now)
}

// apiKeyByHash returns the key with that id and hash, with its status at now.
func (t *Tx) apiKeyByHash(id string, hash []byte, now time.Time) (*promptrails.APIKey, error) {
	k := new(promptrails.APIKey)
	err := t.row("SELECT "+apiKeyColumns+" "+apiKeyRows+" AND k.id = $2 AND k.key_hash = $3", []any{id, hash}, apiKeyFields(k)...)
	SetStatus(k, now)
	return k, err
}

// LiveAPIKeysBy returns the keys that a user created and that are not revoked at
// now, oldest first.
func (t *Tx) LiveAPIKeysBy(userID string, now time.Time) (keys []*promptrails.APIKey, err error) {
	err = t.rows("SELECT "+apiKeyColumns+" "+apiKeyRows+" AND k.created_by = $2 AND k.revoked_at = 0 ORDER BY k.created_at, k.id", []any{userID}, func(r scanner) error {
		k := new(promptrails.APIKey)
		if err := r.Scan(apiKeyFields(k)...); err != nil {
			return err
		}
		if SetStatus(k, now); k.Status != promptrails.APIKeyRevoked {
			keys = append(keys, k)
		}
		return nil
	})
	return keys, err
}

// CreateAPIKey adds a key. Only its hash is stored.
func (t *Tx) CreateAPIKey(k *promptrails.APIKey, hash []byte) error {
	err := t.insert("api_keys", apiKeyRow(k), column{"key_hash", hash, onceSet})
	if err != nil {
		return err
	}
	if err := t.later("INSERT INTO api_key_hashes (workspace_id, key_id, hash) VALUES ($1, $2, $3)", k.ID, hash); err != nil {
		return err
	}
	return t.count(countAPIKeys, 1)
}

// UpdateAPIKey stores the mutable fields of a key.
func (t *Tx) UpdateAPIKey(k *promptrails.APIKey) error {
	return t.update("api_keys", k.ID, apiKeyRow(k))
}
