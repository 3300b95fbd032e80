package promptrails

import (
	"context"
	"iter"
	"time"
)

// APIKeysService manages the API keys of a workspace.
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

// List returns one page of API keys, newest first unless params selects another
// order. It requires the api_keys:read scope, or the admin role.
func (s *APIKeysService) List(ctx context.Context, params *ListAPIKeysParams, opts ...RequestOption) (*Page[APIKey], error) {
	return list[APIKey](ctx, s.client, call{op: opAPIKeysList, query: params, opts: opts})
}

// All returns an iterator over all API keys, newest first unless params selects
// another order. It requires the api_keys:read scope, or the admin role.
func (s *APIKeysService) All(ctx context.Context, params *ListAPIKeysParams, opts ...RequestOption) iter.Seq2[*APIKey, error] {
	return all[APIKey](ctx, s.client, call{op: opAPIKeysList, opts: opts}, params)
}

// Get returns the metadata of an API key, without the key itself. It requires
// the api_keys:read scope, or the admin role.
func (s *APIKeysService) Get(ctx context.Context, id string, opts ...RequestOption) (*APIKey, error) {
	return one[APIKey](ctx, s.client, call{op: opAPIKeysGet, ids: []string{id}, opts: opts})
}

// Current returns the API key that the client uses. Any API key can call it.
func (s *APIKeysService) Current(ctx context.Context, opts ...RequestOption) (*APIKey, error) {
	return one[APIKey](ctx, s.client, call{op: opAPIKeysCurrent, opts: opts})
}

// Create creates an API key. Only this response contains the key itself. It
// requires the api_keys:write scope, or the admin role.
//
// An API key cannot create a key with more permissions than its own: a scope
// that it lacks is a [*ScopeError], and a wider allowlist or a later expiry is
// [ErrForbidden]. Fields omitted from params are copied from the calling key.
func (s *APIKeysService) Create(ctx context.Context, params *CreateAPIKeyParams, opts ...RequestOption) (*CreatedAPIKey, error) {
	return one[CreatedAPIKey](ctx, s.client, call{op: opAPIKeysCreate, body: required(params), opts: opts})
}

