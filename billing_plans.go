package promptrails

// PlanID identifies a plan. Servers may offer plans that are not listed here.
type PlanID string

// The plans that PromptRails offers.
const (
	PlanFree       PlanID = "free"
	PlanStarter    PlanID = "starter"
	PlanPro        PlanID = "pro"
	PlanEnterprise PlanID = "enterprise"
)

// LimitKey identifies a limit of a plan. Servers may return other values.
type LimitKey string

// The limits of a plan.
const (
	LimitMonthlyExecutions    LimitKey = "monthly_executions" // agent executions per billing period
	LimitTeamMembers          LimitKey = "team_members"       // members and pending invitations
	LimitActiveAgents         LimitKey = "active_agents"      // agents that are not archived
	LimitDataSources          LimitKey = "data_sources"
	LimitNotificationChannels LimitKey = "notification_channels"
)

// Feature identifies a feature of a plan. Servers may return other values.
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
	FeatureAuditLog         Feature = "audit_log" // exports; the changelog can be read on every plan
	FeatureDataMasking      Feature = "data_masking"
	FeatureSSO              Feature = "sso"
	FeatureCustomGuardrails Feature = "custom_guardrails"
)
