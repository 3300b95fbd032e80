package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

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

func (p *person) firstChannel() string {
	p.s.t.Helper()
	ids, _ := p.do("GET", "/notification-channels", "").listed()
	return ids[0]
}

// A receiver that fails is tried again, 8 times in all, with growing pauses and
// the same webhook-id; then somebody sends it anew.
func TestDeliveryIsTriedAgain(t *testing.T) {
	t.Parallel()
	var time clock
	var broken atomic.Bool
	broken.Store(true)
	hook := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, Now: time.now}).owner("ada@example.com", "research")
	channel, _ := ada.channel(hook.url)
	delivery := ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	if delivery.text("status") != "pending" {
		t.Error(delivery.body)
	}
	var pauses []float64
	for attempt := 1; attempt <= 8; attempt++ {
		if id := hook.next().id(); id != delivery.text("webhook_id") {
			t.Errorf("attempt %d has the webhook-id %s", attempt, id)
		}
		d := ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == attempt })[0]
		if a := d.Attempts[attempt-1]; a.StatusCode != 500 || a.Error != "it answered 500" {
			t.Errorf("attempt %d: %+v", attempt, a)
		}
		if attempt == 8 {
			if d.Status != promptrails.DeliveryFailed || !d.NextAttemptAt.IsZero() {
				t.Errorf("%+v", d)
			}
			break
		}
		pause := d.NextAttemptAt.Sub(d.Attempts[attempt-1].At)
		pauses = append(pauses, pause.Seconds())
		ada.do("POST", "/notification-deliveries/"+d.ID+"/redeliver", "").refused(409, "invalid_state")
		time.forward(pause)
	}
	for i, pause := range pauses {
		if i > 0 && pause < 1.5*pauses[i-1] || pause < 1 || pause > 24*3600 {
			t.Errorf("the pauses are %v", pauses)
		}
	}

	broken.Store(false)
	again := ada.do("POST", "/notification-deliveries/"+delivery.text("id")+"/redeliver", "").expect(201)
	if id := hook.next().id(); id != delivery.text("webhook_id") || again.text("id") == delivery.text("id") {
		t.Errorf("the redelivery %s has the webhook-id %s", again.body, id)
	}
	all := ada.deliveries(channel, ended(2))
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":false}`).expect(200)
	ada.do("POST", "/notification-deliveries/"+delivery.text("id")+"/redeliver", "").refused(409, "invalid_state")
	if all[0].Status != promptrails.DeliveryDelivered || all[0].ID != again.text("id") || all[1].Status != promptrails.DeliveryFailed || len(hook.came) != 0 {
		t.Errorf("%+v", all)
	}
}

// Two clocks that the same delays were drawn for would all come at once.
func TestPausesAreJittered(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	channel, _ := ada.channel("http://127.0.0.1:1/")
	seen := map[int64]bool{}
	for range 5 {
		ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	}
	for _, d := range ada.deliveries(channel, func(all []promptrails.Delivery) bool {
		for _, d := range all {
			if len(d.Attempts) == 0 {
				return false
			}
		}
		return true
	}) {
		if d.Attempts[0].StatusCode != 0 || d.Attempts[0].Error != "it refused the connection" {
			t.Errorf("%+v", d)
		}
		seen[d.NextAttemptAt.Sub(d.Attempts[0].At).Truncate(10*time.Millisecond).Milliseconds()] = true
	}
	if len(seen) < 3 {
		t.Errorf("the pauses are %v", seen)
	}
}

// A receiver that hangs holds up its own channel alone.
func TestSlowReceiverHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	fast := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanEnterprise}).owner("ada@example.com", "research")
	for range 12 {
		ada.channel(slow.url, `"events":["channel.test"]`)
	}
	ids, _ := ada.do("GET", "/notification-channels", "").listed()
	for _, id := range ids {
		ada.do("POST", "/notification-channels/"+id+"/test", "").expect(201)
		ada.do("POST", "/notification-channels/"+id+"/test", "").expect(201)
	}
	for range ids {
		slow.next()
	}
	ada.channel(fast.url, `"events":["member.joined"]`)
	for i := range 3 {
		ada.member(fmt.Sprintf("m%d@example.com", i), "user")
		fast.next()
	}
	if n := len(slow.came); n != 0 {
		t.Errorf("%d more requests came to a receiver that had not answered", n)
	}
}

