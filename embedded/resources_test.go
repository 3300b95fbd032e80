package embedded_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// A document is stored byte for byte, in addition to the fields that all
// resources have.
func TestResourceDocuments(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		s := newServer(t, cfg)
		ada := s.owner("ada@example.com", "research")
		const fields = `"name":"Ünïcode \ud83d\ude00 \u202e","zeta":[1.0,2e3,12345678901234567890,{"b":1,"a":2}],"config":{"x":null,"y":0.1000000000000000055},"description":"\u00fc \/"`
		made := ada.do("POST", "/agents", "{ "+fields+"}").expect(201)
		id := made.text("id")
		for _, body := range []string{made.body, ada.do("GET", "/agents/"+id, "").expect(200).body, ada.do("GET", "/agents", "").expect(200).body} {
			if !strings.Contains(body, fields) {
				t.Errorf("response: got %s, want the fields %s unchanged", body, fields)
			}
		}
		if made.text("status") != "active" || made.text("workspace_id") != ada.workspace || made.text("created_by") != ada.user.ID {
			t.Errorf("created agent: got %s, want status active, workspace_id %s and created_by %s", made.body, ada.workspace, ada.user.ID)
		}
		changed := ada.do("PATCH", "/agents/"+id, `{"config":{"y":1},"new":true,"status":"archived"}`).expect(200)
		if !strings.Contains(changed.body, `"config":{"y":1},"description":"\u00fc \/","status":"archived","new":true`) || changed.header.Get("ETag") != `"2"` {
			t.Errorf("PATCH: got %s with ETag %s, want the changed fields and ETag %s", changed.body, changed.header.Get("ETag"), `"2"`)
		}
		if again := ada.do("PATCH", "/agents/"+id, `{"new":true}`).expect(200); again.header.Get("ETag") != `"2"` {
			t.Errorf("PATCH without a change: got %s with ETag %s, want ETag %s", again.body, again.header.Get("ETag"), `"2"`)
		}
		ada.do("PATCH", "/agents/"+id, `{"new":false}`, "If-Match", `"1"`).fails(412, "precondition_failed")
		ada.do("DELETE", "/agents/"+id, "", "If-Match", `"1"`).fails(412, "precondition_failed")
		ada.do("DELETE", "/agents/"+id, "").expect(204)
		ada.do("GET", "/agents/"+id, "").fails(404, "not_found")
		log := ada.do("GET", "/changelog?resource_type=agent", "").expect(200).body
		for _, part := range []string{`"12345678901234567890"`, `"0.1000000000000000055"`, `"action":"deleted"`} { // numbers that do not fit a float64
			if !strings.Contains(log, part) {
				t.Errorf("changelog: got %s, want %s in it", log, part)
			}
		}
	})
}

