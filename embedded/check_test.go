package embedded_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// checked returns the kinds of the problems that Check finds, and what they are about.
func checked(t *testing.T, s *embedded.Service) (found []string) {
	t.Helper()
	report, err := s.Check(t.Context(), nil)
	if err != nil {
		t.Fatalf("Check: got %v, want no error", err)
	}
	for _, p := range report.Problems {
		if p.What == "" || p.Mend == "" {
			t.Errorf("problem: got %+v, want the fields What and Mend", p)
		}
		found = append(found, string(p.Kind)+" "+p.What)
	}
	return found
}

// inhabit makes a workspace with an object of each kind that Check looks at.
func inhabit(t *testing.T, s *server, email, slug string) *person {
	t.Helper()
	ada := s.owner(email, slug)
	ada.do("PATCH", "/data-masking", `{"enabled":true}`).expect(200)
	ada.member("m-"+email, "user")
	ada.do("POST", "/invitations", `{"email":"i-`+email+`","role":"user"}`, idempotencyKey, "k").expect(201)
	ada.do("POST", "/api-keys", `{"name":"k","scopes":["credentials:read"]}`).expect(201)
	ada.credential("sk-value-0123456789")
	prompt := ada.do("POST", "/prompts", `{"name":"p"}`).expect(201).text("id")
	agent := ada.do("POST", "/agents", `{"name":"a","config":{"prompt_id":"`+prompt+`"}}`).expect(201).text("id")
	ada.do("POST", "/agents/"+agent+"/memories", `{"content":"c"}`).expect(201)
	for _, session := range []string{"s", "s", "t"} {
		ada.do("POST", "/agents/"+agent+"/execute", `{"input":{"text":"mail to ada@example.com"},"session_id":"`+session+`"}`).expect(201)
	}
	ada.do("PUT", "/data-masking/overrides/"+agent, `{"enabled":true}`).expect(200)
	channel, _ := ada.channel("https://93.184.216.34/hook")
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":false}`).expect(200)
	return ada
}

// A database in which the service has written is clean, also while it writes.
func TestCheckOfABusyService(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		cfg.DefaultPlan = promptrails.PlanEnterprise
		s := newServer(t, cfg)
		ada := inhabit(t, s, "ada@example.com", "research")
		eve := inhabit(t, s, "eve@example.com", "other")
		if found := checked(t, s.Service); len(found) > 0 {
			t.Fatalf("Check: got %q, want no problems", found)
		}
		ctx, cancel := context.WithCancel(t.Context())
		written := make(chan int)
		for _, p := range []*person{ada, eve} {
			go func() {
				n := 0
				for ; ctx.Err() == nil; n++ {
					id := p.credential("sk-value-0123456789")
					p.do("POST", "/invitations", fmt.Sprintf(`{"email":"w-%d@example.com","role":"user"}`, n)).expect(201)
					agent := p.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
					p.do("POST", "/agents/"+agent+"/execute", `{"input":{}}`).expect(201)
					p.do("DELETE", "/credentials/"+id, "")
					slug := fmt.Sprintf("w%d-%s", n, p.user.ID[20:27])
					slug = strings.ToLower(slug)
					p.in("").do("POST", "/workspaces", `{"name":"W","slug":"`+slug+`"}`).expect(201)
					p.in("").do("DELETE", "/workspaces/"+slug, "")
				}
				written <- n
			}()
		}
		for range 10 {
			if found := checked(t, s.Service); len(found) > 0 {
				t.Errorf("Check: got %q, want no problems", found)
			}
		}
		cancel()
		if n := <-written + <-written; n == 0 {
			t.Error("writers: got no writes, want some")
		}
		report, err := s.Check(t.Context(), nil)
		if err != nil || report.Workspaces < 2 || report.Entries < 20 || report.Values < 5 {
			t.Errorf("Check: got %+v, %v, want at least 2 workspaces, 20 entries and 5 values", report, err)
		}
	})
}

