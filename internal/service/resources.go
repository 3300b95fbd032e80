package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Resource is the document of a resource as it is returned to clients.
type Resource struct {
	Version  int64 // 0: the resource is not versioned
	document string
	secret   bool // the document contains a secret that no other response shows
}

// MarshalJSONTo implements [json.MarshalerTo].
func (r *Resource) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(r.document))
}

// HoldsSecret reports whether the response must be stored sealed.
func (r *Resource) HoldsSecret() bool { return r.secret }

// SizeOf returns the size in bytes of the documents in a value that a method of Session
// returns. Values without documents are small.
func SizeOf(v any) (n int) {
	switch v := v.(type) {
	case *Resource:
		n = len(v.document)
	case []*Resource:
		for _, r := range v {
			n += len(r.document)
		}
	case *Page[*Resource]:
		n = SizeOf(v.Data)
	case *Page[jsontext.Value]:
		for _, entry := range v.Data {
			n += len(entry)
		}
	case *jsontext.Value:
		n = len(*v)
	}
	return n
}

func served(r *store.Resource) *Resource {
	s := &Resource{Version: r.Version, document: r.Document}
	if kindByName(r.Kind).isVersions() {
		s.Version = 0
	}
	return s
}

func servedAll(rows []*store.Resource) []*Resource {
	documents := make([]*Resource, len(rows))
	for i, r := range rows {
		documents[i] = served(r)
	}
	return documents
}

// with returns the resource with members that only this response shows.
func (r *Resource) with(once Document) *Resource {
	if len(once) == 0 {
		return r
	}
	members := value(once)
	document := r.document[:len(r.document)-1] + "," + string(members[1:])
	return &Resource{Version: r.Version, document: document, secret: true}
}

// Collection identifies a collection of the workspace, or of the resource
// ParentID. For a single item of a nested kind, ParentID may be empty.
type Collection struct {
	Kind
	ParentID string
}

// common returns the members that every document has. The service sets them.
func (k Kind) common() []string {
	if k.isVersions() {
		return []string{"id", "workspace_id", "created_by", "created_at", "updated_at"}
	}
	return []string{"id", "workspace_id", "created_by", "version", "created_at", "updated_at"}
}

// defaults returns the values of omitted members in a new document.
func (k Kind) defaults() Document {
	if k.Defaults == "" {
		return nil
	}
	d, err := parseDocument(jsontext.Value(k.Defaults))
	if err != nil {
		panic(err) // Kinds is invalid
	}
	return d
}

// Resources returns a page of a collection.
func (x *Session) Resources(in Collection, query *ListResourcesQuery) (*Page[*Resource], error) {
	p := *query // a copy, as the transaction may run again
	if p.Query == "" {
		p.Query = p.Search
	} else if p.Search != "" {
		return nil, invalid("search", "is the same as q; send only one of them")
	}
	narrowed := []string{in.ParentID, p.Status, p.Query}
	for _, name := range in.Filters {
		narrowed = append(narrowed, p.Filter[name])
	}
	l, err := newListing(in.Name, x.workspaceID(), p.ListOptions, narrowed...)
	if err != nil {
		return nil, err
	}
	if in.Under != "" {
		if _, err := x.parent(in); err != nil {
			return nil, err
		}
	}
	whole := in.Name == guardrails && p.Limit == 0 && p.After == ""
	if whole {
		l.options.Limit, l.store.Limit, l.store.Offset = maxGuardrails, maxGuardrails, (l.options.Page-1)*maxGuardrails
	}
	rows, total, err := x.tx.Resources(in.Name, in.ParentID, &store.ResourceFilter{Members: p.Filter, Status: p.Status, Query: p.Query}, l.store)
	if err != nil {
		return nil, err
	}
	page := finish(l, rows, total, func(r *store.Resource) store.Position {
		return store.Position{At: r.CreatedAt.UnixMicro(), ID: r.ID}
	})
	served := &Page[*Resource]{Data: servedAll(page.Data), Meta: page.Meta}
	if in.Name == guardrails && !l.store.Size.Full && l.store.Bounds.End == nil && (!whole || page.Meta.NextCursor == "") {
		served.Meta = nil
	}
	return served, nil
}

// maxGuardrails is the page size of an agent's guardrails if the request has no
// limit. The response has no meta, as in the vendor's API.
const maxGuardrails = 1000

// parent returns the parent resource of a nested collection.
func (x *Session) parent(in Collection) (*store.Resource, error) {
	r, err := x.tx.Resource(in.Under, "", in.ParentID)
	return r, orNotFound(err, kindByName(in.Under).Singular)
}

func (x *Session) agent(id string) (*store.Resource, error) {
	a, err := x.tx.Resource(agents, "", id)
	return a, orNotFound(err, "agent")
}

// Resource returns one resource.
func (x *Session) Resource(in Collection, id string) (*Resource, error) {
	r, err := x.resource(in, id)
	if err != nil {
		return nil, err
	}
	return served(r), nil
}

