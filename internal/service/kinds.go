package service

import (
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Kind is a collection of resources.
type Kind struct {
	Name     string // of the collection; also the end of its path if Path is empty
	Path     string
	Singular string // for messages
	Type     promptrails.ResourceType
	Under    string // the parent kind of a nested collection; its permissions apply
	Parent   string // the member that holds the parent's id
	Nameless bool   // the name is optional
	ReadOnly bool   // created only by executing an agent
	Read     promptrails.Scope
	Write    promptrails.Scope // empty if ReadOnly
	Feature  promptrails.Feature
	Filters  []string // members that filter lists
	Set      []string // members that only the service sets, in addition to the common ones
	Defaults string   // JSON: the values of omitted members in a new document
}

// Element returns the last elements of the collection's path.
func (k Kind) Element() string {
	if k.Path != "" {
		return k.Path
	}
	return k.Name
}

// The kinds that have rules of their own.
const (
	agents      = "agents"
	prompts     = "prompts"
	dataSources = "data-sources"
	executions  = "executions"
	traces      = "traces"
	memories    = "memories"
	guardrails  = "guardrails"
	triggers    = "triggers"
	approvals   = "approvals"
)

// Kinds returns every collection of resources.
func Kinds() []Kind {
	return []Kind{
		{
			Name: agents, Singular: "agent", Type: promptrails.ResourceAgent, Read: promptrails.ScopeAgentsRead, Write: promptrails.ScopeAgentsWrite,
			Filters: []string{"name", "type"}, Set: []string{"current_version_id"}, Defaults: `{"type":"agent","description":"","config":{},"labels":[]}`,
		},
		{
			Name: prompts, Singular: "prompt", Type: promptrails.ResourcePrompt, Read: promptrails.ScopePromptsRead, Write: promptrails.ScopePromptsWrite,
			Set: []string{"current_version_id"}, Defaults: `{"description":"","config":{}}`,
		},
		{
			Name: dataSources, Singular: "data source", Type: promptrails.ResourceDataSource, Read: promptrails.ScopeDataSourcesRead, Write: promptrails.ScopeDataSourcesWrite,
			Set: []string{"current_version_id"}, Defaults: `{"type":"","description":"","config":{}}`,
		},
		versions(agents, "agent_id", "agent version", promptrails.ResourceAgentVersion, promptrails.ScopeAgentsRead, promptrails.ScopeAgentsWrite,
			`{"message":"","config":{}}`),
		versions(prompts, "prompt_id", "prompt version", promptrails.ResourcePromptVersion, promptrails.ScopePromptsRead, promptrails.ScopePromptsWrite,
			`{"message":"","system_prompt":"","user_prompt":"","config":{}}`),
		versions(dataSources, "data_source_id", "data source version", promptrails.ResourceDataSourceVersion, promptrails.ScopeDataSourcesRead, promptrails.ScopeDataSourcesWrite,
			`{"message":"","config":{}}`),
		{
			Name: "mcp-tools", Singular: "MCP tool", Type: promptrails.ResourceMCPTool, Feature: promptrails.FeatureMCPTools,
			Read: promptrails.ScopeMCPToolsRead, Write: promptrails.ScopeMCPToolsWrite,
			Defaults: `{"type":"","description":"","server_url":"","config":null,"schema":null,"tool_schema":null,"is_active":true,"credential_id":null,"template_id":null}`,
		},
		{
			Name: executions, Singular: "execution", ReadOnly: true, Read: promptrails.ScopeExecutionsRead,
			Filters: []string{"agent_id", "session_id"},
		},
		{
			Name: traces, Singular: "trace", ReadOnly: true, Read: promptrails.ScopeTracesRead,
			Filters: []string{"agent_id", "session_id", "trace_id", "kind"},
		},
		{
			Name: "chat/sessions", Singular: "chat session", Type: promptrails.ResourceChatSession, Nameless: true,
			Read: promptrails.ScopeSessionsRead, Write: promptrails.ScopeChatWrite, Defaults: `{"user_id":null,"title":"","metadata":{}}`,
		},
		{
			Name: memories, Singular: "memory", Type: promptrails.ResourceMemory, Under: agents, Parent: "agent_id", Nameless: true, Feature: promptrails.FeatureMemory,
			Read: promptrails.ScopeMemoriesRead, Write: promptrails.ScopeMemoriesWrite,
			Defaults: `{"content":"","memory_type":"","importance":0,"access_count":0}`,
		},
		{
			Name: "scores", Singular: "score", Type: promptrails.ResourceScore, Nameless: true, Read: promptrails.ScopeScoresRead, Write: promptrails.ScopeScoresWrite,
			Filters:  []string{"name", "trace_id", "execution_id", "source", "data_type", "config_id"},
			Defaults: `{"trace_id":"","span_id":"","string_value":"","data_type":"","source":"","comment":""}`,
		},
		{
			Name: guardrails, Singular: "guardrail", Type: promptrails.ResourceGuardrail, Under: agents, Parent: "agent_id", Nameless: true, Feature: promptrails.FeatureGuardrails,
			Read: promptrails.ScopeGuardrailsRead, Write: promptrails.ScopeGuardrailsWrite,
			Defaults: `{"type":"","scanner_type":"","action":"","config":{},"is_active":true,"sort_order":0}`,
		},
		{
			Name: triggers, Singular: "trigger", Type: promptrails.ResourceTrigger, Feature: promptrails.FeatureWebhooks,
			Read: promptrails.ScopeWebhookTriggersRead, Write: promptrails.ScopeWebhookTriggersWrite,
			Filters: []string{"agent_id"}, Set: []string{"token", "token_prefix", "secret", "has_secret", "last_used_at"},
			Defaults: `{"source":"","source_config":{},"reply_config":{},"is_active":true,"last_used_at":null}`,
		},
		{
			Name: approvals, Singular: "approval", Type: promptrails.ResourceApproval, Feature: promptrails.FeatureApprovals,
			Read: promptrails.ScopeApprovalsRead, Write: promptrails.ScopeApprovalsWrite,
			Set:      []string{"decided_by", "decided_at"},
			Defaults: `{"status":"pending","checkpoint_name":"","payload":null}`,
		},
		{Name: "apps", Singular: "app", Type: promptrails.ResourceApp, Read: promptrails.ScopeAppsRead, Write: promptrails.ScopeAppsWrite},
	}
}

// versions returns the kind for the versions of another kind. The member
// version is a string that the caller sets, such as "1.0.0", and not a revision
// counter.
func versions(of, parent, singular string, t promptrails.ResourceType, read, write promptrails.Scope, defaults string) Kind {
	return Kind{
		Name: versionsOf(of), Path: "versions", Singular: singular, Type: t, Under: of, Parent: parent, Nameless: true,
		Read: read, Write: write, Set: []string{"is_active"}, Defaults: defaults,
	}
}

func versionsOf(kind string) string { return kind + "/versions" }

func (k Kind) isVersions() bool { return k.Path == "versions" }

func kindByName(name string) Kind {
	all := Kinds()
	return all[slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })]
}
