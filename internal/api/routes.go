package api

import (
	"fmt"

	"github.com/promptrails-community/promptrails-go/internal/service"
)

// route is one operation of the API. openapi.yaml declares it, and [handlers]
// has its handler.
type route struct {
	method, path string // the path below Prefix
	need         service.Need
	status       int // of a successful response
	handle       handler
}

// routes returns the routes of the API. It panics if an operation has no
// handler, or a handler has no operation.
func routes() (all []route) {
	handlers := handlers()
	for _, op := range operations() {
		handle := handlers[op.name()]
		if handle == nil {
			panic("no handler for " + op.name() + " of openapi.yaml")
		}
		delete(handlers, op.name())
		all = append(all, route{op.method, op.path, op.need(), op.status(), handle})
	}
	for name := range handlers {
		panic("no operation " + name + " in openapi.yaml")
	}
	return all
}

// handlers returns the handler of each operation, by its operationId, or by
// method and path for operations without one.
func handlers() map[string]handler {
	type x = *service.Session
	all := map[string]handler{
		"Me": read(plain(x.Me)),

		"Workspaces.List":              read(byQuery(x.Workspaces)),
		"Workspaces.Create":            write(byBody(x.CreateWorkspace)),
		"Workspaces.Get":               read(plain(x.Workspace)),
		"Workspaces.Update":            write(byBody(x.UpdateWorkspace)),
		"Workspaces.Delete":            removeBy(x.DeleteWorkspace),
		"Workspaces.TransferOwnership": write(byBody(x.TransferOwnership)),

		"Members.List":       read(byQuery(x.Members)),
		"Members.Self":       read(plain(x.Self)),
		"Members.Leave":      removeBy(func(s x, _ string, q *service.RevokeQuery) error { return s.Leave(q) }),
		"Members.Get":        read(byID(x.Member)),
		"Members.UpdateRole": updateMember,
		"Members.Remove":     removeBy(x.RemoveMember),

		"Invitations.List":   read(byQuery(x.Invitations)),
		"Invitations.Create": write(byBody(x.CreateInvitation)),
		"Invitations.Accept": write(byBody(x.AcceptInvitation)),
		"Invitations.Get":    read(byID(x.Invitation)),
		"Invitations.Revoke": remove(x.RevokeInvitation),
		"Invitations.Resend": write(byID(x.ResendInvitation)),

		"Credentials.List":                   read(byQuery(x.Credentials)),
		"Credentials.Create":                 write(byBody(x.CreateCredential)),
		"Credentials.Get":                    read(byID(x.Credential)),
		"Credentials.Update":                 write(byIDAndBody(x.UpdateCredential)),
		"Credentials.Delete":                 removeBy(x.DeleteCredential),
		"Credentials.Usage":                  read(byID(x.CredentialUsage)),
		"Credentials.SetDefault":             write(byID(x.SetDefaultCredential)),
		"POST /credentials/{id}/set-default": write(byID(x.SetDefaultCredential)),
		"Credentials.CheckConnection":        checkCredential,

		"APIKeys.List":    flushed(read(byQuery(x.APIKeys))),
		"APIKeys.Create":  write(byBody(x.CreateAPIKey)),
		"APIKeys.Current": read(plain(x.CurrentAPIKey)),
		"APIKeys.Verify":  read(byBody(x.VerifyAPIKey)),
		"APIKeys.Get":     read(byID(x.APIKey)),
		"APIKeys.Update":  write(byIDAndBody(x.UpdateAPIKey)),
		"APIKeys.Revoke":  remove(x.RevokeAPIKey),
		"APIKeys.Rotate":  write(byIDAndBody(x.RotateAPIKey)),

		"Notifications.ListChannels":   read(byQuery(x.Channels)),
		"Notifications.CreateChannel":  createChannel,
		"Notifications.GetChannel":     read(byID(x.Channel)),
		"Notifications.UpdateChannel":  updateChannel,
		"Notifications.DeleteChannel":  remove(x.DeleteChannel),
		"Notifications.TestChannel":    write(byID(x.TestChannel)),
		"Notifications.RotateSecret":   write(byID(x.RotateChannelSecret)),
		"Notifications.ListDeliveries": read(byIDAndQuery(x.Deliveries)),
		"Notifications.Redeliver":      write(byID(x.Redeliver)),

		"Masking.Get":            read(plain(x.Masking)),
		"Masking.Update":         write(byBody(x.UpdateMasking)),
		"Masking.ListOverrides":  read(byQuery(x.MaskingOverrides)),
		"Masking.SetOverride":    write(byIDAndBody(x.SetMaskingOverride)),
		"Masking.DeleteOverride": remove(x.DeleteMaskingOverride),
		"Masking.Preview":        read(byBody(x.PreviewMasking)),

		"Changelog.List": read(byQuery(x.Changelog)),
		"Changelog.Head": read(plain(x.ChangelogHead)),
		"Changelog.Get":  read(byID(x.ChangelogEntry)),

		"Billing.Plans":            read(byQuery(x.Plans)),
		"Billing.Subscription":     settled(read(plain(x.Subscription))),
		"Billing.ChangePlan":       write(byBody(x.ChangePlan)),
		"Billing.Usage":            read(plain(x.Usage)),
		"Billing.ListInvoices":     settled(read(byQuery(x.Invoices))),
		"Billing.GetInvoice":       settled(read(byID(x.Invoice))),
		"Billing.Balance":          read(plain(x.Balance)),
		"Billing.ListTransactions": read(byQuery(x.Transactions)),
		"Billing.TopUp":            write(byBody(x.TopUp)),

		"Resources.Execute":              execute,
		"GET /executions/{id}/tree":      read(byID(x.ExecutionTree)),
		"GET /executions/approval-inbox": read(byQuery(x.ApprovalInbox)),
		"POST /executions/{id}/approve":  write(orEmpty(byIDAndBody(x.Approve))),
		"POST /executions/{id}/deny":     write(orEmpty(byIDAndBody(x.Deny))),
		"POST /executions/{id}/cancel":   write(orEmpty(byIDAndBody(x.Cancel))),
		"POST /approvals/{id}/decide":    write(byIDAndBody(x.DecideApproval)),

		"GET /traces/summary": read(plain(x.SummarizeTraces)),
		"Masking.Report":      read(byQuery(x.MaskedReport)),

		"POST /agents/{agent_id}/memories/search": read(byIDAndBody(x.SearchMemories)),
		"DELETE /agents/{agent_id}/memories":      remove(x.ClearMemories),
	}
	for name, handle := range resourceHandlers() {
		if all[name] != nil {
			panic(fmt.Sprintf("two handlers for %s", name))
		}
		all[name] = handle
	}
	return all
}
