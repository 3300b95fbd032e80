package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// How problems of a changelog are mended.
const (
	mendChain = "restore a backup in which the chain verifies, and compare it with an exported changelog: an entry cannot be changed without breaking the chain"
	mendIndex = "set the columns of the row to the values in its document by SQL: lists are filtered by the columns, and the chain is about the document"
)

// errUnreadable is the error of entries that cannot be read, which is reported.
var errUnreadable = errors.New("the changelog cannot be read")

// changelog verifies the chain of a workspace up to the head that it has now.
func (c *checker) changelog(ctx context.Context, workspace string) error {
	var head *promptrails.ChangelogHead
	var after []*store.StoredEntry
	ok, err := c.read(ctx, workspace, "changelog", func(g *store.Global) (err error) {
		x := g.Workspace(workspace)
		if head, err = x.Head(); err == nil {
			after, err = x.StoredEntries(head.Sequence, 1, checkBytes)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) { // it was deleted
		return nil
	}
	if err != nil || !ok {
		return err
	}
	wrong := func(format string, args ...any) {
		c.found(CheckProblem{workspace, problemChangelog, fmt.Sprintf(format, args...), mendChain})
	}
	if len(after) > 0 {
		wrong("the entry %d is after the head, which is %d", after[0].Sequence, head.Sequence)
	}
	verified, err := promptrails.VerifyChangelog(c.entries(ctx, head), &promptrails.ChangelogHead{WorkspaceID: workspace})
	if broken, ok := errors.AsType[*promptrails.ChainError](err); ok {
		wrong("the chain is broken at the entry %d: %s", broken.Sequence, broken.Reason)
		return nil
	}
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, errUnreadable):
		return nil
	case err != nil:
		return err
	case verified.Sequence != head.Sequence:
		wrong("the entries from %d to %d are missing", verified.Sequence+1, head.Sequence)
	case verified.Hash != head.Hash:
		wrong("the hash of the entry %d is not that of the head", head.Sequence)
	}
	c.report.Entries += verified.Sequence
	return nil
}

// entries reads the entries of a changelog up to a head, in slices. It compares their
// columns with their documents.
func (c *checker) entries(ctx context.Context, head *promptrails.ChangelogHead) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for last := int64(0); last < head.Sequence; {
			var slice []*store.StoredEntry
			ok, err := c.read(ctx, head.WorkspaceID, "changelog", func(g *store.Global) (err error) {
				x := g.Workspace(head.WorkspaceID)
				if _, err := x.Head(); err != nil { // of a workspace that was deleted
					return err
				}
				slice, err = x.StoredEntries(last, checkSlice, checkBytes)
				return err
			})
			if !ok && err == nil {
				err = errUnreadable
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(slice) == 0 {
				return
			}
			for _, stored := range slice {
				if stored.Sequence > head.Sequence { // it is newer than the head, or was reported
					return
				}
				e := new(promptrails.ChangelogEntry)
				if err := json.Unmarshal(stored.Document, e); err != nil {
					yield(nil, &promptrails.ChainError{Sequence: stored.Sequence, Reason: err.Error()})
					return
				}
				if !yield(e, nil) {
					return
				}
				if !agrees(stored, e) {
					c.found(CheckProblem{head.WorkspaceID, problemChangelog, fmt.Sprintf("the row of the entry %d differs from its document", stored.Sequence), mendIndex})
				}
			}
			last = slice[len(slice)-1].Sequence
			c.progress(CheckProgress{"workspaces", c.report.Workspaces, c.total})
		}
	}
}

// agrees reports whether the columns of an entry have the values of its document.
func agrees(stored *store.StoredEntry, e *promptrails.ChangelogEntry) bool {
	return stored.Sequence == e.Sequence && stored.ID == e.ID && stored.OccurredAt.Equal(e.OccurredAt) && stored.Action == string(e.Action) &&
		stored.Resource.Type == string(e.Resource.Type) && stored.Resource.ID == e.Resource.ID &&
		stored.Actor.Type == string(e.Actor.Type) && stored.Actor.ID == e.Actor.ID
}
