package promptrails

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ChangelogService reads the audit trail of a workspace: every change of its
// objects, in a chain of hashes that shows whether one was altered or cut out.
type ChangelogService struct{ client *Client }

var (
	opChangelogList = operation{"Changelog.List", "GET", "/changelog", ScopeChangelogRead, bySequence}
	opChangelogGet  = operation{"Changelog.Get", "GET", "/changelog/{id}", ScopeChangelogRead, 0}
	opChangelogHead = operation{"Changelog.Head", "GET", "/changelog/head", ScopeChangelogRead, 0}
)

// List returns one page of the entries, the newest first unless Order says
// otherwise. A changelog is paged by cursor only: Page must be 0. It needs the
// scope changelog:read, or the role admin.
func (s *ChangelogService) List(ctx context.Context, params *ListChangelogParams, opts ...RequestOption) (*Page[ChangelogEntry], error) {
	return list[ChangelogEntry](ctx, s.client, call{op: opChangelogList, query: params, opts: opts})
}

// All returns every entry, the newest first unless Order says otherwise. With
// [WithPrefetch] of more than one page, if only sequences narrow the list, that
// many pages and one are requested at once, and held. An entry that is missing
// or out of order is a [*ChainError]. It needs the scope changelog:read, or the
// role admin.
func (s *ChangelogService) All(ctx context.Context, params *ListChangelogParams, opts ...RequestOption) iter.Seq2[*ChangelogEntry, error] {
	var p ListChangelogParams
	if params != nil {
		p = *params
	}
	_, err := encodeQuery(&p)
	width := newRequestOptions(opts).prefetch
	if width < 2 || !p.whole() {
		return eachItem(ctx, opts, err, func() func(context.Context) iter.Seq[fetched[ChangelogEntry]] {
			return s.reader(p, opts).pages
		})
	}
	return eachItem(ctx, append(slices.Clip(opts), WithPrefetch(0)), err, func() func(context.Context) iter.Seq[fetched[ChangelogEntry]] {
		return s.reader(p, opts).parallel(width)
	})
}

// Get returns one entry. It needs the scope changelog:read, or the role admin.
func (s *ChangelogService) Get(ctx context.Context, id string, opts ...RequestOption) (*ChangelogEntry, error) {
	return one[ChangelogEntry](ctx, s.client, call{op: opChangelogGet, ids: []string{id}, opts: opts})
}

// Head returns the newest entry's sequence and hash. Whoever keeps it can prove
// later that no entry up to it was altered or cut out. It needs the scope
// changelog:read, or the role admin.
func (s *ChangelogService) Head(ctx context.Context, opts ...RequestOption) (*ChangelogHead, error) {
	return one[ChangelogHead](ctx, s.client, call{op: opChangelogHead, opts: opts})
}

// ListChangelogParams narrows a list of entries.
type ListChangelogParams struct {
	ListOptions
	ResourceType ResourceType    `url:"resource_type,omitempty"`
	ResourceID   string          `url:"resource_id,omitempty"`
	Action       ChangelogAction `url:"action,omitempty"`
	ActorType    ActorType       `url:"actor_type,omitempty"`
	ActorID      string          `url:"actor_id,omitempty"`
	Since        time.Time       `url:"since,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"` // this moment or later
	Until        time.Time       `url:"until,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"` // before this moment
	Order        Order           `url:"order,omitempty"`                                              // OrderDescending by default
	SequenceFrom int64           `url:"sequence_from,omitempty"`
	SequenceTo   int64           `url:"sequence_to,omitempty"` // inclusive
}

// Order is the direction of a list.
type Order string

// The directions of a list.
const (
	OrderAscending  Order = "asc"  // the oldest first
	OrderDescending Order = "desc" // the newest first
)

// ChangelogAction is what happened to a resource. The type is open.
type ChangelogAction string

// The actions of a changelog.
const (
	ActionCreated ChangelogAction = "created"
	ActionUpdated ChangelogAction = "updated"
	ActionDeleted ChangelogAction = "deleted"
)

// ActorType is what kind of actor made a change. The type is open.
type ActorType string

// The kinds of actors.
const (
	ActorUser   ActorType = "user"
	ActorAPIKey ActorType = "api_key"
	ActorSystem ActorType = "system"
)

// ResourceType is the kind of an object in the changelog. The type is open.
type ResourceType string

