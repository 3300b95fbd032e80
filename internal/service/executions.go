package service

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/masking"
)

// The states of an execution.
const (
	statusCompleted = "completed"
	statusWaiting   = "waiting_approval"
	statusCancelled = "cancelled"
)

// maxSessionID is the maximum number of characters of a session's name.
const maxSessionID = 200

// Run is a requested execution. The work that grows with the size of its input is
// done on a snapshot, before the transaction that stores it.
type Run struct {
	agentID string
	body    *ExecuteBody
	ready   *exchange
}

// NewRun returns the execution of an agent.
func NewRun(agentID string, p *ExecuteBody) (*Run, error) {
	bad := faults{}
	for field, v := range map[string]jsontext.Value{"input": p.Input, "metadata": p.Metadata} {
		if holdsNUL(v) {
			bad.add(field, "must not contain NUL")
		}
	}
	bad.add("session_id", textFault(p.SessionID, 0, maxSessionID))
	if p.Input == nil {
		p.Input = jsontext.Value("null")
	}
	return &Run{agentID: agentID, body: p}, bad.err()
}

// PrepareRun calls the simulated model with the masking settings of a snapshot.
// The transaction that stores the execution calls it again if the settings have
// changed. PrepareRun ignores errors, because the transaction returns them.
func (s *Service) PrepareRun(ctx context.Context, r *Request, run *Run) {
	if r.Fault != nil {
		return
	}
	var settings *promptrails.MaskingSettings
	err := s.Read(ctx, r, func(x *Session) (err error) {
		settings, err = x.maskingOf(run.agentID)
		return err
	})
	if err == nil {
		run.ready, _ = ask(settings, run.body.Input)
	}
}

// exchange is a call of the simulated model: the input and output of the caller,
// and the masked ones of the model.
type exchange struct {
	settings       *promptrails.MaskingSettings
	input, output  jsontext.Value
	sent, received jsontext.Value
	masked         map[promptrails.Detector]int // values masked from the provider
}

// ask masks an input and calls the simulated model, whose response repeats the
// input.
func ask(settings *promptrails.MaskingSettings, input jsontext.Value) (*exchange, error) {
	sent, replaced, err := masking.New(settings).MaskJSON(input)
	if err != nil {
		return nil, err
	}
	return &exchange{
		settings: settings, input: input, output: simulate(input), sent: sent[0], received: simulate(sent[0]), masked: replaced.Counts(),
	}, nil
}

// simulate returns the response of the simulated model.
func simulate(input jsontext.Value) jsontext.Value {
	return value(Document{
		{"simulated", value(true)},
		{"text", value("This output is simulated; no model was called.")},
		{"received", input},
	})
}

// exchange returns the exchange under the current settings.
func (x *Session) exchange(run *Run) (*exchange, error) {
	settings, err := x.maskingOf(run.agentID)
	if err != nil {
		return nil, err
	}
	if e := run.ready; e != nil && e.settings.Enabled == settings.Enabled && maps.Equal(e.settings.Detectors, settings.Detectors) {
		return e, nil
	}
	return ask(settings, run.body.Input)
}

// Execute stores an execution of an agent. The output, cost, tokens and duration
// are simulated, and the execution is marked as simulated. If an approval policy
// applies, the execution waits for approval.
func (x *Session) Execute(run *Run) (*Resource, error) {
	agent, err := x.agent(run.agentID)
	if err != nil {
		return nil, err
	}
	if agent.Status == "archived" {
		return nil, conflict(promptrails.CodeInvalidState, "the agent is archived").With(map[string]any{"status": agent.Status})
	}
	document, err := parseDocument(jsontext.Value(agent.Document))
	if err != nil {
		return nil, err
	}
	versionID, policy := document.text("current_version_id"), document.get("approval_policy")
	if run.body.VersionID != "" {
		versionID = run.body.VersionID
	}
	if versionID != "" {
		version, err := x.tx.Resource(versionsOf(agents), agent.ID, versionID)
		if err != nil {
			return nil, orNotFound(err, "agent version")
		}
		of, err := parseDocument(jsontext.Value(version.Document))
		if err != nil {
			return nil, err
		}
		if own := of.get("approval_policy"); own.Kind() == '{' {
			policy = own
		}
	}
	if err := x.countExecution(); err != nil {
		return nil, err
	}
	r := &store.Resource{ID: x.newID(), Kind: executions, CreatedBy: x.userID(), CreatedAt: x.now}
	execution := Document{
		{"execution_id", value(r.ID)},
		{"name", value(agent.Name)},
		{"status", value(statusWaiting)},
		{"agent_id", value(agent.ID)},
		{"agent_name", value(agent.Name)},
		{"agent_type", value(document.text("type"))},
		{"version_id", orNull(versionID)},
		{"session_id", value(run.body.SessionID)},
		{"parent_execution_id", null},
		{"input", run.body.Input},
		{"simulated", value(true)},
	}
	if run.body.Metadata != nil {
		execution = append(execution, Field{"metadata", run.body.Metadata})
	}
	if policy.Kind() == '{' {
		return x.waitForApproval(r, execution, policy)
	}
	e, err := x.exchange(run)
	if err != nil {
		return nil, err
	}
	x.put(r, kindByName(executions).unlogged(x.completed(execution, e)))
	if err := x.tx.CreateResource(r); err != nil {
		return nil, err
	}
	return served(r), x.trace(r, e)
}

