package store

import (
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

// Head returns the sequence and hash of the newest entry. Before the first entry
// they are 0 and the genesis hash.
func (t *Tx) Head() (*promptrails.ChangelogHead, error) {
	h := &promptrails.ChangelogHead{WorkspaceID: t.workspace}
	return h, t.row("SELECT changelog_sequence, changelog_hash FROM workspaces WHERE id = $1", nil, &h.Sequence, &h.Hash)
}

// Append adds an entry to the changelog. It sets the entry's WorkspaceID,
// Sequence and PrevHash. Its time is not before that of the previous entry, even if
// the clocks of two processes differ.
func (t *Tx) Append(e *changelog.Entry) error {
	var previous time.Time
	err := t.row("SELECT changelog_sequence, changelog_hash, changelog_at FROM workspaces WHERE id = $1", nil, &e.Sequence, &e.PrevHash, stamp{&previous})
	if err != nil {
		return err
	}
	e.WorkspaceID, e.Sequence = t.workspace, e.Sequence+1
	if e.OccurredAt.Before(previous) {
		e.OccurredAt = previous
	}
	document, hash, err := changelog.Seal(e)
	if err != nil {
		return err
	}
	err = t.later(`INSERT INTO changelog (workspace_id, sequence, id, occurred_at, action, resource_type, resource_id, actor_type, actor_id, document)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.Sequence, e.ID, micros(e.OccurredAt), e.Action, e.Resource.Type, e.Resource.ID, e.Actor.Type, e.Actor.ID, string(document))
	if err != nil {
		return err
	}
	return t.later("UPDATE workspaces SET changelog_sequence = $2, changelog_hash = $3, changelog_at = $4 WHERE id = $1", e.Sequence, hash, micros(e.OccurredAt))
}

// ChangelogFilter narrows a list of entries; a zero field is ignored.
type ChangelogFilter struct {
	ResourceType, ResourceID, Action, ActorType, ActorID string
	Since, Until                                         time.Time // Until is exclusive
	From, To                                             int64     // sequences, both inclusive
	Ascending                                            bool
}

// Document is an entry as it is served and its sequence.
type Document struct {
	Sequence int64
	JSON     []byte
}

// Changelog returns a page of the entries.
func (t *Tx) Changelog(by *ChangelogFilter, p Paging) (page []Document, err error) {
	f := filter{base: 1}
	f.andText("resource_type = ?", by.ResourceType)
	f.andText("resource_id = ?", by.ResourceID)
	f.andText("action = ?", by.Action)
	f.andText("actor_type = ?", by.ActorType)
	f.andText("actor_id = ?", by.ActorID)
	if !by.Since.IsZero() {
		f.and("occurred_at >= ?", micros(by.Since))
	}
	if !by.Until.IsZero() {
		f.and("occurred_at < ?", micros(by.Until))
	}
	if by.From != 0 {
		f.and("sequence >= ?", by.From)
	}
	if by.To != 0 {
		f.and("sequence <= ?", by.To)
	}
	beyond, order := "sequence < ?", " ORDER BY sequence DESC"
	if by.Ascending {
		beyond, order = "sequence > ?", " ORDER BY sequence"
	}
	if p.After != nil {
		f.and(beyond, p.After.At)
	}
	query := "SELECT sequence, document FROM changelog WHERE workspace_id = $1" + scoped(f.sql.String()+order+f.limit(p))
	err = t.rows(query, f.args, func(r scanner) error {
		var d Document
		if err := r.Scan(&d.Sequence, &d.JSON); err != nil {
			return err
		}
		if err := p.Size.take(len(d.JSON)); err != nil {
			return err
		}
		page = append(page, d)
		return nil
	})
	return page, err
}

// ChangelogEntry returns the document of the entry with that id.
func (t *Tx) ChangelogEntry(id string) (document []byte, err error) {
	err = t.row("SELECT document FROM changelog WHERE workspace_id = $1 AND id = $2", []any{id}, &document)
	return document, err
}
