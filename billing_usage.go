package promptrails

import (
	"cmp"
	"slices"
	"time"
)

// Usage is the usage of a workspace in its current billing period.
type Usage struct {
	PeriodStart time.Time        `json:"period_start"`
	PeriodEnd   time.Time        `json:"period_end"`
	Limits      []UsageLimit     `json:"limits"`
	Features    map[Feature]bool `json:"features"`
}

// UsageLimit is the usage of one limit.
type UsageLimit struct {
	Key  LimitKey `json:"key"`
	Used int64    `json:"used"`
	Max  *int64   `json:"max"` // nil: unlimited
}

// limitMonthlyTraces is the newer name that servers may use for
// LimitMonthlyExecutions.
const limitMonthlyTraces LimitKey = "monthly_traces"

// Limit returns the usage of a limit, and whether it was found. A limit with
// two names is found by either name.
func (u *Usage) Limit(key LimitKey) (UsageLimit, bool) {
	canonical := func(k LimitKey) LimitKey {
		if k == limitMonthlyTraces {
			return LimitMonthlyExecutions
		}
		return k
	}
	i := slices.IndexFunc(u.Limits, func(l UsageLimit) bool { return canonical(l.Key) == canonical(key) })
	if i < 0 {
		return UsageLimit{}, false
	}
	return u.Limits[i], true
}

// Headroom is the remaining amount of a limit.
type Headroom struct {
	Key       LimitKey
	Unlimited bool
	Left      int64   // 0 if usage exceeds the limit or Unlimited is set
	Share     float64 // the used fraction of the limit: 1 if exhausted, 0 if Unlimited
}

// Headroom returns the remaining amount of each limit, with the most used limit
// first and unlimited ones last.
func (u *Usage) Headroom() []Headroom {
	all := make([]Headroom, len(u.Limits))
	for i, l := range u.Limits {
		all[i] = Headroom{Key: l.Key, Unlimited: l.Max == nil}
		switch {
		case l.Max == nil:
		case *l.Max <= 0:
			all[i].Share = min(1, float64(l.Used)) // a limit of 0 with no usage is not exhausted
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

// compareBool orders false before true.
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
