package promptrails

import (
	"context"
	"iter"
	"time"
)

// MaskingService manages data masking, which hides personal data and secrets
// from model providers. Values are replaced by placeholders in requests to the
// provider and restored in its responses. The agent, its tools, the caller and
// executions see the original values; a trace shows what the provider received.
// Package masking does the same for programs that call a model directly.
type MaskingService struct{ client *Client }

var (
	opMaskingGet       = operation{"Masking.Get", "GET", "/data-masking", ScopeMaskingRead, 0}
	opMaskingUpdate    = operation{"Masking.Update", "PATCH", "/data-masking", ScopeMaskingWrite, 0}
	opMaskingOverrides = operation{"Masking.ListOverrides", "GET", "/data-masking/overrides", ScopeMaskingRead, 0}
	opMaskingOverride  = operation{"Masking.SetOverride", "PUT", "/data-masking/overrides/{agent_id}", ScopeMaskingWrite, 0}
	opMaskingRemove    = operation{"Masking.DeleteOverride", "DELETE", "/data-masking/overrides/{agent_id}", ScopeMaskingWrite, 0}
	opMaskingPreview   = operation{"Masking.Preview", "POST", "/data-masking/preview", ScopeMaskingRead, 0}
	opMaskingReport    = operation{"Masking.Report", "GET", "/traces/pii-report", ScopeTracesRead, 0}
)

// Get returns the workspace's settings. It requires the masking:read scope, or
// the admin role.
func (s *MaskingService) Get(ctx context.Context, opts ...RequestOption) (*MaskingSettings, error) {
	return one[MaskingSettings](ctx, s.client, call{op: opMaskingGet, opts: opts})
}

// Update changes the workspace's settings. It requires the masking:write scope,
// or the admin role. Enabling masking requires the pro plan or a higher one;
// otherwise Update returns a [*FeatureError].
func (s *MaskingService) Update(ctx context.Context, params *UpdateMaskingParams, opts ...RequestOption) (*MaskingSettings, error) {
	return one[MaskingSettings](ctx, s.client, call{op: opMaskingUpdate, body: required(params), opts: opts})
}

// ListOverrides returns one page of the settings of individual agents, newest
// first. It requires the masking:read scope, or the admin role.
func (s *MaskingService) ListOverrides(ctx context.Context, params *ListMaskingOverridesParams, opts ...RequestOption) (*Page[MaskingOverride], error) {
	return list[MaskingOverride](ctx, s.client, call{op: opMaskingOverrides, query: params, opts: opts})
}

// AllOverrides returns an iterator over the settings of individual agents,
// newest first. It requires the masking:read scope, or the admin role.
func (s *MaskingService) AllOverrides(ctx context.Context, params *ListMaskingOverridesParams, opts ...RequestOption) iter.Seq2[*MaskingOverride, error] {
	return all[MaskingOverride](ctx, s.client, call{op: opMaskingOverrides, opts: opts}, params)
}

// SetOverride creates or changes an agent's own settings, which replace those
// of the workspace. It requires the masking:write scope, or the admin role. An
// agent that does not exist is [ErrNotFound]. Enabling masking requires the pro
// plan or a higher one; otherwise SetOverride returns a [*FeatureError].
func (s *MaskingService) SetOverride(ctx context.Context, agentID string, params *SetMaskingOverrideParams, opts ...RequestOption) (*MaskingOverride, error) {
	return one[MaskingOverride](ctx, s.client, call{op: opMaskingOverride, ids: []string{agentID}, body: required(params), opts: opts})
}

// DeleteOverride deletes an agent's own settings, so that the workspace's
// settings apply again. It requires the masking:write scope, or the admin role.
func (s *MaskingService) DeleteOverride(ctx context.Context, agentID string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opMaskingRemove, ids: []string{agentID}, opts: opts})
}

// Preview returns a text as it would be masked now, with the settings of the
// agent in params if it is set, and of the workspace otherwise. If masking is
// disabled, the text is returned unchanged. It requires the masking:read scope,
// or the admin role.
func (s *MaskingService) Preview(ctx context.Context, text string, params *PreviewMaskingParams, opts ...RequestOption) (*MaskingPreview, error) {
	body := &previewMaskingBody{Text: text}
	if params != nil {
		body.PreviewMaskingParams = *params
	}
	return one[MaskingPreview](ctx, s.client, call{op: opMaskingPreview, body: body, opts: opts})
}

