package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// sample is a service in memory with the data of a small company. Only this file uses
// package embedded.
type sample struct {
	service  *embedded.Service
	receiver *http.Server // of the webhooks
	people   []person
}

// person is someone of the sample data whom a visitor can be.
type person struct {
	Name, Email, About string
	token              promptrails.Secret
}

func (s *sample) Close() error { return errors.Join(s.receiver.Close(), s.service.Close()) }

// clock is the clock of the service. It is in the past while the data is made, so that the
// data is as old as that of a company.
type clock struct{ ago atomic.Int64 }

func (c *clock) Now() time.Time { return time.Now().Add(-time.Duration(c.ago.Load())) }

// set sets the clock to a number of days ago.
func (c *clock) set(days float64) { c.ago.Store(int64(days * float64(24*time.Hour))) }

// noNames finds no host, so that the sample data sends nothing to another machine.
var noNames = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("the sample service looks up no names")
}}

// onlyWarnings drops the lines that the service logs for each request.
type onlyWarnings struct{ slog.Handler }

func (h onlyWarnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h onlyWarnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return onlyWarnings{h.Handler.WithAttrs(attrs)}
}

func (h onlyWarnings) WithGroup(name string) slog.Handler {
	return onlyWarnings{h.Handler.WithGroup(name)}
}

// openSample starts a service and makes its data.
func openSample(ctx context.Context, log *slog.Logger) (_ *sample, err error) {
	at := &clock{}
	service, err := embedded.Open(ctx, embedded.Config{Now: at.Now, Logger: slog.New(onlyWarnings{log.Handler()}), AllowLoopbackWebhooks: true, WebhookResolver: noNames})
	if err != nil {
		return nil, err
	}
	s := &sample{service: service, receiver: &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(receive)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = s.receiver.Serve(listener) }() // until Close
	m := &maker{service: service, clock: at, hooks: "http://" + listener.Addr().String()}
	if err := m.company(ctx); err != nil {
		return nil, fmt.Errorf("sample data: %w", err)
	}
	s.people = m.people
	return s, nil
}

// receive is the receiver of the sample webhooks. One of its paths is gone, and one fails.
func receive(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/retired":
		w.WriteHeader(http.StatusGone)
	case "/overloaded":
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// maker makes the sample data.
type maker struct {
	service *embedded.Service
	clock   *clock
	hooks   string // the URL of the receiver
	people  []person
	users   map[string]*promptrails.Client // by the part of the address before the @
}

var staff = []struct{ name, about string }{
	{"Ada Okafor", "Owner. Sees and changes everything."},
	{"Grace Lindqvist", "Admin. Reviews access and the changelog."},
	{"Mei Tanaka", "User. Sees members, usage and plans, and changes little."},
	{"Noor Haddad", "Invited, and not a member of a workspace yet."},
	{"Mateo Ruiz", ""},
	{"Jonas Weber", ""},
	{"Priya Nair", ""},
	{"Tomasz Nowak", ""},
	{"Sofia Costa", ""},
}

// company makes the people and workspaces, from the oldest to the newest change.
func (m *maker) company(ctx context.Context) error {
	m.clock.set(54)
	m.users = map[string]*promptrails.Client{}
	for _, p := range staff {
		var first, last string
		_, _ = fmt.Sscan(p.name, &first, &last)
		user, err := m.service.CreateUser(ctx, lower(first)+"@example.com", p.name)
		if err != nil {
			return err
		}
		if m.users[lower(first)], err = m.service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal())); err != nil {
			return err
		}
		if p.about != "" {
			m.people = append(m.people, person{p.name, user.Email, p.about, user.AccessToken})
		}
	}
	robotics, err := m.workspace(ctx, "Halden Robotics", "halden-robotics", promptrails.PlanPro)
	if err != nil {
		return err
	}
	for i, name := range []string{"grace", "mateo", "mei", "jonas", "priya", "tomasz"} {
		role := promptrails.RoleUser
		if i < 2 {
			role = promptrails.RoleAdmin
		}
		m.clock.set(53.5 - float64(i)/2)
		if err := m.join(ctx, robotics, name, role); err != nil {
			return err
		}
	}
	agents, err := m.product(ctx, robotics)
	if err != nil {
		return err
	}
	if err := m.work(ctx, robotics, agents, 50, 23, 5, func(int) error { return nil }); err != nil {
		return err
	}
	sandbox, err := m.workspace(ctx, "Ada's Sandbox", "adas-sandbox", promptrails.PlanFree)
	if err != nil {
		return err
	}
	labs, err := m.workspace(ctx, "Halden Labs", "halden-labs", promptrails.PlanStarter)
	if err != nil {
		return err
	}
	if err := m.labs(ctx, labs); err != nil {
		return err
	}
	if _, err := sandbox.Billing.TopUp(ctx, promptrails.Money{Amount: 5_00, Currency: "USD"}); err != nil {
		return err
	}
	trial, err := sandbox.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "First steps"})
	if err != nil {
		return err
	}
	err = m.work(ctx, robotics, agents, 22, 1, 12, func(day int) error {
		for range 37 - day*3/2 { // more each day; most of the limit of 500 in the end
			if _, err := sandbox.Resources.Execute(ctx, trial.ID, &promptrails.ExecuteParams{Input: "Hello"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.recent(ctx, robotics)
}

func lower(name string) string { return string(name[0]|0x20) + name[1:] }

// workspace makes a workspace of Ada.
func (m *maker) workspace(ctx context.Context, name, slug string, plan promptrails.PlanID) (*promptrails.Client, error) {
	ada := m.users["ada"]
	w, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: name, Slug: slug})
	if err != nil {
		return nil, err
	}
	client := ada.InWorkspace(w.ID)
	if plan != promptrails.PlanFree {
		_, err = client.Billing.ChangePlan(ctx, plan)
	}
	return client, err
}

// join invites a person, who accepts.
func (m *maker) join(ctx context.Context, w *promptrails.Client, name string, role promptrails.Role) error {
	invitation, err := w.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: name + "@example.com", Role: role})
	if err != nil {
		return err
	}
	member, err := m.users[name].Invitations.Accept(ctx, invitation.Token)
	if err != nil {
		return err
	}
	_, err = m.users[name].InWorkspace(member.WorkspaceID).Members.Self(ctx) // the member was active
	return err
}

