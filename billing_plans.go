package promptrails

// PlanID names a plan. The type is open: a server may offer plans that this
// version does not know.
type PlanID string

// The plans that PromptRails offers.
const (
	PlanFree       PlanID = "free"
	PlanStarter    PlanID = "starter"
	PlanPro        PlanID = "pro"
	PlanEnterprise PlanID = "enterprise"
)

// LimitKey names what a plan limits. The type is open.
type LimitKey string

// The limits of a plan.
const (
	LimitMonthlyExecutions    LimitKey = "monthly_executions" // of agents, in a period of the subscription
	LimitTeamMembers          LimitKey = "team_members"       // seats: members, and invitations that are pending
	LimitActiveAgents         LimitKey = "active_agents"      // agents that are not archived
	LimitDataSources          LimitKey = "data_sources"
	LimitNotificationChannels LimitKey = "notification_channels"
)

// Feature names something that a plan has or lacks. The type is open.
type Feature string

// The features of plans.
const (
	FeatureMCPTools         Feature = "mcp_tools"
	FeatureMemory           Feature = "memory"
	FeatureGuardrails       Feature = "guardrails"
	FeatureWebhooks         Feature = "webhooks" // triggers
	FeatureSlack            Feature = "slack"
	FeatureApprovals        Feature = "approvals"
	FeatureAnalyticsExport  Feature = "analytics_export"
	FeatureAuditLog         Feature = "audit_log" // exports; the changelog itself is read on every plan
	FeatureDataMasking      Feature = "data_masking"
	FeatureSSO              Feature = "sso"
	FeatureCustomGuardrails Feature = "custom_guardrails"
)