// The kinds of objects that this version of the package covers.
const (
	ResourceWorkspace           ResourceType = "workspace"
	ResourceMember              ResourceType = "member"
	ResourceInvitation          ResourceType = "invitation"
	ResourceCredential          ResourceType = "credential"
	ResourceAPIKey              ResourceType = "api_key"
	ResourceNotificationChannel ResourceType = "notification_channel"
	ResourceDataMasking         ResourceType = "data_masking"
	ResourceMaskingOverride     ResourceType = "masking_override"
	ResourceSubscription        ResourceType = "subscription"
	ResourceBalance             ResourceType = "balance"
	ResourceAgent               ResourceType = "agent"
	ResourcePrompt              ResourceType = "prompt"
	ResourceDataSource          ResourceType = "data_source"
	ResourceMCPTool             ResourceType = "mcp_tool"
	ResourceChatSession         ResourceType = "chat_session"
	ResourceMemory              ResourceType = "memory"
	ResourceScore               ResourceType = "score"
	ResourceGuardrail           ResourceType = "guardrail"
	ResourceTrigger             ResourceType = "trigger"
	ResourceApproval            ResourceType = "approval"
	ResourceApp                 ResourceType = "app"
	ResourceAgentVersion        ResourceType = "agent_version"
	ResourcePromptVersion       ResourceType = "prompt_version"
	ResourceDataSourceVersion   ResourceType = "data_source_version"
)

// ChangelogEntry is one change of one object. It keeps the bytes that it was
// decoded from: marshalling gives them back, fields that this version does not
// know included, since the hash is over them.
type ChangelogEntry struct {
	ID          string            `json:"id"`
	WorkspaceID string            `json:"workspace_id"`
	Sequence    int64             `json:"sequence"` // 1, 2, 3 … in a workspace, without a gap
	Action      ChangelogAction   `json:"action"`
	Resource    ChangelogResource `json:"resource"`
	Actor       Actor             `json:"actor"`
	Changes     Changes           `json:"changes"`
	IP          string            `json:"ip"` // of the caller
	UserAgent   string            `json:"user_agent"`
	RequestID   string            `json:"request_id"`
	OccurredAt  time.Time         `json:"occurred_at"`
	PrevHash    string            `json:"prev_hash"` // the Hash of the entry before; of the first, SHA-256 of the workspace's id
	Hash        string            `json:"hash"`      // lower-case hex SHA-256 over the entry without it, as RFC 8785 JSON

	raw json.RawMessage
}

// ChangelogResource is the object that changed.
type ChangelogResource struct {
	Type ResourceType `json:"type"`
	ID   string       `json:"id"`
	Name string       `json:"name"`
}

// Actor is who made a change.
type Actor struct {
	Type ActorType `json:"type"`
	ID   string    `json:"id"`
	Name string    `json:"name"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (e *ChangelogEntry) UnmarshalJSON(data []byte) error {
	type fields ChangelogEntry
	var f fields
	if err := wire.Decode(data, &f); err != nil {
		return err
	}
	*e = ChangelogEntry(f)
	e.raw = append(json.RawMessage(nil), data...)
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (e ChangelogEntry) MarshalJSON() ([]byte, error) {
	if e.raw != nil {
		return e.raw, nil
	}
	type fields ChangelogEntry
	return wire.Encode(fields(e))
}

// Changes is what changed of an object, by the name of the field. It keeps the
// JSON that it came as.
type Changes struct{ raw json.RawMessage }

// Change is one field before and after. A secret is the string "[redacted]"
// where there is one, and null where there is none.
type Change struct {
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

// Get returns how a field changed, and whether it did.
func (c Changes) Get(field string) (Change, bool) {
	for name, change := range c.All() {
		if name == field {
			return change, true
		}
	}
	return Change{}, false
}

// All returns the fields that changed, in the order in which they came.
func (c Changes) All() iter.Seq2[string, Change] {
	return func(yield func(string, Change) bool) {
		_ = wire.EachMember(jsontext.Value(c.raw), func(field string, _, value jsontext.Value) error {
			var change Change
			if err := jsonv2.Unmarshal(value, &change); err != nil {
				return err
			}
			if !yield(field, change) {
				return wire.ErrStop
			}
			return nil
		})
	}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Changes) UnmarshalJSON(data []byte) error {
	c.raw = append(json.RawMessage(nil), data...)
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (c Changes) MarshalJSON() ([]byte, error) {
	if c.raw == nil {
		return []byte("{}"), nil
	}
	return c.raw, nil
}

// ChangelogHead names the newest entry of a changelog. A workspace always has
// one, since its creation is the first.
type ChangelogHead struct {
	WorkspaceID string `json:"workspace_id"`
	Sequence    int64  `json:"sequence"`
	Hash        string `json:"hash"`
}
