package service

import (
	"errors"
	"net/http"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// maxSpans is the maximum number of spans returned for a trace. An execution has
// one span.
const maxSpans = 100

// Trace returns the span with an id, or the spans of the trace with that trace_id
// if no span has the id.
func (x *Session) Trace(id string) (any, error) {
	span, err := x.Resource(Collection{Kind: kindByName(traces)}, id)
	if err == nil || AsRefusal(err).Status != http.StatusNotFound {
		return span, err
	}
	spans, listErr := x.tx.TraceSpans(id, maxSpans)
	if listErr != nil || len(spans) == 0 {
		return nil, errors.Join(listErr, err)
	}
	return servedAll(spans), nil
}

// TraceSummary holds totals over the traces of a workspace.
type TraceSummary struct {
	Traces         int     `json:"total_traces"`
	Tokens         int     `json:"total_tokens"`
	Cost           float64 `json:"total_cost"` // dollars
	AverageMillis  float64 `json:"avg_duration_ms"`
	Errors         int     `json:"error_count"` // always 0: simulated executions do not fail
	UniqueModels   int     `json:"unique_models"`
	UniqueSessions int     `json:"unique_sessions"`
}

// SummarizeTraces returns the totals over the traces of the workspace.
func (x *Session) SummarizeTraces() (*TraceSummary, error) {
	t, err := x.tx.TraceTotals()
	if err != nil {
		return nil, err
	}
	return &TraceSummary{
		Traces: t.Traces, Tokens: t.Tokens, Cost: float64(t.CostMicros) / 1e6, AverageMillis: float64(t.DurationMillis) / float64(max(1, t.Traces)),
		UniqueModels: min(1, t.Traces), UniqueSessions: t.Sessions,
	}, nil
}

// MaskedReport returns the number of masked values in the traces.
func (x *Session) MaskedReport(p *MaskedReportQuery) (*promptrails.MaskingReport, error) {
	counts, n, err := x.tx.Masked(&store.MaskedFilter{Since: p.Since, Until: p.Until, AgentID: p.AgentID})
	if err != nil {
		return nil, err
	}
	report := &promptrails.MaskingReport{Traces: n, Detectors: counts}
	for _, n := range counts {
		report.Total += n
	}
	return report, nil
}
