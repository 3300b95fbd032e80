package embedded_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// A committed change sends signed events to the channels that subscribe to them.
func TestWebhook(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		cfg.AllowLoopbackWebhooks = true
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		hook, other, everything := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
		channel, secret := ada.channel(hook.url, `"events":["member.joined","member.removed"]`)
		ada.channel(other.url, `"events":["usage.limit_reached"]`)
		ada.do("PATCH", "/billing/subscription", `{"plan":"pro"}`).expect(200)
		ada.channel(everything.url, `"events":[]`)
		grace := ada.member("grace@example.com", "admin")
		id := grace.do("GET", "/members/me", "").text("id")

		joined := hook.next()
		event := joined.event(t, secret)
		want := &promptrails.Event{
			ID: joined.id(), Type: promptrails.EventMemberJoined, WorkspaceID: ada.workspace, Timestamp: event.Timestamp,
			Data: &promptrails.MemberEvent{MemberID: id, UserID: grace.user.ID, Email: "grace@example.com", Name: "G", Role: "admin"}, Raw: event.Raw,
		}
		if diff := cmp.Diff(want, event); diff != "" || event.Timestamp.IsZero() || joined.header.Get("Content-Type") != "application/json" {
			t.Errorf("event member.joined with the header %v (-want +got):\n%s", joined.header, diff)
		}
		ada.do("DELETE", "/members/"+id, "").expect(204)
		if event := hook.next().event(t, secret); event.Type != promptrails.EventMemberRemoved || event.ID == joined.id() {
			t.Errorf("second event: got %+v, want member.removed with another ID than %s", event, joined.id())
		}
		all := ada.deliveries(channel, ended(2))
		if d := all[1]; d.WebhookID != joined.id() || d.Event != promptrails.EventMemberJoined || d.Status != promptrails.DeliveryDelivered || !d.NextAttemptAt.IsZero() ||
			len(d.Attempts) != 1 || d.Attempts[0].StatusCode != 204 || d.Attempts[0].Error != "" || d.Attempts[0].At.IsZero() || d.ChannelID != channel {
			t.Errorf("delivery: got %+v, want %s delivered over channel %s in one attempt with status 204", d, joined.id(), channel)
		}
		everything.next()
		everything.next()
		if len(other.came) != 0 {
			t.Errorf("channel for usage.limit_reached: got %d events, want none", len(other.came))
		}

		// The list of deliveries has cursors, but no page numbers and no total.
		page := ada.do("GET", "/notification-channels/"+channel+"/deliveries?limit=1", "")
		var first struct {
			Data []struct{ ID string }
			Meta struct {
				NextCursor string `json:"next_cursor"`
				Total      *int
			}
		}
		page.expect(200).decode(&first)
		ids, _ := ada.do("GET", "/notification-channels/"+channel+"/deliveries?limit=1&after="+first.Meta.NextCursor, "").listed()
		if first.Meta.Total != nil || len(ids) != 1 || ids[0] != all[1].ID || first.Data[0].ID != all[0].ID {
			t.Errorf("pages of 1: got %s, then %v, want %s without a total, then %s", page.body, ids, all[0].ID, all[1].ID)
		}
		if fields := ada.do("GET", "/notification-channels/"+channel+"/deliveries?page=1", "").fails(400, "validation_error"); fields["page"] == "" {
			t.Errorf("deliveries?page=1: got the invalid fields %v, want page", fields)
		}
		if ids, _ := ada.do("GET", "/notification-channels/"+channel+"/deliveries?status=failed", "").listed(); len(ids) != 0 {
			t.Errorf("failed deliveries: got %v, want none", ids)
		}
	})
}

