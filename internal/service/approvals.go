package service

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// approvalPolicy determines who can decide on the executions of an agent.
type approvalPolicy struct {
	Mode      string   `json:"mode"`
	MemberIDs []string `json:"member_ids"`
}

// The modes of an approval policy.
const (
	decideAdmins   = "admins" // the default
	decideAssigned = "assigned"
	decideAnyone   = "any_member"
)

func approvalPolicyFault(v jsontext.Value) string {
	if v == nil || v.Kind() == 'n' {
		return ""
	}
	p, err := parsePolicy(v)
	switch {
	case err != nil:
		return "must be an object with mode and member_ids"
	case !slices.Contains([]string{decideAdmins, decideAssigned, decideAnyone}, p.Mode):
		return "must have the mode admins, assigned or any_member"
	case p.Mode == decideAssigned && len(p.MemberIDs) == 0:
		return "must have member_ids if the mode is assigned"
	case len(p.MemberIDs) > maxListSize:
		return "must have at most 100 member_ids"
	default:
		return ""
	}
}

func parsePolicy(v jsontext.Value) (p approvalPolicy, err error) {
	err = json.Unmarshal(v, &p, json.RejectUnknownMembers(true))
	if p.Mode == "" {
		p.Mode = decideAdmins
	}
	return p, err
}

// mayRequireApproval checks whether the caller may set the approval policy in a
// document. The plan must include approvals, and the policy's members must be in
// the workspace. Only an admin may change the policy of an existing agent, even if
// the caller created the agent.
func (x *Session) mayRequireApproval(k Kind, isNew bool, d Document) error {
	v := d.get("approval_policy")
	if k.Name != agents && k.Name != versionsOf(agents) || v == nil {
		return nil
	}
	if (!isNew || k.Name != agents) && !policy.AtLeast(string(x.role()), policy.Admin) {
		return insufficientRole(promptrails.RoleAdmin, x.role())
	}
	if v.Kind() == 'n' {
		return nil
	}
	if err := x.needFeature(promptrails.FeatureApprovals); err != nil {
		return err
	}
	p, err := parsePolicy(v)
	if err != nil {
		return err
	}
	for _, id := range p.MemberIDs {
		if _, err := x.tx.Member(id); err != nil {
			return orNotFound(err, "member")
		}
	}
	return nil
}

// waitForApproval stores an execution that waits for approval. It also creates an
// approval, which older clients use to decide.
func (x *Session) waitForApproval(r *store.Resource, execution Document, required jsontext.Value) (*Resource, error) {
	k := kindByName(approvals)
	approval := &store.Resource{ID: x.newID(), Kind: approvals, CreatedBy: r.CreatedBy, CreatedAt: x.now}
	waiting, err := k.content(Document{
		{"name", execution.get("agent_name")},
		{"status", value("pending")},
		{"execution_id", value(r.ID)},
		{"agent_id", execution.get("agent_id")},
		{"checkpoint_name", value("execute")},
		{"payload", execution.get("input")},
		{"reason", null},
		{"decided_by", null},
		{"decided_at", null},
	}, nil)
	if err != nil {
		return nil, err
	}
	execution = append(
		execution,
		Field{"approval_id", value(approval.ID)}, Field{"approval_policy", required}, Field{"approval_expires_at", null},
		Field{"output", null}, Field{"error", null}, Field{"trace_id", null},
	)
	x.put(r, kindByName(executions).unlogged(append(execution, usage{}.document()...)))
	if err := x.tx.CreateResource(r); err != nil {
		return nil, err
	}
	x.put(approval, waiting)
	if err := x.tx.CreateResource(approval); err != nil {
		return nil, err
	}
	if err := x.append(x.tx, promptrails.ActionCreated, resourceRef(k, approval), waiting.changes); err != nil {
		return nil, err
	}
	return served(r), x.notify(x.tx, promptrails.EventExecutionAwaitingApproval, &promptrails.ExecutionEvent{
		ApprovalID: approval.ID, ExecutionID: r.ID, AgentID: execution.text("agent_id"),
	})
}

// ApprovalInbox returns a page of the executions that wait for an approval.
func (x *Session) ApprovalInbox(p *ListInboxQuery) (*Page[*Resource], error) {
	return x.Resources(Collection{Kind: kindByName(executions)}, &ListResourcesQuery{
		ListOptions: p.ListOptions, Status: statusWaiting, Filter: map[string]string{"agent_id": p.AgentID},
	})
}

// maxReason is the maximum number of characters of a reason.
const maxReason = 1000

// Approve runs an execution that waits for approval.
func (x *Session) Approve(id string, p *DecisionBody) (*Resource, error) {
	return x.decide(id, "approved", p.Reason)
}

// Deny cancels an execution that waits for approval.
func (x *Session) Deny(id string, p *DecisionBody) (*Resource, error) {
	return x.decide(id, "rejected", p.Reason)
}

// Cancel cancels an execution that waits for approval. The caller must have
// started it or be an admin.
func (x *Session) Cancel(id string, p *DecisionBody) (*Resource, error) {
	return x.decide(id, statusCancelled, p.Reason)
}

