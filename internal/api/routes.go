package api

import (
	"net/http"

	"github.com/promptrails-community/promptrails-go/internal/service"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// route is one operation of the API.
type route struct {
	method, path string // the path below Prefix
	need         need
	handle       handler
}

type need = service.Need

type handler func(*call) (*service.Answer, error)

// routes is the whole API.
func routes() []route {
	type x = *service.Session
	return append(resourceRoutes(), []route{
		{"GET", "/me", need{Place: nowhere}, get(x.Me)},

		{"GET", "/workspaces", need{Scope: promptrails.ScopeWorkspacesRead, Place: nowhere}, list(x.Workspaces)},
		{"POST", "/workspaces", need{Place: nowhere}, create(x.CreateWorkspace)},
		{"GET", "/workspaces/{id}", need{Scope: promptrails.ScopeWorkspacesRead, Role: user, Place: byPath}, get(x.Workspace)},
		{"PATCH", "/workspaces/{id}", need{Scope: promptrails.ScopeWorkspacesWrite, Role: admin, Place: byPath}, change(x.UpdateWorkspace)},
		{"DELETE", "/workspaces/{id}", need{Role: owner, Place: byPath}, removeBy(x.DeleteWorkspace)},
		{"POST", "/workspaces/{id}/transfer", need{Role: owner, Place: byPath}, change(x.TransferOwnership)},

		{"GET", "/members", need{Scope: promptrails.ScopeMembersRead, Role: user}, list(x.Members)},
		{"GET", "/members/me", need{Role: user}, get(x.Self)},
		{"DELETE", "/members/me", need{Role: user}, removeBy(func(x *service.Session, _ string, q *service.RevokeQuery) error { return x.Leave(q) })},
		{"GET", "/members/{id}", need{Scope: promptrails.ScopeMembersRead, Role: user}, getID(x.Member)},
		// Whether the member is the caller, who may leave, is seen inside.
		{"PATCH", "/members/{id}", need{Scope: promptrails.ScopeMembersWrite, Role: user}, updateBy(x.UpdateMember)},
		{"DELETE", "/members/{id}", need{Scope: promptrails.ScopeMembersWrite, Role: user}, removeBy(x.RemoveMember)},

		{"GET", "/invitations", need{Scope: promptrails.ScopeMembersRead, Role: admin}, list(x.Invitations)},
		{"POST", "/invitations", need{Scope: promptrails.ScopeMembersWrite, Role: admin}, create(x.CreateInvitation)},
		{"POST", "/invitations/accept", need{Place: nowhere}, change(x.AcceptInvitation)},
		{"GET", "/invitations/{id}", need{Scope: promptrails.ScopeMembersRead, Role: admin}, getID(x.Invitation)},
		{"DELETE", "/invitations/{id}", need{Scope: promptrails.ScopeMembersWrite, Role: admin}, removeID(x.RevokeInvitation)},
		{"POST", "/invitations/{id}/resend", need{Scope: promptrails.ScopeMembersWrite, Role: admin}, act(x.ResendInvitation)},

		{"GET", "/credentials", need{Scope: promptrails.ScopeCredentialsRead, Role: user}, list(x.Credentials)},
		{"POST", "/credentials", need{Scope: promptrails.ScopeCredentialsWrite, Role: admin}, create(x.CreateCredential)},
		{"GET", "/credentials/{id}", need{Scope: promptrails.ScopeCredentialsRead, Role: user}, getID(x.Credential)},
		{"PATCH", "/credentials/{id}", need{Scope: promptrails.ScopeCredentialsWrite, Role: admin}, update(x.UpdateCredential)},
		{"DELETE", "/credentials/{id}", need{Scope: promptrails.ScopeCredentialsWrite, Role: admin}, removeBy(x.DeleteCredential)},
		{"GET", "/credentials/{id}/usage", need{Scope: promptrails.ScopeCredentialsRead, Role: admin}, getID(x.CredentialUsage)},
		{"POST", "/credentials/{id}/default", need{Scope: promptrails.ScopeCredentialsWrite, Role: admin}, act(x.SetDefaultCredential)},
		{"POST", "/credentials/{id}/set-default", need{Scope: promptrails.ScopeCredentialsWrite, Role: admin}, act(x.SetDefaultCredential)},
		{"POST", "/credentials/{id}/check", need{Scope: promptrails.ScopeCredentialsWrite, Role: admin}, checkCredential},

		{"GET", "/api-keys", need{Scope: promptrails.ScopeAPIKeysRead, Role: admin}, flushed(list(x.APIKeys))},
		{"POST", "/api-keys", need{Scope: promptrails.ScopeAPIKeysWrite, Role: admin}, create(x.CreateAPIKey)},
		{"GET", "/api-keys/current", need{AnyKey: true, Place: nowhere}, get(x.CurrentAPIKey)},
		{"POST", "/api-keys/verify", need{Scope: promptrails.ScopeAPIKeysVerify, Role: admin}, ask(x.VerifyAPIKey)},
		{"GET", "/api-keys/{id}", need{Scope: promptrails.ScopeAPIKeysRead, Role: admin}, getID(x.APIKey)},
		{"PATCH", "/api-keys/{id}", need{Scope: promptrails.ScopeAPIKeysWrite, Role: admin}, update(x.UpdateAPIKey)},
		{"DELETE", "/api-keys/{id}", need{Scope: promptrails.ScopeAPIKeysWrite, Role: admin}, removeID(x.RevokeAPIKey)},
		{"POST", "/api-keys/{id}/rotate", need{Scope: promptrails.ScopeAPIKeysWrite, Role: admin}, makeFrom(x.RotateAPIKey)},

		{"GET", "/notification-channels", need{Scope: promptrails.ScopeNotificationsRead, Role: admin}, list(x.Channels)},
		{"POST", "/notification-channels", need{Scope: promptrails.ScopeNotificationsWrite, Role: admin}, createChannel},
		{"GET", "/notification-channels/{id}", need{Scope: promptrails.ScopeNotificationsRead, Role: admin}, getID(x.Channel)},
		{"PATCH", "/notification-channels/{id}", need{Scope: promptrails.ScopeNotificationsWrite, Role: admin}, updateChannel},
		{"DELETE", "/notification-channels/{id}", need{Scope: promptrails.ScopeNotificationsWrite, Role: admin}, removeID(x.DeleteChannel)},
		{"POST", "/notification-channels/{id}/test", need{Scope: promptrails.ScopeNotificationsWrite, Role: admin}, makeOf(x.TestChannel)},
		{"POST", "/notification-channels/{id}/rotate-secret", need{Scope: promptrails.ScopeNotificationsWrite, Role: admin}, makeOf(x.RotateChannelSecret)},
		{"GET", "/notification-channels/{id}/deliveries", need{Scope: promptrails.ScopeNotificationsRead, Role: admin}, listIn(x.Deliveries)},
		{"POST", "/notification-deliveries/{id}/redeliver", need{Scope: promptrails.ScopeNotificationsWrite, Role: admin}, makeOf(x.Redeliver)},

		{"GET", "/data-masking", need{Scope: promptrails.ScopeMaskingRead, Role: admin}, get(x.Masking)},
		{"PATCH", "/data-masking", need{Scope: promptrails.ScopeMaskingWrite, Role: admin}, change(x.UpdateMasking)},
		{"GET", "/data-masking/overrides", need{Scope: promptrails.ScopeMaskingRead, Role: admin}, list(x.MaskingOverrides)},
		{"PUT", "/data-masking/overrides/{agent_id}", need{Scope: promptrails.ScopeMaskingWrite, Role: admin}, ofAgent(update(x.SetMaskingOverride))},
		{"DELETE", "/data-masking/overrides/{agent_id}", need{Scope: promptrails.ScopeMaskingWrite, Role: admin}, ofAgent(removeID(x.DeleteMaskingOverride))},
		{"POST", "/data-masking/preview", need{Scope: promptrails.ScopeMaskingRead, Role: admin}, ask(x.PreviewMasking)},

		{"GET", "/changelog", need{Scope: promptrails.ScopeChangelogRead, Role: admin}, list(x.Changelog)},
		{"GET", "/changelog/head", need{Scope: promptrails.ScopeChangelogRead, Role: admin}, get(x.ChangelogHead)},
		{"GET", "/changelog/{id}", need{Scope: promptrails.ScopeChangelogRead, Role: admin}, getID(x.ChangelogEntry)},

		{"GET", "/billing/plans", need{AnyKey: true, Role: user, Place: nowhere}, list(x.Plans)},
		{"GET", "/billing/subscription", need{Scope: promptrails.ScopeBillingRead, Role: admin}, settled(get(x.Subscription))},
		{"PATCH", "/billing/subscription", need{Scope: promptrails.ScopeBillingWrite, Role: admin}, change(x.ChangePlan)},
		{"GET", "/billing/usage", need{Scope: promptrails.ScopeBillingRead, Role: user}, get(x.Usage)},
		{"GET", "/billing/invoices", need{Scope: promptrails.ScopeBillingRead, Role: admin}, settled(list(x.Invoices))},
		{"GET", "/billing/invoices/{id}", need{Scope: promptrails.ScopeBillingRead, Role: admin}, settled(getID(x.Invoice))},
		{"GET", "/billing/balance", need{Scope: promptrails.ScopeBillingRead, Role: admin}, get(x.Balance)},
		{"GET", "/billing/balance/transactions", need{Scope: promptrails.ScopeBillingRead, Role: admin}, list(x.Transactions)},
		{"POST", "/billing/balance/top-ups", need{Scope: promptrails.ScopeBillingWrite, Role: admin}, create(x.TopUp)},

		{"POST", "/agents/{id}/execute", need{Scope: promptrails.ScopeAgentsExecute, Role: user}, execute},
		{"GET", "/executions/{id}/tree", need{Scope: promptrails.ScopeExecutionsRead, Role: user}, getID(x.ExecutionTree)},
		{"GET", "/executions/approval-inbox", need{Scope: promptrails.ScopeApprovalsRead, Role: user}, list(x.ApprovalInbox)},
		// Who may decide is seen inside.
		{"POST", "/executions/{id}/approve", need{Scope: promptrails.ScopeApprovalsWrite, Role: user}, decide(x.Approve)},
		{"POST", "/executions/{id}/deny", need{Scope: promptrails.ScopeApprovalsWrite, Role: user}, decide(x.Deny)},
		{"POST", "/executions/{id}/cancel", need{Scope: promptrails.ScopeAgentsExecute, Role: user}, decide(x.Cancel)},
		{"POST", "/approvals/{id}/decide", need{Scope: promptrails.ScopeApprovalsWrite, Role: user}, update(x.DecideApproval)},

		{"GET", "/traces/summary", need{Scope: promptrails.ScopeTracesRead, Role: user}, get(x.SummarizeTraces)},
		{"GET", "/traces/pii-report", need{Scope: promptrails.ScopeTracesRead, Role: user}, getBy(x.MaskedReport)},

		{"POST", "/agents/{agent_id}/memories/search", need{Scope: promptrails.ScopeMemoriesRead, Role: user}, ofAgent(askID(x.SearchMemories))},
		{"DELETE", "/agents/{agent_id}/memories", need{Scope: promptrails.ScopeMemoriesWrite, Role: user}, ofAgent(removeID(x.ClearMemories))},
	}...)
}

const (
	user  = promptrails.RoleUser
	admin = promptrails.RoleAdmin
	owner = promptrails.RoleOwner

	byPath  = service.ByPath
	nowhere = service.Nowhere
)

// A handler is made of the method of Session that does the work, by what the
// method reads and what it answers with.

// get answers with an object that the call does not name any further.
func get[T any](fn func(*service.Session) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		return c.read(func(x *service.Session) (any, error) { return inEnvelope(fn(x)) })
	}
}

