package store

import (
	"database/sql"
	"slices"
	"strings"
	"time"
)

// Resource is an object of a workspace that is stored in the common table.
type Resource struct {
	ID, Kind, Parent     string // Kind is the collection's name; Parent is empty if the resource is not nested
	Name, Status         string
	CreatedBy            string
	Version              int64
	CreatedAt, UpdatedAt time.Time
	Document             string            // as it is served
	Members              map[string]string // members of the document that lists can be filtered by; not read back
	References           []string          // ids that the document refers to; not read back
}

// indexed are the members of a document that are stored in columns, so that lists
// can be filtered by them.
var indexed = []string{"name", "type", "kind", "agent_id", "session_id", "execution_id", "trace_id", "source", "data_type", "config_id"}

// selective has the same members, those first that the fewest resources share.
var selective = []string{"trace_id", "execution_id", "session_id", "agent_id", "config_id", "name", "type", "kind", "source", "data_type"}

// indexColumns returns the columns, separated by commas.
func indexColumns() string { return "member_" + strings.Join(indexed, ", member_") }

// indexValues returns the values of the columns. A missing member is NULL.
func (r *Resource) indexValues() []any {
	values := make([]any, len(indexed))
	for i, name := range indexed {
		if text, ok := r.Members[name]; ok {
			values[i] = text
		}
	}
	return values
}

// Ref identifies a resource.
type Ref struct{ Kind, ID, Name string }

const (
	resourceColumns        = "r.id, r.kind, coalesce(r.parent_id, ''), r.name, r.status, r.created_by, r.version, r.created_at, r.updated_at, r.document"
	resourceRows    scoped = "FROM resources r WHERE r.workspace_id = $1"
	inCollection    scoped = resourceRows + " AND r.kind = $2 AND coalesce(r.parent_id, '') = $3"
)

func resourceFields(r *Resource) []any {
	return []any{
		&r.ID, &r.Kind, &r.Parent, &r.Name, &r.Status, &r.CreatedBy, &r.Version,
		stamp{&r.CreatedAt},
		stamp{&r.UpdatedAt},
		&r.Document,
	}
}

// ResourceFilter narrows a list of resources; an empty field is ignored.
type ResourceFilter struct {
	Members map[string]string // must be equal to those of the document
	Status  string
	Query   string // a part of the name
}

