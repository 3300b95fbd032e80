package benchmarks

import (
	"database/sql"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const manyCredentials = 130_000

// withManyCredentials opens a service with 130 000 credentials of two types, and as
// many members, in one workspace of a file.
func withManyCredentials(b *testing.B) *promptrails.Client {
	b.Helper()
	file := filepath.Join(b.TempDir(), "workspaces.db")
	cfg := embedded.Config{DSN: file, DefaultPlan: promptrails.PlanEnterprise}
	ada, _ := owner(b, cfg)
	if _, err := ada.Credentials.Create(b.Context(), &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789")}); err != nil {
		b.Fatal(err)
	}
	// The others are copies of the first: lists do not decrypt values.
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{
		`WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?)
			INSERT INTO credentials (workspace_id, id, name, search, type, category, description, value, masked_content,
			is_default, schema_type, is_valid, version, created_at, updated_at)
			SELECT c.workspace_id, printf('0%026d', n.value), 'key ' || n.value, 'key ' || n.value, CASE n.value % 2 WHEN 0 THEN c.type ELSE 'anthropic' END, c.category, c.description, c.value, c.masked_content,
			c.is_default, c.schema_type, c.is_valid, c.version, c.created_at - n.value, c.updated_at FROM credentials c, n`,
		`UPDATE counters SET n = n + ? WHERE kind IN ('credentials', 'members')`,
		`WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?)
			INSERT INTO members (workspace_id, id, user_id, email, name, search, role, version, joined_at)
			SELECT m.workspace_id, printf('0%026d', n.value), 'u' || n.value, 'u' || n.value || '@example.com', 'Ada', 'ada' || char(10) || 'u' || n.value || '@example.com',
			CASE n.value % 10 WHEN 0 THEN 'admin' ELSE 'user' END, 1, m.joined_at - n.value
			FROM members m, n WHERE m.role = 'owner'`,
	} {
		if _, err := db.ExecContext(b.Context(), statement, manyCredentials-1); err != nil {
			b.Fatal(err)
		}
	}
	return ada
}

// BenchmarkPages reads a page of 20 from 130 000 credentials or members: the first
// and the last by cursor, pages by number, and the first pages of filtered lists. The
// floor is a page without filters.
func BenchmarkPages(b *testing.B) {
	ada := withManyCredentials(b)
	list := func(b *testing.B, o promptrails.ListOptions) *promptrails.Page[promptrails.Credential] {
		b.Helper()
		page, err := ada.Credentials.List(b.Context(), &promptrails.ListCredentialsParams{ListOptions: o})
		if err != nil || len(page.Items) != 20 {
			b.Fatalf("Credentials.List: got %+v, error %v; want 20 credentials", page, err)
		}
		return page
	}
	first := list(b, promptrails.ListOptions{Limit: 20})
	// A page by number returns the cursor of the following page.
	deep := list(b, promptrails.ListOptions{Limit: 20, Page: manyCredentials/20 - 1})
	for _, c := range []struct {
		name string
		o    promptrails.ListOptions
	}{
		{"floor", promptrails.ListOptions{Limit: 20, After: first.Meta.NextCursor}},
		{"last by cursor", promptrails.ListOptions{Limit: 20, After: deep.Meta.NextCursor}},
		{"number 1", promptrails.ListOptions{Limit: 20, Page: 1}},
		{"number 1000", promptrails.ListOptions{Limit: 20, Page: 1000}},
		{"number 6500", promptrails.ListOptions{Limit: 20, Page: manyCredentials / 20}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				list(b, c.o)
			}
		})
	}
	for _, c := range []struct {
		name string
		by   promptrails.ListCredentialsParams
		want int
	}{
		{"type", promptrails.ListCredentialsParams{Type: "anthropic"}, 20},
		{"category", promptrails.ListCredentialsParams{Category: "llm"}, 20},
		{"q that matches all", promptrails.ListCredentialsParams{Query: "key"}, 20},
		{"q that matches few", promptrails.ListCredentialsParams{Query: "key 7"}, 11},
		{"q without a match", promptrails.ListCredentialsParams{Query: "nothing"}, 0},
		{"type and q without a match", promptrails.ListCredentialsParams{Type: "anthropic", Query: "nothing"}, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				page, err := ada.Credentials.List(b.Context(), &c.by)
				if err != nil || len(page.Items) != c.want || page.Meta.NextCursor == "" {
					b.Fatalf("Credentials.List: got %+v, error %v; want %d credentials and a cursor", page, err, c.want)
				}
			}
		})
	}
	for _, c := range []struct {
		name string
		by   promptrails.ListMembersParams
		want int
	}{
		{"members", promptrails.ListMembersParams{}, 20},
		{"members by role", promptrails.ListMembersParams{Role: promptrails.RoleAdmin}, 20},
		{"members with q", promptrails.ListMembersParams{Query: "example"}, 20},
		{"members with q without a match", promptrails.ListMembersParams{Query: "nothing"}, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				page, err := ada.Members.List(b.Context(), &c.by)
				if err != nil || len(page.Items) != c.want || page.Meta.NextCursor == "" {
					b.Fatalf("Members.List: got %+v, error %v; want %d members and a cursor", page, err, c.want)
				}
			}
		})
	}
}
