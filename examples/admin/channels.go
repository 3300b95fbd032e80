package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var channelColumns = []column[promptrails.Channel]{
	text("NAME", func(c *promptrails.Channel) string { return c.Name }),
	text("TYPE", func(c *promptrails.Channel) string { return string(c.Type) }),
	text("URL", func(c *promptrails.Channel) string { return c.URL }),
	text("EVENTS", func(c *promptrails.Channel) string { return eventNames(c.Events) }),
	{"STATE", func(c *promptrails.Channel) cell {
		if c.IsActive {
			return cell{"active", green}
		}
		return cell{strings.TrimSuffix("paused: "+c.PausedReason, ": "), yellow}
	}},
	text("ID", func(c *promptrails.Channel) string { return c.ID }),
}

func eventNames(events []promptrails.EventType) string {
	if len(events) == 0 {
		return "all"
	}
	var names []string
	for _, event := range events {
		names = append(names, string(event))
	}
	return strings.Join(names, ",")
}

var deliveryColumns = []column[promptrails.Delivery]{
	text("EVENT", func(d *promptrails.Delivery) string { return string(d.Event) }),
	text("STATUS", func(d *promptrails.Delivery) string { return string(d.Status) }),
	text("CREATED", func(d *promptrails.Delivery) string { return moment(d.CreatedAt) }),
	text("ATTEMPTS", func(d *promptrails.Delivery) string { return fmt.Sprint(len(d.Attempts)) }),
	text("NEXT ATTEMPT", func(d *promptrails.Delivery) string { return moment(d.NextAttemptAt) }),
	text("ID", func(d *promptrails.Delivery) string { return d.ID }),
}

func (a *app) channels() *cobra.Command {
	return group("channels", "Administer notification channels and their deliveries",
		a.listChannels(), a.createChannel(), a.setChannel("pause", false), a.setChannel("resume", true), a.testChannel(), a.rotateChannel(),
		a.listDeliveries(), a.redeliver(), a.deleteChannel())
}

func (a *app) listChannels() *cobra.Command {
	return a.command("list", "List the notification channels", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return list(a, c.Notifications.AllChannels(ctx, nil), channelColumns)
	})
}

func (a *app) createChannel() *cobra.Command {
	params := &promptrails.CreateChannelParams{}
	var events []string
	var urlFile, file string
	cmd := a.command("create", "Create a channel, with its URL from stdin, and print the signing secret of a webhook", func(ctx context.Context, c *promptrails.Client, _ []string) (err error) {
		if params.URL, err = a.readSecret(urlFile); err != nil {
			return err
		}
		for _, event := range events {
			params.Events = append(params.Events, promptrails.EventType(event))
		}
		create := func() (*promptrails.Channel, promptrails.Secret, error) {
			return withSecret(c.Notifications.CreateChannel(ctx, params))
		}
		return mint(a, fmt.Sprintf("create the %s channel %q", params.Type, params.Name), file, channelColumns, create)
	})
	flags := cmd.Flags()
	flags.StringVar(&params.Name, "name", "", "the name, of 1 to 100 `characters`")
	flags.StringVar((*string)(&params.Type), "type", string(promptrails.ChannelWebhook), "the `type`: webhook or slack")
	flags.StringSliceVar(&events, "events", nil, "the `events`, separated by commas; the default is all")
	flags.StringVar(&urlFile, "url-file", "-", "the `file` with the URL, or - for stdin")
	secretFlag(cmd, &file, "signing secret")
	choices(cmd, "type", promptrails.ChannelWebhook, promptrails.ChannelSlack)
	choices(cmd, "events", promptrails.EventTypes()...)
	return require(cmd, "name")
}

// withSecret separates the signing secret from its channel.
func withSecret(c *promptrails.Channel, err error) (*promptrails.Channel, promptrails.Secret, error) {
	if err != nil {
		return nil, promptrails.Secret{}, err
	}
	secret := c.Secret
	c.Secret = promptrails.Secret{}
	return c, secret, nil
}

