package store

import (
	"errors"
	"math"
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

// maxSkew is the difference of the clocks of two processes that is corrected.
const maxSkew = 5 * time.Minute

// Append adds an entry to the changelog. It sets the entry's WorkspaceID,
// Sequence and PrevHash. If its time is shortly before that of the previous entry, it
// sets that time. A clock that was set back further is not corrected.
func (t *Tx) Append(e *changelog.Entry) error {
	var previous time.Time
	var sorted bool
	err := t.row("SELECT changelog_sequence, changelog_hash, changelog_at, changelog_sorted FROM workspaces WHERE id = $1", nil,
		&e.Sequence, &e.PrevHash, stamp{&previous}, switched[bool]{&sorted})
	if err != nil {
		return err
	}
	e.WorkspaceID, e.Sequence = t.workspace, e.Sequence+1
	switch ahead := previous.Sub(e.OccurredAt); {
	case ahead > maxSkew:
		sorted = false
	case ahead > 0:
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
	return t.later("UPDATE workspaces SET changelog_sequence = $2, changelog_hash = $3, changelog_at = $4, changelog_sorted = $5 WHERE id = $1", e.Sequence, hash, micros(e.OccurredAt), flag(sorted))
}

// ChangelogFilter narrows a list of entries; a zero field is ignored.
type ChangelogFilter struct {
	ResourceType, ResourceID, Action, ActorType, ActorID string
	Since, Until                                         time.Time // Until is exclusive
	From, To                                             int64     // sequences, both inclusive
	Ascending                                            bool
}

// narrow limits a page to the sequences From to To. The pages start at one of them,
// as after a cursor. If the list has the other end as well, the index of sequences
// serves it.
func (by *ChangelogFilter) narrow(f *filter, p *Paging) {
	start := int64(0)
	if by.Ascending && by.From > 0 {
		start = by.From - 1
	} else if !by.Ascending && 0 < by.To && by.To < math.MaxInt64 {
		start = by.To + 1
	}
	switch {
	case start == 0:
	case p.After == nil:
		p.After = &Position{At: start}
	case by.Ascending:
		p.After = &Position{At: max(start, p.After.At)}
	default:
		p.After = &Position{At: min(start, p.After.At)}
	}
	if by.Ascending && by.To > 0 {
		f.and("e.sequence <= ?", by.To)
	} else if !by.Ascending && by.From > 0 {
		f.and("e.sequence >= ?", by.From)
	}
}

// inTime narrows a list to the times of a filter. If times do not decrease, it converts
// them to sequences, and returns [ErrNotFound] if all entries are later.
func (t *Tx) inTime(by *ChangelogFilter, f *filter) (*ChangelogFilter, error) {
	if by.Since.IsZero() && by.Until.IsZero() {
		return by, nil
	}
	var sorted bool
	if err := t.row("SELECT changelog_sorted FROM workspaces WHERE id = $1", nil, switched[bool]{&sorted}); err != nil {
		return nil, err
	}
	if !sorted {
		if !by.Since.IsZero() {
			f.scan("e.occurred_at >= ?", micros(by.Since))
		}
		if !by.Until.IsZero() {
			f.scan("e.occurred_at < ?", micros(by.Until))
		}
		return by, nil
	}
	narrowed := *by
	if !by.Since.IsZero() {
		first, err := t.sequenceAt(by.Since)
		if err != nil {
			return nil, err
		}
		narrowed.From = max(by.From, first)
	}
	if !by.Until.IsZero() {
		end, err := t.sequenceAt(by.Until)
		if err != nil {
			return nil, err
		}
		if end == 1 {
			return nil, ErrNotFound
		}
		if by.To == 0 || by.To >= end {
			narrowed.To = end - 1
		}
	}
	return &narrowed, nil
}

// sequenceAt returns the sequence of the first entry that is not before a time, or
// that of the next entry if all are. It is a binary search, because times do not
// decrease.
func (t *Tx) sequenceAt(at time.Time) (sequence int64, err error) {
	err = t.row(`WITH RECURSIVE search (low, high) AS (
			SELECT CAST(1 AS BIGINT), w.changelog_sequence + 1 FROM workspaces w WHERE w.id = $1
			UNION ALL
			SELECT CASE WHEN c.occurred_at < $2 THEN c.sequence + 1 ELSE s.low END, CASE WHEN c.occurred_at < $2 THEN s.high ELSE c.sequence END
			FROM search s JOIN changelog c ON c.workspace_id = $1 AND c.sequence = (s.low + s.high) / 2
			WHERE s.low < s.high
		)
		SELECT min(high) FROM search`, []any{micros(at)}, &sequence)
	return sequence, err
}

// Document is an entry as it is served and its sequence.
type Document struct {
	Sequence int64
	JSON     []byte
}

// Changelog returns a page of the entries.
func (t *Tx) Changelog(by *ChangelogFilter, p Paging) (page []Document, err error) {
	f := filter{base: 1}
	by, err = t.inTime(by, &f)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	by.narrow(&f, &p)
	f.equal("e.resource_id", by.ResourceID)
	f.equal("e.actor_id", by.ActorID)
	f.equal("e.resource_type", by.ResourceType)
	f.scanEqual("e.action", by.Action) // it has few values, and an index would slow every write
	f.scanEqual("e.actor_type", by.ActorType)
	const rows scoped = "FROM changelog e WHERE e.workspace_id = $1"
	from, _, err := t.pageOf(&list{rows: string(rows), at: "e.sequence", ascending: by.Ascending}, &f, p)
	if err != nil {
		return nil, err
	}
	query := "SELECT e.sequence, e.document " + from
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
