package promptrails

import (
	"encoding/json"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// EventType names what a notification tells of. The type is open.
type EventType string

// The events that PromptRails knows.
const (
	EventExecutionFailed           EventType = "execution.failed"            // [ExecutionEvent]
	EventExecutionAwaitingApproval EventType = "execution.awaiting_approval" // [ExecutionEvent]
	EventUsageThreshold            EventType = "usage.threshold"             // [UsageEvent]: 80 per cent of a limit are used
	EventUsageLimitReached         EventType = "usage.limit_reached"         // [UsageEvent]
	EventPaymentFailed             EventType = "payment.failed"              // [PaymentEvent]
	EventMemberJoined              EventType = "member.joined"               // [MemberEvent]
	EventMemberRemoved             EventType = "member.removed"              // [MemberEvent]; also of a member who left
	EventChannelTest               EventType = "channel.test"                // [ChannelTestEvent]
)

// EventTypes returns the events that this version knows.
func EventTypes() []EventType {
	return []EventType{
		EventExecutionFailed, EventExecutionAwaitingApproval, EventUsageThreshold, EventUsageLimitReached,
		EventPaymentFailed, EventMemberJoined, EventMemberRemoved, EventChannelTest,
	}
}

// Event is something that happened in a workspace. It can be marshalled, such as
// for a queue, and unmarshalled again with all that it had.
type Event struct {
	// ID is the webhook-id: the same for each attempt to deliver the event, and
	// for each redelivery. A receiver de-duplicates by it.
	ID          string
	Type        EventType
	Timestamp   time.Time // when it happened
	WorkspaceID string
	// Data is a pointer to the type that is named next to the constant of Type;
	// nil for a type that this version does not know. Raw has it in any case.
	Data any
	// Raw is Data as it was sent.
	Raw json.RawMessage
}

// eventForm is Event as JSON.
type eventForm struct {
	ID          string         `json:"id,omitzero"`
	Type        EventType      `json:"type"`
	Timestamp   time.Time      `json:"timestamp"`
	WorkspaceID string         `json:"workspace_id"`
	Data        jsontext.Value `json:"data,omitzero"`
}

// MarshalJSON implements [json.Marshaler]. The data is Raw, or else Data.
func (e Event) MarshalJSON() ([]byte, error) {
	form := eventForm{e.ID, e.Type, e.Timestamp, e.WorkspaceID, jsontext.Value(e.Raw)}
	if len(e.Raw) == 0 && e.Data != nil {
		data, err := wire.Show(e.Data)
		if err != nil {
			return nil, err
		}
		form.Data = data
	}
	return wire.Show(form)
}

// UnmarshalJSON implements [json.Unmarshaler]. It takes what MarshalJSON made,
// and the body of a webhook, which has no id.
func (e *Event) UnmarshalJSON(data []byte) error {
	var form eventForm
	if err := wire.Decode(data, &form); err != nil {
		return invalid("body", "is not an event: "+err.Error())
	}
	event := Event{ID: form.ID, Type: form.Type, Timestamp: form.Timestamp, WorkspaceID: form.WorkspaceID, Raw: json.RawMessage(form.Data)}
	if event.Type == "" {
		return invalid("body.type", "must not be empty")
	}
	if event.Data = event.Type.newData(); event.Data != nil {
		if form.Data.Kind() != '{' {
			return invalid("body.data", "must be an object")
		}
		if err := wire.Decode(form.Data, event.Data); err != nil {
			return invalid("body.data", "is not that of "+string(event.Type)+": "+err.Error())
		}
	}
	*e = event
	return nil
}

// newData returns what the data of an event is decoded into, or nil for one
// that this version does not know.
func (t EventType) newData() any {
	switch t {
	case EventExecutionFailed, EventExecutionAwaitingApproval:
		return new(ExecutionEvent)
	case EventUsageThreshold, EventUsageLimitReached:
		return new(UsageEvent)
	case EventPaymentFailed:
		return new(PaymentEvent)
	case EventMemberJoined, EventMemberRemoved:
		return new(MemberEvent)
	case EventChannelTest:
		return new(ChannelTestEvent)
	default:
		return nil
	}
}

// ExecutionEvent tells of an execution that failed, or that waits for somebody
// to approve it.
type ExecutionEvent struct {
	ExecutionID string `json:"execution_id"`
	AgentID     string `json:"agent_id"`
	ApprovalID  string `json:"approval_id,omitzero"` // of one that waits
	Error       string `json:"error,omitzero"`       // of one that failed
}

// UsageEvent tells of a limit of the plan that comes near to its end, or has
// reached it. Each is told once a period.
type UsageEvent struct {
	Limit       LimitKey  `json:"limit"`
	Percent     int       `json:"percent"` // 80 or 100
	Used        int64     `json:"used"`
	Max         int64     `json:"max"`
	Plan        PlanID    `json:"plan"`
	PeriodStart time.Time `json:"period_start"`
	PeriodEnd   time.Time `json:"period_end"`
}

// PaymentEvent tells of an invoice that could not be settled.
type PaymentEvent struct {
	InvoiceID string `json:"invoice_id"`
	Number    string `json:"number"`
	Total     Money  `json:"total"`
	Reason    string `json:"reason,omitzero"`
}

// MemberEvent tells of somebody who joined the workspace, or is no longer in
// it.
type MemberEvent struct {
	MemberID string `json:"member_id"`
	UserID   string `json:"user_id"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Role     Role   `json:"role"`
}

// ChannelTestEvent is what [NotificationsService.TestChannel] sends.
type ChannelTestEvent struct {
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
}
