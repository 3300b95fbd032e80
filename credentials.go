package promptrails

import (
	"context"
	"iter"
	"time"
)

// CredentialsService manages the secrets that a workspace's agents and data
// sources use, such as API keys of model providers and connection strings.
// Values are write-only: the API never returns them.
type CredentialsService struct{ client *Client }

var (
	opCredentialsList    = operation{"Credentials.List", "GET", "/credentials", ScopeCredentialsRead, 0}
	opCredentialsGet     = operation{"Credentials.Get", "GET", "/credentials/{id}", ScopeCredentialsRead, 0}
	opCredentialsCreate  = operation{"Credentials.Create", "POST", "/credentials", ScopeCredentialsWrite, 0}
	opCredentialsUpdate  = operation{"Credentials.Update", "PATCH", "/credentials/{id}", ScopeCredentialsWrite, 0}
	opCredentialsDelete  = operation{"Credentials.Delete", "DELETE", "/credentials/{id}", ScopeCredentialsWrite, 0}
	opCredentialsDefault = operation{"Credentials.SetDefault", "POST", "/credentials/{id}/default", ScopeCredentialsWrite, 0}
	opCredentialsUsage   = operation{"Credentials.Usage", "GET", "/credentials/{id}/usage", ScopeCredentialsRead, 0}
	opCredentialsCheck   = operation{"Credentials.CheckConnection", "POST", "/credentials/{id}/check", ScopeCredentialsWrite, 0}
)

// List returns one page of credentials with masked values, newest first. It
// requires the credentials:read scope, or the user role.
func (s *CredentialsService) List(ctx context.Context, params *ListCredentialsParams, opts ...RequestOption) (*Page[Credential], error) {
	return list[Credential](ctx, s.client, call{op: opCredentialsList, query: params, opts: opts})
}

// All returns an iterator over all credentials with masked values, newest
// first. It requires the credentials:read scope, or the user role.
func (s *CredentialsService) All(ctx context.Context, params *ListCredentialsParams, opts ...RequestOption) iter.Seq2[*Credential, error] {
	return all[Credential](ctx, s.client, call{op: opCredentialsList, opts: opts}, params)
}

// Get returns a credential with its value masked. It requires the
// credentials:read scope, or the user role.
func (s *CredentialsService) Get(ctx context.Context, id string, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsGet, ids: []string{id}, opts: opts})
}

// Create stores a secret. It requires the credentials:write scope, or the admin
// role.
func (s *CredentialsService) Create(ctx context.Context, params *CreateCredentialParams, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsCreate, body: required(params), opts: opts})
}

// Update changes a credential. A new Value rotates the secret. It requires the
// credentials:write scope, or the admin role.
func (s *CredentialsService) Update(ctx context.Context, id string, params *UpdateCredentialParams, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// Delete deletes a credential; params may be nil. It requires the
// credentials:write scope, or the admin role. If a resource refers to the
// credential, Delete returns [ErrConflict] with the code [CodeInUse], unless
// Force is set.
func (s *CredentialsService) Delete(ctx context.Context, id string, params *DeleteCredentialParams, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opCredentialsDelete, ids: []string{id}, query: params, opts: opts})
}

// Usage returns the resources that refer to a credential, oldest first. It
// requires the credentials:read scope, or the admin role.
func (s *CredentialsService) Usage(ctx context.Context, id string, opts ...RequestOption) ([]*ResourceRef, error) {
	return whole[ResourceRef](ctx, s.client, call{op: opCredentialsUsage, ids: []string{id}, opts: opts})
}

// SetDefault makes a credential the default of its type and replaces the
// previous default. It requires the credentials:write scope, or the admin role.
func (s *CredentialsService) SetDefault(ctx context.Context, id string, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsDefault, ids: []string{id}, opts: opts})
}

// CheckConnection checks whether a credential works, as far as the service can
// determine. It requires the credentials:write scope, or the admin role.
func (s *CredentialsService) CheckConnection(ctx context.Context, id string, opts ...RequestOption) (*CredentialCheck, error) {
	return one[CredentialCheck](ctx, s.client, call{op: opCredentialsCheck, ids: []string{id}, opts: opts})
}

// ListCredentialsParams filters a list of credentials.
type ListCredentialsParams struct {
	ListOptions
	Category CredentialCategory `url:"category,omitempty"`
	Type     CredentialType     `url:"type,omitempty"`
	Query    string             `url:"q,omitempty"` // part of the name, case-insensitive
}

// CreateCredentialParams describes a new credential.
type CreateCredentialParams struct {
	Name        string             `json:"name"` // 1 to 100 characters
	Type        CredentialType     `json:"type"`
	Category    CredentialCategory `json:"category,omitzero"` // default: the category of the type
	Description string             `json:"description,omitzero"`
	Value       Secret             `json:"value"` // at most 65 536 bytes
	IsDefault   bool               `json:"is_default,omitzero"`
	SchemaType  string             `json:"schema_type,omitzero"`
}

// UpdateCredentialParams changes a credential. Nil fields are unchanged. The
// type cannot be changed.
type UpdateCredentialParams struct {
	Name        *string             `json:"name,omitzero"`
	Category    *CredentialCategory `json:"category,omitzero"`
	Description *string             `json:"description,omitzero"`
	Value       *Secret             `json:"value,omitzero"`
	IsDefault   *bool               `json:"is_default,omitzero"`
	SchemaType  *string             `json:"schema_type,omitzero"`
}

// DeleteCredentialParams controls the deletion of a credential that is in use.
type DeleteCredentialParams struct {
	Force bool `url:"force,omitempty"`
}

// CredentialCategory is a group of credential types. Servers may return other
// values.
type CredentialCategory string

// The categories of credentials.
const (
	CategoryLLM           CredentialCategory = "llm"
	CategorySpeech        CredentialCategory = "speech"
	CategoryImage         CredentialCategory = "image"
	CategoryVideo         CredentialCategory = "video"
	CategoryDataWarehouse CredentialCategory = "data_warehouse"
	CategoryTools         CredentialCategory = "tools"
)

// CredentialType identifies the provider or database of a credential, such as
// openai or postgresql. The set of types is open.
type CredentialType string

// Credential is a secret of a workspace, without its value.
type Credential struct {
	ID            string             `json:"id"`
	WorkspaceID   string             `json:"workspace_id"`
	Name          string             `json:"name"`
	Type          CredentialType     `json:"type"`
	Category      CredentialCategory `json:"category"`
	Description   string             `json:"description"`
	MaskedContent string             `json:"masked_content"` // helps people distinguish values; the format depends on the server
	IsDefault     bool               `json:"is_default"`     // default of its type
	SchemaType    string             `json:"schema_type"`
	HasSchema     bool               `json:"has_schema"` // the server has read the database's schema; always false in the embedded service
	IsValid       *bool              `json:"is_valid"`   // result of the last check; nil: unknown
	Version       int64              `json:"version"`    // incremented by each change; see [WithIfMatch]
	CreatedAt     time.Time          `json:"created_at"`
	UpdatedAt     time.Time          `json:"updated_at"`
}

// ResourceRef identifies a resource.
type ResourceRef struct {
	Type ResourceType `json:"type"`
	ID   string       `json:"id"`
	Name string       `json:"name"`
}

// CredentialCheck is the result of a check.
type CredentialCheck struct {
	IsValid   *bool     `json:"is_valid"` // nil: unknown; see Reason
	Reason    string    `json:"reason"`
	CheckedAt time.Time `json:"checked_at"`
}
