package store

import (
	"database/sql"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Delivery is a delivery with its request body and its sequence in the list.
type Delivery struct {
	promptrails.Delivery
	Sequence int64
	Body     []byte
}

const (
	deliveryColumns        = "d.sequence, d.id, d.channel_id, d.webhook_id, d.event, d.body, d.status, d.attempts, d.next_attempt_at, d.created_at"
	deliveryRows    scoped = "FROM notification_deliveries d WHERE d.workspace_id = $1"
)

func deliveryFields(d *Delivery) []any {
	return []any{
		&d.Sequence, &d.ID, &d.ChannelID, &d.WebhookID, &d.Event, &d.Body, &d.Status,
		document{&d.Attempts},
		stamp{&d.NextAttemptAt},
		stamp{&d.CreatedAt},
	}
}

// Deliveries returns a page of the deliveries of a channel, newest first.
func (t *Tx) Deliveries(channelID, status string, p Paging) (page []*Delivery, err error) {
	f := filter{base: 2}
	f.andText("d.status = ?", status)
	if p.After != nil {
		f.and("d.sequence < ?", p.After.At)
	}
	query := "SELECT " + deliveryColumns + " " + deliveryRows + " AND d.channel_id = $2" + scoped(f.sql.String()+" ORDER BY d.sequence DESC"+f.limit(p))
	err = t.rows(query, append([]any{channelID}, f.args...), func(r *sql.Rows) error {
		d := new(Delivery)
		page = append(page, d)
		return r.Scan(deliveryFields(d)...)
	})
	return page, err
}

// Delivery returns the delivery with that id.
func (t *Tx) Delivery(id string) (*Delivery, error) {
	d := new(Delivery)
	return d, t.row("SELECT "+deliveryColumns+" "+deliveryRows+" AND d.id = $2", []any{id}, deliveryFields(d)...)
}

// NextDelivery returns the delivery of a channel that has been due the longest.
// It returns ErrNotFound if no delivery is due.
func (t *Tx) NextDelivery(channelID string, now time.Time) (*Delivery, error) {
	d := new(Delivery)
	return d, t.row("SELECT "+deliveryColumns+" "+deliveryRows+" AND d.channel_id = $2 AND d.next_attempt_at > 0 AND d.next_attempt_at <= $3 ORDER BY d.next_attempt_at, d.sequence LIMIT 1",
		[]any{channelID, micros(now)}, deliveryFields(d)...)
}

// CreateDelivery adds a delivery, sets its Sequence and schedules its channel.
func (t *Tx) CreateDelivery(d *Delivery) error {
	if err := t.row("UPDATE workspaces SET delivery_sequence = delivery_sequence + 1 WHERE id = $1 RETURNING delivery_sequence", nil, &d.Sequence); err != nil {
		return err
	}
	attempts, err := wire.Encode(d.Attempts)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO notification_deliveries (workspace_id, sequence, id, channel_id, webhook_id, event, body, status, attempts, next_attempt_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		d.Sequence, d.ID, d.ChannelID, d.WebhookID, string(d.Event), string(d.Body), string(d.Status), string(attempts), micros(d.NextAttemptAt), micros(d.CreatedAt))
	if err != nil {
		return err
	}
	return t.Schedule(d.ChannelID)
}

// UpdateDelivery stores the result of an attempt and schedules the channel.
func (t *Tx) UpdateDelivery(d *Delivery) error {
	attempts, err := wire.Encode(d.Attempts)
	if err != nil {
		return err
	}
	err = affected(t.exec("UPDATE notification_deliveries SET status = $3, attempts = $4, next_attempt_at = $5 WHERE workspace_id = $1 AND id = $2",
		d.ID, string(d.Status), string(attempts), micros(d.NextAttemptAt)))
	if err != nil {
		return err
	}
	return t.Schedule(d.ChannelID)
}
