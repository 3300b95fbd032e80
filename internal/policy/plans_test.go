package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

func TestPlans(t *testing.T) {
	t.Parallel()
	for plan, want := range map[string][]int64{
		"free": {500, 1, 3, 1, 0}, "starter": {10_000, 5, 15, 5, 2}, "pro": {100_000, 20, 50, 25, 10}, "enterprise": {-1, -1, -1, -1, -1}, "gold": {0, 0, 0, 0, 0},
	} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			var got []int64
			for _, limit := range []string{policy.MonthlyExecutions, policy.TeamMembers, policy.ActiveAgents, policy.DataSources, policy.NotificationChannels} {
				got = append(got, policy.Max(plan, limit))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
	for _, c := range []struct {
		plan, feature string
		want          bool
	}{{"free", "memory", false}, {"pro", "memory", true}, {"starter", "approvals", false}, {"enterprise", "approvals", true}} {
		if got := policy.HasFeature(c.plan, c.feature); got != c.want {
			t.Errorf("HasFeature(%q, %q): got %t, want %t", c.plan, c.feature, got, c.want)
		}
	}
	if diff := cmp.Diff([]string{"pro", "enterprise"}, policy.PlansWith("data_masking")); diff != "" {
		t.Errorf("PlansWith(data_masking) (-want +got):\n%s", diff)
	}
}

// A period is a calendar month. If a month does not have the day on which the
// first period began, the period begins on its last day.
func TestPeriod(t *testing.T) {
	t.Parallel()
	day := func(s string) time.Time {
		d, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct{ began, at, start, end string }{
		{"2026-01-15 10:00", "2026-01-15 10:00", "2026-01-15 10:00", "2026-02-15 10:00"},
		{"2026-01-15 10:00", "2026-02-15 09:59", "2026-01-15 10:00", "2026-02-15 10:00"},
		{"2026-01-15 10:00", "2026-02-15 10:00", "2026-02-15 10:00", "2026-03-15 10:00"},
		{"2026-01-31 00:00", "2026-02-28 00:00", "2026-02-28 00:00", "2026-03-31 00:00"},
		{"2026-01-31 00:00", "2026-03-30 23:59", "2026-02-28 00:00", "2026-03-31 00:00"},
		{"2024-02-29 12:00", "2025-02-28 12:00", "2025-02-28 12:00", "2025-03-29 12:00"},
		{"2025-12-31 00:00", "2027-01-01 00:00", "2026-12-31 00:00", "2027-01-31 00:00"},
	} {
		t.Run(c.began+" at "+c.at, func(t *testing.T) {
			t.Parallel()
			start, end := policy.Period(day(c.began), day(c.at))
			if !start.Equal(day(c.start)) || !end.Equal(day(c.end)) {
				t.Errorf("Period: got %s to %s, want %s to %s", start, end, c.start, c.end)
			}
		})
	}
}
