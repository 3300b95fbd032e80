package policy

import (
	"slices"
	"time"
)

// Unlimited is the value of a limit that the plan does not restrict.
const Unlimited = -1

// The limits of a plan.
const (
	MonthlyExecutions    = "monthly_executions"
	TeamMembers          = "team_members"
	ActiveAgents         = "active_agents"
	DataSources          = "data_sources"
	NotificationChannels = "notification_channels"
)

// Plan is the price, limits and features of a plan.
type Plan struct {
	ID       string
	Price    int64 // US cents per month
	Limits   map[string]int64
	Features []string
}

// plans is the catalogue, cheapest first. Each plan includes the features of the
// previous one.
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

// PlanByID returns the plan with that id.
func PlanByID(id string) (plan Plan, ok bool) {
	i := slices.IndexFunc(plans, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return plans[i], true
}

// Max returns the value of a plan's limit, or [Unlimited]. It returns 0 for an
// unknown plan or limit.
func Max(plan, limit string) int64 {
	p, _ := PlanByID(plan)
	return p.Limits[limit]
}

// HasFeature reports whether a plan has a feature.
func HasFeature(plan, feature string) bool {
	p, _ := PlanByID(plan)
	return slices.Contains(p.Features, feature)
}

// PlansWith returns the ids of the plans that have a feature, cheapest first.
func PlansWith(feature string) (ids []string) {
	for _, p := range plans {
		if slices.Contains(p.Features, feature) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Period returns the billing period that contains at, in UTC. Periods are one
// month long and counted from began. If a month does not have the day of began,
// its last day is used.
func Period(began, at time.Time) (start, end time.Time) {
	began, at = began.UTC(), at.UTC()
	n := (at.Year()-began.Year())*12 + int(at.Month()) - int(began.Month())
	if start = months(began, n); at.Before(start) {
		n--
		start = months(began, n)
	}
	return start, months(began, n+1)
}

// months returns t plus n months. The day of the month is at most the last day
// of the resulting month.
func months(t time.Time, n int) time.Time {
	moved := t.AddDate(0, n, 0)
	if moved.Day() != t.Day() {
		moved = moved.AddDate(0, 0, -moved.Day())
	}
	return moved
}

// Crossings returns the notification thresholds, in percent of the limit, that
// are reached when usage rises from before to after.
func Crossings(before, after, limit int64) (percents []int) {
	for _, percent := range []int64{80, 100} {
		if before*100 < percent*limit && after*100 >= percent*limit {
			percents = append(percents, int(percent))
		}
	}
	return percents
}

// Catalogue returns the plans, cheapest first.
func Catalogue() []Plan { return slices.Clone(plans) }