// Check reports each kind of damage, and nothing else.
func TestCheckFindsDamage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statement string
		want      []string
	}{
		"a counter":            {"UPDATE counters SET n = n + 1 WHERE kind = 'members'", []string{"counter members: is stored as 3, and 2 was counted"}},
		"a nested counter":     {"DELETE FROM counters WHERE kind LIKE 'under/%/memories'", []string{"counter under/ID/memories: is stored as 0, and 1 was counted"}},
		"tokens of traces":     {"UPDATE counters SET n = n - 1 WHERE kind = 'traces/tokens'", []string{"counter traces/tokens: is stored as 119, and 120 was counted"}},
		"cost of traces":       {"UPDATE counters SET n = 1 WHERE kind = 'traces/cost_micros'", []string{"counter traces/cost_micros: is stored as 1, and 3204 was counted"}},
		"duration of traces":   {"UPDATE counters SET n = 1 WHERE kind = 'traces/duration_ms'", []string{"counter traces/duration_ms: is stored as 1, and 930 was counted"}},
		"sessions of traces":   {"UPDATE counters SET n = 3 WHERE kind = 'traces/sessions'", []string{"counter traces/sessions: is stored as 3, and 2 was counted"}},
		"the balance":          {"UPDATE workspaces SET balance_micros = 7", []string{"counter the balance: is stored as 7, and -3204 was counted"}},
		"transactions":         {"UPDATE workspaces SET transaction_sequence = 9", []string{"counter the sequence of transactions: is stored as 9, and 3 was counted"}},
		"a user's workspaces":  {"UPDATE users SET workspace_count = 2 WHERE email = 'ada@example.com'", []string{"counter users: workspace_count of the user ID is 2, and 1 were counted"}},
		"a deleted credential": {"DELETE FROM credentials", []string{"counter credentials: is stored as 1, and 0 was counted"}},

		"a lost workspace": {
			"INSERT INTO usage_crossings (workspace_id, limit_key, percent, period_start, crossed_at) VALUES ('w', 'seats', 90, 0, 0)",
			[]string{"reference usage_crossings: the row with workspace_id w has no row in workspaces with the same id"},
		},
		"a lost parent": {"UPDATE resources SET parent_id = 'p' WHERE parent_id IS NOT NULL", []string{
			"reference resources: the row with workspace_id ID and parent_id p has no row in resources with the same workspace_id, id",
			"counter under/ID/memories: is stored as 1, and 0 was counted", "counter under/p/memories: is stored as 0, and 1 was counted",
		}},
		"a lost reference": {"UPDATE resource_references SET from_id = 'r'", []string{"reference resource_references: the row with workspace_id ID and from_id r has no row in resources with the same workspace_id, id"}},
		"a lost trace":     {"UPDATE masked_values SET trace_id = 'r' WHERE rowid = 1", []string{"reference masked_values: the row with workspace_id ID and trace_id r has no row in resources with the same workspace_id, id"}},
		"a lost agent":     {"UPDATE masking_overrides SET agent_id = 'r'", []string{"reference masking_overrides: the row with workspace_id ID and agent_id r has no row in resources with the same workspace_id, id"}},
		"a lost channel":   {"INSERT INTO notification_deliveries (workspace_id, sequence, id, channel_id, webhook_id, event, body, status, attempts, next_attempt_at, created_at) SELECT id, 1, 'd', 'c', 'd', 'member.joined', '{}', 'failed', '[]', 0, 4e15 FROM workspaces", []string{"reference notification_deliveries: the row with workspace_id ID and channel_id c has no row in notification_channels with the same workspace_id, id"}},

		"a key that is not found": {"DELETE FROM api_key_hashes", []string{"lookup api_keys: the row with workspace_id ID and id ID has no row in api_key_hashes with the same hash, workspace_id, key_id"}},
		"a key of another workspace": {"UPDATE api_key_hashes SET workspace_id = 'w'", []string{
			"lookup api_keys: the row with workspace_id ID and id ID has no row in api_key_hashes with the same hash, workspace_id, key_id",
			"lookup api_key_hashes: the row with workspace_id w and key_id ID has no row in api_keys with the same workspace_id, id, key_hash",
		}},
		"a hash without a key":       {"INSERT INTO api_key_hashes (hash, workspace_id, key_id) VALUES (x'00', 'w', 'k')", []string{"lookup api_key_hashes: the row with workspace_id w and key_id k has no row in api_keys with the same workspace_id, id, key_hash"}},
		"an invitation not found":    {"DELETE FROM invitation_tokens WHERE invitation_id = (SELECT id FROM invitations WHERE status = 'pending')", []string{"lookup invitations: the row with workspace_id ID and id ID has no row in invitation_tokens with the same hash, workspace_id, invitation_id"}},
		"a token without invitation": {"INSERT INTO invitation_tokens (hash, workspace_id, invitation_id) VALUES (x'00', 'w', 'i')", []string{"lookup invitation_tokens: the row with workspace_id w and invitation_id i has no row in invitations with the same workspace_id, id, token_hash"}},
		"a slug that is not found":   {"UPDATE workspace_slugs SET workspace_id = NULL", []string{"lookup workspaces: the row with id ID has no row in workspace_slugs with the same slug, workspace_id"}},
		"a slug without a workspace": {"INSERT INTO workspace_slugs (slug, workspace_id, freed_at) VALUES ('s', 'w', 0)", []string{"lookup workspace_slugs: the row with workspace_id w and slug s has no row in workspaces with the same id, slug"}},
		"an address that finds none": {"DELETE FROM user_emails WHERE email_key = 'ada@example.com'", []string{"lookup users: the row with id ID has no row in user_emails with the same email_key, user_id"}},
		"an address without a user":  {"INSERT INTO user_emails (email_key, user_id) VALUES ('x@example.com', 'u')", []string{"lookup user_emails: the row with user_id u has no row in users with the same id, lower(email)"}},
		"a role that differs": {"UPDATE user_workspaces SET role = 'admin' WHERE role = 'user'", []string{
			"lookup members: the row with workspace_id ID and id ID has no row in user_workspaces with the same user_id, workspace_id, role",
			"lookup user_workspaces: the row with workspace_id ID and user_id ID has no row in members with the same workspace_id, user_id, role",
		}},
		"a time that differs":        {"UPDATE user_workspaces SET workspace_created_at = 1 WHERE role = 'user'", []string{"lookup user_workspaces: the row with workspace_id ID and user_id ID has no row in workspaces with the same id, created_at"}},
		"a copied name that differs": {"UPDATE users SET name = 'X' WHERE email = 'ada@example.com'", []string{"lookup members: the row with workspace_id ID and id ID has no row in users with the same id, email, name"}},
		"another owner":              {"UPDATE workspaces SET owner_id = 'u'", []string{"lookup workspaces: the row with id ID has no row in members with the same workspace_id, user_id"}},
		"a token without a user":     {"UPDATE access_tokens SET user_id = 'u' WHERE user_id = (SELECT id FROM users WHERE email = 'm-ada@example.com')", []string{"lookup access_tokens: the row with id ID has no row in users with the same id"}},

		"a changed entry":          {"UPDATE changelog SET document = replace(document, '\"ip\":\"', '\"ip\":\"1') WHERE sequence = 2", []string{"changelog the chain is broken at the entry 2: the entry was altered: its hash does not match its content"}},
		"an entry that is no JSON": {"UPDATE changelog SET document = 'x' WHERE sequence = 2", []string{"changelog the chain is broken at the entry 2: invalid character 'x' looking for beginning of value"}},
		"a deleted entry":          {"DELETE FROM changelog WHERE sequence = 2", []string{"changelog the chain is broken at the entry 2: missing, found entry 3: entries must be unfiltered and oldest first"}},
		"deleted last ones":        {"DELETE FROM changelog WHERE sequence > 2", []string{"changelog the entries from 3 to 15 are missing"}},
		"a changed head":           {"UPDATE workspaces SET changelog_hash = '00'", []string{"changelog the hash of the entry 15 is not that of the head"}},
		"an earlier head":          {"UPDATE workspaces SET changelog_sequence = 7, changelog_hash = (SELECT json_extract(document, '$.hash') FROM changelog WHERE sequence = 7)", []string{"changelog the entry 8 is after the head, which is 7"}},
		"a changed column":         {"UPDATE changelog SET resource_id = 'r' WHERE sequence = 3", []string{"changelog the row of the entry 3 differs from its document"}},

		"a changed value":   {"UPDATE credentials SET value = CAST(substr(value, 1, 30) || x'00' AS BLOB)", []string{"sealed credentials.value of the row ID: the sealed value was modified or was sealed for another row"}},
		"a moved value":     {"UPDATE notification_channels SET url = secret", []string{"sealed notification_channels.url of the row ID: the sealed value was modified or was sealed for another row"}},
		"an unknown key":    {"UPDATE notification_channels SET secret = CAST(x'010000000000000000' || substr(secret, 10) AS BLOB)", []string{"sealed notification_channels.secret of the row ID: sealed under an unknown master key"}},
		"a changed outcome": {"UPDATE outcomes SET body = x'02' WHERE secret = 1", []string{"sealed outcomes.body of a request of user:ID: not a sealed value"}},
		"a lost proof":      {"DELETE FROM settings", []string{"sealed settings: the proof of the master key is missing or cannot be opened"}},
		"a changed proof":   {"UPDATE settings SET value = x'01'", []string{"sealed settings: the proof of the master key is missing or cannot be opened"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "workspaces.db")
			s := newServer(t, embedded.Config{DSN: file, DefaultPlan: promptrails.PlanEnterprise})
			inhabit(t, s, "ada@example.com", "research")
			execute(t, file, c.statement)
			found := checked(t, s.Service)
			for i, text := range found {
				found[i] = ksuids.ReplaceAllString(text, "ID")
			}
			if diff := cmp.Diff(c.want, found); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

// ksuids are the ids of objects.
var ksuids = regexp.MustCompile(`[0-9A-Za-z]{27}`)

// In PostgreSQL, Check finds damage in all workspaces, although row-level security is
// enabled.
func TestCheckFindsDamageInPostgreSQL(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	s := newServer(t, embedded.Config{DSN: dsn, DefaultPlan: promptrails.PlanEnterprise})
	inhabit(t, s, "ada@example.com", "research")
	inhabit(t, s, "eve@example.com", "other")
	conn := must[*pgx.Conn](t)(pgx.Connect(t.Context(), strings.ReplaceAll(dsn, "&pool_max_conns=8", "")))
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for _, statement := range []string{
		"UPDATE counters SET n = n + 1 WHERE kind = 'members'",
		"UPDATE users SET workspace_count = 2 WHERE email = 'ada@example.com'",
		"ALTER TABLE usage_crossings DROP CONSTRAINT usage_crossings_workspace_id_fkey",
		"INSERT INTO usage_crossings (workspace_id, limit_key, percent, period_start, crossed_at) VALUES ('w', 'seats', 90, 0, 0)",
		"DELETE FROM api_key_hashes",
		"INSERT INTO workspace_slugs (slug, workspace_id, freed_at) VALUES ('s', 'w', 0)",
		"DELETE FROM changelog WHERE sequence = 2",
		"UPDATE notification_channels SET url = secret",
		"UPDATE outcomes SET body = 'x' WHERE secret = 1",
	} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	kinds := map[string]int{}
	for _, text := range checked(t, s.Service) {
		kind, _, _ := strings.Cut(text, " ")
		kinds[kind]++
	}
	if diff := cmp.Diff(map[string]int{"counter": 3, "reference": 1, "lookup": 3, "changelog": 2, "sealed": 4}, kinds); diff != "" {
		t.Errorf("problems by kind (-want +got):\n%s", diff)
	}
}

// Check reports pages that SQLite cannot read, and goes on.
func TestCheckFindsUnreadablePages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"credentials_created": "pages wrong # of entries in index credentials_created",
		"transactions":        "pages counters: cannot be read: store: the database is damaged",
		"changelog":           "pages changelog: cannot be read: store: the database is damaged",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "workspaces.db")
			t.Run("before", func(t *testing.T) {
				inhabit(t, newServer(t, embedded.Config{DSN: file, DefaultPlan: promptrails.PlanEnterprise}), "ada@example.com", "research")
			})
			db := must[*sql.DB](t)(sql.Open("sqlite", file))
			defer func() { _ = db.Close() }()
			var page, size int64
			err := db.QueryRowContext(t.Context(), "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?", name).Scan(&page, &size)
			if err != nil {
				t.Fatal(err)
			}
			f := must[*os.File](t)(os.OpenFile(file, os.O_WRONLY, 0))
			_, err = f.WriteAt(make([]byte, size), (page-1)*size)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			s := newServer(t, embedded.Config{DSN: file})
			found := checked(t, s.Service)
			if !slices.ContainsFunc(found, func(text string) bool { return strings.HasPrefix(text, want) }) {
				t.Errorf("Check: got %q, want a problem that begins with %q", found, want)
			}
			for _, text := range found {
				if !strings.HasPrefix(text, "pages") {
					t.Errorf("Check: got %q, want only problems of pages", text)
				}
			}
		})
	}
}

