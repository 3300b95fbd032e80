package embedded_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// calendar is a clock that moves only by set.
type calendar struct{ at atomic.Int64 }

func (c *calendar) now() time.Time { return time.UnixMicro(c.at.Load()).UTC() }

func (c *calendar) set(t *testing.T, when string) {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05.999999", when)
	if err != nil {
		t.Fatal(err)
	}
	c.at.Store(at.UnixMicro())
}

// invoices returns the workspace's invoices, the oldest first, each as its
// number, total in cents and period.
func (p *person) invoices() (all []string) {
	p.s.t.Helper()
	var page struct {
		Data []promptrails.Invoice
	}
	if err := json.Unmarshal([]byte(p.do("GET", "/billing/invoices?limit=100", "").expect(200).body), &page); err != nil {
		p.s.t.Fatal(err)
	}
	for _, i := range page.Data {
		all = append(all, fmt.Sprintf("%s %d %s-%s", i.Number, i.Total.Amount, i.PeriodStart.Format("01-02"), i.PeriodEnd.Format("01-02")))
	}
	slices.Sort(all) // by number: several invoices may have the same time
	return all
}

// plan changes the workspace's plan.
func (p *person) plan(plan string) *reply {
	return p.do("PATCH", "/billing/subscription", `{"plan":"`+plan+`"}`)
}

// A period is invoiced in full when it begins. An upgrade is invoiced for the
// rest of the period.
func TestInvoices(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		var clock calendar
		clock.set(t, "2026-01-10 00:00:00")
		cfg.DefaultPlan, cfg.Now = promptrails.PlanFree, clock.now
		s := newServer(t, cfg)
		ada := s.owner("ada@example.com", "research")
		check := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, ada.invoices()); diff != "" {
				t.Errorf("invoices (-want +got):\n%s", diff)
			}
		}
		clock.set(t, "2026-03-31 00:00:00")
		check() // the free plan has no invoices

		// An upgrade from the free plan begins a period.
		ada.plan("starter").expect(200)
		check("INV-000001 4900 03-31-04-30")
		// An upgrade between paid plans costs the difference for the rest of the
		// period, rounded down.
		clock.set(t, "2026-04-10 00:00:00") // 20 of 30 days are left
		ada.plan("pro").expect(200)
		check("INV-000001 4900 03-31-04-30", "INV-000002 10000 04-10-04-30")
		// A downgrade has no refund. Changing to the current plan is a no-op.
		ada.plan("starter").expect(200)
		ada.plan("starter").expect(200)
		check("INV-000001 4900 03-31-04-30", "INV-000002 10000 04-10-04-30")
		// New periods are invoiced when the invoices are read. A period that would
		// begin on the 31st begins on the last day of a shorter month.
		clock.set(t, "2026-04-30 00:00:00")
		check("INV-000001 4900 03-31-04-30", "INV-000002 10000 04-10-04-30", "INV-000003 4900 04-30-05-31")
		clock.set(t, "2026-07-30 23:59:59")
		check("INV-000001 4900 03-31-04-30", "INV-000002 10000 04-10-04-30", "INV-000003 4900 04-30-05-31", "INV-000004 4900 05-31-06-30", "INV-000005 4900 06-30-07-31")
		// A change of plan first invoices the periods that have begun.
		clock.set(t, "2026-07-31 00:00:00")
		ada.plan("enterprise").expect(200)
		all := ada.invoices()
		if diff := cmp.Diff([]string{"INV-000006 4900 07-31-08-31", "INV-000007 65000 07-31-08-31"}, all[5:]); diff != "" {
			t.Errorf("invoices from the sixth (-want +got):\n%s", diff)
		}
		// A paid period stays paid, also after a change to free and back.
		ada.plan("free").expect(200)
		clock.set(t, "2026-08-15 12:00:00")
		if r := ada.plan("starter").expect(200); r.text("current_period_start") != "2026-07-31T00:00:00.000000Z" || r.text("current_period_end") != "2026-08-31T00:00:00.000000Z" {
			t.Errorf("subscription: got %s, want the paid period to resume: 2026-07-31 to 2026-08-31", r.body)
		}
		ada.plan("pro").expect(200)
		ada.plan("enterprise").expect(200)
		if again := ada.invoices(); len(again) != len(all) {
			t.Errorf("invoices of the paid period: got %v in addition, want none", again[len(all):])
		}
		// A subscription after the paid period begins a new one.
		ada.plan("free").expect(200)
		clock.set(t, "2026-09-15 12:00:00")
		if r := ada.plan("starter").expect(200); r.text("current_period_start") != "2026-09-15T12:00:00.000000Z" || r.text("current_period_end") != "2026-10-15T12:00:00.000000Z" {
			t.Errorf("subscription: got %s, want a new period: 2026-09-15 to 2026-10-15", r.body)
		}
		if all := ada.invoices(); all[len(all)-1] != "INV-000008 4900 09-15-10-15" {
			t.Errorf("invoices: got %v, want INV-000008 4900 09-15-10-15 last", all)
		}
	})
}

