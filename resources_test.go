package promptrails_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// agentDefaults is the beginning of the fields of a new agent: the defaults of
// omitted fields.
const agentDefaults = `{"type":"agent","description":"","config":{},"labels":[],`

func TestResources(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		in, w := newWorkspace(t, p.person("ada@example.com", "Ada"), "research")
		type agent struct {
			Name string  `json:"name"`
			Temp float64 `json:"temperature"`
		}
		var first, second *promptrails.Resource
		ok := t.Run("create and update", func(t *testing.T) {
			var err error
			first, err = in.Resources.Create(ctx, promptrails.KindAgents, &agent{"Scout", 0.5})
			if err != nil {
				t.Fatal(err)
			}
			want := &promptrails.Resource{
				ID: first.ID, WorkspaceID: w.ID, Name: "Scout", Status: "active", CreatedBy: w.OwnerID, Version: 1,
				CreatedAt: first.CreatedAt, UpdatedAt: first.CreatedAt, Fields: json.RawMessage(agentDefaults + `"temperature":0.5}`),
			}
			if diff := cmp.Diff(want, first); diff != "" {
				t.Errorf("Resources.Create (-want +got):\n%s", diff)
			}
			if got, err := in.Resources.Get(ctx, promptrails.KindAgents, first.ID); err != nil || !cmp.Equal(want, got) {
				t.Errorf("Resources.Get: got error %v, and a difference (-want +got):\n%s", err, cmp.Diff(want, got))
			}
			var decoded agent
			if err := first.Decode(&decoded); err != nil || decoded.Temp != 0.5 {
				t.Errorf("Resource.Decode: got %+v and error %v, want temperature 0.5", decoded, err)
			}
			changed, err := in.Resources.Update(ctx, promptrails.KindAgents, first.ID, map[string]any{"note": "kept", "status": "archived"}, promptrails.WithIfMatch(1))
			if err != nil || changed.Version != 2 || changed.Status != "archived" || string(changed.Fields) != agentDefaults+`"temperature":0.5,"note":"kept"}` {
				t.Errorf("Resources.Update: got %+v and error %v, want version 2, archived, with temperature and note", changed, err)
			}
			if _, err := in.Resources.Update(ctx, promptrails.KindAgents, first.ID, map[string]any{"note": ""}, promptrails.WithIfMatch(1)); !errors.Is(err, promptrails.ErrPreconditionFailed) {
				t.Errorf("Resources.Update with an outdated version: got %v, want ErrPreconditionFailed", err)
			}
			second, err = in.Resources.Create(ctx, promptrails.KindAgents, json.RawMessage(`{"name":"Second"}`))
			if err != nil {
				t.Fatal(err)
			}
		})
		if !ok {
			return
		}

		t.Run("list", func(t *testing.T) {
			var names []string
			for r, err := range in.Resources.All(ctx, promptrails.KindAgents, &promptrails.ListResourcesParams{ListOptions: promptrails.ListOptions{Limit: 1}}) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, r.Name)
			}
			if diff := cmp.Diff([]string{"Second", "Scout"}, names); diff != "" {
				t.Errorf("Resources.All (-want +got):\n%s", diff)
			}
			page, err := in.Resources.List(ctx, promptrails.KindAgents, &promptrails.ListResourcesParams{Status: "active", Query: "SEC"})
			if err != nil || page.Meta.Total != 1 || page.Items[0].ID != second.ID {
				t.Errorf("Resources.List with Query SEC: got %+v and error %v, want only %s", page, err, second.ID)
			}
		})

		t.Run("resources of an agent", func(t *testing.T) {
			memories := promptrails.KindMemories.Of(second.ID)
			memory, err := in.Resources.Create(ctx, memories, map[string]any{"content": "m"})
			if want := `{"memory_type":"","importance":0,"access_count":0,"content":"m","agent_id":"` + second.ID + `"}`; err != nil || string(memory.Fields) != want {
				t.Fatalf("Resources.Create of a memory: got %+v and error %v, want fields %s", memory, err, want)
			}
			if got, err := in.Resources.Get(ctx, memories, memory.ID); err != nil || got.ID != memory.ID {
				t.Errorf("Resources.Get of a memory: got %+v and error %v, want %s", got, err, memory.ID)
			}
			execution, err := in.Resources.Execute(ctx, second.ID, &promptrails.ExecuteParams{Input: map[string]int{"n": 1}})
			if err != nil || execution.Status != "completed" || !strings.Contains(string(execution.Fields), `"input":{"n":1}`) {
				t.Errorf("Resources.Execute: got %+v and error %v, want a completed execution with the input", execution, err)
			}
			if err := in.Resources.Delete(ctx, promptrails.KindAgents, second.ID); err != nil {
				t.Errorf("Resources.Delete: got %v, want no error", err)
			}
			if _, err := in.Resources.Get(ctx, memories, memory.ID); !errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("Resources.Get of a deleted agent's memory: got %v, want ErrNotFound", err)
			}
		})

		t.Run("errors", func(t *testing.T) {
			_, err := in.Resources.Create(ctx, promptrails.KindPrompts, map[string]any{"name": "p", "agent_id": second.ID})
			if !errors.Is(err, promptrails.ErrNotFound) || !strings.Contains(err.Error(), "agent_id") {
				t.Errorf("Resources.Create with a deleted agent: got %v, want ErrNotFound that mentions agent_id", err)
			}
			_, err = in.Resources.Create(ctx, promptrails.KindApprovals, map[string]any{"name": "a"})
			feature, ok := errors.AsType[*promptrails.FeatureError](err)
			if !ok || feature.Feature != promptrails.FeatureApprovals || feature.Plan != promptrails.PlanStarter || !cmp.Equal(feature.AvailableIn, []promptrails.PlanID{"pro", "enterprise"}) {
				t.Errorf("Resources.Create of an approval on the starter plan: got %v, want a FeatureError that names pro and enterprise", err)
			}
			for range 5 {
				must[*promptrails.Resource](t)(in.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "d"}))
			}
			_, err = in.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "d"})
			quota, ok := errors.AsType[*promptrails.QuotaError](err)
			if !ok || quota.Limit != promptrails.LimitDataSources || quota.Max != 5 || quota.Used != 5 {
				t.Errorf("Resources.Create of a sixth data source: got %v, want a QuotaError with 5 of 5 used", err)
			}
		})
	})
}