// getID answers with the object that the path names.
func getID[T any](fn func(*service.Session, string) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		return c.read(func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id())) })
	}
}

// getBy answers with an object that the query describes.
func getBy[P, T any](fn func(*service.Session, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.query(params)
		return c.read(func(x *service.Session) (any, error) { return inEnvelope(fn(x, params)) })
	}
}

// list answers with a page.
func list[P, T any](fn func(*service.Session, *P) (*service.Page[T], error)) handler {
	return listIn(func(x *service.Session, _ string, params *P) (*service.Page[T], error) { return fn(x, params) })
}

// listIn answers with a page of what belongs to the object of the path.
func listIn[P, T any](fn func(*service.Session, string, *P) (*service.Page[T], error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.query(params)
		return c.read(func(x *service.Session) (any, error) { return fn(x, c.id(), params) })
	}
}

// create answers 201 with the object that it made of the body.
func create[P, T any](fn func(*service.Session, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.fault(decodeBody(c.body, params))
		return c.act(http.StatusCreated, func(x *service.Session) (any, error) { return inEnvelope(fn(x, params)) })
	}
}

// change answers with what it changed as the body says.
func change[P, T any](fn func(*service.Session, *P) (T, error)) handler {
	return update(func(x *service.Session, _ string, params *P) (T, error) { return fn(x, params) })
}

