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
		made, err := in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
			Name: "Hook", Type: promptrails.ChannelWebhook, URL: url, Events: []promptrails.EventType{promptrails.EventMemberJoined},
		})
		if err != nil || !strings.HasPrefix(made.Secret.Reveal(), "whsec_") {
			t.Fatalf("CreateChannel = %+v, %v", made, err)
		}
		want := *made
		want.Secret = promptrails.Secret{}
		got, err := in.Notifications.GetChannel(ctx, made.ID)
		if diff := cmp.Diff(&want, got, cmp.Comparer(promptrails.Secret.Equal)); diff != "" || err != nil ||
			got.WorkspaceID != w.ID || got.Type != promptrails.ChannelWebhook || got.URL != "http://127.0.0.1:1/…" || !got.IsActive || got.Version != 1 {
			t.Errorf("GetChannel = %+v, %v %s", got, err, diff)
		}
		if page, err := in.Notifications.ListDeliveries(ctx, made.ID, nil); err != nil || len(page.Items) != 0 {
			t.Errorf("ListDeliveries = %+v, %v", page, err)
		}
		paused, err := in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "Later", Type: promptrails.ChannelWebhook, URL: url, IsActive: new(false)})
		if err != nil || paused.IsActive || len(paused.Events) != 0 {
			t.Errorf("CreateChannel = %+v, %v", paused, err)
		}
		if _, err := in.Notifications.TestChannel(ctx, paused.ID); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("TestChannel over one that is not active: %v", err)
		}
		var names []string
		for c, err := range in.Notifications.AllChannels(ctx, &promptrails.ListChannelsParams{Type: promptrails.ChannelWebhook}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, c.Name)
		}
		if diff := cmp.Diff([]string{"Later", "Hook"}, names); diff != "" {
			t.Errorf("AllChannels: %s", diff)
		}
		_, err = in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "Third", Type: promptrails.ChannelWebhook, URL: url})
		if full, ok := errors.AsType[*promptrails.QuotaError](err); !ok || full.Limit != promptrails.LimitNotificationChannels || full.Max != 2 {
			t.Errorf("a third channel: %v", err)
		}
		_, err = in.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{Name: "Slack", Type: promptrails.ChannelSlack, URL: url})
		if lacks, ok := errors.AsType[*promptrails.FeatureError](err); !ok || lacks.Feature != promptrails.FeatureSlack {
			t.Errorf("a Slack channel: %v", err)
		}
		changed, err := in.Notifications.UpdateChannel(ctx, paused.ID, &promptrails.UpdateChannelParams{
			Name: new("Sooner"), URL: new(promptrails.NewSecret("http://127.0.0.1:2/x")), Events: &[]promptrails.EventType{promptrails.EventPaymentFailed},
		}, promptrails.WithIfMatch(paused.Version))
		if err != nil || changed.Name != "Sooner" || changed.URL != "http://127.0.0.1:2/…" || len(changed.Events) != 1 || changed.Version != 2 || !changed.Secret.IsZero() {
			t.Errorf("UpdateChannel = %+v, %v", changed, err)
		}
		changed, err = in.Notifications.UpdateChannel(ctx, paused.ID, &promptrails.UpdateChannelParams{Events: new([]promptrails.EventType)})
		if err != nil || changed.Events == nil || len(changed.Events) != 0 || changed.Name != "Sooner" {
			t.Errorf("UpdateChannel to all events = %+v, %v", changed, err)
		}
		_, err = in.Notifications.UpdateChannel(ctx, paused.ID, &promptrails.UpdateChannelParams{URL: new(promptrails.NewSecret("https://169.254.169.254/"))})
		if bad, ok := errors.AsType[*promptrails.ValidationError](err); !ok || bad.Fields["url"] != "must lead to a public address" {
			t.Errorf("a URL that is not public: %v", err)
		}
		rotated, err := in.Notifications.RotateSecret(ctx, made.ID)
		if err != nil || rotated.Secret.IsZero() || rotated.Secret.Equal(made.Secret) || rotated.Version != 2 {
			t.Errorf("RotateSecret = %+v, %v", rotated, err)
		}
		delivery, err := in.Notifications.TestChannel(ctx, made.ID)
		if err != nil || delivery.Event != promptrails.EventChannelTest || delivery.ChannelID != made.ID || delivery.WebhookID != delivery.ID ||
			delivery.Status != promptrails.DeliveryPending || !delivery.NextAttemptAt.Equal(delivery.CreatedAt) || len(delivery.Attempts) != 0 {
			t.Errorf("TestChannel = %+v, %v", delivery, err)
		}
		// It is tried again, so that it is pending still.
		if _, err := in.Notifications.Redeliver(ctx, delivery.ID); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("Redeliver of what is under way: %v", err)
		}
		if _, err := in.Notifications.Redeliver(ctx, made.ID); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Redeliver of what is none: %v", err)
		}
		if err := in.Notifications.DeleteChannel(ctx, made.ID); err != nil {
			t.Errorf("DeleteChannel: %v", err)
		}
		if _, err := in.Notifications.ListDeliveries(ctx, made.ID, nil); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("the deliveries of what is gone: %v", err)
		}
	})
}
