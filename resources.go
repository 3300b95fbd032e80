package promptrails

import (
	"context"
	"iter"
	"net/url"
	"strings"
)

// ResourcesService manages the objects of a workspace by their [ResourceKind],
// such as agents, prompts and data sources.
type ResourcesService struct{ client *Client }

// ResourceKind identifies a collection by its path, such as agents or
// agents/ID/versions. Servers may have other collections.
type ResourceKind string

// The kinds of resources. KindMemories and KindGuardrails are nested: except
// for Get, Update and Delete, specify the agent with [ResourceKind.Of].
// KindExecutions and KindTraces are read-only. [CredentialsService] and
// [APIKeysService] have more methods for KindCredentials and KindAPIKeys.
const (
	KindAgents      ResourceKind = "agents"
	KindPrompts     ResourceKind = "prompts"
	KindDataSources ResourceKind = "data-sources"
	KindMCPTools    ResourceKind = "mcp-tools"
	KindExecutions  ResourceKind = "executions"
	KindTraces      ResourceKind = "traces"
	KindSessions    ResourceKind = "chat/sessions"
	KindMemories    ResourceKind = "agents/{agent_id}/memories"
	KindScores      ResourceKind = "scores"
	KindGuardrails  ResourceKind = "agents/{agent_id}/guardrails"
	KindTriggers    ResourceKind = "triggers"
	KindApprovals   ResourceKind = "approvals"
	KindApps        ResourceKind = "apps"
	KindCredentials ResourceKind = "credentials"
	KindAPIKeys     ResourceKind = "api-keys"
)

// kindScopes maps a kind to the scopes required to read and to write it.
var kindScopes = map[ResourceKind][2]Scope{
	KindAgents:      {ScopeAgentsRead, ScopeAgentsWrite},
	KindPrompts:     {ScopePromptsRead, ScopePromptsWrite},
	KindDataSources: {ScopeDataSourcesRead, ScopeDataSourcesWrite},
	KindMCPTools:    {ScopeMCPToolsRead, ScopeMCPToolsWrite},
	KindExecutions:  {ScopeExecutionsRead},
	KindTraces:      {ScopeTracesRead},
	KindSessions:    {ScopeSessionsRead, ScopeChatWrite},
	KindMemories:    {ScopeMemoriesRead, ScopeMemoriesWrite},
	KindScores:      {ScopeScoresRead, ScopeScoresWrite},
	KindGuardrails:  {ScopeGuardrailsRead, ScopeGuardrailsWrite},
	KindTriggers:    {ScopeWebhookTriggersRead, ScopeWebhookTriggersWrite},
	KindApprovals:   {ScopeApprovalsRead, ScopeApprovalsWrite},
	KindApps:        {ScopeAppsRead, ScopeAppsWrite},
	KindCredentials: {ScopeCredentialsRead, ScopeCredentialsWrite},
	KindAPIKeys:     {ScopeAPIKeysRead, ScopeAPIKeysWrite},
}

const agentPlaceholder = "{agent_id}"

// ResourceKinds returns the fifteen kinds of resources that belong to a
// workspace.
func ResourceKinds() []ResourceKind {
	return []ResourceKind{
		KindAgents, KindPrompts, KindDataSources, KindMCPTools, KindExecutions, KindTraces, KindSessions, KindMemories,
		KindScores, KindGuardrails, KindTriggers, KindApprovals, KindApps, KindCredentials, KindAPIKeys,
	}
}

// Of returns the collection of a nested kind under an agent. It returns other
// kinds unchanged.
func (k ResourceKind) Of(agentID string) ResourceKind {
	return ResourceKind(strings.Replace(string(k), agentPlaceholder, url.PathEscape(agentID), 1))
}

// IsNested reports whether the kind's collections are under an agent. The paths
// of its items do not include the agent.
func (k ResourceKind) IsNested() bool {
	return k.template() == KindMemories || k.template() == KindGuardrails
}

// template returns the kind with a placeholder for the agent id.
func (k ResourceKind) template() ResourceKind {
	if elements := strings.Split(string(k), "/"); len(elements) == 3 && elements[0] == "agents" {
		return ResourceKind("agents/" + agentPlaceholder + "/" + elements[2])
	}
	return k
}

// List returns one page of a collection, newest first. It requires the kind's
// read scope, or the user role.
func (s *ResourcesService) List(ctx context.Context, kind ResourceKind, params *ListResourcesParams, opts ...RequestOption) (*Page[Resource], error) {
	call, err := kind.collection("Resources.List", "GET", opts)
	if err != nil {
		return nil, err
	}
	call.query = params
	return list[Resource](ctx, s.client, call)
}

// All returns an iterator over all resources of a collection, newest first. It
// yields each id once. It requires the kind's read scope, or the user role.
func (s *ResourcesService) All(ctx context.Context, kind ResourceKind, params *ListResourcesParams, opts ...RequestOption) iter.Seq2[*Resource, error] {
	call, err := kind.collection("Resources.List", "GET", opts)
	if err != nil {
		return func(yield func(*Resource, error) bool) { yield(nil, err) }
	}
	return all[Resource](ctx, s.client, call, params)
}