// Check reports its progress, and stops when its context ends.
func TestCheckProgressAndCancel(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		s := newServer(t, cfg)
		for _, slug := range []string{"a", "b", "c"} {
			s.owner(slug+"@example.com", slug+"-w")
		}
		var stages []string
		var last embedded.CheckProgress
		if _, err := s.Check(t.Context(), func(p embedded.CheckProgress) {
			stages, last = append(stages, p.Stage), p
		}); err != nil {
			t.Fatal(err)
		}
		if got := slices.Compact(stages); !slices.Equal(got, []string{"pages", "rows", "values", "workspaces"}) {
			t.Errorf("stages: got %q, want pages, rows, values and workspaces", got)
		}
		if last != (embedded.CheckProgress{Stage: "workspaces", Done: 3, Total: 3}) {
			t.Errorf("last progress: got %+v, want 3 of 3 workspaces", last)
		}
		for _, stage := range []string{"pages", "rows", "values", "workspaces"} {
			ctx, cancel := context.WithCancel(t.Context())
			report, err := s.Check(ctx, func(p embedded.CheckProgress) {
				if p.Stage == stage {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) && stage != "workspaces" || report == nil {
				t.Errorf("Check, canceled in the stage %s: got %v, %v, want the report so far and %v", stage, report, err, context.Canceled)
			}
			if stage == "workspaces" && report.Workspaces == 3 {
				t.Errorf("Check, canceled in the stage %s: got 3 workspaces, want fewer", stage)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("Check, canceled in the stage %s: got error %q, want one line", stage, err)
			}
		}
	})
}

// A report has at most 1000 problems, and the number of the others.
func TestCheckOfMuchDamage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	s := newServer(t, embedded.Config{DSN: file})
	execute(t, file, `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1700)
		INSERT INTO user_emails (email_key, user_id) SELECT n || '@example.com', 'u' FROM numbers`)
	report, err := s.Check(t.Context(), nil)
	if err != nil || len(report.Problems) != 1000 || report.Omitted != 700 {
		t.Errorf("Check: got %d problems, %d omitted, %v, want 1000 and 700", len(report.Problems), report.Omitted, err)
	}
}
