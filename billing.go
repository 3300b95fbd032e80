package promptrails

import (
	"context"
	"iter"
	"time"
)

// BillingService manages the plan, usage, invoices and balance of a workspace.
type BillingService struct{ client *Client }

var (
	opBillingPlans        = operation{"Billing.Plans", "GET", "/billing/plans", "", acrossWorkspaces}
	opBillingSubscription = operation{"Billing.Subscription", "GET", "/billing/subscription", ScopeBillingRead, 0}
	opBillingChangePlan   = operation{"Billing.ChangePlan", "PATCH", "/billing/subscription", ScopeBillingWrite, 0}
	opBillingUsage        = operation{"Billing.Usage", "GET", "/billing/usage", ScopeBillingRead, 0}
	opBillingInvoices     = operation{"Billing.ListInvoices", "GET", "/billing/invoices", ScopeBillingRead, 0}
	opBillingInvoice      = operation{"Billing.GetInvoice", "GET", "/billing/invoices/{id}", ScopeBillingRead, 0}
	opBillingBalance      = operation{"Billing.Balance", "GET", "/billing/balance", ScopeBillingRead, 0}
	opBillingTransactions = operation{"Billing.ListTransactions", "GET", "/billing/balance/transactions", ScopeBillingRead, bySequence}
	opBillingTopUp        = operation{"Billing.TopUp", "POST", "/billing/balance/top-ups", ScopeBillingWrite, 0}
)

// Plans returns the available plans, cheapest first. It requires no scope: any
// API key and any user can call it.
func (s *BillingService) Plans(ctx context.Context, opts ...RequestOption) ([]*Plan, error) {
	return whole[Plan](ctx, s.client, call{op: opBillingPlans, opts: opts})
}

// Subscription returns the workspace's plan and its current billing period. It
// requires the billing:read scope, or the admin role.
func (s *BillingService) Subscription(ctx context.Context, opts ...RequestOption) (*Subscription, error) {
	return one[Subscription](ctx, s.client, call{op: opBillingSubscription, opts: opts})
}

// ChangePlan changes the plan immediately. An upgrade from one paid plan to
// another is invoiced for the rest of the period; a downgrade is not refunded.
// It requires the billing:write scope, or the admin role. If current usage
// exceeds a limit of the new plan, ChangePlan returns [ErrConflict] with the
// code [CodeOverLimit] and each exceeded limit in the details.
func (s *BillingService) ChangePlan(ctx context.Context, plan PlanID, opts ...RequestOption) (*Subscription, error) {
	return one[Subscription](ctx, s.client, call{op: opBillingChangePlan, body: &changePlanBody{Plan: plan}, opts: opts})
}

// Usage returns the usage of each limit and the features of the plan. It
// requires the billing:read scope, or the user role.
func (s *BillingService) Usage(ctx context.Context, opts ...RequestOption) (*Usage, error) {
	return one[Usage](ctx, s.client, call{op: opBillingUsage, opts: opts})
}

// ListInvoices returns one page of invoices, newest first. It requires the
// billing:read scope, or the admin role.
func (s *BillingService) ListInvoices(ctx context.Context, params *ListInvoicesParams, opts ...RequestOption) (*Page[Invoice], error) {
	return list[Invoice](ctx, s.client, call{op: opBillingInvoices, query: params, opts: opts})
}

// AllInvoices returns an iterator over all invoices, newest first. It requires
// the billing:read scope, or the admin role.
func (s *BillingService) AllInvoices(ctx context.Context, params *ListInvoicesParams, opts ...RequestOption) iter.Seq2[*Invoice, error] {
	return all[Invoice](ctx, s.client, call{op: opBillingInvoices, opts: opts}, params)
}

// GetInvoice returns an invoice. It requires the billing:read scope, or the
// admin role.
func (s *BillingService) GetInvoice(ctx context.Context, id string, opts ...RequestOption) (*Invoice, error) {
	return one[Invoice](ctx, s.client, call{op: opBillingInvoice, ids: []string{id}, opts: opts})
}

// Balance returns the prepaid balance for hosted models. It requires the
// billing:read scope, or the admin role.
func (s *BillingService) Balance(ctx context.Context, opts ...RequestOption) (*Balance, error) {
	return one[Balance](ctx, s.client, call{op: opBillingBalance, opts: opts})
}

// ListTransactions returns one page of the balance's transactions, newest
// first. Pages are addressed by cursor, not by number. It requires the
// billing:read scope, or the admin role.
func (s *BillingService) ListTransactions(ctx context.Context, params *ListTransactionsParams, opts ...RequestOption) (*Page[Transaction], error) {
	return list[Transaction](ctx, s.client, call{op: opBillingTransactions, query: params, opts: opts})
}

