package embedded_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// If the connection is lost before the commit, the request is carried out again. If it
// is lost during the commit, the outcome is looked up by the idempotency key, and
// without a key it is reported as unknown. No object is created twice.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.DSN(t)+"&sslmode=disable")
	ada := newServer(t, embedded.Config{DSN: proxy.URL, DefaultPlan: promptrails.PlanEnterprise}).owner("ada@example.com", "research")
	for i, c := range []struct {
		after, key string
		status     int
	}{
		{"INSERT", "", 201},
		{"INSERT", "a", 201},
		{"COMMIT", "b", 201},
		{"COMMIT", "", 500},
	} {
		t.Run(fmt.Sprintf("after %s with key %q", c.after, c.key), func(t *testing.T) {
			ada := ada.with(t)
			proxy.CutAfter(c.after)
			r := ada.do("POST", "/agents", fmt.Sprintf(`{"name":"agent-%d"}`, i), idempotencyKey, c.key)
			if r.status != c.status || c.status == 500 && !strings.Contains(r.body, "not known whether the request was carried out") {
				t.Errorf("POST /agents: got %d %s, want %d", r.status, r.body, c.status)
			}
			if !proxy.IsCut() {
				t.Error("connection: got none closed, want one")
			}
			if _, total := ada.do("GET", fmt.Sprintf("/agents?q=agent-%d", i), "").expect(200).listed(); total != 1 {
				t.Errorf("agents: got %d, want 1", total)
			}
		})
	}
}

// Writers that wait for a workspace do not delay those of other workspaces.
func TestLockedWorkspaceDelaysNoOther(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	s := newServer(t, embedded.Config{DSN: dsn, DefaultPlan: promptrails.PlanEnterprise})
	ada, eve := s.owner("ada@example.com", "research"), s.owner("eve@example.com", "other")
	conn := must[*pgx.Conn](t)(pgx.Connect(t.Context(), strings.ReplaceAll(dsn, "&pool_max_conns=8", "")))
	defer func() { _ = conn.Close(t.Context()) }()
	lock := must[pgx.Tx](t)(conn.Begin(t.Context()))
	if _, err := lock.Exec(t.Context(), "SELECT 1 FROM workspaces WHERE id = $1 FOR UPDATE", ada.workspace); err != nil {
		t.Fatal(err)
	}
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() { ada.do("POST", "/agents", `{"name":"a"}`).expect(201) })
	}
	for range 5 {
		eve.do("POST", "/agents", `{"name":"a"}`).expect(201)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
}
