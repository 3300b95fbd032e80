package service

import (
	"errors"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

func dollars(cents int64) promptrails.Money {
	return promptrails.Money{Amount: cents, Currency: store.Currency}
}

// planNames maps plan ids to display names.
var planNames = map[string]string{"free": "Free", "starter": "Starter", "pro": "Pro", "enterprise": "Enterprise"}

// Plans returns the catalogue.
func (x *Session) Plans(*struct{}) (*Page[*promptrails.Plan], error) {
	all := policy.Catalogue()
	page := &Page[*promptrails.Plan]{Meta: &Meta{Limit: len(all)}}
	total, one := len(all), 1
	page.Meta.Total, page.Meta.Page, page.Meta.Pages = &total, &one, &one
	for _, p := range all {
		plan := &promptrails.Plan{
			ID: promptrails.PlanID(p.ID), Name: planNames[p.ID], Price: dollars(p.Price),
			Limits: map[promptrails.LimitKey]*int64{}, Features: []promptrails.Feature{},
		}
		for key, limit := range p.Limits {
			plan.Limits[promptrails.LimitKey(key)] = orUnlimited(limit)
		}
		for _, f := range p.Features {
			plan.Features = append(plan.Features, promptrails.Feature(f))
		}
		page.Data = append(page.Data, plan)
	}
	return page, nil
}

// orUnlimited returns a pointer to limit, or nil if it is [policy.Unlimited].
func orUnlimited(limit int64) *int64 {
	if limit == policy.Unlimited {
		return nil
	}
	return &limit
}

// Subscription returns the workspace's subscription.
func (x *Session) Subscription() (*promptrails.Subscription, error) {
	s, err := x.tx.Subscription()
	if err != nil {
		return nil, err
	}
	return x.shown(s), nil
}

func (x *Session) shown(s *store.Subscription) *promptrails.Subscription {
	plan, _ := policy.PlanByID(string(s.Plan))
	start, end := policy.Period(s.Began, x.now)
	return &promptrails.Subscription{
		Plan: s.Plan, Status: promptrails.SubscriptionActive, Price: dollars(plan.Price),
		CurrentPeriodStart: start, CurrentPeriodEnd: end, Version: s.Version, UpdatedAt: s.UpdatedAt,
	}
}

// ChangePlan changes the plan immediately.
func (x *Session) ChangePlan(p *ChangePlanBody) (*promptrails.Subscription, error) {
	to, ok := policy.PlanByID(string(p.Plan))
	if !ok {
		return nil, invalid("plan", "must be free, starter, pro or enterprise")
	}
	if err := x.settle(); err != nil {
		return nil, err
	}
	s, err := x.tx.Subscription()
	if err != nil {
		return nil, err
	}
	if s.Plan == p.Plan {
		return x.shown(s), x.match(s.Version)
	}
	if err := x.fits(s, to); err != nil {
		return nil, err
	}
	if err := x.match(s.Version); err != nil {
		return nil, err
	}
	from, _ := policy.PlanByID(string(s.Plan))
	if err := x.invoiceChange(s, from, to); err != nil {
		return nil, err
	}
	s.Plan, s.UpdatedAt = p.Plan, x.now
	s.Version++
	if err := errors.Join(x.tx.UpdateSubscription(s), x.tx.ForgetCrossings()); err != nil {
		return nil, err
	}
	err = x.record(x.tx, promptrails.ActionUpdated,
		changelog.Ref{Type: string(promptrails.ResourceSubscription), ID: x.workspaceID(), Name: string(s.Plan)},
		map[string]any{"plan": from.ID}, map[string]any{"plan": to.ID})
	if err != nil {
		return nil, err
	}
	return x.shown(s), x.pauseSlack(s.Plan)
}

// fits returns an error if current usage exceeds a limit of a plan. It ignores
// executions, because their count is reset with each period.
func (x *Session) fits(s *store.Subscription, to policy.Plan) error {
	used, err := x.used(s)
	if err != nil {
		return err
	}
	var over []map[string]any
	for _, key := range limitKeys {
		if limit := to.Limits[string(key)]; key != promptrails.LimitMonthlyExecutions && limit != policy.Unlimited && used[key] > limit {
			over = append(over, map[string]any{"limit": key, "max": limit, "used": used[key]})
		}
	}
	if len(over) == 0 {
		return nil
	}
	return conflict(promptrails.CodeOverLimit, "usage exceeds the limits of the plan %s; see details.limits", to.ID).
		With(map[string]any{"limits": over, "plan": to.ID})
}

// Usage returns the usage of each limit and the features of the plan.
func (x *Session) Usage() (*promptrails.Usage, error) {
	s, err := x.tx.Subscription()
	if err != nil {
		return nil, err
	}
	used, err := x.used(s)
	if err != nil {
		return nil, err
	}
	start, end := policy.Period(s.Began, x.now)
	usage := &promptrails.Usage{PeriodStart: start, PeriodEnd: end, Features: map[promptrails.Feature]bool{}}
	for _, key := range limitKeys {
		usage.Limits = append(usage.Limits, promptrails.UsageLimit{Key: key, Used: used[key], Max: orUnlimited(policy.Max(string(s.Plan), string(key)))})
	}
	catalogue := policy.Catalogue()
	for _, feature := range catalogue[len(catalogue)-1].Features {
		usage.Features[promptrails.Feature(feature)] = policy.HasFeature(string(s.Plan), feature)
	}
	return usage, nil
}

// Balance returns the balance for hosted models. Available is rounded down to
// cents.
func (x *Session) Balance() (*promptrails.Balance, error) {
	micros, updatedAt, err := x.tx.Balance()
	if err != nil {
		return nil, err
	}
	return &promptrails.Balance{Available: dollars(floorDiv(micros, microsPerCent)), AvailableMicros: micros, UpdatedAt: updatedAt}, nil
}

const microsPerCent = 10_000

// floorDiv returns n/by rounded toward negative infinity.
func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// Transactions returns a page of the transactions.
func (x *Session) Transactions(p *promptrails.ListTransactionsParams) (*Page[*promptrails.Transaction], error) {
	l, err := newSequence("transactions", x.workspaceID(), p.ListOptions)
	if err != nil {
		return nil, err
	}
	rows, sequences, err := x.tx.Transactions(l.store)
	if err != nil {
		return nil, err
	}
	i := l.store.Limit - 1 // finish only asks for the last row of a full page
	return finish(l, rows, 0, func(*promptrails.Transaction) store.Position { return store.Position{At: sequences[i]} }), nil
}

// The limits of one top-up, in cents.
const (
	minTopUp = 100
	maxTopUp = 1_000_000
)

// TopUp adds to the balance.
func (x *Session) TopUp(p *TopUpBody) (*promptrails.Transaction, error) {
	bad := faults{}
	if p.Amount.Currency != store.Currency {
		bad.add("amount.currency", "must be "+store.Currency)
	}
	if p.Amount.Amount < minTopUp || p.Amount.Amount > maxTopUp {
		bad.add("amount.amount", "must be 100 to 1000000 cents: 1.00 to 10,000.00")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	t := &promptrails.Transaction{
		ID: x.newID(), Type: promptrails.TransactionTopUp, AmountMicros: p.Amount.Amount * microsPerCent, Currency: store.Currency,
		Description: "Top-up of " + p.Amount.String(), CreatedAt: x.now,
	}
	if err := x.tx.CreateTransaction(t); err != nil {
		return nil, err
	}
	return t, x.record(x.tx, promptrails.ActionUpdated, changelog.Ref{Type: string(promptrails.ResourceBalance), ID: x.workspaceID(), Name: store.Currency},
		map[string]any{"available_micros": t.BalanceAfterMicros - t.AmountMicros}, map[string]any{"available_micros": t.BalanceAfterMicros})
}
