package promptrails_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestBilling(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada := p.person("ada@example.com", "Ada")
		plans, err := ada.Billing.Plans(ctx)
		if err != nil || len(plans) != 4 {
			t.Fatalf("Plans = %v, %v", plans, err)
		}
		free := &promptrails.Plan{
			ID: "free", Name: "Free", Price: promptrails.Money{Currency: "USD"}, Features: []promptrails.Feature{},
			Limits: map[promptrails.LimitKey]*int64{
				"monthly_executions": new(int64(500)), "team_members": new(int64(1)), "active_agents": new(int64(3)), "data_sources": new(int64(1)), "notification_channels": new(int64(0)),
			},
		}
		if diff := cmp.Diff(free, plans[0]); diff != "" {
			t.Error(diff)
		}
		if most, ok := plans[3].Limits[promptrails.LimitTeamMembers]; !ok || most != nil || plans[2].Price.String() != "USD 199.00" {
			t.Errorf("%+v", plans[2:])
		}

		in, w := newWorkspace(t, ada, "research") // starter
		first, err := in.Billing.Subscription(ctx)
		if err != nil || first.Plan != promptrails.PlanStarter || first.Status != promptrails.SubscriptionActive || first.Price.Amount != 4900 ||
			!first.CurrentPeriodStart.Equal(w.CreatedAt) || !first.CurrentPeriodEnd.Equal(w.CreatedAt.AddDate(0, 1, 0)) {
			t.Errorf("Subscription = %+v, %v", first, err)
		}
		changed, err := in.Billing.ChangePlan(ctx, promptrails.PlanPro, promptrails.WithIfMatch(first.Version))
		if err != nil || changed.Plan != promptrails.PlanPro || changed.Version != first.Version+1 {
			t.Errorf("ChangePlan = %+v, %v", changed, err)
		}
		if _, err := in.Billing.ChangePlan(ctx, "gold"); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("ChangePlan to a plan that is none: %v", err)
		}
		agent := must[*promptrails.Resource](t)(in.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "a"}))
		execution := must[*promptrails.Resource](t)(in.Resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: "hello"}))
		usage, err := in.Billing.Usage(ctx)
		if err != nil || !usage.Features[promptrails.FeatureApprovals] || usage.Features[promptrails.FeatureSSO] {
			t.Fatalf("Usage = %+v, %v", usage, err)
		}
		wantUsage := []promptrails.UsageLimit{
			{Key: "monthly_executions", Used: 1, Max: new(int64(100_000))},
			{Key: "team_members", Used: 1, Max: new(int64(20))},
			{Key: "active_agents", Used: 1, Max: new(int64(50))},
			{Key: "data_sources", Used: 0, Max: new(int64(25))},
			{Key: "notification_channels", Used: 0, Max: new(int64(10))},
		}
		if diff := cmp.Diff(wantUsage, usage.Limits); diff != "" {
			t.Errorf("Usage: %s", diff)
		}

		var invoices []*promptrails.Invoice
		for i, err := range in.Billing.AllInvoices(ctx, &promptrails.ListInvoicesParams{Status: promptrails.InvoicePaid}) {
			if err != nil {
				t.Fatal(err)
			}
			invoices = append(invoices, i)
		}
		if len(invoices) != 2 || invoices[1].Total.Amount != 4900 || invoices[0].Number != "INV-000002" {
			t.Fatalf("AllInvoices = %+v", invoices)
		}
		// All but a few milliseconds of the period are left.
		if got := invoices[0]; got.Total.Amount != 14999 || len(got.Lines) != 1 || got.Lines[0].Amount != got.Total || !got.PeriodEnd.Equal(first.CurrentPeriodEnd) {
			t.Errorf("for the change: %+v", got)
		}
		if got, err := in.Billing.GetInvoice(ctx, invoices[0].ID); err != nil || !cmp.Equal(got, invoices[0]) {
			t.Errorf("GetInvoice: %v %s", err, cmp.Diff(got, invoices[0]))
		}

		topUp, err := in.Billing.TopUp(ctx, promptrails.Money{Amount: 250, Currency: "USD"})
		if err != nil || topUp.AmountMicros != 2_500_000 || topUp.Type != promptrails.TransactionTopUp {
			t.Errorf("TopUp = %+v, %v", topUp, err)
		}
		if _, err := in.Billing.TopUp(ctx, promptrails.Money{Amount: 99, Currency: "USD"}); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("TopUp of too little: %v", err)
		}
		var transactions []*promptrails.Transaction
		for x, err := range in.Billing.AllTransactions(ctx, &promptrails.ListTransactionsParams{ListOptions: promptrails.ListOptions{Limit: 1}}) {
			if err != nil {
				t.Fatal(err)
			}
			transactions = append(transactions, x)
		}
		if len(transactions) != 2 || !cmp.Equal(transactions[0], topUp) || transactions[1].ExecutionID != execution.ID || transactions[1].AmountMicros >= 0 {
			t.Errorf("AllTransactions = %+v", transactions)
		}
		page, err := in.Billing.ListTransactions(ctx, nil)
		if err != nil || len(page.Items) != 2 || page.Meta.Total != 0 {
			t.Errorf("ListTransactions = %+v, %v", page, err)
		}
		balance, err := in.Billing.Balance(ctx)
		if err != nil || balance.AvailableMicros != topUp.BalanceAfterMicros || balance.Available.Amount != 249 || !balance.UpdatedAt.Equal(topUp.CreatedAt) {
			t.Errorf("Balance = %+v, %v", balance, err)
		}

		key := must[*promptrails.CreatedAPIKey](t)(in.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "n", Scopes: promptrails.Scopes{promptrails.ScopeBillingRead}}))
		finance := p.withKey(key.Key)
		if _, err := finance.Billing.Balance(ctx); err != nil {
			t.Error(err)
		}
		if _, err := finance.Billing.Plans(ctx); err != nil {
			t.Error(err)
		}
		if _, err := finance.Billing.ChangePlan(ctx, promptrails.PlanFree); codeOf(err) != promptrails.CodeInsufficientScope {
			t.Errorf("ChangePlan without the scope: %v", err)
		}
		page2, err := in.Billing.ListInvoices(ctx, nil)
		if err != nil || page2.Meta.Total != 2 {
			t.Errorf("ListInvoices = %+v, %v", page2, err)
		}
	})
}
