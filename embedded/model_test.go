package embedded_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// model is a small implementation of the rules of workspaces: their content, the
// permissions of people and keys, and the limits of plans. For every sequence of
// requests, the service must return the status that the model predicts.
type model struct {
	t       *rapid.T
	service *embedded.Service
	tokens  []string
	spaces  []*space
	agents  []*agentModel // of all workspaces, including deleted agents
}

type space struct {
	id         string
	plan       string
	paid       bool           // a paid period has begun
	roles      map[int]string // by person
	memberIDs  map[int]string
	keys       []keyModel
	sources    []string
	executions int
}

type keyModel struct {
	secret string
	scopes []string
}

type agentModel struct {
	id       string
	space    *space
	creator  int // index of a person
	archived bool
	deleted  bool
}

var (
	modelPlans = []string{"free", "starter"}
	modelRanks = map[string]int{"user": 1, "admin": 2, "owner": 3}
)

// modelLimits holds the limits of each plan: seats, active agents, data sources.
var modelLimits = map[string][3]int{"free": {1, 3, 1}, "starter": {5, 15, 5}}

// The service behaves like the model in random sequences of requests.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		service, err := embedded.Open(context.Background(), embedded.Config{DefaultPlan: promptrails.PlanFree})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := service.Close(); err != nil {
				t.Errorf("Close: got %v, want no error", err)
			}
		}()
		m := &model{t: t, service: service}
		m.prepare()
		t.Repeat(map[string]func(*rapid.T){
			"create an agent": m.createAgent, "change an agent": m.changeAgent, "delete an agent": m.deleteAgent, "execute": m.execute,
			"create a data source": m.createSource, "delete a data source": m.deleteSource, "change the plan": m.changePlan,
			"add a member": m.addMember, "change a role": m.changeRole, "remove a member": m.removeMember, "": m.compare,
		})
	})
}

// prepare creates three users, and two workspaces with two keys each.
func (m *model) prepare() {
	for i := range 3 {
		user, err := m.service.CreateUser(context.Background(), fmt.Sprintf("p%d@example.com", i), "")
		if err != nil {
			m.t.Fatal(err)
		}
		m.tokens = append(m.tokens, user.AccessToken.Reveal())
	}
	for owner := range 2 {
		s := &space{plan: "free", roles: map[int]string{owner: "owner"}, memberIDs: map[int]string{}}
		s.id = m.do(m.person(owner), nil, "POST", "/workspaces", fmt.Sprintf(`{"name":"w","slug":"w%d"}`, owner)).must(201).text("id")
		s.memberIDs[owner] = m.do(m.person(owner), s, "GET", "/members/me", "").must(200).text("id")
		for _, scopes := range [][]string{{"*"}, {"agents:read", "agents:write"}} {
			list, _ := json.Marshal(scopes) //nolint:errchkjson // strings
			made := m.do(m.person(owner), s, "POST", "/api-keys", `{"name":"k","scopes":`+string(list)+`}`).must(201)
			s.keys = append(s.keys, keyModel{made.text("key"), scopes})
		}
		m.spaces = append(m.spaces, s)
	}
}

// actor is a person or an API key.
type actor struct {
	person int // -1 for a key
	key    keyModel
	space  *space // workspace of the key
}

func (m *model) person(i int) actor { return actor{person: i} }

// randomActor draws a person or a key.
func (m *model) randomActor() actor {
	if i := rapid.IntRange(0, 4).Draw(m.t, "actor"); i < 3 {
		return m.person(i)
	}
	s := rapid.SampledFrom(m.spaces).Draw(m.t, "key of")
	return actor{-1, rapid.SampledFrom(s.keys).Draw(m.t, "key"), s}
}

func (m *model) randomSpace() *space { return rapid.SampledFrom(m.spaces).Draw(m.t, "workspace") }

// denied returns the status that refuses an actor in a workspace, or 0 if the
// actor is allowed. A key requires the scope, and a person at least the role
// minRole.
func (m *model) denied(a actor, s *space, scope, minRole string) int {
	if a.person < 0 {
		switch {
		case a.space != s:
			return 404
		case !slices.Contains(a.key.scopes, "*") && !slices.Contains(a.key.scopes, scope):
			return 403
		}
		return 0
	}
	role, member := s.roles[a.person]
	switch {
	case !member:
		return 404
	case modelRanks[role] < modelRanks[minRole]:
		return 403
	}
	return 0
}

// mayChange reports whether an actor may change an object that creator created.
func (m *model) mayChange(a actor, s *space, creator int) bool {
	return a.person < 0 || s.roles[a.person] != "user" || a.person == creator
}

// creator returns the person that is recorded as the creator of an actor's
// objects. For a key, that is the person who created the key.
func (a actor) creator(m *model) int {
	if a.person < 0 {
		return slices.Index(m.spaces, a.space) // the owner created the keys
	}
	return a.person
}

