package benchmarks

import (
	"database/sql"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const manyEntries = 1_000_000

// BenchmarkChangelogDepth reads a page of 100 from a changelog of a million entries:
// the first page, which is the floor, and the last.
func BenchmarkChangelogDepth(b *testing.B) {
	file := filepath.Join(b.TempDir(), "workspaces.db")
	ada, _ := owner(b, embedded.Config{DSN: file})
	// Copies of the second entry: lists do not verify the chain.
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(60000)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const copies = `WITH RECURSIVE n (value) AS (SELECT 3 UNION ALL SELECT value + 1 FROM n WHERE value < ?)
		INSERT INTO changelog SELECT c.workspace_id, n.value, printf('0%026d', n.value), c.occurred_at + n.value, c.action, c.resource_type, c.resource_id,
			c.actor_type, c.actor_id, c.document FROM changelog c, n WHERE c.sequence = 2`
	if _, err := db.ExecContext(b.Context(), copies, manyEntries); err != nil {
		b.Fatal(err)
	}
	changelog := ada.Changelog
	list := func(b *testing.B, p *promptrails.ListChangelogParams) *promptrails.Page[promptrails.ChangelogEntry] {
		b.Helper()
		p.Limit, p.Order = 100, promptrails.OrderAscending
		page, err := changelog.List(b.Context(), p)
		if err != nil || len(page.Items) != 100 {
			b.Fatalf("Changelog.List: got %+v, error %v; want 100 entries", page, err)
		}
		return page
	}
	deep := list(b, &promptrails.ListChangelogParams{SequenceFrom: manyEntries - 299})
	for name, p := range map[string]promptrails.ListChangelogParams{
		"floor":          {},
		"last by cursor": {SequenceFrom: manyEntries - 299, ListOptions: promptrails.ListOptions{After: deep.Meta.NextCursor}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				list(b, &p)
			}
		})
	}
}
