package promptrails

import (
	"context"
	"iter"
	"time"
)

// BillingService reads and changes what a workspace may use, and what it has
// paid.
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

// Plans returns the plans on offer, the cheapest first. Any key and any person
// may ask.
func (s *BillingService) Plans(ctx context.Context, opts ...RequestOption) ([]*Plan, error) {
	return whole[Plan](ctx, s.client, call{op: opBillingPlans, opts: opts})
}

// Subscription returns the workspace's plan and the period that runs. It needs
// the scope billing:read, or the role admin.
func (s *BillingService) Subscription(ctx context.Context, opts ...RequestOption) (*Subscription, error) {
	return one[Subscription](ctx, s.client, call{op: opBillingSubscription, opts: opts})
}

// ChangePlan changes the plan at once. Between paid plans upwards, what is left
// of the period is invoiced; downwards nothing is paid back. It needs the scope
// billing:write, or the role admin. A plan that is too small for what is used is
// [ErrConflict], with the code [CodeOverLimit] and each limit in the details.
func (s *BillingService) ChangePlan(ctx context.Context, plan PlanID, opts ...RequestOption) (*Subscription, error) {
	return one[Subscription](ctx, s.client, call{op: opBillingChangePlan, body: &changePlanBody{Plan: plan}, opts: opts})
}

// Usage returns what is used of each limit, and which features the plan has. It
// needs the scope billing:read, or the role user.
func (s *BillingService) Usage(ctx context.Context, opts ...RequestOption) (*Usage, error) {
	return one[Usage](ctx, s.client, call{op: opBillingUsage, opts: opts})
}

// ListInvoices returns one page of the invoices, the newest first. It needs the
// scope billing:read, or the role admin.
func (s *BillingService) ListInvoices(ctx context.Context, params *ListInvoicesParams, opts ...RequestOption) (*Page[Invoice], error) {
	return list[Invoice](ctx, s.client, call{op: opBillingInvoices, query: params, opts: opts})
}

// AllInvoices returns every invoice, the newest first. It needs the scope
// billing:read, or the role admin.
func (s *BillingService) AllInvoices(ctx context.Context, params *ListInvoicesParams, opts ...RequestOption) iter.Seq2[*Invoice, error] {
	return all[Invoice](ctx, s.client, call{op: opBillingInvoices, opts: opts}, params)
}

// GetInvoice returns one invoice. It needs the scope billing:read, or the role
// admin.
func (s *BillingService) GetInvoice(ctx context.Context, id string, opts ...RequestOption) (*Invoice, error) {
	return one[Invoice](ctx, s.client, call{op: opBillingInvoice, ids: []string{id}, opts: opts})
}

// Balance returns what is left for hosted models. It needs the scope
// billing:read, or the role admin.
func (s *BillingService) Balance(ctx context.Context, opts ...RequestOption) (*Balance, error) {
	return one[Balance](ctx, s.client, call{op: opBillingBalance, opts: opts})
}

// ListTransactions returns one page of what the balance went up and down by, the
// newest first. Its pages have cursors and no numbers. It needs the scope
// billing:read, or the role admin.
func (s *BillingService) ListTransactions(ctx context.Context, params *ListTransactionsParams, opts ...RequestOption) (*Page[Transaction], error) {
	return list[Transaction](ctx, s.client, call{op: opBillingTransactions, query: params, opts: opts})
}

// AllTransactions returns every transaction, the newest first. It needs the
// scope billing:read, or the role admin.
func (s *BillingService) AllTransactions(ctx context.Context, params *ListTransactionsParams, opts ...RequestOption) iter.Seq2[*Transaction, error] {
	return all[Transaction](ctx, s.client, call{op: opBillingTransactions, opts: opts}, params)
}

// TopUp adds to the balance: 1.00 to 10,000.00 USD. It needs the scope
// billing:write, or the role admin.
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

// ListInvoicesParams narrows a list of invoices.
type ListInvoicesParams struct {
	ListOptions
	Status InvoiceStatus `url:"status,omitempty"`
}

// ListTransactionsParams says which page of the transactions to answer with.
type ListTransactionsParams struct{ ListOptions }

// Plan is what a workspace may use, and what it costs a month.
type Plan struct {
	ID       PlanID              `json:"id"`
	Name     string              `json:"name"`
	Price    Money               `json:"price"`
	Limits   map[LimitKey]*int64 `json:"limits"` // nil: unlimited
	Features []Feature           `json:"features"`
}

// SubscriptionStatus is the state of a subscription. The type is open.
type SubscriptionStatus string

// The states of a subscription.
const (
	SubscriptionActive   SubscriptionStatus = "active"
	SubscriptionPastDue  SubscriptionStatus = "past_due"
	SubscriptionCanceled SubscriptionStatus = "canceled"
)

// Subscription is the plan that a workspace is on, and the period that runs: a
// month from the moment that it began.
type Subscription struct {
	Plan               PlanID             `json:"plan"`
	Status             SubscriptionStatus `json:"status"`
	Price              Money              `json:"price"`
	CurrentPeriodStart time.Time          `json:"current_period_start"`
	CurrentPeriodEnd   time.Time          `json:"current_period_end"`
	Version            int64              `json:"version"`
	UpdatedAt          time.Time          `json:"updated_at"`
}

// InvoiceStatus is the state of an invoice. The type is open.
type InvoiceStatus string

// The states of an invoice.
const (
	InvoiceDraft InvoiceStatus = "draft"
	InvoiceOpen  InvoiceStatus = "open"
	InvoicePaid  InvoiceStatus = "paid"
	InvoiceVoid  InvoiceStatus = "void"
)

// Invoice is what was charged.
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

// InvoiceLine is a part of an invoice.
type InvoiceLine struct {
	Description string `json:"description"`
	Quantity    int64  `json:"quantity"`
	Amount      Money  `json:"amount"`
}

// Balance is what is left for hosted models. It may be below zero.
type Balance struct {
	Available       Money     `json:"available"`        // rounded down
	AvailableMicros int64     `json:"available_micros"` // millionths of the currency's unit
	UpdatedAt       time.Time `json:"updated_at"`       // zero: never
}

// TransactionType is why a balance changed. The type is open.
type TransactionType string

// The kinds of transactions.
const (
	TransactionTopUp      TransactionType = "top_up"
	TransactionUsage      TransactionType = "usage"
	TransactionAdjustment TransactionType = "adjustment"
)

// Transaction is one change of a balance, in millionths of the currency's unit.
type Transaction struct {
	ID                 string          `json:"id"`
	Type               TransactionType `json:"type"`
	AmountMicros       int64           `json:"amount_micros"` // below zero for usage
	Currency           string          `json:"currency"`
	BalanceAfterMicros int64           `json:"balance_after_micros"`
	Description        string          `json:"description"`
	ExecutionID        string          `json:"execution_id"` // of usage; empty otherwise
	CreatedAt          time.Time       `json:"created_at"`
}
