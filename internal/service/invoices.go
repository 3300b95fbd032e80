package service

import (
	"context"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Invoices returns a page of the invoices.
func (x *Session) Invoices(p *promptrails.ListInvoicesParams) (*Page[*promptrails.Invoice], error) {
	switch p.Status {
	case "", promptrails.InvoiceDraft, promptrails.InvoiceOpen, promptrails.InvoicePaid, promptrails.InvoiceVoid:
	default:
		return nil, invalid("status", "must be draft, open, paid or void")
	}
	l, err := newListing("invoices", x.workspaceID(), p.ListOptions, string(p.Status))
	if err != nil {
		return nil, err
	}
	rows, total, err := x.tx.Invoices(string(p.Status), l.store)
	if err != nil {
		return nil, err
	}
	return finish(l, rows, total, func(i *promptrails.Invoice) store.Position {
		return store.Position{At: i.IssuedAt.UnixMicro(), ID: i.ID}
	}), nil
}

// Invoice returns the invoice with that id.
func (x *Session) Invoice(id string) (*promptrails.Invoice, error) {
	i, err := x.tx.Invoice(id)
	return i, orNotFound(err, "invoice")
}

// invoiceChange invoices a change of plan. In a period that is already paid, it
// only invoices the difference to the highest price paid, prorated for the rest
// of the period, so that no time is invoiced twice. This also applies after a
// change to the free plan, when the paid period resumes. Without a paid period, a
// change from the free plan starts a new period, which is invoiced in full.
func (x *Session) invoiceChange(s *store.Subscription, from, to policy.Plan) error {
	if to.Price == 0 {
		return nil
	}
	if paid := x.now.Before(s.InvoicedUntil); !paid && from.Price == 0 {
		s.Began = x.now
		start, end := policy.Period(s.Began, x.now)
		s.InvoicedUntil, s.PaidPrice = end, to.Price // a new period also resets the executions
		return x.invoice("Plan "+planNames[to.ID], dollars(to.Price), start, end)
	}
	if to.Price <= s.PaidPrice {
		return nil
	}
	start, end := policy.Period(s.Began, x.now)
	left, err := dollars(to.Price-s.PaidPrice).Share(end.Sub(x.now).Microseconds(), end.Sub(start).Microseconds())
	s.PaidPrice = to.Price
	if err != nil || left.Amount == 0 {
		return err
	}
	return x.invoice("Plan "+planNames[to.ID]+" in place of "+planNames[from.ID]+", for what is left of the period", left, x.now, end)
}

// invoice creates an invoice with one line. It is paid immediately.
func (x *Session) invoice(description string, amount promptrails.Money, start, end time.Time) error {
	return x.tx.CreateInvoice(&promptrails.Invoice{
		ID: x.newID(), Status: promptrails.InvoicePaid, Total: amount, PeriodStart: start, PeriodEnd: end, IssuedAt: x.now, PaidAt: x.now,
		Lines: []promptrails.InvoiceLine{{Description: description, Quantity: 1, Amount: amount}},
	})
}

// settle invoices the periods that have begun since the last invoiced period.
func (x *Session) settle() error {
	s, err := x.tx.Subscription()
	if err != nil || !due(s, x.now) {
		return err
	}
	plan, _ := policy.PlanByID(string(s.Plan))
	for due(s, x.now) {
		start, end := policy.Period(s.Began, later(s.Began, s.InvoicedUntil))
		if err := x.invoice("Plan "+planNames[plan.ID], dollars(plan.Price), start, end); err != nil {
			return err
		}
		s.InvoicedUntil, s.PaidPrice = end, plan.Price
	}
	return x.tx.UpdateSubscription(s)
}

// due reports whether a paid plan has a period that has begun and is not
// invoiced.
func due(s *store.Subscription, now time.Time) bool {
	plan, _ := policy.PlanByID(string(s.Plan))
	return plan.Price > 0 && !now.Before(later(s.Began, s.InvoicedUntil))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Settle invoices the periods that are due in the workspace of a request, so that
// the request reads current data. It authorizes the request first.
func (s *Service) Settle(ctx context.Context, r *Request) error {
	var isDue bool
	err := s.Read(ctx, r, func(x *Session) error {
		subscription, err := x.tx.Subscription()
		isDue = err == nil && due(subscription, x.now)
		return err
	})
	if err != nil || !isDue {
		return err
	}
	return s.Store.Write(ctx, func(g *store.Global) error {
		x, err := s.admit(g, r)
		if err != nil {
			return err
		}
		return x.settle()
	})
}
