package embedded_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// An execution of an agent with an approval policy waits for the decision of
// someone whom the policy allows to decide.
func TestApprovalPolicy(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise})
	ada := s.owner("ada@example.com", "research")
	grace, joan := ada.member("grace@example.com", "user"), ada.member("joan@example.com", "user")
	joanID := joan.do("GET", "/members/me", "").text("id")
	waiting := func(policy string) string {
		t.Helper()
		agent := ada.do("POST", "/agents", `{"name":"a","approval_policy":`+policy+`}`).expect(201).text("id")
		r := grace.do("POST", "/agents/"+agent+"/execute", `{"input":"go"}`).expect(201)
		if r.text("status") != "waiting_approval" || !strings.Contains(r.body, `"output":null`) || !strings.Contains(r.body, `"trace_id":null`) {
			t.Errorf("execution: got %s, want it waiting_approval, without output and trace_id", r.body)
		}
		return r.text("id")
	}
	approve := func(id string) string { return "/executions/" + id + "/approve" }

	t.Run("default", func(t *testing.T) {
		id := waiting(`{}`)
		grace.do("POST", approve(id), `{}`).fails(403, "insufficient_role")
		grace.do("POST", "/executions/"+id+"/deny", `{}`).fails(403, "insufficient_role")
		if r := ada.do("POST", approve(id), "").expect(200); r.text("status") != "completed" || r.text("decided_by") != ada.user.ID || r.text("trace_id") == "" {
			t.Errorf("approved execution: got %s, want it completed, decided by %s, with a trace", r.body, ada.user.ID)
		}
	})
	t.Run("assigned", func(*testing.T) {
		id := waiting(`{"mode":"assigned","member_ids":["` + joanID + `"]}`)
		ada.do("POST", approve(id), `{}`).fails(403, "forbidden")
		ada.key(all).do("POST", approve(id), `{}`).fails(403, "forbidden")
		joan.do("POST", approve(id), `{}`, "If-Match", `"7"`).fails(412, "precondition_failed")
		joan.do("POST", approve(id), `{}`, "If-Match", `"1"`).expect(200)
	})
	t.Run("any member", func(*testing.T) {
		joan.do("POST", approve(waiting(`{"mode":"any_member"}`)), `{"reason":"fine"}`).expect(200)
	})
	t.Run("cancel", func(t *testing.T) {
		id := waiting(`{}`)
		joan.do("POST", "/executions/"+id+"/cancel", `{}`).fails(403, "insufficient_role")
		if r := grace.do("POST", "/executions/"+id+"/cancel", `{}`).expect(200); r.text("status") != "cancelled" {
			t.Errorf("execution that its creator cancelled: got %s, want the status cancelled", r.body)
		}
	})
	t.Run("version", func(t *testing.T) {
		agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
		ada.do("POST", "/agents/"+agent+"/versions", `{"version":"1.0.0","set_current":true,"approval_policy":{"mode":"any_member"}}`).expect(201)
		if r := ada.do("POST", "/agents/"+agent+"/execute", `{}`).expect(201); r.text("status") != "waiting_approval" {
			t.Errorf("execution: got %s, want it waiting_approval", r.body)
		}
	})
	t.Run("validation", func(*testing.T) {
		for _, policy := range []string{`"admins"`, `{"mode":"nobody"}`, `{"mode":"assigned"}`, `{"modes":"admins"}`, `[]`} {
			ada.do("POST", "/agents", `{"name":"a","approval_policy":`+policy+`}`).fails(400, "validation_error")
		}
		ada.do("POST", "/agents", `{"name":"a","approval_policy":{"mode":"assigned","member_ids":["nothing"]}}`).fails(404, "not_found")
	})
	t.Run("a user cannot remove it", func(t *testing.T) {
		agent := grace.do("POST", "/agents", `{"name":"a","approval_policy":{}}`).expect(201).text("id")
		grace.do("PATCH", "/agents/"+agent, `{"approval_policy":null}`).fails(403, "insufficient_role")
		grace.do("POST", "/agents/"+agent+"/versions", `{"approval_policy":{"mode":"any_member"},"set_current":true}`).fails(403, "insufficient_role")
		approval := grace.do("POST", "/agents/"+agent+"/execute", `{}`).expect(201)
		// Grace can edit the approval, which she created, but not decide it.
		grace.do("PATCH", "/approvals/"+approval.text("approval_id"), `{"status":"approved"}`).expect(200)
		grace.do("POST", "/approvals/"+approval.text("approval_id")+"/decide", `{"decision":"approved"}`).fails(403, "insufficient_role")
		if r := grace.do("GET", "/executions/"+approval.text("id"), ""); r.text("status") != "waiting_approval" {
			t.Errorf("execution: got %s, want it waiting_approval", r.body)
		}
		grace.do("DELETE", "/approvals/"+approval.text("approval_id"), "").expect(204)
		before := ada.sequence()
		ada.do("POST", "/executions/"+approval.text("id")+"/approve", `{}`).expect(200)
		if got := ada.sequence() - before; got != 1 {
			t.Errorf("changelog entries of a decision after the approval was deleted: got %d, want 1", got)
		}
	})
	t.Run("another approval of the execution", func(t *testing.T) {
		id := waiting(`{}`)
		own := ada.do("POST", "/approvals", `{"name":"mine","execution_id":"`+id+`"}`).expect(201).text("id")
		if r := ada.do("POST", "/approvals/"+own+"/decide", `{"decision":"rejected"}`).expect(200); r.text("status") != "rejected" {
			t.Errorf("approval: got %s, want it rejected", r.body)
		}
		ada.do("POST", "/approvals/"+own+"/decide", `{"decision":"approved"}`).fails(409, "invalid_state")
		if r := ada.do("GET", "/executions/"+id, ""); r.text("status") != "waiting_approval" {
			t.Errorf("execution: got %s, want it waiting_approval for its own approval", r.body)
		}
	})
	t.Run("notification", func(t *testing.T) {
		hook := newReceiver(t, nil)
		other := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise, AllowLoopbackWebhooks: true}).owner("eve@example.com", "other")
		channel, _ := other.channel(hook.url, `"events":["execution.awaiting_approval"]`)
		other.waiting()
		other.deliveries(channel, ended(1))
	})
}

