package promptrails

import (
	"context"
	"iter"
	"time"
)

// NotificationsService administers the channels by which a workspace tells of
// what happens in it, and what was sent over them.
//
// Delivery is at least once: a receiver that answers late, or a service that
// ends between an attempt and the note of it, is sent the same event again,
// with the same webhook-id. [Event.ID] is what a receiver de-duplicates by.
//
// The embedded service delivers webhooks as the Standard Webhooks specification
// asks (https://www.standardwebhooks.com): the headers webhook-id,
// webhook-timestamp and webhook-signature (HMAC-SHA256, one signature for each
// secret while it is rotated), 15 seconds for an answer, no redirect followed,
// and 2xx alone as success. It tries 8 times, with pauses of 5 s, 30 s, 2 min,
// 15 min, 1 h, 4 h and 12 h, or as long as Retry-After says with a 429 or 503 if
// that is longer, up to 12 h. A 410 pauses the channel at once, and so do three
// days of failures: StatusReason says why, and the changelog when.
type NotificationsService struct{ client *Client }

var (
	opChannelsList       = operation{"Notifications.ListChannels", "GET", "/notification-channels", ScopeNotificationsRead, 0}
	opChannelsGet        = operation{"Notifications.GetChannel", "GET", "/notification-channels/{id}", ScopeNotificationsRead, 0}
	opChannelsCreate     = operation{"Notifications.CreateChannel", "POST", "/notification-channels", ScopeNotificationsWrite, 0}
	opChannelsUpdate     = operation{"Notifications.UpdateChannel", "PATCH", "/notification-channels/{id}", ScopeNotificationsWrite, 0}
	opChannelsDelete     = operation{"Notifications.DeleteChannel", "DELETE", "/notification-channels/{id}", ScopeNotificationsWrite, 0}
	opChannelsTest       = operation{"Notifications.TestChannel", "POST", "/notification-channels/{id}/test", ScopeNotificationsWrite, 0}
	opChannelsRotate     = operation{"Notifications.RotateSecret", "POST", "/notification-channels/{id}/rotate-secret", ScopeNotificationsWrite, 0}
	opDeliveriesList     = operation{"Notifications.ListDeliveries", "GET", "/notification-channels/{id}/deliveries", ScopeNotificationsRead, bySequence}
	opDeliveryRedelivers = operation{"Notifications.Redeliver", "POST", "/notification-deliveries/{id}/redeliver", ScopeNotificationsWrite, 0}
)

// ListChannels returns one page of the channels, the newest first. It needs the
// scope notifications:read, or the role admin.
func (s *NotificationsService) ListChannels(ctx context.Context, params *ListChannelsParams, opts ...RequestOption) (*Page[Channel], error) {
	return list[Channel](ctx, s.client, call{op: opChannelsList, query: params, opts: opts})
}

// AllChannels returns every channel, the newest first. It needs the scope
// notifications:read, or the role admin.
func (s *NotificationsService) AllChannels(ctx context.Context, params *ListChannelsParams, opts ...RequestOption) iter.Seq2[*Channel, error] {
	return all[Channel](ctx, s.client, call{op: opChannelsList, opts: opts}, params)
}

// GetChannel returns one channel, without its secret and with no more of its
// URL than scheme and host. It needs the scope notifications:read, or the role
// admin.
func (s *NotificationsService) GetChannel(ctx context.Context, id string, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsGet, ids: []string{id}, opts: opts})
}

// CreateChannel opens a channel; the answer alone holds the Secret that a
// webhook is signed with. It needs the scope notifications:write, or the role
// admin. A URL that is not https, or leads to anything but a public address, is
// a [*ValidationError]; a plan with no channel left a [*QuotaError]; a Slack
// channel below the plan pro a [*FeatureError].
func (s *NotificationsService) CreateChannel(ctx context.Context, params *CreateChannelParams, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsCreate, body: required(params), opts: opts})
}

// UpdateChannel changes a channel. Nothing is sent over one that is not active,
// and what happens meanwhile is not sent later; what was under way goes on
// when it is active again. It needs the scope notifications:write, or the role
// admin. The errors are those of CreateChannel.
func (s *NotificationsService) UpdateChannel(ctx context.Context, id string, params *UpdateChannelParams, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// DeleteChannel deletes a channel and its deliveries. It needs the scope
// notifications:write, or the role admin.
func (s *NotificationsService) DeleteChannel(ctx context.Context, id string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opChannelsDelete, ids: []string{id}, opts: opts})
}

// TestChannel sends [EventChannelTest] over a channel, whatever its Events, and
// returns the delivery, which is pending still. It needs the scope
// notifications:write, or the role admin. A channel that is not active is
// [ErrConflict].
func (s *NotificationsService) TestChannel(ctx context.Context, id string, opts ...RequestOption) (*Delivery, error) {
	return one[Delivery](ctx, s.client, call{op: opChannelsTest, ids: []string{id}, opts: opts})
}

