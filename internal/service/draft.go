package service

import (
	"context"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Draft is a resource that a request creates or updates. What grows with the
// size of its document is done here, before the transaction that stores it.
type Draft struct {
	in      Collection
	carried Document    // by the request
	named   []reference // by the request
	ready   *content    // of a new resource, or on a snapshot of the stored one
}

// content is a document as it will be stored.
type content struct {
	of         string // the resource's id, and the version that it was made from
	version    int64
	document   Document
	members    []byte // of the document, encoded
	references []reference
	changes    changelog.Changes
}

// Draft returns the draft of a new resource.
func (c Collection) Draft(d Document) (*Draft, error) {
	if err := c.faults(d, true).err(); err != nil {
		return nil, err
	}
	document := d
	if document.text("status") == "" {
		document = document.with("status", value("active"))
	}
	if c.Nested {
		document = document.with("agent_id", value(c.Parent))
	}
	ready, err := newContent(document, nil)
	if err != nil {
		return nil, err
	}
	return &Draft{in: c, carried: d, named: ready.references, ready: ready}, nil
}

// Patch returns the draft of an update.
func (c Collection) Patch(d Document) (*Draft, error) {
	if err := c.faults(d, false).err(); err != nil {
		return nil, err
	}
	named, err := d.references()
	return &Draft{in: c, carried: d, named: named}, err
}

// Prepare merges an update into the resource as it is now. The transaction that
// stores it does so itself if the resource has changed by then, and refuses what
// is refused here.
func (s *Service) Prepare(ctx context.Context, r *Request, d *Draft, id string) {
	if r.Fault != nil {
		return
	}
	var stored *store.Resource
	err := s.Read(ctx, r, func(x *Session) (err error) {
		stored, err = x.resource(d.in, id)
		return err
	})
	if err == nil {
		d.ready, _ = d.merged(stored)
	}
}

// merged returns the content of a stored resource with what the request carries.
func (d *Draft) merged(r *store.Resource) (*content, error) {
	if d.ready != nil && d.ready.of == r.ID && d.ready.version == r.Version {
		return d.ready, nil
	}
	stored, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return nil, err
	}
	stored = stored.without(owned...)
	document := stored.merge(d.carried)
	in := d.in
	in.Parent = r.Parent
	if err := in.faults(document, true).err(); err != nil {
		return nil, err
	}
	merged, err := newContent(document, stored.changes())
	if err != nil {
		return nil, err
	}
	if len(merged.members) > maxDocument {
		return nil, problem(http.StatusRequestEntityTooLarge, promptrails.CodePayloadTooLarge, "with these fields the object would have more than %d bytes", maxDocument)
	}
	merged.of, merged.version = r.ID, r.Version
	return merged, nil
}

func newContent(d Document, before map[string]any) (c *content, err error) {
	c = encoded(d)
	if c.references, err = d.references(); err != nil {
		return nil, err
	}
	if c.changes, err = changelog.Diff(before, d.changes()); err != nil {
		return nil, err
	}
	return c, nil
}

// encoded returns the content of a document that names nothing, and that no
// changelog shows.
func encoded(d Document) *content {
	object := value(d)
	return &content{document: d, members: object[1 : len(object)-1]}
}

// put makes what is stored, and served, of a resource.
func (x *Session) put(r *store.Resource, c *content) {
	r.Version++
	r.UpdatedAt = x.now
	r.Name, r.Status = c.document.text("name"), c.document.text("status")
	r.References = r.References[:0]
	for _, ref := range c.references {
		r.References = append(r.References, ref.id)
	}
	first := value(Document{{"id", value(r.ID)}, {"workspace_id", value(x.workspaceID())}})
	last := value(Document{{"created_by", value(r.CreatedBy)}, {"version", value(r.Version)}, {"created_at", value(r.CreatedAt)}, {"updated_at", value(r.UpdatedAt)}})
	r.Document = string(slices.Concat(first[:len(first)-1], []byte{','}, c.members, []byte{','}, last[1:])) // there is always a status
}