// A workspace whose receivers all hang takes its share, and no more.
func TestSlowWorkspaceHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	fast := newReceiver(t, nil)
	s := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanEnterprise})
	ada, eve := s.owner("ada@example.com", "research"), s.owner("eve@example.com", "other")
	for range 70 { // more than all that are sent at once
		id, _ := ada.channel(slow.url)
		ada.do("POST", "/notification-channels/"+id+"/test", "").expect(201)
	}
	slow.next()
	id, _ := eve.channel(fast.url)
	eve.do("POST", "/notification-channels/"+id+"/test", "").expect(201)
	fast.next()
	if n := len(slow.came) + 1; n > 16 {
		t.Errorf("%d requests of one workspace are under way at once", n)
	}
}

// A receiver is not believed: it may hang, redirect or never end.
func TestHostileReceivers(t *testing.T) {
	t.Parallel()
	secretPlace := newReceiver(t, nil)
	hung := make(chan struct{})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, secretPlace.url, http.StatusTemporaryRedirect)
		}, "it answered 307, and no redirect is followed"},
		"not modified": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "it answered 304, and no redirect is followed"},
		"a stream": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "its answer has more than 64 KiB"},
		"half an answer":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection broke off"},
		"an endless header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "the request failed"},
		"a hang": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(hung)
		}, "it took more than 15s"},
		"gone": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, "it answered 410"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
			channel, _ := ada.channel(newReceiver(t, c.answer).url)
			ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
			if name == "a hang" {
				<-hung
			}
			d := ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })[0]
			if d.Attempts[0].Error != c.want || d.Status != promptrails.DeliveryPending {
				t.Errorf("%+v, want %q", d, c.want)
			}
		})
	}
	t.Cleanup(func() {
		if len(secretPlace.came) != 0 {
			t.Error("a redirect was followed")
		}
	})
}

