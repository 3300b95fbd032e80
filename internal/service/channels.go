package service

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/notify"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// secretOverlap is the time for which messages are also signed with the previous
// secret.
const secretOverlap = 24 * time.Hour

// Channels returns a page of the channels.
func (x *Session) Channels(p *promptrails.ListChannelsParams) (*Page[*promptrails.Channel], error) {
	if fault := channelTypeFault(p.Type); p.Type != "" && fault != "" {
		return nil, invalid("type", fault)
	}
	l, err := newListing("notification-channels", x.workspaceID(), p.ListOptions, string(p.Type))
	if err != nil {
		return nil, err
	}
	rows, total, err := x.tx.Channels(string(p.Type), l.store)
	if err != nil {
		return nil, err
	}
	shown := make([]*promptrails.Channel, len(rows))
	for i, c := range rows {
		shown[i] = &c.Channel
	}
	return finish(l, shown, total, func(c *promptrails.Channel) store.Position {
		return store.Position{At: c.CreatedAt.UnixMicro(), ID: c.ID}
	}), nil
}

// Channel returns the channel with that id.
func (x *Session) Channel(id string) (*promptrails.Channel, error) {
	c, err := x.channel(id)
	if err != nil {
		return nil, err
	}
	return &c.Channel, nil
}

func (x *Session) channel(id string) (*store.Channel, error) {
	c, err := x.tx.Channel(id)
	return c, orNotFound(err, "notification channel")
}

func channelTypeFault(t promptrails.ChannelType) string {
	if t != promptrails.ChannelSlack && t != promptrails.ChannelWebhook {
		return "must be slack or webhook"
	}
	return ""
}

func eventsFault(events []promptrails.EventType) string {
	for i, e := range events {
		if !slices.Contains(promptrails.EventTypes(), e) {
			return fmt.Sprintf("contains an unknown event; the events are %v", promptrails.EventTypes())
		}
		if slices.Contains(events[:i], e) {
			return "contains an event twice"
		}
	}
	return ""
}

// ChannelURLFault resolves the host of a channel's URL and returns an error if an
// address is not public. It authorizes the caller before the look-up, and does
// the look-up outside of a transaction.
func (s *Service) ChannelURLFault(ctx context.Context, r *Request, url promptrails.Secret) error {
	if url.IsZero() || s.Guard.URLFault(url.Reveal()) != "" {
		return nil // reported later, with the other invalid fields
	}
	if err := s.Read(ctx, r, func(*Session) error { return nil }); err != nil {
		return err
	}
	if fault := s.Guard.NameFault(ctx, url.Reveal()); fault != "" {
		return invalid("url", fault)
	}
	return nil
}

// CreateChannel creates a channel. The response to a webhook channel contains the
// secret.
func (x *Session) CreateChannel(p *promptrails.CreateChannelParams) (*promptrails.Channel, error) {
	name := strings.TrimSpace(p.Name)
	bad := faults{}
	bad.add("name", nameFault(name))
	bad.add("type", channelTypeFault(p.Type))
	bad.add("url", x.service.Guard.URLFault(p.URL.Reveal()))
	bad.add("events", eventsFault(p.Events))
	if err := bad.err(); err != nil {
		return nil, err
	}
	if err := x.needChannel(p.Type); err != nil {
		return nil, err
	}
	used, err := x.tx.CountChannels()
	if err != nil {
		return nil, err
	}
	if err := x.takePlace(promptrails.LimitNotificationChannels, int64(used), "notification channels; delete one or change the plan"); err != nil {
		return nil, err
	}
	c := &store.Channel{Channel: promptrails.Channel{
		ID: x.newID(), WorkspaceID: x.workspaceID(), Name: name, Type: p.Type, URL: notify.Show(p.URL.Reveal()), Events: listed(p.Events),
		IsActive: p.IsActive == nil || *p.IsActive, Version: 1, CreatedAt: x.now, UpdatedAt: x.now,
	}}
	c.SealedURL = x.seal(c, "url", p.URL.Reveal())
	var secret promptrails.Secret
	if c.Type == promptrails.ChannelWebhook {
		secret = x.newChannelSecret(c)
	}
	if err := x.tx.CreateChannel(c); err != nil {
		return nil, err
	}
	shown := c.Channel
	shown.Secret = secret
	return &shown, x.record(x.tx, promptrails.ActionCreated, channelRef(c), nil, channelFields(c))
}

// listed returns a copy of events that is not nil.
func listed(events []promptrails.EventType) []promptrails.EventType {
	return append([]promptrails.EventType{}, events...)
}

// needChannel returns an error if the plan does not include a type of channel.
func (x *Session) needChannel(t promptrails.ChannelType) error {
	if t == promptrails.ChannelSlack {
		return x.needFeature(promptrails.FeatureSlack)
	}
	return nil
}

// newChannelSecret sets a new secret for a webhook and returns it.
func (x *Session) newChannelSecret(c *store.Channel) promptrails.Secret {
	secret := newSigningSecret()
	c.SealedSecret = x.seal(c, "secret", secret)
	return promptrails.NewSecret(secret)
}

// newSigningSecret returns a secret of 256 random bits for signatures.
func newSigningSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return notify.NewSecret(random[:])
}

