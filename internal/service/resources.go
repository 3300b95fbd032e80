package service

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Resource is one resource as it is answered: its document.
type Resource struct {
	Version  int64
	document string
}

// MarshalJSONTo implements [json.MarshalerTo].
func (r *Resource) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(r.document))
}

func answered(r *store.Resource) *Resource {
	return &Resource{Version: r.Version, document: r.Document}
}

// Collection names a collection: of a workspace, or under the agent Parent. An
// item of a nested kind can be named without its agent.
type Collection struct {
	Kind
	Parent string
}

// owned are the members that the service sets.
var owned = []string{"id", "workspace_id", "created_by", "version", "created_at", "updated_at"}

// Resources returns a page of a collection.
func (x *Session) Resources(in Collection, p *promptrails.ListResourcesParams) (*Page[*Resource], error) {
	l, err := newListing(in.Name, x.workspaceID(), p.ListOptions, in.Parent, p.Status, p.Query)
	if err != nil {
		return nil, err
	}
	if err := x.inParent(in); err != nil {
		return nil, err
	}
	rows, total, err := x.tx.Resources(in.Name, in.Parent, p.Status, p.Query, l.store)
	if err != nil {
		return nil, err
	}
	page := finish(l, rows, total, func(r *store.Resource) store.Position {
		return store.Position{At: r.CreatedAt.UnixMicro(), ID: r.ID}
	})
	documents := make([]*Resource, len(page.Data))
	for i, r := range page.Data {
		documents[i] = answered(r)
	}
	return &Page[*Resource]{Data: documents, Meta: page.Meta}, nil
}

// inParent refuses a collection under an agent that is not there.
func (x *Session) inParent(in Collection) error {
	if !in.Nested {
		return nil
	}
	_, err := x.agent(in.Parent)
	return err
}

func (x *Session) agent(id string) (*store.Resource, error) {
	a, err := x.tx.Resource(agents, "", id)
	return a, missing(err, "agent")
}

// Resource returns one resource.
func (x *Session) Resource(in Collection, id string) (*Resource, error) {
	r, err := x.resource(in, id)
	if err != nil {
		return nil, err
	}
	return answered(r), nil
}

func (x *Session) resource(in Collection, id string) (*store.Resource, error) {
	if in.Nested && in.Parent == "" {
		r, err := x.tx.ResourceOfKind(in.Name, id)
		return r, missing(err, in.Singular)
	}
	r, err := x.tx.Resource(in.Name, in.Parent, id)
	return r, missing(err, in.Singular)
}

// CreateResource makes a resource of a document.
func (x *Session) CreateResource(in Collection, d *Document) (*Resource, error) {
	if err := in.faults(*d, true).err(); err != nil {
		return nil, err
	}
	if in.Nested {
		agent, err := x.agent(in.Parent)
		if err != nil {
			return nil, err
		}
		if err := x.mayTouch(agent.CreatedBy); err != nil {
			return nil, err
		}
	}
	document := *d
	if document.text("status") == "" {
		document = document.with("status", value("active"))
	}
	if in.Nested {
		document = document.with("agent_id", value(in.Parent))
	}
	if in.Feature != "" {
		if err := x.needFeature(in.Feature); err != nil {
			return nil, err
		}
	}
	if err := x.placeFor(in, "", document.text("status")); err != nil {
		return nil, err
	}
	r := &store.Resource{ID: x.newID(), Kind: in.Name, Parent: in.Parent, CreatedBy: x.userID(), CreatedAt: x.now}
	references, err := document.references()
	if err == nil {
		err = x.resolve(references)
	}
	if err != nil {
		return nil, err
	}
	x.put(r, document, references)
	if err := x.tx.CreateResource(r); err != nil {
		return nil, err
	}
	if err := x.recordResource(promptrails.ActionCreated, in.Kind, r, nil, document.changes()); err != nil {
		return nil, err
	}
	if in.Name != approvals {
		return answered(r), nil
	}
	return answered(r), x.notify(x.tx, promptrails.EventExecutionAwaitingApproval, &promptrails.ExecutionEvent{
		ApprovalID: r.ID, ExecutionID: document.text("execution_id"), AgentID: document.text("agent_id"),
	})
}

// UpdateResource merges members into a resource's document.
func (x *Session) UpdateResource(in Collection, id string, patch *Document) (*Resource, error) {
	if err := in.faults(*patch, false).err(); err != nil {
		return nil, err
	}
	r, document, err := x.change(in, id)
	if err != nil {
		return nil, err
	}
	in.Parent = r.Parent
	before := document.changes()
	document = document.merge(*patch)
	if err := in.faults(document, true).err(); err != nil {
		return nil, err
	}
	if err := x.placeFor(in, r.Status, document.text("status")); err != nil {
		return nil, err
	}
	carried, err := patch.references()
	if err == nil {
		err = x.resolve(carried)
	}
	if err != nil {
		return nil, err
	}
	if err := x.match(r.Version); err != nil {
		return nil, err
	}
	references, err := document.references()
	if err != nil {
		return nil, err
	}
	after := document.changes()
	changes, err := changelog.Diff(before, after)
	if err != nil || changes == nil {
		return answered(r), err
	}
	x.put(r, document, references)
	if len(r.Document) > maxDocument {
		return nil, problem(http.StatusRequestEntityTooLarge, promptrails.CodePayloadTooLarge, "with these fields the object would have more than %d bytes", maxDocument)
	}
	if err := x.tx.UpdateResource(r); err != nil {
		return nil, err
	}
	return answered(r), x.recordResource(promptrails.ActionUpdated, in.Kind, r, before, after)
}

