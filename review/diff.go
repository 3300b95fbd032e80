package review

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Changes are the differences between two reviews.
type Changes struct {
	Before   time.Time `json:"before"` // when the earlier review began
	After    time.Time `json:"after"`
	Changes  []Change  `json:"changes"`  // by workspace, in the order of the later review
	Found    []Finding `json:"found"`    // findings of the later review only
	Resolved []Finding `json:"resolved"` // findings of the earlier review only
	// Skipped are the sections that were not compared, because they could not be
	// read in one of the reviews.
	Skipped []SkippedSection `json:"skipped"`
}

// ChangeKind is the kind of a change.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// Change is an object that differs between two reviews. If a workspace was added
// or removed, its objects have no changes of their own.
type Change struct {
	Kind        ChangeKind              `json:"kind"`
	WorkspaceID string                  `json:"workspace_id"`
	Workspace   string                  `json:"workspace"` // the slug
	Object      promptrails.ResourceRef `json:"object"`
	Fields      []FieldChange           `json:"fields,omitempty"` // of Changed, by name
}

// FieldChange is a field that differs, with the JSON of both values. A field that
// is absent from a review is nil there.
type FieldChange struct {
	Field string          `json:"field"`
	From  json.RawMessage `json:"from,omitempty"`
	To    json.RawMessage `json:"to,omitempty"`
}

// SkippedSection is a section that was not compared.
type SkippedSection struct {
	WorkspaceID string  `json:"workspace_id"`
	Workspace   string  `json:"workspace"` // the slug
	Section     Section `json:"section"`
}

// Diff returns what changed from one review to a later one. Activity is not a
// change: the last use of a key, the last activity of a member, and counts of
// usage. If only the version of an object differs, as when a secret was replaced,
// the change has the field version. An object that has disappeared was deleted,
// or is no longer part of a review, such as a key that has expired. A nil report is
// one without workspaces.
func Diff(before, after *Report) *Changes {
	before, after = cmp.Or(before, new(Report)), cmp.Or(after, new(Report))
	c := &Changes{Before: before.At, After: after.At}
	earlier := map[string]*Workspace{}
	for w := range before.all() {
		earlier[w.Info.ID] = w
	}
	for w := range after.all() {
		was := earlier[w.Info.ID]
		delete(earlier, w.Info.ID)
		if was == nil {
			c.add(w, workspaceChange(Added, w))
		} else {
			c.compare(was, w)
		}
	}
	for w := range before.all() {
		if earlier[w.Info.ID] != nil {
			c.add(w, workspaceChange(Removed, w))
		}
	}
	c.Found = c.without(after, before)
	c.Resolved = c.without(before, after)
	return c
}

func (c *Changes) add(w *Workspace, change Change) {
	change.WorkspaceID, change.Workspace = w.Info.ID, w.Info.Slug
	c.Changes = append(c.Changes, change)
}

func workspaceChange(kind ChangeKind, w *Workspace) Change {
	return Change{Kind: kind, Object: promptrails.ResourceRef{Type: promptrails.ResourceWorkspace, ID: w.Info.ID, Name: w.Info.Name}}
}

// without returns the findings of a that are not in b, except those that depend on
// a skipped section.
func (c *Changes) without(a, b *Report) (rest []Finding) {
	known := map[string]bool{}
	for f := range b.Findings() {
		known[f.key()] = true
	}
	for f := range a.Findings() {
		if !known[f.key()] && !c.skips(&f) {
			rest = append(rest, f)
		}
	}
	return rest
}

// dependencies are the sections that the findings of an object may depend on.
// Findings of other objects may depend on all.
var dependencies = map[promptrails.ResourceType][]Section{
	promptrails.ResourceMember:              {SectionMembers},
	promptrails.ResourceInvitation:          {SectionInvitations},
	promptrails.ResourceAPIKey:              {SectionAPIKeys, SectionMembers},
	promptrails.ResourceCredential:          {SectionCredentials, SectionCredentialUsage},
	promptrails.ResourceNotificationChannel: {SectionChannels},
	promptrails.ResourceDataMasking:         {SectionMasking, SectionUsage},
	promptrails.ResourceSubscription:        {SectionUsage},
}

func (c *Changes) skips(f *Finding) bool {
	return slices.ContainsFunc(c.Skipped, func(s SkippedSection) bool {
		sections, ok := dependencies[f.Object.Type]
		return s.WorkspaceID == f.WorkspaceID && (!ok || slices.Contains(sections, s.Section))
	})
}