// For random changes of plan, the sum of the invoices equals that of a model. In
// the model, each day of a period costs the price of the highest plan so far.
func TestNoDoubleInvoices(t *testing.T) {
	t.Parallel()
	prices := map[string]int64{"free": 0, "starter": 4900, "pro": 19900, "enterprise": 69900}
	rapid.Check(t, func(rt *rapid.T) {
		var clock calendar
		now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
		clock.at.Store(now.UnixMicro())
		service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DefaultPlan: promptrails.PlanFree, Now: clock.now}))
		defer func() { _ = service.Close() }()
		c := ownerClient(t, service)
		// The model: paid is the amount paid for month n after the anchor.
		var paid, total int64
		anchor, n := now, -1
		until := func() time.Time { return monthsAfter(anchor, n+1) }
		plan := "free"
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20*24*60).Draw(rt, "minutes")) * time.Minute)
			clock.at.Store(now.UnixMicro())
			for prices[plan] > 0 && !now.Before(until()) { // months that have begun in the meantime
				n++
				paid = prices[plan]
				total += paid
			}
			plan = rapid.SampledFrom([]string{"free", "starter", "pro", "enterprise"}).Draw(rt, "plan")
			switch price := prices[plan]; {
			case price == 0:
			case !now.Before(until()):
				anchor, n = now, 0
				paid = price
				total += price
			case price > paid:
				total += (price - paid) * until().Sub(now).Microseconds() / until().Sub(monthsAfter(anchor, n)).Microseconds()
				paid = price
			}
			if _, err := c.Billing.ChangePlan(t.Context(), promptrails.PlanID(plan)); err != nil {
				rt.Fatal(err)
			}
		}
		var invoiced int64
		for i, err := range c.Billing.AllInvoices(t.Context(), nil) {
			if err != nil {
				rt.Fatal(err)
			}
			invoiced += i.Total.Amount
		}
		if invoiced != total {
			rt.Fatalf("sum of the invoices: got %d cents, want %d", invoiced, total)
		}
	})
}

// monthsAfter returns the same day n months later, or the last day of a shorter
// month.
func monthsAfter(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// A change of plan fails if usage exceeds the new plan's limits. The error lists
// each of them.
func TestOverLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro})
	ada := s.owner("ada@example.com", "research")
	ada.member("grace@example.com", "user")
	for range 4 {
		ada.do("POST", "/agents", `{"name":"a"}`).expect(201)
	}
	for range 2 {
		ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	}
	r := ada.plan("free").refused(409, "over_limit")
	for _, limit := range []string{`"limit":"team_members","max":1,"used":2`, `"limit":"active_agents","max":3,"used":4`, `"limit":"data_sources","max":1,"used":2`} {
		if !strings.Contains(r.body, limit) {
			t.Errorf("change to free: got %s, want %s", r.body, limit)
		}
	}
	before := ada.do("GET", "/billing/subscription", "").expect(200)
	ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`, "If-Match", `"7"`).fails(412, "precondition_failed")
	after := ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`, "If-Match", before.header.Get("ETag")).expect(200)
	if after.text("plan") != "starter" || after.header.Get("ETag") != `"2"` {
		t.Errorf("subscription: got %s with the ETag %s, want the plan starter with the ETag \"2\"", after.body, after.header.Get("ETag"))
	}
	if log := ada.do("GET", "/changelog?resource_type=subscription", "").body; strings.Count(log, `"action":"updated"`) != 1 || !strings.Contains(log, `"changes":{"plan":{"from":"pro","to":"starter"}}`) {
		t.Errorf("changelog of the subscription: got %s, want one update from pro to starter", log)
	}
	// Executions of the current period do not prevent a downgrade.
	eve := s.owner("eve@example.com", "busy")
	agent := eve.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	if n := eve.succeed(501, "POST", "/agents/"+agent+"/execute", `{}`); n != 501 {
		t.Fatalf("executions: got %d, want 501", n)
	}
	eve.plan("free").expect(200)
	// Of billing, the role user can read only the usage.
	grace := ada.member("joan@example.com", "user")
	grace.do("GET", "/billing/usage", "").expect(200)
	for _, path := range []string{"/billing/subscription", "/billing/invoices", "/billing/balance", "/billing/balance/transactions"} {
		grace.do("GET", path, "").fails(403, "insufficient_role")
	}
}

