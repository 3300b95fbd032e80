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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// attempted reports whether the newest delivery has had n attempts.
func attempted(n int) func([]promptrails.Delivery) bool {
	return func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == n }
}

// A failed delivery is attempted 8 times in all, with growing pauses and the
// same webhook-id. It can be redelivered afterwards.
func TestDeliveryRetries(t *testing.T) {
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
	if got := delivery.text("status"); got != "pending" {
		t.Errorf("status of a new delivery: got %s, want pending", got)
	}
	var pauses []float64
	for attempt := 1; attempt <= 8; attempt++ {
		if id := hook.next().id(); id != delivery.text("webhook_id") {
			t.Errorf("webhook-id of attempt %d: got %s, want %s", attempt, id, delivery.text("webhook_id"))
		}
		d := ada.deliveries(channel, attempted(attempt))[0]
		if a := d.Attempts[attempt-1]; a.StatusCode != 500 || a.Error != "the receiver returned status 500" {
			t.Errorf("attempt %d: got %+v, want the status code 500 and an error that names it", attempt, a)
		}
		if attempt == 8 {
			if d.Status != promptrails.DeliveryFailed || !d.NextAttemptAt.IsZero() {
				t.Errorf("delivery after 8 attempts: got %+v, want it failed, without a next attempt", d)
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
			t.Errorf("pauses: got %v seconds, want each 1.5 times the one before, from 1 second to a day", pauses)
		}
	}

	broken.Store(false)
	again := ada.do("POST", "/notification-deliveries/"+delivery.text("id")+"/redeliver", "").expect(201)
	if id := hook.next().id(); id != delivery.text("webhook_id") || again.text("id") == delivery.text("id") {
		t.Errorf("redelivery: got %s with the webhook-id %s, want a new delivery with the webhook-id %s", again.body, id, delivery.text("webhook_id"))
	}
	all := ada.deliveries(channel, ended(2))
	ada.do("PATCH", "/notification-channels/"+channel, `{"is_active":false}`).expect(200)
	ada.do("POST", "/notification-deliveries/"+delivery.text("id")+"/redeliver", "").refused(409, "invalid_state")
	if all[0].Status != promptrails.DeliveryDelivered || all[0].ID != again.text("id") || all[1].Status != promptrails.DeliveryFailed || len(hook.came) != 0 {
		t.Errorf("deliveries after the redelivery: got %+v and %d more requests, want %s delivered, then a failed one, and no request", all, len(hook.came), again.text("id"))
	}
}

// The pauses between attempts are random, so that retries do not arrive
// together.
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
			t.Errorf("delivery to a closed port: got %+v, want a refused connection", d)
		}
		seen[d.NextAttemptAt.Sub(d.Attempts[0].At).Truncate(10*time.Millisecond).Milliseconds()] = true
	}
	if len(seen) < 3 {
		t.Errorf("pauses of 5 deliveries: got %v milliseconds, want at least 3 different ones", seen)
	}
}

// A receiver that hangs delays only its own channel.
func TestSlowReceiverDelaysNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var running gauge
	slow := newReceiver(t, running.hang(release))
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
	if n := running.max(); n > len(ids) {
		t.Errorf("a receiver of %d channels that does not respond: got %d concurrent requests, want at most one for each", len(ids), n)
	}
}

// gauge counts running requests.
type gauge struct {
	mu           sync.Mutex
	now, highest int
}

// hang returns a handler that responds after release is closed, or when the client
// closes the connection.
func (g *gauge) hang(release <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		g.add(1)
		defer g.add(-1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
}

func (g *gauge) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now += n
	g.highest = max(g.highest, g.now)
}

// max returns the highest number of requests that ran at the same time.
func (g *gauge) max() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.highest
}

// A workspace with hanging receivers does not delay other workspaces: it has at
// most 16 requests in progress.
func TestSlowWorkspaceDelaysNoOther(t *testing.T) {
	oneProcess(t, "the number of concurrent deliveries is limited in each process")
	t.Parallel()
	release := make(chan struct{})
	var running gauge
	slow := newReceiver(t, running.hang(release))
	defer close(release)
	fast := newReceiver(t, nil)
	s := newServer(t, embedded.Config{AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanEnterprise})
	ada, eve := s.owner("ada@example.com", "research"), s.owner("eve@example.com", "other")
	for range 70 { // more than the limit of concurrent requests
		id, _ := ada.channel(slow.url)
		ada.do("POST", "/notification-channels/"+id+"/test", "").expect(201)
	}
	slow.next()
	id, _ := eve.channel(fast.url)
	eve.do("POST", "/notification-channels/"+id+"/test", "").expect(201)
	fast.next()
	if n := running.max(); n > 16 {
		t.Errorf("concurrent requests of one workspace: got %d, want at most 16", n)
	}
}

// Receivers that hang, redirect or send too much fail the delivery.
func TestHostileReceivers(t *testing.T) {
	t.Parallel()
	target := newReceiver(t, nil) // of redirects
	hung := make(chan struct{})
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target.url, http.StatusTemporaryRedirect)
		}, "the receiver returned status 307; redirects are not followed"},
		"not modified": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "the receiver returned status 304; redirects are not followed"},
		"endless body": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "the response exceeds 64 KiB"},
		"aborted response": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the connection was closed"},
		"large header":     {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "the request failed"},
		"hang": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			close(hung)
		}, "the request timed out after 15s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
			channel, _ := ada.channel(newReceiver(t, c.handler).url)
			ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
			if name == "hang" {
				<-hung
			}
			d := ada.deliveries(channel, attempted(1))[0]
			if d.Attempts[0].Error != c.want || d.Status != promptrails.DeliveryPending {
				t.Errorf("delivery: got %+v, want it pending with the error %q", d, c.want)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(target.came); n != 0 {
			t.Errorf("target of redirects: got %d requests, want 0", n)
		}
	})
}

