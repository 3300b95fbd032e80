package service

import (
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// limitKeys are the limits of a plan, in the order of the usage response.
var limitKeys = []promptrails.LimitKey{
	promptrails.LimitMonthlyExecutions, promptrails.LimitTeamMembers, promptrails.LimitActiveAgents, promptrails.LimitDataSources, promptrails.LimitNotificationChannels,
}

// takePlace returns an error if used has reached the limit of the plan.
// Otherwise it notifies the channels when one more unit crosses a usage
// threshold, at most once per threshold and period. It must run in the
// transaction that adds the unit. The advice is the end of the error message:
// the unit and the remedy.
func (x *Session) takePlace(limit promptrails.LimitKey, used int64, advice string) error {
	s, err := x.tx.Subscription()
	if err != nil {
		return err
	}
	allowed := policy.Max(string(s.Plan), string(limit))
	if allowed == policy.Unlimited {
		return nil
	}
	if used >= allowed {
		refusal := refuse(http.StatusPaymentRequired, promptrails.CodeQuotaExceeded, "the %s plan allows %d %s", s.Plan, allowed, advice)
		refusal.Limit = limitPlan
		return refusal.With(map[string]any{"limit": limit, "max": allowed, "used": used, "plan": s.Plan})
	}
	start, end := policy.Period(s.Began, x.now)
	for _, percent := range policy.Crossings(used, used+1, allowed) {
		first, err := x.tx.Cross(string(limit), percent, start, x.now)
		if err != nil {
			return err
		}
		if !first {
			continue
		}
		event := promptrails.EventUsageThreshold
		if percent == 100 {
			event = promptrails.EventUsageLimitReached
		}
		err = x.notify(x.tx, event, &promptrails.UsageEvent{
			Limit: limit, Percent: percent, Used: used + 1, Max: allowed, Plan: s.Plan, PeriodStart: start, PeriodEnd: end,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// needFeature returns an error if the plan does not include a feature.
func (x *Session) needFeature(feature promptrails.Feature) error {
	s, err := x.tx.Subscription()
	if err != nil {
		return err
	}
	if policy.HasFeature(string(s.Plan), string(feature)) {
		return nil
	}
	return refuse(http.StatusForbidden, promptrails.CodeFeatureNotInPlan, "%s is not included in the %s plan", feature, s.Plan).
		With(map[string]any{"feature": feature, "plan": s.Plan, "available_in": policy.PlansWith(string(feature))})
}

// used returns the current usage of each limit.
func (x *Session) used(s *store.Subscription) (map[promptrails.LimitKey]int64, error) {
	w, err := x.tx.Workspace()
	if err != nil {
		return nil, err
	}
	pending, err := x.tx.PendingInvitations("", x.now)
	if err != nil {
		return nil, err
	}
	agents, err := x.tx.ActiveAgents()
	if err != nil {
		return nil, err
	}
	sources, err := x.tx.Counted(dataSources, "")
	if err != nil {
		return nil, err
	}
	channels, err := x.tx.CountChannels()
	if err != nil {
		return nil, err
	}
	return map[promptrails.LimitKey]int64{
		promptrails.LimitMonthlyExecutions:    executionsIn(s, x.now),
		promptrails.LimitTeamMembers:          int64(w.MemberCount) + pending,
		promptrails.LimitActiveAgents:         agents,
		promptrails.LimitDataSources:          int64(sources),
		promptrails.LimitNotificationChannels: int64(channels),
	}, nil
}

// executionsIn returns the number of executions in the billing period of now.
// The count starts at 0 in each period.
func executionsIn(s *store.Subscription, now time.Time) int64 {
	if period, _ := policy.Period(s.Began, now); !period.Equal(s.ExecutionsPeriod) {
		return 0
	}
	return s.ExecutionsUsed
}