// The balance is exact and may become negative. A negative balance rejects no
// request.
func TestBalance(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	ada.do("POST", "/agents/"+agent+"/execute", `{"input":"x"}`).expect(201)
	if r := ada.do("GET", "/billing/balance", "").expect(200); !strings.Contains(r.body, `"available":{"amount":-1,"currency":"USD"}`) { // rounded down
		t.Errorf("balance after an execution: got %s, want -1 USD cents", r.body)
	}
	for _, tt := range []struct{ name, field, body string }{
		{"too small", "amount.amount", `{"amount":{"amount":99,"currency":"USD"}}`},
		{"too large", "amount.amount", `{"amount":{"amount":1000001,"currency":"USD"}}`},
		{"other currency", "amount.currency", `{"amount":{"amount":100,"currency":"EUR"}}`},
		{"fraction", "amount.amount", `{"amount":{"amount":100.5,"currency":"USD"}}`},
		{"no amount", "amount.amount", `{}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if fields := ada.with(t).do("POST", "/billing/balance/top-ups", tt.body).fails(400, "validation_error"); fields[tt.field] == "" {
				t.Errorf("%s: got errors of the fields %v, want one of %s", tt.body, fields, tt.field)
			}
		})
	}
	const topUp = `{"amount":{"amount":1000000,"currency":"USD"}}`
	for range 2 { // the second is a replay
		ada.do("POST", "/billing/balance/top-ups", topUp, idempotencyKey, "k").expect(201)
	}
	if ids, _ := ada.do("GET", "/billing/balance/transactions", "").listed(); len(ids) != 2 {
		t.Errorf("transactions: got %d, want 2", len(ids))
	}
	ada.do("GET", "/billing/balance/transactions?page=1", "").fails(400, "validation_error")
	if log := ada.do("GET", "/changelog?resource_type=balance", "").body; strings.Count(log, `"available_micros"`) != 1 {
		t.Errorf("changelog of the balance: got %s, want one change of available_micros", log)
	}
}

// Reaching 80 and 100 percent of a limit is recorded once per period.
func TestUsageCrossings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	var clock calendar
	clock.set(t, "2026-01-10 00:00:00")
	s := newServer(t, embedded.Config{DSN: file, Now: clock.now, DefaultPlan: promptrails.PlanStarter})
	ada := s.owner("ada@example.com", "research")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	crossed := func() (got []string) {
		rows, err := db.QueryContext(t.Context(), "SELECT limit_key || ' ' || percent || ' ' || strftime('%m-%d', crossed_at / 1000000, 'unixepoch') FROM usage_crossings ORDER BY crossed_at, percent")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return got
	}
	agents := func(n int) (last string) {
		for range n {
			last = ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
		}
		return last
	}
	agents(11)
	if got := crossed(); got != nil {
		t.Errorf("crossings at 11 of 15: got %v, want none", got)
	}
	agents(1)
	clock.set(t, "2026-01-11 00:00:00")
	last := agents(3)
	ada.do("DELETE", "/agents/"+last, "").expect(204)
	last = agents(1)
	if diff := cmp.Diff([]string{"active_agents 80 01-10", "active_agents 100 01-11"}, crossed()); diff != "" {
		t.Errorf("crossings (-want +got):\n%s", diff)
	}
	clock.set(t, "2026-02-10 00:00:00")
	ada.do("DELETE", "/agents/"+last, "").expect(204)
	agents(1)
	if diff := cmp.Diff([]string{"active_agents 80 01-10", "active_agents 100 01-11", "active_agents 100 02-10"}, crossed()); diff != "" {
		t.Errorf("crossings (-want +got):\n%s", diff)
	}
}
