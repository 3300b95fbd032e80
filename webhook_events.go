package promptrails

import (
	"encoding/json"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// EventType identifies the kind of an event. Servers may send other values.
type EventType string

// The events.
const (
	EventExecutionFailed           EventType = "execution.failed"            // [ExecutionEvent]
	EventExecutionAwaitingApproval EventType = "execution.awaiting_approval" // [ExecutionEvent]
	EventUsageThreshold            EventType = "usage.threshold"             // [UsageEvent]: 80 percent of a limit is used
	EventUsageLimitReached         EventType = "usage.limit_reached"         // [UsageEvent]
	EventPaymentFailed             EventType = "payment.failed"              // [PaymentEvent]
	EventMemberJoined              EventType = "member.joined"               // [MemberEvent]
	EventMemberRemoved             EventType = "member.removed"              // [MemberEvent]; also sent when a member leaves
	EventChannelTest               EventType = "channel.test"                // [ChannelTestEvent]
)

// EventTypes returns the event types known to this version.
func EventTypes() []EventType {
	return []EventType{
		EventExecutionFailed, EventExecutionAwaitingApproval, EventUsageThreshold, EventUsageLimitReached,
		EventPaymentFailed, EventMemberJoined, EventMemberRemoved, EventChannelTest,
	}
}

// Event is an event in a workspace. It can be marshaled, for example for a
// queue, and unmarshaled without loss.
type Event struct {
	// ID is the webhook-id, which all attempts and redeliveries share. Receivers
	// deduplicate by it.
	ID          string
	Type        EventType
	Timestamp   time.Time // time of the event
	WorkspaceID string
	// Data is a pointer to the type listed next to the constant of Type, or nil
	// if the type is unknown to this version. Raw is set in any case.
	Data any
	// Raw is the data as received.
	Raw json.RawMessage
}

// eventForm is the JSON form of an Event.
type eventForm struct {
	ID          string         `json:"id,omitzero"`
	Type        EventType      `json:"type"`
	Timestamp   time.Time      `json:"timestamp"`
	WorkspaceID string         `json:"workspace_id"`
	Data        jsontext.Value `json:"data,omitzero"`
}

// MarshalJSON implements [json.Marshaler]. The data is Raw if it is set, and
// Data otherwise.
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

// UnmarshalJSON implements [json.Unmarshaler]. It accepts the output of
// MarshalJSON and the body of a webhook, which has no id.
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
			return invalid("body.data", "does not match the event type "+string(event.Type)+": "+err.Error())
		}
	}
	*e = event
	return nil
}

// newData returns a value to decode the data of an event into, or nil if the
// type is unknown to this version.
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

// ExecutionEvent reports an execution that failed or awaits approval.
type ExecutionEvent struct {
	ExecutionID string `json:"execution_id"`
	AgentID     string `json:"agent_id"`
	ApprovalID  string `json:"approval_id,omitzero"` // set if the execution awaits approval
	Error       string `json:"error,omitzero"`       // set if the execution failed
}

// UsageEvent reports that usage has reached 80 or 100 percent of a limit. Each
// is sent once per billing period.
type UsageEvent struct {
	Limit       LimitKey  `json:"limit"`
	Percent     int       `json:"percent"` // 80 or 100
	Used        int64     `json:"used"`
	Max         int64     `json:"max"`
	Plan        PlanID    `json:"plan"`
	PeriodStart time.Time `json:"period_start"`
	PeriodEnd   time.Time `json:"period_end"`
}

// PaymentEvent reports an invoice whose payment failed.
type PaymentEvent struct {
	InvoiceID string `json:"invoice_id"`
	Number    string `json:"number"`
	Total     Money  `json:"total"`
	Reason    string `json:"reason,omitzero"`
}

// MemberEvent reports a member who joined or left the workspace, or was removed
// from it.
type MemberEvent struct {
	MemberID string `json:"member_id"`
	UserID   string `json:"user_id"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Role     Role   `json:"role"`
}

// ChannelTestEvent is the event sent by [NotificationsService.TestChannel].
type ChannelTestEvent struct {
	ChannelID   string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
}