// product makes the credentials, agents and settings of the main workspace, and returns the
// agents.
func (m *maker) product(ctx context.Context, w *promptrails.Client) (agents []string, err error) {
	credentials := map[string]string{}
	for _, c := range []promptrails.CreateCredentialParams{
		{Name: "OpenAI production", Type: "openai", Description: "Billed to the robotics team", IsDefault: true},
		{Name: "OpenAI evaluation", Type: "openai"},
		{Name: "Anthropic", Type: "anthropic", IsDefault: true},
		{Name: "Voice of the assistant", Type: "elevenlabs"},
		{Name: "Warehouse, read only", Type: "postgresql", Description: "Replica in eu-west"},
	} {
		c.Value = promptrails.NewSecret("sample-" + rand.Text())
		made, err := w.Credentials.Create(ctx, &c)
		if err != nil {
			return nil, err
		}
		credentials[c.Name] = made.ID
	}
	if _, err := w.Credentials.CheckConnection(ctx, credentials["OpenAI evaluation"]); err != nil { // it is not a key of OpenAI
		return nil, err
	}
	for _, a := range []struct{ name, credential string }{{"Support assistant", "OpenAI production"}, {"Invoice reader", "Anthropic"}, {"Fleet planner", "OpenAI production"}} {
		agent, err := w.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": a.name, "credential_id": credentials[a.credential]})
		if err != nil {
			return nil, err
		}
		agents = append(agents, agent.ID)
	}
	if _, err := w.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": "Orders", "credential_id": credentials["Warehouse, read only"]}); err != nil {
		return nil, err
	}
	if _, err := w.Masking.Update(ctx, &promptrails.UpdateMaskingParams{Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorIPv4: false}}); err != nil {
		return nil, err
	}
	if _, err := w.Masking.SetOverride(ctx, agents[0], &promptrails.SetMaskingOverrideParams{Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorPhone: false}}); err != nil {
		return nil, err
	}
	_, err = w.Billing.TopUp(ctx, promptrails.Money{Amount: 25_00, Currency: "USD"})
	return agents, err
}

// work makes the changes and executions of each day, and calls also for others of the day.
func (m *maker) work(ctx context.Context, w *promptrails.Client, agents []string, from, to, perDay int, also func(day int) error) error {
	workspace, err := w.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{Query: "robotics"})
	if err != nil {
		return err
	}
	people := []*promptrails.Client{w}
	for _, name := range []string{"grace", "mateo", "priya"} {
		people = append(people, m.users[name].InWorkspace(workspace.Items[0].ID))
	}
	for day := from; day >= to; day-- {
		m.clock.set(float64(day) - 0.4)
		author := people[day%len(people)]
		prompt, err := author.Resources.Create(ctx, promptrails.KindPrompts, map[string]any{"name": fmt.Sprintf("Reply %d", from-day+1), "text": "Reply in the language of the customer."})
		if err != nil {
			return err
		}
		for _, tone := range []string{"friendly", "short", "formal"} {
			if _, err := author.Resources.Update(ctx, promptrails.KindPrompts, prompt.ID, map[string]any{"text": "Reply in the language of the customer, in a " + tone + " tone.", "tone": tone}); err != nil {
				return err
			}
		}
		weekend := m.clock.Now().Weekday()%6 == 0
		for i := range perDay + (day*7)%5 {
			if weekend && i > 2 {
				break
			}
			input := fmt.Sprintf("Where is order %d? Reply to customer%d@example.com.", 4000+day*10+i, day)
			if i%3 == 1 {
				input += " Or call +1 415 555 0132."
			}
			if _, err := people[i%len(people)].Resources.Execute(ctx, agents[i%len(agents)], &promptrails.ExecuteParams{Input: input}); err != nil {
				return err
			}
		}
		if _, err := w.Billing.Subscription(ctx); err != nil { // also issues the invoice of a new period
			return err
		}
		if err := also(day); err != nil {
			return err
		}
	}
	return nil
}

