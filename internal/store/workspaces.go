package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const workspaceColumns = `w.id, w.name, w.slug, w.plan, w.owner_id, w.version, w.created_at, w.updated_at,
	(SELECT c.n FROM counters c WHERE c.workspace_id = w.id AND c.kind = 'members')`

func workspaceFields(w *promptrails.Workspace) []any {
	return []any{&w.ID, &w.Name, &w.Slug, &w.Plan, &w.OwnerID, &w.Version, stamp{&w.CreatedAt}, stamp{&w.UpdatedAt}, &w.MemberCount}
}

// Workspace returns the workspace. It does not set its role.
func (t *Tx) Workspace() (*promptrails.Workspace, error) {
	w := new(promptrails.Workspace)
	return w, t.row("SELECT "+workspaceColumns+" FROM workspaces w WHERE w.id = $1", nil, workspaceFields(w)...)
}

// UpdateWorkspace stores the name, owner, version and time of the last change.
func (t *Tx) UpdateWorkspace(w *promptrails.Workspace) error {
	return affected(t.exec("UPDATE workspaces SET name = $2, owner_id = $3, version = $4, updated_at = $5 WHERE id = $1",
		w.Name, w.OwnerID, w.Version, micros(w.UpdatedAt)))
}

// DeleteWorkspace deletes the workspace, its contents, and the rows that find it. Its
// slug is freed.
func (t *Tx) DeleteWorkspace(slug string, at time.Time) error {
	members, err := t.column("SELECT m.user_id FROM members m WHERE m.workspace_id = $1 ORDER BY m.user_id")
	if err != nil {
		return err
	}
	for some := range slices.Chunk(members, maxListed) {
		if err := t.global.later("UPDATE users SET workspace_count = workspace_count - 1 WHERE id IN "+places(1, len(some)), some...); err != nil {
			return err
		}
		if err := t.later("DELETE FROM user_workspaces WHERE workspace_id = $1 AND user_id IN "+scoped(places(2, len(some))), some...); err != nil {
			return err
		}
	}
	for _, look := range []struct {
		up     string
		hashes scoped
	}{
		{"api_key_hashes", "SELECT k.key_hash FROM api_keys k WHERE k.workspace_id = $1 ORDER BY k.key_hash"},
		{"invitation_tokens", "SELECT i.token_hash FROM invitations i WHERE i.workspace_id = $1 ORDER BY i.token_hash"},
	} {
		hashes, err := t.column(look.hashes)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(hashes, maxListed) {
			if err := t.global.later("DELETE FROM "+look.up+" WHERE hash IN "+places(1, len(some)), some...); err != nil {
				return err
			}
		}
	}
	if err := t.global.freeSlug(slug, t.workspace, at); err != nil {
		return err
	}
	return affected(t.exec("DELETE FROM workspaces WHERE id = $1"))
}

// maxListed is the maximum number of values that a statement lists.
const maxListed = 100

// places returns a list of n parameters in parentheses, from number first on.
func places(first, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", first+i)
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// column returns the values of the only column of a query.
func (t *Tx) column(query scoped) (values []any, err error) {
	err = t.rows(query, nil, func(r scanner) error {
		var v any
		err := r.Scan(&v)
		values = append(values, v)
		return err
	})
	return values, err
}

// The names of the counters.
const (
	countMembers     = "members"
	countInvitations = "invitations"
	countCredentials = "credentials"
	countAPIKeys     = "api_keys"
)

func (t *Tx) count(kind string, by int) error {
	if by > 0 {
		return t.countUp(map[string]int{kind: by})
	}
	return t.later("UPDATE counters SET n = n + $3 WHERE workspace_id = $1 AND kind = $2", kind, by)
}

// countUp adds to several counters at once.
func (t *Tx) countUp(by map[string]int) error {
	var rows []string
	var args []any
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		rows = append(rows, fmt.Sprintf("($1, $%d, $%d)", len(args)+2, len(args)+3))
		args = append(args, kind, by[kind])
	}
	return t.later("INSERT INTO counters (workspace_id, kind, n) VALUES "+scoped(strings.Join(rows, ", "))+
		" ON CONFLICT (workspace_id, kind) DO UPDATE SET n = counters.n + excluded.n", args...)
}

func (t *Tx) counted(kind string) (n int, err error) {
	err = t.row("SELECT coalesce((SELECT n FROM counters WHERE workspace_id = $1 AND kind = $2), 0)", []any{kind}, &n)
	return n, err
}

// total returns a function that reads a counter, for the total of a list.
func (t *Tx) total(kind string) func() (int, error) {
	return func() (int, error) { return t.counted(kind) }
}