// Get returns a resource. It requires the kind's read scope, or the user role.
func (s *ResourcesService) Get(ctx context.Context, kind ResourceKind, id string, opts ...RequestOption) (*Resource, error) {
	call, err := kind.item("Resources.Get", "GET", id, opts)
	if err != nil {
		return nil, err
	}
	return one[Resource](ctx, s.client, call)
}

// Create creates a resource. It requires the kind's write scope, or the user
// role. Fields is a struct, a map or JSON that encodes to an object; see
// [Client.Do]. A name is required for all kinds except memories, guardrails,
// scores and chat sessions.
//
// Create returns a [*QuotaError] if the plan's limit is reached, a
// [*FeatureError] if the plan lacks the feature, and [ErrNotFound] if a field
// such as agent_id refers to an object that is not in the workspace.
func (s *ResourcesService) Create(ctx context.Context, kind ResourceKind, fields any, opts ...RequestOption) (*Resource, error) {
	call, err := kind.collection("Resources.Create", "POST", opts)
	if err != nil {
		return nil, err
	}
	call.body = given(fields)
	return one[Resource](ctx, s.client, call)
}

// Update merges fields into a resource. Omitted fields are unchanged. Fields
// are encoded as described at [Client.Do]; omitempty omits zero numbers, false
// and empty strings.
//
// It requires the kind's write scope, or the admin role. With the user role, a
// caller can update resources that they created, and the memories and
// guardrails of agents that they created.
func (s *ResourcesService) Update(ctx context.Context, kind ResourceKind, id string, fields any, opts ...RequestOption) (*Resource, error) {
	call, err := kind.item("Resources.Update", "PATCH", id, opts)
	if err != nil {
		return nil, err
	}
	call.body = given(fields)
	return one[Resource](ctx, s.client, call)
}

// Delete deletes a resource. Deleting an agent also deletes its memories and
// guardrails. It requires the same scope or role as [ResourcesService.Update].
func (s *ResourcesService) Delete(ctx context.Context, kind ResourceKind, id string, opts ...RequestOption) error {
	call, err := kind.item("Resources.Delete", "DELETE", id, opts)
	if err != nil {
		return err
	}
	return none(ctx, s.client, call)
}

// given replaces nil fields, which would be sent as a request without a body,
// by a body that is rejected.
func given(fields any) any {
	if fields == nil {
		return omittedBody{}
	}
	return fields
}

var opResourcesExecute = operation{"Resources.Execute", "POST", "/agents/{id}/execute", ScopeAgentsExecute, callerBody}

// Execute runs an agent and returns its execution. It requires the
// agents:execute scope, or the user role. If the plan's executions of the
// period are used up, Execute returns a [*QuotaError].
//
// If the agent has an approval_policy, the execution is returned with the
// status waiting_approval. To decide on it, call [Client.Do] with POST and
// /executions/{id}/approve, deny or cancel.
//
// The embedded service does not call a model. It simulates the output and the
// cost, and marks the execution as simulated.
func (s *ResourcesService) Execute(ctx context.Context, agentID string, params *ExecuteParams, opts ...RequestOption) (*Resource, error) {
	if params == nil {
		params = &ExecuteParams{}
	}
	return one[Resource](ctx, s.client, call{op: opResourcesExecute, ids: []string{agentID}, body: params, opts: opts})
}

// ListResourcesParams filters a list of resources. Each field except Query is
// compared with the resource field of the same name.
//
// All kinds can be filtered by Status and Query. In addition, agents can be
// filtered by Name and Type; executions by AgentID and SessionID; traces by
// AgentID, SessionID, TraceID and Kind; scores by Name, TraceID, ExecutionID,
// Source, DataType and ConfigID; triggers by AgentID. The server rejects other
// filters.
type ListResourcesParams struct {
	ListOptions
	Status      string `url:"status,omitempty"`
	Query       string `url:"q,omitempty"` // part of the name, case-insensitive
	Name        string `url:"name,omitempty"`
	Type        string `url:"type,omitempty"`
	Kind        string `url:"kind,omitempty"`
	AgentID     string `url:"agent_id,omitempty"`
	SessionID   string `url:"session_id,omitempty"`
	ExecutionID string `url:"execution_id,omitempty"`
	TraceID     string `url:"trace_id,omitempty"`
	Source      string `url:"source,omitempty"`
	DataType    string `url:"data_type,omitempty"`
	ConfigID    string `url:"config_id,omitempty"`
}

// ExecuteParams is the input and the options of an execution. Input and
// Metadata are encoded as described at [Client.Do].
type ExecuteParams struct {
	Input     any    `json:"input,omitzero"`
	SessionID string `json:"session_id,omitzero"` // any text that groups related executions
	VersionID string `json:"version_id,omitzero"` // agent version; default: the current one
	Sync      *bool  `json:"sync,omitzero"`       // wait for completion; default: up to the server
	Metadata  any    `json:"metadata,omitzero"`   // stored with the execution
}