// activeAgents returns the number of active agents in a workspace.
func (s *space) activeAgents(m *model) (n int) {
	for _, a := range m.agents {
		if a.space == s && !a.deleted && !a.archived {
			n++
		}
	}
	return n
}

func (m *model) createAgent(*rapid.T) {
	a, s, archived := m.randomActor(), m.randomSpace(), rapid.Bool().Draw(m.t, "archived")
	want := m.denied(a, s, "agents:write", "user")
	if want == 0 && !archived && s.activeAgents(m) >= modelLimits[s.plan][1] {
		want = 402
	}
	status := "active"
	if archived {
		status = "archived"
	}
	r := m.do(a, s, "POST", "/agents", `{"name":"a","status":"`+status+`"}`)
	if r.expect(want, 201) {
		m.agents = append(m.agents, &agentModel{id: r.text("id"), space: s, creator: a.creator(m), archived: archived})
	}
}

// randomAgent draws an actor, a workspace and an agent. The agent may be deleted
// or belong to another workspace.
func (m *model) randomAgent(t *rapid.T) (actor, *space, *agentModel) {
	if len(m.agents) == 0 {
		t.Skip("no agents")
	}
	return m.randomActor(), m.randomSpace(), rapid.SampledFrom(m.agents).Draw(m.t, "agent")
}

func (m *model) changeAgent(t *rapid.T) {
	a, s, g := m.randomAgent(t)
	archive := rapid.Bool().Draw(m.t, "archive")
	want := m.denied(a, s, "agents:write", "user")
	switch {
	case want != 0:
	case g.space != s || g.deleted:
		want = 404
	case !m.mayChange(a, s, g.creator):
		want = 403
	case g.archived && !archive && s.activeAgents(m) >= modelLimits[s.plan][1]:
		want = 402
	}
	status := "active"
	if archive {
		status = "archived"
	}
	if m.do(a, s, "PATCH", "/agents/"+g.id, `{"status":"`+status+`"}`).expect(want, 200) {
		g.archived = archive
	}
}

func (m *model) deleteAgent(t *rapid.T) {
	a, s, g := m.randomAgent(t)
	want := m.denied(a, s, "agents:write", "user")
	switch {
	case want != 0:
	case g.space != s || g.deleted:
		want = 404
	case !m.mayChange(a, s, g.creator):
		want = 403
	}
	if m.do(a, s, "DELETE", "/agents/"+g.id, "").expect(want, 204) {
		g.deleted = true
	}
}

func (m *model) execute(t *rapid.T) {
	a, s, g := m.randomAgent(t)
	want := m.denied(a, s, "agents:execute", "user")
	switch {
	case want != 0:
	case g.space != s || g.deleted:
		want = 404
	case g.archived:
		want = 409
	}
	if m.do(a, s, "POST", "/agents/"+g.id+"/execute", `{}`).expect(want, 201) {
		s.executions++
	}
}

func (m *model) createSource(*rapid.T) {
	a, s := m.randomActor(), m.randomSpace()
	want := m.denied(a, s, "data_sources:write", "user")
	if want == 0 && len(s.sources) >= modelLimits[s.plan][2] {
		want = 402
	}
	if r := m.do(a, s, "POST", "/data-sources", `{"name":"d"}`); r.expect(want, 201) {
		s.sources = append(s.sources, r.text("id"))
	}
}

// deleteSource deletes a data source as the owner, who is always allowed to.
func (m *model) deleteSource(t *rapid.T) {
	s := m.randomSpace()
	if len(s.sources) == 0 {
		t.Skip("no data sources")
	}
	m.do(m.person(slices.Index(m.spaces, s)), s, "DELETE", "/data-sources/"+s.sources[0], "").expect(0, 204)
	s.sources = s.sources[1:]
}

func (m *model) changePlan(*rapid.T) {
	a, s, plan := m.randomActor(), m.randomSpace(), rapid.SampledFrom(modelPlans).Draw(m.t, "plan")
	want := m.denied(a, s, "billing:write", "admin")
	limits := modelLimits[plan]
	if want == 0 && plan != s.plan && (len(s.roles) > limits[0] || s.activeAgents(m) > limits[1] || len(s.sources) > limits[2]) {
		want = 409
	}
	if m.do(a, s, "PATCH", "/billing/subscription", `{"plan":"`+plan+`"}`).expect(want, 200) {
		if s.plan == "free" && plan != "free" && !s.paid {
			s.executions, s.paid = 0, true // a period begins; a later change to free and back resumes it
		}
		s.plan = plan
	}
}