func (a *app) setChannel(verb string, active bool) *cobra.Command {
	cmd := a.command(verb+" CHANNEL", capital(verb)+" a channel", a.onChannel(func(ctx context.Context, c *promptrails.Client, channel *promptrails.Channel) error {
		return a.change(verb+" the channel "+channel.Name, func() error {
			_, err := c.Notifications.UpdateChannel(ctx, channel.ID, &promptrails.UpdateChannelParams{IsActive: &active})
			return err
		})
	}))
	return a.objects(cmd, channelSuggestions)
}

// onChannel returns an action with the channel of the first argument.
func (a *app) onChannel(do func(context.Context, *promptrails.Client, *promptrails.Channel) error) action {
	return func(ctx context.Context, c *promptrails.Client, args []string) error {
		channel, err := c.Notifications.GetChannel(ctx, args[0])
		if err != nil {
			return err
		}
		return do(ctx, c, channel)
	}
}

func (a *app) testChannel() *cobra.Command {
	cmd := a.command("test CHANNEL", "Send a test event to a channel", a.onChannel(func(ctx context.Context, c *promptrails.Client, channel *promptrails.Channel) error {
		return a.change(fmt.Sprintf("send a test event to %s (%s)", channel.Name, channel.URL), func() error {
			delivery, err := c.Notifications.TestChannel(ctx, channel.ID)
			if err != nil {
				return err
			}
			return show(a, delivery, deliveryColumns)
		})
	}))
	return a.objects(cmd, channelSuggestions)
}

func (a *app) rotateChannel() *cobra.Command {
	var file string
	cmd := a.command("rotate-secret CHANNEL", "Replace the signing secret of a webhook, and print the new one", a.onChannel(func(ctx context.Context, c *promptrails.Client, channel *promptrails.Channel) error {
		rotate := func() (*promptrails.Channel, promptrails.Secret, error) {
			return withSecret(c.Notifications.RotateSecret(ctx, channel.ID))
		}
		return mint(a, "replace the signing secret of the channel "+channel.Name, file, channelColumns, rotate)
	}))
	secretFlag(cmd, &file, "signing secret")
	return a.objects(cmd, channelSuggestions)
}

func (a *app) listDeliveries() *cobra.Command {
	params := &promptrails.ListDeliveriesParams{}
	cmd := a.command("deliveries CHANNEL", "List the deliveries of a channel, newest first", func(ctx context.Context, c *promptrails.Client, args []string) error {
		return list(a, c.Notifications.AllDeliveries(ctx, args[0], params), deliveryColumns)
	})
	cmd.Flags().StringVar((*string)(&params.Status), "status", "", "only those with this `status`")
	return a.objects(cmd, channelSuggestions)
}

func (a *app) redeliver() *cobra.Command {
	return a.command("redeliver DELIVERY", "Send a delivery again", func(ctx context.Context, c *promptrails.Client, args []string) error {
		return a.change("send the delivery "+args[0]+" again", func() error {
			delivery, err := c.Notifications.Redeliver(ctx, args[0])
			if err != nil {
				return err
			}
			return show(a, delivery, deliveryColumns)
		})
	})
}

func (a *app) deleteChannel() *cobra.Command {
	cmd := a.command("delete CHANNEL", "Delete a channel and its deliveries", a.onChannel(func(ctx context.Context, c *promptrails.Client, channel *promptrails.Channel) error {
		return a.destroy(fmt.Sprintf("delete the channel %s (%s)", channel.Name, channel.URL), func() error { return c.Notifications.DeleteChannel(ctx, channel.ID) })
	}))
	return a.objects(cmd, channelSuggestions)
}

func channelSuggestions(ctx context.Context, c *promptrails.Client) suggestions {
	return suggest(c.Notifications.AllChannels(ctx, nil), func(c *promptrails.Channel) (string, string) { return c.ID, c.Name })
}