// An approval policy requires a plan with approvals.
func TestApprovalPolicyRequiresPlan(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanStarter}).owner("ada@example.com", "research")
	ada.do("POST", "/agents", `{"name":"a","approval_policy":{}}`).fails(403, "feature_not_in_plan")
	ada.do("POST", "/agents", `{"name":"a","approval_policy":null}`).expect(201)
}

// Of concurrent decisions on one execution, exactly one succeeds.
func TestRacingDecisions(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		cfg.DefaultPlan = promptrails.PlanEnterprise
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		waiting := ada.waiting()
		before := ada.sequence()
		var made atomic.Int64
		var callers sync.WaitGroup
		for i := range 12 {
			verb := []string{"approve", "deny", "cancel"}[i%3]
			callers.Go(func() {
				switch r := ada.do("POST", "/executions/"+waiting.text("id")+"/"+verb, `{}`); r.status {
				case 200:
					made.Add(1)
				case 409:
				default:
					t.Errorf("POST %s: got %d %s, want 200 or 409", verb, r.status, r.body)
				}
			})
		}
		callers.Wait()
		_, traces := ada.do("GET", "/traces", "").listed()
		ran := ada.do("GET", "/executions/"+waiting.text("id"), "").text("status") == "completed"
		if made.Load() != 1 || ada.sequence() != before+1 || ran != (traces == 1) {
			t.Errorf("got %d decisions, %d changelog entries and %d traces (completed: %t), want one decision, one entry, and a trace only if completed", made.Load(), ada.sequence()-before, traces, ran)
		}
	})
}

// An execution counts towards the limit when it is requested, and is charged
// when it runs.
func TestWaitingExecutionUsage(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}).owner("ada@example.com", "research")
	balance := func() int64 { return ada.do("GET", "/billing/balance", "").expect(200).integer("available_micros") }
	id := ada.waiting().text("id")
	if got := balance(); got != 0 {
		t.Errorf("balance of a waiting execution: got %d, want 0", got)
	}
	ada.do("POST", "/executions/"+id+"/approve", `{}`).expect(200)
	if got := balance(); got >= 0 {
		t.Errorf("balance after the execution: got %d, want less than 0", got)
	}
	var usage promptrails.Usage
	var body struct{ Data *promptrails.Usage }
	body.Data = &usage
	ada.do("GET", "/billing/usage", "").expect(200).decode(&body)
	for _, limit := range usage.Limits {
		if limit.Key == promptrails.LimitMonthlyExecutions && limit.Used != 1 {
			t.Errorf("monthly executions: got %d used, want 1", limit.Used)
		}
	}
}
