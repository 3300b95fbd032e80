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

// What happens is told to those who want to know, signed, once it is committed.
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
			t.Errorf("%s in %v", diff, joined.header)
		}
		ada.do("DELETE", "/members/"+id, "").expect(204)
		if event := hook.next().event(t, secret); event.Type != promptrails.EventMemberRemoved || event.ID == joined.id() {
			t.Errorf("%+v", event)
		}
		all := ada.deliveries(channel, ended(2))
		if d := all[1]; d.WebhookID != joined.id() || d.Event != promptrails.EventMemberJoined || d.Status != promptrails.DeliveryDelivered || !d.NextAttemptAt.IsZero() ||
			len(d.Attempts) != 1 || d.Attempts[0].StatusCode != 204 || d.Attempts[0].Error != "" || d.Attempts[0].At.IsZero() || d.ChannelID != channel {
			t.Errorf("%+v", d)
		}
		everything.next()
		everything.next()
		if len(other.came) != 0 {
			t.Error("a channel was told what it does not want")
		}

		// A list has cursors, and no page numbers.
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
			t.Errorf("%s, then %v", page.body, ids)
		}
		if fields := ada.do("GET", "/notification-channels/"+channel+"/deliveries?page=1", "").fails(400, "validation_error"); fields["page"] == "" {
			t.Error(fields)
		}
		if ids, _ := ada.do("GET", "/notification-channels/"+channel+"/deliveries?status=failed", "").listed(); len(ids) != 0 {
			t.Errorf("%v have failed", ids)
		}
	})
}

// What was refused, or rolled back after it was told, is told to nobody.
func TestNothingIsSentForWhatWasNotCommitted(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research") // starter: 5 data sources
	hook := newReceiver(t, nil)
	_, secret := ada.channel(hook.url, `"events":["usage.threshold","usage.limit_reached"]`)
	for range 3 {
		ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	}
	// It takes the place, crosses 80 per cent, and then fails.
	ada.do("POST", "/data-sources", `{"name":"d","agent_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`).refused(404, "not_found")
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/data-sources", `{"name":"d"}`).refused(402, "quota_exceeded")
	for _, want := range []promptrails.UsageEvent{{Percent: 80, Used: 4}, {Percent: 100, Used: 5}} {
		event := hook.next().event(t, secret)
		got, ok := event.Data.(*promptrails.UsageEvent)
		if !ok || got.Limit != promptrails.LimitDataSources || got.Percent != want.Percent || got.Used != want.Used || got.Max != 5 || got.Plan != "starter" || !got.PeriodEnd.After(got.PeriodStart) {
			t.Errorf("%+v: %+v", event, got)
		}
	}
	// Once a period.
	id, _ := ada.do("GET", "/data-sources", "").listed()
	ada.do("DELETE", "/data-sources/"+id[0], "").expect(204)
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/notification-channels/"+ada.firstChannel()+"/test", "").expect(201)
	if event := hook.next().event(t, secret); event.Type != promptrails.EventChannelTest {
		t.Errorf("%+v", event)
	}
}

// After a change of plan, 80 and 100 per cent are those of the new limit.
func TestUsageIsToldAnewAfterAChangeOfPlan(t *testing.T) {
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
				t.Errorf("got %+v, want %d per cent of %d on %s", got, percent, step.limit, step.plan)
			}
		}
	}
}

// What happens while a channel is not active is not told later.
func TestNothingIsKeptForAPausedChannel(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	hook := newReceiver(t, nil)
	channel, secret := ada.channel(hook.url, `"is_active":false`)
	ada.member("grace@example.com", "user")
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":true}`).expect(200)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	if event := hook.next().event(t, secret); event.Type != promptrails.EventChannelTest {
		t.Fatalf("%+v", event)
	}
	ada.deliveries(channel, ended(1))
}

func (p *person) firstChannel() string {
	p.s.t.Helper()
	ids, _ := p.do("GET", "/notification-channels", "").listed()
	return ids[0]
}

