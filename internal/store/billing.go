package store

import (
	"fmt"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Currency is the currency of all amounts.
const Currency = "USD"

// Subscription is the stored subscription of a workspace.
type Subscription struct {
	Plan             promptrails.PlanID
	Began            time.Time // start of the first period; periods are one month long
	Version          int64
	UpdatedAt        time.Time
	InvoicedUntil    time.Time // zero: not invoiced yet
	PaidPrice        int64     // highest price paid for the period up to InvoicedUntil, in cents per month
	ExecutionsPeriod time.Time // start of the period that ExecutionsUsed counts
	ExecutionsUsed   int64
}

// Subscription returns the workspace's subscription.
func (t *Tx) Subscription() (*Subscription, error) {
	s := new(Subscription)
	return s, t.row(`SELECT plan, CASE subscribed_at WHEN 0 THEN created_at ELSE subscribed_at END, subscription_version,
		CASE subscription_updated_at WHEN 0 THEN created_at ELSE subscription_updated_at END, invoiced_until, paid_price, executions_period, executions_used
		FROM workspaces WHERE id = $1`, nil, &s.Plan, stamp{&s.Began}, &s.Version, stamp{&s.UpdatedAt}, stamp{&s.InvoicedUntil}, &s.PaidPrice, stamp{&s.ExecutionsPeriod}, &s.ExecutionsUsed)
}

// UpdateSubscription stores a subscription.
func (t *Tx) UpdateSubscription(s *Subscription) error {
	return affected(t.exec(`UPDATE workspaces SET plan = $2, subscribed_at = $3, subscription_version = $4, subscription_updated_at = $5, invoiced_until = $6,
		executions_period = $7, executions_used = $8, paid_price = $9 WHERE id = $1`,
		string(s.Plan), micros(s.Began), s.Version, micros(s.UpdatedAt), micros(s.InvoicedUntil), micros(s.ExecutionsPeriod), s.ExecutionsUsed, s.PaidPrice))
}

// ForgetCrossings deletes the recorded crossings, so that thresholds can be
// crossed again after the limits change.
func (t *Tx) ForgetCrossings() error {
	_, err := t.exec("DELETE FROM usage_crossings WHERE workspace_id = $1")
	return err
}

// Cross records that usage reached a percentage of a limit. It reports whether
// this is the first time in the period.
func (t *Tx) Cross(limit string, percent int, period, at time.Time) (first bool, err error) {
	n, err := t.exec("INSERT INTO usage_crossings (workspace_id, limit_key, percent, period_start, crossed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		limit, percent, micros(period), micros(at))
	return n > 0, err
}

const invoiceRows scoped = "FROM invoices i WHERE i.workspace_id = $1"

const countInvoices = "invoices"

var invoiceColumns = scoped(invoiceRow(new(promptrails.Invoice)).names("i"))

func invoiceRow(i *promptrails.Invoice) row {
	i.Total.Currency = Currency
	return row{
		{"id", &i.ID, onceSet},
		{"number", &i.Number, onceSet},
		{"status", &i.Status, onceSet},
		{"lines", document{&i.Lines}, onceSet},
		{"total", &i.Total.Amount, onceSet},
		{"period_start", stamp{&i.PeriodStart}, onceSet},
		{"period_end", stamp{&i.PeriodEnd}, onceSet},
		{"issued_at", stamp{&i.IssuedAt}, onceSet},
		{"paid_at", stamp{&i.PaidAt}, onceSet},
	}
}

// Invoices returns a page of the invoices and the number of matching invoices.
// The number is 0 if p has a cursor.
func (t *Tx) Invoices(status string, p Paging) (page []*promptrails.Invoice, total int, err error) {
	f := filter{base: 1}
	f.equal("i.status", status)
	from, total, err := t.pageOf(&list{rows: string(invoiceRows), at: "i.issued_at", id: "i.id", total: t.total(countInvoices)}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + invoiceColumns + " " + from
	err = t.rows(query, f.args, func(r scanner) error {
		i := new(promptrails.Invoice)
		page = append(page, i)
		return r.Scan(invoiceRow(i).into()...)
	})
	return page, total, err
}

// Invoice returns the invoice with that id.
func (t *Tx) Invoice(id string) (*promptrails.Invoice, error) {
	i := new(promptrails.Invoice)
	return i, t.row("SELECT "+invoiceColumns+" "+invoiceRows+" AND i.id = $2", []any{id}, invoiceRow(i).into()...)
}

// CreateInvoice adds an invoice and sets its Number to the next number.
func (t *Tx) CreateInvoice(i *promptrails.Invoice) error {
	n, err := t.counted(countInvoices)
	if err != nil {
		return err
	}
	i.Number = fmt.Sprintf("INV-%06d", n+1)
	err = t.insert("invoices", invoiceRow(i))
	if err != nil {
		return err
	}
	return t.count(countInvoices, 1)
}

// Balance returns the balance in millionths of [Currency] and the time of its
// last change.
func (t *Tx) Balance() (micros int64, updatedAt time.Time, err error) {
	err = t.row("SELECT balance_micros, balance_updated_at FROM workspaces WHERE id = $1", nil, &micros, stamp{&updatedAt})
	return micros, updatedAt, err
}

// CreateTransaction adds the amount of a transaction to the balance, and adds the
// transaction. It sets BalanceAfterMicros.
func (t *Tx) CreateTransaction(x *promptrails.Transaction) error {
	var sequence int64
	err := t.row("UPDATE workspaces SET balance_micros = balance_micros + $2, balance_updated_at = $3, transaction_sequence = transaction_sequence + 1 WHERE id = $1 RETURNING balance_micros, transaction_sequence",
		[]any{x.AmountMicros, micros(x.CreatedAt)}, &x.BalanceAfterMicros, &sequence)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO transactions (workspace_id, sequence, id, type, amount_micros, balance_after_micros, description, execution_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		sequence, x.ID, string(x.Type), x.AmountMicros, x.BalanceAfterMicros, x.Description, x.ExecutionID, micros(x.CreatedAt))
	return err
}

// Transactions returns a page of the transactions and their sequences, newest
// first.
func (t *Tx) Transactions(p Paging) (page []*promptrails.Transaction, sequences []int64, err error) {
	f := filter{base: 1}
	if p.After != nil {
		f.and("sequence < ?", p.After.At)
	}
	query := "SELECT sequence, id, type, amount_micros, balance_after_micros, description, execution_id, created_at FROM transactions WHERE workspace_id = $1" +
		scoped(f.sql.String()+" ORDER BY sequence DESC"+f.limit(p))
	err = t.rows(query, f.args, func(r scanner) error {
		x := &promptrails.Transaction{Currency: Currency}
		var sequence int64
		if err := r.Scan(&sequence, &x.ID, &x.Type, &x.AmountMicros, &x.BalanceAfterMicros, &x.Description, &x.ExecutionID, stamp{&x.CreatedAt}); err != nil {
			return err
		}
		page, sequences = append(page, x), append(sequences, sequence)
		return nil
	})
	return page, sequences, err
}
