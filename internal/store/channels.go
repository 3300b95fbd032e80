package store

import (
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Channel is a channel with the fields that are not shown.
type Channel struct {
	promptrails.Channel
	SealedURL      []byte
	SealedSecret   []byte // nil: messages are not signed
	PreviousSecret []byte // sealed; nil if there is no previous secret
	PreviousEndsAt time.Time
	FailingSince   time.Time // zero: the last attempt did not fail
}

const channelRows scoped = "FROM notification_channels c WHERE c.workspace_id = $1"

const countChannels = "notification_channels"

var channelColumns = scoped(channelRow(new(Channel)).names("c"))

func channelRow(c *Channel) row {
	return row{
		{"id", &c.ID, onceSet},
		{"workspace_id", &c.WorkspaceID, onlyRead},
		{"name", &c.Name, everywhere},
		{"type", &c.Type, onceSet},
		{"url", &c.SealedURL, everywhere},
		{"shown_url", &c.URL, everywhere},
		{"events", document{&c.Events}, everywhere},
		{"is_active", switched[bool]{&c.IsActive}, everywhere},
		{"paused_reason", &c.PausedReason, everywhere},
		{"secret", &c.SealedSecret, everywhere},
		{"previous_secret", &c.PreviousSecret, everywhere},
		{"previous_ends_at", stamp{&c.PreviousEndsAt}, everywhere},
		{"failing_since", stamp{&c.FailingSince}, everywhere},
		{"version", &c.Version, everywhere},
		{"created_at", stamp{&c.CreatedAt}, onceSet},
		{"updated_at", stamp{&c.UpdatedAt}, everywhere},
	}
}

// Channels returns a page of the channels and the number of matching channels.
// The number is 0 if p has a cursor.
func (t *Tx) Channels(kind string, p Paging) (page []*Channel, total int, err error) {
	f := filter{base: 1}
	f.scanEqual("c.type", kind) // a workspace has few channels
	from, total, err := t.pageOf(&list{rows: string(channelRows), at: "c.created_at", id: "c.id", total: t.total(countChannels)}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	page, err = t.channels(from, f.args)
	return page, total, err
}

// ActiveChannels returns all active channels, oldest first.
func (t *Tx) ActiveChannels() ([]*Channel, error) {
	return t.channels(channelRows+" AND c.is_active = 1 ORDER BY c.created_at, c.id", nil)
}

func (t *Tx) channels(from scoped, args []any) (found []*Channel, err error) {
	err = t.rows("SELECT "+channelColumns+" "+from, args, func(r scanner) error {
		c := new(Channel)
		found = append(found, c)
		return r.Scan(channelRow(c).into()...)
	})
	return found, err
}

// Channel returns the channel with that id.
func (t *Tx) Channel(id string) (*Channel, error) {
	c := new(Channel)
	return c, t.row("SELECT "+channelColumns+" "+channelRows+" AND c.id = $2", []any{id}, channelRow(c).into()...)
}

// CountChannels returns the number of channels.
func (t *Tx) CountChannels() (int, error) { return t.counted(countChannels) }

// CreateChannel adds a channel.
func (t *Tx) CreateChannel(c *Channel) error {
	err := t.insert("notification_channels", channelRow(c))
	if err != nil {
		return err
	}
	return t.count(countChannels, 1)
}

// UpdateChannel stores the mutable fields of a channel and schedules it.
func (t *Tx) UpdateChannel(c *Channel) error {
	err := t.update("notification_channels", c.ID, channelRow(c))
	if err != nil {
		return err
	}
	return t.Schedule(c.ID)
}

// DeleteChannel deletes a channel and its deliveries.
func (t *Tx) DeleteChannel(id string) error {
	if err := affected(t.exec("DELETE FROM notification_channels WHERE workspace_id = $1 AND id = $2", id)); err != nil {
		return err
	}
	return t.count(countChannels, -1)
}

// Claim claims a channel for the sender of its next delivery until a time. It reports
// false if no attempt is due at now, or if another sender has claimed the channel.
func (t *Tx) Claim(id, sender string, now, until time.Time) (bool, error) {
	n, err := t.exec(`UPDATE notification_channels SET claim_token = $3, claimed_until = $5
		WHERE workspace_id = $1 AND id = $2 AND next_attempt_at > 0 AND next_attempt_at <= $4 AND claimed_until <= $4`, id, sender, micros(now), micros(until))
	return n > 0, err
}

// Release clears the claim of a sender. It reports false if the sender has lost it.
func (t *Tx) Release(id, sender string) (bool, error) {
	n, err := t.exec("UPDATE notification_channels SET claim_token = '', claimed_until = 0 WHERE workspace_id = $1 AND id = $2 AND claim_token = $3", id, sender)
	return n > 0, err
}

// Schedule sets the time of a channel's next attempt: that of its earliest
// pending delivery, or never if the channel is not active.
func (t *Tx) Schedule(id string) error {
	return affected(t.exec(`UPDATE notification_channels SET next_attempt_at = CASE is_active WHEN 1 THEN coalesce((SELECT min(d.next_attempt_at)
		FROM notification_deliveries d WHERE d.workspace_id = $1 AND d.channel_id = $2 AND d.next_attempt_at > 0), 0) ELSE 0 END
		WHERE workspace_id = $1 AND id = $2`, id))
}
