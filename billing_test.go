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
		t.Run("plans", func(t *testing.T) {
			plans, err := ada.Billing.Plans(ctx)
			if err != nil || len(plans) != 4 {
				t.Fatalf("Plans: got %v, %v; want 4 plans", plans, err)
			}
			free := &promptrails.Plan{
				ID: "free", Name: "Free", Price: promptrails.Money{Currency: "USD"}, Features: []promptrails.Feature{},
				Limits: map[promptrails.LimitKey]*int64{
					"monthly_executions": new(int64(500)), "team_members": new(int64(1)), "active_agents": new(int64(3)), "data_sources": new(int64(1)), "notification_channels": new(int64(0)),
				},
			}
			if diff := cmp.Diff(free, plans[0]); diff != "" {
				t.Errorf("Plans[0] (-want +got):\n%s", diff)
			}
			if limit, ok := plans[3].Limits[promptrails.LimitTeamMembers]; !ok || limit != nil || plans[2].Price.String() != "USD 199.00" {
				t.Errorf("Plans[2:]: got %+v, want a price of USD 199.00 and unlimited members", plans[2:])
			}
		})
		in, w := newWorkspace(t, ada, "research") // starter
		first, err := in.Billing.Subscription(ctx)
		if err != nil || first.Plan != promptrails.PlanStarter || first.Status != promptrails.SubscriptionActive || first.Price.Amount != 4900 ||
			!first.CurrentPeriodStart.Equal(w.CreatedAt) || !first.CurrentPeriodEnd.Equal(w.CreatedAt.AddDate(0, 1, 0)) {
			t.Errorf("Subscription: got %+v, %v; want the active plan starter for one month from %v", first, err, w.CreatedAt)
		}
		changed, err := in.Billing.ChangePlan(ctx, promptrails.PlanPro, promptrails.WithIfMatch(first.Version))
		if err != nil || changed.Plan != promptrails.PlanPro || changed.Version != first.Version+1 {
			t.Errorf("ChangePlan: got %+v, %v; want the plan pro and version %d", changed, err, first.Version+1)
		}
		if _, err := in.Billing.ChangePlan(ctx, "gold"); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("ChangePlan to an unknown plan: got %v, want ErrValidation", err)
		}
		agent := must[*promptrails.Resource](t)(in.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "a"}))
		execution := must[*promptrails.Resource](t)(in.Resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: "hello"}))
		usage, err := in.Billing.Usage(ctx)
		if err != nil || !usage.Features[promptrails.FeatureApprovals] || usage.Features[promptrails.FeatureSSO] {
			t.Fatalf("Usage: got %+v, %v; want the feature approvals and not sso", usage, err)
		}
		wantUsage := []promptrails.UsageLimit{
			{Key: "monthly_executions", Used: 1, Max: new(int64(100_000))},
			{Key: "team_members", Used: 1, Max: new(int64(20))},
			{Key: "active_agents", Used: 1, Max: new(int64(50))},
			{Key: "data_sources", Used: 0, Max: new(int64(25))},
			{Key: "notification_channels", Used: 0, Max: new(int64(10))},
		}
		if diff := cmp.Diff(wantUsage, usage.Limits); diff != "" {
			t.Errorf("Usage (-want +got):\n%s", diff)
		}

		t.Run("invoices", func(t *testing.T) {
			var invoices []*promptrails.Invoice
			for i, err := range in.Billing.AllInvoices(ctx, &promptrails.ListInvoicesParams{Status: promptrails.InvoicePaid}) {
				if err != nil {
					t.Fatal(err)
				}
				invoices = append(invoices, i)
			}
			if len(invoices) != 2 || invoices[1].Total.Amount != 4900 || invoices[0].Number != "INV-000002" {
				t.Fatalf("AllInvoices: got %+v, want 2 invoices, newest first", invoices)
			}
			// The change is billed for the rest of the period, which is almost all of it.
			if got := invoices[0]; got.Total.Amount != 14999 || len(got.Lines) != 1 || got.Lines[0].Amount != got.Total || !got.PeriodEnd.Equal(first.CurrentPeriodEnd) {
				t.Errorf("invoice of the change: got %+v, want one line of 14999 until %v", got, first.CurrentPeriodEnd)
			}
			if got, err := in.Billing.GetInvoice(ctx, invoices[0].ID); err != nil || !cmp.Equal(got, invoices[0]) {
				t.Errorf("GetInvoice: got error %v, want nil (-want +got):\n%s", err, cmp.Diff(invoices[0], got))
			}
		})
		t.Run("credit", func(t *testing.T) {
			topUp, err := in.Billing.TopUp(ctx, promptrails.Money{Amount: 250, Currency: "USD"})
			if err != nil || topUp.AmountMicros != 2_500_000 || topUp.Type != promptrails.TransactionTopUp {
				t.Errorf("TopUp: got %+v, %v; want a top-up of 2500000 micros", topUp, err)
			}
			if _, err := in.Billing.TopUp(ctx, promptrails.Money{Amount: 99, Currency: "USD"}); !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("TopUp of USD 0.99: got %v, want ErrValidation", err)
			}
			var transactions []*promptrails.Transaction
			for x, err := range in.Billing.AllTransactions(ctx, &promptrails.ListTransactionsParams{ListOptions: promptrails.ListOptions{Limit: 1}}) {
				if err != nil {
					t.Fatal(err)
				}
				transactions = append(transactions, x)
			}
			if len(transactions) != 2 || !cmp.Equal(transactions[0], topUp) || transactions[1].ExecutionID != execution.ID || transactions[1].AmountMicros >= 0 {
				t.Errorf("AllTransactions: got %+v, want the top-up and the debit of execution %s", transactions, execution.ID)
			}
			page, err := in.Billing.ListTransactions(ctx, nil)
			if err != nil || len(page.Items) != 2 || page.Meta.Total != 0 {
				t.Errorf("ListTransactions: got %+v, %v; want 2 transactions without a total", page, err)
			}
			balance, err := in.Billing.Balance(ctx)
			if err != nil || balance.AvailableMicros != topUp.BalanceAfterMicros || balance.Available.Amount != 249 || !balance.UpdatedAt.Equal(topUp.CreatedAt) {
				t.Errorf("Balance: got %+v, %v; want %d micros as of %v", balance, err, topUp.BalanceAfterMicros, topUp.CreatedAt)
			}
		})
		t.Run("API key", func(t *testing.T) {
			key := must[*promptrails.CreatedAPIKey](t)(in.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "n", Scopes: promptrails.Scopes{promptrails.ScopeBillingRead}}))
			finance := p.withKey(key.Key)
			if _, err := finance.Billing.Balance(ctx); err != nil {
				t.Errorf("Balance with the scope billing:read: got %v, want no error", err)
			}
			if _, err := finance.Billing.Plans(ctx); err != nil {
				t.Errorf("Plans with the scope billing:read: got %v, want no error", err)
			}
			if _, err := finance.Billing.ChangePlan(ctx, promptrails.PlanFree); codeOf(err) != promptrails.CodeInsufficientScope {
				t.Errorf("ChangePlan without the scope: got %v, want the code insufficient_scope", err)
			}
		})
		page, err := in.Billing.ListInvoices(ctx, nil)
		if err != nil || page.Meta.Total != 2 {
			t.Errorf("ListInvoices: got %+v, %v; want a total of 2", page, err)
		}
	})
}