// Resources returns a page of a collection and the number of matching resources.
// The number is 0 if p has a cursor.
func (t *Tx) Resources(kind, parent string, by *ResourceFilter, p Paging) (page []*Resource, total int, err error) {
	rows, args := inCollection, []any{kind, parent}
	byMember := slices.ContainsFunc(indexed, func(name string) bool { return by.Members[name] != "" })
	if byMember && parent == "" { // the indexes of members have no parents, because such kinds are not nested
		rows, args = resourceRows+" AND r.kind = $2", args[:1]
	}
	f := filter{base: 1 + len(args)}
	for _, name := range selective {
		f.equal("r.member_"+name, by.Members[name])
	}
	f.equal("r.status", by.Status)
	f.scanSearch("r.search", by.Query)
	from, total, err := t.pageOf(&list{rows: string(rows), args: args, at: "r.created_at", id: "r.id", total: t.total(collection(kind, parent))}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + resourceColumns + " " + from
	err = t.rows(query, append(args, f.args...), func(rows scanner) error {
		r := new(Resource)
		if err := rows.Scan(resourceFields(r)...); err != nil {
			return err
		}
		if err := p.Size.take(len(r.Document)); err != nil {
			return err
		}
		page = append(page, r)
		return nil
	})
	return page, total, err
}

// Resource returns a resource of a collection.
func (t *Tx) Resource(kind, parent, id string) (*Resource, error) {
	r := new(Resource)
	return r, t.row("SELECT "+resourceColumns+" "+inCollection+" AND r.id = $4", []any{kind, parent, id}, resourceFields(r)...)
}

// ResourceOfKind returns a resource of a kind, nested or not.
func (t *Tx) ResourceOfKind(kind, id string) (*Resource, error) {
	r := new(Resource)
	return r, t.row("SELECT "+resourceColumns+" "+resourceRows+" AND r.kind = $2 AND r.id = $3", []any{kind, id}, resourceFields(r)...)
}

// HasResource reports whether a resource of a kind exists, nested or not.
func (t *Tx) HasResource(kind, id string) (bool, error) {
	var n int
	err := t.row("SELECT count(*) "+resourceRows+" AND r.kind = $2 AND r.id = $3", []any{kind, id}, &n)
	return n > 0, err
}

// NestedResources returns the resources nested in a resource, oldest first.
func (t *Tx) NestedResources(parent string) (nested []*Resource, err error) {
	err = t.rows("SELECT "+resourceColumns+" "+resourceRows+" AND r.parent_id = $2 ORDER BY r.created_at, r.id", []any{parent}, func(rows scanner) error {
		r := new(Resource)
		nested = append(nested, r)
		return rows.Scan(resourceFields(r)...)
	})
	return nested, err
}

// UsedBy returns the resources that refer to an id, oldest first and at most
// limit.
func (t *Tx) UsedBy(id string, limit int) (users []Ref, err error) {
	err = t.rows(`SELECT r.kind, r.id, r.name FROM resource_references f JOIN resources r ON r.workspace_id = f.workspace_id AND r.id = f.from_id
		WHERE f.workspace_id = $1 AND f.to_id = $2 ORDER BY r.created_at, r.id LIMIT $3`, []any{id, limit}, func(rows scanner) error {
		var u Ref
		if err := rows.Scan(&u.Kind, &u.ID, &u.Name); err != nil {
			return err
		}
		users = append(users, u)
		return nil
	})
	return users, err
}

// CreateResource adds a resource and its references.
func (t *Tx) CreateResource(r *Resource) error {
	return t.createResource(r, map[string]int{collection(r.Kind, r.Parent): 1})
}

// createResource adds a resource and its references, and adds to the counters.
func (t *Tx) createResource(r *Resource, counters map[string]int) error {
	parent := sql.NullString{String: r.Parent, Valid: r.Parent != ""}
	_, err := t.exec("INSERT INTO resources (workspace_id, id, kind, parent_id, name, search, status, created_by, version, created_at, updated_at, document, "+scoped(indexColumns())+
		") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
		append([]any{
			r.ID, r.Kind, parent, r.Name, searchable(r.Name), r.Status, r.CreatedBy, r.Version, micros(r.CreatedAt), micros(r.UpdatedAt), r.Document,
		}, r.indexValues()...)...)
	if err != nil {
		return err
	}
	if err := t.refer(r); err != nil {
		return err
	}
	return t.countUp(counters)
}

// UpdateResource stores the mutable fields of a resource and its references.
func (t *Tx) UpdateResource(r *Resource) error {
	err := affected(t.exec("UPDATE resources SET name = $3, search = $4, status = $5, version = $6, updated_at = $7, document = $8, ("+scoped(indexColumns())+
		") = ($9, $10, $11, $12, $13, $14, $15, $16, $17, $18) WHERE workspace_id = $1 AND id = $2",
		append([]any{r.ID, r.Name, searchable(r.Name), r.Status, r.Version, micros(r.UpdatedAt), r.Document}, r.indexValues()...)...))
	if err != nil {
		return err
	}
	if err := t.later("DELETE FROM resource_references WHERE workspace_id = $1 AND from_id = $2", r.ID); err != nil {
		return err
	}
	return t.refer(r)
}

func (t *Tx) refer(r *Resource) error {
	for _, to := range r.References {
		if err := t.later("INSERT INTO resource_references (workspace_id, from_id, to_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", r.ID, to); err != nil {
			return err
		}
	}
	return nil
}

// DeleteResource deletes a resource and the resources nested in it.
func (t *Tx) DeleteResource(r *Resource) error {
	if err := affected(t.exec("DELETE FROM resources WHERE workspace_id = $1 AND id = $2", r.ID)); err != nil {
		return err
	}
	if err := t.later("DELETE FROM counters WHERE workspace_id = $1 AND kind LIKE $2", "%/"+r.ID+"/%"); err != nil {
		return err
	}
	return t.count(collection(r.Kind, r.Parent), -1)
}

// collection returns the name of a collection's counter.
func collection(kind, parent string) string {
	if parent == "" {
		return kind
	}
	return "under/" + parent + "/" + kind
}

// ActiveAgents returns the number of agents that are not archived.
func (t *Tx) ActiveAgents() (n int64, err error) {
	err = t.row("SELECT count(*) "+resourceRows+" AND r.kind = 'agents' AND r.status <> 'archived'", nil, &n)
	return n, err
}

// Counted returns the number of resources in a collection.
func (t *Tx) Counted(kind, parent string) (int, error) { return t.counted(collection(kind, parent)) }
