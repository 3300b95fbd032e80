package service

import (
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// notify adds a delivery to each active channel that subscribes to an event. It
// runs in the transaction of the change, so that both are committed or neither.
func (x *Session) notify(tx *store.Tx, event promptrails.EventType, data any) error {
	channels, err := tx.ActiveChannels()
	if err != nil {
		return err
	}
	for _, c := range channels {
		if len(c.Events) == 0 || slices.Contains(c.Events, event) {
			if _, err := x.enqueue(tx, c, event, data); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *Session) enqueue(tx *store.Tx, c *store.Channel, event promptrails.EventType, data any) (*promptrails.Delivery, error) {
	body, err := wire.Encode(&promptrails.Event{Type: event, Timestamp: x.now, WorkspaceID: c.WorkspaceID, Data: data})
	if err != nil {
		return nil, err
	}
	id := x.newID()
	return x.send(tx, &store.Delivery{Delivery: promptrails.Delivery{ID: id, WebhookID: id, ChannelID: c.ID, Event: event}, Body: body})
}

// send adds a delivery that is due immediately.
func (x *Session) send(tx *store.Tx, d *store.Delivery) (*promptrails.Delivery, error) {
	d.Status, d.Attempts, d.NextAttemptAt, d.CreatedAt = promptrails.DeliveryPending, []promptrails.DeliveryAttempt{}, x.now, x.now
	x.notified = true
	return &d.Delivery, tx.CreateDelivery(d)
}

// TestChannel sends a test event to an active channel, even if the channel does
// not subscribe to it.
func (x *Session) TestChannel(id string) (*promptrails.Delivery, error) {
	c, err := x.activeChannel(id)
	if err != nil {
		return nil, err
	}
	return x.enqueue(x.tx, c, promptrails.EventChannelTest, &promptrails.ChannelTestEvent{ChannelID: c.ID, ChannelName: c.Name})
}

func (x *Session) activeChannel(id string) (*store.Channel, error) {
	c, err := x.channel(id)
	if err != nil {
		return nil, err
	}
	if !c.IsActive {
		return nil, conflict(promptrails.CodeInvalidState, "nothing is sent over a channel that is not active; set is_active first").With(map[string]any{"status": "paused"})
	}
	return c, nil
}

// Redeliver sends a delivered or failed delivery again, as a new delivery with
// the same webhook id.
func (x *Session) Redeliver(id string) (*promptrails.Delivery, error) {
	d, err := x.tx.Delivery(id)
	if err != nil {
		return nil, orNotFound(err, "delivery")
	}
	if d.Status == promptrails.DeliveryPending {
		return nil, conflict(promptrails.CodeInvalidState, "the delivery is still being tried; next_attempt_at says when").With(map[string]any{"status": d.Status})
	}
	if _, err := x.activeChannel(d.ChannelID); err != nil {
		return nil, err
	}
	d.ID = x.newID()
	return x.send(x.tx, d)
}

// Deliveries returns a page of the deliveries of a channel.
func (x *Session) Deliveries(channelID string, p *promptrails.ListDeliveriesParams) (*Page[*promptrails.Delivery], error) {
	switch p.Status {
	case "", promptrails.DeliveryPending, promptrails.DeliveryDelivered, promptrails.DeliveryFailed:
	default:
		return nil, invalid("status", "must be pending, delivered or failed")
	}
	l, err := newSequence("deliveries", x.workspaceID(), p.ListOptions, channelID, string(p.Status))
	if err != nil {
		return nil, err
	}
	if _, err := x.channel(channelID); err != nil {
		return nil, err
	}
	rows, err := x.tx.Deliveries(channelID, string(p.Status), l.store)
	if err != nil {
		return nil, err
	}
	page := finish(l, rows, 0, func(d *store.Delivery) store.Position { return store.Position{At: d.Sequence} })
	shown := make([]*promptrails.Delivery, len(page.Data))
	for i, d := range page.Data {
		shown[i] = &d.Delivery
	}
	return &Page[*promptrails.Delivery]{Data: shown, Meta: page.Meta}, nil
}
