package embedded_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/segmentio/ksuid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
)

// Every route responds to an identifier of another workspace as to an unknown
// one, and changes nothing. The routes are read from openapi.yaml, so new routes
// are covered.
func TestIsolation(t *testing.T) {
	t.Parallel()
	document, err := apicheck.Document()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise, AllowLoopbackWebhooks: true})
	eve, ada := s.owner("eve@example.com", "mine"), s.owner("zoe@example.com", "theirs")
	ada.member("grace@example.com", "user")
	ada.do("POST", "/invitations", `{"email":"joan@example.com","role":"user"}`).expect(201)
	ada.credential("sk-theirs")
	ada.key(all)
	ada.makeResources(document, "theirs")
	masked, _ := ada.do("GET", "/agents", "").listed()
	ada.do("PUT", "/data-masking/overrides/"+masked[0], `{"enabled":true}`).expect(200)
	channel, _ := ada.channel(newReceiver(t, nil).url)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	own := eve.do("POST", "/agents", `{"name":"mine"}`).expect(201).text("id")
	key := eve.key(all)
	foreign, samples := ada.everything(document)
	minCalls := 5000
	if testing.Short() {
		t.Log("-short: only a third of the identifiers are tried")
		for i, id := range slices.Sorted(maps.Keys(samples)) {
			if i%3 != 0 {
				delete(samples, id)
			}
		}
		minCalls /= 3
	}

	// Other tests validate the responses against openapi.yaml.
	listener := httptest.NewServer(s.Service)
	defer listener.Close()
	s.url = listener.URL

	tried := 0
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			passed := t.Run(method+" "+path, func(t *testing.T) {
				eve, key := eve.with(t), key.with(t)
				unknowns := map[string]*reply{} // the responses for unknown identifiers
				for id, field := range samples {
					there, inBody := place{id: id, agent: id, field: field}, place{id: id, agent: own, field: field}
					for _, call := range []struct {
						name        string
						as, unknown caller
						at          place
					}{
						{"id in the path", eve.do, eve.do, there},
						{"id in the body", eve.do, eve.do, inBody},
						{"workspace in the header", eve.in(ada.workspace).do, eve.in(ksuid.New().String()).do, there},
						{"slug", eve.do, eve.do, place{id: "theirs", agent: "theirs", field: "agent_id"}},
						{"id in the path, with a key", key.do, key.do, there},
						{"id in the body, with a key", key.do, key.do, inBody},
						{"workspace in the header, with a key", key.in(ada.workspace), key.in(ksuid.New().String()), there},
					} {
						tried++
						unknown := call.at
						if unknown.id = ksuid.New().String(); call.at.agent != own {
							unknown.agent = unknown.id
						}
						got, want := try(t, call.as, method, path, op, call.at), unknowns[call.name+field]
						if want == nil {
							want = try(t, call.unknown, method, path, op, unknown)
							unknowns[call.name+field] = want
						}
						if got.status != want.status || got.body != want.body {
							t.Errorf("%s: got %d %s, want the response for an unknown one: %d %s", call.name, got.status, got.body, want.status, want.body)
						}
						for secret := range foreign {
							if strings.Contains(got.body, secret) {
								t.Errorf("%s: got %s, want a response without %s", call.name, got.body, secret)
							}
						}
					}
					if t.Failed() {
						return
					}
				}
			})
			if !passed {
				return // the others fail for the same reason
			}
		}
	}
	if after, _ := ada.everything(document); tried < minCalls || !maps.Equal(foreign, after) {
		t.Errorf("other workspace after %d calls: got %v, want %v after at least %d calls", tried, after, foreign, minCalls)
	}
	if log := eve.do("GET", "/changelog?limit=100", "").body; strings.Contains(log, ada.workspace) || strings.Contains(log, "joan@example.com") {
		t.Errorf("changelog: got %s, want no entry of the other workspace", log)
	}
}

// makeResources creates a resource of each kind that has arbitrary fields.
func (p *person) makeResources(document *openapi3.T, name string) {
	p.s.t.Helper()
	agent := p.do("POST", "/agents", `{"name":"`+name+`"}`).expect(201).text("id")
	p.do("POST", "/agents/"+agent+"/execute", `{"input":"`+name+`"}`).expect(201)
	for path, item := range document.Paths.Map() {
		if item.Post != nil && takesAnything(item.Post) {
			p.do("POST", p.underNew(path), `{"name":"`+name+`"}`).expect(201)
		}
	}
}

// underNew creates a parent for a nested collection, and returns the collection's
// path under it.
func (p *person) underNew(path string) string {
	p.s.t.Helper()
	for parameter, collection := range parents {
		if strings.Contains(path, parameter) {
			path = strings.ReplaceAll(path, parameter, p.do("POST", collection, `{"name":"a"}`).expect(201).text("id"))
		}
	}
	return path
}

