package promptrails

import (
	"context"
	"iter"
	"time"
)

// NotificationsService manages notification channels and their deliveries.
//
// Delivery is at least once. An event is sent again, with the same webhook-id,
// if the receiver responds too late or if the service stops between an attempt
// and recording its result. Receivers deduplicate by [Event.ID].
//
// The embedded service delivers webhooks according to the Standard Webhooks
// specification (https://www.standardwebhooks.com). A request has the headers
// webhook-id, webhook-timestamp and webhook-signature (HMAC-SHA256, with one
// signature for each secret during a rotation). It times out after 15 seconds
// and does not follow redirects. Only a 2xx status is success.
//
// A delivery is attempted 8 times, with pauses of 5 s, 30 s, 2 min, 15 min,
// 1 h, 4 h and 12 h. A longer Retry-After of a 429 or 503 replaces the pause, up
// to 12 h. A 410, or three days of failures, pauses the channel: PausedReason
// has the reason, and the changelog the time.
type NotificationsService struct{ client *Client }

var (
	opChannelsList        = operation{"Notifications.ListChannels", "GET", "/notification-channels", ScopeNotificationsRead, 0}
	opChannelsGet         = operation{"Notifications.GetChannel", "GET", "/notification-channels/{id}", ScopeNotificationsRead, 0}
	opChannelsCreate      = operation{"Notifications.CreateChannel", "POST", "/notification-channels", ScopeNotificationsWrite, 0}
	opChannelsUpdate      = operation{"Notifications.UpdateChannel", "PATCH", "/notification-channels/{id}", ScopeNotificationsWrite, 0}
	opChannelsDelete      = operation{"Notifications.DeleteChannel", "DELETE", "/notification-channels/{id}", ScopeNotificationsWrite, 0}
	opChannelsTest        = operation{"Notifications.TestChannel", "POST", "/notification-channels/{id}/test", ScopeNotificationsWrite, 0}
	opChannelsRotate      = operation{"Notifications.RotateSecret", "POST", "/notification-channels/{id}/rotate-secret", ScopeNotificationsWrite, 0}
	opDeliveriesList      = operation{"Notifications.ListDeliveries", "GET", "/notification-channels/{id}/deliveries", ScopeNotificationsRead, bySequence}
	opDeliveriesRedeliver = operation{"Notifications.Redeliver", "POST", "/notification-deliveries/{id}/redeliver", ScopeNotificationsWrite, 0}
)

// ListChannels returns one page of channels, newest first. It requires the
// notifications:read scope, or the admin role.
func (s *NotificationsService) ListChannels(ctx context.Context, params *ListChannelsParams, opts ...RequestOption) (*Page[Channel], error) {
	return list[Channel](ctx, s.client, call{op: opChannelsList, query: params, opts: opts})
}

// AllChannels returns an iterator over all channels, newest first. It requires
// the notifications:read scope, or the admin role.
func (s *NotificationsService) AllChannels(ctx context.Context, params *ListChannelsParams, opts ...RequestOption) iter.Seq2[*Channel, error] {
	return all[Channel](ctx, s.client, call{op: opChannelsList, opts: opts}, params)
}

// GetChannel returns a channel, without its secret and with only the scheme and
// host of its URL. It requires the notifications:read scope, or the admin role.
func (s *NotificationsService) GetChannel(ctx context.Context, id string, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsGet, ids: []string{id}, opts: opts})
}

// CreateChannel creates a channel. For a webhook, only this response and that
// of RotateSecret contain the signing Secret. It requires the
// notifications:write scope, or the admin role. A URL that is not https, or
// that resolves to a non-public address, is a [*ValidationError]. If the plan's
// channel limit is reached, CreateChannel returns a [*QuotaError]. A Slack
// channel requires the pro plan or a higher one; otherwise CreateChannel
// returns a [*FeatureError].
func (s *NotificationsService) CreateChannel(ctx context.Context, params *CreateChannelParams, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsCreate, body: required(params), opts: opts})
}

// UpdateChannel changes a channel. It requires the notifications:write scope,
// or the admin role. Events that occur while a channel is inactive are never
// sent. Pending deliveries resume when the channel is active again.
// UpdateChannel returns the same errors as CreateChannel.
func (s *NotificationsService) UpdateChannel(ctx context.Context, id string, params *UpdateChannelParams, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsUpdate, ids: []string{id}, body: required(params), opts: opts})
}

// DeleteChannel deletes a channel and its deliveries. It requires the
// notifications:write scope, or the admin role.
func (s *NotificationsService) DeleteChannel(ctx context.Context, id string, opts ...RequestOption) error {
	return none(ctx, s.client, call{op: opChannelsDelete, ids: []string{id}, opts: opts})
}

// TestChannel sends [EventChannelTest] to a channel, even if its Events do not
// include it, and returns the pending delivery. It requires the
// notifications:write scope, or the admin role. If the channel is inactive,
// TestChannel returns [ErrConflict].
func (s *NotificationsService) TestChannel(ctx context.Context, id string, opts ...RequestOption) (*Delivery, error) {
	return one[Delivery](ctx, s.client, call{op: opChannelsTest, ids: []string{id}, opts: opts})
}

