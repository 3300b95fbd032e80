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

// Draft is a resource that a request creates or updates. The work that grows with
// the size of its document is done before the transaction that stores it.
type Draft struct {
	in      Collection
	carried Document    // the document in the request
	named   []reference // the references in the request
	ready   *content    // of a new resource, or merged into a snapshot of the stored one
	once    Document    // members that are only in the response to the creation
	current bool        // the new version becomes the current one
}

// content is a document as it will be stored.
type content struct {
	of         string // the id of the stored resource
	version    int64  // the version of the stored resource
	document   Document
	encoded    []byte // its members, without the braces
	members    map[string]string
	references []reference
	changes    changelog.Changes
}

// Draft returns the draft of a new resource.
func (c Collection) Draft(d Document) (*Draft, error) {
	if err := c.faults(d, true).err(); err != nil {
		return nil, err
	}
	draft := &Draft{in: c, carried: d}
	var document Document
	for _, m := range c.defaults() {
		if d.get(m.Name) == nil {
			document = append(document, m)
		}
	}
	document = append(document, d.without("set_current", "generate_secret")...)
	if c.Under != "" {
		document = document.with(c.Parent, value(c.ParentID))
	}
	switch {
	case c.isVersions():
		draft.current = string(d.get("set_current")) == "true"
		document = document.with("is_active", value(draft.current)).or("version", value("1.0.0"))
	case c.Name == triggers:
		document = draft.mintToken(document, string(d.get("generate_secret")) == "true")
	}
	if document.text("status") == "" {
		document = document.with("status", value("active"))
	}
	var err error
	if draft.ready, err = c.content(document, nil); err != nil {
		return nil, err
	}
	draft.named = draft.ready.references
	return draft, nil
}

// Patch returns the draft of an update.
func (c Collection) Patch(d Document) (*Draft, error) {
	if err := c.faults(d, false).err(); err != nil {
		return nil, err
	}
	named, err := d.references()
	return &Draft{in: c, carried: d, named: named}, err
}

// mintToken generates the token of a new trigger and, if withSecret is set, a
// secret for signatures. Only the first 8 characters of the token are stored,
// because the service does not accept calls of triggers.
func (d *Draft) mintToken(document Document, withSecret bool) Document {
	token := newToken("trg_").Reveal()
	d.once = Document{{"token", value(token)}}
	if withSecret {
		d.once = append(d.once, Field{"secret", value(newSigningSecret())})
	}
	return document.with("token_prefix", value(token[:8])).with("has_secret", value(withSecret))
}

// Prepare merges an update into a snapshot of the resource. The transaction that
// stores it merges again if the resource has changed. Prepare ignores errors,
// because the transaction returns them.
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

// merged returns the content of a stored resource with the members of the request.
func (d *Draft) merged(r *store.Resource) (*content, error) {
	if d.ready != nil && d.ready.of == r.ID && d.ready.version == r.Version {
		return d.ready, nil
	}
	stored, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return nil, err
	}
	stored = stored.without(d.in.common()...)
	document := stored.merge(d.carried)
	in := d.in
	in.ParentID = r.Parent
	if err := in.faults(document.without(in.Set...), true).err(); err != nil {
		return nil, err
	}
	merged, err := in.content(document, stored.changes())
	if err != nil {
		return nil, err
	}
	if len(merged.encoded) > maxDocument {
		return nil, refuse(http.StatusRequestEntityTooLarge, promptrails.CodePayloadTooLarge, "the updated object would exceed %d bytes", maxDocument)
	}
	merged.of, merged.version = r.ID, r.Version
	return merged, nil
}

// content returns a document as it will be stored, with its references and its
// changes from before.
func (k Kind) content(d Document, before map[string]any) (c *content, err error) {
	c = k.unlogged(d)
	if c.references, err = d.references(); err != nil {
		return nil, err
	}
	if c.changes, err = changelog.Diff(before, d.changes()); err != nil {
		return nil, err
	}
	return c, nil
}

// unlogged returns the content of a document without references and changes.
func (k Kind) unlogged(d Document) *content {
	object := value(d)
	c := &content{document: d, encoded: object[1 : len(object)-1], members: map[string]string{}}
	for _, name := range k.Filters {
		if text := d.text(name); text != "" {
			c.members[name] = text
		}
	}
	return c
}

// put sets the content of a resource and increments its version.
func (x *Session) put(r *store.Resource, c *content) {
	r.Version++
	r.UpdatedAt = x.now
	r.Name, r.Status, r.Members = c.document.text("name"), c.document.text("status"), c.members
	r.References = r.References[:0]
	for _, ref := range c.references {
		r.References = append(r.References, ref.id)
	}
	first := value(Document{{"id", value(r.ID)}, {"workspace_id", value(x.workspaceID())}})
	last := Document{{"created_by", value(r.CreatedBy)}, {"created_at", value(r.CreatedAt)}, {"updated_at", value(r.UpdatedAt)}}
	if !kindByName(r.Kind).isVersions() {
		last = slices.Insert(last, 1, Field{"version", value(r.Version)})
	}
	// The content is not empty: it always has a status.
	r.Document = string(slices.Concat(first[:len(first)-1], []byte{','}, c.encoded, []byte{','}, value(last)[1:]))
}
