package promptrails

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ChangelogService reads the audit log of a workspace. The log records every
// change of an object, except of executions and traces. Its entries form a hash chain, so altered and removed
// entries can be detected.
type ChangelogService struct{ client *Client }

var (
	opChangelogList = operation{"Changelog.List", "GET", "/changelog", ScopeChangelogRead, bySequence}
	opChangelogGet  = operation{"Changelog.Get", "GET", "/changelog/{id}", ScopeChangelogRead, 0}
	opChangelogHead = operation{"Changelog.Head", "GET", "/changelog/head", ScopeChangelogRead, 0}
)

// List returns one page of entries, newest first unless Order is
// [OrderAscending]. Pages are addressed by cursor only: Page must be 0. It
// requires the changelog:read scope, or the admin role.
func (s *ChangelogService) List(ctx context.Context, params *ListChangelogParams, opts ...RequestOption) (*Page[ChangelogEntry], error) {
	return list[ChangelogEntry](ctx, s.client, call{op: opChangelogList, query: params, opts: opts})
}

// All returns an iterator over all entries, newest first unless Order is
// [OrderAscending]. It requires the changelog:read scope, or the admin role.
//
// If [WithPrefetch] asks for more than one page and params filters by sequence
// only, All requests up to that many pages plus one concurrently. A missing or
// misordered entry is a [*ChainError].
func (s *ChangelogService) All(ctx context.Context, params *ListChangelogParams, opts ...RequestOption) iter.Seq2[*ChangelogEntry, error] {
	var p ListChangelogParams
	if params != nil {
		p = *params
	}
	_, err := encodeQuery(&p)
	return eachItem(ctx, opts, err, func(ctx context.Context, prefetch int) iter.Seq[fetched[ChangelogEntry]] {
		r := s.reader(p, opts)
		if prefetch > 1 && r.whole {
			return r.parallel(ctx, prefetch)
		}
		return ahead(ctx, prefetch, r.pages)
	})
}

// Get returns an entry. It requires the changelog:read scope, or the admin
// role.
func (s *ChangelogService) Get(ctx context.Context, id string, opts ...RequestOption) (*ChangelogEntry, error) {
	return one[ChangelogEntry](ctx, s.client, call{op: opChangelogGet, ids: []string{id}, opts: opts})
}

// Head returns the sequence and hash of the newest entry. Store them to prove
// later, with [VerifyChangelog], that no entry up to this one was altered or
// removed. It requires the changelog:read scope, or the admin role.
func (s *ChangelogService) Head(ctx context.Context, opts ...RequestOption) (*ChangelogHead, error) {
	return one[ChangelogHead](ctx, s.client, call{op: opChangelogHead, opts: opts})
}

// ListChangelogParams filters a list of entries.
type ListChangelogParams struct {
	ListOptions
	ResourceType ResourceType    `url:"resource_type,omitempty"`
	ResourceID   string          `url:"resource_id,omitempty"`
	Action       ChangelogAction `url:"action,omitempty"`
	ActorType    ActorType       `url:"actor_type,omitempty"`
	ActorID      string          `url:"actor_id,omitempty"`
	Since        time.Time       `url:"since,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"` // inclusive
	Until        time.Time       `url:"until,omitempty" layout:"2006-01-02T15:04:05.999999999Z07:00"` // exclusive
	Order        Order           `url:"order,omitempty"`                                              // default OrderDescending
	SequenceFrom int64           `url:"sequence_from,omitempty"`
	SequenceTo   int64           `url:"sequence_to,omitempty"` // inclusive
}

// Order is the direction of a list.
type Order string

// The directions of a list.
const (
	OrderAscending  Order = "asc"  // oldest first
	OrderDescending Order = "desc" // newest first
)

// ChangelogAction is the kind of a change. Servers may return other values.
type ChangelogAction string

// The actions of a changelog.
const (
	ActionCreated ChangelogAction = "created"
	ActionUpdated ChangelogAction = "updated"
	ActionDeleted ChangelogAction = "deleted"
)

// ActorType is the kind of an actor. Servers may return other values.
type ActorType string

// The kinds of actors.
const (
	ActorUser   ActorType = "user"
	ActorAPIKey ActorType = "api_key"
	ActorSystem ActorType = "system"
)

// ResourceType is the kind of an object in the changelog. Servers may return
// other values.
type ResourceType string

// The kinds of objects.
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

// ChangelogEntry is one change of one object. It retains the JSON that it was
// decoded from, and MarshalJSON returns that JSON, including unknown fields,
// because the hash covers it.
type ChangelogEntry struct {
	ID          string            `json:"id"`
	WorkspaceID string            `json:"workspace_id"`
	Sequence    int64             `json:"sequence"` // 1, 2, 3 and so on in each workspace, without gaps
	Action      ChangelogAction   `json:"action"`
	Resource    ChangelogResource `json:"resource"`
	Actor       Actor             `json:"actor"`
	Changes     Changes           `json:"changes"`
	IP          string            `json:"ip"` // the caller's address
	UserAgent   string            `json:"user_agent"`
	RequestID   string            `json:"request_id"`
	OccurredAt  time.Time         `json:"occurred_at"`
	PrevHash    string            `json:"prev_hash"` // the Hash of the previous entry; for the first, the SHA-256 of the workspace id
	Hash        string            `json:"hash"`      // lowercase hex SHA-256 of the entry without this field, as RFC 8785 JSON

	raw  string // valid JSON
	link link   // as decoded from raw
}

// ChangelogResource is the object that changed.
type ChangelogResource struct {
	Type ResourceType `json:"type"`
	ID   string       `json:"id"`
	Name string       `json:"name"`
}

// Actor is the user, API key or system that made a change.
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
	e.setText(string(data))
	return nil
}

func (e *ChangelogEntry) setText(entry string) {
	e.raw, e.link = entry, link{e.WorkspaceID, e.Sequence, e.PrevHash, e.Hash}
}

// MarshalJSON implements [json.Marshaler].
func (e ChangelogEntry) MarshalJSON() ([]byte, error) {
	if e.raw != "" {
		return []byte(e.raw), nil
	}
	type fields ChangelogEntry
	return wire.Encode(fields(e))
}

// Changes are the changed fields of an object, in the JSON that the server
// sent.
type Changes struct{ raw string }

// Change is the value of a field before and after a change. The value of a
// secret is the string "[redacted]" if it is set, and null otherwise.
type Change struct {
	From json.RawMessage `json:"from"`
	To   json.RawMessage `json:"to"`
}

// Get returns the change of a field, and whether the field changed.
func (c Changes) Get(field string) (Change, bool) {
	for name, change := range c.All() {
		if name == field {
			return change, true
		}
	}
	return Change{}, false
}

// All returns an iterator over the changed fields, in the order of the JSON.
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
	c.setText(string(data))
	return nil
}

func (c *Changes) setText(changes string) { c.raw = changes }

// MarshalJSON implements [json.Marshaler].
func (c Changes) MarshalJSON() ([]byte, error) {
	if c.raw == "" {
		return []byte("{}"), nil
	}
	return []byte(c.raw), nil
}

// ChangelogHead identifies the newest entry of a changelog. Every workspace has
// one, because its creation is the first entry.
type ChangelogHead struct {
	WorkspaceID string `json:"workspace_id"`
	Sequence    int64  `json:"sequence"`
	Hash        string `json:"hash"`
}
