package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

type billingView struct {
	Usage     *promptrails.Usage
	Limits    []limitView
	Plans     []*planView
	Charts    []*series // of executions
	Truncated bool      // there are too many executions for a chart of the whole period

	// For admins.
	Subscription *promptrails.Subscription
	Invoices     []*promptrails.Invoice
	Pager        pager
	Balance      *promptrails.Balance
	Transactions []*promptrails.Transaction
	BalanceChart *series
}

// limitView is how much of a limit is used.
type limitView struct {
	promptrails.UsageLimit
	promptrails.Headroom
	ReachedAt time.Time // by the growth until now; zero: not expected
}

// Key is that of both embedded structs.
func (l limitView) Key() promptrails.LimitKey { return l.UsageLimit.Key }

// Level is the urgency of a limit: full, high or empty.
func (l limitView) Level() string {
	switch {
	case l.Share >= 1:
		return "full"
	case l.Share >= 0.8:
		return "high"
	}
	return ""
}

// limits returns the limits of the plan, the most used one first.
func limits(usage *promptrails.Usage) (all []limitView) {
	for _, headroom := range usage.Headroom() {
		used, _ := usage.Limit(headroom.Key)
		all = append(all, limitView{UsageLimit: used, Headroom: headroom})
	}
	return all
}

// planView is a plan of the catalogue.
type planView struct {
	*promptrails.Plan
	Current, Cheaper bool
	Rows             []planLimit
}

type planLimit struct {
	Name string
	Max  *int64 // nil: unlimited
}

// billing shows the plan and its usage, and for admins the invoices and the balance.
func (c *console) billing(v *visit) (err error) {
	view := &billingView{}
	ctx := v.Context()
	if view.Usage, err = v.client.Billing.Usage(ctx); err != nil {
		return err
	}
	view.Limits = c.forecast(v, view.Usage)
	if v.MayRead(promptrails.ScopeExecutionsRead) {
		if err := view.readExecutions(v, c.now()); err != nil {
			return err
		}
	}
	if v.May(promptrails.ScopeBillingRead) {
		if err := view.readAccount(v, c.now()); err != nil {
			return err
		}
	}
	if view.Plans, err = plans(v); err != nil {
		return err
	}
	return v.render("billing", "Billing", view)
}

// forecast returns the limits, with the times at which they are expected to be reached.
func (c *console) forecast(v *visit, usage *promptrails.Usage) []limitView {
	all := limits(usage)
	forecasts := (&review.Workspace{Info: *v.Workspace, ReadAt: c.now(), Usage: usage}).Forecast()
	for i := range all {
		for _, f := range forecasts {
			if f.Limit == all[i].Key() && all[i].Share < 1 {
				all[i].ReachedAt = f.ReachedAt
			}
		}
	}
	return all
}

func plans(v *visit) (all []*planView, err error) {
	catalogue, err := v.client.Billing.Plans(v.Context())
	if err != nil {
		return nil, err
	}
	cheaper := true
	for _, plan := range catalogue {
		p := &planView{Plan: plan, Current: plan.ID == v.Workspace.Plan}
		cheaper = cheaper && !p.Current
		p.Cheaper = cheaper
		for key, limit := range plan.Limits {
			p.Rows = append(p.Rows, planLimit{label(string(key)), limit})
		}
		slices.SortFunc(p.Rows, func(a, b planLimit) int { return cmp.Compare(a.Name, b.Name) })
		all = append(all, p)
	}
	return all, nil
}