// AllTransactions returns an iterator over all transactions of the balance,
// newest first. It requires the billing:read scope, or the admin role.
func (s *BillingService) AllTransactions(ctx context.Context, params *ListTransactionsParams, opts ...RequestOption) iter.Seq2[*Transaction, error] {
	return all[Transaction](ctx, s.client, call{op: opBillingTransactions, opts: opts}, params)
}

// TopUp adds an amount from 1.00 to 10,000.00 USD to the balance. It requires
// the billing:write scope, or the admin role.
func (s *BillingService) TopUp(ctx context.Context, amount Money, opts ...RequestOption) (*Transaction, error) {
	return one[Transaction](ctx, s.client, call{op: opBillingTopUp, body: &topUpBody{Amount: amount}, opts: opts})
}

// changePlanBody is the body of [BillingService.ChangePlan].
type changePlanBody struct {
	Plan PlanID `json:"plan"`
}

// topUpBody is the body of [BillingService.TopUp].
type topUpBody struct {
	Amount Money `json:"amount"`
}

// ListInvoicesParams filters a list of invoices.
type ListInvoicesParams struct {
	ListOptions
	Status InvoiceStatus `url:"status,omitempty"`
}

// ListTransactionsParams selects a page of transactions.
type ListTransactionsParams struct{ ListOptions }

// Plan describes the limits, features and monthly price of a plan.
type Plan struct {
	ID       PlanID              `json:"id"`
	Name     string              `json:"name"`
	Price    Money               `json:"price"`
	Limits   map[LimitKey]*int64 `json:"limits"` // nil: unlimited
	Features []Feature           `json:"features"`
}

// SubscriptionStatus is the state of a subscription. Servers may return other
// values.
type SubscriptionStatus string

// The states of a subscription.
const (
	SubscriptionActive   SubscriptionStatus = "active"
	SubscriptionPastDue  SubscriptionStatus = "past_due"
	SubscriptionCanceled SubscriptionStatus = "canceled"
)

// Subscription is a workspace's plan and current billing period. A period is
// one month from its start.
type Subscription struct {
	Plan               PlanID             `json:"plan"`
	Status             SubscriptionStatus `json:"status"`
	Price              Money              `json:"price"`
	CurrentPeriodStart time.Time          `json:"current_period_start"`
	CurrentPeriodEnd   time.Time          `json:"current_period_end"`
	Version            int64              `json:"version"`
	UpdatedAt          time.Time          `json:"updated_at"`
}

// InvoiceStatus is the state of an invoice. Servers may return other values.
type InvoiceStatus string

// The states of an invoice.
const (
	InvoiceDraft InvoiceStatus = "draft"
	InvoiceOpen  InvoiceStatus = "open"
	InvoicePaid  InvoiceStatus = "paid"
	InvoiceVoid  InvoiceStatus = "void"
)

// Invoice is a bill for a period.
type Invoice struct {
	ID          string        `json:"id"`
	Number      string        `json:"number"`
	Status      InvoiceStatus `json:"status"`
	Lines       []InvoiceLine `json:"lines"`
	Total       Money         `json:"total"`
	PeriodStart time.Time     `json:"period_start"`
	PeriodEnd   time.Time     `json:"period_end"`
	IssuedAt    time.Time     `json:"issued_at"`
	PaidAt      time.Time     `json:"paid_at"` // zero: not paid
}

// InvoiceLine is one line of an invoice.
type InvoiceLine struct {
	Description string `json:"description"`
	Quantity    int64  `json:"quantity"`
	Amount      Money  `json:"amount"`
}

// Balance is the prepaid balance for hosted models. It may be negative.
type Balance struct {
	Available       Money     `json:"available"`        // rounded down
	AvailableMicros int64     `json:"available_micros"` // millionths of the currency unit
	UpdatedAt       time.Time `json:"updated_at"`       // zero: never
}

// TransactionType is the reason for a change of the balance. Servers may return
// other values.
type TransactionType string

// The types of transactions.
const (
	TransactionTopUp      TransactionType = "top_up"
	TransactionUsage      TransactionType = "usage"
	TransactionAdjustment TransactionType = "adjustment"
)

// Transaction is one change of a balance, in millionths of the currency unit.
type Transaction struct {
	ID                 string          `json:"id"`
	Type               TransactionType `json:"type"`
	AmountMicros       int64           `json:"amount_micros"` // negative for usage
	Currency           string          `json:"currency"`
	BalanceAfterMicros int64           `json:"balance_after_micros"`
	Description        string          `json:"description"`
	ExecutionID        string          `json:"execution_id"` // set for usage only
	CreatedAt          time.Time       `json:"created_at"`
}
