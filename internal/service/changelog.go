package service

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Changelog returns a page of the entries in their stored form.
func (x *Session) Changelog(p *promptrails.ListChangelogParams) (*Page[jsontext.Value], error) {
	if err := changelogFaults(p).err(); err != nil {
		return nil, err
	}
	text := func(t time.Time) string { return t.UTC().Format(wire.TimeFormat) }
	l, err := newSequence("changelog", x.workspaceID(), p.ListOptions,
		string(p.ResourceType), p.ResourceID, string(p.Action), string(p.ActorType), p.ActorID, text(p.Since), text(p.Until),
		string(p.Order), strconv.FormatInt(p.SequenceFrom, 10), strconv.FormatInt(p.SequenceTo, 10))
	if err != nil {
		return nil, err
	}
	rows, err := x.tx.Changelog(&store.ChangelogFilter{
		ResourceType: string(p.ResourceType), ResourceID: p.ResourceID, Action: string(p.Action),
		ActorType: string(p.ActorType), ActorID: p.ActorID, Since: p.Since, Until: p.Until,
		From: p.SequenceFrom, To: p.SequenceTo, Ascending: p.Order == promptrails.OrderAscending,
	}, l.store)
	if err != nil {
		return nil, err
	}
	page := finish(l, rows, 0, func(d store.Document) store.Position { return store.Position{At: d.Sequence} })
	response := &Page[jsontext.Value]{
		Data: make([]jsontext.Value, len(page.Data)),
		Meta: page.Meta,
	}
	for i, d := range page.Data {
		response.Data[i] = d.JSON
	}
	return response, nil
}

func changelogFaults(p *promptrails.ListChangelogParams) faults {
	bad := faults{}
	switch p.Order {
	case "", promptrails.OrderAscending, promptrails.OrderDescending:
	default:
		bad.add("order", "must be asc or desc")
	}
	switch p.Action {
	case "", promptrails.ActionCreated, promptrails.ActionUpdated, promptrails.ActionDeleted:
	default:
		bad.add("action", "must be created, updated or deleted")
	}
	switch p.ActorType {
	case "", promptrails.ActorUser, promptrails.ActorAPIKey, promptrails.ActorSystem:
	default:
		bad.add("actor_type", "must be user, api_key or system")
	}
	if p.SequenceFrom < 0 {
		bad.add("sequence_from", "must be 1 or more")
	}
	if p.SequenceTo < 0 {
		bad.add("sequence_to", "must be 1 or more")
	}
	return bad
}

// ChangelogEntry returns one entry in its stored form.
func (x *Session) ChangelogEntry(id string) (*jsontext.Value, error) {
	document, err := x.tx.ChangelogEntry(id)
	return (*jsontext.Value)(&document), orNotFound(err, "changelog entry")
}

// ChangelogHead returns the newest entry's sequence and hash.
func (x *Session) ChangelogHead() (*promptrails.ChangelogHead, error) { return x.tx.Head() }
