package promptrails_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestMoneyString(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]promptrails.Money{
		"USD 49.00": {Amount: 4900, Currency: "USD"}, "USD -0.05": {Amount: -5, Currency: "USD"}, "EUR 1,234,567.89": {Amount: 123456789, Currency: "EUR"},
		"JPY 1,000": {Amount: 1000, Currency: "JPY"}, "KWD 1.234": {Amount: 1234, Currency: "KWD"}, "USD 999.99": {Amount: 99999, Currency: "USD"}, "0": {},
		"USD -92,233,720,368,547,758.08": {Amount: math.MinInt64, Currency: "USD"}, "1.00": {Amount: 100},
	} {
		t.Run(want, func(t *testing.T) {
			if got := m.String(); got != want {
				t.Errorf("%+v.String(): got %q, want %q", m, got, want)
			}
		})
	}
}

// Add, Sub and Share return the exact result or an error.
func TestMoneyArithmetic(t *testing.T) {
	t.Parallel()
	usd := func(n int64) promptrails.Money { return promptrails.Money{Amount: n, Currency: "USD"} }
	if _, err := usd(1).Add(promptrails.Money{Amount: 1, Currency: "EUR"}); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("Add of two currencies: got %v, want ErrValidation", err)
	}
	if _, err := usd(1).Share(1, 0); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("Share with a zero total: got %v, want ErrValidation", err)
	}
	if _, err := usd(math.MaxInt64).Share(2, 1); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("Share that overflows: got %v, want ErrValidation", err)
	}
	number := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64}))
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := number.Draw(t, "a"), number.Draw(t, "b"), number.Draw(t, "c")
		x, y := big.NewInt(a), big.NewInt(b)
		check := func(name string, exact *big.Int, got promptrails.Money, err error) {
			if err == nil && exact.Cmp(big.NewInt(got.Amount)) != 0 || err != nil && exact.IsInt64() {
				t.Errorf("%s with a = %d, b = %d, c = %d: got %d, %v; want %s", name, a, b, c, got.Amount, err, exact)
			}
		}
		sum, err := usd(a).Add(usd(b))
		check("a + b", new(big.Int).Add(x, y), sum, err)
		difference, err := usd(a).Sub(usd(b))
		check("a - b", new(big.Int).Sub(x, y), difference, err)
		if c != 0 {
			share, err := usd(a).Share(b, c)
			check("a * b / c", new(big.Int).Quo(new(big.Int).Mul(x, y), big.NewInt(c)), share, err)
		}
	})
}

func TestHeadroom(t *testing.T) {
	t.Parallel()
	u := promptrails.Usage{Limits: []promptrails.UsageLimit{
		{Key: "monthly_traces", Used: 250, Max: new(int64(500))},
		{Key: promptrails.LimitTeamMembers, Used: 9},
		{Key: promptrails.LimitActiveAgents, Used: 14, Max: new(int64(15))},
		{Key: promptrails.LimitNotificationChannels, Used: 0, Max: new(int64(0))},
		{Key: promptrails.LimitDataSources, Used: 3, Max: new(int64(1))},
	}}
	var got []promptrails.LimitKey
	for _, h := range u.Headroom() {
		got = append(got, h.Key)
		switch h.Key { //nolint:exhaustive // only these are checked
		case promptrails.LimitActiveAgents:
			if h.Left != 1 || h.Share < 0.93 || h.Share > 0.94 {
				t.Errorf("Headroom of active_agents: got %+v, want 1 left and a share of 14/15", h)
			}
		case promptrails.LimitTeamMembers:
			if !h.Unlimited || h.Share != 0 {
				t.Errorf("Headroom of team_members: got %+v, want unlimited and a share of 0", h)
			}
		case promptrails.LimitDataSources:
			if h.Left != 0 || h.Share != 3 {
				t.Errorf("Headroom of data_sources: got %+v, want 0 left and a share of 3", h)
			}
		}
	}
	want := []promptrails.LimitKey{promptrails.LimitDataSources, promptrails.LimitActiveAgents, "monthly_traces", promptrails.LimitNotificationChannels, promptrails.LimitTeamMembers}
	if len(got) != 5 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] || got[4] != want[4] {
		t.Errorf("Headroom: got order %v, want %v", got, want)
	}
	if l, ok := u.Limit(promptrails.LimitMonthlyExecutions); !ok || l.Used != 250 {
		t.Errorf("Limit(monthly_executions): got %+v, %t; want the limit monthly_traces with 250 used", l, ok)
	}
}
