package service

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// This file has the bodies and queries of requests that differ from the
// parameter types of the client, or that the client does not export.

// AcceptInvitationBody is the body of POST /invitations/accept.
type AcceptInvitationBody struct {
	Token promptrails.Secret `json:"token"`
}

// ChangePlanBody is the body of PATCH /billing/subscription.
type ChangePlanBody struct {
	Plan promptrails.PlanID `json:"plan"`
}

// CreateAPIKeyBody is the body of POST /api-keys. A key whose expiry is null or
// omitted does not expire.
type CreateAPIKeyBody struct {
	promptrails.CreateAPIKeyParams
	ExpiresAt Nullable[time.Time] `json:"expires_at"`
}

// CreateCredentialBody is the body of POST /credentials. It also accepts the
// names that older clients use for two of the fields.
type CreateCredentialBody struct {
	promptrails.CreateCredentialParams
	Provider promptrails.CredentialType `json:"provider"`
	APIKey   promptrails.Secret         `json:"api_key"`
}

// DecisionBody is the body of the routes that approve, deny or cancel.
type DecisionBody struct {
	Reason string `json:"reason"`
}

// ExecuteBody is the body of POST /agents/{id}/execute.
type ExecuteBody struct {
	Input     jsontext.Value `json:"input"`
	SessionID string         `json:"session_id"` // any text
	VersionID string         `json:"version_id"`
	Sync      *bool          `json:"sync"` // no effect: executions finish, or wait for an approval, before the response
	Metadata  jsontext.Value `json:"metadata"`
}

// ListInboxQuery is the query of GET /executions/approval-inbox.
type ListInboxQuery struct {
	promptrails.ListOptions
	AgentID string `url:"agent_id"`
}

// ListResourcesQuery is the query of a list of resources.
type ListResourcesQuery struct {
	promptrails.ListOptions
	Status string            `url:"status"`
	Query  string            `url:"q"`
	Search string            `url:"search"` // the same as q
	Filter map[string]string `url:"-"`      // by field
}

// MaskedReportQuery is the query of GET /traces/pii-report.
type MaskedReportQuery struct {
	Since   time.Time `url:"since"`
	Until   time.Time `url:"until"` // exclusive
	AgentID string    `url:"agent_id"`
}

// PreviewMaskingBody is the body of POST /data-masking/preview.
type PreviewMaskingBody struct {
	Text    string `json:"text"`
	AgentID string `json:"agent_id"`
}

// RevokeQuery is the query of the routes that remove or demote a member.
type RevokeQuery struct {
	APIKeys string `url:"api_keys"` // "revoke": also revoke the keys that the member created
}

// RotateAPIKeyBody is the body of POST /api-keys/{id}/rotate.
type RotateAPIKeyBody struct {
	OverlapSeconds int64 `json:"overlap_seconds"`
}

// TopUpBody is the body of POST /billing/balance/top-ups.
type TopUpBody struct {
	Amount promptrails.Money `json:"amount"`
}

// TransferOwnershipBody is the body of POST /workspaces/{id}/transfer.
type TransferOwnershipBody struct {
	MemberID string `json:"member_id"`
}

// UpdateAPIKeyBody is the body of PATCH /api-keys/{id}. A null list or expiry
// is cleared.
type UpdateAPIKeyBody struct {
	Name           *string             `json:"name"`
	Scopes         *promptrails.Scopes `json:"scopes"`
	AllowedIPs     Nullable[[]string]  `json:"allowed_ips"`
	AllowedOrigins Nullable[[]string]  `json:"allowed_origins"`
	ExpiresAt      Nullable[time.Time] `json:"expires_at"`
}

// UpdateChannelBody is the body of PATCH /notification-channels/{id}. Null
// events select all events.
type UpdateChannelBody struct {
	promptrails.UpdateChannelParams
	Events Nullable[[]promptrails.EventType] `json:"events"`
}

// UpdateCredentialBody is the body of PATCH /credentials/{id}. It also accepts
// the name that older clients use for the value.
type UpdateCredentialBody struct {
	promptrails.UpdateCredentialParams
	APIKey *promptrails.Secret `json:"api_key"`
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
