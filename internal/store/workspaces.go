package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	return affected(t.exec("UPDATE workspaces SET name = $2, search = $3, owner_id = $4, version = $5, updated_at = $6 WHERE id = $1",
		w.Name, searchable(w.Name, w.Slug), w.OwnerID, w.Version, micros(w.UpdatedAt)))
}

// DeleteWorkspace deletes the workspace and everything in it.
func (t *Tx) DeleteWorkspace() error {
	if _, err := t.exec("UPDATE users SET workspace_count = workspace_count - 1 WHERE id IN (SELECT m.user_id FROM members m WHERE m.workspace_id = $1)"); err != nil {
		return err
	}
	return affected(t.exec("DELETE FROM workspaces WHERE id = $1"))
}

// The names of the counters.
const (
	countMembers     = "members"
	countInvitations = "invitations"
	countCredentials = "credentials"
	countAPIKeys     = "api_keys"
)

func (t *Tx) count(kind string, by int) error {
	n, err := t.exec("UPDATE counters SET n = n + $3 WHERE workspace_id = $1 AND kind = $2", kind, by)
	if err == nil && n == 0 {
		_, err = t.exec("INSERT INTO counters (workspace_id, kind, n) VALUES ($1, $2, $3)", kind, by)
	}
	return err
}

// countUp adds to several counters at once.
func (t *Tx) countUp(by map[string]int) error {
	var rows []string
	var args []any
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		rows = append(rows, fmt.Sprintf("($1, $%d, $%d)", len(args)+2, len(args)+3))
		args = append(args, kind, by[kind])
	}
	_, err := t.exec("INSERT INTO counters (workspace_id, kind, n) VALUES "+scoped(strings.Join(rows, ", "))+
		" ON CONFLICT (workspace_id, kind) DO UPDATE SET n = n + excluded.n", args...)
	return err
}

func (t *Tx) counted(kind string) (n int, err error) {
	err = t.row("SELECT coalesce((SELECT n FROM counters WHERE workspace_id = $1 AND kind = $2), 0)", []any{kind}, &n)
	return n, err
}

// total returns the number of rows of a list: from its counter, or by counting if
// the list is filtered. It returns 0 if p has a cursor.
func (t *Tx) total(kind string, from scoped, f *filter, p Paging) (int, error) {
	return t.totalIn(kind, from, nil, f, p)
}

// totalIn is total for a list whose SQL has arguments before the filter's.
func (t *Tx) totalIn(kind string, from scoped, args []any, f *filter, p Paging) (n int, err error) {
	if p.After != nil {
		return 0, nil
	}
	if !f.narrowed() {
		return t.counted(kind)
	}
	err = t.row("SELECT count(*) "+from+scoped(f.sql.String()), append(slices.Clip(args), f.args...), &n)
	return n, err
}
