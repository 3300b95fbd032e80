package promptrails

import (
	"context"
	"iter"
	"time"
)

// APIKeysService administers the API keys of a workspace.
type APIKeysService struct{ client *Client }

var (
	opAPIKeysList    = operation{"APIKeys.List", "GET", "/api-keys", ScopeAPIKeysRead, 0}
	opAPIKeysGet     = operation{"APIKeys.Get", "GET", "/api-keys/{id}", ScopeAPIKeysRead, 0}
	opAPIKeysCurrent = operation{"APIKeys.Current", "GET", "/api-keys/current", "", acrossWorkspaces}
	opAPIKeysCreate  = operation{"APIKeys.Create", "POST", "/api-keys", ScopeAPIKeysWrite, 0}
	opAPIKeysUpdate  = operation{"APIKeys.Update", "PATCH", "/api-keys/{id}", ScopeAPIKeysWrite, changesKeys}
	opAPIKeysRevoke  = operation{"APIKeys.Revoke", "DELETE", "/api-keys/{id}", ScopeAPIKeysWrite, revokes | changesKeys}
	opAPIKeysRotate  = operation{"APIKeys.Rotate", "POST", "/api-keys/{id}/rotate", ScopeAPIKeysWrite, changesKeys}
	opAPIKeysVerify  = operation{"APIKeys.Verify", "POST", "/api-keys/verify", ScopeAPIKeysVerify, 0}
)

// List returns one page of the keys: the newest first, unless a field of params
// says otherwise. It needs the scope
// api_keys:read, or the role admin.
func (s *APIKeysService) List(ctx context.Context, params *ListAPIKeysParams, opts ...RequestOption) (*Page[APIKey], error) {
	return list[APIKey](ctx, s.client, call{op: opAPIKeysList, query: params, opts: opts})
}

// All returns every key, the newest first. It needs the scope api_keys:read, or
// the role admin.
func (s *APIKeysService) All(ctx context.Context, params *ListAPIKeysParams, opts ...RequestOption) iter.Seq2[*APIKey, error] {
	return all[APIKey](ctx, s.client, call{op: opAPIKeysList, opts: opts}, params)
}

// Get returns one key, without the key itself. It needs the scope
// api_keys:read, or the role admin.
func (s *APIKeysService) Get(ctx context.Context, id string, opts ...RequestOption) (*APIKey, error) {
	return one[APIKey](ctx, s.client, call{op: opAPIKeysGet, ids: []string{id}, opts: opts})
}

// Current returns the key that the client itself calls with. Any key may.
func (s *APIKeysService) Current(ctx context.Context, opts ...RequestOption) (*APIKey, error) {
	return one[APIKey](ctx, s.client, call{op: opAPIKeysCurrent, opts: opts})
}

// Create makes a key; the answer alone holds it. It needs the scope
// api_keys:write, or the role admin. A key makes none that is wider than
// itself: a scope that it lacks is a [*ScopeError], a wider list or a later
// expiry [ErrForbidden]; what is left out is inherited from it.
func (s *APIKeysService) Create(ctx context.Context, params *CreateAPIKeyParams, opts ...RequestOption) (*CreatedAPIKey, error) {
	return one[CreatedAPIKey](ctx, s.client, call{op: opAPIKeysCreate, body: required(params), opts: opts})
}

