package promptrails

import (
	"context"
	"iter"
	"time"
)

// CredentialsService keeps the secrets that a workspace's agents and data
// sources use: keys of model providers, connection strings. A value is sent
// once and never comes back.
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

// List returns one page of the credentials, the newest first, their values
// masked. It needs the scope credentials:read.
func (s *CredentialsService) List(ctx context.Context, params *ListCredentialsParams, opts ...RequestOption) (*Page[Credential], error) {
	return list[Credential](ctx, s.client, call{op: opCredentialsList, query: params, opts: opts})
}

// All returns every credential, the newest first, its value masked. It needs
// the scope credentials:read.
func (s *CredentialsService) All(ctx context.Context, params *ListCredentialsParams, opts ...RequestOption) iter.Seq2[*Credential, error] {
	return all[Credential](ctx, s.client, call{op: opCredentialsList, opts: opts}, params)
}

// Get returns one credential, its value masked. It needs the scope
// credentials:read.
func (s *CredentialsService) Get(ctx context.Context, id string, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsGet, ids: []string{id}, opts: opts})
}

// Create stores a secret. It needs the scope credentials:write, or the role
// admin.
func (s *CredentialsService) Create(ctx context.Context, params *CreateCredentialParams, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsCreate, body: required(params), opts: opts})
}

// Update changes a credential; a new Value rotates its secret. It needs the
// scope credentials:write, or the role admin.
func (s *CredentialsService) Update(ctx context.Context, id string, params *UpdateCredentialParams, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// Delete deletes a credential; params may be nil. It needs the scope
// credentials:write, or the role admin. One that something refers to is
// [ErrConflict] with the code [CodeInUse], unless Force is set.
func (s *CredentialsService) Delete(ctx context.Context, id string, params *DeleteCredentialParams, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opCredentialsDelete, ids: []string{id}, query: params, opts: opts})
}

// Usage returns the resources that refer to a credential, the oldest first. It
// needs the scope credentials:read, or the role admin.
func (s *CredentialsService) Usage(ctx context.Context, id string, opts ...RequestOption) ([]*ResourceRef, error) {
	return whole[ResourceRef](ctx, s.client, call{op: opCredentialsUsage, ids: []string{id}, opts: opts})
}

// SetDefault makes a credential the default of its type, in place of the one
// that was. It needs the scope credentials:write, or the role admin.
func (s *CredentialsService) SetDefault(ctx context.Context, id string, opts ...RequestOption) (*Credential, error) {
	return one[Credential](ctx, s.client, call{op: opCredentialsDefault, ids: []string{id}, opts: opts})
}

// CheckConnection asks whether a credential works, as far as the service can
// tell. It needs the scope credentials:write, or the role admin.
func (s *CredentialsService) CheckConnection(ctx context.Context, id string, opts ...RequestOption) (*CredentialCheck, error) {
	return one[CredentialCheck](ctx, s.client, call{op: opCredentialsCheck, ids: []string{id}, opts: opts})
}

// ListCredentialsParams narrows a list of credentials.
type ListCredentialsParams struct {
	ListOptions
	Category CredentialCategory `url:"category,omitempty"`
	Type     CredentialType     `url:"type,omitempty"`
	Query    string             `url:"q,omitempty"` // in the name, whatever the case
}

// CreateCredentialParams describes a new credential.
type CreateCredentialParams struct {
	Name        string             `json:"name"` // 1 to 100 characters
	Type        CredentialType     `json:"type"`
	Category    CredentialCategory `json:"category,omitzero"` // that of the type by default
	Description string             `json:"description,omitzero"`
	Value       Secret             `json:"value"` // at most 65 536 bytes
	IsDefault   bool               `json:"is_default,omitzero"`
	SchemaType  string             `json:"schema_type,omitzero"`
}

// UpdateCredentialParams changes a credential; nil leaves a field as it is. Its
// type never changes.
type UpdateCredentialParams struct {
	Name        *string             `json:"name,omitzero"`
	Category    *CredentialCategory `json:"category,omitzero"`
	Description *string             `json:"description,omitzero"`
	Value       *Secret             `json:"value,omitzero"`
	IsDefault   *bool               `json:"is_default,omitzero"`
	SchemaType  *string             `json:"schema_type,omitzero"`
}

// DeleteCredentialParams says whether to delete what is in use.
type DeleteCredentialParams struct {
	Force bool `url:"force,omitempty"`
}

// CredentialCategory groups the types of credentials. The type is open.
type CredentialCategory string

// The categories that PromptRails knows.
const (
	CategoryLLM           CredentialCategory = "llm"
	CategorySpeech        CredentialCategory = "speech"
	CategoryImage         CredentialCategory = "image"
	CategoryVideo         CredentialCategory = "video"
	CategoryDataWarehouse CredentialCategory = "data_warehouse"
	CategoryTools         CredentialCategory = "tools"
)

// CredentialType names the provider or database that a credential is for, such
// as openai or postgresql. The type is open.
type CredentialType string

// Credential is a secret of a workspace, without its value.
type Credential struct {
	ID            string             `json:"id"`
	WorkspaceID   string             `json:"workspace_id"`
	Name          string             `json:"name"`
	Type          CredentialType     `json:"type"`
	Category      CredentialCategory `json:"category"`
	Description   string             `json:"description"`
	MaskedContent string             `json:"masked_content"` // for people to tell values apart; servers mask differently
	IsDefault     bool               `json:"is_default"`     // of its type
	SchemaType    string             `json:"schema_type"`
	HasSchema     bool               `json:"has_schema"` // the server has read the schema of the database; the embedded service reads none
	IsValid       *bool              `json:"is_valid"`   // as the last check found; nil: not known
	Version       int64              `json:"version"`    // counted up by each change; see [WithIfMatch]
	CreatedAt     time.Time          `json:"created_at"`
	UpdatedAt     time.Time          `json:"updated_at"`
}

// ResourceRef names a resource.
type ResourceRef struct {
	Type ResourceType `json:"type"`
	ID   string       `json:"id"`
	Name string       `json:"name"`
}

// CredentialCheck is what a check found.
type CredentialCheck struct {
	IsValid   *bool     `json:"is_valid"` // nil: the check cannot tell; Reason says why
	Reason    string    `json:"reason"`
	CheckedAt time.Time `json:"checked_at"`
}
