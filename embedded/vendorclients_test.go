package embedded_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// vendorFields lists the fields of each kind of object that the vendor's clients
// read and that may not be omitted (JavaScript 0.2 and the Go client of API v2).
var vendorFields = map[string][]string{
	"agent":               {"id", "name", "type", "description", "status", "workspace_id", "config", "labels", "created_at", "updated_at"},
	"agent version":       {"id", "agent_id", "version", "is_active", "message", "config", "created_at"},
	"prompt":              {"id", "name", "description", "status", "workspace_id", "config", "created_at", "updated_at"},
	"prompt version":      {"id", "prompt_id", "version", "system_prompt", "user_prompt", "is_active", "config", "created_at"},
	"data source":         {"id", "name", "type", "description", "status", "workspace_id", "config", "created_at", "updated_at"},
	"data source version": {"id", "data_source_id", "version", "is_active", "config", "created_at"},
	"execution": {
		"id", "execution_id", "agent_id", "agent_name", "workspace_id", "session_id", "status", "input", "output", "trace_id", "duration_ms", "total_tokens", "token_usage", "cost",
		"created_at", "updated_at",
	},
	"span": {
		"id", "trace_id", "span_id", "execution_id", "workspace_id", "name", "kind", "status", "level", "input", "output", "attributes", "tags", "token_usage", "cost", "duration_ms",
		"error_message", "error_type", "model_name", "agent_id", "agent_name", "agent_type", "session_id", "prompt_name", "service_name", "started_at", "created_at",
	},
	"trace summary": {"total_traces", "total_tokens", "total_cost", "avg_duration_ms", "error_count", "unique_models", "unique_sessions"},
	"credential": {
		"id", "workspace_id", "name", "type", "category", "description", "masked_content", "is_default", "schema_type", "is_valid", "has_schema", "created_at", "updated_at",
	},
	"chat session": {"id", "agent_id", "workspace_id", "user_id", "title", "metadata", "created_at", "updated_at"},
	"MCP tool":     {"id", "workspace_id", "name", "type", "config", "is_active", "status", "description", "server_url", "tool_schema", "created_at", "updated_at"},
	"trigger":      {"id", "workspace_id", "agent_id", "name", "token_prefix", "source", "source_config", "reply_config", "is_active", "has_secret", "created_at", "updated_at"},
	"guardrail":    {"id", "agent_id", "type", "scanner_type", "action", "config", "is_active", "sort_order", "created_at", "updated_at"},
	"memory":       {"id", "workspace_id", "agent_id", "content", "memory_type", "importance", "access_count", "created_at", "updated_at"},
	"score":        {"id", "workspace_id", "trace_id", "span_id", "name", "string_value", "data_type", "source", "comment", "created_by", "created_at", "updated_at"},
	"approval":     {"id", "execution_id", "workspace_id", "checkpoint_name", "payload", "status", "created_at"},
}

// read returns the object or the objects of a response. It checks that each has
// the fields that the vendor's clients read.
func (r *reply) read(kind string) (objects []map[string]any) {
	r.t.Helper()
	var body struct{ Data json.RawMessage }
	r.decode(&body)
	if err := json.Unmarshal(body.Data, &objects); err != nil {
		objects = []map[string]any{nil}
		if err := json.Unmarshal(body.Data, &objects[0]); err != nil {
			r.t.Fatalf("%s: got the body %s, %v, want an object in data", r.what, r.body, err)
		}
	}
	for _, object := range objects {
		for _, field := range vendorFields[kind] {
			if _, ok := object[field]; !ok {
				r.t.Errorf("%s: got %s, want a %s with the field %s", r.what, r.body, kind, field)
			}
		}
	}
	return objects
}

// ids returns the IDs on a page. It checks that meta has the fields that both
// versions of the vendor's clients read.
func (r *reply) ids(kind string) (ids []string) {
	r.t.Helper()
	for _, object := range r.expect(200).read(kind) {
		ids = append(ids, fmt.Sprint(object["id"]))
	}
	var page struct{ Meta map[string]any }
	r.decode(&page)
	if page.Meta["total"] != float64(len(ids)) || page.Meta["pages"] != page.Meta["total_pages"] || page.Meta["total_pages"] == nil || page.Meta["page"] != 1.0 || page.Meta["limit"] == nil {
		r.t.Errorf("%s: got the meta %v of %d items, want total, page, limit, pages and total_pages", r.what, page.Meta, len(ids))
	}
	return ids
}

