package promptrails

import (
	"context"
	"iter"
	"net/url"
	"strings"
)

// ResourcesService works with what belongs to a workspace and has no service of
// its own: agents, prompts, data sources and so on, by their [ResourceKind].
type ResourcesService struct{ client *Client }

// ResourceKind names a collection: its value is the collection's path, such as
// agents or agents/ID/versions. The type is open.
type ResourceKind string

// The kinds of resources. KindMemories and KindGuardrails are nested: use
// [ResourceKind.Of] to name the agent, except for Get, Update and Delete. KindExecutions and KindTraces are
// read only. KindCredentials and KindAPIKeys have services of their own, which
// know more of them.
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

// kindScopes are the scopes that reading and writing a kind takes.
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

// ResourceKinds returns the fifteen kinds that belong to exactly one workspace.
func ResourceKinds() []ResourceKind {
	return []ResourceKind{
		KindAgents, KindPrompts, KindDataSources, KindMCPTools, KindExecutions, KindTraces, KindSessions, KindMemories,
		KindScores, KindGuardrails, KindTriggers, KindApprovals, KindApps, KindCredentials, KindAPIKeys,
	}
}

// Of returns a nested kind under an agent. A kind that is not nested stays as it
// is.
func (k ResourceKind) Of(agentID string) ResourceKind {
	return ResourceKind(strings.Replace(string(k), agentPlaceholder, url.PathEscape(agentID), 1))
}

// IsNested reports whether the kind's collections are under an agent. Its items
// have a path of their own, which names no agent.
func (k ResourceKind) IsNested() bool {
	return k.template() == KindMemories || k.template() == KindGuardrails
}

// template returns the kind with a placeholder for the agent that it is under.
func (k ResourceKind) template() ResourceKind {
	if elements := strings.Split(string(k), "/"); len(elements) == 3 && elements[0] == "agents" {
		return ResourceKind("agents/" + agentPlaceholder + "/" + elements[2])
	}
	return k
}

// List returns one page of a collection, the newest first. It needs the scope
// that reads the kind, or the role user.
func (s *ResourcesService) List(ctx context.Context, kind ResourceKind, params *ListResourcesParams, opts ...RequestOption) (*Page[Resource], error) {
	call, err := kind.collection("Resources.List", "GET", opts)
	if err != nil {
		return nil, err
	}
	call.query = params
	return list[Resource](ctx, s.client, call)
}

// All returns every item of a collection, the newest first, each id once. It
// needs the scope that reads the kind, or the role user.
func (s *ResourcesService) All(ctx context.Context, kind ResourceKind, params *ListResourcesParams, opts ...RequestOption) iter.Seq2[*Resource, error] {
	call, err := kind.collection("Resources.List", "GET", opts)
	if err != nil {
		return func(yield func(*Resource, error) bool) { yield(nil, err) }
	}
	return all[Resource](ctx, s.client, call, params)
}

// Get returns one resource. It needs the scope that reads the kind, or the role
// user.
func (s *ResourcesService) Get(ctx context.Context, kind ResourceKind, id string, opts ...RequestOption) (*Resource, error) {
	call, err := kind.item("Resources.Get", "GET", id, opts)
	if err != nil {
		return nil, err
	}
	return one[Resource](ctx, s.client, call)
}

// Create makes a resource of fields: a struct, a map or JSON that is an object,
// encoded as [Client.Do] says. All kinds except memories, guardrails, scores and
// chat sessions need a name. It needs the scope that writes the kind, or the role
// user. It returns a [*QuotaError] if the plan's limit is reached, a
// [*FeatureError] if the plan lacks the feature, and [ErrNotFound] if a field
// such as agent_id names nothing in the workspace.
func (s *ResourcesService) Create(ctx context.Context, kind ResourceKind, fields any, opts ...RequestOption) (*Resource, error) {
	call, err := kind.collection("Resources.Create", "POST", opts)
	if err != nil {
		return nil, err
	}
	call.body = given(fields)
	return one[Resource](ctx, s.client, call)
}

// Update merges fields into a resource: a field that is omitted stays as it is.
// Fields are encoded as [Client.Do] says, so that omitempty omits zero numbers,
// false and empty strings. It needs the scope that writes the kind, or the role
// admin; a user may change what the user created, and memories and guardrails of
// an agent that the user created.
func (s *ResourcesService) Update(ctx context.Context, kind ResourceKind, id string, fields any, opts ...RequestOption) (*Resource, error) {
	call, err := kind.item("Resources.Update", "PATCH", id, opts)
	if err != nil {
		return nil, err
	}
	call.body = given(fields)
	return one[Resource](ctx, s.client, call)
}

// Delete removes a resource; an agent's memories and guardrails are removed with
// it. It needs what [ResourcesService.Update] needs.
func (s *ResourcesService) Delete(ctx context.Context, kind ResourceKind, id string, opts ...RequestOption) error {
	call, err := kind.item("Resources.Delete", "DELETE", id, opts)
	if err != nil {
		return err
	}
	return none(ctx, s.client, call)
}

// given refuses fields that are nil, which would be sent as no body.
func given(fields any) any {
	if fields == nil {
		return omittedBody{}
	}
	return fields
}

var opResourcesExecute = operation{"Resources.Execute", "POST", "/agents/{id}/execute", ScopeAgentsExecute, callerBody}

// Execute runs an agent and returns its execution. It needs the scope
// agents:execute, or the role user. Beyond the plan's executions of the period
// it is a [*QuotaError]. The embedded service asks no model: its output, and
// what it costs the balance, are simulated, and the execution says so. An execution of
// an agent with an approval_policy is returned with the status waiting_approval; use
// [Client.Do] with POST /executions/{id}/approve, deny or cancel to decide on it.
func (s *ResourcesService) Execute(ctx context.Context, agentID string, params *ExecuteParams, opts ...RequestOption) (*Resource, error) {
	if params == nil {
		params = &ExecuteParams{}
	}
	return one[Resource](ctx, s.client, call{op: opResourcesExecute, ids: []string{agentID}, body: params, opts: opts})
}

// ListResourcesParams narrows a list of resources. Except for Query, a field is
// compared with the field of the resource that has its name. A server refuses a
// field that the kind cannot be filtered by: agents have Name and Type; executions
// AgentID and SessionID; traces AgentID, SessionID, TraceID and Kind; scores Name,
// TraceID, ExecutionID, Source, DataType and ConfigID; triggers AgentID. All have
// Status and Query.
type ListResourcesParams struct {
	ListOptions
	Status      string `url:"status,omitempty"`
	Query       string `url:"q,omitempty"` // a part of the name, in any case
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

// ExecuteParams is the input of an execution, and how to run it. Input and
// Metadata are encoded as [Client.Do] says.
type ExecuteParams struct {
	Input     any    `json:"input,omitzero"`
	SessionID string `json:"session_id,omitzero"` // any text of the caller's, to find related executions by
	VersionID string `json:"version_id,omitzero"` // of the agent; the current one by default
	Sync      *bool  `json:"sync,omitzero"`       // whether to wait for the end; the server decides by default
	Metadata  any    `json:"metadata,omitzero"`   // kept with the execution
}
