package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// horizon is the time after which a limit counts as never reached.
const horizon = 10 * 365 * day

// LimitForecast is an estimate of when a workspace reaches a limit of its plan.
type LimitForecast struct {
	WorkspaceID string               `json:"workspace_id"`
	Workspace   string               `json:"workspace"` // the slug
	Plan        promptrails.PlanID   `json:"plan"`
	Limit       promptrails.LimitKey `json:"limit"`
	Used        int64                `json:"used"`
	Max         *int64               `json:"max"` // nil: unlimited
	PerDay      float64              `json:"per_day"`
	// ReachedAt is when the limit is reached: the time of the forecast if it is
	// reached already, and the zero time if it is never reached.
	ReachedAt time.Time `json:"reached_at,omitzero"`
	ResetsAt  time.Time `json:"resets_at,omitzero"` // when the count starts again from 0; zero: never
}

// Forecast estimates, for each limit of all workspaces that the caller can see,
// when it will be reached, soonest first and limits that are never reached last.
// It requires the workspaces:read and billing:read scopes, or the user role.
//
// The estimate is linear. The count of executions is assumed to grow as it has
// since the start of the billing period, and to start again from 0 at its end, so
// it is either reached in this period or never. Other counts are assumed to have
// grown evenly since the workspace was created, from 1 for members and from 0 for
// the rest. A growth within less than a day counts as the growth of one day. If
// there was no growth, or a limit would be reached in more than 10 years, it is
// never reached.
//
// If the usage of a workspace cannot be read, Forecast returns the forecasts of
// the others and an error that has each reason. It returns no forecasts if the
// workspaces cannot be listed.
func Forecast(ctx context.Context, client *promptrails.Client) ([]LimitForecast, error) {
	r, err := newReviewer(client, &Options{Rules: []Rule{}}, usageSections)
	if err != nil {
		return nil, err
	}
	var all []LimitForecast
	var failed []error
	for w, err := range r.each(ctx) {
		if err != nil {
			return nil, err
		}
		for _, gap := range w.Gaps {
			failed = append(failed, fmt.Errorf("review: usage of the workspace %s: %s", w.Info.Slug, gap.Message))
		}
		all = append(all, w.Forecast()...)
	}
	slices.SortStableFunc(all, soonest)
	return all, errors.Join(failed...)
}

func soonest(a, b LimitForecast) int {
	switch {
	case a.ReachedAt.IsZero() == b.ReachedAt.IsZero():
		return a.ReachedAt.Compare(b.ReachedAt)
	case a.ReachedAt.IsZero():
		return 1
	default:
		return -1
	}
}

// Forecast is like the function [Forecast], for one workspace that was read at
// ReadAt. It makes no requests. If the usage was not read, it returns nil.
func (w *Workspace) Forecast() (all []LimitForecast) {
	if w.Usage == nil {
		return nil
	}
	for _, l := range w.Usage.Limits {
		f := LimitForecast{WorkspaceID: w.Info.ID, Workspace: w.Info.Slug, Plan: w.Info.Plan, Limit: l.Key, Used: l.Used, Max: l.Max}
		since, base := w.Info.CreatedAt, int64(0)
		switch {
		case strings.HasPrefix(string(l.Key), "monthly_"):
			since, f.ResetsAt = w.Usage.PeriodStart, w.Usage.PeriodEnd
		case l.Key == promptrails.LimitTeamMembers:
			base = 1 // the owner
		}
		f.estimate(w.ReadAt, since, base)
		all = append(all, f)
	}
	return all
}

// estimate sets PerDay and ReachedAt for a count that has grown from base since a
// time.
func (f *LimitForecast) estimate(now, since time.Time, base int64) {
	f.PerDay = float64(max(0, f.Used-base)) / max(1, now.Sub(since).Hours()/24)
	switch {
	case f.Max == nil:
	case f.Used >= *f.Max && f.Used > 0:
		f.ReachedAt = now
	case f.PerDay > 0:
		days := float64(*f.Max-f.Used) / f.PerDay
		if days > horizon.Hours()/24 {
			return
		}
		at := now.Add(time.Duration(days * float64(day)))
		if f.ResetsAt.IsZero() || at.Before(f.ResetsAt) {
			f.ReachedAt = at
		}
	}
}
