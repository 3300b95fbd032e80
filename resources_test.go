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

// agentDefaults begin the fields of an agent that was created without them.
const agentDefaults = `{"type":"agent","description":"","config":{},"labels":[],`

func TestResources(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		in, w := newWorkspace(t, p.person("ada@example.com", "Ada"), "research")
		type agent struct {
			Name string  `json:"name"`
			Temp float64 `json:"temperature"`
		}
		made, err := in.Resources.Create(ctx, promptrails.KindAgents, &agent{"Scout", 0.5})
		if err != nil {
			t.Fatal(err)
		}
		want := &promptrails.Resource{
			ID: made.ID, WorkspaceID: w.ID, Name: "Scout", Status: "active", CreatedBy: w.OwnerID, Version: 1,
			CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt, Fields: json.RawMessage(agentDefaults + `"temperature":0.5}`),
		}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("Create (-want +got):\n%s", diff)
		}
		if got, err := in.Resources.Get(ctx, promptrails.KindAgents, made.ID); err != nil || !cmp.Equal(want, got) {
			t.Errorf("Get: %v %s", err, cmp.Diff(want, got))
		}
		var back agent
		if err := made.Decode(&back); err != nil || back.Temp != 0.5 {
			t.Errorf("Decode: %+v, %v", back, err)
		}
		changed, err := in.Resources.Update(ctx, promptrails.KindAgents, made.ID, map[string]any{"note": "kept", "status": "archived"}, promptrails.WithIfMatch(1))
		if err != nil || changed.Version != 2 || changed.Status != "archived" || string(changed.Fields) != agentDefaults+`"temperature":0.5,"note":"kept"}` {
			t.Errorf("Update = %+v, %v", changed, err)
		}
		if _, err := in.Resources.Update(ctx, promptrails.KindAgents, made.ID, map[string]any{"note": ""}, promptrails.WithIfMatch(1)); !errors.Is(err, promptrails.ErrPreconditionFailed) {
			t.Errorf("Update of an older version: %v", err)
		}
		second, err := in.Resources.Create(ctx, promptrails.KindAgents, json.RawMessage(`{"name":"Second"}`))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for r, err := range in.Resources.All(ctx, promptrails.KindAgents, &promptrails.ListResourcesParams{ListOptions: promptrails.ListOptions{Limit: 1}}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, r.Name)
		}
		if diff := cmp.Diff([]string{"Second", "Scout"}, names); diff != "" {
			t.Errorf("All: %s", diff)
		}
		page, err := in.Resources.List(ctx, promptrails.KindAgents, &promptrails.ListResourcesParams{Status: "active", Query: "SEC"})
		if err != nil || page.Meta.Total != 1 || page.Items[0].ID != second.ID {
			t.Errorf("List = %+v, %v", page, err)
		}

		// Memories stand under an agent.
		memories := promptrails.KindMemories.Of(second.ID)
		memory, err := in.Resources.Create(ctx, memories, map[string]any{"content": "m"})
		if err != nil || string(memory.Fields) != `{"memory_type":"","importance":0,"access_count":0,"content":"m","agent_id":"`+second.ID+`"}` {
			t.Errorf("Create of a memory = %+v, %v", memory, err)
		}
		if got, err := in.Resources.Get(ctx, memories, memory.ID); err != nil || got.ID != memory.ID {
			t.Errorf("Get of a memory = %+v, %v", got, err)
		}
		execution, err := in.Resources.Execute(ctx, second.ID, &promptrails.ExecuteParams{Input: map[string]int{"n": 1}})
		if err != nil || execution.Status != "completed" || !strings.Contains(string(execution.Fields), `"input":{"n":1}`) {
			t.Errorf("Execute = %+v, %v", execution, err)
		}
		if err := in.Resources.Delete(ctx, promptrails.KindAgents, second.ID); err != nil {
			t.Error(err)
		}
		if _, err := in.Resources.Get(ctx, memories, memory.ID); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("the memory outlives its agent: %v", err)
		}

		// What is refused says what to do.
		_, err = in.Resources.Create(ctx, promptrails.KindPrompts, map[string]any{"name": "p", "agent_id": second.ID})
		if !errors.Is(err, promptrails.ErrNotFound) || !strings.Contains(err.Error(), "agent_id") {
			t.Errorf("a reference to nothing: %v", err)
		}
		_, err = in.Resources.Create(ctx, promptrails.KindApprovals, map[string]any{"name": "a"})
		feature, ok := errors.AsType[*promptrails.FeatureError](err)
		if !ok || feature.Feature != promptrails.FeatureApprovals || feature.Plan != promptrails.PlanStarter || !cmp.Equal(feature.AvailableIn, []promptrails.PlanID{"pro", "enterprise"}) {
			t.Errorf("a feature that the plan lacks: %v", err)
		}
		for range 5 {
			must[*promptrails.Resource](t)(in.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "d"}))
		}
		_, err = in.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "d"})
		quota, ok := errors.AsType[*promptrails.QuotaError](err)
		if !ok || quota.Limit != promptrails.LimitDataSources || quota.Max != 5 || quota.Used != 5 {
			t.Errorf("a full plan: %v", err)
		}
	})
}

