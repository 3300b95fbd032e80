package promptrails

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ResourcesService works with what belongs to a workspace and has no service of
// its own: agents, prompts, data sources and so on, by their [ResourceKind].
type ResourcesService struct{ client *Client }

// ResourceKind names a collection: its value is the collection's path. The type
// is open.
type ResourceKind string

// The kinds of resources. KindMemories and KindGuardrails are nested: use
// [ResourceKind.Of] to say under which agent. KindExecutions and KindTraces are
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

// IsNested reports whether the kind stands under an agent.
func (k ResourceKind) IsNested() bool {
	return k.template() == KindMemories || k.template() == KindGuardrails
}

// template returns the kind without the agent that it is of.
func (k ResourceKind) template() ResourceKind {
	if elements := strings.Split(string(k), "/"); len(elements) == 3 && elements[0] == "agents" {
		return ResourceKind("agents/" + agentPlaceholder + "/" + elements[2])
	}
	return k
}

// op returns an operation on a kind, and the values of its path: the agent's,
// where it is nested, and the ids.
func (k ResourceKind) op(name, method, rest string, ids ...string) (operation, []string, error) {
	op := operation{name, method, "/" + string(k.template()) + rest, "", 0}
	if scopes := kindScopes[k.template()]; method == "GET" {
		op.scope = scopes[0]
	} else {
		op.scope = scopes[1]
	}
	if !k.IsNested() {
		return op, ids, nil
	}
	if strings.Contains(string(k), agentPlaceholder) {
		return op, nil, invalid("kind", "stands under an agent: say which with Of")
	}
	agent, err := url.PathUnescape(strings.Split(string(k), "/")[1])
	return op, append([]string{agent}, ids...), err
}

// List returns one page of a collection, the newest first. It needs the scope
// that reads the kind, or the role user.
func (s *ResourcesService) List(ctx context.Context, kind ResourceKind, params *ListResourcesParams, opts ...RequestOption) (*Page[Resource], error) {
	op, ids, err := kind.op("Resources.List", "GET", "")
	if err != nil {
		return nil, err
	}
	return list[Resource](ctx, s.client, call{op: op, ids: ids, query: params, opts: opts})
}

// All returns every item of a collection, the newest first. It needs the scope
// that reads the kind, or the role user.
func (s *ResourcesService) All(ctx context.Context, kind ResourceKind, params *ListResourcesParams, opts ...RequestOption) iter.Seq2[*Resource, error] {
	op, ids, err := kind.op("Resources.List", "GET", "")
	if err != nil {
		return func(yield func(*Resource, error) bool) { yield(nil, err) }
	}
	return all[Resource](ctx, s.client, call{op: op, ids: ids, opts: opts}, params)
}

// Get returns one resource. It needs the scope that reads the kind, or the role
// user.
func (s *ResourcesService) Get(ctx context.Context, kind ResourceKind, id string, opts ...RequestOption) (*Resource, error) {
	op, ids, err := kind.op("Resources.Get", "GET", "/{id}", id)
	if err != nil {
		return nil, err
	}
	return one[Resource](ctx, s.client, call{op: op, ids: ids, opts: opts})
}

// Create makes a resource of fields: a struct, a map or JSON that is an object.
// All kinds but memories, guardrails, scores and chat sessions need a name. It
// needs the scope that writes the kind, or the role user. A full plan is a
// [*QuotaError], a feature that it lacks a [*FeatureError], and a field such as
// agent_id that names nothing in the workspace is [ErrNotFound].
func (s *ResourcesService) Create(ctx context.Context, kind ResourceKind, fields any, opts ...RequestOption) (*Resource, error) {
	op, ids, err := kind.op("Resources.Create", "POST", "")
	if err != nil {
		return nil, err
	}
	return one[Resource](ctx, s.client, call{op: op, ids: ids, body: given(fields), opts: opts})
}

