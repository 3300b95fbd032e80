package promptrails

import (
	"cmp"
	"slices"
	"time"
)

// Usage is what a workspace has used of its plan.
type Usage struct {
	PeriodStart time.Time        `json:"period_start"`
	PeriodEnd   time.Time        `json:"period_end"`
	Limits      []UsageLimit     `json:"limits"`
	Features    map[Feature]bool `json:"features"`
}

// UsageLimit is what is used of one limit.
type UsageLimit struct {
	Key  LimitKey `json:"key"`
	Used int64    `json:"used"`
	Max  *int64   `json:"max"` // nil: unlimited
}

// limitMonthlyTraces is the newer name that servers may give to
// LimitMonthlyExecutions.
const limitMonthlyTraces LimitKey = "monthly_traces"

// Limit returns what is used of a limit, under either of the names that one may
// have.
func (u *Usage) Limit(key LimitKey) (UsageLimit, bool) {
	same := func(k LimitKey) LimitKey {
		if k == limitMonthlyTraces {
			return LimitMonthlyExecutions
		}
		return k
	}
	i := slices.IndexFunc(u.Limits, func(l UsageLimit) bool { return same(l.Key) == same(key) })
	if i < 0 {
		return UsageLimit{}, false
	}
	return u.Limits[i], true
}

// Headroom is what is left of a limit.
type Headroom struct {
	Key       LimitKey
	Unlimited bool
	Left      int64   // 0 where more is used than the plan has; nothing where Unlimited
	Share     float64 // of the limit that is used: 1 is all of it; 0 where Unlimited
}

// Headroom returns what is left of each limit, nearest to its end first.
func (u *Usage) Headroom() []Headroom {
	all := make([]Headroom, len(u.Limits))
	for i, l := range u.Limits {
		all[i] = Headroom{Key: l.Key, Unlimited: l.Max == nil}
		switch {
		case l.Max == nil:
		case *l.Max <= 0:
			all[i].Share = min(1, float64(l.Used)) // none to use is not full
		default:
			all[i].Left = max(0, *l.Max-l.Used)
			all[i].Share = float64(l.Used) / float64(*l.Max)
		}
	}
	slices.SortStableFunc(all, func(a, b Headroom) int {
		return cmp.Or(compareBool(a.Unlimited, b.Unlimited), cmp.Compare(b.Share, a.Share))
	})
	return all
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