// readExecutions makes the charts of the executions in the billing period, and of what is
// left of their limit.
func (b *billingView) readExecutions(v *visit, now time.Time) error {
	var times []time.Time
	newestFirst := &promptrails.ListResourcesParams{ListOptions: promptrails.ListOptions{Limit: 100}}
	for execution, err := range v.client.Resources.All(v.Context(), promptrails.KindExecutions, newestFirst) {
		if err != nil {
			return err
		}
		if b.Truncated = len(times) == v.c.maxExecutions; b.Truncated || execution.CreatedAt.Before(b.Usage.PeriodStart) {
			break
		}
		times = append(times, execution.CreatedAt)
	}
	first := b.Usage.PeriodStart
	if b.Truncated {
		first = times[len(times)-1].Add(24 * time.Hour) // the first whole day
		if first.After(now) {
			return nil
		}
	}
	perDay := newSeries("executions", first, now)
	for _, at := range times {
		perDay.add(at, 1)
	}
	b.Charts = append(b.Charts, perDay)
	if limit, ok := b.Usage.Limit(promptrails.LimitMonthlyExecutions); ok && limit.Max != nil {
		b.Charts = append(b.Charts, perDay.left(float64(*limit.Max-limit.Used)))
	}
	return nil
}

// readAccount reads the parts that admins can read.
func (b *billingView) readAccount(v *visit, now time.Time) (err error) {
	ctx := v.Context()
	if b.Subscription, err = v.client.Billing.Subscription(ctx); err != nil {
		return err
	}
	v.Workspace.Plan = b.Subscription.Plan // an API key may not know it
	invoices, err := v.client.Billing.ListInvoices(ctx, &promptrails.ListInvoicesParams{ListOptions: listOptions(v)})
	if err != nil {
		return err
	}
	b.Invoices, b.Pager = invoices.Items, pages(v, v.path("billing"), invoices)
	if b.Balance, err = v.client.Billing.Balance(ctx); err != nil {
		return err
	}
	transactions, err := v.client.Billing.ListTransactions(ctx, &promptrails.ListTransactionsParams{ListOptions: promptrails.ListOptions{Limit: 100}})
	if err != nil {
		return err
	}
	b.Transactions = transactions.Items
	if n := len(b.Transactions); n > 0 {
		b.BalanceChart = balanceSeries(b.Transactions, now)
		b.Transactions = b.Transactions[:min(n, 10)]
	}
	return nil
}

// balanceSeries returns the balance at the end of each day, of transactions newest first.
func balanceSeries(transactions []*promptrails.Transaction, now time.Time) *series {
	oldest := transactions[len(transactions)-1]
	s := newSeries("balance", oldest.CreatedAt, now)
	next := len(transactions) - 1
	balance := 0.0
	for i := range s.Values {
		end := s.From.AddDate(0, 0, i+1)
		for ; next >= 0 && transactions[next].CreatedAt.Before(end); next-- {
			balance = float64(transactions[next].BalanceAfterMicros) / 1e6
		}
		s.Values[i] = balance
	}
	return s
}

func (c *console) changePlan(v *visit) (*next, error) {
	subscription, err := v.client.Billing.ChangePlan(v.Context(), promptrails.PlanID(v.PostFormValue("plan")), v.once())
	if err != nil {
		return nil, err
	}
	return then(v.path("billing"), fmt.Sprintf("The plan is now %s, for %s a month.", subscription.Plan, subscription.Price)), nil
}

var amountForm = regexp.MustCompile(`^([0-9]{1,5})(?:\.([0-9]{2}))?$`)

func (c *console) topUp(v *visit) (*next, error) {
	parts := amountForm.FindStringSubmatch(strings.TrimSpace(v.PostFormValue("amount")))
	if parts == nil {
		return nil, invalid("amount", "must be an amount such as 50 or 50.00")
	}
	cents, err := strconv.ParseInt(parts[1]+cmp.Or(parts[2], "00"), 10, 64)
	if err != nil {
		return nil, err
	}
	t, err := v.client.Billing.TopUp(v.Context(), promptrails.Money{Amount: cents, Currency: "USD"}, v.once())
	if err != nil {
		return nil, err
	}
	return then(v.path("billing"), micros(t.AmountMicros, t.Currency)+" was added to the balance."), nil
}

func (c *console) invoice(v *visit) error {
	invoice, err := v.client.Billing.GetInvoice(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	return v.render("invoice", "Invoice "+invoice.Number, invoice)
}