// An invalid document is refused with an error that names the field.
func TestInvalidResources(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise})
	ada := s.owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	for body, field := range map[string]string{
		`{}`: "name", `{"name":""}`: "name", `{"name":"  "}`: "name", `{"name":7}`: "name", `{"name":null}`: "name", `{"name":"a","status":1}`: "status",
		`{"name":"a","id":"x"}`: "id", `{"name":"a","workspace_id":"x"}`: "workspace_id", `{"name":"a","version":1}`: "version",
		`{"name":"a","x":{"y":["a\u0000b"]}}`: "x", `{"name":"a","x":1,"x":2}`: "x", `{"name":"` + strings.Repeat("a", 201) + `"}`: "name",
	} {
		t.Run(fmt.Sprintf("%.60s", body), func(t *testing.T) {
			if r := ada.do("POST", "/agents", body).refused(400, "validation_error"); !strings.Contains(r.body, `"`+field+`":`) {
				t.Errorf("error: got %s, want the field %s", r.body, field)
			}
		})
	}
	for _, body := range []string{`[]`, `"a"`, ``, `{"name":"a"}{}`} {
		ada.do("POST", "/agents", body).fails(400, "bad_request")
	}
	ada.do("PATCH", "/agents/"+agent, `{"name":null}`).fails(400, "validation_error")
	// A document is limited to the maximum size of a body, 1 MiB.
	ada.do("PATCH", "/agents/"+agent, `{"x":"`+strings.Repeat("a", 600<<10)+`"}`).expect(200)
	ada.do("PATCH", "/agents/"+agent, `{"y":"`+strings.Repeat("a", 600<<10)+`"}`).fails(413, "payload_too_large")
	ada.do("PATCH", "/agents/"+agent, `{"created_by":"x"}`).fails(400, "validation_error")
	for _, path := range []string{"/scores", "/chat/sessions", "/agents/" + agent + "/memories", "/agents/" + agent + "/guardrails"} {
		ada.do("POST", path, `{}`).expect(201) // the name is optional
	}
	ada.do("POST", "/agents/"+agent+"/memories", `{"agent_id":"other"}`).fails(400, "validation_error")
	ada.do("POST", "/executions", `{"name":"a"}`).fails(405, "method_not_allowed")
	for _, path := range []string{"/executions", "/traces"} {
		ada.do("DELETE", path+"/"+agent, "").fails(405, "method_not_allowed")
	}
	// The older path of triggers refers to the same collection.
	trigger := ada.do("POST", "/webhook-triggers", `{"name":"hook"}`).expect(201).text("id")
	ada.do("GET", "/triggers/"+trigger, "").expect(200)
	if r := ada.do("GET", "/triggers?status=active&q=HOO", "").expect(200); !strings.Contains(r.body, trigger) {
		t.Errorf("triggers with status=active&q=HOO: got %s, want %s", r.body, trigger)
	}
}

// A reference, at any depth, must be the ID of an object of the right kind in the
// same workspace. Opaque fields, null and empty values are not references.
func TestResourceReferences(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise})
	ada := s.owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	prompt := ada.do("POST", "/prompts", `{"name":"p","agent_id":"`+agent+`"}`).expect(201).text("id")
	credential := ada.credential("sk-value")
	for fields, field := range map[string]string{
		`"agent_id":"nothing"`:                               "agent_id",
		`"agent_id":"` + prompt + `"`:                        "agent_id", // another kind
		`"prompt_ids":["` + prompt + `","nothing"]`:          "prompt_ids",
		`"a":[{"b":{"credential_id":"nothing"}}]`:            "a.b.credential_id",
		`"x":[[{"session_id":"nothing"}]]`:                   "x.session_id",
		`"execution_id":"nothing"`:                           "execution_id",
		`"data_source_id":["nothing"]`:                       "data_source_id",
		`"a":{"metadata":{}, "mcp_tool_id":"` + agent + `"}`: "a.mcp_tool_id",
	} {
		t.Run(field, func(t *testing.T) {
			if r := ada.do("POST", "/apps", `{"name":"app",`+fields+`}`).refused(404, "not_found"); !strings.Contains(r.body, `"field":"`+field+`"`) {
				t.Errorf("error for %s: got %s, want the field %s", fields, r.body, field)
			}
		})
	}
	for _, fields := range []string{
		`"agent_id":"` + agent + `"`, `"agent_id":null`, `"agent_id":""`, `"agent_ids":[]`, `"agent_id":7`, `"metadata":{"agent_id":"nothing"}`,
		`"x":{"input":{"agent_id":"nothing"},"schema":{"agent_id":"nothing"},"output":[{"agent_id":"nothing"}]}`,
		`"prompt_ids":["` + prompt + `"],"config":{"credential_id":"` + credential + `"}`,
	} {
		ada.do("POST", "/apps", `{"name":"app",`+fields+`}`).expect(201)
	}
	ada.do("POST", "/apps", `{"name":"app","agent_ids":["`+strings.Repeat(agent+`","`, 1000)+agent+`"]}`).fails(400, "bad_request")
	// A referenced credential can only be deleted with force=true.
	r := ada.do("DELETE", "/credentials/"+credential, "").refused(409, "in_use")
	if !strings.Contains(r.body, `"used_by":[{"id":"`) || !strings.Contains(r.body, `"type":"app"`) {
		t.Errorf("error: got %s, want the app in used_by", r.body)
	}
	ada.do("DELETE", "/credentials/"+credential+"?force=true", "").expect(204)
	apps := ada.do("GET", "/apps?limit=1", "").expect(200)
	if !strings.Contains(apps.body, credential) {
		t.Errorf("app after its credential is deleted: got %s, want %s still in the document", apps.body, credential)
	}
	// Only the references in the body of a PATCH are checked. A PATCH can also
	// remove references.
	ids, _ := apps.listed()
	app := ids[0]
	ada.do("PATCH", "/apps/"+app, `{"description":"still names the credential"}`).expect(200)
	ada.do("PATCH", "/apps/"+app, `{"config":{"credential_id":"`+credential+`"}}`).fails(404, "not_found")
	second := ada.credential("sk-value")
	ada.do("PATCH", "/apps/"+app, `{"config":{"credential_id":"`+second+`"}}`).expect(200)
	ada.do("DELETE", "/credentials/"+second, "").fails(409, "in_use")
	ada.do("PATCH", "/apps/"+app, `{"config":null}`).expect(200)
	ada.do("DELETE", "/credentials/"+second, "").expect(204)
}

