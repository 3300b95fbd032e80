package main

import (
	"slices"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

type channelsView struct {
	Items  []*promptrails.Channel
	Pager  pager
	Events []promptrails.EventType
}

func (c *console) channels(v *visit) error {
	list, err := v.client.Notifications.ListChannels(v.Context(), &promptrails.ListChannelsParams{ListOptions: listOptions(v)})
	if err != nil {
		return err
	}
	return v.render("channels", "Notifications", &channelsView{list.Items, pages(v, v.path("notifications"), list), promptrails.EventTypes()})
}

func (v *visit) eventsOfForm() (events []promptrails.EventType) {
	for _, event := range v.PostForm["events"] {
		events = append(events, promptrails.EventType(event))
	}
	return events
}

func (c *console) createChannel(v *visit) (*next, error) {
	channel, err := v.client.Notifications.CreateChannel(v.Context(), &promptrails.CreateChannelParams{
		Name: v.PostFormValue("name"), Type: promptrails.ChannelType(v.PostFormValue("type")), URL: promptrails.NewSecret(strings.TrimSpace(v.PostFormValue("url"))),
		Events: v.eventsOfForm(),
	}, v.once())
	if err != nil {
		return nil, err
	}
	return v.withSecret(channel, "The channel "+channel.Name+" was created."), nil
}

// withSecret shows the signing secret of a webhook. Only the change that made it returns it.
func (v *visit) withSecret(channel *promptrails.Channel, message string) *next {
	n := then(v.path("notifications", channel.ID), message)
	if !channel.Secret.IsZero() {
		n.flash = flash{Message: message + " Its receiver verifies requests with this secret, which is not shown again.", SecretLabel: "Signing secret", Secret: channel.Secret.Reveal()}
	}
	return n
}

type channelView struct {
	*promptrails.Channel
	All        []promptrails.EventType
	Status     promptrails.DeliveryStatus
	Statuses   []promptrails.DeliveryStatus
	Deliveries []*promptrails.Delivery
	Pager      pager
}

// channel shows a channel and its deliveries.
func (c *console) channel(v *visit) (err error) {
	view := &channelView{All: promptrails.EventTypes(), Status: promptrails.DeliveryStatus(v.URL.Query().Get("status"))}
	view.Statuses = []promptrails.DeliveryStatus{promptrails.DeliveryPending, promptrails.DeliveryDelivered, promptrails.DeliveryFailed}
	if view.Channel, err = v.client.Notifications.GetChannel(v.Context(), v.PathValue("id")); err != nil {
		return err
	}
	list, err := v.client.Notifications.ListDeliveries(v.Context(), view.ID, &promptrails.ListDeliveriesParams{ListOptions: listOptions(v), Status: view.Status})
	if err != nil {
		return err
	}
	view.Deliveries, view.Pager = list.Items, pages(v, v.path("notifications", view.ID), list)
	return v.render("channel", view.Name, view)
}

// Sends reports whether the channel names an event.
func (c *channelView) Sends(event promptrails.EventType) bool {
	return slices.Contains(c.Events, event)
}

func (c *console) updateChannel(v *visit) (*next, error) {
	params := &promptrails.UpdateChannelParams{Name: new(v.PostFormValue("name")), Events: new(v.eventsOfForm()), IsActive: new(v.PostFormValue("active") != "")}
	if url := strings.TrimSpace(v.PostFormValue("url")); url != "" {
		params.URL = new(promptrails.NewSecret(url))
	}
	channel, err := v.client.Notifications.UpdateChannel(v.Context(), v.PathValue("id"), params, v.once(), v.version())
	if err != nil {
		return nil, err
	}
	return then(v.path("notifications", channel.ID), "The channel was changed."), nil
}

func (c *console) testChannel(v *visit) (*next, error) {
	if _, err := v.client.Notifications.TestChannel(v.Context(), v.PathValue("id"), v.once()); err != nil {
		return nil, err
	}
	return then(v.path("notifications", v.PathValue("id")), "A test was sent. Load the page again to see its result."), nil
}

func (c *console) rotateChannelSecret(v *visit) (*next, error) {
	channel, err := v.client.Notifications.RotateSecret(v.Context(), v.PathValue("id"), v.once())
	if err != nil {
		return nil, err
	}
	return v.withSecret(channel, "The secret was replaced. For 24 hours, requests are signed with both."), nil
}

func (c *console) deleteChannel(v *visit) (*next, error) {
	if err := v.client.Notifications.DeleteChannel(v.Context(), v.PathValue("id"), v.once()); err != nil {
		return nil, err
	}
	return then(v.path("notifications"), "The channel and its deliveries were deleted."), nil
}

func (c *console) redeliver(v *visit) (*next, error) {
	if _, err := v.client.Notifications.Redeliver(v.Context(), v.PathValue("delivery"), v.once()); err != nil {
		return nil, err
	}
	return then(v.path("notifications", v.PathValue("id")), "The event was sent again. Load the page again to see its result."), nil
}