// Update changes an active API key. It requires the api_keys:write scope, or
// the admin role. An API key cannot update a key that has, or would get, more
// permissions than its own.
func (s *APIKeysService) Update(ctx context.Context, id string, params *UpdateAPIKeyParams, opts ...RequestOption) (*APIKey, error) {
	return one[APIKey](ctx, s.client, call{op: opAPIKeysUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// Revoke revokes an API key immediately. It requires the api_keys:write scope,
// or the admin role. An API key can revoke itself and the keys that it can
// update. If the key is already revoked, Revoke returns [ErrConflict].
func (s *APIKeysService) Revoke(ctx context.Context, id string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opAPIKeysRevoke, ids: []string{id}, opts: opts})
}

// Rotate replaces an active API key with a new key that has the same settings.
// The old key remains valid for the overlap: whole seconds, up to 7 days, and
// never past its expiry. Only this response contains the new key. It requires
// the api_keys:write scope, or the admin role. An API key cannot rotate a key
// with more permissions than its own.
func (s *APIKeysService) Rotate(ctx context.Context, id string, overlap time.Duration, opts ...RequestOption) (*CreatedAPIKey, error) {
	if overlap < 0 || overlap%time.Second != 0 {
		return nil, invalid("overlap", "must be whole seconds, 0 or more")
	}
	body := &rotateAPIKeyBody{OverlapSeconds: int64(overlap / time.Second)}
	return one[CreatedAPIKey](ctx, s.client, call{op: opAPIKeysRotate, ids: []string{id}, body: body, opts: opts})
}

// Verify reports whether a key of this workspace is valid for the address,
// origin and scopes in params. It requires the api_keys:verify scope, or the
// admin role. A key of another workspace is reported as unknown.
func (s *APIKeysService) Verify(ctx context.Context, params *VerifyAPIKeyParams, opts ...RequestOption) (*APIKeyVerification, error) {
	return one[APIKeyVerification](ctx, s.client, call{op: opAPIKeysVerify, body: required(params), opts: opts})
}

// ListAPIKeysParams filters a list of API keys.
type ListAPIKeysParams struct {
	ListOptions
	Status    APIKeyStatus `url:"status,omitempty"`
	CreatedBy string       `url:"created_by,omitempty"` // a user id
	// ExpiresBefore selects the keys that expire before this time, earliest
	// expiry first. UnusedSince selects the keys that were created before this
	// time and have not been used since, longest unused first unless
	// ExpiresBefore is set.
	ExpiresBefore time.Time `url:"expires_before,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"`
	UnusedSince   time.Time `url:"unused_since,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"`
}

// CreateAPIKeyParams describes a new API key.
type CreateAPIKeyParams struct {
	Name           string    `json:"name"`                     // 1 to 100 characters
	Scopes         Scopes    `json:"scopes"`                   // at least one, each known to the server
	AllowedIPs     []string  `json:"allowed_ips,omitzero"`     // addresses and CIDR prefixes; nil: any address
	AllowedOrigins []string  `json:"allowed_origins,omitzero"` // https://app.example.com, https://*.example.com; nil: any origin
	ExpiresAt      time.Time `json:"expires_at,omitzero"`      // the key is expired from this time on; zero: never
}

// UpdateAPIKeyParams changes an API key. Nil fields are unchanged. A pointer to
// a nil list clears the list, and a pointer to the zero time clears the expiry.
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

// VerifyAPIKeyParams is a key and the request to check it against. Omitted
// fields are not checked.
type VerifyAPIKeyParams struct {
	Key    Secret  `json:"key"`
	IP     string  `json:"ip,omitzero"`
	Origin *string `json:"origin,omitzero"` // a pointer to "": a request without an Origin header
	Scopes Scopes  `json:"scopes,omitzero"`
}

// APIKeyStatus is the state of an API key. Servers may return other values.
type APIKeyStatus string

// The states of an API key.
const (
	APIKeyActive   APIKeyStatus = "active"
	APIKeyExpired  APIKeyStatus = "expired"
	APIKeyRevoked  APIKeyStatus = "revoked"
	APIKeyRotating APIKeyStatus = "rotating" // replaced by the key RotatedTo, and valid until OverlapEndsAt
)

// APIKey is the metadata of an API key, without the key itself.
type APIKey struct {
	ID             string       `json:"id"`
	WorkspaceID    string       `json:"workspace_id"`
	Name           string       `json:"name"`
	Prefix         string       `json:"prefix"` // the first characters of the key
	Last4          string       `json:"last4"`
	Scopes         Scopes       `json:"scopes"`
	AllowedIPs     []string     `json:"allowed_ips"`     // nil: any address
	AllowedOrigins []string     `json:"allowed_origins"` // nil: any origin
	ExpiresAt      time.Time    `json:"expires_at"`      // zero: never
	LastUsedAt     time.Time    `json:"last_used_at"`    // to the minute; includes uses checked by [APIKeysService.Verify]; zero: never
	LastUsedIP     string       `json:"last_used_ip"`    // empty: unknown
	Status         APIKeyStatus `json:"status"`
	RotatedTo      string       `json:"rotated_to"`
	OverlapEndsAt  time.Time    `json:"overlap_ends_at"`
	CreatedBy      string       `json:"created_by"` // the user id of the creator
	// CreatedByMember is the member id of the creator, or empty if the creator
	// is no longer a member.
	CreatedByMember string    `json:"created_by_member"`
	Version         int64     `json:"version"` // incremented by each change; see [WithIfMatch]
	CreatedAt       time.Time `json:"created_at"`
	RevokedAt       time.Time `json:"revoked_at"` // zero: not revoked
}

// CreatedAPIKey is a new API key, including the key itself. The key cannot be
// retrieved later.
type CreatedAPIKey struct {
	APIKey
	Key Secret `json:"key"`
}

// APIKeyVerification is the result of [APIKeysService.Verify].
type APIKeyVerification struct {
	Valid  bool      `json:"valid"`
	Code   ErrorCode `json:"code"`    // why the key is invalid; empty for a valid key
	APIKey *APIKey   `json:"api_key"` // nil for an unknown key
}