// During a rotation both secrets sign; after it the new one alone.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	var now clock
	hook := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, Now: now.now}).owner("ada@example.com", "research")
	channel, first := ada.channel(hook.url)
	rotated := ada.do("POST", "/notification-channels/"+channel+"/rotate-secret", "").expect(201)
	second := rotated.text("secret")
	if rotated.integer("version") != 2 || first == second || !strings.HasPrefix(second, "whsec_") {
		t.Errorf("%s after %s", rotated.body, first)
	}
	signedBy := func() (secrets string) {
		ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		request := hook.next()
		at, err := strconv.ParseInt(request.header.Get("webhook-timestamp"), 10, 64)
		if err != nil || at != now.now().Unix() {
			t.Errorf("it was signed at %d: %v", at, err)
		}
		for name, secret := range map[string]string{"1": first, "2": second} {
			if strings.Contains(request.header.Get("webhook-signature"), signature(t, secret, request)) {
				secrets += name
			}
		}
		return secrets
	}
	if by := signedBy(); by != "12" && by != "21" {
		t.Errorf("during the overlap %q sign", by)
	}
	now.forward(24 * time.Hour)
	if by := signedBy(); by != "2" {
		t.Errorf("after the overlap %q sign", by)
	}
}

// Over a channel that fails for three days nothing is sent until somebody sets
// it going again; the changelog says so.
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
		t.Errorf("it was paused too early: %s", r.body)
	}
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 3 })
	paused := ada.do("GET", "/notification-channels/"+channel, "")
	if !strings.Contains(paused.body, `"is_active":false`) || !strings.Contains(paused.text("paused_reason"), "all deliveries have failed since 2026-01-02T03:04:05Z: the receiver returned status 503") {
		t.Error(paused.body)
	}
	newest := ada.do("GET", "/changelog?limit=1", "").body
	for _, part := range []string{`"actor":{"id":"","name":"system","type":"system"}`, `"is_active":{"from":true,"to":false}`, `"paused_reason":{"from":"","to":"all deliveries have failed`} {
		if !strings.Contains(newest, part) {
			t.Errorf("the changelog does not say %s: %s", part, newest)
		}
	}
	ada.do("POST", "/notification-channels/"+channel+"/test", "").refused(409, "invalid_state")
	// Set going again it has another three days, and so it has once something
	// has come through.
	active := func() bool {
		return strings.Contains(ada.do("GET", "/notification-channels/"+channel, "").body, `"is_active":true`)
	}
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":true}`).expect(200)
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 4 })
	if !active() {
		t.Error("it was paused again at once")
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
		t.Error("it was paused, although it had worked in between")
	}
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":false}`).expect(200)
	broken.Store(false)
	again := ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":true}`).expect(200)
	if again.text("paused_reason") != "" {
		t.Error(again.body)
	}
	now.forward(time.Hour)
	hook.next()
	ada.deliveries(channel, ended(2)) // what waited has gone
}

// Slack gets a message, not an event.
func TestSlack(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	made := ada.do("POST", "/notification-channels", `{"name":"Hook <1>","type":"slack","url":"`+hook.url+`","events":[]}`).expect(201)
	if strings.Contains(made.body, "secret") {
		t.Error(made.body)
	}
	ada.do("POST", "/notification-channels/"+made.text("id")+"/rotate-secret", "").refused(409, "invalid_state")
	ada.do("POST", "/notification-channels/"+made.text("id")+"/test", "").expect(201)
	message := hook.next()
	for _, part := range []string{`{"text":"This channel works","blocks":[{"type":"header","text":{"type":"plain_text","text":"This channel works"}}`, `*channel name*\nHook &lt;1&gt;`, `"type":"context"`, "channel.test in the workspace " + ada.workspace} {
		if !strings.Contains(string(message.body), part) {
			t.Errorf("the message does not say %s: %s", part, message.body)
		}
	}
	if message.header.Get("webhook-signature") != "" {
		t.Error("a Slack message is signed")
	}

	// A plan without Slack pauses it, and says why; a webhook stays.
	webhook, _ := ada.channel(hook.url)
	before := ada.sequence()
	ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`, "If-Match", `"1"`).expect(200)
	paused := ada.do("GET", "/notification-channels/"+made.text("id"), "")
	if !strings.Contains(paused.body, `"is_active":false`) || paused.text("paused_reason") != "the plan starter does not include Slack channels" || ada.sequence() != before+2 {
		t.Errorf("%s after %d entries", paused.body, ada.sequence()-before)
	}
	if r := ada.do("GET", "/notification-channels/"+webhook, ""); !strings.Contains(r.body, `"is_active":true`) {
		t.Error(r.body)
	}
	details := ada.do("PATCH", "/notification-channels/"+made.text("id"), `{"is_active":true}`).refused(403, "feature_not_in_plan").body
	if !strings.Contains(details, `"feature":"slack"`) || !strings.Contains(details, `"available_in":["pro","enterprise"]`) {
		t.Error(details)
	}
}
