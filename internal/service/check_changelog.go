package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// How problems of a changelog are mended.
const (
	mendChain = "restore a backup in which the chain verifies, and compare it with an exported changelog: an entry cannot be changed without breaking the chain"
	mendIndex = "set the columns of the row to the values in its document by SQL: lists are filtered by the columns, and the chain is about the document"
)

// changelog verifies the chain of a workspace up to the head that it has now.
func (c *checker) changelog(ctx context.Context, workspace string) error {
	var head *promptrails.ChangelogHead
	ok, err := c.read(ctx, workspace, "changelog", func(g *store.Global) (err error) {
		x := g.Workspace(workspace)
		if head, err = x.Head(); err != nil {
			return err
		}
		more, err := x.StoredEntries(head.Sequence, 1, checkBytes)
		if len(more) > 0 {
			c.found(CheckProblem{workspace, problemChangelog, fmt.Sprintf("the entry %d is after the head, which is %d", more[0].Sequence, head.Sequence), mendChain})
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) { // it was deleted
		return nil
	}
	if err != nil || !ok {
		return err
	}
	verified := &promptrails.ChangelogHead{WorkspaceID: workspace, Hash: changelog.Genesis(workspace)}
	for verified.Sequence < head.Sequence {
		some, err := c.entries(ctx, head, verified)
		if some == nil || err != nil {
			return err
		}
		verified = some
	}
	if verified.Hash != head.Hash {
		c.found(CheckProblem{workspace, problemChangelog, fmt.Sprintf("the hash of the entry %d is not that of the head", head.Sequence), mendChain})
	}
	return nil
}

// entries verifies the entries of a changelog after the verified ones, in one slice. It
// returns the last one, or nil if the rest cannot be verified.
func (c *checker) entries(ctx context.Context, head, verified *promptrails.ChangelogHead) (*promptrails.ChangelogHead, error) {
	workspace := head.WorkspaceID
	var entries []*store.StoredEntry
	gone := false
	ok, err := c.read(ctx, workspace, "changelog", func(g *store.Global) (err error) {
		x := g.Workspace(workspace)
		if _, err := x.Head(); err != nil {
			gone = errors.Is(err, store.ErrNotFound)
			return err
		}
		entries, err = x.StoredEntries(max(0, verified.Sequence-1), checkSlice, checkBytes) // with the last verified one
		return err
	})
	switch {
	case gone:
		return nil, nil //nolint:nilnil // there is no chain
	case err != nil || !ok:
		return nil, err
	}
	from := verified.Sequence
	if len(entries) == 0 || entries[len(entries)-1].Sequence <= from {
		c.found(CheckProblem{workspace, problemChangelog, fmt.Sprintf("the entries from %d to %d are missing", from+1, head.Sequence), mendChain})
		return nil, nil //nolint:nilnil // reported
	}
	verified, err = promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for _, stored := range entries {
			e := new(promptrails.ChangelogEntry)
			if !yield(e, json.Unmarshal(stored.Document, e)) {
				return
			}
			if stored.Sequence > from && !agrees(stored, e) {
				c.found(CheckProblem{workspace, problemChangelog, fmt.Sprintf("the row of the entry %d differs from its document", stored.Sequence), mendIndex})
			}
		}
	}, verified)
	if err != nil {
		c.found(CheckProblem{workspace, problemChangelog, err.Error(), mendChain})
		return nil, nil //nolint:nilnil // reported
	}
	c.report.Entries += verified.Sequence - from
	return verified, nil
}

// agrees reports whether the columns of an entry have the values of its document.
func agrees(stored *store.StoredEntry, e *promptrails.ChangelogEntry) bool {
	return stored.Sequence == e.Sequence && stored.ID == e.ID && stored.OccurredAt.Equal(e.OccurredAt) && stored.Action == string(e.Action) &&
		stored.Resource.Type == string(e.Resource.Type) && stored.Resource.ID == e.Resource.ID &&
		stored.Actor.Type == string(e.Actor.Type) && stored.Actor.ID == e.Actor.ID
}