func (x *Session) resource(in Collection, id string) (*store.Resource, error) {
	if in.Under != "" && in.ParentID == "" {
		r, err := x.tx.ResourceOfKind(in.Name, id)
		return r, orNotFound(err, in.Singular)
	}
	r, err := x.tx.Resource(in.Name, in.ParentID, id)
	return r, orNotFound(err, in.Singular)
}

// CreateResource stores a new resource.
func (x *Session) CreateResource(d *Draft) (*Resource, error) {
	in := d.in
	var parent *store.Resource
	if in.Under != "" {
		var err error
		if parent, err = x.parent(in); err != nil {
			return nil, err
		}
		if err := x.mayTouch(parent.CreatedBy); err != nil {
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
	if err := x.mayRequireApproval(in.Kind, true, d.carried); err != nil {
		return nil, err
	}
	r := &store.Resource{ID: x.newID(), Kind: in.Name, Parent: in.ParentID, CreatedBy: x.userID(), CreatedAt: x.now}
	x.put(r, d.ready)
	if err := x.tx.CreateResource(r); err != nil {
		return nil, err
	}
	if err := x.append(x.tx, promptrails.ActionCreated, resourceRef(in.Kind, r), d.ready.changes); err != nil {
		return nil, err
	}
	switch {
	case d.current:
		return served(r), x.setCurrent(parent, r)
	case in.Name == approvals:
		return served(r), x.notify(x.tx, promptrails.EventExecutionAwaitingApproval, &promptrails.ExecutionEvent{
			ApprovalID: r.ID, ExecutionID: document.text("execution_id"), AgentID: document.text("agent_id"),
		})
	default:
		return served(r).with(d.once), nil
	}
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
	if err := x.mayRequireApproval(d.in.Kind, false, d.carried); err != nil {
		return nil, err
	}
	if err := x.resolve(d.named); err != nil {
		return nil, err
	}
	if err := x.match(r.Version); err != nil {
		return nil, err
	}
	if merged.changes == nil {
		return served(r), nil
	}
	x.put(r, merged)
	if err := x.tx.UpdateResource(r); err != nil {
		return nil, err
	}
	return served(r), x.append(x.tx, promptrails.ActionUpdated, resourceRef(d.in.Kind, r), merged.changes)
}

// DeleteResource deletes a resource and its nested resources.
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

// recordDeleted records the deletion of a resource in the changelog.
func (x *Session) recordDeleted(r *store.Resource) error {
	document, err := parseDocument(jsontext.Value(r.Document))
	if err != nil {
		return err
	}
	k := kindByName(r.Kind)
	return x.record(x.tx, promptrails.ActionDeleted, resourceRef(k, r), document.without(k.common()...).changes(), nil)
}

// change returns a resource, or an error if the caller may not change it.
func (x *Session) change(in Collection, id string) (*store.Resource, error) {
	r, err := x.resource(in, id)
	if err != nil {
		return nil, err
	}
	by := r.CreatedBy
	if in.ParentID = r.Parent; in.Under != "" {
		parent, err := x.parent(in)
		if err != nil {
			return nil, err
		}
		by = parent.CreatedBy
	}
	return r, x.mayTouch(by)
}

// mayTouch returns an error if the caller is neither an admin nor the creator.
func (x *Session) mayTouch(createdBy string) error {
	if policy.AtLeast(string(x.role()), policy.Admin) || createdBy == x.userID() {
		return nil
	}
	return insufficientRole(promptrails.RoleAdmin, x.role())
}

// placeFor checks the plan's limit if a change of status makes a resource count
// towards it. The status was is empty for a new resource.
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

const (
	maxMemberName = 200
	maxDocument   = 1<<20 + 1024 // the maximum body and the common members
)

// faults validates a document, or, if whole is false, the members to change.
func (c Collection) faults(d Document, whole bool) faults {
	bad := faults{}
	if c.Name == agents || c.Name == versionsOf(agents) {
		bad.add("approval_policy", approvalPolicyFault(d.get("approval_policy")))
	}
	for _, m := range d {
		field := fmt.Sprintf("%.100s", m.Name)
		switch {
		case slices.Contains(c.common(), m.Name), slices.Contains(c.Set, m.Name):
			bad.add(field, "is set by the service")
		case m.Name == c.Parent && whole && d.text(c.Parent) != c.ParentID:
			bad.add(field, "must be the id in the path, or omitted")
		case c.isVersions() && m.Name == "version" && (m.Value.Kind() != '"' || lineFault(d.text("version"), 1, 100) != ""):
			bad.add(field, `must be a string of 1 to 100 characters, such as "1.0.0"`)
		case (c.isVersions() && m.Name == "set_current" || c.Name == triggers && m.Name == "generate_secret") && m.Value.Kind() != 't' && m.Value.Kind() != 'f':
			bad.add(field, "must be true or false")
		case len(m.Name) > maxMemberName || strings.ContainsRune(m.Name, 0):
			bad.add(field, "must have a name of at most 200 bytes, without NUL")
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