// Invalid arguments are rejected before a request is sent.
func TestInvalidResourceArguments(t *testing.T) {
	t.Parallel()
	a := &scripted{}
	c := clientOver(t, a)
	ctx := t.Context()
	_, list := c.Resources.List(ctx, promptrails.KindMemories, nil)
	_, create := c.Resources.Create(ctx, promptrails.KindAgents, nil)
	_, under := c.Resources.Get(ctx, promptrails.KindMemories.Of(""), "m")
	_, dots := c.Resources.Get(ctx, promptrails.KindAgents, "..")
	var all error
	for _, err := range c.Resources.All(ctx, promptrails.KindGuardrails, nil) {
		all = err
	}
	for name, err := range map[string]error{"List without an agent": list, "Create without fields": create, "Get with an empty agent": under, "Get of two dots": dots, "All without an agent": all} {
		if !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("Resources.%s: got %v, want ErrValidation", name, err)
		}
	}
	if a.count() != 0 {
		t.Errorf("got %d requests, want 0", a.count())
	}
	// An agent's id is escaped as one path element.
	a.script = append(a.script, status(200, `{"data":[]}`))
	if _, err := c.Resources.List(ctx, promptrails.KindMemories.Of("a/../b"), nil); err != nil || a.seen[0].URL.EscapedPath() != "/api/v1/agents/a%2F..%2Fb/memories" {
		t.Errorf("Resources.List: got error %v and path %s, want an escaped slash", err, a.seen[0].URL.EscapedPath())
	}
}

// The responses of the vendor's server decode for each kind. Fields that this
// library does not know are preserved byte for byte.
func TestVendorResources(t *testing.T) {
	t.Parallel()
	replayed := 0
	for _, e := range vendorExchanges(t) {
		collection, _, _ := strings.Cut(strings.TrimPrefix(e.Request.Path, "/api/v1/"), "?")
		if strings.HasPrefix(collection, "credentials") {
			continue // Client.Credentials, not Resources
		}
		kind, id := promptrails.ResourceKind(collection), ""
		if e.Request.Method == "PATCH" {
			collection, id, _ = strings.Cut(collection, "/")
			kind = promptrails.ResourceKind(collection)
		}
		if e.Response.Status >= 300 {
			continue
		}
		replayed++
		a := &scripted{script: nil}
		a.script = append(a.script, status(e.Response.Status, e.Response.Body))
		c := clientOver(t, a)
		var got []*promptrails.Resource
		var err error
		switch e.Request.Method {
		case "GET":
			var page *promptrails.Page[promptrails.Resource]
			if page, err = c.Resources.List(t.Context(), kind, nil); err == nil {
				got = page.Items
			}
		case "POST", "PATCH":
			var one *promptrails.Resource
			if id == "" {
				one, err = c.Resources.Create(t.Context(), kind, json.RawMessage(*e.Request.Body))
			} else {
				one, err = c.Resources.Update(t.Context(), kind, id, json.RawMessage(*e.Request.Body))
			}
			got = append(got, one)
		}
		if err != nil {
			t.Errorf("%s %s: got %v, want no error", e.Request.Method, e.Request.Path, err)
			continue
		}
		for _, r := range got {
			if r.ID == "" || r.WorkspaceID == "" || r.CreatedAt.IsZero() || r.Version != 0 {
				t.Errorf("%s %s: got %+v, want an id, a workspace, a creation time and version 0", e.Request.Method, e.Request.Path, r)
			}
			// Each field equals its text in the response.
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(r.Fields, &fields); err != nil {
				t.Fatal(err)
			}
			for name, value := range fields {
				if !strings.Contains(e.Response.Body, `"`+name+`":`+string(value)) {
					t.Errorf("%s %s: got field %s with value %s, want its text in the response", e.Request.Method, e.Request.Path, name, value)
				}
			}
		}
	}
	if replayed < 20 {
		t.Errorf("got %d replayed exchanges, want at least 20", replayed)
	}
}