// addMember invites a person, who accepts the invitation.
func (m *model) addMember(*rapid.T) {
	a, s, who, role := m.randomActor(), m.randomSpace(), rapid.IntRange(0, 2).Draw(m.t, "who"), rapid.SampledFrom([]string{"admin", "user"}).Draw(m.t, "role")
	want := m.denied(a, s, "members:write", "admin")
	_, member := s.roles[who]
	switch {
	case want != 0:
	case len(s.roles) >= modelLimits[s.plan][0]:
		want = 402
	case member:
		want = 409
	}
	r := m.do(a, s, "POST", "/invitations", fmt.Sprintf(`{"email":"p%d@example.com","role":"%s"}`, who, role))
	if r.expect(want, 201) {
		s.memberIDs[who] = m.do(m.person(who), nil, "POST", "/invitations/accept", `{"token":"`+r.text("token")+`"}`).must(200).text("id")
		s.roles[who] = role
	}
}

func (m *model) changeRole(*rapid.T) {
	a, s, who, role := m.randomActor(), m.randomSpace(), rapid.IntRange(0, 2).Draw(m.t, "who"), rapid.SampledFrom([]string{"admin", "user"}).Draw(m.t, "role")
	want := m.denied(a, s, "members:write", "user")
	acting := "admin" // the rank of a key
	if a.person >= 0 {
		acting = s.roles[a.person]
	}
	id, member := s.memberIDs[who]
	if !member {
		id = "nonexistent"
	}
	switch {
	case want != 0:
	case !member && modelRanks[acting] < 2:
		return // the model does not specify whether this is 403 or 404
	case !member:
		want = 404
	case a.person == who, modelRanks[acting] < 2, modelRanks[s.roles[who]] >= modelRanks[acting], modelRanks[role] > modelRanks[acting]:
		want = 403
	}
	if m.do(a, s, "PATCH", "/members/"+id, `{"role":"`+role+`"}`).expect(want, 200) {
		s.roles[who] = role
	}
}

func (m *model) removeMember(*rapid.T) {
	a, s, who := m.randomActor(), m.randomSpace(), rapid.IntRange(0, 2).Draw(m.t, "who")
	id, member := s.memberIDs[who]
	if !member {
		return
	}
	want := m.denied(a, s, "members:write", "user")
	switch {
	case want != 0:
	case a.person == who && s.roles[who] == "owner":
		want = 409
	case a.person == who:
	case a.person >= 0 && s.roles[a.person] == "user", s.roles[who] == "owner":
		want = 403
	}
	if m.do(a, s, "DELETE", "/members/"+id, "").expect(want, 204) {
		delete(s.roles, who)
		delete(s.memberIDs, who)
	}
}

// compare compares the usage of each workspace with the model.
func (m *model) compare(*rapid.T) {
	for i, s := range m.spaces {
		var usage struct{ Data promptrails.Usage }
		r := m.do(m.person(i), s, "GET", "/billing/usage", "").must(200)
		if err := json.Unmarshal([]byte(r.body), &usage); err != nil {
			m.t.Fatal(err)
		}
		for key, want := range map[promptrails.LimitKey]int{
			promptrails.LimitTeamMembers: len(s.roles), promptrails.LimitActiveAgents: s.activeAgents(m), promptrails.LimitDataSources: len(s.sources), promptrails.LimitMonthlyExecutions: s.executions,
		} {
			if limit, _ := usage.Data.Limit(key); limit.Used != int64(want) {
				m.t.Errorf("usage of %s in workspace %d: got %d, want %d", key, i, limit.Used, want)
			}
		}
	}
}

// modelResponse is a response of the service to a request of the model.
type modelResponse struct {
	t       *rapid.T
	request string
	status  int
	body    string
}

// expect checks the status of the response. The expected status is denied, or
// success if denied is 0. It reports whether the request succeeded.
func (r modelResponse) expect(denied, success int) bool {
	want := denied
	if want == 0 {
		want = success
	}
	if r.status != want {
		r.t.Fatalf("%s: got %d %s, want %d", r.request, r.status, r.body, want)
	}
	return r.status == success
}

// must fails the test unless the response has that status.
func (r modelResponse) must(status int) modelResponse {
	r.expect(0, status)
	return r
}

// text returns a field of the object in data.
func (r modelResponse) text(field string) string {
	var e struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		r.t.Fatal(err)
	}
	s, _ := e.Data[field].(string)
	return s
}

func (m *model) do(a actor, s *space, method, path, body string) modelResponse {
	r := httptest.NewRequestWithContext(context.Background(), method, "/api/v1"+path, strings.NewReader(body))
	if a.person >= 0 {
		r.Header.Set("Authorization", "Bearer "+m.tokens[a.person])
	} else {
		r.Header.Set("X-API-Key", a.key.secret)
	}
	if s != nil {
		r.Header.Set("X-Workspace-ID", s.id)
	}
	w := httptest.NewRecorder()
	http.Handler(m.service).ServeHTTP(w, r)
	return modelResponse{m.t, method + " " + path + " " + body, w.Code, w.Body.String()}
}