// Update merges fields into a resource: what is not among them stays. It needs
// the scope that writes the kind, or the role admin; a user may change what the
// user created, and memories and guardrails of an agent that the user created.
func (s *ResourcesService) Update(ctx context.Context, kind ResourceKind, id string, fields any, opts ...RequestOption) (*Resource, error) {
	op, ids, err := kind.op("Resources.Update", "PATCH", "/{id}", id)
	if err != nil {
		return nil, err
	}
	return one[Resource](ctx, s.client, call{op: op, ids: ids, body: given(fields), opts: opts})
}

// Delete removes a resource; with an agent end its memories and guardrails. It
// needs what [ResourcesService.Update] needs.
func (s *ResourcesService) Delete(ctx context.Context, kind ResourceKind, id string, opts ...RequestOption) error {
	op, ids, err := kind.op("Resources.Delete", "DELETE", "/{id}", id)
	if err != nil {
		return err
	}
	return none(ctx, s.client, call{op: op, ids: ids, opts: opts})
}

// given refuses fields that are nil, which would be sent as no body.
func given(fields any) any {
	if fields == nil {
		return missing{}
	}
	return fields
}

var opResourcesExecute = operation{"Resources.Execute", "POST", "/agents/{id}/execute", ScopeAgentsExecute, 0}

// Execute runs an agent and returns its execution. It needs the scope
// agents:execute, or the role user. Beyond the plan's executions of the period
// it is a [*QuotaError]. The embedded service asks no model: its output, and
// what it costs the balance, are simulated, and the execution says so.
func (s *ResourcesService) Execute(ctx context.Context, agentID string, params *ExecuteParams, opts ...RequestOption) (*Resource, error) {
	if params == nil {
		params = &ExecuteParams{}
	}
	return one[Resource](ctx, s.client, call{op: opResourcesExecute, ids: []string{agentID}, body: params, opts: opts})
}

// ListResourcesParams narrows a list of resources.
type ListResourcesParams struct {
	ListOptions
	Status string `url:"status,omitempty"`
	Query  string `url:"q,omitempty"` // a part of the name, in any case
}

// ExecuteParams is what an agent is run with.
type ExecuteParams struct {
	Input any `json:"input,omitzero"` // anything that encodes as JSON
}

// Resource is one object of a workspace: what all kinds have in common, and the
// rest of its fields.
type Resource struct {
	ID          string
	WorkspaceID string
	Name        string
	Status      string
	CreatedBy   string // the user id of who made it
	Version     int64  // counted up by each change; see [WithIfMatch]
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// Fields is a JSON object of all other fields, each as it came: no digit and
	// no escape is written in another way.
	Fields json.RawMessage
}

// resourceJSON is Resource on the wire.
type resourceJSON struct {
	ID          string         `json:"id"`
	WorkspaceID string         `json:"workspace_id"`
	Name        string         `json:"name"`
	Status      string         `json:"status"`
	CreatedBy   string         `json:"created_by"`
	Version     int64          `json:"version"`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
	Fields      jsontext.Value `json:",embed"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Resource) UnmarshalJSON(data []byte) error { return wire.Decode(data, r) }

// UnmarshalJSONFrom implements the decoding of encoding/json/v2.
func (r *Resource) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var w resourceJSON
	if err := jsonv2.UnmarshalDecode(dec, &w); err != nil {
		return err
	}
	*r = Resource{w.ID, w.WorkspaceID, w.Name, w.Status, w.CreatedBy, w.Version, w.CreatedAt, w.UpdatedAt, json.RawMessage(w.Fields)}
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (r Resource) MarshalJSON() ([]byte, error) {
	return wire.Encode(&resourceJSON{r.ID, r.WorkspaceID, r.Name, r.Status, r.CreatedBy, r.Version, r.CreatedAt, r.UpdatedAt, jsontext.Value(r.Fields)})
}

// Decode stores the other fields of the resource in a struct or map that v
// points to; names are matched to json tags exactly.
func (r *Resource) Decode(v any) error {
	if len(r.Fields) == 0 {
		return nil
	}
	return wire.Decode(r.Fields, v)
}
