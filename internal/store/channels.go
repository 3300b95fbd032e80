package store

import (
	"database/sql"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/wire"
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

const (
	channelColumns = `c.id, c.workspace_id, c.name, c.type, c.url, c.shown_url, c.events, c.is_active, c.paused_reason, c.secret, c.previous_secret,
	c.previous_ends_at, c.failing_since, c.version, c.created_at, c.updated_at`
	channelRows   scoped = "FROM notification_channels c WHERE c.workspace_id = $1"
	countChannels        = "notification_channels"
)

func channelFields(c *Channel) []any {
	return []any{
		&c.ID, &c.WorkspaceID, &c.Name, &c.Type, &c.SealedURL, &c.URL,
		document{&c.Events},
		&c.IsActive, &c.PausedReason, &c.SealedSecret, &c.PreviousSecret,
		stamp{&c.PreviousEndsAt},
		stamp{&c.FailingSince},
		&c.Version,
		stamp{&c.CreatedAt},
		stamp{&c.UpdatedAt},
	}
}

// Channels returns a page of the channels and the number of matching channels.
// The number is 0 if p has a cursor.
func (t *Tx) Channels(kind string, p Paging) (page []*Channel, total int, err error) {
	f := filter{base: 1}
	f.andText("c.type = ?", kind)
	if total, err = t.total(countChannels, channelRows, &f, p); err != nil {
		return nil, 0, err
	}
	page, err = t.channels(scoped(f.page(p, "c.created_at", "c.id")), f.args)
	return page, total, err
}

// ActiveChannels returns all active channels, oldest first.
func (t *Tx) ActiveChannels() ([]*Channel, error) {
	return t.channels(" AND c.is_active = 1 ORDER BY c.created_at, c.id", nil)
}

func (t *Tx) channels(rest scoped, args []any) (found []*Channel, err error) {
	err = t.rows("SELECT "+channelColumns+" "+channelRows+rest, args, func(r *sql.Rows) error {
		c := new(Channel)
		found = append(found, c)
		return r.Scan(channelFields(c)...)
	})
	return found, err
}

// Channel returns the channel with that id.
func (t *Tx) Channel(id string) (*Channel, error) {
	c := new(Channel)
	return c, t.row("SELECT "+channelColumns+" "+channelRows+" AND c.id = $2", []any{id}, channelFields(c)...)
}

// CountChannels returns the number of channels.
func (t *Tx) CountChannels() (int, error) { return t.counted(countChannels) }

// CreateChannel adds a channel.
func (t *Tx) CreateChannel(c *Channel) error {
	events, err := wire.Encode(c.Events)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO notification_channels (workspace_id, id, name, type, url, shown_url, events, is_active, paused_reason, secret, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		c.ID, c.Name, string(c.Type), c.SealedURL, c.URL, string(events), flag(c.IsActive), c.PausedReason, c.SealedSecret,
		c.Version, micros(c.CreatedAt), micros(c.UpdatedAt))
	if err != nil {
		return err
	}
	return t.count(countChannels, 1)
}

// UpdateChannel stores the mutable fields of a channel and schedules it.
func (t *Tx) UpdateChannel(c *Channel) error {
	events, err := wire.Encode(c.Events)
	if err != nil {
		return err
	}
	err = affected(t.exec(`UPDATE notification_channels SET name = $3, url = $4, shown_url = $5, events = $6, is_active = $7, paused_reason = $8, secret = $9,
		previous_secret = $10, previous_ends_at = $11, failing_since = $12, version = $13, updated_at = $14 WHERE workspace_id = $1 AND id = $2`,
		c.ID, c.Name, c.SealedURL, c.URL, string(events), flag(c.IsActive), c.PausedReason, c.SealedSecret,
		c.PreviousSecret, micros(c.PreviousEndsAt), micros(c.FailingSince), c.Version, micros(c.UpdatedAt)))
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

// Schedule sets the time of a channel's next attempt: that of its earliest
// pending delivery, or never if the channel is not active.
func (t *Tx) Schedule(id string) error {
	return affected(t.exec(`UPDATE notification_channels SET next_attempt_at = CASE is_active WHEN 1 THEN coalesce((SELECT min(d.next_attempt_at)
		FROM notification_deliveries d WHERE d.workspace_id = $1 AND d.channel_id = $2 AND d.next_attempt_at > 0), 0) ELSE 0 END
		WHERE workspace_id = $1 AND id = $2`, id))
}
