package service

import (
	"fmt"
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

// CreateResource stores a new resource.
func (x *Session) CreateResource(d *Draft) (*Resource, error) {
	in := d.in
	if in.Nested {
		agent, err := x.agent(in.Parent)
		if err != nil {
			return nil, err
		}
		if err := x.mayTouch(agent.CreatedBy); err != nil {
			return nil, err
		}
	}
	document := d.ready.document
	if in.Feature != "" {
		if err := x.needFeature(in.Feature); err != nil {
			return nil, err
		}
	}
	if err := x.placeFor(in, "", document.text("status")); err != nil {
		return nil, err
	}
	if err := x.resolve(d.named); err != nil {
		return nil, err
	}
	r := &store.Resource{ID: x.newID(), Kind: in.Name, Parent: in.Parent, CreatedBy: x.userID(), CreatedAt: x.now}
	x.put(r, d.ready)
	if err := x.tx.CreateResource(r); err != nil {
		return nil, err
	}
	if err := x.append(x.tx, promptrails.ActionCreated, resourceRef(in.Kind, r), d.ready.changes); err != nil {
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
func (x *Session) UpdateResource(id string, d *Draft) (*Resource, error) {
	r, err := x.change(d.in, id)
	if err != nil {
		return nil, err
	}
	merged, err := d.merged(r)
	if err != nil {
		return nil, err
	}
	if err := x.placeFor(d.in, r.Status, merged.document.text("status")); err != nil {
		return nil, err
	}
	if err := x.resolve(d.named); err != nil {
		return nil, err
	}
	if err := x.match(r.Version); err != nil {
		return nil, err
	}
	if merged.changes == nil {
		return answered(r), nil
	}
	x.put(r, merged)
	if err := x.tx.UpdateResource(r); err != nil {
		return nil, err
	}
	return answered(r), x.append(x.tx, promptrails.ActionUpdated, resourceRef(d.in.Kind, r), merged.changes)
}

// DeleteResource removes a resource, and what stands under it.
func (x *Session) DeleteResource(in Collection, id string) error {
	r, err := x.change(in, id)
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
	for _, gone := range append(nested, r) {
		if err := x.recordDeleted(gone); err != nil {
			return err
		}
	}
	return nil
}

// recordDeleted writes the entry of a resource that was deleted.
func (x *Session) recordDeleted(r *store.Resource) error {
	document, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionDeleted, resourceRef(kindByName(r.Kind), r), document.without(owned...).changes(), nil)
}

// change returns a resource that the caller may change.
func (x *Session) change(in Collection, id string) (*store.Resource, error) {
	r, err := x.resource(in, id)
	if err != nil {
		return nil, err
	}
	by := r.CreatedBy
	if in.Nested {
		agent, err := x.agent(r.Parent)
		if err != nil {
			return nil, err
		}
		by = agent.CreatedBy
	}
	return r, x.mayTouch(by)
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

func resourceRef(k Kind, r *store.Resource) changelog.Ref {
	return changelog.Ref{Type: string(k.Type), ID: r.ID, Name: r.Name}
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