// A user can change and delete only objects that the user created. For an
// agent's nested objects, the creator of the agent decides.
func TestResourcePermissions(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace := ada.member("grace@example.com", "user")
	adas := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	graces := grace.do("POST", "/agents", `{"name":"g"}`).expect(201).text("id")
	grace.do("GET", "/agents/"+adas, "").expect(200)
	grace.do("PATCH", "/agents/"+adas, `{"x":1}`).fails(403, "insufficient_role")
	grace.do("DELETE", "/agents/"+adas, "").fails(403, "insufficient_role")
	grace.do("POST", "/agents/"+adas+"/memories", `{}`).fails(403, "insufficient_role")
	grace.do("POST", "/agents/"+adas+"/execute", `{"input":1}`).expect(201)
	grace.do("PATCH", "/agents/"+graces, `{"x":1}`).expect(200)
	memory := ada.do("POST", "/agents/"+graces+"/memories", `{"content":"m"}`).expect(201).text("id")
	grace.do("PATCH", "/agents/"+graces+"/memories/"+memory, `{"content":"n"}`).expect(200)
	grace.do("GET", "/agents/"+adas+"/memories/"+memory, "").fails(404, "not_found") // it belongs to another agent
	ada.do("PATCH", "/agents/"+graces, `{"x":2}`).expect(200)

	k := ada.key(`{"name":"k","scopes":["agents:read","agents:write","memories:read"]}`)
	k.do("PATCH", "/agents/"+adas, `{"x":3}`).expect(200)
	k.do("GET", "/agents/"+graces+"/memories", "").expect(200)
	k.do("POST", "/agents/"+graces+"/memories", `{}`).fails(403, "insufficient_scope")
	k.do("POST", "/agents/"+adas+"/execute", `{}`).fails(403, "insufficient_scope")

	// Deleting an agent deletes its memories, each with a changelog entry. Its
	// executions are not deleted.
	before := strings.Count(ada.do("GET", "/changelog?limit=100", "").body, `"action":"deleted"`)
	ada.do("POST", "/agents/"+graces+"/execute", `{"input":"x"}`).expect(201)
	grace.do("DELETE", "/agents/"+graces, "").expect(204)
	ada.do("GET", "/agents/"+graces+"/memories", "").fails(404, "not_found")
	if after := strings.Count(ada.do("GET", "/changelog?limit=100", "").body, `"action":"deleted"`); after != before+2 {
		t.Errorf("changelog entries for deletions: got %d, want 2", after-before)
	}
	if _, total := ada.do("GET", "/executions", "").listed(); total != 2 {
		t.Errorf("executions after the agent is deleted: got %d, want 2", total)
	}
}

