package store

import (
	"fmt"
	"math"

	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

// The queries in this file read what [Rules] does not cover for a check of the data.
// Those of Global are about all workspaces, as those in global.go.

// WorkspaceIDs returns the ids after one, in order and at most limit.
func (g *Global) WorkspaceIDs(after string, limit int) (ids []string, err error) {
	err = g.rows("SELECT id FROM workspaces WHERE id > $1 ORDER BY id LIMIT $2", []any{after, limit}, func(r scanner) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// CountWorkspaces returns the number of workspaces.
func (g *Global) CountWorkspaces() (n int64, err error) {
	err = g.row("SELECT count(*) FROM workspaces", nil, &n)
	return n, err
}

// Sealed returns the values of a column after a row, in the order of the rows and at
// most limit.
func (g *Global) Sealed(c SealedColumn, after SealedRow, limit int) (rows []SealedRow, err error) {
	err = g.rows(fmt.Sprintf(`SELECT workspace_id, id, %[2]s FROM %[1]s WHERE (workspace_id, id) > ($1, $2) AND %[2]s IS NOT NULL
		ORDER BY workspace_id, id LIMIT $3`, c.Table, c.Name), []any{after.Workspace, after.ID, limit}, func(r scanner) error {
		rows = append(rows, SealedRow{})
		row := &rows[len(rows)-1]
		return r.Scan(&row.Workspace, &row.ID, &row.Value)
	})
	return rows, err
}

// SealedOutcomes returns the sealed bodies of outcomes after one, in the order of their
// keys and at most limit.
func (g *Global) SealedOutcomes(after OutcomeKey, limit int) (rows []SealedOutcome, err error) {
	hash := append([]byte{}, after.Hash...) // nil is NULL
	err = g.rows(`SELECT principal, workspace_id, key_hash, body FROM outcomes WHERE (principal, workspace_id, key_hash) > ($1, $2, $3)
		AND secret = 1 AND body IS NOT NULL ORDER BY principal, workspace_id, key_hash LIMIT $4`,
		[]any{after.Principal, after.Workspace, hash, limit}, func(r scanner) error {
			rows = append(rows, SealedOutcome{})
			o := &rows[len(rows)-1]
			return r.Scan(&o.Key.Principal, &o.Key.Workspace, &o.Key.Hash, &o.Body)
		})
	return rows, err
}

// UserCount is the stored number of a user's workspaces and the counted one.
type UserCount struct {
	ID              string
	Stored, Counted int
}

// UserCounts returns the numbers of the users after one, in order and at most limit.
func (g *Global) UserCounts(after string, limit int) (counts []UserCount, err error) {
	err = g.rows(`SELECT u.id, u.workspace_count, (SELECT count(*) FROM user_workspaces l WHERE l.user_id = u.id)
		FROM users u WHERE u.id > $1 ORDER BY u.id LIMIT $2`, []any{after, limit}, func(r scanner) error {
		var c UserCount
		err := r.Scan(&c.ID, &c.Stored, &c.Counted)
		counts = append(counts, c)
		return err
	})
	return counts, err
}

// Counters returns the counters of the workspace, by name, and its sums.
func (t *Tx) Counters() (map[string]int, error) {
	return t.numbers(`SELECT kind, n FROM counters WHERE workspace_id = $1
		UNION ALL SELECT 'the balance', balance_micros FROM workspaces w WHERE w.id = $1
		UNION ALL SELECT 'the sequence of transactions', transaction_sequence FROM workspaces w WHERE w.id = $1`)
}

// Recount counts what the counters of the workspace count. It omits those that are 0.
func (t *Tx) Recount() (map[string]int, error) {
	counts, err := t.numbers(`SELECT 'members', count(*) FROM members WHERE workspace_id = $1
		UNION ALL SELECT 'invitations', count(*) FROM invitations WHERE workspace_id = $1
		UNION ALL SELECT 'credentials', count(*) FROM credentials WHERE workspace_id = $1
		UNION ALL SELECT 'api_keys', count(*) FROM api_keys WHERE workspace_id = $1
		UNION ALL SELECT 'notification_channels', count(*) FROM notification_channels WHERE workspace_id = $1
		UNION ALL SELECT 'masking_overrides', count(*) FROM masking_overrides WHERE workspace_id = $1
		UNION ALL SELECT 'invoices', count(*) FROM invoices WHERE workspace_id = $1
		UNION ALL SELECT 'the balance', CAST(coalesce(sum(amount_micros), 0) AS BIGINT) FROM transactions WHERE workspace_id = $1
		UNION ALL SELECT 'the sequence of transactions', count(*) FROM transactions WHERE workspace_id = $1
		UNION ALL SELECT 'traces/sessions', count(*) FROM (
			SELECT DISTINCT workspace_id, member_session_id FROM resources WHERE workspace_id = $1 AND kind = 'traces' AND member_session_id <> '') x
		UNION ALL SELECT CASE WHEN parent_id IS NULL THEN kind ELSE 'under/' || parent_id || '/' || kind END, count(*)
			FROM resources WHERE workspace_id = $1 GROUP BY kind, parent_id`)
	if err != nil || counts[tracesOfAnyKind] == 0 {
		return counts, err
	}
	err = t.rows("SELECT document FROM resources WHERE workspace_id = $1 AND kind = 'traces'", nil, func(r scanner) error {
		var totals traceUsage
		if err := r.Scan(document{&totals}); err != nil {
			return err
		}
		counts[traceTokens] += totals.Tokens
		counts[traceDuration] += totals.Duration
		counts[traceCost] += int(math.Round(totals.Cost * 1e6))
		return nil
	})
	return counts, err
}

// traceUsage is the usage in the document of a trace.
type traceUsage struct {
	Tokens   int     `json:"total_tokens"`
	Duration int     `json:"duration_ms"`
	Cost     float64 `json:"cost"` // dollars
}

// numbers returns the result of a query with the columns name and number, without zeros.
func (t *Tx) numbers(query scoped) (map[string]int, error) {
	found := map[string]int{}
	err := t.rows(query, nil, func(r scanner) error {
		var name string
		var n int
		if err := r.Scan(&name, &n); err != nil {
			return err
		}
		if n != 0 {
			found[name] += n
		}
		return nil
	})
	return found, err
}

// StoredEntry is an entry of the changelog with the columns that lists are filtered by.
type StoredEntry struct {
	changelog.Entry // of the columns; the other fields are empty

	Document []byte // as it is served
}

// StoredEntries returns the entries after a sequence, oldest first and at most limit. It
// stops before the entry with which the documents are larger than a number of bytes.
func (t *Tx) StoredEntries(after int64, limit, bytes int) (entries []*StoredEntry, err error) {
	size := &PageSize{Left: bytes}
	err = t.rows(`SELECT sequence, id, occurred_at, action, resource_type, resource_id, actor_type, actor_id, document
		FROM changelog WHERE workspace_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, []any{after, limit}, func(r scanner) error {
		e := new(StoredEntry)
		if err := r.Scan(&e.Sequence, &e.ID, stamp{&e.OccurredAt}, &e.Action, &e.Resource.Type, &e.Resource.ID, &e.Actor.Type, &e.Actor.ID, &e.Document); err != nil {
			return err
		}
		if err := size.take(len(e.Document)); err != nil {
			return err
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}