// DeleteResource removes a resource, and what stands under it.
func (x *Session) DeleteResource(in Collection, id string) error {
	r, document, err := x.change(in, id)
	if err != nil {
		return err
	}
	if err := x.match(r.Version); err != nil {
		return err
	}
	if in.Name == agents {
		if err := x.endOverride(r); err != nil {
			return err
		}
	}
	nested, err := x.tx.NestedResources(id)
	if err != nil {
		return err
	}
	if err := x.tx.DeleteResource(r); err != nil {
		return err
	}
	for _, n := range nested {
		inner, err := parseDocument(jsontext.Value(n.Document))
		if err != nil {
			return err
		}
		if err := x.recordResource(promptrails.ActionDeleted, kindByName(n.Kind), n, inner.without(owned...).changes(), nil); err != nil {
			return err
		}
	}
	return x.recordResource(promptrails.ActionDeleted, in.Kind, r, document.changes(), nil)
}

// change returns a resource that the caller may change, and the document that
// is the caller's.
func (x *Session) change(in Collection, id string) (*store.Resource, Document, error) {
	r, err := x.resource(in, id)
	if err != nil {
		return nil, nil, err
	}
	by := r.CreatedBy
	if in.Nested {
		agent, err := x.agent(r.Parent)
		if err != nil {
			return nil, nil, err
		}
		by = agent.CreatedBy
	}
	if err := x.mayTouch(by); err != nil {
		return nil, nil, err
	}
	document, err := parseDocument(jsontext.Value(r.Document))
	return r, document.without(owned...), err
}

// mayTouch refuses a user what somebody else created.
func (x *Session) mayTouch(createdBy string) error {
	if policy.AtLeast(string(x.role()), policy.Admin) || createdBy == x.userID() {
		return nil
	}
	return insufficientRole(promptrails.RoleAdmin, x.role())
}

// placeFor takes the place of a resource that becomes one that is counted.
func (x *Session) placeFor(in Collection, was, is string) error {
	const archived = "archived"
	switch {
	case in.Name == agents && is != archived && (was == "" || was == archived):
		used, err := x.tx.ActiveAgents()
		if err != nil {
			return err
		}
		return x.takePlace(promptrails.LimitActiveAgents, used, "active agents; archive one or change the plan")
	case in.Name == dataSources && was == "":
		used, err := x.tx.Counted(in.Name, "")
		if err != nil {
			return err
		}
		return x.takePlace(promptrails.LimitDataSources, int64(used), "data sources; delete one or change the plan")
	default:
		return nil
	}
}

// put makes what is stored, and served, of a document.
func (x *Session) put(r *store.Resource, d Document, references []reference) {
	r.Version++
	r.UpdatedAt = x.now
	r.Name, r.Status = d.text("name"), d.text("status")
	r.References = r.References[:0]
	for _, ref := range references {
		r.References = append(r.References, ref.id)
	}
	served := slices.Concat(
		Document{{"id", value(r.ID)}, {"workspace_id", value(x.workspaceID())}}, d,
		Document{{"created_by", value(r.CreatedBy)}, {"version", value(r.Version)}, {"created_at", value(r.CreatedAt)}, {"updated_at", value(r.UpdatedAt)}},
	)
	r.Document = string(value(served))
}

func (x *Session) recordResource(action promptrails.ChangelogAction, k Kind, r *store.Resource, before, after map[string]any) error {
	return x.record(x.tx, action, changelog.Ref{Type: string(k.Type), ID: r.ID, Name: r.Name}, before, after)
}

const (
	maxMemberName = 200
	maxDocument   = 1<<20 + 1024 // what one body may hold, and the members that all have
)

// faults says what is wrong with a document, or with a part of one.
func (c Collection) faults(d Document, whole bool) faults {
	bad := faults{}
	for _, m := range d {
		field := fmt.Sprintf("%.100s", m.Name)
		switch {
		case slices.Contains(owned, m.Name):
			bad.add(field, "is set by the service")
		case m.Name == "agent_id" && c.Nested && whole && d.text("agent_id") != c.Parent:
			bad.add(field, "must be that of the path, or left out")
		case len(m.Name) > maxMemberName || strings.ContainsRune(m.Name, 0):
			bad.add(field, "must be a name of at most 200 bytes, without NUL")
		case holdsNUL(m.Value):
			bad.add(field, "must not contain NUL")
		case (m.Name == "name" || m.Name == "status") && m.Value.Kind() != '"' && m.Value.Kind() != 'n', m.Name == "name" && m.Value.Kind() == 'n' && !c.Nameless:
			bad.add(field, "must be a string")
		}
	}
	if name := d.get("name"); name != nil || whole && !c.Nameless {
		if c.Nameless {
			bad.add("name", lineFault(d.text("name"), 0, 200))
		} else if bad["name"] == "" {
			bad.add("name", lineFault(strings.TrimSpace(d.text("name")), 1, 200))
		}
	}
	bad.add("status", textFault(d.text("status"), 0, 100))
	return bad
}