// Creating a resource that the plan does not include is refused. Existing ones can
// still be read.
func TestResourcesRequirePlan(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanFree})
	ada := s.owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	for path, feature := range map[string]string{
		"/mcp-tools": "mcp_tools", "/agents/" + agent + "/memories": "memory", "/agents/" + agent + "/guardrails": "guardrails", "/triggers": "webhooks", "/approvals": "approvals",
	} {
		t.Run(feature, func(t *testing.T) {
			r := ada.do("POST", path, `{"name":"x","agent_id":"`+agent+`"}`).refused(403, "feature_not_in_plan")
			if !strings.Contains(r.body, `"feature":"`+feature+`"`) || !strings.Contains(r.body, `"plan":"free"`) || !strings.Contains(r.body, `"enterprise"]`) {
				t.Errorf("POST %s: got %s, want the feature %s, the plan free, and enterprise in available_in", path, r.body, feature)
			}
			ada.do("GET", path, "").expect(200)
		})
	}
	// The body is checked first, then the object in the path, the feature, the
	// limit and the references.
	ada.do("POST", "/mcp-tools", `{"id":"x"}`).fails(400, "validation_error")
	ada.do("POST", "/agents/nothing/memories", `{}`).fails(404, "not_found")
	ada.do("POST", "/mcp-tools", `{"name":"x","agent_id":"nothing"}`).fails(403, "feature_not_in_plan")
	ada.do("POST", "/data-sources", `{"name":"x"}`).expect(201)
	ada.do("POST", "/data-sources", `{"name":"x","agent_id":"nothing"}`).fails(402, "quota_exceeded")
}

// An archived agent does not count against the limit. It counts again when it is
// activated.
func TestActiveAgentsLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanFree})
	ada := s.owner("ada@example.com", "research")
	ada.do("POST", "/agents", `{"name":"old","status":"archived"}`).expect(201)
	var last string
	for range 3 {
		last = ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	}
	r := ada.do("POST", "/agents", `{"name":"a"}`).refused(402, "quota_exceeded")
	if !strings.Contains(r.body, `"limit":"active_agents","max":3,"plan":"free","used":3`) {
		t.Errorf("error: got %s, want 3 of 3 active_agents used on free", r.body)
	}
	ada.do("PATCH", "/agents/"+last, `{"status":"archived"}`).expect(200)
	ada.do("POST", "/agents/"+last+"/execute", `{}`).fails(409, "invalid_state")
	ada.do("POST", "/agents", `{"name":"a"}`).expect(201)
	ada.do("PATCH", "/agents/"+last, `{"status":"active"}`).fails(402, "quota_exceeded")
	ada.do("PATCH", "/agents/"+last, `{"x":1}`).expect(200)
}

// Concurrent requests cannot exceed the limits of a plan.
func TestLimitsHoldUnderConcurrency(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		s := newServer(t, cfg) // starter: 15 agents
		ada := s.owner("ada@example.com", "research")
		if n := ada.succeed(40, "POST", "/agents", `{"name":"a"}`); n != 15 {
			t.Errorf("agents created by 40 requests: got %d, want 15", n)
		}
		if _, total := ada.do("GET", "/agents", "").listed(); total != 15 {
			t.Errorf("agents: got %d, want 15", total)
		}
	})
	t.Run("executions", func(t *testing.T) {
		t.Parallel()
		databases(t, func(t *testing.T, cfg embedded.Config) {
			var elapsed atomic.Int64
			start := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
			cfg.DefaultPlan = promptrails.PlanFree
			cfg.Now = func() time.Time { return start.Add(time.Duration(elapsed.Load())) }
			s := newServer(t, cfg)
			ada := s.owner("ada@example.com", "research")
			agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
			path := "/agents/" + agent + "/execute"
			if n := ada.succeed(520, "POST", path, `{"input":{"q":1}}`); n != 500 {
				t.Errorf("executions of 520 requests: got %d, want 500", n)
			}
			for _, kind := range []string{"/executions", "/traces"} {
				if _, total := ada.do("GET", kind, "").listed(); total != 500 {
					t.Errorf("GET %s: got the total %d, want 500", kind, total)
				}
			}
			elapsed.Store(int64(28*24*time.Hour - time.Microsecond)) // the period ends on 28 February at 12:00
			ada.do("POST", path, `{}`).fails(402, "quota_exceeded")
			elapsed.Store(int64(28 * 24 * time.Hour))
			ada.do("POST", path, `{}`).expect(201)
		})
	})
}

