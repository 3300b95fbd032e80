package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// twoPeople returns clients of two users of an embedded service. Use
// promptrails.NewClient to connect to a real service.
func twoPeople(ctx context.Context) (ada, grace *promptrails.Client, done func()) {
	service, err := embedded.Open(ctx, embedded.Config{DefaultPlan: promptrails.PlanStarter, AllowLoopbackWebhooks: true})
	if err != nil {
		log.Fatal(err)
	}
	person := func(email, name string) *promptrails.Client {
		user, err := service.CreateUser(ctx, email, name)
		if err != nil {
			log.Fatal(err)
		}
		client, err := service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
		if err != nil {
			log.Fatal(err)
		}
		return client
	}
	return person("ada@example.com", "Ada"), person("grace@example.com", "Grace"), func() {
		if err := service.Close(); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleWorkspacesService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()

	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	workspace, err = ada.Workspaces.Update(ctx, workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new("Research & Development")})
	if err != nil {
		log.Fatal(err)
	}
	for workspace, err := range ada.Workspaces.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(workspace.Slug, workspace.Name, workspace.Role)
	}
	_, err = ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Again", Slug: workspace.Slug})
	fmt.Println(errors.Is(err, promptrails.ErrConflict))
	// Output:
	// research Research & Development owner
	// true
}

func ExampleMembersService() {
	ctx := context.Background()
	ada, grace, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	invitation, err := ada.InWorkspace(workspace.ID).Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if err != nil {
		log.Fatal(err)
	}
	member, err := grace.Invitations.Accept(ctx, invitation.Token)
	if err != nil {
		log.Fatal(err)
	}

	members := ada.InWorkspace(workspace.ID).Members
	if _, err := members.UpdateRole(ctx, member.ID, promptrails.RoleAdmin, promptrails.WithIfMatch(member.Version)); err != nil {
		log.Fatal(err)
	}
	for member, err := range members.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(member.Name, member.Role)
	}
	// Output:
	// Grace admin
	// Ada owner
}

func ExampleInvitationsService() {
	ctx := context.Background()
	ada, grace, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}

	invitation, err := ada.InWorkspace(workspace.ID).Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(invitation.Status, invitation.Token) // send Token.Reveal() to the invitee
	member, err := grace.Invitations.Accept(ctx, invitation.Token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(member.Email, member.Role)
	// Output:
	// pending [redacted]
	// grace@example.com user
}

func ExampleChangelogService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := ada.Workspaces.Update(ctx, workspace.ID, &promptrails.UpdateWorkspaceParams{Name: new("R&D")}); err != nil {
		log.Fatal(err)
	}

	changelog := ada.InWorkspace(workspace.ID).Changelog
	for entry, err := range changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Sequence, entry.Actor.Name, entry.Action, entry.Resource.Type)
		if name, ok := entry.Changes.Get("name"); ok && entry.Action == promptrails.ActionUpdated {
			fmt.Printf("  name: %s → %s\n", name.From, name.To)
		}
	}
	// Output:
	// 1 Ada created workspace
	// 2 Ada created member
	// 3 Ada updated workspace
	//   name: "Research" → "R&D"
}

func ExampleClient_Do() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()

	var me struct {
		Email string `json:"email"`
	}
	if err := ada.Do(ctx, "GET", "/me", nil, &me); err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Email)
	// Output: ada@example.com
}

func ExampleCredentialsService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}

	credentials := ada.InWorkspace(workspace.ID).Credentials
	credential, err := credentials.Create(ctx, &promptrails.CreateCredentialParams{
		Name: "OpenAI", Type: "openai", Value: promptrails.NewSecret("sk-made-up-value-0001"), IsDefault: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(credential.Category, credential.MaskedContent)

	// A new value rotates the secret.
	credential, err = credentials.Update(ctx, credential.ID, &promptrails.UpdateCredentialParams{Value: new(promptrails.NewSecret("sk-made-up-value-0002"))})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(credential.MaskedContent)
	// Output:
	// llm sk****************01
	// sk****************02
}

func ExampleAPIKeysService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}

	keys := ada.InWorkspace(workspace.ID).APIKeys
	key, err := keys.Create(ctx, &promptrails.CreateAPIKeyParams{
		Name: "CI", Scopes: promptrails.Scopes{promptrails.ScopeMembersRead}, AllowedIPs: []string{"203.0.113.0/24"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Status, key.Scopes, key.Key) // key.Key.Reveal() returns the key; store it now

	// The old key remains valid for one hour.
	if _, err := keys.Rotate(ctx, key.ID, time.Hour); err != nil {
		log.Fatal(err)
	}
	verified, err := keys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: key.Key, IP: "198.51.100.7"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verified.Valid, verified.Code, verified.APIKey.Status)
	// Output:
	// active members:read [redacted]
	// false ip_not_allowed rotating
}