// Update changes a key that is active. It needs the scope api_keys:write, or
// the role admin; a key changes none that is, or would be, wider than itself.
func (s *APIKeysService) Update(ctx context.Context, id string, params *UpdateAPIKeyParams, opts ...RequestOption) (*APIKey, error) {
	return one[APIKey](ctx, s.client, call{op: opAPIKeysUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// Revoke revokes a key at once. It needs the scope api_keys:write, or the role
// admin; a key revokes only keys that it may change, and always itself. If the
// key is revoked already, it returns [ErrConflict].
func (s *APIKeysService) Revoke(ctx context.Context, id string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opAPIKeysRevoke, ids: []string{id}, opts: opts})
}

// Rotate makes a new key with the same rules in place of an active one, which
// goes on for the overlap: whole seconds, up to 7 days, and never past its
// expiry. The answer alone holds the new key. It needs the scope
// api_keys:write, or the role admin; a key rotates none that is wider than
// itself.
func (s *APIKeysService) Rotate(ctx context.Context, id string, overlap time.Duration, opts ...RequestOption) (*CreatedAPIKey, error) {
	if overlap < 0 || overlap%time.Second != 0 {
		return nil, invalid("overlap", "must be whole seconds, 0 or more")
	}
	body := &rotateAPIKeyBody{OverlapSeconds: int64(overlap / time.Second)}
	return one[CreatedAPIKey](ctx, s.client, call{op: opAPIKeysRotate, ids: []string{id}, body: body, opts: opts})
}

// Verify says whether a key of this workspace is valid, for what is given. It
// needs the scope api_keys:verify, or the role admin. A key of another
// workspace is not known here.
func (s *APIKeysService) Verify(ctx context.Context, params *VerifyAPIKeyParams, opts ...RequestOption) (*APIKeyVerification, error) {
	return one[APIKeyVerification](ctx, s.client, call{op: opAPIKeysVerify, body: required(params), opts: opts})
}

// ListAPIKeysParams narrows a list of keys.
type ListAPIKeysParams struct {
	ListOptions
	Status    APIKeyStatus `url:"status,omitempty"`
	CreatedBy string       `url:"created_by,omitempty"` // a user id
	// ExpiresBefore selects the keys that expire before this moment, the first to
	// expire first. UnusedSince selects those that were created before it and not
	// used since: the longest unused first, unless ExpiresBefore is set.
	ExpiresBefore time.Time `url:"expires_before,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"`
	UnusedSince   time.Time `url:"unused_since,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"`
}

// CreateAPIKeyParams describes a new key.
type CreateAPIKeyParams struct {
	Name           string    `json:"name"`                     // 1 to 100 characters
	Scopes         Scopes    `json:"scopes"`                   // at least one, each known to the server
	AllowedIPs     []string  `json:"allowed_ips,omitzero"`     // addresses and CIDR prefixes; nil: from anywhere
	AllowedOrigins []string  `json:"allowed_origins,omitzero"` // https://app.example.com, https://*.example.com; nil: from anywhere
	ExpiresAt      time.Time `json:"expires_at,omitzero"`      // at this moment it is expired; zero: no end
}

// UpdateAPIKeyParams changes a key; nil leaves a field as it is. A pointer to a
// nil list clears the list, and a pointer to the zero time the expiry.
type UpdateAPIKeyParams struct {
	Name           *string
	Scopes         *Scopes
	AllowedIPs     *[]string
	AllowedOrigins *[]string
	ExpiresAt      *time.Time
}

// rotateAPIKeyBody is the body of [APIKeysService.Rotate].
type rotateAPIKeyBody struct {
	OverlapSeconds int64 `json:"overlap_seconds"`
}

// VerifyAPIKeyParams is a key, and the circumstances to judge it in: what is
// left out is not judged.
type VerifyAPIKeyParams struct {
	Key    Secret  `json:"key"`
	IP     string  `json:"ip,omitzero"`
	Origin *string `json:"origin,omitzero"` // a pointer to "": a request without one
	Scopes Scopes  `json:"scopes,omitzero"`
}

// APIKeyStatus is the state of a key. The type is open.
type APIKeyStatus string

// The states of a key.
const (
	APIKeyActive   APIKeyStatus = "active"
	APIKeyExpired  APIKeyStatus = "expired"
	APIKeyRevoked  APIKeyStatus = "revoked"
	APIKeyRotating APIKeyStatus = "rotating" // valid until OverlapEndsAt, beside the key that RotatedTo names
)

// APIKey is a key of a workspace, without the key itself.
type APIKey struct {
	ID             string       `json:"id"`
	WorkspaceID    string       `json:"workspace_id"`
	Name           string       `json:"name"`
	Prefix         string       `json:"prefix"` // how the key begins
	Last4          string       `json:"last4"`
	Scopes         Scopes       `json:"scopes"`
	AllowedIPs     []string     `json:"allowed_ips"`     // nil: from anywhere
	AllowedOrigins []string     `json:"allowed_origins"` // nil: from anywhere
	ExpiresAt      time.Time    `json:"expires_at"`      // zero: no end
	LastUsedAt     time.Time    `json:"last_used_at"`    // to the minute, through [APIKeysService.Verify] too; zero: never
	LastUsedIP     string       `json:"last_used_ip"`    // from where; empty: not known
	Status         APIKeyStatus `json:"status"`
	RotatedTo      string       `json:"rotated_to"`
	OverlapEndsAt  time.Time    `json:"overlap_ends_at"`
	CreatedBy      string       `json:"created_by"` // the user id of who made it
	// CreatedByMember is the member id of who made it; empty if that person is no
	// longer a member.
	CreatedByMember string    `json:"created_by_member"`
	Version         int64     `json:"version"` // counted up by each change; see [WithIfMatch]
	CreatedAt       time.Time `json:"created_at"`
	RevokedAt       time.Time `json:"revoked_at"` // zero: not revoked
}

// CreatedAPIKey is a new key, with the key itself: it is not shown again.
type CreatedAPIKey struct {
	APIKey
	Key Secret `json:"key"`
}

// APIKeyVerification is what Verify found.
type APIKeyVerification struct {
	Valid  bool      `json:"valid"`
	Code   ErrorCode `json:"code"`    // why not; empty for a valid key
	APIKey *APIKey   `json:"api_key"` // nil for a key that is not known
}
