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

// The model is the rules in a few lines: what a workspace holds, who may do
// what, and when a plan is full. Whatever several people and keys do, in
// whatever order, the service answers as the model does.
type model struct {
	t       *rapid.T
	service *embedded.Service
	tokens  []string
	spaces  []*space
	agents  []*agentModel // of all workspaces, those that are deleted too
}

type space struct {
	id         string
	plan       string
	paid       bool           // a period that is paid has begun
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
	by       int // a person
	archived bool
	deleted  bool
}

var (
	modelPlans = []string{"free", "starter"}
	modelRanks = map[string]int{"user": 1, "admin": 2, "owner": 3}
)

// The limits of the plans: seats, active agents, data sources.
var modelLimits = map[string][3]int{"free": {1, 3, 1}, "starter": {5, 15, 5}}

func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		service, err := embedded.Open(context.Background(), embedded.Config{DefaultPlan: promptrails.PlanFree})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := service.Close(); err != nil {
				t.Error(err)
			}
		}()
		m := &model{t: t, service: service}
		m.prepare()
		t.Repeat(map[string]func(*rapid.T){
			"create an agent": m.createAgent, "change an agent": m.changeAgent, "delete an agent": m.deleteAgent, "execute": m.execute,
			"create a data source": m.createSource, "delete a data source": m.deleteSource, "change the plan": m.changePlan,
			"take somebody in": m.takeIn, "change a role": m.changeRole, "remove somebody": m.remove, "": m.compare,
		})
	})
}

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

// actor is a person, or a key of some workspace.
type actor struct {
	person int // -1 for a key
	key    keyModel
	space  *space // the key's
}

func (m *model) person(i int) actor { return actor{person: i} }

func (m *model) anybody() actor {
	if i := rapid.IntRange(0, 4).Draw(m.t, "actor"); i < 3 {
		return m.person(i)
	}
	s := rapid.SampledFrom(m.spaces).Draw(m.t, "key of")
	return actor{-1, rapid.SampledFrom(s.keys).Draw(m.t, "key"), s}
}

func (m *model) somewhere() *space { return rapid.SampledFrom(m.spaces).Draw(m.t, "workspace") }

// let says why an actor may not act in a workspace: 0 where it may. A key needs
// the scope, a person the role.
func (m *model) let(a actor, s *space, scope, least string) int {
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
	case modelRanks[role] < modelRanks[least]:
		return 403
	}
	return 0
}

// own says whether an actor may change what a person created.
func (m *model) own(a actor, s *space, by int) bool {
	return a.person < 0 || s.roles[a.person] != "user" || a.person == by
}

// creator is the person in whose name an actor creates.
func (a actor) creator(m *model) int {
	if a.person < 0 {
		return slices.Index(m.spaces, a.space) // the owner made the keys
	}
	return a.person
}

func (s *space) active(m *model) (n int) {
	for _, a := range m.agents {
		if a.space == s && !a.deleted && !a.archived {
			n++
		}
	}
	return n
}

func (m *model) createAgent(*rapid.T) {
	a, s, archived := m.anybody(), m.somewhere(), rapid.Bool().Draw(m.t, "archived")
	want := m.let(a, s, "agents:write", "user")
	if want == 0 && !archived && s.active(m) >= modelLimits[s.plan][1] {
		want = 402
	}
	status := "active"
	if archived {
		status = "archived"
	}
	r := m.do(a, s, "POST", "/agents", `{"name":"a","status":"`+status+`"}`)
	if r.wants(want, 201) {
		m.agents = append(m.agents, &agentModel{id: r.text("id"), space: s, by: a.creator(m), archived: archived})
	}
}

// target draws an agent, which may be of another workspace, or gone.
func (m *model) target(t *rapid.T) (actor, *space, *agentModel) {
	if len(m.agents) == 0 {
		t.Skip("no agents")
	}
	return m.anybody(), m.somewhere(), rapid.SampledFrom(m.agents).Draw(m.t, "agent")
}

func (m *model) changeAgent(t *rapid.T) {
	a, s, g := m.target(t)
	archive := rapid.Bool().Draw(m.t, "archive")
	want := m.let(a, s, "agents:write", "user")
	switch {
	case want != 0:
	case g.space != s || g.deleted:
		want = 404
	case !m.own(a, s, g.by):
		want = 403
	case g.archived && !archive && s.active(m) >= modelLimits[s.plan][1]:
		want = 402
	}
	status := "active"
	if archive {
		status = "archived"
	}
	if m.do(a, s, "PATCH", "/agents/"+g.id, `{"status":"`+status+`"}`).wants(want, 200) {
		g.archived = archive
	}
}

func (m *model) deleteAgent(t *rapid.T) {
	a, s, g := m.target(t)
	want := m.let(a, s, "agents:write", "user")
	switch {
	case want != 0:
	case g.space != s || g.deleted:
		want = 404
	case !m.own(a, s, g.by):
		want = 403
	}
	if m.do(a, s, "DELETE", "/agents/"+g.id, "").wants(want, 204) {
		g.deleted = true
	}
}

func (m *model) execute(t *rapid.T) {
	a, s, g := m.target(t)
	want := m.let(a, s, "agents:execute", "user")
	switch {
	case want != 0:
	case g.space != s || g.deleted:
		want = 404
	case g.archived:
		want = 409
	}
	if m.do(a, s, "POST", "/agents/"+g.id+"/execute", `{}`).wants(want, 201) {
		s.executions++
	}
}

func (m *model) createSource(*rapid.T) {
	a, s := m.anybody(), m.somewhere()
	want := m.let(a, s, "data_sources:write", "user")
	if want == 0 && len(s.sources) >= modelLimits[s.plan][2] {
		want = 402
	}
	if r := m.do(a, s, "POST", "/data-sources", `{"name":"d"}`); r.wants(want, 201) {
		s.sources = append(s.sources, r.text("id"))
	}
}