// A fault of the caller's own reaches no server.
func TestResourceFaults(t *testing.T) {
	t.Parallel()
	a := &answers{}
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
	for name, err := range map[string]error{"a list of no agent's": list, "no fields": create, "an empty agent": under, "dots": dots, "all of no agent's": all} {
		if !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a.count() != 0 {
		t.Errorf("%d requests were sent", a.count())
	}
	// An agent's id is one element of the path, whatever it is.
	a.script = append(a.script, status(200, `{"data":[]}`))
	if _, err := c.Resources.List(ctx, promptrails.KindMemories.Of("a/../b"), nil); err != nil || a.seen[0].URL.EscapedPath() != "/api/v1/agents/a%2F..%2Fb/memories" {
		t.Errorf("%v at %s", err, a.seen[0].URL.EscapedPath())
	}
}

// What the vendor's server answers for each kind is read, and all that this
// library does not know of it is kept byte for byte.
func TestVendorResources(t *testing.T) {
	t.Parallel()
	replayed := 0
	for _, e := range vendorExchanges(t) {
		collection, _, _ := strings.Cut(strings.TrimPrefix(e.Request.Path, "/api/v1/"), "?")
		if strings.HasPrefix(collection, "credentials") {
			continue // have a service of their own
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
		a := &answers{script: nil}
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
			t.Errorf("%s %s: %v", e.Request.Method, e.Request.Path, err)
			continue
		}
		for _, r := range got {
			if r.ID == "" || r.WorkspaceID == "" || r.CreatedAt.IsZero() || r.Version != 0 {
				t.Errorf("%s: %+v", e.Request.Path, r)
			}
			// Each field stands in the answer as it is kept.
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(r.Fields, &fields); err != nil {
				t.Fatal(err)
			}
			for name, value := range fields {
				if !strings.Contains(e.Response.Body, `"`+name+`":`+string(value)) {
					t.Errorf("%s: %s is kept as %s", e.Request.Path, name, value)
				}
			}
		}
	}
	if replayed < 20 {
		t.Errorf("%d exchanges were replayed", replayed)
	}
}

// Fields come and go as they are, through any encoder.
func TestResourceFieldsAreKept(t *testing.T) {
	t.Parallel()
	const text = `{"id":"r","name":"n","a":1.0,"b":{"z":1,"a":[12345678901234567890,null]},"c":"\u00fc \/"}`
	var r promptrails.Resource
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if want := `{"a":1.0,"b":{"z":1,"a":[12345678901234567890,null]},"c":"\u00fc \/"}`; string(r.Fields) != want {
		t.Errorf("kept %s, want %s", r.Fields, want)
	}
	again, err := json.Marshal(&r)
	if err != nil || !strings.Contains(string(again), `"a":1.0,"b":{"z":1,"a":[12345678901234567890,null]}`) {
		t.Errorf("%s, %v", again, err)
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
			continue // made below, or in another way
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
		t.Fatal(len(got), err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stranger := s.NewUser("eve@example.com").InWorkspace(s.Workspace.ID)
	if _, err := stranger.Resources.Inventory(ctx); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("for a stranger: %v", err)
	}
}
