package service

import (
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Kind is a collection of resources.
type Kind struct {
	Name     string // the last elements of the collection's path
	Singular string // as messages say it
	Type     promptrails.ResourceType
	Nested   bool // under an agent, by whose rights it goes
	Nameless bool // it needs no name
	ReadOnly bool // made by executing an agent
	Read     promptrails.Scope
	Write    promptrails.Scope // empty where ReadOnly
	Feature  promptrails.Feature
}

// The kinds that a rule is about.
const (
	agents      = "agents"
	dataSources = "data-sources"
	executions  = "executions"
	traces      = "traces"
	approvals   = "approvals"
)

// Kinds returns every collection of resources.
func Kinds() []Kind {
	return []Kind{
		{Name: agents, Singular: "agent", Type: promptrails.ResourceAgent, Read: promptrails.ScopeAgentsRead, Write: promptrails.ScopeAgentsWrite},
		{Name: "prompts", Singular: "prompt", Type: promptrails.ResourcePrompt, Read: promptrails.ScopePromptsRead, Write: promptrails.ScopePromptsWrite},
		{Name: dataSources, Singular: "data source", Type: promptrails.ResourceDataSource, Read: promptrails.ScopeDataSourcesRead, Write: promptrails.ScopeDataSourcesWrite},
		{
			Name: "mcp-tools", Singular: "MCP tool", Type: promptrails.ResourceMCPTool, Feature: promptrails.FeatureMCPTools,
			Read: promptrails.ScopeMCPToolsRead, Write: promptrails.ScopeMCPToolsWrite,
		},
		{Name: executions, Singular: "execution", ReadOnly: true, Read: promptrails.ScopeExecutionsRead},
		{Name: traces, Singular: "trace", ReadOnly: true, Read: promptrails.ScopeTracesRead},
		{
			Name: "chat/sessions", Singular: "chat session", Type: promptrails.ResourceChatSession, Nameless: true,
			Read: promptrails.ScopeSessionsRead, Write: promptrails.ScopeChatWrite,
		},
		{
			Name: "memories", Singular: "memory", Type: promptrails.ResourceMemory, Nested: true, Nameless: true, Feature: promptrails.FeatureMemory,
			Read: promptrails.ScopeMemoriesRead, Write: promptrails.ScopeMemoriesWrite,
		},
		{Name: "scores", Singular: "score", Type: promptrails.ResourceScore, Nameless: true, Read: promptrails.ScopeScoresRead, Write: promptrails.ScopeScoresWrite},
		{
			Name: "guardrails", Singular: "guardrail", Type: promptrails.ResourceGuardrail, Nested: true, Nameless: true, Feature: promptrails.FeatureGuardrails,
			Read: promptrails.ScopeGuardrailsRead, Write: promptrails.ScopeGuardrailsWrite,
		},
		{
			Name: "triggers", Singular: "trigger", Type: promptrails.ResourceTrigger, Feature: promptrails.FeatureWebhooks,
			Read: promptrails.ScopeWebhookTriggersRead, Write: promptrails.ScopeWebhookTriggersWrite,
		},
		{
			Name: approvals, Singular: "approval", Type: promptrails.ResourceApproval, Feature: promptrails.FeatureApprovals,
			Read: promptrails.ScopeApprovalsRead, Write: promptrails.ScopeApprovalsWrite,
		},
		{Name: "apps", Singular: "app", Type: promptrails.ResourceApp, Read: promptrails.ScopeAppsRead, Write: promptrails.ScopeAppsWrite},
	}
}

func kindByName(name string) Kind {
	all := Kinds()
	return all[slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })]
}
