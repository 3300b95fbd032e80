package promptrails_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestNotifications(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		in, w := newWorkspace(t, p.person("ada@example.com", "Ada"), "research") // starter
		url := promptrails.NewSecret("http://127.0.0.1:1/hooks/1")
		created, err := in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
			Name: "Hook", Type: promptrails.ChannelWebhook, URL: url, Events: []promptrails.EventType{promptrails.EventMemberJoined},
		})
		if err != nil || !strings.HasPrefix(created.Secret.Reveal(), "whsec_") {
			t.Fatalf("Notifications.CreateChannel: got %+v and error %v, want a secret that begins with whsec_", created, err)
		}
		want := *created
		want.Secret = promptrails.Secret{}
		got, err := in.Notifications.GetChannel(ctx, created.ID)
		if diff := cmp.Diff(&want, got, cmp.Comparer(promptrails.Secret.Equal)); diff != "" || err != nil ||
			got.WorkspaceID != w.ID || got.Type != promptrails.ChannelWebhook || got.URL != "http://127.0.0.1:1/…" || !got.IsActive || got.Version != 1 {
			t.Errorf("Notifications.GetChannel: got %+v and error %v, want the created channel without its secret (-want +got):\n%s", got, err, diff)
		}
		if page, err := in.Notifications.ListDeliveries(ctx, created.ID, nil); err != nil || len(page.Items) != 0 {
			t.Errorf("Notifications.ListDeliveries of a new channel: got %+v and error %v, want an empty page", page, err)
		}
		paused, err := in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "Later", Type: promptrails.ChannelWebhook, URL: url, IsActive: new(false)})
		if err != nil || paused.IsActive || len(paused.Events) != 0 {
			t.Errorf("Notifications.CreateChannel: got %+v and error %v, want an inactive channel for all events", paused, err)
		}
		if _, err := in.Notifications.TestChannel(ctx, paused.ID); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("Notifications.TestChannel of an inactive channel: got %v, want ErrConflict", err)
		}
		var names []string
		for c, err := range in.Notifications.AllChannels(ctx, &promptrails.ListChannelsParams{Type: promptrails.ChannelWebhook}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, c.Name)
		}
		if diff := cmp.Diff([]string{"Later", "Hook"}, names); diff != "" {
			t.Errorf("Notifications.AllChannels (-want +got):\n%s", diff)
		}
		_, err = in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "Third", Type: promptrails.ChannelWebhook, URL: url})
		if full, ok := errors.AsType[*promptrails.QuotaError](err); !ok || full.Limit != promptrails.LimitNotificationChannels || full.Max != 2 {
			t.Errorf("Notifications.CreateChannel of a third channel: got %v, want a QuotaError for 2 channels", err)
		}
		_, err = in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "Slack", Type: promptrails.ChannelSlack, URL: url})
		if lacks, ok := errors.AsType[*promptrails.FeatureError](err); !ok || lacks.Feature != promptrails.FeatureSlack {
			t.Errorf("Notifications.CreateChannel of a Slack channel: got %v, want a FeatureError for Slack", err)
		}
		changed, err := in.Notifications.UpdateChannel(ctx, paused.ID, &promptrails.UpdateChannelParams{
			Name: new("Sooner"), URL: new(promptrails.NewSecret("http://127.0.0.1:2/x")), Events: &[]promptrails.EventType{promptrails.EventPaymentFailed},
		}, promptrails.WithIfMatch(paused.Version))
		if err != nil || changed.Name != "Sooner" || changed.URL != "http://127.0.0.1:2/…" || len(changed.Events) != 1 || changed.Version != 2 || !changed.Secret.IsZero() {
			t.Errorf("Notifications.UpdateChannel: got %+v and error %v, want version 2 with the new name, URL and one event, without a secret", changed, err)
		}
		changed, err = in.Notifications.UpdateChannel(ctx, paused.ID, &promptrails.UpdateChannelParams{Events: new([]promptrails.EventType)})
		if err != nil || changed.Events == nil || len(changed.Events) != 0 || changed.Name != "Sooner" {
			t.Errorf("Notifications.UpdateChannel to all events: got %+v and error %v, want an empty list of events and the same name", changed, err)
		}
		_, err = in.Notifications.UpdateChannel(ctx, paused.ID, &promptrails.UpdateChannelParams{URL: new(promptrails.NewSecret("https://169.254.169.254/"))})
		if bad, ok := errors.AsType[*promptrails.ValidationError](err); !ok || bad.Fields["url"] != "must lead to a public address" {
			t.Errorf("Notifications.UpdateChannel with a private address: got %v, want a ValidationError for url", err)
		}
		rotated, err := in.Notifications.RotateSecret(ctx, created.ID)
		if err != nil || rotated.Secret.IsZero() || rotated.Secret.Equal(created.Secret) || rotated.Version != 2 {
			t.Errorf("Notifications.RotateSecret: got %+v and error %v, want version 2 with a new secret", rotated, err)
		}
		delivery, err := in.Notifications.TestChannel(ctx, created.ID)
		if err != nil || delivery.Event != promptrails.EventChannelTest || delivery.ChannelID != created.ID || delivery.WebhookID != delivery.ID ||
			delivery.Status != promptrails.DeliveryPending || !delivery.NextAttemptAt.Equal(delivery.CreatedAt) || len(delivery.Attempts) != 0 {
			t.Errorf("Notifications.TestChannel: got %+v and error %v, want a pending delivery without attempts", delivery, err)
		}
		// Failed attempts are retried, so the delivery is still pending.
		if _, err := in.Notifications.Redeliver(ctx, delivery.ID); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("Notifications.Redeliver of a pending delivery: got %v, want ErrConflict", err)
		}
		if _, err := in.Notifications.Redeliver(ctx, created.ID); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Notifications.Redeliver of an unknown delivery: got %v, want ErrNotFound", err)
		}
		if err := in.Notifications.DeleteChannel(ctx, created.ID); err != nil {
			t.Errorf("Notifications.DeleteChannel: got %v, want no error", err)
		}
		if _, err := in.Notifications.ListDeliveries(ctx, created.ID, nil); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Notifications.ListDeliveries of a deleted channel: got %v, want ErrNotFound", err)
		}
	})
}