// labs makes a workspace in which the seats are used up.
func (m *maker) labs(ctx context.Context, w *promptrails.Client) error {
	for _, name := range []string{"grace", "jonas", "sofia", "tomasz"} { // with Ada, all five seats
		if err := m.join(ctx, w, name, promptrails.RoleUser); err != nil {
			return err
		}
	}
	for _, name := range []string{"Sensor archive", "Test reports", "Papers", "Field notes"} {
		if _, err := w.Resources.Create(ctx, promptrails.KindDataSources, map[string]any{"name": name}); err != nil {
			return err
		}
	}
	_, err := w.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "Mistral", Type: "mistral", Value: promptrails.NewSecret("sample-" + rand.Text())})
	return err
}

// recent makes the changes of today: keys, channels and an invitation.
func (m *maker) recent(ctx context.Context, w *promptrails.Client) error {
	m.clock.set(0.03)
	if err := m.keys(ctx, w); err != nil {
		return err
	}
	if _, err := w.Billing.TopUp(ctx, promptrails.Money{Amount: 20_00, Currency: "USD"}); err != nil {
		return err
	}
	m.clock.set(0) // deliveries are sent at once
	for _, c := range []promptrails.CreateChannelParams{
		{Name: "Operations", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(m.hooks + "/hooks")},
		{Name: "Old dashboard", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(m.hooks + "/retired"), Events: []promptrails.EventType{promptrails.EventUsageThreshold}},
		{Name: "Pager", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(m.hooks + "/overloaded"), Events: []promptrails.EventType{promptrails.EventUsageLimitReached, promptrails.EventExecutionFailed}},
	} {
		channel, err := w.Notifications.CreateChannel(ctx, &c)
		if err != nil {
			return err
		}
		if _, err := w.Notifications.TestChannel(ctx, channel.ID); err != nil {
			return err
		}
	}
	if err := m.join(ctx, w, "sofia", promptrails.RoleUser); err != nil { // also an event for the channel
		return err
	}
	_, err := w.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "noor@example.com", Role: promptrails.RoleUser})
	return err
}

func (m *maker) keys(ctx context.Context, w *promptrails.Client) error {
	made := map[string]*promptrails.CreatedAPIKey{}
	for _, k := range []promptrails.CreateAPIKeyParams{
		{Name: "Emergency access", Scopes: promptrails.Scopes{promptrails.ScopeAll}, AllowedIPs: []string{"192.0.2.0/24"}},
		{Name: "Nightly export", Scopes: promptrails.Scopes{promptrails.ScopeChangelogRead, promptrails.ScopeBillingRead}, ExpiresAt: time.Now().Add(6 * 24 * time.Hour)},
		{Name: "Web widget", Scopes: promptrails.Scopes{promptrails.ScopeAgentsExecute}, AllowedOrigins: []string{"https://*.example.com"}},
		{Name: "Deployment", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsWrite, promptrails.ScopePromptsWrite}},
		{Name: "Old reports", Scopes: promptrails.Scopes{promptrails.ScopeExecutionsRead}},
		{Name: "Dashboard", Scopes: promptrails.Scopes{promptrails.ScopeCredentialsRead, promptrails.ScopeBillingRead}},
	} {
		key, err := w.APIKeys.Create(ctx, &k)
		if err != nil {
			return err
		}
		made[k.Name] = key
	}
	if _, err := w.APIKeys.Rotate(ctx, made["Deployment"].ID, 48*time.Hour); err != nil {
		return err
	}
	if err := w.APIKeys.Revoke(ctx, made["Old reports"].ID); err != nil {
		return err
	}
	dashboard, err := m.service.Client(promptrails.WithAPIKey(made["Dashboard"].Key.Reveal()))
	if err != nil {
		return err
	}
	_, err = dashboard.Credentials.List(ctx, nil) // the key has a last use
	return err
}
