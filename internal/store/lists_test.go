package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

// lister is a list with one combination of filters.
type lister struct {
	name string // distinct
	plan string // a part of the plan of its pages: the index and its columns
	page func(*Tx, Paging) ([]Position, int, error)
}

// String implements [fmt.Stringer].
func (l lister) String() string { return l.name }

func positionsOf[T any](rows []T, total int, err error, at func(T) Position) ([]Position, int, error) {
	var found []Position
	for _, r := range rows {
		found = append(found, at(r))
	}
	return found, total, err
}

// numbered is the number of rows that withRows creates in each list.
const numbered = 24

// withRows fills a store with a workspace whose lists have many rows. Some of them
// have the same time.
func withRows(t *testing.T, s *Store) *Store {
	t.Helper()
	pick := func(i int, from ...string) string { return from[i%len(from)] }
	err := s.Write(t.Context(), func(g *Global) error {
		for i := range numbered {
			if err := g.CreateUser(&promptrails.User{ID: fmt.Sprint("u", i), Email: fmt.Sprint("u", i, "@example.com"), Name: pick(i, "odd", "even", "thirds")}, moment); err != nil {
				return err
			}
		}
		x, err := g.CreateWorkspace(&promptrails.Workspace{ID: "a", Name: "a", Slug: "a", Plan: "pro", OwnerID: "u0", Version: 1, CreatedAt: moment, UpdatedAt: moment}, changelog.Genesis("a"), time.Time{})
		if err != nil {
			return err
		}
		top := &Resource{ID: "top", Kind: "prompts", Status: "active", CreatedAt: moment, UpdatedAt: moment, Document: "{}"}
		if err := errors.Join(x.CreateResource(top), x.CreateChannel(channel("a"))); err != nil {
			return err
		}
		for i := range numbered {
			at, id, name := moment.Add(time.Duration(i/3)*time.Hour), fmt.Sprintf("%03d", i*7%numbered), pick(i, "odd", "even", "thirds")
			hidden := channel("a")
			hidden.ID, hidden.Type, hidden.CreatedAt = id, promptrails.ChannelType(pick(i, "webhook", "slack")), at
			d := delivery("a")
			d.ID, d.Status, d.CreatedAt = id, promptrails.DeliveryStatus(pick(i, "delivered", "failed", "pending")), at
			k := &promptrails.APIKey{ID: id, Name: name, CreatedBy: pick(i, "u0", "u1"), CreatedAt: at, LastUsedAt: time.Time{}}
			if i%3 == 0 {
				k.ExpiresAt = at.Add(time.Hour)
			}
			if i%4 == 0 {
				k.RevokedAt = at
			}
			role := promptrails.Role(pick(i, "user", "admin", "user"))
			if i == 0 {
				role = promptrails.RoleOwner
			}
			own, err := g.CreateWorkspace(&promptrails.Workspace{ID: "w" + id, Name: name, Slug: "w" + id, Plan: "pro", OwnerID: "u0", Version: 1, CreatedAt: at, UpdatedAt: at}, changelog.Genesis("w"+id), time.Time{})
			if err != nil {
				return err
			}
			err = errors.Join(
				own.CreateMember(&promptrails.Member{ID: "m", UserID: "u1", Role: promptrails.Role(pick(i, "owner", "user")), JoinedAt: at}),
				x.CreateMember(&promptrails.Member{ID: id, UserID: fmt.Sprint("u", i), Role: role, JoinedAt: at}),
				x.CreateInvitation(&promptrails.Invitation{ID: id, Email: id, Role: "user", Status: promptrails.InvitationStatus(pick(i, "pending", "accepted", "revoked", "pending")), ExpiresAt: at, CreatedAt: at}, []byte(id)),
				x.CreateCredential(&promptrails.Credential{ID: id, Name: name, Type: promptrails.CredentialType(pick(i, "openai", "slack", "openai")), Category: promptrails.CredentialCategory(pick(i, "llm", "tool")), CreatedAt: at}, []byte(id)),
				x.CreateAPIKey(k, []byte(id)),
				x.CreateInvoice(&promptrails.Invoice{ID: id, Status: promptrails.InvoiceStatus(pick(i, "paid", "open")), IssuedAt: at}),
				x.CreateTransaction(&promptrails.Transaction{ID: id, Type: "top_up", CreatedAt: at}),
				x.CreateChannel(hidden), x.CreateDelivery(d),
				x.Append(&changelog.Entry{
					ID: id, Action: pick(i, "created", "updated", "updated"), OccurredAt: at, Resource: changelog.Ref{Type: pick(i, "agent", "prompt"), ID: pick(i, "r0", "r1", "r2")},
					Actor: changelog.Ref{Type: pick(i, "user", "system"), ID: pick(i, "u0", "u1")},
				}),
				x.CreateResource(&Resource{ID: "e" + id, Kind: "scores", Name: name, Status: pick(i, "active", "archived"), CreatedAt: at, UpdatedAt: at, Document: "{}", Members: map[string]string{
					"name": name, "source": pick(i, "a", "b"), "trace_id": pick(i, "t0", "t1", "t2"), "execution_id": pick(i, "x0", "x1"), "data_type": pick(i, "n", "s"), "config_id": pick(i, "c0", "c1"),
				}}),
				x.CreateResource(&Resource{ID: "f" + id, Kind: "traces", Name: name, Status: "completed", CreatedAt: at, UpdatedAt: at, Document: "{}", Members: map[string]string{
					"agent_id": pick(i, "a0", "a1"), "session_id": pick(i, "s0", "s1", "s2"), "kind": pick(i, "llm", "tool"), "type": pick(i, "y", "z"),
				}}),
				x.CreateResource(&Resource{ID: "v" + id, Kind: "prompts/versions", Parent: "top", Name: name, Status: pick(i, "", "active"), CreatedAt: at, UpdatedAt: at, Document: "{}"}),
				x.CreateResource(&Resource{ID: "g" + id, Kind: "agents", Name: name, Status: "active", CreatedAt: at, UpdatedAt: at, Document: "{}"}),
				x.CreateMaskingOverride(&promptrails.MaskingOverride{AgentID: "g" + id, CreatedAt: at, UpdatedAt: at}),
			)
			if err != nil {
				return err
			}
			if i%2 == 0 {
				if err := g.Touch([]Activity{{Workspace: "a", KeyID: id, At: at}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func listers() []lister {
	var all []lister
	add := func(name, plan string, page func(*Tx, Paging) ([]Position, int, error)) {
		all = append(all, lister{name, plan, page})
	}
	for name, plan := range map[string]string{
		"//": "_created (workspace_id=?", "/openai/": "_type (workspace_id=? AND type=?", "llm//": "_category (workspace_id=? AND category=?",
		"llm/openai/": "_type (workspace_id=? AND type=?", "//even": "_created (workspace_id=?", "/slack/e": "_type (workspace_id=? AND type=?", "//nothing": "_created (workspace_id=?",
	} {
		p := strings.Split(name, "/")
		add("credentials "+name, "credentials"+plan, func(x *Tx, by Paging) ([]Position, int, error) {
			rows, total, err := x.Credentials(p[0], p[1], p[2], by)
			return positionsOf(rows, total, err, func(c *promptrails.Credential) Position { return Position{micros(c.CreatedAt), c.ID} })
		})
	}
	for name, plan := range map[string]string{
		"/": "_joined (workspace_id=?", "user/": "_role (workspace_id=? AND role=?", "/even": "_joined (workspace_id=?", "user/thirds": "_role (workspace_id=? AND role=?", "/nobody": "_joined (workspace_id=?",
	} {
		p := strings.Split(name, "/")
		add("members "+name, "members"+plan, func(x *Tx, by Paging) ([]Position, int, error) {
			rows, total, err := x.Members(p[0], p[1], by)
			return positionsOf(rows, total, err, func(m *promptrails.Member) Position { return Position{micros(m.JoinedAt), m.ID} })
		})
		add("workspaces "+name, "user_workspaces_created (user_id=?", func(x *Tx, by Paging) ([]Position, int, error) {
			rows, total, err := x.global.UserWorkspaces("u1", p[0], p[1], by)
			return positionsOf(rows, total, err, func(w *promptrails.Workspace) Position { return Position{micros(w.CreatedAt), w.ID} })
		})
	}
	middle := moment.Add(numbered / 6 * time.Hour)
	for _, status := range []promptrails.InvitationStatus{"", "pending", "expired", "accepted", "revoked"} {
		plan := "invitations_created (workspace_id=?"
		if status != "" {
			plan = "invitations_status (workspace_id=? AND status=?"
		}
		add("invitations "+string(status), plan, func(x *Tx, by Paging) ([]Position, int, error) {
			rows, total, err := x.Invitations(status, middle, by)
			return positionsOf(rows, total, err, func(i *promptrails.Invitation) Position { return Position{micros(i.CreatedAt), i.ID} })
		})
	}
	for _, status := range []promptrails.APIKeyStatus{"", "active", "expired", "revoked", "rotating"} {
		for name, by := range map[string]APIKeyFilter{
			"api_keys_created (workspace_id=?": {}, "api_keys_creator (workspace_id=? AND created_by=?": {CreatedBy: "u1"},
			"api_keys_expires (workspace_id=? AND ": {ExpiresBefore: middle, CreatedBy: "u0"}, "api_keys_used (workspace_id=? AND ": {UnusedSince: middle},
		} {
			by.Status = status
			add("keys "+name+" "+string(status), name, func(x *Tx, p Paging) ([]Position, int, error) {
				rows, total, err := x.APIKeys(&by, middle, p)
				return positionsOf(rows, total, err, by.Position)
			})
		}
	}
	for _, status := range []string{"", "paid", "open"} {
		add("invoices "+status, map[bool]string{true: "invoices_issued (", false: "invoices_status (workspace_id=? AND status=?"}[status == ""], func(x *Tx, p Paging) ([]Position, int, error) {
			rows, total, err := x.Invoices(status, p)
			return positionsOf(rows, total, err, func(i *promptrails.Invoice) Position { return Position{micros(i.IssuedAt), i.ID} })
		})
	}
	for _, kind := range []string{"", "webhook", "slack"} {
		add("channels "+kind, "notification_channels_created (workspace_id=?", func(x *Tx, p Paging) ([]Position, int, error) {
			rows, total, err := x.Channels(kind, p)
			return positionsOf(rows, total, err, func(c *Channel) Position { return Position{micros(c.CreatedAt), c.ID} })
		})
	}
	add("overrides", "masking_overrides_created (workspace_id=?", func(x *Tx, p Paging) ([]Position, int, error) {
		rows, total, err := x.MaskingOverrides(p)
		return positionsOf(rows, total, err, func(o *promptrails.MaskingOverride) Position { return Position{micros(o.CreatedAt), o.AgentID} })
	})
	for _, status := range []string{"", "delivered", "failed", "pending"} {
		add("deliveries "+status, map[bool]string{true: "_channel (workspace_id=? AND channel_id=?", false: "_status (workspace_id=? AND channel_id=? AND status=?"}[status == ""], func(x *Tx, p Paging) ([]Position, int, error) {
			rows, err := x.Deliveries("h", status, p)
			return positionsOf(rows, 0, err, func(d *Delivery) Position { return Position{At: d.Sequence} })
		})
	}
	for name, by := range map[string]ChangelogFilter{
		"autoindex_changelog_1 (workspace_id=?": {}, "autoindex_changelog_1 (workspace_id=? ": {Action: "created", ActorType: "system"}, "autoindex_changelog_1 (workspace_id=?  ": {Since: moment.Add(time.Hour), Until: middle},
		"autoindex_changelog_1 (workspace_id=? AND sequence>? AND sequence<?": {From: 7, To: 40, Action: "updated"},
		"changelog_resource (workspace_id=? AND resource_id=?":                {ResourceID: "r1", ResourceType: "agent"}, "changelog_type (workspace_id=? AND resource_type=?": {ResourceType: "agent"},
		"(workspace_id=? AND ":                           {ResourceType: "agent", From: 5, To: 50},
		"changelog_actor (workspace_id=? AND actor_id=?": {ActorID: "u1"},
	} {
		for _, ascending := range []bool{false, true} {
			by := by
			by.Ascending = ascending
			add(fmt.Sprint("changelog ", name, by.Ascending), strings.TrimSpace(name), func(x *Tx, p Paging) ([]Position, int, error) {
				rows, err := x.Changelog(&by, p)
				return positionsOf(rows, 0, err, func(d Document) Position { return Position{At: d.Sequence} })
			})
		}
	}
	resources := func(kind, parent, plan string, by ResourceFilter) {
		add(fmt.Sprint(kind, " ", by), plan, func(x *Tx, p Paging) ([]Position, int, error) {
			rows, total, err := x.Resources(kind, parent, &by, p)
			return positionsOf(rows, total, err, func(r *Resource) Position { return Position{micros(r.CreatedAt), r.ID} })
		})
	}
	resources("agents", "", "resources_created (workspace_id=? AND kind=? AND <expr>=?", ResourceFilter{})
	resources("agents", "", "resources_created (workspace_id=? AND kind=? AND <expr>=?", ResourceFilter{Query: "even", Members: map[string]string{"name": ""}})
	resources("scores", "", "resources_status (workspace_id=? AND kind=? AND <expr>=? AND status=?", ResourceFilter{Status: "archived"})
	resources("prompts/versions", "top", "resources_created (workspace_id=? AND kind=? AND <expr>=?", ResourceFilter{Query: "odd"})
	resources("prompts/versions", "top", "resources_status (workspace_id=? AND kind=? AND <expr>=? AND status=?", ResourceFilter{Status: "active"})
	for kind, members := range map[string]map[string]string{
		"scores": {"name": "odd", "source": "b", "trace_id": "t1", "execution_id": "x1", "data_type": "n", "config_id": "c0"},
		"traces": {"agent_id": "a1", "session_id": "s1", "kind": "llm", "type": "z"},
	} {
		for name, value := range members {
			plan := "resources_" + strings.TrimSuffix(name, "_id") + " (workspace_id=? AND kind=? AND member_" + name + "=?"
			resources(kind, "", plan, ResourceFilter{Members: map[string]string{name: value}})
			resources(kind, "", plan, ResourceFilter{Members: map[string]string{name: value}, Query: "d"})
		}
	}
	resources("scores", "", "resources_trace (", ResourceFilter{Members: map[string]string{"trace_id": "t1", "source": "b"}, Status: "active"})
	slices.SortFunc(all, func(a, b lister) int { return strings.Compare(a.name, b.name) })
	return all
}

// Pages by cursor, with any bounds, are the whole list in its order. Pages by
// number are the same, or are refused.
func TestBoundedPagesAreTheList(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := withRows(t, open(t))
		want := map[string][]Position{}
		read(t, s, func(x *Tx) (err error) {
			for _, l := range listers() {
				if want[l.name], _, err = l.page(x, Paging{Limit: 10 * numbered}); err != nil {
					return err
				}
			}
			return nil
		})
		rapid.Check(t, func(r *rapid.T) {
			for _, l := range rapid.SliceOfNDistinct(rapid.SampledFrom(listers()), 8, 8, func(l lister) string { return l.name }).Draw(r, "lists") {
				r.Log(l.name)
				checkPages(r, s, l, want[l.name])
			}
		})
	})
}

func read(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, s *Store, fn func(*Tx) error,
) {
	t.Helper()
	if err := s.Read(context.Background(), func(g *Global) error { return fn(g.Workspace("a")) }); err != nil {
		t.Fatalf("Read: got %v, want no error", err)
	}
}

func checkPages(t *rapid.T, s *Store, l lister, want []Position) {
	bounds := Bounds{
		Counted: rapid.IntRange(1, numbered).Draw(t, "counted"),
		Scanned: rapid.IntRange(1, numbered+5).Draw(t, "scanned"),
		Skipped: rapid.IntRange(0, numbered).Draw(t, "skipped"),
	}
	limit := rapid.IntRange(1, numbered).Draw(t, "limit")
	read(t, s, func(x *Tx) error {
		var got []Position
		sequence := strings.HasPrefix(l.name, "changelog") || strings.HasPrefix(l.name, "deliveries")
		p := Paging{Limit: limit}
		for number := 1; ; number++ {
			b := bounds
			p.Bounds = &b
			rows, total, err := l.page(x, p)
			if err != nil {
				return err
			}
			if number == 1 && total != Uncounted && total != 0 && total != len(want) {
				t.Fatalf("total: got %d, want %d", total, len(want))
			}
			if number == 1 && total == Uncounted && len(want) <= bounds.Counted && bounds.Scanned > numbered {
				t.Fatalf("total: got Uncounted, want %d, since the bounds are %+v", len(want), bounds)
			}
			if number == 1 && b.End != nil && !sequence && total != Uncounted {
				t.Fatalf("total: got %d, want Uncounted, since only %d rows were scanned", total, bounds.Scanned)
			}
			got = append(got, rows[:min(limit, len(rows))]...)
			if len(rows) > limit {
				p.After = &rows[limit-1]
			} else if b.End != nil {
				p.After = b.End
			} else {
				break
			}
			if number > 2*numbered+2 {
				t.Fatalf("got more than %d pages, want an end", number)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("pages by cursor (-want +got):\n%s", d)
		}
		if sequence {
			return nil // it has no page numbers
		}
		number := rapid.IntRange(1, numbered/limit+2).Draw(t, "number")
		b := bounds
		offset := (number - 1) * limit
		rows, total, err := l.page(x, Paging{Limit: limit, Offset: offset, Bounds: &b})
		if errors.Is(err, ErrTooFar) {
			if bounds.Scanned > numbered && (offset <= bounds.Skipped || len(want)-1-offset <= bounds.Skipped && len(want) <= bounds.Counted) {
				t.Fatalf("page %d: got refused, want rows: the bounds are %+v, total %d", number, bounds, total)
			}
			return nil
		}
		expected := want[min(offset, len(want)):min(offset+limit+1, len(want))]
		if number == 1 { // it may have fewer rows
			expected = expected[:min(len(expected), len(rows))]
		}
		if d := cmp.Diff(slices.Clip(expected), rows, cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Fatalf("page %d of %d: error %v (-want +got):\n%s", number, limit, err, d)
		}
		return nil
	})
}

// A page by number is refused if it is far from both ends of the list, or from its
// start if the total is not known.
func TestFarPagesAreRefused(t *testing.T) {
	t.Parallel()
	s := withRows(t, opened(t, ""))
	for _, c := range []struct {
		kind            string
		counted, offset int
		want            error
	}{
		{"", 5, 3, nil},
		{"", 5, 4, ErrTooFar},
		{"", 5, numbered - 5, ErrTooFar},
		{"", 5, numbered - 4, nil},
		{"", 5, numbered + 4, nil},
		{"openai", numbered, 16*2/3 + 4, nil}, // of 16
		{"openai", 5, 16*2/3 + 4, ErrTooFar},
		{"openai", 5, numbered + 4, ErrTooFar},
	} {
		read(t, s, func(x *Tx) error {
			got, _, err := x.Credentials("", c.kind, "", Paging{Limit: 2, Offset: c.offset, Bounds: &Bounds{Counted: c.counted, Scanned: 5, Skipped: 3}})
			if !errors.Is(err, c.want) || err == nil && (len(got) == 0) != (c.offset > numbered) {
				t.Errorf("Credentials of type %q from %d: got %d rows, error %v; want %v", c.kind, c.offset, len(got), err, c.want)
			}
			return nil
		})
	}
}

// An index has the order of each list, and the value of its filter. The rows
// that are only skipped or counted are not read.
func TestEachListIsServedByAnIndex(t *testing.T) {
	t.Parallel()
	s := withRows(t, opened(t, ""))
	for _, l := range listers() {
		t.Run(l.name, func(t *testing.T) {
			for _, p := range []Paging{
				{Limit: 2}, {Limit: 2, After: &Position{micros(moment.Add(5 * time.Hour)), "0"}}, {Limit: 2, Offset: 4},
			} {
				for _, scanned := range []int{3, numbered + 5} {
					p.Bounds = &Bounds{Counted: 1000, Scanned: scanned, Skipped: 1000}
					for _, statement := range prepared(t, s, func(x *Tx) error {
						_, _, err := l.page(x, p)
						if errors.Is(err, ErrTooFar) {
							err = nil
						}
						return err
					}) {
						if strings.Contains(statement, "FROM counters") && !strings.Contains(statement, "ORDER BY") || strings.Contains(statement, "workspace_count") || strings.Contains(statement, "changelog_sorted") {
							continue
						}
						plan := planOf(t, s, statement)
						if !strings.Contains(plan, l.plan) || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(strings.ReplaceAll(plan, "SCAN x", ""), "SCAN") {
							t.Errorf("plan: got %s, want %s, for\n%s", plan, l.plan, statement)
						}
						if skips := strings.Contains(statement, "OFFSET") && !strings.Contains(statement, "CASE WHEN"); skips && !strings.Contains(plan, "COVERING INDEX") {
							t.Errorf("plan: got %s, want only an index, for\n%s", plan, statement)
						}
					}
				}
			}
		})
	}
}

// prepared returns the statements that fn runs on a database in memory.
func prepared(t *testing.T, s *Store, fn func(*Tx) error) (texts []string) {
	t.Helper()
	idle := func(then func(*preparedConn)) {
		conn, err := s.sqlite().reader.Conn(t.Context())
		if err == nil {
			err = errors.Join(conn.Raw(func(c any) error {
				then(c.(*preparedConn)) //nolint:forcetypeassert // made by statements
				return nil
			}), conn.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	idle(func(c *preparedConn) { _ = c.closeIdle() })
	read(t, s, fn)
	idle(func(c *preparedConn) { texts = slices.Sorted(maps.Keys(c.idle)) })
	return slices.DeleteFunc(texts, func(text string) bool { return !strings.HasPrefix(text, "SELECT") })
}

var place = regexp.MustCompile(`\$\d+`)

// planOf returns the plan of a statement.
func planOf(t *testing.T, s *Store, statement string) string {
	t.Helper()
	found := place.FindAllString(statement, -1)
	slices.Sort(found)
	rows, err := s.sqlite().reader.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, len(slices.Compact(found)))...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}

// A search over as many workspaces as are compared for one page is complete. With one
// more, it continues after a cursor.
func TestSearchOfWorkspacesIsBounded(t *testing.T) {
	t.Parallel()
	s := opened(t, "")
	for created, want := range map[int]struct {
		total int
		more  bool
	}{maxListed: {maxListed, false}, maxListed + 1: {Uncounted, true}} {
		user := fmt.Sprint("user", created)
		var total int
		bounds := &Bounds{Scanned: maxListed}
		err := s.Write(t.Context(), func(g *Global) error {
			if err := g.CreateUser(&promptrails.User{ID: user, Email: user + "@example.com"}, moment); err != nil {
				return err
			}
			for i := range created {
				id := fmt.Sprint(user, "-", i)
				x, err := g.CreateWorkspace(&promptrails.Workspace{ID: id, Name: "w", Slug: id, Plan: "pro", CreatedAt: moment}, "", time.Time{})
				if err != nil {
					return err
				}
				if err := x.CreateMember(&promptrails.Member{ID: "m", UserID: user, Role: promptrails.RoleOwner, JoinedAt: moment}); err != nil {
					return err
				}
			}
			var err error
			_, total, err = g.UserWorkspaces(user, "", "w", Paging{Limit: 10, Bounds: bounds})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if total != want.total || (bounds.End != nil) != want.more {
			t.Errorf("search over %d workspaces: got total %d and end %v, want total %d and an end: %t", created, total, bounds.End, want.total, want.more)
		}
	}
}