// Report returns the number of values masked in traces of executions, by
// detector. Nil params select all traces. It requires the traces:read scope, or
// the user role.
func (s *MaskingService) Report(ctx context.Context, params *MaskingReportParams, opts ...RequestOption) (*MaskingReport, error) {
	return one[MaskingReport](ctx, s.client, call{op: opMaskingReport, query: params, opts: opts})
}

// Detector identifies a kind of data to mask. Servers may return other values.
type Detector string

// The detectors.
const (
	DetectorEmail        Detector = "email"
	DetectorPhone        Detector = "phone" // international, North American with separators, or national with groups or after a word such as tel
	DetectorCreditCard   Detector = "credit_card"
	DetectorIBAN         Detector = "iban"
	DetectorUSSSN        Detector = "us_ssn"
	DetectorTCKimlik     Detector = "tc_kimlik" // Turkish identity numbers
	DetectorIPv4         Detector = "ipv4"
	DetectorIPv6         Detector = "ipv6"
	DetectorJWT          Detector = "jwt"
	DetectorAWSAccessKey Detector = "aws_access_key"
	DetectorAPIKey       Detector = "api_key" // with a known vendor's prefix
	DetectorPrivateKey   Detector = "private_key"
)

// Detectors for columns of data sources that are marked manually. They have no
// pattern and never match text.
const (
	DetectorName    Detector = "name"
	DetectorAddress Detector = "address"
)

// MaskingSettings are the masking settings of a workspace.
type MaskingSettings struct {
	WorkspaceID string            `json:"workspace_id"`
	Enabled     bool              `json:"enabled"`
	Detectors   map[Detector]bool `json:"detectors"`  // every detector of the server; true unless set to false
	Version     int64             `json:"version"`    // incremented by each change; see [WithIfMatch]
	UpdatedAt   time.Time         `json:"updated_at"` // zero: never changed
}

// UpdateMaskingParams changes the workspace's settings. Nil fields and omitted
// detectors are unchanged.
type UpdateMaskingParams struct {
	Enabled   *bool             `json:"enabled,omitzero"`
	Detectors map[Detector]bool `json:"detectors,omitzero"`
}

// ListMaskingOverridesParams selects a page of overrides.
type ListMaskingOverridesParams struct{ ListOptions }

// MaskingOverride is the masking settings of one agent. They replace those of
// the workspace.
type MaskingOverride struct {
	AgentID   string            `json:"agent_id"`
	Enabled   bool              `json:"enabled"`
	Detectors map[Detector]bool `json:"detectors"` // every detector of the server; true unless set to false
	Version   int64             `json:"version"`   // incremented by each change; see [WithIfMatch]
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
}

// SetMaskingOverrideParams sets an agent's own settings. Omitted fields are
// unchanged. Enabled is required to create an override.
type SetMaskingOverrideParams struct {
	Enabled   *bool             `json:"enabled,omitzero"`
	Detectors map[Detector]bool `json:"detectors,omitzero"`
}

// PreviewMaskingParams selects the settings of a preview.
type PreviewMaskingParams struct {
	AgentID string `json:"agent_id,omitzero"` // empty: the workspace's settings
}

// previewMaskingBody is the body of [MaskingService.Preview].
type previewMaskingBody struct {
	PreviewMaskingParams
	Text string `json:"text"`
}

// MaskingPreview is a masked text and the matches in the original text.
type MaskingPreview struct {
	Masked  string         `json:"masked"`
	Matches []MaskingMatch `json:"matches"`
}

// MaskingMatch is a match of a detector in a text.
type MaskingMatch struct {
	Detector    Detector `json:"detector"`
	Start       int      `json:"start"` // byte offset in the UTF-8 text
	End         int      `json:"end"`   // exclusive
	Placeholder string   `json:"placeholder"`
}

// MaskingReport counts the values masked in traces of executions. See
// [MaskingService.Report].
type MaskingReport struct {
	Traces    int              `json:"traces"` // traces with at least one masked value
	Total     int              `json:"total"`
	Detectors map[Detector]int `json:"detectors"`
}

// MaskingReportParams filters a report.
type MaskingReportParams struct {
	Since   time.Time `url:"since,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"`
	Until   time.Time `url:"until,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"` // exclusive
	AgentID string    `url:"agent_id,omitempty"`
}