// Protect an HTTP handler with PromptRails API keys.
func ExampleAuthenticator() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	ada = ada.InWorkspace(workspace.ID)
	key, err := ada.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "Dashboard", Scopes: promptrails.Scopes{promptrails.ScopeTracesRead}})
	if err != nil {
		log.Fatal(err)
	}

	auth, err := promptrails.NewAuthenticator(ada, promptrails.WithAuthCacheTTL(10*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := promptrails.PrincipalFromContext(r.Context())
		_, _ = fmt.Fprint(w, "reports for ", key.Name)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /reports", auth.Middleware(promptrails.ScopeTracesRead)(reports))
	mux.Handle("DELETE /reports", auth.Middleware(promptrails.ScopeTracesWrite)(reports))

	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		r := httptest.NewRequestWithContext(ctx, method, "/reports", nil)
		r.Header.Set("Authorization", "Bearer "+key.Key.Reveal())
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 reports for Dashboard
	// 403 {"error":{"code":"insufficient_scope","message":"the API key lacks a scope","details":{"required":"traces:write","granted":["traces:read"]}}}
}

// A call that requires a scope the key lacks fails before a request is sent.
func ExampleWithScopes() {
	client, err := promptrails.NewClient(promptrails.WithAPIKey("pr_live_example"), promptrails.WithScopes(promptrails.ScopeMembersRead))
	if err != nil {
		log.Fatal(err)
	}
	err = client.Credentials.Delete(context.Background(), "2N8Dx8a2a1qUspBKbP02vqP29eH", nil)
	if refused, ok := errors.AsType[*promptrails.ScopeError](err); ok {
		fmt.Println("ask for a key with the scope", refused.Required)
	}
	fmt.Println(err)
	// Output:
	// ask for a key with the scope credentials:write
	// promptrails: DELETE /credentials/{id}: request not sent: the API key requires the scope credentials:write; it has members:read
}

func ExampleResourcesService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}

	resources := ada.InWorkspace(workspace.ID).Resources
	agent, err := resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Scout", "labels": []string{"eu"}})
	if err != nil {
		log.Fatal(err)
	}
	var fields struct {
		Labels []string `json:"labels"`
	}
	if err := agent.Decode(&fields); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is %s: %v\n", agent.Name, agent.Status, fields.Labels)

	// Memories belong to an agent.
	if _, err := resources.Create(ctx, promptrails.KindMemories.Of(agent.ID), map[string]any{"content": "likes rain"}); err != nil {
		log.Fatal(err)
	}
	execution, err := resources.Execute(ctx, agent.ID, &promptrails.ExecuteParams{Input: "Will it rain?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the execution is", execution.Status)

	// A reference to an object outside the workspace is rejected.
	_, err = resources.Create(ctx, promptrails.KindPrompts, map[string]any{"name": "Greeting", "agent_id": "2N8Dx8a2a1qUspBKbP02vqP29eH"})
	fmt.Println(errors.Is(err, promptrails.ErrNotFound))

	counts, err := resources.Inventory(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(counts[promptrails.KindAgents], counts[promptrails.KindMemories], counts[promptrails.KindExecutions])
	// Output:
	// Scout is active: [eu]
	// the execution is completed
	// true
	// 1 1 1
}

func ExampleBillingService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}

	billing := ada.InWorkspace(workspace.ID).Billing
	subscription, err := billing.ChangePlan(ctx, promptrails.PlanPro)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(subscription.Plan, subscription.Price)

	usage, err := billing.Usage(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range usage.Headroom()[:2] {
		fmt.Printf("%s: %d left\n", h.Key, h.Left)
	}

	transaction, err := billing.TopUp(ctx, promptrails.Money{Amount: 2500, Currency: "USD"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(transaction.Description)
	// Output:
	// pro USD 199.00
	// team_members: 19 left
	// monthly_executions: 100000 left
	// Top-up of USD 25.00
}

// Receive a webhook when a member joins.
func ExampleNotificationsService() {
	ctx := context.Background()
	ada, grace, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	in := ada.InWorkspace(workspace.ID)

	events := make(chan *promptrails.Event)
	secrets := make(chan promptrails.Secret, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := promptrails.ParseWebhook(r.Header, body, <-secrets)
		if err != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		events <- event
	}))
	defer receiver.Close()
	channel, err := in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
		Name: "Hook", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(receiver.URL + "/hooks/1"),
		Events: []promptrails.EventType{promptrails.EventMemberJoined},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the secret prints as", channel.Secret)
	secrets <- channel.Secret

	invitation, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := grace.Invitations.Accept(ctx, invitation.Token); err != nil {
		log.Fatal(err)
	}
	event := <-events
	if member, ok := event.Data.(*promptrails.MemberEvent); ok {
		fmt.Println(event.Type, member.Email, member.Role)
	}
	// Output:
	// the secret prints as [redacted]
	// member.joined grace@example.com user
}