// null is the JSON value null.
var null = jsontext.Value("null")

// orNull encodes a text, or null if it is empty.
func orNull(text string) jsontext.Value {
	if text == "" {
		return null
	}
	return value(text)
}

// completed returns a completed execution with the output and usage of e.
func (x *Session) completed(execution Document, e *exchange) Document {
	usage := usageOf(e)
	outcome := Document{
		{"status", value(statusCompleted)},
		{"trace_id", value(x.newID())},
		{"output", e.output},
		{"error", null},
		{"started_at", value(x.now)},
		{"completed_at", value(x.now)},
	}
	return execution.merge(append(outcome, usage.document()...))
}

// trace stores the trace of a completed execution, with the masked input and
// output, and subtracts the cost from the balance.
func (x *Session) trace(r *store.Resource, e *exchange) error {
	execution, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return err
	}
	usage := usageOf(e)
	t := &store.Resource{ID: x.newID(), Kind: traces, CreatedBy: r.CreatedBy, CreatedAt: x.now}
	span := Document{
		{"trace_id", execution.get("trace_id")},
		{"span_id", value(t.ID)},
		{"parent_id", null},
		{"execution_id", value(r.ID)},
		{"name", execution.get("name")},
		{"kind", value("agent")},
		{"status", value(statusCompleted)},
		{"level", value("info")},
		{"agent_id", execution.get("agent_id")},
		{"agent_name", execution.get("agent_name")},
		{"agent_type", execution.get("agent_type")},
		{"session_id", execution.get("session_id")},
		{"user_id", value(r.CreatedBy)},
		{"model_name", value("simulated")},
		{"prompt_name", value("")},
		{"service_name", value("")},
		{"input", e.sent},
		{"output", e.received},
		{"masked", value(e.masked)},
		{"attributes", value(map[string]any{})},
		{"tags", value([]string{})},
		{"error_message", value("")},
		{"error_type", value("")},
		{"simulated", value(true)},
		{"started_at", value(x.now)},
		{"ended_at", value(x.now)},
	}
	x.put(t, kindByName(traces).unlogged(append(span, usage.document()...)))
	totals := store.TraceTotals{Tokens: usage.prompt + usage.completion, CostMicros: int(usage.costMicros), DurationMillis: usage.millis}
	if err := x.tx.AddTrace(t, totals, e.masked); err != nil {
		return err
	}
	return x.tx.CreateTransaction(&promptrails.Transaction{
		ID: x.newID(), Type: promptrails.TransactionUsage, AmountMicros: -usage.costMicros,
		Description: "Simulated execution", ExecutionID: r.ID, CreatedAt: x.now,
	})
}

// usage is the simulated usage of an execution, computed from the sizes of the
// input and the output.
type usage struct {
	prompt, completion int // tokens
	millis             int
	costMicros         int64 // millionths of a dollar
}

// The rates of a simulated execution.
const (
	executionCost  = 1000 // millionths of a dollar
	inputCost      = 2    // millionths of a dollar per byte of input
	bytesPerToken  = 4
	millisPerToken = 10 // per token of output
)

func usageOf(e *exchange) usage {
	u := usage{prompt: 1 + len(e.input)/bytesPerToken, completion: 1 + len(e.output)/bytesPerToken, costMicros: executionCost + inputCost*int64(len(e.input))}
	u.millis = u.completion * millisPerToken
	return u
}

// document returns the usage as members of executions and traces.
func (u usage) document() Document {
	cost := strings.TrimRight(fmt.Sprintf("%d.%06d", u.costMicros/1e6, u.costMicros%1e6), "0")
	return Document{
		{"duration_ms", value(u.millis)},
		{"prompt_tokens", value(u.prompt)},
		{"completion_tokens", value(u.completion)},
		{"total_tokens", value(u.prompt + u.completion)},
		{"token_usage", value(map[string]int{"prompt_tokens": u.prompt, "completion_tokens": u.completion, "total_tokens": u.prompt + u.completion})},
		{"cost", jsontext.Value(strings.TrimSuffix(cost, "."))}, // dollars
	}
}

// countExecution adds an execution to the usage of the current period. It returns
// an error if the limit of the plan is used up.
func (x *Session) countExecution() error {
	s, err := x.tx.Subscription()
	if err != nil {
		return err
	}
	used := executionsIn(s, x.now)
	if err := x.takePlace(promptrails.LimitMonthlyExecutions, used, "executions a month; change the plan, or wait for the next period"); err != nil {
		return err
	}
	s.ExecutionsPeriod, _ = policy.Period(s.Began, x.now)
	s.ExecutionsUsed = used + 1
	return x.tx.UpdateSubscription(s)
}

// ExecutionTree returns an execution with its child executions. The list of
// children is always empty, because simulated agents do not start executions.
func (x *Session) ExecutionTree(id string) (*Resource, error) {
	r, err := x.resource(Collection{Kind: kindByName(executions)}, id)
	if err != nil {
		return nil, err
	}
	tree := served(r).with(Document{{"children", value([]any{})}})
	tree.secret = false
	return tree, nil
}
