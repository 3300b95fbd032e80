package promptrails

import (
	"context"
	"iter"
	"time"
)

// MaskingService administers data masking: which kinds of personal data and
// secrets a model provider does not see. The values are replaced by placeholders on
// the way to the provider, and restored on the way back: the agent, its tools and
// the caller see the originals, and so do executions. A trace shows what the
// provider saw. Package masking does the same for a program that calls a model
// itself.
type MaskingService struct{ client *Client }

var (
	opMaskingGet       = operation{"Masking.Get", "GET", "/data-masking", ScopeMaskingRead, 0}
	opMaskingUpdate    = operation{"Masking.Update", "PATCH", "/data-masking", ScopeMaskingWrite, 0}
	opMaskingOverrides = operation{"Masking.ListOverrides", "GET", "/data-masking/overrides", ScopeMaskingRead, 0}
	opMaskingOverride  = operation{"Masking.SetOverride", "PUT", "/data-masking/overrides/{agent_id}", ScopeMaskingWrite, 0}
	opMaskingLift      = operation{"Masking.DeleteOverride", "DELETE", "/data-masking/overrides/{agent_id}", ScopeMaskingWrite, 0}
	opMaskingPreview   = operation{"Masking.Preview", "POST", "/data-masking/preview", ScopeMaskingRead, 0}
	opMaskingReport    = operation{"Masking.Report", "GET", "/traces/pii-report", ScopeTracesRead, 0}
)

// Get returns the workspace's settings. It needs the scope masking:read, or the
// role admin.
func (s *MaskingService) Get(ctx context.Context, opts ...RequestOption) (*MaskingSettings, error) {
	return one[MaskingSettings](ctx, s.client, call{op: opMaskingGet, opts: opts})
}

// Update changes the workspace's settings. It needs the scope masking:write, or
// the role admin. Enabling them below the plan pro is a [*FeatureError].
func (s *MaskingService) Update(ctx context.Context, params *UpdateMaskingParams, opts ...RequestOption) (*MaskingSettings, error) {
	return one[MaskingSettings](ctx, s.client, call{op: opMaskingUpdate, body: required(params), opts: opts})
}

// ListOverrides returns one page of the agents' own settings, the newest first.
// It needs the scope masking:read, or the role admin.
func (s *MaskingService) ListOverrides(ctx context.Context, params *ListMaskingOverridesParams, opts ...RequestOption) (*Page[MaskingOverride], error) {
	return list[MaskingOverride](ctx, s.client, call{op: opMaskingOverrides, query: params, opts: opts})
}

// AllOverrides returns every agent's own settings, the newest first. It needs
// the scope masking:read, or the role admin.
func (s *MaskingService) AllOverrides(ctx context.Context, params *ListMaskingOverridesParams, opts ...RequestOption) iter.Seq2[*MaskingOverride, error] {
	return all[MaskingOverride](ctx, s.client, call{op: opMaskingOverrides, opts: opts}, params)
}

// SetOverride gives an agent settings of its own, in place of the workspace's,
// or changes them. It needs the scope masking:write, or the role admin. An
// agent that does not exist is [ErrNotFound]; enabling them below the plan pro
// a [*FeatureError].
func (s *MaskingService) SetOverride(ctx context.Context, agentID string, params *SetMaskingOverrideParams, opts ...RequestOption) (*MaskingOverride, error) {
	return one[MaskingOverride](ctx, s.client, call{op: opMaskingOverride, ids: []string{agentID}, body: required(params), opts: opts})
}

// DeleteOverride lets the workspace's settings hold for an agent again. It
// needs the scope masking:write, or the role admin.
func (s *MaskingService) DeleteOverride(ctx context.Context, agentID string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opMaskingLift, ids: []string{agentID}, opts: opts})
}