// The service accepts the requests of the vendor's clients. Their methods, paths,
// queries and bodies are copied from the clients' source code.
func TestVendorClients(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		cfg.DefaultPlan = promptrails.PlanEnterprise
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		key := ada.key(all)
		create := func(path, body, kind string) map[string]any {
			t.Helper()
			return key.do("POST", path, body).expect(201).read(kind)[0]
		}
		lists := func(path, kind string, want ...any) {
			t.Helper()
			var got []any
			for _, id := range key.do("GET", path, "").ids(kind) {
				got = append(got, id)
			}
			if !slices.Equal(got, want) {
				t.Errorf("GET %s: got the IDs %v, want %v", path, got, want)
			}
		}
		agent := create("/agents", `{"name":"Scout","type":"simple","description":"d","config":{"temperature":0.5}}`, "agent")
		other := create("/agents", `{"name":"Other","type":"workflow","config":{}}`, "agent")
		path := "/agents/" + agent["id"].(string)

		t.Run("agents", func(*testing.T) {
			key.do("GET", path, "").expect(200).read("agent")
			key.do("PATCH", path, `{"name":"Scout","description":"new","status":"active","config":{"temperature":0.7}}`).expect(200).read("agent")
			lists("/agents?page=1&limit=20&type=simple", "agent", agent["id"])
			lists("/agents?name=Other", "agent", other["id"])
			lists("/agents?search=sco", "agent", agent["id"])
			lists("/agents?search=sco&status=archived", "agent")
			key.do("GET", "/agents?session_id=s", "").fails(400, "validation_error")
		})
		t.Run("versions", func(t *testing.T) {
			prompt := create("/prompts", `{"name":"Greeting","description":"","system_prompt":"s","user_prompt":"u"}`, "prompt")
			source := create("/data-sources", `{"name":"warehouse","type":"postgresql","description":"","config":{}}`, "data source")
			lists("/prompts?search=greet", "prompt", prompt["id"])
			lists("/data-sources?search=ware&page=1&limit=20", "data source", source["id"])
			for _, of := range []struct{ path, kind, member, body string }{
				{path, "agent version", "agent_id", `{"version":"1.0.0","message":"m","config":{"a":1},"input_schema":{},"output_schema":{},"set_current":true}`},
				{"/prompts/" + prompt["id"].(string), "prompt version", "prompt_id", `{"version":"1.0.0","system_prompt":"s","user_prompt":"u","input_schema":{},"set_current":true,"message":"m"}`},
				{"/data-sources/" + source["id"].(string), "data source version", "data_source_id", `{"version":"1.0.0","config":{},"set_current":true}`},
			} {
				first := create(of.path+"/versions", of.body, of.kind)
				second := create(of.path+"/versions", strings.NewReplacer("1.0.0", "2.0.0", "true", "false").Replace(of.body), of.kind)
				if first["version"] != "1.0.0" || first["is_active"] != true || second["version"] != "2.0.0" || second["is_active"] != false || !strings.HasSuffix(of.path, second[of.member].(string)) {
					t.Errorf("%s 1.0.0 and 2.0.0: got %v and %v, want only the first active", of.kind, first, second)
				}
				lists(of.path+"/versions", of.kind, second["id"], first["id"])
				for _, method := range []string{"POST", "PUT"} { // newer and older clients
					promoted := key.do(method, of.path+"/versions/"+second["id"].(string)+"/promote", "").expect(200).read(of.kind)[0]
					if current := key.do("GET", of.path, "").text("current_version_id"); promoted["is_active"] != true || current != second["id"] {
						t.Errorf("%s promote: got %v and the current version %s, want %s", method, promoted, current, second["id"])
					}
				}
				if was := key.do("GET", of.path+"/versions/"+first["id"].(string), "").expect(200).read(of.kind)[0]; was["is_active"] != false {
					t.Errorf("%s 1.0.0: got %v, want it inactive", of.kind, was)
				}
			}
		})
		t.Run("execute", func(t *testing.T) {
			version := key.do("GET", path+"/versions", "").read("agent version")[1]["id"].(string)
			made := key.do("POST", path+"/execute", `{"input":{"q":"hi"},"session_id":"s1","sync":true,"version_id":"`+version+`","metadata":{"from":"cli"}}`).expect(201).read("execution")[0]
			if made["execution_id"] != made["id"] || made["status"] != "completed" || made["session_id"] != "s1" || made["version_id"] != version || made["cost"].(float64) <= 0 || made["simulated"] != true {
				t.Errorf("execution: got %v, want a completed, simulated one of session s1 and version %s with a cost", made, version)
			}
			second := key.do("POST", "/agents/"+other["id"].(string)+"/execute", `{"input":{}}`).expect(201).read("execution")[0]
			key.do("GET", "/executions/"+made["id"].(string), "").expect(200).read("execution")
			lists("/executions?agent_id="+agent["id"].(string), "execution", made["id"])
			lists("/executions?session_id=s1&status=completed", "execution", made["id"])
			lists("/executions?page=1&limit=20", "execution", second["id"], made["id"])
			if tree := key.do("GET", "/executions/"+made["id"].(string)+"/tree", "").expect(200).read("execution")[0]; fmt.Sprint(tree["children"]) != "[]" {
				t.Errorf("tree: got %v, want no children", tree)
			}
			key.do("POST", path+"/execute", `{"input":{},"version_id":"nothing"}`).fails(404, "not_found")

			spans := key.do("GET", "/traces/"+made["trace_id"].(string), "").expect(200).read("span")
			if len(spans) != 1 || spans[0]["trace_id"] != made["trace_id"] || spans[0]["execution_id"] != made["id"] {
				t.Fatalf("spans: got %v, want one of %v", spans, made)
			}
			key.do("GET", "/traces/"+spans[0]["id"].(string), "").expect(200).read("span")
			for _, filter := range []string{"trace_id=" + made["trace_id"].(string), "agent_id=" + agent["id"].(string), "session_id=s1", "kind=agent&session_id=s1&status=completed"} {
				lists("/traces?"+filter, "span", spans[0]["id"])
			}
			lists("/traces?kind=llm", "span")
			summary := key.do("GET", "/traces/summary", "").expect(200).read("trace summary")[0]
			if summary["total_traces"] != 2.0 || summary["unique_sessions"] != 1.0 || summary["unique_models"] != 1.0 || summary["total_tokens"] != made["total_tokens"].(float64)+second["total_tokens"].(float64) {
				t.Errorf("summary: got %v, want the sums of %v and %v", summary, made, second)
			}
		})
		t.Run("credentials", func(*testing.T) {
			older := create("/credentials", `{"name":"c","provider":"openai","api_key":"sk-value-of-the-key"}`, "credential")
			newer := create("/credentials", `{"name":"d","type":"postgresql","category":"data_warehouse","value":"v"}`, "credential")
			key.do("PATCH", "/credentials/"+older["id"].(string), `{"name":"e","api_key":"sk-other"}`).expect(200).read("credential")
			key.do("POST", "/credentials/"+older["id"].(string)+"/default", "").expect(200).read("credential")
			key.do("POST", "/credentials/"+newer["id"].(string)+"/set-default", "").expect(200).read("credential")
			lists("/credentials?type=openai", "credential", older["id"])
			lists("/credentials?category=data_warehouse", "credential", newer["id"])
		})
		t.Run("chat sessions and MCP tools", func(*testing.T) {
			create("/chat/sessions", `{"agent_id":"`+agent["id"].(string)+`","title":"t"}`, "chat session")
			create("/mcp-tools", `{"name":"search","type":"api","description":"d","server_url":"https://example.com","tool_schema":{}}`, "MCP tool")
		})
		t.Run("triggers", func(t *testing.T) {
			trigger := create("/triggers", `{"name":"hook","agent_id":"`+agent["id"].(string)+`","source":"webhook","source_config":{},"reply_config":{},"generate_secret":true}`, "trigger")
			token, secret := trigger["token"].(string), trigger["secret"].(string)
			if !strings.HasPrefix(token, trigger["token_prefix"].(string)) || len(token) < 40 || !strings.HasPrefix(secret, "whsec_") || trigger["has_secret"] != true || trigger["is_active"] != true {
				t.Errorf("trigger: got %v, want an active one with a token and a secret", trigger)
			}
			create("/webhook-triggers", `{"name":"other","agent_id":"`+other["id"].(string)+`"}`, "trigger")
			lists("/triggers?agent_id="+agent["id"].(string), "trigger", trigger["id"])
			for _, r := range []*reply{
				key.do("GET", "/triggers/"+trigger["id"].(string), ""), key.do("GET", "/triggers", ""), ada.do("GET", "/changelog?resource_type=trigger", ""),
				key.do("PATCH", "/triggers/"+trigger["id"].(string), `{"is_active":false}`).expect(200),
			} {
				if strings.Contains(r.body, token) || strings.Contains(r.body, secret) || strings.Contains(r.body, "generate_secret") {
					t.Errorf("%s: got %s, want neither the token nor the secret", r.what, r.body)
				}
			}
			key.do("PATCH", "/triggers/"+trigger["id"].(string), `{"token":"mine"}`).fails(400, "validation_error")
		})
		t.Run("guardrails and memories", func(t *testing.T) {
			if r := key.do("GET", path+"/guardrails?page=1&limit=1", "").expect(200); r.body != `{"data":[]}` {
				t.Errorf("guardrails: got %s, want an empty list without meta", r.body)
			}
			first := create(path+"/guardrails", `{"type":"input","scanner_type":"pii","action":"block","config":{}}`, "guardrail")
			second := create(path+"/guardrails", `{"name":"n","type":"output","config":{}}`, "guardrail")
			listed := key.do("GET", path+"/guardrails", "").expect(200)
			if got := listed.read("guardrail"); len(got) != 2 || got[0]["id"] != second["id"] || strings.Contains(listed.body, `"meta"`) {
				t.Errorf("guardrails: got %s, want both, the newest first, without meta", listed.body)
			}
			if r := key.do("GET", path+"/guardrails?page=2", "").expect(200); r.body != `{"data":[]}` {
				t.Errorf("guardrails, page 2: got %s, want an empty list", r.body)
			}
			if r := key.do("GET", path+"/guardrails?limit=1&page=2", "").expect(200); len(r.read("guardrail")) != 1 || !strings.Contains(r.body, first["id"].(string)) {
				t.Errorf("guardrails, page 2 with limit 1: got %s, want %v", r.body, first["id"])
			}
			key.do("PATCH", "/guardrails/"+first["id"].(string), `{"action":"warn","is_active":false}`).expect(200).read("guardrail")
			key.do("DELETE", "/guardrails/"+first["id"].(string), "").expect(204)

			rain := create(path+"/memories", `{"content":"likes rain and tea","memory_type":"fact","importance":0.5,"metadata":{},"chat_session_id":"c"}`, "memory")
			tea := create(path+"/memories", `{"content":"TEA at five","memory_type":"fact"}`, "memory")
			key.do("GET", "/memories/"+rain["id"].(string), "").expect(200).read("memory")
			search := func(body string, want ...any) {
				t.Helper()
				var got []any
				for _, m := range key.do("POST", path+"/memories/search", body).expect(200).read("memory") {
					got = append(got, m["id"])
				}
				if !slices.Equal(got, want) {
					t.Errorf("search %s: got %v, want %v", body, got, want)
				}
			}
			search(`{"query":"rain, tea"}`, rain["id"], tea["id"])
			search(`{"query":"tea"}`, tea["id"], rain["id"])
			search(`{"query":"tea","limit":1}`, tea["id"])
			search(`{"query":"rain, tea","threshold":0.9}`, rain["id"])
			search(`{"query":"coffee"}`)
			key.do("DELETE", path+"/memories", "").expect(204)
			lists(path+"/memories", "memory")
			if got := key.do("GET", path+"/guardrails", "").read("guardrail"); len(got) != 1 {
				t.Errorf("guardrails after the memories are deleted: got %v, want one", got)
			}
		})
		t.Run("scores", func(*testing.T) {
			score := create("/scores", `{"trace_id":"t","name":"quality","value":0.9,"data_type":"numeric","source":"api","config_id":"c"}`, "score")
			create("/scores", `{"trace_id":"u","name":"speed","string_value":"fast","data_type":"categorical"}`, "score")
			for _, filter := range []string{"trace_id=t", "name=quality", "source=api", "data_type=numeric", "config_id=c", "trace_id=t&name=quality"} {
				lists("/scores?"+filter, "score", score["id"])
			}
			lists("/scores?trace_id=t&name=speed", "score")
		})
		t.Run("approvals", func(t *testing.T) {
			waiting := ada.waiting()
			approval := waiting.text("approval_id")
			lists("/executions/approval-inbox", "execution", waiting.text("id"))
			lists("/approvals?status=pending", "approval", approval)
			if decided := key.do("POST", "/approvals/"+approval+"/decide", `{"decision":"approved","reason":"fine"}`).expect(200).read("approval")[0]; decided["status"] != "approved" || decided["reason"] != "fine" {
				t.Errorf("approval: got %v, want it approved with its reason", decided)
			}
			if ran := key.do("GET", "/executions/"+waiting.text("id"), "").read("execution")[0]; ran["status"] != "completed" {
				t.Errorf("execution after the approval: got %v, want it completed", ran)
			}
			for verb, want := range map[string]string{"approve": "completed", "deny": "cancelled", "cancel": "cancelled"} {
				id := ada.waiting().text("id")
				if got := key.do("POST", "/executions/"+id+"/"+verb, `{"reason":"r"}`).expect(200).read("execution")[0]; got["status"] != want || got["reason"] != "r" {
					t.Errorf("execution after %s: got %v, want it %s with its reason", verb, got, want)
				}
				key.do("POST", "/executions/"+id+"/"+verb, "").fails(409, "invalid_state")
			}
			lists("/executions/approval-inbox", "execution")
		})
	})
}
