package store

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Rule is a rule about the rows of a table: another table has a row with the same values.
type Rule struct {
	Table string // and its columns
	order []string
	where string // the rows that the rule is about; empty: all
	same  []string
	named []string // the columns that identify a row in a report

	To   string // the other table, and its columns with the values of same
	has  []string
	by   int // the number of columns in has that find the row
	find string

	IsLookup bool // the row finds the other one, or is found by it
}

// reference returns the rule that the values of columns are those of a row's key.
func reference(table, columns, to, key string) Rule {
	list := strings.Fields(columns)
	return Rule{
		Table: table, order: list, where: list[len(list)-1] + " IS NOT NULL", same: list, named: list,
		To: to, has: strings.Fields(key), by: len(list),
	}
}

// inWorkspace is the reference of a table to its workspace.
func inWorkspace(table string) Rule { return reference(table, "workspace_id", "workspaces", "id") }

// lookup returns the rule that a row has another one with the same values. The first by
// columns find it.
func lookup(table, order, named, same, to, has string, by int) Rule {
	return Rule{
		Table: table, order: strings.Fields(order), named: strings.Fields(named), same: strings.Fields(same),
		To: to, has: strings.Fields(has), by: by, IsLookup: true,
	}
}

// only limits a rule to the rows with a condition, and the other rows too.
func (r Rule) only(where, find string) Rule {
	r.where, r.find = where, find
	return r
}

// Rules returns the rules that the rows of a database follow: the foreign keys, and the
// tables that find rows across workspaces.
func Rules() []Rule {
	return []Rule{
		inWorkspace("counters"), inWorkspace("members"), inWorkspace("invitations"), inWorkspace("api_keys"), inWorkspace("credentials"),
		inWorkspace("changelog"), inWorkspace("resources"), inWorkspace("data_masking"), inWorkspace("invoices"), inWorkspace("transactions"),
		inWorkspace("usage_crossings"), inWorkspace("notification_channels"),
		reference("resources", "workspace_id parent_id", "resources", "workspace_id id"),
		reference("resource_references", "workspace_id from_id", "resources", "workspace_id id"),
		reference("masked_values", "workspace_id trace_id", "resources", "workspace_id id"),
		reference("masking_overrides", "workspace_id agent_id", "resources", "workspace_id id"),
		reference("notification_deliveries", "workspace_id channel_id", "notification_channels", "workspace_id id"),

		lookup("workspaces", "id", "id", "slug id", "workspace_slugs", "slug workspace_id", 1),
		lookup("workspace_slugs", "slug", "workspace_id slug", "workspace_id slug", "workspaces", "id slug", 1).only("workspace_id IS NOT NULL", ""),
		lookup("api_keys", "workspace_id id", "workspace_id id", "key_hash workspace_id id", "api_key_hashes", "hash workspace_id key_id", 1),
		lookup("api_key_hashes", "hash", "workspace_id key_id", "workspace_id key_id hash", "api_keys", "workspace_id id key_hash", 2),
		lookup("invitations", "workspace_id id", "workspace_id id", "token_hash workspace_id id", "invitation_tokens", "hash workspace_id invitation_id", 1),
		lookup("invitation_tokens", "hash", "workspace_id invitation_id", "workspace_id invitation_id hash", "invitations", "workspace_id id token_hash", 2),
		lookup("users", "id", "id", "lower(email) id", "user_emails", "email_key user_id", 1),
		lookup("user_emails", "email_key", "user_id", "user_id email_key", "users", "id lower(email)", 1),
		lookup("members", "workspace_id id", "workspace_id id", "user_id workspace_id role", "user_workspaces", "user_id workspace_id role", 2),
		lookup("user_workspaces", "user_id workspace_id", "workspace_id user_id", "workspace_id user_id role", "members", "workspace_id user_id role", 2),
		lookup("user_workspaces", "user_id workspace_id", "workspace_id user_id", "workspace_id workspace_created_at", "workspaces", "id created_at", 1),
		lookup("members", "workspace_id id", "workspace_id id", "user_id email name", "users", "id email name", 1),
		lookup("workspaces", "id", "id", "id owner_id", "members", "workspace_id user_id", 2).only("", "role = 'owner'"),
		lookup("access_tokens", "hash", "id", "user_id", "users", "id", 1),
	}
}

// Broken is a row that does not follow a rule.
type Broken struct {
	Workspace string // empty if the row has none
	What      string
}