// A request that is refused or rolled back sends no events.
func TestUncommittedChangesSendNoEvents(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research") // starter: 5 data sources
	hook := newReceiver(t, nil)
	_, secret := ada.channel(hook.url, `"events":["usage.threshold","usage.limit_reached"]`)
	for range 3 {
		ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	}
	// This request uses the fourth of five, which crosses 80 per cent, and then
	// fails and is rolled back.
	ada.do("POST", "/data-sources", `{"name":"d","agent_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`).refused(404, "not_found")
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/data-sources", `{"name":"d"}`).refused(402, "quota_exceeded")
	for _, want := range []promptrails.UsageEvent{{Percent: 80, Used: 4}, {Percent: 100, Used: 5}} {
		event := hook.next().event(t, secret)
		got, ok := event.Data.(*promptrails.UsageEvent)
		if !ok || got.Limit != promptrails.LimitDataSources || got.Percent != want.Percent || got.Used != want.Used || got.Max != 5 || got.Plan != "starter" || !got.PeriodEnd.After(got.PeriodStart) {
			t.Errorf("event: got %+v with data %+v, want %d of 5 data sources, %d per cent, on starter", event, got, want.Used, want.Percent)
		}
	}
	// Each event is sent only once per period.
	id, _ := ada.do("GET", "/data-sources", "").listed()
	ada.do("DELETE", "/data-sources/"+id[0], "").expect(204)
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/notification-channels/"+ada.firstChannel()+"/test", "").expect(201)
	if event := hook.next().event(t, secret); event.Type != promptrails.EventChannelTest {
		t.Errorf("event after the limit is reached again: got %+v, want channel.test", event)
	}
}

// After a change of plan, the events for 80 and 100 per cent are sent again for
// the new limit.
func TestUsageEventsAreSentAgainAfterPlanChange(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research") // starter: 5 data sources
	hook := newReceiver(t, nil)
	_, secret := ada.channel(hook.url, `"events":["usage.threshold","usage.limit_reached"]`)
	used := 0
	for _, step := range []struct {
		plan  promptrails.PlanID
		limit int
	}{{"starter", 5}, {"pro", 25}} {
		ada.do("PATCH", "/billing/subscription", `{"plan":"`+string(step.plan)+`"}`)
		for ; used < step.limit; used++ {
			ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
		}
		for _, percent := range []int{80, 100} {
			got, ok := hook.next().event(t, secret).Data.(*promptrails.UsageEvent)
			if !ok || got.Percent != percent || int(got.Max) != step.limit || got.Plan != step.plan {
				t.Errorf("event: got %+v, want %d per cent of %d on %s", got, percent, step.limit, step.plan)
			}
		}
	}
}

// Events that occur while a channel is inactive are not sent later.
func TestInactiveChannelMissesEvents(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	hook := newReceiver(t, nil)
	channel, secret := ada.channel(hook.url, `"is_active":false`)
	ada.member("grace@example.com", "user")
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":true}`).expect(200)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	if event := hook.next().event(t, secret); event.Type != promptrails.EventChannelTest {
		t.Fatalf("first event: got %+v, want channel.test", event)
	}
	ada.deliveries(channel, ended(1))
}

// firstChannel returns the ID of the first channel in the list.
func (p *person) firstChannel() string {
	p.s.t.Helper()
	ids, _ := p.do("GET", "/notification-channels", "").listed()
	return ids[0]
}

// For 24 hours after a rotation, requests are signed with both secrets, and then
// only with the new one.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	var now clock
	hook := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, Now: now.now}).owner("ada@example.com", "research")
	channel, first := ada.channel(hook.url)
	rotated := ada.do("POST", "/notification-channels/"+channel+"/rotate-secret", "").expect(201)
	second := rotated.text("secret")
	if rotated.integer("version") != 2 || first == second || !strings.HasPrefix(second, "whsec_") {
		t.Errorf("rotate-secret: got %s, want version 2 and another secret than %s", rotated.body, first)
	}
	signedBy := func() (secrets string) {
		ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		request := hook.next()
		at, err := strconv.ParseInt(request.header.Get("webhook-timestamp"), 10, 64)
		if err != nil || at != now.now().Unix() {
			t.Errorf("webhook-timestamp: got %d, %v, want %d", at, err, now.now().Unix())
		}
		for name, secret := range map[string]string{"1": first, "2": second} {
			if strings.Contains(request.header.Get("webhook-signature"), signature(t, secret, request)) {
				secrets += name
			}
		}
		return secrets
	}
	if by := signedBy(); by != "12" && by != "21" {
		t.Errorf("signatures during the overlap: got those of secrets %q, want both", by)
	}
	now.forward(24 * time.Hour)
	if by := signedBy(); by != "2" {
		t.Errorf("signatures after the overlap: got those of secrets %q, want only that of secret 2", by)
	}
}

