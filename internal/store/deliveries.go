package store

import (
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Delivery is a delivery with its request body and its sequence in the list.
type Delivery struct {
	promptrails.Delivery
	Sequence int64
	Body     []byte
}

const deliveryRows scoped = "FROM notification_deliveries d WHERE d.workspace_id = $1"

var deliveryColumns = scoped(deliveryRow(new(Delivery)).names("d"))

func deliveryRow(d *Delivery) row {
	return row{
		{"sequence", &d.Sequence, onceSet},
		{"id", &d.ID, onceSet},
		{"channel_id", &d.ChannelID, onceSet},
		{"webhook_id", &d.WebhookID, onceSet},
		{"event", &d.Event, onceSet},
		{"body", text{&d.Body}, onceSet},
		{"status", &d.Status, everywhere},
		{"attempts", document{&d.Attempts}, everywhere},
		{"next_attempt_at", stamp{&d.NextAttemptAt}, everywhere},
		{"created_at", stamp{&d.CreatedAt}, onceSet},
	}
}

// Deliveries returns a page of the deliveries of a channel, newest first.
func (t *Tx) Deliveries(channelID, status string, p Paging) (page []*Delivery, err error) {
	f := filter{base: 2}
	f.equal("d.status", status)
	from, _, err := t.pageOf(&list{rows: string(deliveryRows + " AND d.channel_id = $2"), args: []any{channelID}, at: "d.sequence"}, &f, p)
	if err != nil {
		return nil, err
	}
	query := "SELECT " + deliveryColumns + " " + from
	err = t.rows(query, append([]any{channelID}, f.args...), func(r scanner) error {
		d := new(Delivery)
		page = append(page, d)
		return r.Scan(deliveryRow(d).into()...)
	})
	return page, err
}

// Delivery returns the delivery with that id.
func (t *Tx) Delivery(id string) (*Delivery, error) {
	d := new(Delivery)
	return d, t.row("SELECT "+deliveryColumns+" "+deliveryRows+" AND d.id = $2", []any{id}, deliveryRow(d).into()...)
}

// NextDelivery returns the delivery of a channel that has been due the longest.
// It returns ErrNotFound if no delivery is due.
func (t *Tx) NextDelivery(channelID string, now time.Time) (*Delivery, error) {
	d := new(Delivery)
	return d, t.row("SELECT "+deliveryColumns+" "+deliveryRows+" AND d.channel_id = $2 AND d.next_attempt_at > 0 AND d.next_attempt_at <= $3 ORDER BY d.next_attempt_at, d.sequence LIMIT 1",
		[]any{channelID, micros(now)}, deliveryRow(d).into()...)
}

// CreateDelivery adds a delivery, sets its Sequence and schedules its channel.
func (t *Tx) CreateDelivery(d *Delivery) error {
	if err := t.row("UPDATE workspaces SET delivery_sequence = delivery_sequence + 1 WHERE id = $1 RETURNING delivery_sequence", nil, &d.Sequence); err != nil {
		return err
	}
	err := t.insert("notification_deliveries", deliveryRow(d))
	if err != nil {
		return err
	}
	return t.Schedule(d.ChannelID)
}

// UpdateDelivery stores the result of an attempt and schedules the channel.
func (t *Tx) UpdateDelivery(d *Delivery) error {
	err := t.update("notification_deliveries", d.ID, deliveryRow(d))
	if err != nil {
		return err
	}
	return t.Schedule(d.ChannelID)
}
