package policy

import (
	"slices"
	"time"
)

// Unlimited is the maximum of a limit that a plan does not set.
const Unlimited = -1

// The limits of a plan.
const (
	MonthlyExecutions    = "monthly_executions"
	TeamMembers          = "team_members"
	ActiveAgents         = "active_agents"
	DataSources          = "data_sources"
	NotificationChannels = "notification_channels"
)

// Plan is what a workspace may use.
type Plan struct {
	ID       string
	Price    int64 // US cents a month
	Limits   map[string]int64
	Features []string
}

// plans is the catalogue, the cheapest first. Each has the features of the one
// before.
var plans = catalogue(
	Plan{ID: "free", Limits: limits(500, 1, 3, 1, 0)},
	Plan{ID: "starter", Price: 4900, Limits: limits(10_000, 5, 15, 5, 2), Features: []string{"mcp_tools", "memory", "guardrails", "webhooks"}},
	Plan{ID: "pro", Price: 19900, Limits: limits(100_000, 20, 50, 25, 10), Features: []string{"approvals", "analytics_export", "audit_log", "data_masking", "slack"}},
	Plan{
		ID: "enterprise", Price: 69900, Limits: limits(Unlimited, Unlimited, Unlimited, Unlimited, Unlimited),
		Features: []string{"sso", "custom_guardrails"},
	},
)

func limits(executions, members, agents, sources, channels int64) map[string]int64 {
	return map[string]int64{MonthlyExecutions: executions, TeamMembers: members, ActiveAgents: agents, DataSources: sources, NotificationChannels: channels}
}

func catalogue(plans ...Plan) []Plan {
	for i := 1; i < len(plans); i++ {
		plans[i].Features = slices.Concat(plans[i-1].Features, plans[i].Features)
	}
	return plans
}

// PlanByID returns a plan of the catalogue.
func PlanByID(id string) (plan Plan, ok bool) {
	i := slices.IndexFunc(plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return plans[i], true
}

// Max returns a limit of a plan, or [Unlimited]; 0 for a plan or limit that is
// not in the catalogue.
func Max(plan, limit string) int64 {
	p, _ := PlanByID(plan)
	return p.Limits[limit]
}

// HasFeature reports whether a plan has a feature.
func HasFeature(plan, feature string) bool {
	p, _ := PlanByID(plan)
	return slices.Contains(p.Features, feature)
}

// PlansWith returns the plans that have a feature.
func PlansWith(feature string) (ids []string) {
	for _, p := range plans {
		if slices.Contains(p.Features, feature) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Period returns the month that a moment is in, counted from the moment that a
// subscription began, in UTC. A month that lacks the day ends on its last.
func Period(began, at time.Time) (start, end time.Time) {
	began, at = began.UTC(), at.UTC()
	n := (at.Year()-began.Year())*12 + int(at.Month()) - int(began.Month())
	if start = months(began, n); at.Before(start) {
		n--
		start = months(began, n)
	}
	return start, months(began, n+1)
}

// months adds months to a time, and keeps to the day of the month where the
// month has it.
func months(t time.Time, n int) time.Time {
	moved := t.AddDate(0, n, 0)
	if moved.Day() != t.Day() {
		moved = moved.AddDate(0, 0, -moved.Day())
	}
	return moved
}

// Crossings returns which of the shares that people are told of, in per cent, a
// limit passes from one use to another.
func Crossings(before, after, most int64) (percents []int) {
	for _, percent := range []int64{80, 100} {
		if before*100 < percent*most && after*100 >= percent*most {
			percents = append(percents, int(percent))
		}
	}
	return percents
}

// Catalogue returns the plans, the cheapest first.
func Catalogue() []Plan { return slices.Clone(plans) }