// Breaks returns the rows that do not follow a rule among the next ones in the order of
// its table. It starts after the row after, if that is not nil, and reads at most limit
// rows. The result last is nil if there are no more.
func (g *Global) Breaks(r *Rule, after []any, limit int) (broken []Broken, read int, last []any, err error) {
	query, args := r.next(after, limit)
	rows, err := g.values(len(r.columns()), query, args)
	if err != nil || len(rows) == 0 {
		return nil, 0, nil, err
	}
	query, args = r.others(rows)
	found, err := g.values(len(r.has), query, args)
	if err != nil {
		return nil, 0, nil, err
	}
	exists := map[string]bool{}
	for _, values := range found {
		exists[fmt.Sprint(values)] = true
	}
	for _, row := range rows {
		if !exists[fmt.Sprint(r.sameOf(row))] {
			broken = append(broken, r.describe(row))
		}
	}
	if r.IsLookup && len(rows) < limit {
		return broken, len(rows), nil, nil
	}
	return broken, len(rows), rows[len(rows)-1][:len(r.order)], nil
}

// columns returns the columns that next selects.
func (r *Rule) columns() []string {
	if !r.IsLookup {
		return r.order
	}
	return slices.Concat(r.order, r.same, r.named)
}

// next returns the query of the next rows. Those of a reference are distinct, because many
// rows have the same one. The next slice omits the others with the last one.
func (r *Rule) next(after []any, limit int) (query string, args []any) {
	f := filter{}
	if r.where != "" {
		f.and(r.where)
	}
	if after != nil {
		marks := strings.Repeat(", ?", len(after))[2:]
		f.and("("+strings.Join(r.order, ", ")+") > ("+marks+")", after...)
	}
	order := " ORDER BY " + strings.Join(r.order, ", ")
	columns := strings.Join(r.columns(), ", ")
	query = "SELECT " + columns + " FROM " + r.Table + " WHERE 1 = 1" + f.sql.String()
	f.args = append(f.args, limit)
	query += fmt.Sprintf("%s LIMIT $%d", order, len(f.args))
	if !r.IsLookup {
		query = "SELECT DISTINCT " + columns + " FROM (" + query + ") x" + order
	}
	return query, f.args
}

// others returns the query of the other rows.
func (r *Rule) others(rows [][]any) (query string, args []any) {
	var lists []string
	for _, row := range rows {
		places := make([]string, r.by)
		for i, v := range r.sameOf(row)[:r.by] {
			args = append(args, v)
			places[i] = fmt.Sprintf("$%d", len(args))
		}
		lists = append(lists, "("+strings.Join(places, ", ")+")")
	}
	values := "(" + strings.Join(lists, ", ") + ")" // parentheses around one value have no effect
	if r.by > 1 {
		values = "(VALUES " + strings.Join(lists, ", ") + ")"
	}
	query = "SELECT " + strings.Join(r.has, ", ") + " FROM " + r.To + " WHERE (" + strings.Join(r.has[:r.by], ", ") + ") IN " + values
	if r.find != "" {
		query += " AND " + r.find
	}
	return query, args
}

// sameOf returns the values of the columns same of a row that next selects.
func (r *Rule) sameOf(row []any) []any {
	if !r.IsLookup {
		return row
	}
	return row[len(r.order) : len(r.order)+len(r.same)]
}

// describe describes a row without another one.
func (r *Rule) describe(row []any) (b Broken) {
	var names []string
	for i, v := range row[len(row)-len(r.named):] {
		if r.named[i] == "workspace_id" || r.Table == "workspaces" {
			b.Workspace = fmt.Sprint(v)
		}
		names = append(names, r.named[i]+" "+shown(v))
	}
	b.What = fmt.Sprintf("%s: the row with %s has no row in %s with the same %s", r.Table, strings.Join(names, " and "), r.To, strings.Join(r.has, ", "))
	return b
}

func shown(v any) string {
	if bytes, ok := v.([]byte); ok {
		return hex.EncodeToString(bytes)
	}
	return fmt.Sprint(v)
}

// values returns the rows of a query with a number of columns.
func (g *Global) values(columns int, query string, args []any) (rows [][]any, err error) {
	err = g.rows(query, args, func(r scanner) error {
		row := make([]any, columns)
		into := make([]any, columns)
		for i := range row {
			into[i] = &row[i]
		}
		rows = append(rows, row)
		return r.Scan(into...)
	})
	return rows, err
}