// decide applies a decision to an execution that waits for approval, and to its
// approval.
func (x *Session) decide(id, decision, reason string) (*Resource, error) {
	if fault := textFault(reason, 0, maxReason); fault != "" {
		return nil, invalid("reason", fault)
	}
	r, err := x.resource(Collection{Kind: kindByName(executions)}, id)
	if err != nil {
		return nil, err
	}
	execution, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return nil, err
	}
	if decision == statusCancelled {
		err = x.mayTouch(r.CreatedBy)
	} else {
		err = x.mayDecide(execution.get("approval_policy"))
	}
	if err != nil {
		return nil, err
	}
	if r.Status != statusWaiting {
		return nil, conflict(promptrails.CodeInvalidState, "the execution is %s: it does not wait for an approval", r.Status).With(map[string]any{"status": r.Status})
	}
	if err := x.match(r.Version); err != nil {
		return nil, err
	}
	verdict := Document{{"reason", orNull(reason)}, {"decided_by", value(x.userID())}, {"decided_at", value(x.now)}}
	execution = execution.without(kindByName(executions).common()...).merge(append(Document{{"decision", value(decision)}}, verdict...))
	if err := x.settleApproval(execution.text("approval_id"), append(Document{{"status", value(decision)}}, verdict...)); err != nil {
		return nil, err
	}
	if decision != "approved" {
		x.put(r, kindByName(executions).unlogged(execution.merge(Document{{"status", value(statusCancelled)}, {"error", value("The execution was " + decision + ".")}, {"completed_at", value(x.now)}})))
		return served(r), x.tx.UpdateResource(r)
	}
	return x.resume(r, execution)
}

// resume runs an execution that was approved.
func (x *Session) resume(r *store.Resource, execution Document) (*Resource, error) {
	agentID := execution.text("agent_id")
	if _, err := x.agent(agentID); err != nil {
		return nil, err
	}
	e, err := x.exchange(&Run{agentID: agentID, body: &ExecuteBody{Input: execution.get("input")}})
	if err != nil {
		return nil, err
	}
	x.put(r, kindByName(executions).unlogged(x.completed(execution, e)))
	if err := x.tx.UpdateResource(r); err != nil {
		return nil, err
	}
	return served(r), x.trace(r, e)
}

// mayDecide returns an error if the approval policy of an execution does not allow
// the caller to decide. Without a policy, only admins can.
func (x *Session) mayDecide(required jsontext.Value) error {
	p, err := parsePolicy(required)
	if required == nil || err != nil {
		p.Mode = decideAdmins
	}
	switch {
	case p.Mode == decideAnyone:
		return nil
	case p.Mode == decideAssigned && (x.member == nil || !slices.Contains(p.MemberIDs, x.member.ID)):
		return forbidden("only the members assigned by the approval policy can decide on this execution")
	case p.Mode == decideAdmins && !policy.AtLeast(string(x.role()), policy.Admin):
		return insufficientRole(promptrails.RoleAdmin, x.role())
	default:
		return nil
	}
}

// settleApproval stores a decision in the approval and in the changelog. If the
// approval was deleted, it is only stored in the changelog.
func (x *Session) settleApproval(id string, verdict Document) error {
	r, err := x.tx.Resource(approvals, "", id)
	if errors.Is(err, store.ErrNotFound) {
		return x.record(x.tx, promptrails.ActionUpdated, resourceRef(kindByName(approvals), &store.Resource{ID: id}), map[string]any{"status": "pending"}, verdict.changes())
	}
	if err != nil {
		return err
	}
	return x.setMembers(r, verdict)
}

// ApprovalDecision is the body of a decision by an older client.
type ApprovalDecision struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason"`
}

// DecideApproval decides on an approval and on the execution that waits for it.
func (x *Session) DecideApproval(id string, p *ApprovalDecision) (*Resource, error) {
	bad := faults{}
	if p.Decision != "approved" && p.Decision != "rejected" {
		bad.add("decision", "must be approved or rejected")
	}
	bad.add("reason", textFault(p.Reason, 0, maxReason))
	if err := bad.err(); err != nil {
		return nil, err
	}
	k := kindByName(approvals)
	r, err := x.resource(Collection{Kind: k}, id)
	if err != nil {
		return nil, err
	}
	document, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return nil, err
	}
	execution, err := x.waitingFor(r.ID, document.text("execution_id"))
	if err != nil {
		return nil, err
	}
	if execution != "" {
		if _, err := x.decide(execution, p.Decision, p.Reason); err != nil {
			return nil, err
		}
		return x.Resource(Collection{Kind: k}, id)
	}
	if err := x.mayDecide(nil); err != nil {
		return nil, err
	}
	if document.get("decided_at").Kind() == '"' {
		return nil, conflict(promptrails.CodeInvalidState, "the approval is already %s", r.Status).With(map[string]any{"status": r.Status})
	}
	if err := x.match(r.Version); err != nil {
		return nil, err
	}
	err = x.setMembers(r, Document{
		{"status", value(p.Decision)}, {"reason", orNull(p.Reason)}, {"decided_by", value(x.userID())}, {"decided_at", value(x.now)},
	})
	return served(r), err
}

// waitingFor returns executionID if that execution waits for the approval, and ""
// otherwise.
func (x *Session) waitingFor(approvalID, executionID string) (string, error) {
	r, err := x.tx.Resource(executions, "", executionID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	document, err := parseDocument(jsontext.Value(r.Document))
	if err != nil || r.Status != statusWaiting || document.text("approval_id") != approvalID {
		return "", err
	}
	return executionID, nil
}