// update answers with the object of the path, changed as the body says.
func update[P, T any](fn func(*service.Session, string, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.fault(decodeBody(c.body, params))
		return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id(), params)) })
	}
}

// updateBy is update as the query says.
func updateBy[Q, P, T any](fn func(*service.Session, string, *Q, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		query, params := new(Q), new(P)
		c.query(query)
		c.fault(decodeBody(c.body, params))
		return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id(), query, params)) })
	}
}

// makeFrom answers 201 with what it made of the object of the path, as the body
// says.
func makeFrom[P, T any](fn func(*service.Session, string, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.fault(decodeBody(c.body, params))
		return c.act(http.StatusCreated, func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id(), params)) })
	}
}

// ask answers a question that the body asks, and changes nothing.
func ask[P, T any](fn func(*service.Session, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.fault(decodeBody(c.body, params))
		return c.read(func(x *service.Session) (any, error) { return inEnvelope(fn(x, params)) })
	}
}

// askID answers a question about the object of the path.
func askID[P, T any](fn func(*service.Session, string, *P) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.fault(decodeBody(c.body, params))
		return c.read(func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id(), params)) })
	}
}

// decide answers with the execution that was decided on. The body may be omitted.
func decide(fn func(*service.Session, string, *service.DecisionBody) (*service.Resource, error)) handler {
	return func(c *call) (*service.Answer, error) {
		if len(c.body) == 0 {
			c.body = []byte("{}")
		}
		return update(fn)(c)
	}
}