// deleteSource is by the owner, who may.
func (m *model) deleteSource(t *rapid.T) {
	s := m.somewhere()
	if len(s.sources) == 0 {
		t.Skip("no data sources")
	}
	m.do(m.person(slices.Index(m.spaces, s)), s, "DELETE", "/data-sources/"+s.sources[0], "").wants(0, 204)
	s.sources = s.sources[1:]
}

func (m *model) changePlan(*rapid.T) {
	a, s, plan := m.anybody(), m.somewhere(), rapid.SampledFrom(modelPlans).Draw(m.t, "plan")
	want := m.let(a, s, "billing:write", "admin")
	limits := modelLimits[plan]
	if want == 0 && plan != s.plan && (len(s.roles) > limits[0] || s.active(m) > limits[1] || len(s.sources) > limits[2]) {
		want = 409
	}
	if m.do(a, s, "PATCH", "/billing/subscription", `{"plan":"`+plan+`"}`).wants(want, 200) {
		if s.plan == "free" && plan != "free" && !s.paid {
			s.executions, s.paid = 0, true // a period begins; a later change to free and back resumes it
		}
		s.plan = plan
	}
}

func (m *model) takeIn(*rapid.T) {
	a, s, who, role := m.anybody(), m.somewhere(), rapid.IntRange(0, 2).Draw(m.t, "who"), rapid.SampledFrom([]string{"admin", "user"}).Draw(m.t, "role")
	want := m.let(a, s, "members:write", "admin")
	_, member := s.roles[who]
	switch {
	case want != 0:
	case len(s.roles) >= modelLimits[s.plan][0]:
		want = 402
	case member:
		want = 409
	}
	r := m.do(a, s, "POST", "/invitations", fmt.Sprintf(`{"email":"p%d@example.com","role":"%s"}`, who, role))
	if r.wants(want, 201) {
		s.memberIDs[who] = m.do(m.person(who), nil, "POST", "/invitations/accept", `{"token":"`+r.text("token")+`"}`).must(200).text("id")
		s.roles[who] = role
	}
}

func (m *model) changeRole(*rapid.T) {
	a, s, who, role := m.anybody(), m.somewhere(), rapid.IntRange(0, 2).Draw(m.t, "who"), rapid.SampledFrom([]string{"admin", "user"}).Draw(m.t, "role")
	want := m.let(a, s, "members:write", "user")
	acting := "admin" // a key ranks as one
	if a.person >= 0 {
		acting = s.roles[a.person]
	}
	id, member := s.memberIDs[who]
	if !member {
		id = "nobody"
	}
	switch {
	case want != 0:
	case !member && modelRanks[acting] < 2:
		return // whether 403 or 404 comes first is not the model's to say
	case !member:
		want = 404
	case a.person == who, modelRanks[acting] < 2, modelRanks[s.roles[who]] >= modelRanks[acting], modelRanks[role] > modelRanks[acting]:
		want = 403
	}
	if m.do(a, s, "PATCH", "/members/"+id, `{"role":"`+role+`"}`).wants(want, 200) {
		s.roles[who] = role
	}
}

func (m *model) remove(*rapid.T) {
	a, s, who := m.anybody(), m.somewhere(), rapid.IntRange(0, 2).Draw(m.t, "who")
	id, member := s.memberIDs[who]
	if !member {
		return
	}
	want := m.let(a, s, "members:write", "user")
	switch {
	case want != 0:
	case a.person == who && s.roles[who] == "owner":
		want = 409
	case a.person == who:
	case a.person >= 0 && s.roles[a.person] == "user", s.roles[who] == "owner":
		want = 403
	}
	if m.do(a, s, "DELETE", "/members/"+id, "").wants(want, 204) {
		delete(s.roles, who)
		delete(s.memberIDs, who)
	}
}

// compare holds what is there against the model.
func (m *model) compare(*rapid.T) {
	for i, s := range m.spaces {
		var usage struct{ Data promptrails.Usage }
		r := m.do(m.person(i), s, "GET", "/billing/usage", "").must(200)
		if err := json.Unmarshal([]byte(r.body), &usage); err != nil {
			m.t.Fatal(err)
		}
		for key, want := range map[promptrails.LimitKey]int{
			promptrails.LimitTeamMembers: len(s.roles), promptrails.LimitActiveAgents: s.active(m), promptrails.LimitDataSources: len(s.sources), promptrails.LimitMonthlyExecutions: s.executions,
		} {
			if limit, _ := usage.Data.Limit(key); limit.Used != int64(want) {
				m.t.Errorf("workspace %d uses %d of %s, want %d", i, limit.Used, key, want)
			}
		}
	}
}

// answerOf is what the service said.
type answerOf struct {
	t      *rapid.T
	what   string
	status int
	body   string
}

// wants compares the answer: refused where a status is wanted, else done. It
// reports whether it was done.
func (r answerOf) wants(refused, done int) bool {
	if refused == 0 {
		refused = done
	}
	if r.status != refused {
		r.t.Fatalf("%s: %d %s, want %d", r.what, r.status, r.body, refused)
	}
	return r.status == done
}

func (r answerOf) must(status int) answerOf {
	r.wants(0, status)
	return r
}

func (r answerOf) text(field string) string {
	var e struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		r.t.Fatal(err)
	}
	s, _ := e.Data[field].(string)
	return s
}

func (m *model) do(a actor, s *space, method, path, body string) answerOf {
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
	return answerOf{m.t, method + " " + path + " " + body, w.Code, w.Body.String()}
}
