package service

import (
	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Promote makes a version the current version of its parent resource.
func (x *Session) Promote(in Collection, id string) (*Resource, error) {
	version, err := x.change(in, id)
	if err != nil {
		return nil, err
	}
	parent, err := x.parent(in)
	if err != nil {
		return nil, err
	}
	if err := x.setCurrent(parent, version); err != nil {
		return nil, err
	}
	return served(version), nil
}

// setCurrent sets current_version_id of the parent, and is_active of the
// version and of the previous one.
func (x *Session) setCurrent(parent, version *store.Resource) error {
	document, err := parseDocument(jsontext.Value(parent.Document))
	if err != nil {
		return err
	}
	if before := document.text("current_version_id"); before != "" && before != version.ID {
		was, err := x.tx.Resource(version.Kind, parent.ID, before)
		if err != nil {
			return err
		}
		if err := x.setMember(was, "is_active", value(false)); err != nil {
			return err
		}
	}
	if err := x.setMember(version, "is_active", value(true)); err != nil {
		return err
	}
	return x.setMember(parent, "current_version_id", value(version.ID))
}

// setMember is setMembers for one member.
func (x *Session) setMember(r *store.Resource, name string, to jsontext.Value) error {
	return x.setMembers(r, Document{{name, to}})
}

// setMembers sets members of a stored document. It records the change in the
// changelog if the kind has a resource type.
func (x *Session) setMembers(r *store.Resource, to Document) error {
	k := kindByName(r.Kind)
	stored, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return err
	}
	stored = stored.without(k.common()...)
	changed := stored.merge(to)
	c, err := k.content(changed, stored.changes())
	if err != nil || c.changes == nil {
		return err
	}
	x.put(r, c)
	if err := x.tx.UpdateResource(r); err != nil || k.Type == "" {
		return err
	}
	return x.append(x.tx, promptrails.ActionUpdated, resourceRef(k, r), c.changes)
}

// resourceRef returns the changelog's reference to a resource.
func resourceRef(k Kind, r *store.Resource) changelog.Ref {
	return changelog.Ref{Type: string(k.Type), ID: r.ID, Name: r.Name}
}