// act answers with the object of the path, on which it acted.
func act[T any](fn func(*service.Session, string) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id())) })
	}
}

// makeOf answers 201 with what it made of the object of the path.
func makeOf[T any](fn func(*service.Session, string) (T, error)) handler {
	return func(c *call) (*service.Answer, error) {
		return c.act(http.StatusCreated, func(x *service.Session) (any, error) { return inEnvelope(fn(x, c.id())) })
	}
}

// removeID removes the object of the path.
func removeID(fn func(*service.Session, string) error) handler {
	return removeBy(func(x *service.Session, id string, _ *struct{}) error { return fn(x, id) })
}

// removeBy removes the object of the path as the query says.
func removeBy[P any](fn func(*service.Session, string, *P) error) handler {
	return func(c *call) (*service.Answer, error) {
		params := new(P)
		c.query(params)
		return c.act(http.StatusNoContent, func(x *service.Session) (any, error) { return nil, fn(x, c.id(), params) })
	}
}

// checkCredential asks others before it opens the transaction that keeps what
// they said.
func checkCredential(c *call) (*service.Answer, error) {
	c.noQuery()
	check, err := c.api.Service.CheckCredential(c.r.Context(), &c.request, c.id())
	if err != nil {
		return nil, err
	}
	return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(check, x.KeepCheck(c.id(), check)) })
}

// createChannel looks a URL up before it opens the transaction that keeps it.
func createChannel(c *call) (*service.Answer, error) {
	var params promptrails.CreateChannelParams
	c.noQuery()
	c.fault(decodeBody(c.body, &params))
	c.fault(c.api.Service.ChannelURLFault(c.r.Context(), &c.request, params.URL))
	return c.act(http.StatusCreated, func(x *service.Session) (any, error) { return inEnvelope(x.CreateChannel(&params)) })
}

// updateChannel does so for one that changes.
func updateChannel(c *call) (*service.Answer, error) {
	var params service.UpdateChannelBody
	c.noQuery()
	c.fault(decodeBody(c.body, &params))
	if params.URL != nil {
		c.fault(c.api.Service.ChannelURLFault(c.r.Context(), &c.request, *params.URL))
	}
	return c.act(http.StatusOK, func(x *service.Session) (any, error) { return inEnvelope(x.UpdateChannel(c.id(), &params)) })
}

// ofAgent is for a path that names an agent, whose object it is about.
func ofAgent(answer handler) handler {
	return func(c *call) (*service.Answer, error) {
		c.r.SetPathValue("id", c.parentID())
		return answer(c)
	}
}

// settled invoices what is due before it answers.
func settled(answer handler) handler {
	return func(c *call) (*service.Answer, error) {
		if err := c.api.Service.Settle(c.r.Context(), &c.request); err != nil {
			return nil, err
		}
		return answer(c)
	}
}

// flushed stores when keys were last used before it lists them by that.
func flushed(answer handler) handler {
	return func(c *call) (*service.Answer, error) {
		if c.r.URL.Query().Has("unused_since") {
			if err := c.api.Service.FlushActivity(c.r.Context()); err != nil {
				return nil, err
			}
		}
		return answer(c)
	}
}

func (c *call) id() string { return c.r.PathValue("id") }

func inEnvelope[T any](v T, err error) (any, error) { return object{v}, err }

func (c *call) read(fn func(*service.Session) (any, error)) (*service.Answer, error) {
	c.noQuery()
	var found any
	err := c.api.Service.Read(c.r.Context(), &c.request, func(x *service.Session) (err error) {
		found, err = fn(x)
		return err
	})
	if err != nil {
		return nil, err
	}
	answer, err := newAnswer(http.StatusOK, found)
	if err != nil || c.mutates() {
		return answer, err
	}
	has, err := c.request.Preconditions.NotModified(answer.ETag)
	if has {
		return &service.Answer{Status: http.StatusNotModified, ETag: answer.ETag}, nil
	}
	return answer, err
}

func (c *call) act(status int, fn func(*service.Session) (any, error)) (*service.Answer, error) {
	c.noQuery()
	return c.api.Service.Act(c.r.Context(), &c.request, func(x *service.Session) (*service.Answer, error) {
		done, err := fn(x)
		if err != nil {
			return nil, err
		}
		if status == http.StatusNoContent {
			return &service.Answer{Status: status}, nil
		}
		return newAnswer(status, done)
	})
}
