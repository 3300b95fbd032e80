package service

import (
	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// maxSessionID is the most characters of a session's name.
const maxSessionID = 200

// ExecuteBody is the body of an execution.
type ExecuteBody struct {
	Input     jsontext.Value `json:"input"`
	SessionID string         `json:"session_id"` // any text of the caller's
	VersionID string         `json:"version_id"`
	Sync      *bool          `json:"sync"` // an execution has always ended when it is answered
	Metadata  jsontext.Value `json:"metadata"`
}

// Execute records an execution of an agent, and its trace, masked as the
// settings say before anything of them is kept or answered. The output is
// simulated, and says so: no model is asked; and so is what it costs.
func (x *Session) Execute(agentID string, p *ExecuteBody) (*Resource, error) {
	bad := faults{}
	for field, v := range map[string]jsontext.Value{"input": p.Input, "metadata": p.Metadata} {
		if holdsNUL(v) {
			bad.add(field, "must not contain NUL")
		}
	}
	bad.add("session_id", textFault(p.SessionID, 0, maxSessionID))
	if err := bad.err(); err != nil {
		return nil, err
	}
	if p.Input == nil {
		p.Input = jsontext.Value("null")
	}
	agent, err := x.agent(agentID)
	if err != nil {
		return nil, err
	}
	if agent.Status == "archived" {
		return nil, conflict(promptrails.CodeInvalidState, "the agent is archived").with(map[string]any{"status": agent.Status})
	}
	if p.VersionID != "" {
		return nil, notFound("agent version") // none can be made here
	}
	if err := x.countExecution(); err != nil {
		return nil, err
	}
	execution := &store.Resource{ID: x.newID(), Kind: executions, CreatedBy: x.userID(), CreatedAt: x.now}
	trace := &store.Resource{ID: x.newID(), Kind: traces, CreatedBy: x.userID(), CreatedAt: x.now}
	input, output, err := x.mask(agentID, p.Input, value(map[string]any{"simulated": true, "text": "This output is simulated: no model was asked."}))
	if err != nil {
		return nil, err
	}
	about := func(other string, id string) Document {
		d := Document{
			{"name", value(agent.Name)},
			{"status", value("completed")},
			{"agent_id", value(agentID)},
			{other, value(id)},
			{"input", input},
			{"output", output},
			{"simulated", value(true)},
		}
		if p.SessionID != "" {
			d = append(d, Member{"session_id", value(p.SessionID)})
		}
		if p.Metadata != nil {
			d = append(d, Member{"metadata", p.Metadata})
		}
		return d
	}
	x.put(execution, encoded(about("trace_id", trace.ID)))
	x.put(trace, encoded(about("execution_id", execution.ID)))
	for _, r := range []*store.Resource{execution, trace} {
		if err := x.tx.CreateResource(r); err != nil {
			return nil, err
		}
	}
	return answered(execution), x.charge(execution.ID, p.Input)
}

// countExecution takes one execution of the period that runs now; a new period
// counts from 0.
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

// A simulated execution costs so much, in millionths of a dollar.
const (
	executionCost = 1000
	inputCost     = 2 // a byte of input
)

// charge takes the cost of an execution from the balance, which may go below
// zero and refuses nothing.
func (x *Session) charge(executionID string, input jsontext.Value) error {
	return x.tx.CreateTransaction(&promptrails.Transaction{
		ID: x.newID(), Type: promptrails.TransactionUsage, AmountMicros: -(executionCost + inputCost*int64(len(input))),
		Description: "Simulated execution", ExecutionID: executionID, CreatedAt: x.now,
	})
}
