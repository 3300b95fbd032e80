package embedded_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
)

// change is a valid call of a mutating route.
type change struct {
	as         *person
	path, body string
	entries    int // changelog entries: one for each changed object
}

// Every mutating route of openapi.yaml adds an entry to the changelog for each
// object that it changes. The test fails for a route that changeBy does not
// know: add it there.
func TestEveryChangeIsInChangelog(t *testing.T) {
	t.Parallel()
	document, err := apicheck.Document()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			if method == http.MethodGet {
				continue
			}
			t.Run(method+" "+path, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise, AllowLoopbackWebhooks: true})
				ada := s.owner("ada@example.com", "research")
				c := changeBy(ada, method, path, op)
				if c == nil {
					t.Fatalf("changeBy: got no call for %s %s, want one: add it", method, path)
				}
				before := ada.sequence()
				// A rejected call adds no entry.
				c.as.do(method, c.path, c.body, "Authorization", "Bearer pat_nobody")
				if after := ada.sequence(); after != before {
					t.Fatalf("rejected call: got %d entries, want 0", after-before)
				}
				if r := c.as.do(method, c.path, c.body); r.status >= 300 {
					t.Fatalf("%s %s: got %d %s, want a status below 300", method, c.path, r.status, r.body)
				}
				if after := ada.sequence(); after-before != c.entries {
					t.Errorf("%s %s: got %d entries, want %d", method, c.path, after-before, c.entries)
				}
				// Repeating an update adds no entry.
				if method == http.MethodPatch || method == http.MethodPut || strings.HasSuffix(path, "default") {
					before := ada.sequence()
					c.as.do(method, c.path, c.body)
					if after := ada.sequence(); after != before {
						t.Errorf("repeated %s %s: got %d entries, want 0", method, c.path, after-before)
					}
				}
			})
		}
	}
}

// sequence returns the sequence number of the newest changelog entry, or 0 if p
// cannot read the changelog.
func (p *person) sequence() int {
	p.s.t.Helper()
	r := p.do("GET", "/changelog/head", "")
	if r.status == http.StatusForbidden || r.status == http.StatusNotFound {
		return 0 // the workspace was deleted, or the caller lost the role
	}
	return int(r.expect(200).integer("sequence"))
}

// waiting creates an execution that waits for an approval.
func (p *person) waiting() *reply {
	p.s.t.Helper()
	agent := p.do("POST", "/agents", `{"name":"careful","approval_policy":{}}`).expect(201).text("id")
	return p.do("POST", "/agents/"+agent+"/execute", `{"input":"go"}`).expect(201)
}