// A receiver must be who its name says.
func TestUnknownCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	server.StartTLS()
	defer server.Close()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	channel, _ := ada.channel(server.URL)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	d := ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })[0]
	if got := d.Attempts[0].Error; got != "its certificate is by an authority that is not known" {
		t.Error(got)
	}
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
	if !strings.Contains(paused.body, `"is_active":false`) || !strings.Contains(paused.text("paused_reason"), "nothing has come through since 2026-01-02T03:04:05Z: it answered 503") {
		t.Error(paused.body)
	}
	newest := ada.do("GET", "/changelog?limit=1", "").body
	for _, part := range []string{`"actor":{"id":"","name":"system","type":"system"}`, `"is_active":{"from":true,"to":false}`, `"paused_reason":{"from":"","to":"nothing has come`} {
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
	if !strings.Contains(paused.body, `"is_active":false`) || paused.text("paused_reason") != "the plan starter has no Slack channels" || ada.sequence() != before+2 {
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

func TestChannelRules(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanFree})
	ada := s.owner("ada@example.com", "research")
	const hook = `{"name":"n","type":"webhook","url":"https://93.184.216.34/x"}`
	const slack = `{"name":"n","type":"slack","url":"https://93.184.216.34/x"}`
	ada.do("POST", "/notification-channels", slack).refused(403, "feature_not_in_plan")
	if r := ada.do("POST", "/notification-channels", hook).refused(402, "quota_exceeded"); !strings.Contains(r.body, `"limit":"notification_channels"`) || !strings.Contains(r.body, `"max":0`) {
		t.Error(r.body)
	}
	ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`).expect(200)
	ada.do("POST", "/notification-channels", slack).refused(403, "feature_not_in_plan")
	for field, body := range map[string]string{
		"type":   `{"name":"n","type":"mail","url":"https://93.184.216.34/x"}`,
		"events": `{"name":"n","type":"webhook","url":"https://93.184.216.34/x","events":["moon.full"]}`,
		"name":   `{"name":" ","type":"webhook","url":"https://93.184.216.34/x"}`,
		"url":    `{"name":"n","type":"webhook","url":"[redacted]"}`,
		"secret": `{"name":"n","type":"webhook","url":"https://93.184.216.34/x","secret":"whsec_x"}`,
	} {
		if fields := ada.do("POST", "/notification-channels", body).fails(400, "validation_error"); fields[field] == "" {
			t.Errorf("%s: %v", body, fields)
		}
	}
	first := ada.do("POST", "/notification-channels", hook).expect(201)
	ada.do("POST", "/notification-channels", hook).expect(201)
	ada.do("POST", "/notification-channels", hook).refused(402, "quota_exceeded")
	id := first.text("id")
	one := ada.do("GET", "/notification-channels/"+id, "").expect(200)
	if one.text("url") != "https://93.184.216.34/…" || strings.Contains(one.body, "secret") || one.header.Get("ETag") != `"1"` || !strings.Contains(one.body, `"events":[]`) {
		t.Errorf("%s %v", one.body, one.header)
	}
	if ids, total := ada.do("GET", "/notification-channels?type=webhook", "").listed(); len(ids) != 2 || total != 2 {
		t.Error(ids, total)
	}
	// The path of the URL is a secret, so that it changes unseen and not unsaid.
	ada.do("PATCH", "/notification-channels/"+id, `{"url":"https://93.184.216.34/planted"}`, "If-Match", `"1"`).expect(200)
	ada.do("PATCH", "/notification-channels/"+id, `{"name":"m"}`, "If-Match", `"1"`).refused(412, "precondition_failed")
	log := ada.do("GET", "/changelog?limit=1", "").body
	if !strings.Contains(log, `"changes":{"url":{"from":"https://93.184.216.34/…","to":"https://93.184.216.34/…"}}`) || strings.Contains(log, "planted") {
		t.Error(log)
	}
	// What answers show of it is not taken for it.
	if fields := ada.do("PATCH", "/notification-channels/"+id, `{"url":"https://93.184.216.34/…"}`).fails(400, "validation_error"); fields["url"] == "" {
		t.Error(fields)
	}
	// A lower plan wants them gone.
	if r := ada.do("PATCH", "/billing/subscription", `{"plan":"free"}`).refused(409, "over_limit"); !strings.Contains(r.body, `"limit":"notification_channels"`) {
		t.Error(r.body)
	}
	usage := ada.do("GET", "/billing/usage", "").body
	if !strings.Contains(usage, `{"key":"notification_channels","used":2,"max":2}`) {
		t.Error(usage)
	}
	for _, id := range []string{id, ada.firstChannel()} {
		ada.do("DELETE", "/notification-channels/"+id, "").expect(204)
		ada.do("GET", "/notification-channels/"+id+"/deliveries", "").refused(404, "not_found")
	}
	ada.do("PATCH", "/billing/subscription", `{"plan":"free"}`).expect(200)
}

// What is not public is refused when it is saved.
func TestChannelURLs(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{WebhookResolver: resolver(t, func(string) string { return "10.1.2.3" })}).owner("ada@example.com", "research")
	for _, url := range []string{
		"http://93.184.216.34/", "ftp://93.184.216.34/", "//93.184.216.34/", "https:93.184.216.34", "https:///x", "", "x",
		"https://user@93.184.216.34/", "https://user:pass@93.184.216.34/", "https://93.184.216.34:0/", "https://93.184.216.34:99999/", "https://93.184.216.34:/",
		"https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://0/", "https://1.2.3/", "https://a.0x7f/",
		"https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://10.0.0.1/", "https://10.255.255.255:8443/", "https://172.16.0.1/", "https://192.168.1.1/",
		"https://169.254.169.254/latest/meta-data", "https://168.63.129.16/", "https://100.64.0.1/", "https://0.0.0.0/", "https://255.255.255.255/", "https://224.0.0.1/",
		"https://192.0.2.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://198.18.0.1/", "https://240.0.0.1/", "https://192.0.0.8/",
		"https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::808:808]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
		"https://[fc00::1]/", "https://[2001:db8::1]/", "https://[2002:7f00:1::]/", "https://[ff02::1]/", "https://[2001::1]/", "https://[fec0::1]/",
		"https://１２７.0.0.1/", "https://bücher.example/", "https://exa mple.com/", "https://example.com/\x00", "https://-/%zz", "https://inside.example.com/", "https://" + strings.Repeat("a", 2048) + ".example/",
	} {
		body := fmt.Sprintf(`{"name":"n","type":"webhook","url":%q}`, url)
		if strings.Contains(url, "\x00") {
			body = `{"name":"n","type":"webhook","url":"https://example.com/\u0000"}`
		}
		if fields := ada.do("POST", "/notification-channels", body).fails(400, "validation_error"); fields["url"] == "" {
			t.Errorf("%s: %v", url, fields)
		}
	}
	id, _ := ada.channel("https://93.184.216.34:8443/hooks?x=y")
	ada.do("PATCH", "/notification-channels/"+id, `{"url":"https://inside.example.com/"}`).fails(400, "validation_error")
	ada.channel("https://[2606:2800:220:1:248:1893:25c8:1946]/")
}

// A name that does not resolve is taken, and looked at again when it is
// dialled: what it leads to then is what counts.
func TestChannelNameIsLookedAtWhenDialled(t *testing.T) {
	t.Parallel()
	inside := make(chan net.Conn, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			inside <- conn
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	var address atomic.Value
	address.Store("")
	ada := newServer(t, embedded.Config{WebhookResolver: resolver(t, func(string) string { return address.Load().(string) })}).owner("ada@example.com", "research")
	unknown, _ := ada.channel("https://nowhere.example.com/")
	address.Store("93.184.216.34")
	rebound, _ := ada.channel("https://rebound.example.com:" + port + "/")
	address.Store("127.0.0.1")
	ada.do("POST", "/notification-channels/"+rebound+"/test", "").expect(201)
	d := ada.deliveries(rebound, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })[0]
	if got := d.Attempts[0].Error; got != "it leads to an address that is not public" {
		t.Error(got)
	}
	address.Store("")
	ada.do("POST", "/notification-channels/"+unknown+"/test", "").expect(201)
	d = ada.deliveries(unknown, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })[0]
	if got := d.Attempts[0].Error; got != "its name does not resolve" {
		t.Error(got)
	}
	if len(inside) != 0 {
		t.Error("the machine itself was dialled")
	}
}

// resolver asks a name server of the test's, which answers with one address, or
// that there is no such name.
func resolver(t *testing.T, answer func(name string) string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(packet)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var m dnsmessage.Message
			if err != nil || m.Unpack(packet[:n]) != nil {
				continue
			}
			m.Response, m.Additionals = true, nil
			address := net.ParseIP(answer(m.Questions[0].Name.String())).To4()
			switch {
			case address == nil:
				m.RCode = dnsmessage.RCodeNameError
			case m.Questions[0].Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: [4]byte(address)},
				}}
			}
			packed, err := m.Pack()
			if err != nil {
				t.Error(err)
			}
			_, _ = server.WriteTo(packed, from)
		}
	}()
	dialer := &net.Dialer{}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// What waits in a file goes on when the service is opened again; a workspace
// that is deleted takes what waits with it.
func TestDeliveriesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	var up atomic.Bool
	hook := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var now clock
	cfg := embedded.Config{DSN: file, AllowLoopbackWebhooks: true, Now: now.now}
	var ada, eve *person
	var channel, secret string
	t.Run("before", func(t *testing.T) {
		s := newServer(t, cfg)
		ada, eve = s.owner("ada@example.com", "research"), s.owner("eve@example.com", "other")
		channel, secret = ada.channel(hook.url)
		ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		gone, _ := eve.channel(hook.url)
		eve.do("POST", "/notification-channels/"+gone+"/test", "").expect(201)
		ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })
		eve.deliveries(gone, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })
		eve.do("DELETE", "/workspaces/"+eve.workspace+"?confirm_slug=other", "").expect(204)
	})
	first := []*received{hook.next(), hook.next()}
	now.forward(time.Hour)
	up.Store(true)
	t.Run("after", func(t *testing.T) {
		again := *ada
		again.s = newServer(t, cfg)
		request := hook.next()
		if request.id() != first[0].id() && request.id() != first[1].id() || signature(t, secret, request) != request.header.Get("webhook-signature") {
			t.Errorf("%v came, after %v", request.header, first)
		}
		again.deliveries(channel, ended(1))
	})
	if len(hook.came) != 0 {
		t.Error("something of a workspace that is gone was sent")
	}
}

// The receiver's port is dialled over the loopback, and no proxy of the
// environment is asked.
func TestNoProxy(t *testing.T) {
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	ada := newServer(t, embedded.Config{WebhookResolver: resolver(t, func(string) string { return "" })}).owner("ada@example.com", "research")
	channel, _ := ada.channel("https://nowhere.example.com/")
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })
	if len(asked) != 0 {
		t.Errorf("a proxy was asked for %s", <-asked)
	}
}