// An encrypted URL that is copied into another channel's row cannot be
// decrypted there, and no request is sent.
func TestURLOfAnotherChannel(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	hook := newReceiver(t, nil)
	ada := newServer(t, embedded.Config{DSN: file, AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	const noEvents = `"events":["payment.failed"]`
	from, _ := ada.channel(hook.url, noEvents)
	to, _ := ada.channel("http://127.0.0.1:1/", noEvents)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "UPDATE notification_channels SET url = (SELECT url FROM notification_channels WHERE id = ?) WHERE id = ?", from, to); err != nil {
		t.Fatal(err)
	}
	ada.do("POST", "/notification-channels/"+to+"/test", "").expect(201)
	d := ada.deliveries(to, attempted(1))[0]
	if got := d.Attempts[0].Error; got != "the URL or secret cannot be decrypted with the master key" || len(hook.came) != 0 {
		t.Errorf("delivery: got the error %q and %d requests, want a decryption error and no request", got, len(hook.came))
	}
}

// Nothing is sent to a receiver with an untrusted certificate.
func TestUnknownCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("receiver: got a request, want none") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // discards failed handshakes
	server.StartTLS()
	defer server.Close()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	channel, _ := ada.channel(server.URL)
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	d := ada.deliveries(channel, attempted(1))[0]
	if got := d.Attempts[0].Error; got != "the certificate is signed by an unknown authority" {
		t.Errorf("delivery: got the error %q, want one about the certificate", got)
	}
}

// A service without background work sends no notifications. They are sent when a
// service with it opens the database.
func TestNoBackground(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, nil)
	cfg := embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), AllowLoopbackWebhooks: true, NoBackground: true}
	var ada *person
	var channel string
	t.Run("first process", func(t *testing.T) {
		ada = newServer(t, cfg).owner("ada@example.com", "research")
		channel, _ = ada.channel(hook.url)
		for range 20 { // each wakes the dispatcher of a service with background work
			ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		}
		ada.deliveries(channel, attempted(0))
	})
	if n := len(hook.came); n != 0 {
		t.Errorf("receiver: got %d requests, want 0", n)
	}
	cfg.NoBackground = false
	t.Run("second process", func(t *testing.T) {
		again := *ada
		again.s = newServer(t, cfg)
		again.deliveries(channel, attempted(1))
	})
}

// Pending deliveries continue after a restart. Deleting a workspace deletes its
// pending deliveries.
func TestDeliveriesSurviveRestart(t *testing.T) {
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
	t.Run("first process", func(t *testing.T) {
		s := newServer(t, cfg)
		ada, eve = s.owner("ada@example.com", "research"), s.owner("eve@example.com", "other")
		channel, secret = ada.channel(hook.url)
		ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		deleted, _ := eve.channel(hook.url)
		eve.do("POST", "/notification-channels/"+deleted+"/test", "").expect(201)
		ada.deliveries(channel, attempted(1))
		eve.deliveries(deleted, attempted(1))
		eve.do("DELETE", "/workspaces/"+eve.workspace+"?confirm_slug=other", "").expect(204)
	})
	first := []*received{hook.next(), hook.next()}
	now.forward(time.Hour)
	up.Store(true)
	t.Run("second process", func(t *testing.T) {
		again := *ada
		again.s = newServer(t, cfg)
		request := hook.next()
		if request.id() != first[0].id() && request.id() != first[1].id() || signature(t, secret, request) != request.header.Get("webhook-signature") {
			t.Errorf("request after the restart: got %v, want a signed one with the webhook-id %s or %s", request.header, first[0].id(), first[1].id())
		}
		again.deliveries(channel, ended(1))
	})
	if n := len(hook.came); n != 0 {
		t.Errorf("deliveries of a deleted workspace: got %d requests, want 0", n)
	}
}

// Retry-After delays the next attempt after 429 and 503. A 410 pauses the
// channel.
func TestReceiverStatuses(t *testing.T) {
	t.Parallel()
	for status, retryAfter := range map[int]string{410: "", 429: "3600", 503: "3600", 500: "3600"} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
			channel, _ := ada.channel(newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", retryAfter)
				w.WriteHeader(status)
			}).url)
			before := ada.sequence()
			ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
			d := ada.deliveries(channel, attempted(1))[0]
			wait := time.Until(d.NextAttemptAt)
			c := ada.do("GET", "/notification-channels/"+channel, "").expect(200)
			switch status {
			case 410:
				if d.Status != promptrails.DeliveryFailed || !strings.Contains(c.body, `"is_active":false`) || !strings.Contains(c.text("paused_reason"), "410") || ada.sequence() != before+1 {
					t.Errorf("got delivery %+v, channel %s and %d changelog entries, want a failed delivery, a channel paused because of 410 and 1 entry", d, c.body, ada.sequence()-before)
				}
			case 500:
				if wait > time.Minute {
					t.Errorf("next attempt: got in %s, want in at most a minute, without Retry-After", wait)
				}
			default:
				if wait < 59*time.Minute || wait > 61*time.Minute {
					t.Errorf("next attempt after Retry-After: 3600: got in %s, want in an hour", wait)
				}
			}
		})
	}
}
