package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

var moment = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// databases runs test with each database. The function open opens an empty one.
func databases(t *testing.T, test func(t *testing.T, open func(t *testing.T) *Store)) {
	t.Helper()
	for name, dsn := range map[string]func(testing.TB) string{
		"memory":   func(testing.TB) string { return "" },
		"file":     func(t testing.TB) string { t.Helper(); return filepath.Join(t.TempDir(), "workspaces.db") },
		"postgres": pgtest.AdminDSN, // the statements are correct without row-level security
		"citus":    pgtest.Citus,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func(t *testing.T) *Store { t.Helper(); return opened(t, dsn(t)) })
		})
	}
}

// opened opens a store, which is closed after the test.
func opened(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dsn, func([]byte) error { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	})
	return s
}

// twins fills a store with the workspaces a and b. Their rows have the same IDs
// and differ only in the workspace.
func twins(t *testing.T, s *Store) {
	t.Helper()
	err := s.Write(t.Context(), func(g *Global) error {
		for _, u := range []string{"u", "v", "w"} {
			if err := g.CreateUser(&promptrails.User{ID: u, Email: u + "@example.com", Name: u}, moment); err != nil {
				return err
			}
		}
		for _, id := range []string{"a", "b"} {
			x, err := g.CreateWorkspace(&promptrails.Workspace{ID: id, Name: "in-" + id, Slug: id, Plan: promptrails.PlanID("plan in-" + id), OwnerID: "u", Version: 1, CreatedAt: moment.Add(time.Duration(id[0]) * time.Second), UpdatedAt: moment}, changelog.Genesis(id), time.Time{})
			if err != nil {
				return err
			}
			if err := fill(x, id); err != nil {
				return fmt.Errorf("fill %s: %w", id, err)
			}
			if id == "b" { // a member and entries of only one of them
				for _, e := range []string{"e2", "e3"} {
					if err := x.Append(&changelog.Entry{ID: e, Action: "created", Resource: changelog.Ref{ID: "r", Name: "in-b"}, OccurredAt: moment.Add(time.Hour)}); err != nil {
						return err
					}
				}
				if err := x.CreateMember(&promptrails.Member{ID: "m3", UserID: "w", Role: promptrails.RoleUser, Version: 1, JoinedAt: moment}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fill creates one row of each kind in a workspace.
func fill(x *Tx, in string) error {
	for _, create := range []func() error{
		func() error {
			return x.CreateMember(&promptrails.Member{ID: "m", UserID: "u", Role: promptrails.RoleOwner, Version: 1, JoinedAt: moment})
		},
		func() error { return x.CreateInvitation(invitation(in), []byte("token "+in)) },
		func() error { return x.CreateCredential(credential(in), []byte("value in-"+in)) },
		func() error { return x.CreateAPIKey(key(in), []byte("hash "+in)) },
		func() error { return x.CreateResource(agent(in)) },
		func() error { return x.CreateResource(memory(in)) },
		func() error {
			return x.AddTrace(trace(in), totals(in), map[promptrails.Detector]int{promptrails.Detector("in-" + in): 1})
		},
		func() error {
			return x.CreateInvoice(&promptrails.Invoice{ID: "i", Status: "paid", Lines: []promptrails.InvoiceLine{{Description: "in-" + in}}, PeriodStart: moment, PeriodEnd: moment, IssuedAt: moment})
		},
		func() error {
			return x.CreateTransaction(&promptrails.Transaction{ID: "t", Type: "top_up", AmountMicros: int64(in[0]), Description: "in-" + in, CreatedAt: moment})
		},
		func() error {
			return x.Append(&changelog.Entry{ID: "e", Action: "created", Resource: changelog.Ref{ID: "r", Name: "in-" + in}, OccurredAt: entered(in)})
		},
		func() error { _, err := x.Cross("active_agents", 80, moment, moment); return err },
		func() error { return x.CreateChannel(channel(in)) },
		func() error { return x.CreateDelivery(delivery(in)) },
		func() error { _, err := x.Claim("h", "s", moment, moment); return err },
		func() error {
			return x.SetMasking(&promptrails.MaskingSettings{Detectors: onlyIn(in), Version: 1, UpdatedAt: moment})
		},
		func() error { return x.CreateMaskingOverride(override(in)) },
	} {
		if err := create(); err != nil {
			return err
		}
	}
	return nil
}

// entered returns the time of the first entry of the changelog.
func entered(in string) time.Time { return moment.Add(time.Duration(in[0]) * time.Second) }

func channel(in string) *Channel {
	c := &Channel{SealedURL: []byte("url in-" + in), SealedSecret: []byte("secret in-" + in), PreviousSecret: []byte("previous")}
	c.Channel = promptrails.Channel{ID: "h", Name: "in-" + in, Type: "webhook", URL: "in-" + in, IsActive: true, Version: 1, CreatedAt: moment, UpdatedAt: moment}
	return c
}

// delivery returns a delivery. The one in a is due before the one in b.
func delivery(in string) *Delivery {
	at := moment.Add(time.Duration(in[0])*time.Hour - 1000*time.Hour)
	return &Delivery{Body: []byte("in-" + in), Delivery: promptrails.Delivery{ID: "d", ChannelID: "h", WebhookID: "in-" + in, Event: "channel.test", Status: "pending", NextAttemptAt: at, CreatedAt: moment}}
}

// onlyIn returns detectors that occur in only one workspace.
func onlyIn(in string) map[promptrails.Detector]bool {
	return map[promptrails.Detector]bool{promptrails.Detector("in-" + in): true}
}

func override(in string) *promptrails.MaskingOverride {
	return &promptrails.MaskingOverride{AgentID: "r", Detectors: onlyIn(in), Version: 1, CreatedAt: moment, UpdatedAt: moment}
}

func invitation(in string) *promptrails.Invitation {
	return &promptrails.Invitation{
		ID: "n", Email: "in-" + in + "@example.com", Role: promptrails.RoleUser, Status: "pending", InvitedBy: "u", ExpiresAt: moment.Add(time.Hour), Version: 1, CreatedAt: moment,
	}
}

func credential(in string) *promptrails.Credential {
	return &promptrails.Credential{ID: "c", Name: "in-" + in, Type: "openai", Category: "llm", IsDefault: true, Version: 1, CreatedAt: moment, UpdatedAt: moment}
}

func key(in string) *promptrails.APIKey {
	return &promptrails.APIKey{ID: "k", Name: "in-" + in, Scopes: promptrails.Scopes{"*"}, CreatedBy: "u", Version: 1, CreatedAt: moment}
}

func agent(in string) *Resource {
	return &Resource{ID: "r", Kind: "agents", Name: "in-" + in, Status: "active", CreatedBy: "u", Version: 1, CreatedAt: moment, UpdatedAt: moment, Document: `"in-` + in + `"`, References: []string{"c"}}
}

// trace returns a trace. Both workspaces have one in a session of the same ID.
func trace(in string) *Resource {
	r := agent(in)
	r.ID, r.Kind, r.References = "tr", "traces", nil
	r.Members = map[string]string{"agent_id": "r", "session_id": "se", "trace_id": "ti", "kind": "in-" + in}
	r.Document = `{"total_tokens":` + fmt.Sprint(int(in[0])) + `,"in":"in-` + in + `"}`
	return r
}

func totals(in string) TraceTotals {
	return TraceTotals{Tokens: int(in[0]), CostMicros: int(in[0]), DurationMillis: int(in[0])}
}

func memory(in string) *Resource {
	r := agent(in)
	r.ID, r.Kind, r.Parent = "s", "memories", "r"
	return r
}

// rows returns all stored rows of a workspace as text.
func rows(t *testing.T, s *Store, workspace string) string {
	t.Helper()
	var out strings.Builder
	err := s.Read(t.Context(), func(g *Global) error {
		line := func(r scanner) error {
			values, err := values(r)
			fmt.Fprintln(&out, values)
			return err
		}
		err := g.rows("SELECT id, workspace_count FROM users WHERE id IN (SELECT user_id FROM members WHERE workspace_id = $1) AND id <> 'u' AND id <> 'v' ORDER BY id", []any{workspace}, line)
		if err != nil {
			return err
		}
		for _, table := range []string{
			"workspaces", "counters", "members", "invitations", "changelog", "credentials", "api_keys", "resources", "resource_references", "invoices", "transactions", "usage_crossings", "notification_channels", "notification_deliveries", "data_masking", "masking_overrides", "masked_values",
			"workspace_slugs", "user_workspaces", "api_key_hashes", "invitation_tokens",
		} {
			column := "workspace_id"
			if table == "workspaces" {
				column = "id"
			}
			fmt.Fprintln(&out, table)
			if err := g.rows("SELECT * FROM "+table+" WHERE "+column+" = $1 ORDER BY 1, 2, 3", []any{workspace}, line); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// values returns the columns of a row.
func values(r scanner) ([]any, error) {
	var columns []string
	switch r := r.(type) {
	case pgx.Rows:
		return r.Values()
	case *sql.Rows:
		var err error
		if columns, err = r.Columns(); err != nil {
			return nil, err
		}
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	return values, r.Scan(into...)
}

// A write in one workspace does not change another one with the same IDs.
func TestWritesStayInTheirWorkspace(t *testing.T) {
	t.Parallel()
	databases(t, writesStayInTheirWorkspace)
}

func writesStayInTheirWorkspace(t *testing.T, open func(t *testing.T) *Store) {
	t.Helper()
	later := moment.Add(time.Minute)
	for name, write := range map[string]func(*Tx) error{
		"UpdateWorkspace": func(x *Tx) error {
			return x.UpdateWorkspace(&promptrails.Workspace{Name: "new", OwnerID: "u", Version: 2, UpdatedAt: later})
		},
		"DeleteWorkspace": func(x *Tx) error { return x.DeleteWorkspace("a", later) },
		"CreateMember": func(x *Tx) error {
			return x.CreateMember(&promptrails.Member{ID: "m2", UserID: "v", Role: promptrails.RoleUser, Version: 1, JoinedAt: later})
		},
		"UpdateMember": func(x *Tx) error {
			return x.UpdateMember(&promptrails.Member{ID: "m", UserID: "u", Role: promptrails.RoleAdmin, Version: 2})
		},
		"DeleteMember": func(x *Tx) error { return x.DeleteMember(&promptrails.Member{ID: "m", UserID: "u"}) },
		"UpdateInvitation": func(x *Tx) error {
			i := invitation("a")
			i.Version, i.Status = 2, "revoked"
			return x.UpdateInvitation(i)
		},
		"SetInvitationToken": func(x *Tx) error { return x.SetInvitationToken("n", []byte("new")) },
		"UpdateCredential":   func(x *Tx) error { c := credential("new"); c.Version = 2; return x.UpdateCredential(c) },
		"SetCredentialValue": func(x *Tx) error { return x.SetCredentialValue("c", []byte("new")) },
		"DeleteCredential":   func(x *Tx) error { return x.DeleteCredential("c") },
		"UpdateAPIKey":       func(x *Tx) error { k := key("new"); k.Version = 2; return x.UpdateAPIKey(k) },
		"UpdateResource":     func(x *Tx) error { r := agent("new"); r.References = nil; return x.UpdateResource(r) },
		"DeleteResource": func(x *Tx) error {
			return errors.Join(x.DeleteMaskingOverride("r"), x.DeleteResource(agent("a")))
		},
		"ForgetCrossings": func(x *Tx) error { return x.ForgetCrossings() },
		"Schedule": func(x *Tx) error {
			if _, err := x.exec("UPDATE notification_deliveries SET next_attempt_at = next_attempt_at + 1 WHERE workspace_id = $1"); err != nil {
				return err
			}
			return x.Schedule("h")
		},
		"AddTrace": func(x *Tx) error {
			r := trace("a")
			r.ID = "tr2"
			return x.AddTrace(r, totals("a"), map[promptrails.Detector]int{"email": 2})
		},
		"UpdateSubscription": func(x *Tx) error {
			return x.UpdateSubscription(&Subscription{Plan: "pro", Began: later, Version: 2, UpdatedAt: later, ExecutionsUsed: 3})
		},
		"CreateInvoice": func(x *Tx) error {
			return x.CreateInvoice(&promptrails.Invoice{ID: "i2", Status: "paid", IssuedAt: later})
		},
		"CreateTransaction": func(x *Tx) error {
			return x.CreateTransaction(&promptrails.Transaction{ID: "t2", Type: "usage", AmountMicros: -5, CreatedAt: later})
		},
		"Touch a member": func(x *Tx) error { return x.global.Touch([]Activity{{Workspace: "a", UserID: "u", At: later}}) },
		"Touch a key":    func(x *Tx) error { return x.global.Touch([]Activity{{Workspace: "a", KeyID: "k", At: later}}) },
		"Replace": func(x *Tx) error {
			return x.global.Replace(SealedColumn{"credentials", "value"}, SealedRow{Workspace: "a", ID: "c", Value: []byte("value in-a")}, []byte("new"))
		},
		"Append":                    func(x *Tx) error { return x.Append(&changelog.Entry{ID: "e4", Action: "updated", OccurredAt: later}) },
		"Cross":                     func(x *Tx) error { _, err := x.Cross("active_agents", 100, moment, later); return err },
		"CreateChannel":             func(x *Tx) error { c := channel("a"); c.ID = "h2"; return x.CreateChannel(c) },
		"UpdateChannel":             func(x *Tx) error { c := channel("new"); c.Version = 2; return x.UpdateChannel(c) },
		"UpdateChannel to inactive": func(x *Tx) error { c := channel("new"); c.IsActive = false; return x.UpdateChannel(c) },
		"DeleteChannel":             func(x *Tx) error { return x.DeleteChannel("h") },
		"CreateDelivery":            func(x *Tx) error { d := delivery("a"); d.ID = "d2"; return x.CreateDelivery(d) },
		"UpdateDelivery": func(x *Tx) error {
			d := delivery("a")
			d.Status, d.NextAttemptAt = "failed", time.Time{}
			return x.UpdateDelivery(d)
		},
		"Claim": func(x *Tx) error {
			_, err := x.Claim("h", "s2", moment, later)
			return err
		},
		"Release": func(x *Tx) error { _, err := x.Release("h", "s"); return err },
		"Replace a channel's secret": func(x *Tx) error {
			return x.global.Replace(SealedColumn{"notification_channels", "previous_secret"}, SealedRow{Workspace: "a", ID: "h", Value: []byte("previous")}, []byte("new"))
		},
		"SetMasking": func(x *Tx) error {
			return x.SetMasking(&promptrails.MaskingSettings{Enabled: true, Version: 2, UpdatedAt: later})
		},
		"CreateMaskingOverride": func(x *Tx) error {
			r, o := agent("a"), override("a")
			r.ID, o.AgentID = "r2", "r2"
			return errors.Join(x.CreateResource(r), x.CreateMaskingOverride(o))
		},
		"UpdateMaskingOverride": func(x *Tx) error { o := override("new"); o.Version = 2; return x.UpdateMaskingOverride(o) },
		"DeleteMaskingOverride": func(x *Tx) error { return x.DeleteMaskingOverride("r") },
		"CreateResource": func(x *Tx) error {
			r := memory("a")
			r.ID = "s2"
			return x.CreateResource(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			twins(t, s)
			before, other := rows(t, s, "a"), rows(t, s, "b")
			err := s.Write(t.Context(), func(g *Global) error {
				return write(g.Workspace("a"))
			})
			if err != nil {
				t.Fatal(err)
			}
			after := rows(t, s, "a")
			if after == before {
				t.Error("workspace a: got no change, want one")
			}
			if name == "DeleteResource" && strings.Contains(after, "under/") {
				t.Errorf("workspace a: got %s, want no counters of nested objects", after)
			}
			if after := rows(t, s, "b"); after != other {
				t.Errorf("workspace b: got\n%swant it unchanged\n%s", after, other)
			}
		})
	}
}

// A read in one workspace returns only its rows, even if another workspace has
// rows with the same IDs.
func TestReadsStayInTheirWorkspace(t *testing.T) {
	t.Parallel()
	databases(t, readsStayInTheirWorkspace)
}

func readsStayInTheirWorkspace(t *testing.T, open func(t *testing.T) *Store) {
	t.Helper()
	s := open(t)
	twins(t, s)
	all := Paging{Limit: 10}
	for _, id := range []string{"a", "b"} {
		err := s.Read(t.Context(), func(g *Global) error {
			var at int64
			var wrong int
			if err := g.row("SELECT created_at FROM workspaces WHERE id = $1", []any{id}, &at); err != nil {
				return err
			}
			err := g.row("SELECT count(*) FROM user_workspaces WHERE workspace_id = $1 AND workspace_created_at <> $2", []any{id, at}, &wrong)
			if wrong != 0 {
				t.Errorf("memberships of %s with the creation time of another workspace: got %d, want 0", id, wrong)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	singles := map[string]*Store{} // with only one of the workspaces
	for _, in := range []string{"a", "b"} {
		singles[in] = open(t)
		twins(t, singles[in])
		if err := singles[in].Write(t.Context(), func(g *Global) error { return g.Workspace(other(in)).DeleteWorkspace(other(in), moment) }); err != nil {
			t.Fatal(err)
		}
	}
	for name, read := range map[string]func(*Tx) (any, error){
		"Workspace": func(x *Tx) (any, error) { return x.Workspace() },
		"Members": func(x *Tx) (any, error) {
			v, n, err := x.Members("", "", all)
			return []any{len(v), v[0].WorkspaceID, n}, err
		},
		"Members by role": func(x *Tx) (any, error) {
			v, n, err := x.Members("owner", "", all)
			return []any{len(v), v[0].WorkspaceID, n}, err
		},
		"Member":       func(x *Tx) (any, error) { v, err := x.Member("m"); return v.WorkspaceID, err },
		"MemberByUser": func(x *Tx) (any, error) { v, err := x.MemberByUser("u"); return v.WorkspaceID, err },
		"IsMember":     func(x *Tx) (any, error) { return x.IsMember("u@example.com") },
		"Invitations":  func(x *Tx) (any, error) { v, n, err := x.Invitations("", moment, all); return []any{v, n}, err },
		"pending":      func(x *Tx) (any, error) { v, n, err := x.Invitations("pending", moment, all); return []any{v, n}, err },
		"Invitation":   func(x *Tx) (any, error) { return x.Invitation("n", moment) },
		"InvitationByToken": func(x *Tx) (any, error) {
			_, err := x.InvitationByToken("n", []byte("token b"), moment)
			return fmt.Sprint(err), nil
		},
		"PendingInvitations": func(x *Tx) (any, error) { return x.PendingInvitations("", moment) },
		"Credentials":        func(x *Tx) (any, error) { v, n, err := x.Credentials("", "", "", all); return []any{v, n}, err },
		"Credentials by q": func(x *Tx) (any, error) {
			v, n, err := x.Credentials("llm", "openai", "in", all)
			return []any{v, n}, err
		},
		"Credential":        func(x *Tx) (any, error) { return x.Credential("c") },
		"DefaultCredential": func(x *Tx) (any, error) { return x.DefaultCredential("openai") },
		"CredentialValue":   func(x *Tx) (any, error) { v, err := x.CredentialValue("c"); return string(v), err },
		"HasCredential":     func(x *Tx) (any, error) { return x.HasCredential("c") },
		"APIKeys": func(x *Tx) (any, error) {
			v, n, err := x.APIKeys(&APIKeyFilter{}, moment, all)
			return []any{v, n}, err
		},
		"APIKeys by creator": func(x *Tx) (any, error) {
			v, n, err := x.APIKeys(&APIKeyFilter{Status: "active", CreatedBy: "u"}, moment, all)
			return []any{v, n}, err
		},
		"APIKey": func(x *Tx) (any, error) { return x.APIKey("k", moment) },
		"APIKeyByHash": func(x *Tx) (any, error) {
			_, err := x.APIKeyByHash([]byte("hash b"), moment)
			return fmt.Sprint(err), nil
		},
		"LiveAPIKeysBy": func(x *Tx) (any, error) { return x.LiveAPIKeysBy("u", moment) },
		"Resources": func(x *Tx) (any, error) {
			v, n, err := x.Resources("agents", "", &ResourceFilter{}, all)
			return []any{v, n}, err
		},
		"Resources by q": func(x *Tx) (any, error) {
			v, n, err := x.Resources("memories", "r", &ResourceFilter{Status: "active", Query: "in"}, all)
			return []any{v, n}, err
		},
		"Resources by members": func(x *Tx) (any, error) {
			v, n, err := x.Resources("traces", "", &ResourceFilter{Members: map[string]string{"session_id": "se", "agent_id": "r"}}, all)
			return []any{v, n}, err
		},
		"TraceTotals":        func(x *Tx) (any, error) { return x.TraceTotals() },
		"TraceSpans":         func(x *Tx) (any, error) { return x.TraceSpans("ti", 10) },
		"Masked":             func(x *Tx) (any, error) { v, n, err := x.Masked(&MaskedFilter{}); return []any{v, n}, err },
		"Masked by agent":    func(x *Tx) (any, error) { v, n, err := x.Masked(&MaskedFilter{AgentID: "r"}); return []any{v, n}, err },
		"Resource":           func(x *Tx) (any, error) { return x.Resource("agents", "", "r") },
		"ResourceOfKind":     func(x *Tx) (any, error) { return x.ResourceOfKind("agents", "r") },
		"HasResource":        func(x *Tx) (any, error) { return x.HasResource("agents", "r") },
		"NestedResources":    func(x *Tx) (any, error) { return x.NestedResources("r") },
		"UsedBy":             func(x *Tx) (any, error) { return x.UsedBy("c", 10) },
		"ActiveAgents":       func(x *Tx) (any, error) { return x.ActiveAgents() },
		"Counted":            func(x *Tx) (any, error) { return x.Counted("agents", "") },
		"Subscription":       func(x *Tx) (any, error) { return x.Subscription() },
		"Invoices":           func(x *Tx) (any, error) { v, n, err := x.Invoices("", all); return []any{v, n}, err },
		"Invoices paid":      func(x *Tx) (any, error) { v, n, err := x.Invoices("paid", all); return []any{v, n}, err },
		"Invoice":            func(x *Tx) (any, error) { return x.Invoice("i") },
		"Balance":            func(x *Tx) (any, error) { v, _, err := x.Balance(); return v, err },
		"Transactions":       func(x *Tx) (any, error) { v, n, err := x.Transactions(all); return []any{v, n}, err },
		"Channels":           func(x *Tx) (any, error) { v, n, err := x.Channels("", all); return []any{v, n}, err },
		"Channels by type":   func(x *Tx) (any, error) { v, n, err := x.Channels("webhook", all); return []any{v, n}, err },
		"ActiveChannels":     func(x *Tx) (any, error) { return x.ActiveChannels() },
		"Channel":            func(x *Tx) (any, error) { return x.Channel("h") },
		"CountChannels":      func(x *Tx) (any, error) { return x.CountChannels() },
		"Deliveries":         func(x *Tx) (any, error) { return x.Deliveries("h", "", all) },
		"Deliveries pending": func(x *Tx) (any, error) { return x.Deliveries("h", "pending", all) },
		"Delivery":           func(x *Tx) (any, error) { return x.Delivery("d") },
		"NextDelivery":       func(x *Tx) (any, error) { return x.NextDelivery("h", moment.Add(time.Hour)) },
		"DueChannels": func(x *Tx) (any, error) {
			d, err := x.Delivery("d")
			if err != nil {
				return nil, err
			}
			due, err := x.global.DueChannels(moment, nil, 10)
			i := slices.IndexFunc(due, func(c ChannelRef) bool { return c.Workspace == x.workspace })
			if err == nil && !due[i].At.Equal(d.NextAttemptAt) {
				err = fmt.Errorf("due time of the channel in %s: got %s, want that of its delivery, %s", x.workspace, due[i].At, d.NextAttemptAt)
			}
			return nil, err
		},
		"Masking":          func(x *Tx) (any, error) { return x.Masking() },
		"MaskingOverrides": func(x *Tx) (any, error) { v, n, err := x.MaskingOverrides(all); return []any{v, n}, err },
		"MaskingOverride":  func(x *Tx) (any, error) { return x.MaskingOverride("r") },
		"Counters":         func(x *Tx) (any, error) { return x.Counters() },
		"Recount":          func(x *Tx) (any, error) { return x.Recount() },
		"StoredEntries": func(x *Tx) (any, error) {
			v, err := x.StoredEntries(0, 10, 1<<20)
			return string(v[0].Document) + fmt.Sprint(len(v)), err
		},
		"Head": func(x *Tx) (any, error) { v, err := x.Head(); return v.WorkspaceID + fmt.Sprint(v.Sequence), err },
		"Changelog": func(x *Tx) (any, error) {
			v, err := x.Changelog(&ChangelogFilter{}, all)
			return string(v[0].JSON) + fmt.Sprint(len(v)), err
		},
		"Changelog since": func(x *Tx) (any, error) {
			v, err := x.Changelog(&ChangelogFilter{Since: entered("b"), Ascending: true}, all)
			return len(v), err
		},
		"Changelog until": func(x *Tx) (any, error) {
			v, err := x.Changelog(&ChangelogFilter{Until: moment.Add(24 * time.Hour)}, all)
			return len(v), err
		},
		"ChangelogEntry": func(x *Tx) (any, error) { v, err := x.ChangelogEntry("e"); return string(v), err },
	} {
		// The result is the same whether the other workspace exists or not.
		for in, single := range singles {
			t.Run(name+" in "+in, func(t *testing.T) {
				got, want := result(t, s, in, read), result(t, single, in, read)
				if got != want || strings.Contains(got, "in-"+other(in)) {
					t.Errorf("result: got %s, want %s as without workspace %s", got, want, other(in))
				}
			})
		}
	}
}

// A user is renamed in the workspaces that the look-up table lists, and in no others.
func TestRenameStaysInListedWorkspaces(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := open(t)
		twins(t, s)
		err := s.Write(t.Context(), func(g *Global) error {
			if _, err := g.exec("DELETE FROM user_workspaces WHERE user_id = 'u' AND workspace_id = 'b'"); err != nil {
				return err
			}
			return g.RenameUser(&promptrails.User{ID: "u", Email: "u@example.com"}, "renamed")
		})
		if err != nil {
			t.Fatal(err)
		}
		for in, want := range map[string]string{"a": "renamed", "b": "u"} {
			err := s.Read(t.Context(), func(g *Global) error {
				m, err := g.Workspace(in).MemberByUser("u")
				if m.Name != want {
					t.Errorf("name in %s: got %s, want %s", in, m.Name, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// An id or a slug finds its own workspace.
func TestLookUpsStayInTheirWorkspace(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := open(t)
		ids := []string{strings.Repeat("1", idLength), strings.Repeat("2", idLength), strings.Repeat("3", idLength)}
		err := s.Write(t.Context(), func(g *Global) error {
			for _, id := range ids {
				if _, err := g.CreateWorkspace(&promptrails.Workspace{ID: id, Slug: "slug-" + id[:1], Plan: "pro"}, "", time.Time{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Read(t.Context(), func(g *Global) error {
			for _, id := range ids {
				for _, key := range []string{id, "slug-" + id[:1]} {
					if got, err := g.WorkspaceID(key); got != id {
						t.Errorf("WorkspaceID of %s: got %s, %v, want %s", key, got, err, id)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The look-up table of a user's workspaces is not trusted.
func TestUserWorkspacesAreThoseOfMembers(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := open(t)
		twins(t, s)
		err := s.Write(t.Context(), func(g *Global) error {
			for i := range 5 { // of workspaces that do not exist, before and after the others
				at := moment.Add(time.Duration(i*40) * time.Second)
				if _, err := g.exec("INSERT INTO user_workspaces (user_id, workspace_id, workspace_created_at, role) VALUES ('u', $1, $2, 'owner')", fmt.Sprint("gone", i), micros(at)); err != nil {
					return err
				}
			}
			_, err := g.exec("UPDATE user_workspaces SET role = 'user' WHERE user_id = 'u' AND workspace_id = 'a'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{1, 2, 10} {
			for _, q := range []string{"", "in-"} {
				err := s.Read(t.Context(), func(g *Global) error {
					page, _, err := g.UserWorkspaces("u", "", q, Paging{Limit: limit})
					got := ""
					for _, w := range page {
						got += w.ID + " " + string(w.Role) + " "
					}
					if want := "b owner a owner "; got != want {
						t.Errorf("workspaces with limit %d and q %q: got %s, want %s", limit, q, got, want)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// other returns the name of the other workspace.
func other(in string) string { return map[string]string{"a": "b", "b": "a"}[in] }

// result returns the result of a read in a workspace as JSON.
func result(t *testing.T, s *Store, in string, read func(*Tx) (any, error)) string {
	t.Helper()
	var text []byte
	err := s.Read(context.WithoutCancel(t.Context()), func(g *Global) error {
		v, err := read(g.Workspace(in))
		if err != nil {
			return err
		}
		text, err = json.Marshal(v)
		return err
	})
	if err != nil {
		t.Errorf("read in workspace %s: got %v, want no error", in, err)
	}
	return string(text)
}