// compare adds the changes of a workspace.
func (c *Changes) compare(was, is *Workspace) {
	skipped := map[Section]bool{}
	for _, s := range sectionOrder {
		verified := s != SectionChangelog || (was.Changelog == nil) == (is.Changelog == nil)
		if !was.has(s) || !is.has(s) || !verified {
			skipped[s] = true
			c.Skipped = append(c.Skipped, SkippedSection{is.Info.ID, is.Info.Slug, s})
		}
	}
	earlier := map[string]object{}
	for _, o := range objects(was, skipped) {
		earlier[o.key()] = o
	}
	for _, o := range objects(is, skipped) {
		old, ok := earlier[o.key()]
		delete(earlier, o.key())
		if !ok {
			c.add(is, Change{Kind: Added, Object: o.ref})
		} else if fields := changedFields(old.fields, o.fields); len(fields) > 0 {
			c.add(is, Change{Kind: Changed, Object: o.ref, Fields: fields})
		}
	}
	for _, o := range objects(was, skipped) {
		if _, ok := earlier[o.key()]; ok {
			c.add(is, Change{Kind: Removed, Object: o.ref})
		}
	}
}

// activity are the fields that are not compared. version is compared if no other
// field differs.
var activity = []string{"version", "updated_at", "last_active_at", "last_used_at", "last_used_ip", "member_count"}

func changedFields(was, is map[string]json.RawMessage) (fields []FieldChange) {
	names := maps.Clone(was)
	maps.Copy(names, is)
	compare := func(name string) {
		if !bytes.Equal(was[name], is[name]) {
			fields = append(fields, FieldChange{name, was[name], is[name]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(activity, name) {
			compare(name)
		}
	}
	if len(fields) == 0 {
		compare("version")
	}
	return fields
}

// object is an object of a review and its fields.
type object struct {
	ref    promptrails.ResourceRef
	fields map[string]json.RawMessage
}

func (o *object) key() string { return string(o.ref.Type) + "\x00" + o.ref.ID }

// objects returns the objects of a workspace, without those of skipped sections.
func objects(w *Workspace, skipped map[Section]bool) (all []object) {
	add := func(section Section, kind promptrails.ResourceType, id, name string, value any) *object {
		if skipped[section] {
			return &object{fields: map[string]json.RawMessage{}}
		}
		all = append(all, object{promptrails.ResourceRef{Type: kind, ID: id, Name: name}, fieldsOf(value)})
		return &all[len(all)-1]
	}
	delete(add("", promptrails.ResourceWorkspace, w.Info.ID, w.Info.Name, w.Info).fields, "role") // the caller's
	for _, m := range w.Members {
		add(SectionMembers, promptrails.ResourceMember, m.ID, m.Email, m)
	}
	for _, i := range w.Invitations {
		add(SectionInvitations, promptrails.ResourceInvitation, i.ID, i.Email, i)
	}
	for _, k := range w.APIKeys {
		add(SectionAPIKeys, promptrails.ResourceAPIKey, k.ID, k.Name, k)
	}
	for _, c := range w.Credentials {
		o := add(SectionCredentials, promptrails.ResourceCredential, c.ID, c.Name, c)
		if !skipped[SectionCredentialUsage] {
			o.fields["used_by"] = encode(usedBy(w, c))
		}
	}
	for _, c := range w.Channels {
		add(SectionChannels, promptrails.ResourceNotificationChannel, c.ID, c.Name, c)
	}
	if w.Masking != nil {
		add(SectionMasking, promptrails.ResourceDataMasking, w.Info.ID, w.Info.Name, w.Masking)
	}
	if w.Usage != nil {
		limits := map[string]any{}
		for _, l := range w.Usage.Limits {
			limits[string(l.Key)] = l.Max
		}
		add(SectionUsage, promptrails.ResourceSubscription, w.Info.ID, string(w.Info.Plan), limits)
	}
	return all
}

// usedBy returns the resources that refer to a credential as type/id, sorted.
func usedBy(w *Workspace, c *promptrails.Credential) []string {
	names := []string{}
	for _, ref := range w.CredentialUsage[c.ID] {
		names = append(names, string(ref.Type)+"/"+ref.ID)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

func fieldsOf(value any) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(encode(value), &fields); err != nil {
		panic("review: " + err.Error()) // encode returns JSON objects only
	}
	return fields
}

func encode(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic("review: " + err.Error()) // the types of this module can be encoded
	}
	return text
}
