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

// LimitTeamMembers is the number of seats of a workspace: its members, and the
// invitations that are pending.
const LimitTeamMembers LimitKey = "team_members"

// Feature names something that a plan has or lacks. The type is open.
type Feature string