// changeBy creates the objects that a call of the route needs, and returns the
// call. It returns nil for an unknown route.
func changeBy(ada *person, method, path string, op *openapi3.Operation) *change {
	create := func(path, body string) string { return ada.do("POST", path, body).expect(201).text("id") }
	invite := func() *reply {
		return ada.do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`).expect(201)
	}
	route := method + " " + path
	if takesAnything(op) || strings.HasSuffix(path, "/{id}") && method == http.MethodDelete && !strings.HasPrefix(path, "/credentials") && !strings.HasPrefix(path, "/api-keys") &&
		!strings.HasPrefix(path, "/members") && !strings.HasPrefix(path, "/invitations") && !strings.HasPrefix(path, "/workspaces") && !strings.HasPrefix(path, "/notification") {
		agent := create("/agents", `{"name":"a"}`)
		collection := ada.underNew(strings.ReplaceAll(strings.TrimSuffix(path, "/{id}"), "{agent_id}", agent))
		if method == http.MethodPost {
			return &change{ada, collection, `{"name":"x"}`, 1}
		}
		if collection == "/memories" || collection == "/guardrails" { // created under an agent
			return &change{ada, collection + "/" + create("/agents/"+agent+collection, `{"name":"x"}`), `{"x":1}`, 1}
		}
		return &change{ada, collection + "/" + create(collection, `{"name":"x"}`), `{"x":1}`, 1}
	}
	switch route {
	case "POST /workspaces":
		return &change{ada, path, `{"name":"Other","slug":"other"}`, 0} // the entry is in the new workspace
	case "PATCH /workspaces/{id}":
		return &change{ada, "/workspaces/" + ada.workspace, `{"name":"New"}`, 1}
	case "DELETE /workspaces/{id}":
		return &change{ada, "/workspaces/" + ada.workspace + "?confirm_slug=research", "", -ada.sequence()} // the changelog is deleted too
	case "POST /workspaces/{id}/transfer":
		grace := ada.member("grace@example.com", "admin")
		id := grace.do("GET", "/members/me", "").text("id")
		return &change{ada, "/workspaces/" + ada.workspace + "/transfer", `{"member_id":"` + id + `"}`, 3} // two members and the workspace
	case "PATCH /members/{id}", "DELETE /members/{id}":
		id := ada.member("grace@example.com", "user").do("GET", "/members/me", "").text("id")
		return &change{ada, "/members/" + id, `{"role":"admin"}`, 1}
	case "DELETE /members/me":
		return &change{ada.member("grace@example.com", "admin"), path, "", 1}
	case "POST /invitations":
		return &change{ada, path, `{"email":"grace@example.com","role":"user"}`, 1}
	case "POST /invitations/accept":
		token := invite().text("token")
		return &change{ada.s.person("grace@example.com"), path, `{"token":"` + token + `"}`, 2} // the invitation and the member
	case "POST /invitations/{id}/resend", "DELETE /invitations/{id}":
		return &change{ada, strings.ReplaceAll(path, "{id}", invite().text("id")), "", 1}
	case "POST /credentials":
		return &change{ada, path, `{"name":"n","type":"openai","value":"sk-value"}`, 1}
	case "PATCH /credentials/{id}":
		return &change{ada, "/credentials/" + ada.credential("sk-value"), `{"value":"sk-other"}`, 1}
	case "DELETE /credentials/{id}", "POST /credentials/{id}/default", "POST /credentials/{id}/set-default":
		return &change{ada, strings.ReplaceAll(path, "{id}", ada.credential("sk-value")), "", 1}
	case "POST /credentials/{id}/check":
		return &change{ada, strings.ReplaceAll(path, "{id}", ada.credential("sk-value")), "", 0} // a check is not a change
	case "POST /api-keys":
		return &change{ada, path, all, 1}
	case "PATCH /api-keys/{id}":
		return &change{ada, "/api-keys/" + ada.key(all).id, `{"name":"new"}`, 1}
	case "DELETE /api-keys/{id}":
		return &change{ada, "/api-keys/" + ada.key(all).id, "", 1}
	case "POST /api-keys/{id}/rotate":
		return &change{ada, strings.ReplaceAll(path, "{id}", ada.key(all).id), `{"overlap_seconds":60}`, 2} // the new key and the old one
	case "POST /api-keys/verify":
		return &change{ada, path, `{"key":"pr_live_x"}`, 0} // read-only
	case "DELETE /agents/{agent_id}/memories":
		path = ada.underNew(path)
		create(path, `{"content":"a"}`)
		create(path, `{"content":"b"}`)
		return &change{ada, path, "", 2} // one for each memory
	case "POST /agents/{agent_id}/memories/search":
		return &change{ada, ada.underNew(path), `{"query":"a"}`, 0} // read-only
	case "POST /executions/{id}/approve", "POST /executions/{id}/deny", "POST /executions/{id}/cancel":
		return &change{ada, strings.ReplaceAll(path, "{id}", ada.waiting().text("id")), "", 1} // the approval
	case "POST /approvals/{id}/decide":
		return &change{ada, strings.ReplaceAll(path, "{id}", ada.waiting().text("approval_id")), `{"decision":"approved"}`, 1}
	case "POST /agents/{agent_id}/versions/{id}/promote", "PUT /agents/{agent_id}/versions/{id}/promote",
		"POST /prompts/{prompt_id}/versions/{id}/promote", "PUT /prompts/{prompt_id}/versions/{id}/promote",
		"POST /data-sources/{data_source_id}/versions/{id}/promote", "PUT /data-sources/{data_source_id}/versions/{id}/promote":
		path = ada.underNew(path)
		versions, _, _ := strings.Cut(path, "/{id}")
		create(versions, `{"version":"1.0.0","set_current":true}`)
		return &change{ada, strings.ReplaceAll(path, "{id}", create(versions, `{"version":"2.0.0"}`)), "", 3} // both versions and their parent
	case "POST /agents/{id}/execute":
		return &change{ada, strings.ReplaceAll(path, "{id}", create("/agents", `{"name":"a"}`)), `{}`, 0} // listed as an execution
	case "POST /notification-channels":
		return &change{ada, path, `{"name":"n","type":"webhook","url":"http://127.0.0.1:1/"}`, 1}
	case "PATCH /notification-channels/{id}":
		id, _ := ada.channel("http://127.0.0.1:1/")
		return &change{ada, "/notification-channels/" + id, `{"url":"http://127.0.0.1:1/other"}`, 1}
	case "DELETE /notification-channels/{id}", "POST /notification-channels/{id}/rotate-secret":
		id, _ := ada.channel("http://127.0.0.1:1/")
		return &change{ada, strings.ReplaceAll(path, "{id}", id), "", 1}
	case "POST /notification-channels/{id}/test":
		id, _ := ada.channel("http://127.0.0.1:1/")
		return &change{ada, strings.ReplaceAll(path, "{id}", id), "", 0} // listed as a delivery
	case "POST /notification-deliveries/{id}/redeliver":
		id, _ := ada.channel(newReceiver(ada.s.t, nil).url)
		delivery := ada.do("POST", "/notification-channels/"+id+"/test", "").expect(201).text("id")
		ada.deliveries(id, ended(1))
		return &change{ada, strings.ReplaceAll(path, "{id}", delivery), "", 0} // listed as a delivery
	case "PATCH /data-masking":
		return &change{ada, path, `{"enabled":true}`, 1}
	case "PUT /data-masking/overrides/{agent_id}":
		return &change{ada, strings.ReplaceAll(path, "{agent_id}", create("/agents", `{"name":"a"}`)), `{"enabled":true}`, 1}
	case "DELETE /data-masking/overrides/{agent_id}":
		path = strings.ReplaceAll(path, "{agent_id}", create("/agents", `{"name":"a"}`))
		ada.do("PUT", path, `{"enabled":false}`).expect(200)
		return &change{ada, path, "", 1}
	case "POST /data-masking/preview":
		return &change{ada, path, `{"text":"ada@example.com"}`, 0} // read-only
	case "PATCH /billing/subscription":
		return &change{ada, path, `{"plan":"pro"}`, 1}
	case "POST /billing/balance/top-ups":
		return &change{ada, path, `{"amount":{"amount":100,"currency":"USD"}}`, 1}
	default:
		return nil
	}
}