func ExampleMaskingService() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}
	in := ada.InWorkspace(workspace.ID)
	if _, err := in.Billing.ChangePlan(ctx, promptrails.PlanPro); err != nil {
		log.Fatal(err)
	}

	settings, err := in.Masking.Update(ctx, &promptrails.UpdateMaskingParams{
		Enabled: new(true), Detectors: map[promptrails.Detector]bool{promptrails.DetectorIPv4: false},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(settings.Enabled, settings.Detectors[promptrails.DetectorEmail], settings.Detectors[promptrails.DetectorIPv4])

	text := "grace@example.com paid with 4111 1111 1111 1111 from 192.0.2.1"
	preview, err := in.Masking.Preview(ctx, text, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, found := range preview.Matches {
		fmt.Println(found.Detector, text[found.Start:found.End], strings.Contains(preview.Masked, found.Placeholder))
	}
	// Output:
	// true true false
	// email grace@example.com true
	// credit_card 4111 1111 1111 1111 true
}

// Handle the webhooks of a channel.
func ExampleParseWebhook() {
	secret := promptrails.NewSecret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") // from CreateChannel
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "too long", http.StatusRequestEntityTooLarge)
			return
		}
		event, err := promptrails.ParseWebhook(r.Header, body, secret)
		if err != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		// Respond with 2xx, and return, if event.ID was already processed.
		switch data := event.Data.(type) {
		case *promptrails.UsageEvent:
			fmt.Println(data.Limit, "usage is at", data.Percent, "percent")
		case *promptrails.MemberEvent:
			fmt.Println(data.Email, event.Type)
		}
	})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/1", nil))
	fmt.Println(w.Code)
	// Output: 401
}

// Verify a changelog while reading it, and store the head for the next check.
func ExampleVerifyChangelog() {
	ctx := context.Background()
	ada, _, done := twoPeople(ctx)
	defer done()
	workspace, err := ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	if err != nil {
		log.Fatal(err)
	}

	changelog := ada.InWorkspace(workspace.ID).Changelog
	oldestFirst := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}
	head, err := promptrails.VerifyChangelog(changelog.All(ctx, oldestFirst), &promptrails.ChangelogHead{WorkspaceID: workspace.ID})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified up to", head.Sequence)

	// The next check starts with the last verified entry.
	fromHere := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, SequenceFrom: head.Sequence}
	head, err = promptrails.VerifyChangelog(changelog.All(ctx, fromHere), head)
	fmt.Println(head.Sequence, err)
	// Output:
	// verified up to 2
	// 2 <nil>
}