// parents maps the path parameters of nested collections to the collections of
// their parents.
var parents = map[string]string{"{agent_id}": "/agents", "{prompt_id}": "/prompts", "{data_source_id}": "/data-sources"}

// takesAnything reports whether the request body can have arbitrary fields.
func takesAnything(op *openapi3.Operation) bool {
	if op.RequestBody == nil {
		return false
	}
	may := op.RequestBody.Value.Content["application/json"].Schema.Value.AdditionalProperties.Has
	return may == nil || *may
}

// everything returns the ids, emails and hashes in all lists of the workspace.
// The samples are one id of each list, with the name of a field that can refer to
// it.
func (p *person) everything(document *openapi3.T) (found map[string]bool, samples map[string]string) {
	p.s.t.Helper()
	found, samples = map[string]bool{p.workspace: true}, map[string]string{p.workspace: "agent_id"}
	collect := func(path string) (ids []string) {
		var page struct {
			Data []struct {
				ID      string `json:"id"`
				AgentID string `json:"agent_id"` // of objects without an id
				Email   string `json:"email"`
				Hash    string `json:"hash"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(p.do("GET", path+"?limit=100", "").expect(200).body), &page); err != nil {
			p.s.t.Fatalf("GET %s: decoding: %v", path, err)
		}
		for _, item := range page.Data {
			ids = append(ids, cmp.Or(item.ID, item.AgentID))
			for _, text := range []string{item.ID, item.Email, item.Hash} {
				if text != "" {
					found[text] = true
				}
			}
		}
		if len(ids) > 0 && samples[ids[0]] == "" {
			samples[ids[0]] = referenceTo(path)
		}
		return ids
	}
	channels, above := collect("/notification-channels"), map[string][]string{}
	for parameter, collection := range parents {
		above[parameter] = collect(collection)
	}
	for path, item := range document.Paths.Map() {
		switch {
		case item.Get == nil || !hasParameter(item.Get, "limit") || path == "/workspaces":
		case strings.Contains(path, "_id}"):
			for parameter, ids := range above {
				for _, id := range ids {
					if strings.Contains(path, parameter) {
						collect(strings.ReplaceAll(path, parameter, id))
					}
				}
			}
		case strings.Contains(path, "{id}"):
			for _, channel := range channels {
				collect(strings.ReplaceAll(path, "{id}", channel))
			}
		default:
			collect(path)
		}
	}
	return found, samples
}

// hasParameter reports whether the operation has the query parameter.
func hasParameter(op *openapi3.Operation, name string) bool {
	return op.Parameters.GetByInAndName("query", name) != nil
}

// referenceTo returns the field that refers to items of a collection, or agent_id
// if no field does.
func referenceTo(collection string) string {
	kind := strings.TrimPrefix(collection[strings.LastIndex(collection, "/")+1:], "webhook-")
	field := strings.ReplaceAll(strings.TrimSuffix(kind, "s"), "-", "_") + "_id"
	if kind == "memories" {
		field = "memory_id"
	}
	if slices.Contains([]string{"prompt_id", "credential_id", "data_source_id", "mcp_tool_id", "guardrail_id", "execution_id", "session_id", "memory_id", "trigger_id", "approval_id", "app_id"}, field) {
		return field
	}
	return "agent_id"
}

// caller is the type of the do methods.
type caller = func(method, path, body string, headers ...string) *reply

// in returns k.do with X-Workspace-ID set.
func (k *keyCaller) in(workspace string) caller {
	return func(method, path, body string, headers ...string) *reply {
		return k.do(method, path, body, append(headers, "X-Workspace-ID", workspace)...)
	}
}

// place is an identifier to try.
type place struct {
	id    string
	agent string // the parent of nested collections
	field string // the field that can refer to the identifier
}

// try calls an operation with the identifier everywhere one is accepted: in the
// path, the query and the body. Other fields of the body are omitted.
func try(t *testing.T, as caller, method, path string, op *openapi3.Operation, at place) *reply {
	t.Helper()
	body := ""
	if op.RequestBody != nil {
		fields := map[string]any{}
		for name := range op.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
			if strings.HasSuffix(name, "_id") {
				fields[name] = at.id
			}
		}
		if takesAnything(op) {
			fields["name"], fields["config"] = "mine", map[string]any{at.field + "s": []string{at.id}}
		}
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	query := url.Values{}
	for _, parameter := range op.Parameters {
		if name := parameter.Value.Name; parameter.Value.In == "query" && (name == "q" || name == "created_by" || strings.HasSuffix(name, "_id")) {
			query.Set(name, at.id)
		}
	}
	for parameter := range parents {
		path = strings.ReplaceAll(path, parameter, at.agent)
	}
	return as(method, strings.ReplaceAll(path, "{id}", at.id)+"?"+query.Encode(), body)
}