// RotateSecret generates a new Secret for a webhook. Only this response
// contains it. For 24 hours, deliveries are signed with both the old and the
// new secret, so that no delivery is lost while the receiver is updated. It
// requires the notifications:write scope, or the admin role. A Slack channel
// has no secret: RotateSecret returns [ErrConflict].
func (s *NotificationsService) RotateSecret(ctx context.Context, id string, opts ...RequestOption) (*Channel, error) {
	return one[Channel](ctx, s.client, call{op: opChannelsRotate, ids: []string{id}, opts: opts})
}

// ListDeliveries returns one page of a channel's deliveries of the last 30
// days, newest first. It requires the notifications:read scope, or the admin
// role.
func (s *NotificationsService) ListDeliveries(ctx context.Context, channelID string, params *ListDeliveriesParams, opts ...RequestOption) (*Page[Delivery], error) {
	return list[Delivery](ctx, s.client, call{op: opDeliveriesList, ids: []string{channelID}, query: params, opts: opts})
}

// AllDeliveries returns an iterator over a channel's deliveries of the last 30
// days, newest first. It requires the notifications:read scope, or the admin
// role.
func (s *NotificationsService) AllDeliveries(ctx context.Context, channelID string, params *ListDeliveriesParams, opts ...RequestOption) iter.Seq2[*Delivery, error] {
	return all[Delivery](ctx, s.client, call{op: opDeliveriesList, ids: []string{channelID}, opts: opts}, params)
}

// Redeliver sends a delivered or failed delivery again, as a new delivery with
// the same WebhookID. It requires the notifications:write scope, or the admin
// role. If the delivery is pending or its channel is inactive, Redeliver
// returns [ErrConflict].
func (s *NotificationsService) Redeliver(ctx context.Context, deliveryID string, opts ...RequestOption) (*Delivery, error) {
	return one[Delivery](ctx, s.client, call{op: opDeliveriesRedeliver, ids: []string{deliveryID}, opts: opts})
}

// ListChannelsParams filters a list of channels.
type ListChannelsParams struct {
	ListOptions
	Type ChannelType `url:"type,omitempty"`
}

// CreateChannelParams describes a new channel.
type CreateChannelParams struct {
	Name     string      `json:"name"` // 1 to 100 characters
	Type     ChannelType `json:"type"`
	URL      Secret      `json:"url"`                // https, at most 2048 bytes
	Events   []EventType `json:"events,omitzero"`    // empty: all events
	IsActive *bool       `json:"is_active,omitzero"` // default true
}

// UpdateChannelParams changes a channel. Nil fields are unchanged. The type
// cannot be changed.
type UpdateChannelParams struct {
	Name     *string      `json:"name,omitzero"`
	URL      *Secret      `json:"url,omitzero"`
	Events   *[]EventType `json:"events,omitzero"` // a pointer to an empty list: all events
	IsActive *bool        `json:"is_active,omitzero"`
}

// ListDeliveriesParams filters a list of deliveries. Pages are addressed by
// cursor, not by number.
type ListDeliveriesParams struct {
	ListOptions
	Status DeliveryStatus `url:"status,omitempty"`
}

// ChannelType is the type of a channel. Servers may return other values.
type ChannelType string

// The types of channels.
const (
	ChannelSlack   ChannelType = "slack"   // a message to a Slack incoming webhook
	ChannelWebhook ChannelType = "webhook" // a signed request; see [ParseWebhook]
)

// Channel is a destination of a workspace's notifications.
type Channel struct {
	ID           string      `json:"id"`
	WorkspaceID  string      `json:"workspace_id"`
	Name         string      `json:"name"`
	Type         ChannelType `json:"type"`
	URL          string      `json:"url"`    // scheme and host only, because the rest is secret
	Events       []EventType `json:"events"` // empty: all events
	IsActive     bool        `json:"is_active"`
	PausedReason string      `json:"paused_reason"` // why the service paused the channel; empty if a user did
	Version      int64       `json:"version"`       // incremented by each change; see [WithIfMatch]
	CreatedAt    time.Time   `json:"created_at"`
	UpdatedAt    time.Time   `json:"updated_at"`
	Secret       Secret      `json:"secret,omitzero"` // of a webhook; returned by CreateChannel and RotateSecret only
}

// DeliveryStatus is the state of a delivery. Servers may return other values.
type DeliveryStatus string

// The states of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending" // the next attempt is at NextAttemptAt
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryFailed    DeliveryStatus = "failed" // after 8 attempts
)

// Delivery is the delivery of one event to one channel.
type Delivery struct {
	ID            string            `json:"id"`
	ChannelID     string            `json:"channel_id"`
	WebhookID     string            `json:"webhook_id"` // the [Event.ID], which all attempts and redeliveries share
	Event         EventType         `json:"event"`
	Status        DeliveryStatus    `json:"status"`
	Attempts      []DeliveryAttempt `json:"attempts"`        // oldest first
	NextAttemptAt time.Time         `json:"next_attempt_at"` // zero: no further attempt
	CreatedAt     time.Time         `json:"created_at"`
}

// DeliveryAttempt is the result of one request.
type DeliveryAttempt struct {
	At         time.Time `json:"at"`
	StatusCode int       `json:"status_code"` // 0: no response
	Error      string    `json:"error"`       // empty: delivered
	DurationMS int64     `json:"duration_ms"`
}
