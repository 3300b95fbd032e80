package promptrails

import (
	"slices"
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// Scope is a permission of an API key, in the form area:verb. Servers may
// define scopes that this version does not know.
type Scope string

// The known scopes. A key with ScopeMembersWrite can invite an admin, which
// makes it as powerful as [ScopeAll]. Grant it only to keys that are trusted
// with the whole workspace.
const (
	ScopeAll                  Scope = "*" // everything
	ScopeAgentsRead           Scope = "agents:read"
	ScopeAgentsWrite          Scope = "agents:write"
	ScopeAgentsExecute        Scope = "agents:execute"
	ScopePromptsRead          Scope = "prompts:read"
	ScopePromptsWrite         Scope = "prompts:write"
	ScopePromptsExecute       Scope = "prompts:execute"
	ScopeDataSourcesRead      Scope = "data_sources:read"
	ScopeDataSourcesWrite     Scope = "data_sources:write"
	ScopeDataSourcesExecute   Scope = "data_sources:execute"
	ScopeExecutionsRead       Scope = "executions:read"
	ScopeTracesRead           Scope = "traces:read"
	ScopeTracesWrite          Scope = "traces:write"
	ScopeCredentialsRead      Scope = "credentials:read"
	ScopeCredentialsWrite     Scope = "credentials:write"
	ScopeSessionsRead         Scope = "sessions:read"
	ScopeChatWrite            Scope = "chat:write"
	ScopeWebhookTriggersRead  Scope = "webhook_triggers:read"
	ScopeWebhookTriggersWrite Scope = "webhook_triggers:write"
	ScopeAgentTriggersRead    Scope = "agent_triggers:read"  // the newer name of ScopeWebhookTriggersRead; Covers treats them as equal
	ScopeAgentTriggersWrite   Scope = "agent_triggers:write" // the newer name of ScopeWebhookTriggersWrite
	ScopeWorkspacesRead       Scope = "workspaces:read"
	ScopeWorkspacesWrite      Scope = "workspaces:write"
	ScopeMembersRead          Scope = "members:read"
	ScopeMembersWrite         Scope = "members:write"
	ScopeAPIKeysRead          Scope = "api_keys:read"
	ScopeAPIKeysWrite         Scope = "api_keys:write"
	ScopeAPIKeysVerify        Scope = "api_keys:verify"
	ScopeNotificationsRead    Scope = "notifications:read"
	ScopeNotificationsWrite   Scope = "notifications:write"
	ScopeMaskingRead          Scope = "masking:read"
	ScopeMaskingWrite         Scope = "masking:write"
	ScopeChangelogRead        Scope = "changelog:read"
	ScopeBillingRead          Scope = "billing:read"
	ScopeBillingWrite         Scope = "billing:write"
	ScopeMCPToolsRead         Scope = "mcp_tools:read"
	ScopeMCPToolsWrite        Scope = "mcp_tools:write"
	ScopeMemoriesRead         Scope = "memories:read"
	ScopeMemoriesWrite        Scope = "memories:write"
	ScopeScoresRead           Scope = "scores:read"
	ScopeScoresWrite          Scope = "scores:write"
	ScopeGuardrailsRead       Scope = "guardrails:read"
	ScopeGuardrailsWrite      Scope = "guardrails:write"
	ScopeApprovalsRead        Scope = "approvals:read"
	ScopeApprovalsWrite       Scope = "approvals:write"
	ScopeAppsRead             Scope = "apps:read"
	ScopeAppsWrite            Scope = "apps:write"
)

var knownScopes = Scopes{
	ScopeAll,
	ScopeAgentsRead, ScopeAgentsWrite, ScopeAgentsExecute, ScopePromptsRead, ScopePromptsWrite, ScopePromptsExecute,
	ScopeDataSourcesRead, ScopeDataSourcesWrite, ScopeDataSourcesExecute, ScopeExecutionsRead, ScopeTracesRead, ScopeTracesWrite,
	ScopeCredentialsRead, ScopeCredentialsWrite, ScopeSessionsRead, ScopeChatWrite, ScopeWebhookTriggersRead, ScopeWebhookTriggersWrite,
	ScopeAgentTriggersRead, ScopeAgentTriggersWrite, ScopeWorkspacesRead, ScopeWorkspacesWrite, ScopeMembersRead, ScopeMembersWrite,
	ScopeAPIKeysRead, ScopeAPIKeysWrite, ScopeAPIKeysVerify, ScopeNotificationsRead, ScopeNotificationsWrite, ScopeMaskingRead,
	ScopeMaskingWrite, ScopeChangelogRead, ScopeBillingRead, ScopeBillingWrite, ScopeMCPToolsRead, ScopeMCPToolsWrite, ScopeMemoriesRead,
	ScopeMemoriesWrite, ScopeScoresRead, ScopeScoresWrite, ScopeGuardrailsRead, ScopeGuardrailsWrite, ScopeApprovalsRead,
	ScopeApprovalsWrite, ScopeAppsRead, ScopeAppsWrite,
}

// KnownScopes returns all scopes that this version knows.
func KnownScopes() Scopes { return slices.Clone(knownScopes) }

// IsKnown reports whether this version knows the scope.
func (s Scope) IsKnown() bool { return slices.Contains(knownScopes, s) }

// Scopes is a list of scopes.
type Scopes []Scope

// ParseScopes parses a list of scopes separated by white space or commas. It
// accepts unknown scopes and removes duplicates.
func ParseScopes(text string) Scopes {
	var scopes Scopes
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }) {
		if s := Scope(name); !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}

// Covers reports whether s grants all required scopes. [ScopeAll] covers every
// scope. The old and new names of the trigger scopes are equal.
func (s Scopes) Covers(required ...Scope) bool {
	return policy.CoversAll(s, required)
}

// String returns the scopes, separated by spaces.
func (s Scopes) String() string {
	names := make([]string, len(s))
	for i, scope := range s {
		names[i] = string(scope)
	}
	return strings.Join(names, " ")
}