// A channel that fails for three days is paused, with an entry in the changelog.
// Deliveries continue when it is activated again.
func TestFailingChannelIsPaused(t *testing.T) {
	t.Parallel()
	var now clock
	var broken atomic.Bool
	broken.Store(true)
	hook := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, Now: now.now}).owner("ada@example.com", "research")
	channel, _ := ada.channel(hook.url)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })
	now.forward(3*24*time.Hour - time.Minute)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 2 })
	if r := ada.do("GET", "/notification-channels/"+channel, ""); !strings.Contains(r.body, `"is_active":true`) {
		t.Errorf("channel one minute before three days of failures: got %s, want it active", r.body)
	}
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 3 })
	paused := ada.do("GET", "/notification-channels/"+channel, "")
	if !strings.Contains(paused.body, `"is_active":false`) || !strings.Contains(paused.text("paused_reason"), "all deliveries have failed since 2026-01-02T03:04:05Z: the receiver returned status 503") {
		t.Errorf("channel after three days of failures: got %s, want it paused with the reason", paused.body)
	}
	newest := ada.do("GET", "/changelog?limit=1", "").body
	for _, part := range []string{`"actor":{"id":"","name":"system","type":"system"}`, `"is_active":{"from":true,"to":false}`, `"paused_reason":{"from":"","to":"all deliveries have failed`} {
		if !strings.Contains(newest, part) {
			t.Errorf("newest changelog entry: got %s, want %s in it", newest, part)
		}
	}
	ada.do("POST", "/notification-channels/"+channel+"/test", "").refused(409, "invalid_state")
	// The three days start again when the channel is activated, and after each
	// successful delivery.
	active := func() bool {
		return strings.Contains(ada.do("GET", "/notification-channels/"+channel, "").body, `"is_active":true`)
	}
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":true}`).expect(200)
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 4 })
	if !active() {
		t.Error("channel one hour after its activation: got it paused, want it active")
	}
	broken.Store(false)
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, ended(1))
	broken.Store(true)
	now.forward(4 * 24 * time.Hour)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })
	if !active() {
		t.Error("channel after a success and one failure: got it paused, want it active")
	}
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":false}`).expect(200)
	broken.Store(false)
	again := ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":true}`).expect(200)
	if again.text("paused_reason") != "" {
		t.Errorf("activated channel: got %s, want no paused_reason", again.body)
	}
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, ended(2)) // the pending delivery is sent
}

// A Slack channel receives an unsigned message. It is paused on a plan without
// Slack.
func TestSlack(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	made := ada.do("POST", "/notification-channels", `{"name":"Hook <1>","type":"slack","url":"`+hook.url+`","events":[]}`).expect(201)
	if strings.Contains(made.body, "secret") {
		t.Errorf("Slack channel: got %s, want no secret", made.body)
	}
	ada.do("POST", "/notification-channels/"+made.text("id")+"/rotate-secret", "").refused(409, "invalid_state")
	ada.do("POST", "/notification-channels/"+made.text("id")+"/test", "").expect(201)
	message := hook.next()
	for _, part := range []string{`{"text":"This channel works","blocks":[{"type":"header","text":{"type":"plain_text","text":"This channel works"}}`, `*channel name*\nHook &lt;1&gt;`, `"type":"context"`, "channel.test in the workspace " + ada.workspace} {
		if !strings.Contains(string(message.body), part) {
			t.Errorf("message: got %s, want %s in it", message.body, part)
		}
	}
	if got := message.header.Get("webhook-signature"); got != "" {
		t.Errorf("webhook-signature of a Slack message: got %q, want none", got)
	}

	// A plan without Slack pauses the channel, with a reason. Webhooks stay active.
	webhook, _ := ada.channel(hook.url)
	before := ada.sequence()
	ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`, "If-Match", `"1"`).expect(200)
	paused := ada.do("GET", "/notification-channels/"+made.text("id"), "")
	if !strings.Contains(paused.body, `"is_active":false`) || paused.text("paused_reason") != "the plan starter does not include Slack channels" || ada.sequence() != before+2 {
		t.Errorf("Slack channel on starter: got %s and %d changelog entries, want it paused and 2", paused.body, ada.sequence()-before)
	}
	if r := ada.do("GET", "/notification-channels/"+webhook, ""); !strings.Contains(r.body, `"is_active":true`) {
		t.Errorf("webhook channel on starter: got %s, want it active", r.body)
	}
	details := ada.do("PATCH", "/notification-channels/"+made.text("id"), `{"is_active":true}`).refused(403, "feature_not_in_plan").body
	if !strings.Contains(details, `"feature":"slack"`) || !strings.Contains(details, `"available_in":["pro","enterprise"]`) {
		t.Errorf("error: got %s, want the feature slack, available in pro and enterprise", details)
	}
}
