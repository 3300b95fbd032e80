package store

import (
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The counters of the totals over all traces of a workspace.
const (
	traceTokens     = "traces/tokens"
	traceCost       = "traces/cost_micros"
	traceDuration   = "traces/duration_ms"
	traceSessions   = "traces/sessions"
	tracesOfAnyKind = "traces"
)

// TraceTotals holds totals over traces.
type TraceTotals struct{ Traces, Tokens, CostMicros, DurationMillis, Sessions int }

// TraceTotals returns the totals over all traces of the workspace.
func (t *Tx) TraceTotals() (totals TraceTotals, err error) {
	for kind, into := range map[string]*int{
		tracesOfAnyKind: &totals.Traces, traceTokens: &totals.Tokens, traceCost: &totals.CostMicros, traceDuration: &totals.DurationMillis, traceSessions: &totals.Sessions,
	} {
		if *into, err = t.counted(kind); err != nil {
			return totals, err
		}
	}
	return totals, nil
}

// AddTrace adds a trace and its share of the totals, and stores the number of
// masked values for each detector. It computes adds.Sessions itself.
func (t *Tx) AddTrace(r *Resource, adds TraceTotals, masked map[promptrails.Detector]int) error {
	if session := r.Members["session_id"]; session != "" {
		var before int
		err := t.row("SELECT count(*) FROM (SELECT 1 "+resourceRows+" AND r.kind = $2 AND r.member_session_id = $3 LIMIT 1) x", []any{r.Kind, session}, &before)
		if err != nil {
			return err
		}
		adds.Sessions = 1 - before
	}
	err := t.createResource(r, map[string]int{
		tracesOfAnyKind: 1, traceTokens: adds.Tokens, traceCost: adds.CostMicros, traceDuration: adds.DurationMillis, traceSessions: adds.Sessions,
	})
	if err != nil {
		return err
	}
	for detector, n := range masked {
		_, err := t.exec("INSERT INTO masked_values (workspace_id, trace_id, detector, agent_id, created_at, n) VALUES ($1, $2, $3, $4, $5, $6)",
			r.ID, string(detector), r.Members["agent_id"], micros(r.CreatedAt), n)
		if err != nil {
			return err
		}
	}
	return nil
}

// TraceSpans returns the spans of a trace in order, at most limit.
func (t *Tx) TraceSpans(traceID string, limit int) (spans []*Resource, err error) {
	err = t.rows("SELECT "+resourceColumns+" "+resourceRows+" AND r.kind = $2 AND r.member_trace_id = $3 ORDER BY r.created_at, r.id LIMIT $4", []any{tracesOfAnyKind, traceID, limit}, func(rows scanner) error {
		r := new(Resource)
		spans = append(spans, r)
		return rows.Scan(resourceFields(r)...)
	})
	return spans, err
}

// MaskedFilter narrows a sum of masked values; a zero field is ignored.
type MaskedFilter struct {
	Since, Until time.Time // Until is exclusive
	AgentID      string
}

// Masked returns the number of masked values for each detector, and the number of
// traces with masked values.
func (t *Tx) Masked(by *MaskedFilter) (counts map[promptrails.Detector]int, traces int, err error) {
	f := filter{base: 1}
	f.andText("agent_id = ?", by.AgentID)
	if !by.Since.IsZero() {
		f.and("created_at >= ?", micros(by.Since))
	}
	if !by.Until.IsZero() {
		f.and("created_at < ?", micros(by.Until))
	}
	rows := "FROM masked_values WHERE workspace_id = $1" + scoped(f.sql.String())
	t = t.interruptible()
	if err := t.row("SELECT count(DISTINCT trace_id) "+rows, f.args, &traces); err != nil {
		return nil, 0, err
	}
	counts = map[promptrails.Detector]int{}
	err = t.rows("SELECT detector, CAST(sum(n) AS BIGINT) "+rows+" GROUP BY detector", f.args, func(r scanner) error {
		var detector promptrails.Detector
		var n int
		err := r.Scan(&detector, &n)
		counts[detector] = n
		return err
	})
	return counts, traces, err
}
