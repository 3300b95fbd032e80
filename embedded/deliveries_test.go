package embedded_test

import (
	"database/sql"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

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
		if a := d.Attempts[attempt-1]; a.StatusCode != 500 || a.Error != "the receiver returned status 500" {
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
		if d.Attempts[0].StatusCode != 0 || d.Attempts[0].Error != "the connection was refused" {
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
		}, "the receiver returned status 307; redirects are not followed"},
		"not modified": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "the receiver returned status 304; redirects are not followed"},
		"a stream": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "the response exceeds 64 KiB"},
		"half an answer":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection was closed"},
		"an endless header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "the request failed"},
		"a hang": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(hung)
		}, "the request timed out after 15s"},
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

// A URL that was put into another channel's row does not open there, and
// nothing is sent.
func TestURLOfAnotherChannel(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	hook := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{DSN: file, AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	const none = `"events":["payment.failed"]`
	from, _ := ada.channel(hook.url, none)
	to, _ := ada.channel("http://127.0.0.1:1/", none)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "UPDATE notification_channels SET url = (SELECT url FROM notification_channels WHERE id = ?) WHERE id = ?", from, to); err != nil {
		t.Fatal(err)
	}
	ada.do("POST", "/notification-channels/"+to+"/test", "").expect(201)
	d := ada.deliveries(to, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })[0]
	if got := d.Attempts[0].Error; got != "the URL or secret cannot be decrypted with the master key" || len(hook.came) != 0 {
		t.Errorf("%s, and %d came", got, len(hook.came))
	}
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
	if got := d.Attempts[0].Error; got != "the certificate is signed by an unknown authority" {
		t.Error(got)
	}
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