// RotateSecret gives a webhook a new Secret, in the answer alone. For 24 hours
// the earlier one signs beside it, so that no delivery is lost while a receiver
// learns the new one. It needs the scope notifications:write, or the role
// admin. A Slack channel has no secret, and is [ErrConflict].
func (s *NotificationsService) RotateSecret(ctx context.Context, id string, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsRotate, ids: []string{id}, opts: opts})
}

// ListDeliveries returns one page of what was sent over a channel in the last
// 30 days, the newest first. It needs the scope notifications:read, or the role
// admin.
func (s *NotificationsService) ListDeliveries(ctx context.Context, channelID string, params *ListDeliveriesParams, opts ...RequestOption) (*Page[Delivery], error) {
	return list[Delivery](ctx, s.client, call{op: opDeliveriesList, ids: []string{channelID}, query: params, opts: opts})
}

// AllDeliveries returns everything that was sent over a channel in the last 30
// days, the newest first. It needs the scope notifications:read, or the role
// admin.
func (s *NotificationsService) AllDeliveries(ctx context.Context, channelID string, params *ListDeliveriesParams, opts ...RequestOption) iter.Seq2[*Delivery, error] {
	return all[Delivery](ctx, s.client, call{op: opDeliveriesList, ids: []string{channelID}, opts: opts}, params)
}

// Redeliver sends again what was delivered or has failed, as a new delivery
// with the same WebhookID. It needs the scope notifications:write, or the role
// admin. A delivery that is pending, or whose channel is not active, is
// [ErrConflict].
func (s *NotificationsService) Redeliver(ctx context.Context, deliveryID string, opts ...RequestOption) (*Delivery, error) {
	return one[Delivery](ctx, s.client, call{op: opDeliveryRedelivers, ids: []string{deliveryID}, opts: opts})
}

// ListChannelsParams narrows a list of channels.
type ListChannelsParams struct {
	ListOptions
	Type ChannelType `url:"type,omitempty"`
}

// CreateChannelParams describes a new channel.
type CreateChannelParams struct {
	Name     string      `json:"name"` // 1 to 100 characters
	Type     ChannelType `json:"type"`
	URL      Secret      `json:"url"`                // https, at most 2048 bytes
	Events   []EventType `json:"events,omitzero"`    // none: all
	IsActive *bool       `json:"is_active,omitzero"` // true by default
}

// UpdateChannelParams changes a channel; nil leaves a field as it is. Its type
// never changes.
type UpdateChannelParams struct {
	Name     *string      `json:"name,omitzero"`
	URL      *Secret      `json:"url,omitzero"`
	Events   *[]EventType `json:"events,omitzero"` // a pointer to an empty list: all
	IsActive *bool        `json:"is_active,omitzero"`
}

// ListDeliveriesParams narrows a list of deliveries, which has cursors and no
// page numbers.
type ListDeliveriesParams struct {
	ListOptions
	Status DeliveryStatus `url:"status,omitempty"`
}

// ChannelType is how a channel tells. The type is open.
type ChannelType string

// The types of channels.
const (
	ChannelSlack   ChannelType = "slack"   // a message at a Slack incoming webhook
	ChannelWebhook ChannelType = "webhook" // a signed request; see [ParseWebhook]
)

// Channel is where a workspace sends its notifications.
type Channel struct {
	ID           string      `json:"id"`
	WorkspaceID  string      `json:"workspace_id"`
	Name         string      `json:"name"`
	Type         ChannelType `json:"type"`
	URL          string      `json:"url"`    // scheme and host alone: the rest is a secret
	Events       []EventType `json:"events"` // empty: all
	IsActive     bool        `json:"is_active"`
	PausedReason string      `json:"paused_reason"` // why the service paused it; empty where a person did
	Version      int64       `json:"version"`       // counted up by each change; see [WithIfMatch]
	CreatedAt    time.Time   `json:"created_at"`
	UpdatedAt    time.Time   `json:"updated_at"`
	Secret       Secret      `json:"secret,omitzero"` // of a webhook; after CreateChannel and RotateSecret alone
}

// DeliveryStatus is how far a delivery is. The type is open.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending" // NextAttemptAt says when it is tried again
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryFailed    DeliveryStatus = "failed" // after 8 attempts
)

// Delivery is one event on its way over one channel.
type Delivery struct {
	ID            string            `json:"id"`
	ChannelID     string            `json:"channel_id"`
	WebhookID     string            `json:"webhook_id"` // as [Event.ID]: the same for each attempt and redelivery
	Event         EventType         `json:"event"`
	Status        DeliveryStatus    `json:"status"`
	Attempts      []DeliveryAttempt `json:"attempts"`        // the first one first
	NextAttemptAt time.Time         `json:"next_attempt_at"` // zero: no more
	CreatedAt     time.Time         `json:"created_at"`
}

// DeliveryAttempt is what came of one request.
type DeliveryAttempt struct {
	At         time.Time `json:"at"`
	StatusCode int       `json:"status_code"` // 0: no answer was had
	Error      string    `json:"error"`       // empty: it was delivered
	DurationMS int64     `json:"duration_ms"`
}