// UpdateChannel changes a channel.
func (x *Session) UpdateChannel(id string, p *UpdateChannelBody) (*promptrails.Channel, error) {
	bad := faults{}
	if p.Name != nil {
		*p.Name = strings.TrimSpace(*p.Name)
		bad.add("name", nameFault(*p.Name))
	}
	if p.URL != nil {
		bad.add("url", x.service.Guard.URLFault(p.URL.Reveal()))
	}
	bad.add("events", eventsFault(p.Events.Value))
	if err := bad.err(); err != nil {
		return nil, err
	}
	c, err := x.channel(id)
	if err != nil {
		return nil, err
	}
	before := channelFields(c)
	if p.IsActive != nil && *p.IsActive && !c.IsActive {
		if err := x.needChannel(c.Type); err != nil {
			return nil, err
		}
		c.PausedReason, c.FailingSince = "", time.Time{}
	}
	set(&c.Name, p.Name)
	if p.Events.Given {
		c.Events = listed(p.Events.Value)
	}
	set(&c.IsActive, p.IsActive)
	if p.URL != nil {
		old, err := x.open(c, "url", c.SealedURL)
		if err != nil {
			return nil, err
		}
		if old != p.URL.Reveal() {
			c.SealedURL, c.URL = x.seal(c, "url", p.URL.Reveal()), notify.Show(p.URL.Reveal())
		}
	}
	if err := x.match(c.Version); err != nil {
		return nil, err
	}
	return &c.Channel, x.changeChannel(c, before)
}

// changeChannel stores a channel if it differs from before.
func (x *Session) changeChannel(c *store.Channel, before map[string]any) error {
	after := channelFields(c)
	if changes, err := changelog.Diff(before, after); err != nil || changes == nil {
		return err
	}
	c.Version++
	c.UpdatedAt = x.now
	x.notified = true // pending deliveries may be due now
	if err := x.tx.UpdateChannel(c); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionUpdated, channelRef(c), before, after)
}

// pauseChannel deactivates a channel and records the reason.
func (x *Session) pauseChannel(c *store.Channel, reason string) error {
	before := channelFields(c)
	c.IsActive, c.PausedReason = false, reason
	return x.changeChannel(c, before)
}

// pauseSlack pauses the Slack channels if the plan does not include them.
func (x *Session) pauseSlack(plan promptrails.PlanID) error {
	if policy.HasFeature(string(plan), string(promptrails.FeatureSlack)) {
		return nil
	}
	channels, err := x.tx.ActiveChannels()
	if err != nil {
		return err
	}
	for _, c := range channels {
		if c.Type != promptrails.ChannelSlack {
			continue
		}
		if err := x.pauseChannel(c, fmt.Sprintf("the plan %s does not include Slack channels", plan)); err != nil {
			return err
		}
	}
	return nil
}

// RotateChannelSecret creates a new secret for a webhook and returns the channel
// with it. Messages are signed with both secrets for 24 hours.
func (x *Session) RotateChannelSecret(id string) (*promptrails.Channel, error) {
	c, err := x.channel(id)
	if err != nil {
		return nil, err
	}
	if c.Type != promptrails.ChannelWebhook {
		return nil, conflict(promptrails.CodeInvalidState, "a channel of the type %s has no secret", c.Type).With(map[string]any{"status": c.Type})
	}
	before := channelFields(c)
	old, err := x.open(c, "secret", c.SealedSecret)
	if err != nil {
		return nil, err
	}
	c.PreviousSecret, c.PreviousEndsAt = x.seal(c, "previous_secret", old), x.now.Add(secretOverlap)
	secret := x.newChannelSecret(c)
	if err := x.changeChannel(c, before); err != nil {
		return nil, err
	}
	shown := c.Channel
	shown.Secret = secret
	return &shown, nil
}

// DeleteChannel deletes a channel and its deliveries.
func (x *Session) DeleteChannel(id string) error {
	c, err := x.channel(id)
	if err != nil {
		return err
	}
	if err := x.match(c.Version); err != nil {
		return err
	}
	if err := x.tx.DeleteChannel(id); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionDeleted, channelRef(c), channelFields(c), nil)
}

// channelPlace returns the additional data of a channel's sealed value.
func channelPlace(c *store.Channel, column string) seal.Place {
	return seal.Place{Workspace: c.WorkspaceID, Table: "notification_channels", Column: column, Row: c.ID}
}

func (x *Session) seal(c *store.Channel, column, text string) []byte {
	return x.service.Ring.Seal(channelPlace(c, column), []byte(text))
}

func (x *Session) open(c *store.Channel, column string, sealed []byte) (string, error) {
	text, err := x.service.Ring.Open(channelPlace(c, column), sealed)
	return string(text), err
}

func channelRef(c *store.Channel) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceNotificationChannel), ID: c.ID, Name: c.Name}
}

// channelFields returns the fields of a channel in the changelog. Of the URL it
// shows the scheme and host, of the secret only whether it changed.
func channelFields(c *store.Channel) map[string]any {
	return map[string]any{
		"name": c.Name, "type": c.Type, "events": c.Events, "is_active": c.IsActive, "paused_reason": c.PausedReason,
		"url":    changelog.Secret{Mark: hex.EncodeToString(c.SealedURL), Shown: c.URL},
		"secret": changelog.Secret{Mark: hex.EncodeToString(c.SealedSecret)},
	}
}