// Preview returns a text as it would be masked now: for an agent, where params
// names one, else by the workspace's settings. Where masking is off, the text
// comes back as it is. It needs the scope masking:read, or the role admin.
func (s *MaskingService) Preview(ctx context.Context, text string, params *PreviewMaskingParams, opts ...RequestOption) (*MaskingPreview, error) {
	body := &previewMaskingBody{Text: text}
	if params != nil {
		body.PreviewMaskingParams = *params
	}
	return one[MaskingPreview](ctx, s.client, call{op: opMaskingPreview, body: body, opts: opts})
}

// Report returns how many values the traces of executions had masked, by detector.
// Nil params select all traces. It needs the scope traces:read, or the role
// user.
func (s *MaskingService) Report(ctx context.Context, params *MaskingReportParams, opts ...RequestOption) (*MaskingReport, error) {
	return one[MaskingReport](ctx, s.client, call{op: opMaskingReport, query: params, opts: opts})
}

// Detector names a kind of data that is found. The type is open.
type Detector string

// The detectors that PromptRails knows.
const (
	DetectorEmail        Detector = "email"
	DetectorPhone        Detector = "phone" // with a leading +, or North American with its separators
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

// These detectors are for columns of data sources that are marked by hand: they
// have no pattern, and find nothing in a text.
const (
	DetectorName    Detector = "name"
	DetectorAddress Detector = "address"
)

// MaskingSettings say what is masked in a workspace.
type MaskingSettings struct {
	WorkspaceID string            `json:"workspace_id"`
	Enabled     bool              `json:"enabled"`
	Detectors   map[Detector]bool `json:"detectors"`  // each that the server knows; on unless it was set to false
	Version     int64             `json:"version"`    // counted up by each change; see [WithIfMatch]
	UpdatedAt   time.Time         `json:"updated_at"` // zero: never changed
}

// UpdateMaskingParams changes the workspace's settings; nil leaves a field as
// it is, and so does a detector that is not named.
type UpdateMaskingParams struct {
	Enabled   *bool             `json:"enabled,omitzero"`
	Detectors map[Detector]bool `json:"detectors,omitzero"`
}

// ListMaskingOverridesParams says which part of the list to return.
type ListMaskingOverridesParams struct{ ListOptions }

// MaskingOverride is what holds for one agent, whatever the workspace's
// settings say.
type MaskingOverride struct {
	AgentID   string            `json:"agent_id"`
	Enabled   bool              `json:"enabled"`
	Detectors map[Detector]bool `json:"detectors"` // each that the server knows; on unless it was set to false
	Version   int64             `json:"version"`   // counted up by each change; see [WithIfMatch]
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
}

// SetMaskingOverrideParams sets an agent's own settings; what is left out stays
// as it is. The first time, Enabled must be given.
type SetMaskingOverrideParams struct {
	Enabled   *bool             `json:"enabled,omitzero"`
	Detectors map[Detector]bool `json:"detectors,omitzero"`
}

// PreviewMaskingParams says for whom a text is masked.
type PreviewMaskingParams struct {
	AgentID string `json:"agent_id,omitzero"` // none: by the workspace's settings
}

// previewMaskingBody is the body of [MaskingService.Preview].
type previewMaskingBody struct {
	PreviewMaskingParams
	Text string `json:"text"`
}

// MaskingPreview is a masked text, and what was found in it.
type MaskingPreview struct {
	Masked  string         `json:"masked"`
	Matches []MaskingMatch `json:"matches"`
}

// MaskingMatch is what a detector found in a text.
type MaskingMatch struct {
	Detector    Detector `json:"detector"`
	Start       int      `json:"start"` // in bytes of UTF-8
	End         int      `json:"end"`   // behind the last one
	Placeholder string   `json:"placeholder"`
}

// MaskingReport is how many values the traces of executions had masked. See
// [MaskingService.Report].
type MaskingReport struct {
	Traces    int              `json:"traces"` // in which something was masked
	Total     int              `json:"total"`
	Detectors map[Detector]int `json:"detectors"`
}

// MaskingReportParams narrows a report.
type MaskingReportParams struct {
	Since   time.Time `url:"since,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"`
	Until   time.Time `url:"until,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"` // exclusive
	AgentID string    `url:"agent_id,omitempty"`
}