// succeed sends a request many times, up to 40 concurrently. It returns the number
// of requests that return 201. The others must return 402.
func (p *person) succeed(times int, method, path, body string) int64 {
	p.s.t.Helper()
	var done atomic.Int64
	var callers errgroup.Group
	callers.SetLimit(40)
	for range times {
		callers.Go(func() error {
			switch r := p.do(method, path, body); r.status {
			case 201:
				done.Add(1)
			case 402:
			default:
				p.s.t.Errorf("got %d %s, want 201 or 402", r.status, r.body)
			}
			return nil
		})
	}
	_ = callers.Wait() // no caller fails
	return done.Load()
}

// An execution is marked as simulated, and is stored with a trace.
func TestExecute(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	r := ada.do("POST", "/agents/"+agent+"/execute", `{"input":{"n":12345678901234567890}}`, idempotencyKey, "k").expect(201)
	if !strings.Contains(r.body, `"input":{"n":12345678901234567890}`) || !strings.Contains(r.body, `"simulated":true`) || r.text("status") != "completed" || r.text("agent_id") != agent {
		t.Errorf("execution: got %s, want a completed, simulated execution of agent %s with its input", r.body, agent)
	}
	var spans struct {
		Data []struct {
			ID          string
			ExecutionID string `json:"execution_id"`
		}
	}
	trace := ada.do("GET", "/traces/"+r.text("trace_id"), "").expect(200)
	trace.decode(&spans)
	if len(spans.Data) != 1 || spans.Data[0].ExecutionID != r.text("id") || !strings.Contains(trace.body, `"n":12345678901234567890`) {
		t.Fatalf("trace: got %s, want one span of execution %s with its input", trace.body, r.text("id"))
	}
	if span := ada.do("GET", "/traces/"+spans.Data[0].ID, "").expect(200); span.text("trace_id") != r.text("trace_id") {
		t.Errorf("span: got %s, want one of trace %s", span.body, r.text("trace_id"))
	}
	if again := ada.do("POST", "/agents/"+agent+"/execute", `{"input":{"n":12345678901234567890}}`, idempotencyKey, "k").expect(201); again.text("id") != r.text("id") {
		t.Errorf("execution of the retry: got %s, want %s", again.text("id"), r.text("id"))
	}
	ada.do("POST", "/agents/nothing/execute", `{}`).fails(404, "not_found")
	ada.do("POST", "/agents/"+agent+"/execute", `{"inputs":1}`).fails(400, "validation_error")
	ada.do("POST", "/agents/"+agent+"/execute", `{"input":["a\u0000"]}`).fails(400, "validation_error")
	if log := ada.do("GET", "/changelog", "").body; strings.Contains(log, r.text("id")) {
		t.Errorf("changelog: got %s, want no entry for execution %s", log, r.text("id"))
	}
}

// Foreign keys of the schema prevent parents and references in another workspace.
func TestForeignKeysSeparateWorkspaces(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	s := newServer(t, embedded.Config{DSN: file})
	ada, eve := s.owner("ada@example.com", "theirs"), s.owner("eve@example.com", "mine")
	theirs, mine := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id"), eve.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	memory := eve.do("POST", "/agents/"+mine+"/memories", `{}`).expect(201).text("id")
	db, err := sql.Open("sqlite", file+"?_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		fmt.Sprintf("UPDATE resources SET parent_id = '%s' WHERE id = '%s'", theirs, memory),
		fmt.Sprintf("UPDATE resources SET workspace_id = '%s' WHERE id = '%s'", ada.workspace, memory),
		fmt.Sprintf("UPDATE resources SET workspace_id = 'nowhere' WHERE id = '%s'", theirs),
		fmt.Sprintf("INSERT INTO resource_references VALUES ('%s', '%s', 'x')", ada.workspace, mine),
		"INSERT INTO counters VALUES ('nowhere', 'agents', 1)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "FOREIGN KEY") {
			t.Errorf("%s: got %v, want a FOREIGN KEY error", statement, err)
		}
	}
}