// Decoding and encoding a resource preserves the text of its fields.
func TestResourceFieldsArePreserved(t *testing.T) {
	t.Parallel()
	const text = `{"id":"r","name":"n","a":1.0,"b":{"z":1,"a":[12345678901234567890,null]},"c":"\u00fc \/"}`
	var r promptrails.Resource
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if want := `{"a":1.0,"b":{"z":1,"a":[12345678901234567890,null]},"c":"\u00fc \/"}`; string(r.Fields) != want {
		t.Errorf("Fields: got %s, want %s", r.Fields, want)
	}
	encoded, err := json.Marshal(&r)
	if want := `"a":1.0,"b":{"z":1,"a":[12345678901234567890,null]}`; err != nil || !strings.Contains(string(encoded), want) {
		t.Errorf("Marshal: got %s and error %v, want %s in it", encoded, err, want)
	}
}

// The name of a member may contain escapes.
func TestResourceWithEscapedNames(t *testing.T) {
	t.Parallel()
	var r promptrails.Resource
	if err := json.Unmarshal([]byte(`{"\u0069d":"a\u0062", "\u006eote" : 1}`), &r); err != nil {
		t.Fatal(err)
	}
	if want := `{"\u006eote":1}`; r.ID != "ab" || string(r.Fields) != want {
		t.Errorf("Unmarshal: got id %q and fields %s, want ab and %s", r.ID, r.Fields, want)
	}
}

func TestInventory(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) { c.DefaultPlan = promptrails.PlanEnterprise }))
	ctx := t.Context()
	want := map[promptrails.ResourceKind]int{}
	for i, kind := range promptrails.ResourceKinds() {
		want[kind] = 0
		if slices.Contains([]promptrails.ResourceKind{
			promptrails.KindAgents, promptrails.KindExecutions, promptrails.KindTraces, promptrails.KindMemories, promptrails.KindGuardrails, promptrails.KindCredentials, promptrails.KindAPIKeys,
		}, kind) {
			continue // created below, or 0
		}
		for range i % 3 {
			must[*promptrails.Resource](t)(s.Owner.Resources.Create(ctx, kind, map[string]any{"name": "x"}))
			want[kind]++
		}
	}
	for range 3 {
		agent := must[*promptrails.Resource](t)(s.Owner.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "a"}))
		must[*promptrails.Resource](t)(s.Owner.Resources.Create(ctx, promptrails.KindMemories.Of(agent.ID), map[string]any{}))
		must[*promptrails.Resource](t)(s.Owner.Resources.Execute(ctx, agent.ID, nil))
		want[promptrails.KindAgents]++
		want[promptrails.KindMemories]++
		want[promptrails.KindExecutions]++
		want[promptrails.KindTraces]++
	}
	must[*promptrails.CreatedAPIKey](t)(s.Owner.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "k", Scopes: promptrails.Scopes{promptrails.ScopeAll}}))
	want[promptrails.KindAPIKeys]++
	var response promptrails.Response
	got, err := s.Owner.Resources.Inventory(ctx, promptrails.WithResponse(&response))
	if err != nil || len(got) != 15 {
		t.Fatalf("Resources.Inventory: got %d kinds and error %v, want 15", len(got), err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Resources.Inventory (-want +got):\n%s", diff)
	}
	stranger := s.NewUser("eve@example.com").InWorkspace(s.Workspace.ID)
	if _, err := stranger.Resources.Inventory(ctx); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("Resources.Inventory of a user who is not a member: got %v, want ErrNotFound", err)
	}
}
